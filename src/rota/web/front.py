"""The first thing that a request meets: for whom it is, how large it is, and where it goes.

Plain ASGI, without a framework: it stays small in memory, and a hook's answer costs little more than its commit.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from rota.app.answer import Answer
from rota.app.receiving import Gate
from rota.model.config import WebConfig
from rota.ports.logger import Logger
from rota.web.hosts import is_allowed

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Bytes of bodies that are being read at once; and how much of a body that is too large is read away, so
# that its sender sees the answer rather than a broken connection.
READING = 64_000_000
POLITE = 16_000_000
_MOST_FIELDS = 200
log = Logger("rota.web")


class Front:
    """The ASGI application. `config`: the settings in force."""

    def __init__(self, gate: Gate, config: Callable[[], WebConfig]) -> None:
        self._gate = gate
        self._config = config
        self._reading = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        headers = _headers(scope["headers"])
        answer = await self._answer(scope, headers, receive)
        await _send(answer, send, only_head=scope["method"] == "HEAD")

    async def _answer(self, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        config = self._config()
        if config.socket is None and not is_allowed(headers.get("host", ""), config.hosts):
            host = headers.get("host", "")[:100]
            log.warning("host_refused", host=host, hint="add the name to `web: {hosts: [...]}` in rota.yaml")
            return Answer(421, {"error": "this host is not allowed: see `hosts:` of `web:` in rota.yaml"})
        if path == "/health":
            return self._health(method)
        if path.startswith("/hooks/"):
            return await self._hook(method, path[7:], scope, headers, receive)
        if path.startswith("/approvals/"):
            return await self._approval(method, path[11:], headers, receive)
        if path in {"/mcp", "/mcp/"}:
            return await self._agents(method, scope, headers, receive)
        return Answer(404, {"error": "there is nothing here"})

    async def _agents(
        self, method: str, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive
    ) -> Answer:
        from rota.web import agents  # with the first one

        asked = agents.Asked(method, headers, self._client(scope, headers))
        config = self._config()
        token = agents.admit(self._gate.agents, asked, config)
        if isinstance(token, Answer):
            return token
        body = await self._body(headers, receive) if method == "POST" else b""
        return (
            body
            if isinstance(body, Answer)
            else await agents.take(self._gate.agents, token, asked, body, config)
        )

    async def _approval(
        self, method: str, token: str, headers: Mapping[str, str], receive: Receive
    ) -> Answer:
        from rota.web import approvals  # with the first one

        if method in {"GET", "HEAD"}:
            return approvals.show(self._gate.approvals, token)
        if method != "POST":
            return Answer(405, {"error": "it takes GET and POST"}, {"allow": "GET, HEAD, POST"})
        body = await self._body(headers, receive)
        if isinstance(body, Answer):
            return body
        return await approvals.take(self._gate.approvals, token, headers.get("content-type", ""), body)

    def _health(self, method: str) -> Answer:
        if method not in {"GET", "HEAD"}:
            return Answer(405, {"error": "it takes GET"}, {"allow": "GET, HEAD"})
        stuck = self._gate.stuck()
        return Answer(503, {"status": "stuck", "loops": stuck}) if stuck else Answer(200, {"status": "ok"})

    async def _hook(
        self, method: str, name: str, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive
    ) -> Answer:
        hook = self._gate.receiver.find(name)
        if hook is None:
            return Answer(404, {"error": "no such hook"})
        query = _query(scope["query_string"])
        if method in {"GET", "HEAD"}:
            return self._gate.receiver.challenge(hook, query)
        if method != "POST":
            return Answer(405, {"error": "a hook takes POST"}, {"allow": "POST"})
        if headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
            return _closing(415, "a body has to come as it is, without Content-Encoding")
        body = await self._body(headers, receive)
        if isinstance(body, Answer):
            return body
        return await self._gate.receiver.receive(hook, headers, query, body, self._client(scope, headers))

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes | Answer:
        """The body, or what is wrong with it."""
        limit = self._config().body
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            return await self._too_large(limit, receive, wait="expect" not in headers)
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return Answer(408, {"error": "the body did not come"})
                part = message.get("body", b"")
                if size + len(part) > limit:
                    return await self._too_large(limit, receive, wait=True)
                if self._reading + len(part) > READING:
                    return Answer(503, {"error": "busy"}, {"retry-after": "1", "connection": "close"})
                parts.append(part)
                size += len(part)
                self._reading += len(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        finally:
            self._reading -= size

    async def _too_large(self, limit: int, receive: Receive, *, wait: bool) -> Answer:
        read = 0
        while wait and read < POLITE:
            message = await receive()
            read += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                break
        return _closing(413, f"a body has at most {limit} bytes")

    def _client(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        """Who sent it: behind a proxy that is known to say so, the last one that the proxy names."""
        if self._config().forwarded and (named := headers.get("x-forwarded-for")):
            return named.rpartition(",")[2].strip()[:60]
        client = scope.get("client")
        return str(client[0]) if client else "local"


def _closing(status: int, error: str) -> Answer:
    return Answer(status, {"error": error}, {"connection": "close"})


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _query(raw: bytes) -> dict[str, str]:
    if not raw:
        return {}
    try:
        return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


async def _send(answer: Answer, send: Send, *, only_head: bool) -> None:
    is_text = isinstance(answer.body, str)
    body = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
    said = {
        "content-type": "text/plain; charset=utf-8" if is_text else "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **answer.headers,
    }
    headers = [(name.encode(), value.encode()) for name, value in said.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if only_head else body})

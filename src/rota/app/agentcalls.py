"""Agents that come by HTTP: which key they have, how often they may come, and their answers, which a host makes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from rota.app.answer import Answer
from rota.app.throttle import Throttle
from rota.app.tokens import token_of
from rota.app.wiring import App
from rota.model.errors import RotaError, StepError
from rota.model.instants import MINUTE, Micros
from rota.model.proposal import AgentToken
from rota.ports.processes import HostCall, Hosts
from rota.ports.store import Tx

RATE = "600/minute"
AT_ONCE = 4
WAITING = 64
PATIENCE = 120.0  # seconds
_PLACE = "/mcp"
_PASSED = frozenset({"accept", "content-type", "user-agent"})


class AgentCalls:
    """The daemon's end of /mcp."""

    def __init__(self, app: App, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts
        self._throttle = Throttle()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._here = 0

    def find(self, key: str) -> AgentToken | None:
        """The record of a key that is in force."""
        return token_of(self._app, key)

    def refused(self, client: str) -> int | None:
        """Count one without a key; how many seconds it has to wait, if there were too many."""
        return self._throttle.refused(_PLACE, client)

    def admitted(self, token: AgentToken, client: str) -> int | None:
        """Count one with a key; how many seconds it has to wait, if there were too many."""
        return self._throttle.verified(f"{_PLACE} {token.name}", client, RATE)

    async def answer(
        self, handler: str, token: AgentToken, headers: Mapping[str, str], body: bytes, *, limit: int
    ) -> Answer:
        """What `handler` (a function of a host) makes of the request.

        Raises TimeoutError; RotaError, with the code `busy` where too many wait.
        """
        if self._here >= WAITING:
            raise StepError("too many agents wait", code="busy")
        now = self._app.clock.now()
        if token.used_at is None or now - token.used_at > MINUTE:
            await self._app.store.write(partial(_used, name=token.name, now=now))
        kwargs = {
            "workspace": str(self._app.layout.root),
            "agent": token.agent,
            "scopes": list(token.scopes),
            "method": "POST",
            "headers": {
                name: value for name, value in headers.items() if name in _PASSED or name.startswith("mcp-")
            },
            "body": _text(body),
            "limit": limit,
        }
        self._here += 1
        try:
            async with asyncio.timeout(PATIENCE), self._places:
                said = await self._hosts.call(HostCall(handler, kwargs), lambda _stream, _data: None)
        finally:
            self._here -= 1
        return Answer(int(said["status"]), str(said["body"]), dict(said["headers"]))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise RotaError("the body is not UTF-8", hint="send JSON", code="bad_body") from None


def _used(tx: Tx, *, name: str, now: Micros) -> None:
    tx.tokens.used(name, now)

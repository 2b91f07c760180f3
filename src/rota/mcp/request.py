"""One request to /mcp, answered in a host: the daemon never imports the library. Each request stands for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from rota.app.desk import LocalDesk
from rota.app.wiring import open_app
from rota.mcp.server import make_server, require_library
from rota.model.agent import Actor

# What of an answer's headers the client needs.
_GIVEN = frozenset({"content-type", "allow", "mcp-session-id"})


def answer(
    *,
    workspace: str,
    agent: str,
    scopes: Sequence[str],
    method: str,
    headers: Mapping[str, str],
    body: str,
    limit: int,
) -> dict[str, Any]:
    """Status, headers and body of the answer to a request whose sender is known. `limit`: bytes of a body."""
    require_library()
    app = open_app(Path(workspace))
    try:
        server = make_server(LocalDesk(app), Actor(agent), scopes)
        return asyncio.run(_answer(server, method, headers, body.encode(), limit))
    finally:
        app.close()


async def _answer(
    server: Any, method: str, headers: Mapping[str, str], body: bytes, limit: int
) -> dict[str, Any]:
    from mcp.server.transport_security import TransportSecuritySettings

    # Host and Origin were looked at by the door.
    trusting = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server.streamable_http_app(
        json_response=True, stateless_http=True, max_request_body_size=limit, transport_security=trusting
    )
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
    }
    said = _Said()
    asked = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if asked:
            return asked.pop()
        await asyncio.Event().wait()  # whether the client is still there is the door's to see
        raise AssertionError

    async with server.session_manager.run():
        await server.session_manager.handle_request(scope, receive, said.send)
    return {"status": said.status, "headers": said.headers, "body": said.body.decode("utf-8", "replace")}


class _Said:
    """What the application sent."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: dict[str, str] = {}
        self.body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Part of ASGI."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            pairs = ((name.decode().lower(), value.decode("latin-1")) for name, value in message["headers"])
            self.headers = {name: value for name, value in pairs if name in _GIVEN}
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

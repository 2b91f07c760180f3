"""uvicorn's HTTP protocol with deadlines and bounds: a client that is slow, or says too much, is let go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

LONGEST_HEAD = 65_536
KEEP_ALIVE = 30


@dataclass
class Bounds:
    """What clients may take. `patience`: seconds for the headers, and again for the body; `connections`: at once."""

    patience: float
    connections: int


@dataclass
class Clients:
    """The connections of one door. `protocols`: oldest first."""

    bounds: Bounds
    protocols: dict[BoundedProtocol, None] = field(default_factory=dict)

    def make_room(self) -> None:
        """Let go the one that has kept us waiting longest, where there are too many; one that is answered stays."""
        if len(self.protocols) <= self.bounds.connections:
            return
        waiting = [protocol for protocol in self.protocols if protocol.is_waiting]
        if waiting:
            min(waiting, key=lambda protocol: protocol.deadline or 0.0).let_go(503, b"busy")

    def sweep(self, now: float) -> None:
        """Let go whose time is over."""
        for protocol in list(self.protocols):
            if protocol.deadline is not None and now > protocol.deadline:
                protocol.let_go(408, b"too slow")


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `deadline`: of the loop's clock, for what the client is to send next (None: nothing)."""

    def __init__(self, config: Config, state: ServerState, clients: Clients) -> None:
        super().__init__(config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop())
        self._clients = clients
        self._head: int | None = 0  # bytes since a request began; None: its headers are complete
        self.deadline: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the client is to say something."""
        return self.deadline is not None or not self._is_answering

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Give it time to say what it wants."""
        super().connection_made(transport)
        self._clients.protocols[self] = None
        self._expect()
        self._clients.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.deadline = None
        self._clients.protocols.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless the headers never end."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > LONGEST_HEAD:
            self.let_go(431, b"too many headers")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = 0
        self._expect()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body is next."""
        self._head = None
        self._expect()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is whole: nothing is expected of the client."""
        self.deadline = None
        self._head = 0
        super().on_message_complete()

    def let_go(self, status: int, why: bytes) -> None:
        """Close the connection, with a word where nothing was said yet."""
        self.deadline = None
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            head = b"HTTP/1.1 %d \r\nconnection: close\r\ncontent-type: text/plain\r\n" % status
            self.transport.write(head + b"content-length: %d\r\n\r\n" % len(why) + why)
        self.transport.close()

    def _expect(self) -> None:
        self.deadline = self.loop.time() + self._clients.bounds.patience


def config_for(app: Any) -> Config:
    """uvicorn's settings for one ASGI application; what else its server does is done by the door."""
    config = Config(
        app,
        http=HttpToolsProtocol,
        ws="none",
        loop="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.load()
    return config

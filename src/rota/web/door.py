"""The door: opens where the settings say, again when they change, and closes without dropping an answer."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

from rota.app.doorway import Doorway, note_doorway
from rota.app.receiving import Gate
from rota.app.wiring import App
from rota.model.config import WebConfig
from rota.ports.logger import Logger
from rota.web.hosts import is_loopback

RETRY = 5.0
TICK = 1.0
GRACE = 5.0  # for requests under way
BACKLOG = 1024
log = Logger("rota.web")


class Door:
    """One daemon's HTTP door. `overrides`: what the command line says over the settings."""

    def __init__(self, app: App, overrides: dict[str, Any]) -> None:
        self._app = app
        self._overrides = overrides
        self._server: asyncio.Server | None = None
        self._open_for: WebConfig | None = None
        self._retry_at = 0.0
        self._said: Doorway | None = None
        self._factory: Callable[[], asyncio.Protocol] | None = None
        self._state: Any = None
        self._clients: Any = None
        self._gate: Gate | None = None

    @property
    def config(self) -> WebConfig:
        """The settings in force, under what the command line says."""
        own = {key: value for key, value in self._overrides.items() if value is not None}
        config = self._app.config.web
        if own.keys() & {"host", "port"}:
            config = replace(config, socket=None)
        return replace(config, **own)

    async def open(self, gate: Gate) -> None:
        """Open it, if it is to be; where its place is taken, `serve` tries again."""
        await self._keep(gate)

    async def serve(self, gate: Gate, stop: asyncio.Event) -> None:
        """Keep it open until `stop` is set; then answer what is under way, and take nothing new."""
        try:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), TICK)
                if not stop.is_set():
                    self._tick()
                    await self._keep(gate)
        finally:
            await self._close()

    def _tick(self) -> None:
        if self._clients is None:
            return
        self._clients.bounds.patience = self.config.patience
        self._clients.bounds.connections = self.config.connections
        self._clients.sweep(asyncio.get_running_loop().time())
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]

    async def _keep(self, gate: Gate) -> None:
        """Have it as the settings say."""
        config = self.config
        if self._server is not None and config == self._open_for:
            return
        place = (config.on, config.host, config.port, config.socket)
        if self._open_for is not None and self._server is not None:
            was = self._open_for
            if place == (was.on, was.host, was.port, was.socket):
                self._open_for = config
                return
            await self._close()
        if not config.on:
            self._open_for = config
            await self._note(Doorway("off"))
            return
        if self._open_for == config and time.monotonic() < self._retry_at:
            return
        self._open_for = config
        try:
            sock, url = listen(config, self._app.layout.root)
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY
            await self._note(Doorway("closed", error=_why(config, error), hint=_hint(config, error)))
            return
        if self._factory is None:
            self._make(gate)
        assert self._factory is not None  # noqa: S101 # made just now
        loop = asyncio.get_running_loop()
        if config.socket is None:
            self._server = await loop.create_server(self._factory, sock=sock, backlog=BACKLOG)
        else:
            self._server = await loop.create_unix_server(self._factory, sock=sock, backlog=BACKLOG)
        await self._note(Doorway("open", url=url))
        if config.socket is None and not is_loopback(config.host):
            log.warning("door_open_to_others", host=config.host, hint="put a reverse proxy with TLS in front")

    def _make(self, gate: Gate) -> None:
        """What serves connections; imported with the first of them, since it takes its time."""
        import logging

        from uvicorn.server import ServerState

        from rota.web.front import Front
        from rota.web.protocol import BoundedProtocol, Bounds, Clients, config_for

        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._gate = gate
        # As of the last tick: a request asks three times, and would put them together anew each time.
        config = config_for(Front(gate, lambda: self._open_for or self.config))
        state = self._state = ServerState()
        clients = self._clients = Clients(Bounds(self.config.patience, self.config.connections))
        self._factory = lambda: BoundedProtocol(config, state, clients)
        self._tick()

    async def _close(self) -> None:
        """Take no more connections, and let go the idle ones; the others get the grace to be answered."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for protocol in list(self._clients.protocols):
            protocol.shutdown()
        tasks = set(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)
        if self._gate is not None:
            await self._gate.drain()
        for protocol in list(self._clients.protocols):
            protocol.transport.close()
        if self._open_for is not None and self._open_for.socket is not None:
            _socket_path(self._open_for.socket, self._app.layout.root).unlink(missing_ok=True)

    async def _note(self, doorway: Doorway) -> None:
        """Say how it stands, where people look: in the log, and in the state for `rota status`."""
        if doorway == self._said:
            return
        self._said = doorway
        if doorway.state == "open":
            log.info("door_open", url=doorway.url)
        elif doorway.state == "closed":
            log.error("door_not_open", error=doorway.error, hint=doorway.hint, retry_in=RETRY)
        await note_doorway(self._app, doorway)


def listen(config: WebConfig, root: Path) -> tuple[socket.socket, str]:
    """A socket that listens where the settings say, and its URL. Raises OSError."""
    if config.socket is not None:
        path = _socket_path(config.socket, root)
        _remove_dead(path)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            own.bind(str(path))
            path.chmod(0o600)
        except OSError:
            own.close()
            raise
        return own, f"unix:{path}"
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    own = socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)
    # asyncio does this only for sockets that it opened itself, and connections have it from the one that listens. Without
    # it an answer, being two writes, waits for the client's delayed acknowledgement: some 40 ms.
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = own.getsockname()[1]
    shown = f"[{config.host}]" if family == socket.AF_INET6 else config.host
    return own, f"http://{shown}:{port}"


def _socket_path(text: str, root: Path) -> Path:
    return root / text


def _remove_dead(path: Path) -> None:
    """A socket that nobody listens at was left by a crash; one that answers is somebody's."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _why(config: WebConfig, error: OSError) -> str:
    place = config.socket or f"port {config.port} of {config.host}"
    if error.errno == errno.EADDRINUSE:
        return f"{place} is taken by another process"
    return f"{place} cannot be opened: {error.strerror or error}"


def _hint(config: WebConfig, error: OSError) -> str:
    if error.errno in {errno.EADDRINUSE, errno.EACCES} and config.socket is None:
        return (
            "perhaps another workspace's daemon has it: set another with `web: {port: 8766}` in rota.yaml, "
            "or `rota up --port 8766`"
        )
    return "see `web:` in rota.yaml"

"""How the HTTP door stands: written by the daemon, read by whoever asks for its status."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

from rota.app.control import running_daemon
from rota.app.wiring import App
from rota.ports.logger import Logger

_CURSOR = "door"
log = Logger("rota.web")


@dataclass(frozen=True)
class Doorway:
    """`state`: open, closed (it should be open, and `error` says why it is not), off."""

    state: str
    url: str | None = None
    error: str | None = None
    hint: str | None = None


async def note_doorway(app: App, doorway: Doorway) -> None:
    """Write it down; where that fails the door serves all the same."""
    value = {**asdict(doorway), "pid": os.getpid()}
    now = app.clock.now()
    try:
        await app.store.write(lambda tx: tx.cursors.put(_CURSOR, value, now))
    except Exception:
        log.exception("doorway_not_noted")


def doorway(app: App) -> Doorway | None:
    """How the running daemon's door stands; None where none runs."""
    daemon = running_daemon(app.layout)
    known = app.store.read(lambda tx: tx.cursors.get(_CURSOR))
    if daemon is None or known is None or known.pop("pid") != daemon.pid:
        return None
    return Doorway(**known)

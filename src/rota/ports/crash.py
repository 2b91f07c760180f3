"""Named crash points: places where the fault suite ends the process. They do nothing in production."""

from __future__ import annotations

import os
import signal

_ARMED = os.environ.get("ROTA_CRASH_AT", "")


def crash_point(name: str) -> None:
    """End this process with SIGKILL when ROTA_CRASH_AT names this point (`name` or `name:N` for its Nth pass)."""
    if _ARMED:
        _maybe_crash(name)


_passes: dict[str, int] = {}


def _maybe_crash(name: str) -> None:
    wanted, _, count = _ARMED.partition(":")
    if wanted != name:
        return
    _passes[name] = _passes.get(name, 0) + 1
    if _passes[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)

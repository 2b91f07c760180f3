"""Word to systemd (sd_notify): that rota serves, reloads, ends, and is not stuck. Without systemd it is silent."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress


class ServiceManager:
    """The manager that started this process, if one did: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` for pings.

    Its variables are taken out of `environ`: children must not speak in rota's name. What cannot be
    sent is lost: the manager's absence is no reason for a scheduler to fail. `ping_every`: seconds, or
    None when no pings are wanted.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        interval, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        asked = interval.isdecimal() and int(interval) > 0 and pid in {"", str(os.getpid())}
        self.ping_every = int(interval) / 2_000_000 if address and asked else None

    def ready(self, status: str) -> None:
        """rota serves (again, after a reload)."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Everything is read again; `ready` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reloading")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._send("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={status}")

    def ping(self) -> None:
        """rota is not stuck."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)  # noqa: FBT003 # the library's own signature
                sender.sendto("\n".join(lines).encode(), self._address)

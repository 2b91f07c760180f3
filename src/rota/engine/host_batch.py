"""Many quick calls in one message: the part of a host (`host_child`) that makes them one after another.

A call alone costs a message there, one back, and a fresh set-up of path, folder and environment; together
they cost what the functions themselves take. After each call a mark goes into stdout and stderr, so that
the pool knows which call printed what. A call that turns out slow holds up none of the others: the pool
takes back what was not begun yet (`take_back`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import invalidate_caches
from typing import Any

from rota.engine.host_code import FreshFinder, call_target, refuse

WATCHED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM)
TAKE_BACK = b"back\n"
# `signal.getsignal` looks each handler up in an enumeration: five times as long.
_getsignal: Callable[[int], object] = getattr(signal, "_signal", signal).getsignal


def mark_of(marker: str) -> bytes:
    """What stands in the output after each call. `marker` is the host's own, so nobody prints it by chance."""
    return f"\x00rota {marker}\x00".encode()


class Batch:
    """One batch. `encoded` and `described` say how results and errors cross; `send` writes to the pool."""

    def __init__(
        self,
        request: Mapping[str, Any],
        *,
        marker: str,
        files: dict[str, list[int]],
        send: Callable[[bytes], None],
        encoded: Callable[[Any], bytes],
        described: Callable[[BaseException], dict[str, Any]],
    ) -> None:
        self._request = request
        self._calls: list[tuple[str, Mapping[str, Any], Mapping[str, str]]] = request["calls"]
        self._mark = mark_of(marker)
        self._finder = FreshFinder(request["fresh"], files)
        self._send = send
        self._encoded = encoded
        self._described = described
        self._gate = threading.Lock()  # over what follows
        self._begun = 0
        self._until = len(self._calls)
        self._own: Mapping[str, str] = {}  # the variables of the latest call

    def take_back(self) -> None:
        """Begin no other call; say how many were begun. From another thread."""
        with self._gate:
            self._until = self._begun
        self._send(b'{"begun":%d,"batch":%d}\n' % (self._begun, self._request["batch"]))

    def make(self) -> bool:
        """Make the calls; whether this host can take another batch."""
        request = self._request
        before, path = dict(os.environ), list(sys.path)
        self._finder.install()
        try:
            os.environ.update(request["env"])
            time.tzset()
            sys.path[:0] = request["paths"]
            invalidate_caches()
            clean = self._make_all(request["cwd"])
        finally:
            os.environ.clear()
            os.environ.update(before)
            time.tzset()
            sys.path[:] = path
            sys.meta_path.remove(self._finder)
        return clean

    def _make_all(self, folder: str) -> bool:
        threads, pid, clean = threading.active_count(), os.getpid(), True
        while clean and self._may_begin():
            target, kwargs, env = self._calls[self._begun - 1]
            self._mark_environment(env)
            before = _surroundings()
            answer, clean = self._one(self._begun - 1, target, kwargs, folder)
            if os.getpid() != pid:  # the function forked, and its child came back here
                os._exit(0)
            # At once: an answer that waits here is lost with the host that the next call ends.
            self._send(answer)
            clean = clean and threading.active_count() <= threads and _surroundings() == before
            clean = clean and not _has_children()
        return clean

    def _mark_environment(self, env: Mapping[str, str]) -> None:
        """Set a call's own variables; most are those of the call before, and each that is set costs a microsecond."""
        for name in self._own.keys() - env.keys():
            del os.environ[name]
        for name, value in env.items():
            if self._own.get(name) != value:
                os.environ[name] = value
        self._own = env

    def _may_begin(self) -> bool:
        with self._gate:
            if self._begun >= self._until:
                return False
            self._begun += 1
            return True

    def _one(self, number: int, target: str, kwargs: Mapping[str, Any], folder: str) -> tuple[bytes, bool]:
        """One call's answer, and whether it left the streams as they were."""
        streams = (sys.stdout, sys.stderr)
        started = time.time_ns() // 1000
        error = b"null"
        result = b"null"
        try:
            _enter(folder)
            result = self._encoded(call_target(target, kwargs, self._finder))
        except BaseException as raised:  # noqa: BLE001 # whatever user code raises, the host goes on
            if not (isinstance(raised, SystemExit) and raised.code in (None, 0)):
                error = json.dumps(self._described(raised), default=str).encode()
        ended = time.time_ns() // 1000
        tidy = _mark(streams, self._mark)
        return b"[%d,%d,%d,%s,%s]\n" % (number, started, ended, error, result), tidy


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        refuse(f"the folder to run in cannot be used: {folder}: {error.strerror}")


def _mark(streams: tuple[Any, Any], mark: bytes) -> bool:
    """End this call's part of both streams; False where user code has put others in their place."""
    same = (sys.stdout, sys.stderr) == streams
    try:
        for stream in {sys.stdout, sys.stderr, *streams}:
            stream.flush()
        sys.stdout, sys.stderr = streams
        for fd in (1, 2):
            os.write(fd, mark)
    except Exception:  # noqa: BLE001 # user code may have broken or closed any of them
        return False
    return same


def _surroundings() -> tuple[object, ...]:
    """What a call may not leave changed to the next one."""
    handlers = [_getsignal(number) for number in WATCHED_SIGNALS]
    # The bytes underneath: comparing them takes a microsecond, a copy of the texts a dozen.
    return dict(getattr(os.environ, "_data", os.environ)), list(sys.path), handlers


def _has_children() -> bool:
    """Whether anything that was started still runs, or has not been waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True

"""A stub of the models' APIs on loopback: Anthropic's and OpenAI's wire formats, answers from the prompt's script.

A request's conversation tells which of the script's turns is asked for, so that tests run side by side against one
server, and a resumed conversation goes on where it stood. A prompt without a script is answered with `ok`.
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from tests.support.model_anthropic import Messages
from tests.support.model_openai import ChatCompletions
from tests.support.model_reply import Reply, Wire, reply
from tests.support.model_responses import Responses
from tests.support.model_script import Fault, Json, Turn, script, standing

__all__ = ["BAD_KEY", "KEY", "Asked", "ModelServer", "script", "serving"]

KEY = "sk-stub-0123456789abcdef"
BAD_KEY = "sk-stub-bad"
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "cookie"})
PATIENCE = 60.0
Found = TypeVar("Found")
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5", "gpt-5-mini", "stub")


@dataclass
class Asked:
    """A request. `marker` and `turn`: of the script that it follows. `status`: what it was answered, 0 while it
    was not. `gone`: the client went away before its answer was out. `whole`: the answer went out to its end.
    """

    path: str
    headers: dict[str, str]
    body: Json
    marker: str = ""
    turn: int = 0
    status: int = 0
    gone: bool = False
    whole: bool = False
    at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        """The body, to look for words in."""
        return json.dumps(self.body, ensure_ascii=False)


class ModelServer:
    """`url`: without `/v1`, as Anthropic's clients want it; `openai_url`: with it."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self.wires: dict[str, Wire] = {
            "/messages": Messages(),
            "/chat/completions": ChatCompletions(),
            "/responses": Responses(),
        }
        self._faults: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    @property
    def openai_url(self) -> str:
        """The base URL of OpenAI's clients."""
        return f"{self.url}/v1"

    def requests_of(self, marker: str, *, counted: bool = False) -> list[Asked]:
        """Those for a response that follow that script, oldest first. `counted`: those that were answered to the end."""
        return [one for one in list(self.requests) if one.marker == marker and (one.whole or not counted)]

    def wait_for(self, marker: str, count: int = 1, *, turn: int | None = None) -> Asked:
        """The request of that number (from 1) that follows the script, of that turn where it is given."""
        return self.until(
            lambda: next(
                iter(
                    [one for one in self.requests_of(marker) if turn is None or one.turn == turn][count - 1 :]
                ),
                None,
            ),
            f"request {count} of {marker}",
        )

    def until(self, look: Callable[[], Found | None], what: str) -> Found:
        """Until it is there; AssertionError when it never comes."""
        give_up = time.monotonic() + PATIENCE
        while (found := look()) is None:
            assert time.monotonic() < give_up, f"never came: {what}"
            time.sleep(0.01)
        return found

    def take(self, wire: Wire, asked: Asked) -> tuple[Turn, Fault | None]:
        """The turn that a request is answered with, and what goes wrong this time."""
        found, number = standing(wire.conversation(asked.body))
        if found is None:
            return Turn("ok"), None
        turn, asked.marker, asked.turn = found.turn(number), found.marker, number
        with self._lock:
            failed = self._faults[found.marker, number]
            if failed < len(turn.before):
                self._faults[found.marker, number] += 1
                return turn, turn.before[failed]
        return turn, turn.fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: ModelServer

    def do_GET(self) -> None:
        """The models there are."""
        if not self.path.partition("?")[0].endswith("/models"):
            self._json(404, {"error": {"type": "not_found_error", "message": self.path}})
            return
        models = [
            {"id": name, "object": "model", "type": "model", "display_name": name, "owned_by": "stub",
             "created": 1_790_000_000, "created_at": "2026-01-01T00:00:00Z"}
            for name in MODELS
        ]  # fmt: skip
        self._json(
            200, {"object": "list", "data": models, "has_more": False, "first_id": None, "last_id": None}
        )

    def do_POST(self) -> None:
        """A response of a model."""
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        asked = Asked(path, {n: v for n, v in headers.items() if n not in SECRET_HEADERS}, body)
        if path.endswith("/messages/count_tokens"):
            self._json(200, {"input_tokens": len(json.dumps(body)) // 4})
            return
        wire = next((wire for end, wire in self.state.wires.items() if path.endswith(end)), None)
        if wire is None:
            self._json(404, {"error": {"type": "not_found_error", "message": path}})
            return
        turn, fault = self.state.take(wire, asked)
        self.state.requests.append(asked)
        if not key or key == BAD_KEY:
            asked.status = 401
            self._json(401, wire.error(401, "invalid x-api-key"))
            return
        try:
            self._respond(asked, wire, turn, fault)
        except OSError:
            asked.gone, asked.whole = True, False
            self.close_connection = True

    def _respond(self, asked: Asked, wire: Wire, turn: Turn, fault: Fault | None) -> None:
        self._pause(turn.delay)
        if fault and fault.status:
            asked.status = fault.status
            more = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            self._json(fault.status, wire.error(fault.status, f"stub: answered {fault.status}"), more)
            return
        if fault and "headers" in (fault.hang, fault.drop):
            self._end(hang=fault.hang is not None)
            return
        answer = reply(turn, asked.turn, asked.body, _tools(asked.body))
        asked.status = 200
        if asked.body.get("stream"):
            self._stream(wire, answer, asked, fault, turn.pace)
        elif fault and fault.break_:
            self._json(500, wire.error(500, "stub: broken"))
        else:
            asked.whole = fault is None
            self._plain(wire.whole(answer, asked.body), fault)

    def _plain(self, answer: Json, fault: Fault | None) -> None:
        if fault is None:
            self._json(200, answer)
            return
        data = json.dumps(answer).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(data))})
        self.wfile.write(data[: len(data) // 2])
        self._end(hang=fault.hang is not None)

    def _stream(self, wire: Wire, answer: Reply, asked: Asked, fault: Fault | None, pace: float) -> None:
        events = list(wire.events(answer, asked.body))
        self._head(200, {"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"})
        for event in events[: len(events) // 2] if fault else events:
            # Before its last piece goes out: the client may act on it at once.
            asked.whole = event is events[-1]
            self._chunk(event.line)
            self._pause(pace)
        if fault and fault.break_:
            self._chunk(wire.broken().line)
        elif fault:
            self._end(hang=fault.hang is not None)
            return
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _end(self, *, hang: bool) -> None:
        """Say no more, until the client goes; or go at once."""
        while hang and not self.state.closing.is_set():
            self._pause(0.02)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _pause(self, seconds: float) -> None:
        """Wait; OSError when the client has gone meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.state.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.05))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError
            if readable:
                time.sleep(min(left, 0.05))

    def _json(self, status: int, answer: Json, more: dict[str, str] | None = None) -> None:
        data = json.dumps(answer).encode()
        about = {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            "request-id": "req_stub",
        }
        self._head(status, about | (more or {}))
        self.wfile.write(data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def handle(self) -> None:
        """Clients that give up are what some tests are about."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True


def _tools(body: Json) -> list[str]:
    found = [tool.get("name") or (tool.get("function") or {}).get("name") for tool in body.get("tools") or ()]
    return [name for name in found if name]


@contextmanager
def serving() -> Iterator[ModelServer]:
    """A server at its `url`."""
    state = ModelServer()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()

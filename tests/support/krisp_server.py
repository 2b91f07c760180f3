"""Krisp's Meeting API on loopback, in its wire format, and the payloads that its webhooks send."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "krsp_u_test-key"
Json = dict[str, Any]

JANE = {"email": "jane@example.org", "first_name": "Jane", "last_name": "Doe"}
SAM = {"email": "sam@example.org", "first_name": "Sam", "last_name": "Lee"}


def webhook(event: str, content: Any, *, meeting_id: str = "019a", raw: str = "", **meeting: Any) -> Json:
    """What a webhook delivers: one part of a recording, with the meeting that it is of."""
    return {
        "id": f"delivery-{event}",
        "event": event,
        "data": {
            "meeting": {
                "id": meeting_id, "title": "Weekly stand-up", "url": f"https://app.krisp.ai/t/{meeting_id}",
                "start_date": "2026-11-23T10:00:00Z", "end_date": "2026-11-23T10:30:00Z", "duration": 1800,
                "speakers": [{"index": 1, **JANE}, {"index": 2, **SAM}], "participants": ["jane@example.org"],
                "calendar_event_id": None, **meeting,
            },
            "content": content,
            "raw_meeting": "",
            "raw_content": raw,
        },
    }  # fmt: skip


TRANSCRIPT = [
    {"speaker": "Jane Doe", "speakerIndex": 1, "text": "Good morning.", "timestamp": "00:00:03"},
    {"speaker": "Jane Doe", "speakerIndex": 1, "text": "Shall we?", "timestamp": "00:00:05"},
    {"speaker": "Sam Lee", "speakerIndex": 2, "text": "The export works again.", "timestamp": "00:01:10"},
]
KEY_POINTS = [
    {"id": "kp1", "description": "The export works again"},
    {"id": "kp2", "description": "Launch is on Friday"},
]
ACTIONS = [{"id": "ai1", "title": "Write to Halden & Co", "assignee": SAM, "completed": False}]


def meeting(meeting_id: str, started: str, **parts: Any) -> Json:
    """A meeting as the API gives it; its notes are blocks."""
    return {
        "id": meeting_id,
        "title": "Weekly stand-up",
        "started_at": started,
        "duration": 1800,
        "status": "ready",
        "participants": [JANE, SAM],
        "transcript": {
            "language": "en",
            "speakers": {"1": JANE, "2": SAM},
            "segments": [
                {"speaker": 1, "text": "Good morning.", "start": 3, "end": 4},
                {"speaker": 2, "text": "The export works again.", "start": 70, "end": 72},
            ],
        },
        "notes": {
            "blocks": [
                {"type": "key_points", "children": [{"type": "key_point", "text": "Launch is on Friday {{01:10}}"}]},
                {"type": "detailed_summaries", "children": [
                    {"type": "heading", "text": "Export"}, {"type": "bullet", "text": "It works again"}]},
                {"type": "action_items", "children": [
                    {"type": "action_item", "text": "Write to Halden & Co", "completed": True, "assignee": SAM,
                     "due_date": "2026-11-27"}]},
            ]
        },
        **parts,
    }  # fmt: skip


@dataclass
class KrispServer:
    """What Krisp has recorded. `busy`: ids that it still works on; `limits`: Retry-After of the next answers."""

    meetings: dict[str, Json] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    page_cap: int = 100
    limits: list[str] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    requests: list[tuple[str, Json]] = field(default_factory=list)
    url: str = ""

    def add(self, *meetings: Json) -> None:
        """Record them (again)."""
        self.meetings |= {one["id"]: one for one in meetings}

    def read(self) -> list[str]:
        """Ids of the meetings that were asked for, each."""
        return [path.rpartition("/")[2] for path, _query in self.requests if path.startswith("/v1/meetings/")]

    def answer(self, path: str, query: Mapping[str, str]) -> tuple[int, Json]:
        """Status and body."""
        if path == "/v1/meetings":
            return 200, self._list(query)
        found = path.removeprefix("/v1/meetings/")
        if found in self.busy:
            return 409, {"error": "Meeting is still being processed"}
        if found not in self.meetings:
            return 404, {"error": "Meeting not found"}
        wanted = {"id", *query["fields"].split(",")}
        return 200, {name: part for name, part in self.meetings[found].items() if name in wanted}

    def _list(self, query: Mapping[str, str]) -> Json:
        day = query.get("from", "")[:10]  # the whole of that day
        found = [m for m in self.meetings.values() if m["started_at"][:10] >= day]
        found.sort(key=lambda one: str(one["started_at"]), reverse=query.get("order") == "newest")
        start, size = int(query.get("cursor", "0")), min(self.page_cap, int(query.get("limit", "100")))
        more = start + size < len(found)
        rows = [{k: one[k] for k in ("id", "title", "started_at")} for one in found[start : start + size]]
        return {"total": len(found), "next_cursor": str(start + size) if more else None, "meetings": rows}


def _handler(krisp: KrispServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(split.query).items()}
            krisp.requests.append((split.path, query))
            headers: dict[str, str] = {}
            if self.headers["Authorization"] != f"Bearer {KEY}":
                status, answer = 401, {"error": "Unauthorized"}
            elif krisp.limits:
                headers["Retry-After"] = krisp.limits.pop(0)
                status, answer = 429, {"error": "Too many requests"}
            elif krisp.failures:
                status, answer = krisp.failures.pop(0), {"error": "Internal error"}
            else:
                status, answer = krisp.answer(split.path, query)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serving() -> Iterator[KrispServer]:
    """A Krisp that has recorded nothing, at its `url`."""
    krisp = KrispServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(krisp))
    krisp.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield krisp
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

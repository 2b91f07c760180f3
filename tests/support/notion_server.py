"""Notion's API on loopback, in its own wire format (version 2025-09-03), over pages that a test makes up."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ntn_test-token"
Json = dict[str, Any]


def uid(name: str) -> str:
    """A stable UUID for a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def text(content: str, *, href: str | None = None, **annotations: Any) -> Json:
    """A run of rich text; `annotations` such as bold=True."""
    return {
        "type": "text",
        "text": {"content": content, "link": {"url": href} if href else None},
        "annotations": {
            "bold": False, "italic": False, "strikethrough": False, "underline": False, "code": False,
            "color": "default", **annotations,
        },
        "plain_text": content,
        "href": href,
    }  # fmt: skip


def mention(kind: str, about: Mapping[str, Any], plain: str, href: str | None = None) -> Json:
    """A mention in rich text."""
    return {**text(plain, href=href), "type": "mention", "mention": {"type": kind, kind: dict(about)}}


def block(
    kind: str, content: str | list[Json] | None = None, *, children: list[Json] | None = None, **more: Any
) -> Json:
    """A block; `content` is its rich text."""
    runs = [text(content)] if isinstance(content, str) else content
    about = {**({"rich_text": runs, "color": "default"} if runs is not None else {}), **more}
    return {
        "object": "block", "id": str(uuid.uuid4()), "type": kind, kind: about, "has_children": bool(children),
        "archived": False, "in_trash": False, "children": children or [],
    }  # fmt: skip


def table(*rows: list[str], column_header: bool = False, row_header: bool = False) -> Json:
    """A table of plain cells."""
    lines = [block("table_row", cells=[[text(cell)] if cell else [] for cell in row]) for row in rows]
    return block(
        "table",
        children=lines,
        table_width=len(rows[0]),
        has_column_header=column_header,
        has_row_header=row_header,
    )


@dataclass
class NotionServer:
    """What Notion holds. `page_cap`: how many results an answer has at most. `requests`: what was asked for."""

    pages: dict[str, Json] = field(default_factory=dict)
    blocks: dict[str, list[Json]] = field(default_factory=dict)
    databases: dict[str, Json] = field(default_factory=dict)
    data_sources: dict[str, Json] = field(default_factory=dict)
    long_properties: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    page_cap: int = 100
    limits: list[str] = field(default_factory=list)  # Retry-After of the next answers, each a 429
    failures: list[int] = field(default_factory=list)  # statuses of the next answers
    date: float | None = None  # what its clock says; default: the time
    requests: list[tuple[str, str, Json]] = field(default_factory=list)
    url: str = ""

    def database(self, name: str, *, sources: tuple[str, ...] = ()) -> str:
        """A database of one data source, or of those named; its id."""
        found: Json = {
            "object": "database", "id": uid(f"db:{name}"), "title": [text(name)],
            "data_sources": [{"id": uid(f"ds:{source}"), "name": source} for source in sources or (name,)],
        }  # fmt: skip
        self.databases[found["id"]] = found
        for source in found["data_sources"]:
            self.data_sources[source["id"]] = {
                "object": "data_source", "id": source["id"], "title": [text(source["name"])], "properties": {},
                "parent": {"type": "database_id", "database_id": found["id"]},
            }  # fmt: skip
        return str(found["id"])

    def page(
        self,
        title: str,
        *content: Json,
        edited: str,
        source: str | None = None,
        name: str | None = None,
        **more: Any,
    ) -> str:
        """A page (again, to edit it), in a data source or on its own; its id. `more`: keys of the object."""
        page_id = uid(f"page:{name or title}")
        properties = {
            "Name": {"id": "title", "type": "title", "title": [text(title)]},
            **more.pop("properties", {}),
        }
        parent = (
            {
                "type": "data_source_id",
                "data_source_id": uid(f"ds:{source}"),
                "database_id": uid(f"db:{source}"),
            }
            if source
            else {"type": "workspace", "workspace": True}
        )
        self.pages[page_id] = {
            "object": "page", "id": page_id, "created_time": "2026-11-01T09:00:00.000Z", "last_edited_time": edited,
            "archived": False, "in_trash": False, "parent": parent, "properties": properties, "icon": None,
            "url": f"https://www.notion.so/{page_id.replace('-', '')}", "public_url": None, **more,
        }  # fmt: skip
        self._keep(page_id, list(content))
        return page_id

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for _method, asked, _body in self.requests if re.fullmatch(path, asked))

    def _keep(self, parent: str, blocks: list[Json]) -> None:
        self.blocks[parent] = [{k: v for k, v in one.items() if k != "children"} for one in blocks]
        for one in blocks:
            if one["children"]:
                self._keep(one["id"], one["children"])

    # Answers

    def answer(self, method: str, path: str, query: Json, body: Json) -> tuple[int, Json]:
        """Status and body."""
        parts = path.strip("/").split("/")[1:]
        match [method, *parts]:
            case ["POST", "search"]:
                return self._list(
                    [p for p in self.pages.values() if not p["in_trash"]], body, body.get("sort")
                )
            case ["GET", "databases", found] if found in self.databases:
                return 200, self.databases[found]
            case ["GET", "data_sources", found] if found in self.data_sources:
                return 200, self.data_sources[found]
            case ["POST", "data_sources", found, "query"] if found in self.data_sources:
                rows = [p for p in self.pages.values() if p["parent"].get("data_source_id") == found]
                return self._query([p for p in rows if not p["in_trash"]], body)
            case ["GET", "pages", found] if found in self.pages:
                return 200, self.pages[found]
            case ["GET", "pages", found, "properties", prop] if (found, prop) in self.long_properties:
                return self._list(self.long_properties[found, prop], query)
            case ["GET", "blocks", found, "children"] if found in self.blocks:
                return self._list(self.blocks[found], query)
        words = f"Could not find what has the ID: {parts[-1]}. Make sure it is shared with your integration."
        return 404, {"object": "error", "status": 404, "code": "object_not_found", "message": words}

    def _query(self, rows: list[Json], body: Json) -> tuple[int, Json]:
        wanted = body.get("filter")
        if wanted is not None:
            since = wanted["last_edited_time"]["on_or_after"]
            rows = [row for row in rows if row["last_edited_time"] >= since]
        return self._list(rows, body, (body.get("sorts") or [None])[0])

    def _list(self, found: list[Json], asked: Json, sort: Json | None = None) -> tuple[int, Json]:
        if sort is not None:
            found = sorted(
                found, key=lambda one: one[sort["timestamp"]], reverse=sort["direction"] == "descending"
            )
        size, start = min(self.page_cap, int(asked.get("page_size", 100))), 0
        if asked.get("start_cursor"):
            start = int(str(asked["start_cursor"]).rpartition("-")[2])
        more = start + size < len(found)
        return 200, {
            "object": "list", "results": found[start : start + size], "has_more": more,
            "next_cursor": f"cursor-{start + size}" if more else None, "type": "page_or_data_source",
        }  # fmt: skip


def _handler(notion: NotionServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}") if length else {}
            split = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(split.query).items()}
            notion.requests.append((self.command, split.path, body or query))
            status, answer, headers = self._answer(split.path, query, body)
            data = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Date", formatdate(notion.date, usegmt=True))
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, path: str, query: Json, body: Json) -> tuple[int, Json, dict[str, str]]:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                return 401, _error(401, "unauthorized", "API token is invalid."), {}
            if self.headers["Notion-Version"] != "2025-09-03":
                return 400, _error(400, "missing_version", "Notion-Version header should be defined"), {}
            if notion.limits:
                return (
                    429,
                    _error(429, "rate_limited", "You have been rate limited."),
                    {"Retry-After": notion.limits.pop(0)},
                )
            if notion.failures:
                status = notion.failures.pop(0)
                return status, _error(status, "internal_server_error", "Unexpected error occurred."), {}
            return *notion.answer(self.command, path, query, body), {}

        do_GET = do_POST = _serve  # noqa: N815 # names of the library

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    return Handler


def _error(status: int, code: str, message: str) -> Json:
    return {"object": "error", "status": status, "code": code, "message": message, "request_id": "r"}


@contextmanager
def serving() -> Iterator[NotionServer]:
    """A Notion with nothing in it, at its `url`."""
    notion = NotionServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(notion))
    notion.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield notion
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

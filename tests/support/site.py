"""A web site on this machine: pages with validators, as servers answer them, and what goes wrong with servers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Page:
    """What a path answers. `etag`: whether it can be asked for conditionally; `modified`: with that date, too."""

    body: bytes
    type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: bool = True
    modified: str = ""

    @property
    def tag(self) -> str:
        """Changes with the body."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


@dataclass
class Asked:
    """One request that arrived; header names in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    answered: int = 0


class Site:
    """`pages` by path; `asked`: what came in. `drip`: a path that sends a byte now and then, and never ends."""

    def __init__(self) -> None:
        self.base = ""
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.hang: set[str] = set()
        self.drip: set[str] = set()
        self.released = threading.Event()

    def put(self, path: str, body: str | bytes, type_: str = "application/json", **more: Any) -> str:
        """Put a page there; its address."""
        self.pages[path] = Page(body.encode() if isinstance(body, str) else body, type_, **more)
        return self.base + path

    def last(self) -> Asked:
        """The latest request."""
        return self.asked[-1]


class _Handler(BaseHTTPRequestHandler):
    state: Site

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, body)
        self.state.asked.append(asked)
        if parts.path in self.state.hang:
            self.state.released.wait(60)
        elif parts.path in self.state.drip:
            self._drip()
        else:
            pages = self.state.pages
            page = pages.get(self.path) or pages.get(parts.path) or Page(b"no", "text/plain", 404)
            asked.answered = _status(page, headers)
            self._send(page, asked.answered)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.state.released.wait(0.02):
            self.wfile.write(b" ")
            self.wfile.flush()

    def _send(self, page: Page, status: int) -> None:
        content = b"" if status == 304 else page.body
        given = {
            "Content-Type": page.type,
            "ETag": page.tag if page.etag else "",
            "Last-Modified": page.modified,
        }
        given["Content-Length"] = "" if status == 304 else str(len(content))
        self.send_response(status)
        for name, value in {**given, **page.headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer  # noqa: N815 - the names that the base class calls

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def handle(self) -> None:
        """Clients that give up are what some tests are about."""
        try:
            super().handle()
        except OSError:
            return


def _status(page: Page, headers: dict[str, str]) -> int:
    if page.status != 200:
        return page.status
    if "if-none-match" in headers:
        return 304 if page.etag and headers["if-none-match"] == page.tag else 200
    return 304 if page.modified and headers.get("if-modified-since") == page.modified else 200


@contextmanager
def site() -> Iterator[Site]:
    """A running site."""
    state = Site()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    state.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()

"""Calendars as Google and Outlook export them, and what is known of one that has not changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rota.sources.calendar import pull
from rota.sources.ics_files import CACHE

EXPORTS = Path(__file__).parent / "exports"
NOW = "2026-11-23T06:30:00+00:00"


def agenda(workspace: Path, export: str, days: int, **config: Any) -> str:
    """The text, and nothing to note."""
    got = pull(
        {"calendar": str(EXPORTS / export), "days": days, **config}, str(workspace), NOW, "Europe/London"
    )
    assert got["note"] == ""
    return str(got["text"])


def test_googles_export(tmp_path: Path) -> None:
    assert agenda(tmp_path, "google.ics", 5) == (
        "## Mon 23 Nov\n\n"
        "- All day: Mum stays with us · until Tue 24 Nov\n"
        "- 16:00–16:30 Budget · tentative\n"
        "- 16:30–17:15 Client call · 11:30 New York · moved from 15:00\n\n"
        "## Tue 24 Nov\n\n- All day: Mum stays with us\n\n"
        "## Wed 25 Nov\n\nNothing on the calendar.\n\n"
        "## Thu 26 Nov\n\nNothing on the calendar.\n\n"
        "## Fri 27 Nov\n\nNothing on the calendar.\n"
    )


def test_outlooks_export(tmp_path: Path) -> None:
    assert agenda(tmp_path, "outlook.ics", 4, me="mara@example.org") == (
        "## Mon 23 Nov\n\n- 09:30–09:45 Stand-up (Microsoft Teams Meeting)\n\n"
        "## Tue 24 Nov\n\n"
        "- 10:30–10:45 Stand-up (Microsoft Teams Meeting) · moved from 09:30\n"
        "- 14:00–14:30 Review with Halden · 09:00 New York · tentative\n\n"
        "## Wed 25 Nov\n\n- All day: Annual leave\n- 09:30–09:45 Stand-up (Microsoft Teams Meeting)\n\n"
        "## Thu 26 Nov\n\nNothing on the calendar.\n"
    )


def test_what_the_reader_declined_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert "All hands" not in agenda(tmp_path, "google.ics", 1)
    assert "All hands" in agenda(tmp_path, "google.ics", 1, declined=True)
    assert "Board dinner" in agenda(tmp_path, "outlook.ics", 2)  # nobody said whose calendar that is
    assert "Board dinner" not in agenda(tmp_path, "outlook.ics", 2, me=["MARA@example.org"])


def test_what_another_declined_is_not_left_out(tmp_path: Path) -> None:
    assert "Budget" in agenda(tmp_path, "google.ics", 1, me=["leo@example.net"])


def items(workspace: Path, **config: Any) -> dict[str, dict[str, Any]]:
    got = pull({"calendar": "google.ics", **config}, str(workspace), NOW, "Europe/London")
    return {item["id"]: item for item in got["items"]}


def test_an_instance_keeps_its_id_when_it_moves_and_gets_another_version(tmp_path: Path) -> None:
    text = (EXPORTS / "google.ics").read_bytes()
    (tmp_path / "google.ics").write_bytes(text)
    before = items(tmp_path, days=9)
    moved = "4k2l9s0aq1b2c3d4e5f6g7h8i9@google.com/20261123T150000Z"
    assert {name.partition("@")[0] for name in before} == {
        "4k2l9s0aq1b2c3d4e5f6g7h8i9",
        "allday01",
        "somebodyelse01",
    }
    assert len(before) == 4  # the series has one on Monday and one the Monday after
    (tmp_path / "google.ics").write_bytes(text.replace(b"20261123T113000", b"20261123T103000"))
    after = items(tmp_path, days=9)
    assert after.keys() == before.keys()
    assert [name for name in after if after[name]["version"] != before[name]["version"]] == [moved]


def test_the_days_that_are_asked_for_do_not_change_a_version(tmp_path: Path) -> None:
    (tmp_path / "google.ics").write_bytes((EXPORTS / "google.ics").read_bytes())
    first, second = items(tmp_path), items(tmp_path, **{"from": "2026-11-24"})
    assert second["allday01@google.com"]["version"] == first["allday01@google.com"]["version"]


# --- unchanged -----------------------------------------------------------------------------------


def test_files_are_unchanged_until_a_byte_or_the_day_is_another(tmp_path: Path) -> None:
    (tmp_path / "calendar").mkdir()
    file = tmp_path / "calendar" / "google.ics"
    file.write_bytes((EXPORTS / "google.ics").read_bytes())

    def pulled(cursor: Any, now: str = NOW, **config: Any) -> dict[str, Any]:
        return pull(config, str(tmp_path), now, "Europe/London", cursor=cursor)

    first = pulled(None)
    assert first["unchanged"] is False
    again = pulled(first["cursor"])
    assert (again["unchanged"], again["items"], again["text"]) == (True, first["items"], first["text"])
    assert pulled(first["cursor"], "2026-11-24T06:30:00+00:00")["unchanged"] is False
    assert pulled(first["cursor"], days=2)["unchanged"] is False
    file.write_bytes(file.read_bytes().replace(b"Budget", b"Budgie"))
    assert pulled(first["cursor"])["unchanged"] is False


def test_a_calendar_that_cannot_be_read_is_not_unchanged(tmp_path: Path) -> None:
    config = {"calendar": [str(EXPORTS / "google.ics"), "missing.ics"]}
    first = pull(config, str(tmp_path), NOW, "UTC")
    assert pull(config, str(tmp_path), NOW, "UTC", cursor=first["cursor"])["unchanged"] is False


@dataclass
class Server:
    """A web server that answers 304 to whoever knows the present ETag or date; `sent`: how often it sent it all."""

    body: bytes
    headers: dict[str, str]
    url: str = ""
    sent: int = 0
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    here = Server((EXPORTS / "google.ics").read_bytes(), {"ETag": '"v1"'})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["If-None-Match"], self.headers["If-Modified-Since"]
            here.asked.append(asked)
            known = here.headers.get("ETag", ""), here.headers.get("Last-Modified", "")
            same = any(a and a == k for a, k in zip(asked, known, strict=True))
            self.send_response(304 if same else 200)
            for name, value in here.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0" if same else str(len(here.body)))
            self.end_headers()
            if not same:
                here.sent += 1
                self.wfile.write(here.body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    here.url = f"http://127.0.0.1:{httpd.server_address[1]}/private-s3cret/basic.ics"
    yield here
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".rota").mkdir()
    return tmp_path


def fetched(workspace: Path, server: Server, cursor: Any = None) -> dict[str, Any]:
    return pull({"calendar": server.url}, str(workspace), NOW, "Europe/London", cursor=cursor)


@pytest.mark.parametrize("headers", [{"ETag": '"v1"'}, {"Last-Modified": "Mon, 23 Nov 2026 05:00:00 GMT"}])
def test_an_address_is_asked_whether_it_has_changed(
    workspace: Path, server: Server, headers: dict[str, str]
) -> None:
    server.headers = headers
    first = fetched(workspace, server)
    again = fetched(workspace, server, first["cursor"])
    assert (server.sent, again["unchanged"], again["items"]) == (1, True, first["items"])
    assert len(again["items"]) == 3
    server.body = server.body.replace(b"Budget", b"Budgie")
    server.headers = {name: f"{value[:-1]}x{value[-1]}" for name, value in headers.items()}
    changed = fetched(workspace, server, first["cursor"])
    assert (server.sent, changed["unchanged"]) == (2, False)
    assert "Budgie" in changed["text"]


def test_another_consumer_gets_the_whole_agenda_from_what_is_kept(workspace: Path, server: Server) -> None:
    first = fetched(workspace, server)
    second = fetched(workspace, server)
    assert (server.sent, second["unchanged"], second["text"]) == (1, False, first["text"])


def test_what_is_kept_does_not_say_the_address_and_can_be_lost(workspace: Path, server: Server) -> None:
    fetched(workspace, server)
    (kept,) = (workspace / CACHE).iterdir()
    assert "s3cret" not in kept.name
    assert b"s3cret" not in kept.read_bytes()
    for damage in (b"", b"{}\nBEGIN:VCALENDAR", kept.read_bytes()[:-20]):
        kept.write_bytes(damage)
        assert len(fetched(workspace, server)["items"]) == 3
    assert server.sent == 4


def test_a_server_without_marks_is_asked_for_everything_and_told_apart_by_content(
    workspace: Path, server: Server
) -> None:
    server.headers = {}
    first = fetched(workspace, server)
    again = fetched(workspace, server, first["cursor"])
    assert (server.sent, again["unchanged"]) == (2, True)
    assert not (workspace / CACHE).exists()

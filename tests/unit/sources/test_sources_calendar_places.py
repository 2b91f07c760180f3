"""Where the calendar source reads from: files, folders and addresses, and what it says when it cannot."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rota.model.errors import StepError
from rota.sources import ics_files, registry
from rota.sources.calendar import CalendarParams, pull

ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{0}\r\nSUMMARY:{0}\r\nDTSTART:20261123T0{1}0000Z\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
NOW = "2026-11-23T06:30:00+00:00"


def titles(workspace: Path, *calendars: str, **config: Any) -> list[str]:
    got = pull({**({"calendar": list(calendars)} if calendars else {}), **config}, str(workspace), NOW, "UTC")
    assert got["note"] == ""
    return [item["title"] for item in got["items"]]


def failure(workspace: Path, *calendars: str) -> StepError:
    with pytest.raises(StepError) as caught:
        titles(workspace, *calendars)
    assert "\n" not in caught.value.message
    return caught.value


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "calendar").mkdir()
    (tmp_path / "calendar" / "b.ics").write_text(ICS.format("two", 9))
    (tmp_path / "calendar" / "A.ICS").write_text(ICS.format("one", 8))
    (tmp_path / "calendar" / "notes.txt").write_text("no calendar")
    (tmp_path / "else.ics").write_text(ICS.format("three", 7))
    return tmp_path


def test_the_calendar_folder_is_what_is_read_by_default(workspace: Path) -> None:
    assert titles(workspace) == ["one", "two"]


def test_a_file_a_folder_and_a_path_outside_the_workspace(workspace: Path) -> None:
    assert titles(workspace, "else.ics") == ["three"]
    assert titles(workspace, "calendar") == ["one", "two"]
    assert titles(workspace / "calendar", str(workspace / "else.ics"), "b.ics") == ["three", "two"]
    assert pull({"calendar": "else.ics"}, str(workspace), NOW, "UTC")["items"][0]["title"] == "three"


def test_a_workspace_without_calendars_has_an_empty_day_and_a_note(tmp_path: Path) -> None:
    got = pull({}, str(tmp_path), NOW, "UTC")
    assert (got["items"], got["text"]) == ([], "Nothing on the calendar.\n")
    assert got["note"] == "no .ics file in calendar/"


def test_a_file_that_is_missing_too_large_or_something_else(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = failure(workspace, "calendar/nothing.ics")
    assert (missing.message, missing.permanent) == ("there is no calendar at calendar/nothing.ics", True)
    other = failure(workspace, "calendar/notes.txt")
    assert (other.message, other.permanent) == ("calendar/notes.txt is not an iCalendar file", True)
    monkeypatch.setattr(ics_files, "MAX_BYTES", 100)
    assert failure(workspace, "else.ics").permanent


def test_one_calendar_of_several_that_cannot_be_read_is_named_in_the_agenda(workspace: Path) -> None:
    got = pull({"calendar": ["else.ics", "gone.ics"]}, str(workspace), NOW, "UTC")
    assert got["text"] == "- 07:00 three\n\n**Not read: there is no calendar at gone.ics**\n"
    assert got["note"] == "Not read: there is no calendar at gone.ics"


# --- days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "day"),
    [
        ({}, "2026-11-23"),
        ({"from": "tomorrow"}, "2026-11-24"),
        ({"from": "yesterday"}, "2026-11-22"),
        ({"from": "2026-12-24"}, "2026-12-24"),
        ({"from": "tomorrow", "days": 5, "today": True}, "2026-11-23"),
        ({"timezone": "Pacific/Kiritimati"}, "2026-11-24"),  # where the next day has begun
        ({"timezone": "Pacific/Pago_Pago"}, "2026-11-22"),
    ],
)
def test_the_day_that_is_asked_for(tmp_path: Path, config: dict[str, Any], day: str) -> None:
    days = [*(f"202611{d}" for d in range(20, 31)), "20261224"]
    events = [f"BEGIN:VEVENT\nUID:{d}\nDTSTART;VALUE=DATE:{d}\nEND:VEVENT" for d in days]
    (tmp_path / "a.ics").write_text("\n".join(["BEGIN:VCALENDAR", *events, "END:VCALENDAR"]))
    now = "2026-11-23T10:30:00+00:00"
    got = pull({"calendar": "a.ics", "pull": "calendar", **config}, str(tmp_path), now, "Europe/London")
    assert [item["start"] for item in got["items"]] == [day]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"days": 0}, "`days`"),
        ({"day": 3}, "`day`"),
        ({"from": "someday"}, "`from"),
        ({"calendar": ""}, "`calendar.0`"),
        ({"timezone": "Europe/Londno"}, "Europe/Londno"),
    ],
)
def test_keys_that_cannot_be_meant(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    with pytest.raises(StepError) as caught:
        pull(config, str(tmp_path), NOW, "UTC")
    assert said in caught.value.message
    assert caught.value.permanent
    assert caught.value.hint


def test_every_key_says_what_it_is_for() -> None:
    assert all(field.description for field in CalendarParams.model_fields.values())
    with pytest.raises(ValidationError):
        CalendarParams.model_validate({"dayz": 1})


# --- addresses -----------------------------------------------------------------------------------

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A calendar server on loopback; `answers` by path."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.stop = threading.Event()
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers[self.path](self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name upstream
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.stop.set()
        self.http.shutdown()
        self.http.server_close()

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.http.server_port}{path}"

    def says(self, path: str, status: int = 200, body: bytes = b"", **headers: str) -> str:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            request.end_headers()
            with suppress(OSError):  # the client may have read enough
                request.wfile.write(body)

        self.answers[path] = answer
        return self.url(path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    running = Server()
    yield running
    running.close()


def test_a_calendar_behind_an_address(server: Server, tmp_path: Path) -> None:
    url = server.says("/work.ics", body=ICS.format("far", 9).encode())
    assert titles(tmp_path, url) == ["far"]
    assert titles(tmp_path, server.url("/work.ics", "webcal")) == ["far"]
    assert titles(tmp_path, server.says("/moved.ics", 302, location=url)) == ["far"]
    packed = gzip.compress(ICS.format("packed", 9).encode())
    assert titles(tmp_path, server.says("/z.ics", body=packed, content_encoding="gzip")) == ["packed"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_an_address_that_is_wrong_is_not_tried_again(server: Server, tmp_path: Path, status: int) -> None:
    error = failure(tmp_path, server.says("/private-token/x.ics", status))
    assert error.permanent
    assert f"127.0.0.1 answered {status}" in error.message
    assert "private-token" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_server_in_trouble_is_tried_again(server: Server, tmp_path: Path, status: int) -> None:
    error = failure(tmp_path, server.says("/x.ics", status, retry_after="120"))
    assert not error.permanent
    assert error.retry_after == 120


def test_a_server_that_is_not_there_is_tried_again(server: Server, tmp_path: Path) -> None:
    gone = Server()
    url = gone.url("/x.ics")
    gone.close()
    assert not failure(tmp_path, url).permanent


def test_a_web_page_instead_of_a_calendar(server: Server, tmp_path: Path) -> None:
    error = failure(tmp_path, server.says("/x", body=b"<!doctype html><html>Sign in</html>"))
    assert error.permanent
    assert error.hint is not None
    assert "iCal address" in error.hint


def test_redirects_without_end(server: Server, tmp_path: Path) -> None:
    assert failure(tmp_path, server.says("/a", 302, location="/a")).permanent


def test_a_server_that_hangs(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(request: BaseHTTPRequestHandler) -> None:
        server.stop.wait(30)

    monkeypatch.setattr(ics_files, "SILENCE_SECONDS", 0.2)
    server.answers["/x.ics"] = hang
    error = failure(tmp_path, server.url("/x.ics"))
    assert not error.permanent
    assert error.message == "127.0.0.1 took too long to answer"


def test_a_server_that_never_comes_to_an_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(OSError):  # the client leaves, as it should
            while not server.stop.wait(0.02):
                request.wfile.write(b"X-LINE:1\r\n")

    monkeypatch.setattr(ics_files, "TOTAL_SECONDS", 0.3)
    server.answers["/x.ics"] = drip
    assert not failure(tmp_path, server.url("/x.ics")).permanent


def test_a_body_without_measure_also_when_it_is_packed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ics_files, "MAX_BYTES", 2_000_000)
    body = ICS.format("x", 9).encode() + b" " * 3_000_000
    plain = failure(tmp_path, server.says("/x.ics", body=body))
    packed = failure(tmp_path, server.says("/z.ics", body=gzip.compress(body), content_encoding="gzip"))
    assert plain.permanent
    assert packed.permanent
    assert plain.message == packed.message == "127.0.0.1 is larger than 2 MB"


def test_an_address_that_is_none(tmp_path: Path) -> None:
    assert failure(tmp_path, "https://[nowhere/x.ics").permanent
    assert failure(tmp_path, "http://").permanent


# --- the registry --------------------------------------------------------------------------------


def test_the_calendar_is_a_kind_of_source_with_a_function_to_call() -> None:
    import importlib

    kind = registry.SOURCES["calendar"]
    module, _, function = kind.target.partition(":")
    assert kind.params is CalendarParams
    assert getattr(importlib.import_module(module), function) is pull


def test_a_broken_package_takes_no_other_source_down(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("calendar", "rota.sources.calendar:Calendar", "rota.sources"),
        EntryPoint("lost", "no_such_package:Source", "rota.sources"),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: points)
    found, problems = registry.load_entry_points()
    assert found == {}
    assert len(problems) == 2

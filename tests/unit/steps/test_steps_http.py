from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from rota.model.config import Limits
from rota.model.errors import RotaError, StepError
from rota.model.instants import SECOND, from_micros

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench

NOW = 1_795_000_000_000_000


class Handler(BaseHTTPRequestHandler):
    """Answers with what it saw; `?status=`, `?header=Name:value`, `?size=`, `?to=` change the answer."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the library's name
        pass

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        length = int(self.headers.get("content-length", 0))
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        body = b"x" * int(query["size"][0]) if "size" in query else json.dumps(seen).encode()
        self.send_response(int(query.get("status", ["200"])[0]))
        for header in query.get("header", []):
            self.send_header(*header.split(":", 1))
        if "to" in query or self.path.startswith("/loop"):
            self.send_header("location", query.get("to", [self.path])[0])
        self.send_header("content-length", str(len(body)))
        self.send_header("set-cookie", "session=abc")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET  # noqa: N815 # as above


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_gives_text_status_headers_and_json(bench: Bench, site: str) -> None:
    result = bench.done({"http": f"{site}/a?x=1", "query": {"q": "{{ payload.q }}", "many": ["a", "b"]}},
                        values={"payload": {"q": "a&b=c #d"}})  # fmt: skip
    seen = result.values["json"]
    assert json.loads(result.output) == seen
    assert parse_qs(urlsplit(seen["path"]).query) == {"x": ["1"], "q": ["a&b=c #d"], "many": ["a", "b"]}
    assert seen["method"] == "GET"
    assert seen["headers"]["user-agent"] == "rota"
    assert result.values["status"] == 200
    assert "set-cookie" not in result.values["headers"]


def test_a_body_is_posted(bench: Bench, site: str) -> None:
    seen = bench.done(
        {"http": site, "json": {"title": "{{ payload.t }}"}}, values={"payload": {"t": '"; {{7*7}}'}}
    ).values["json"]
    assert (seen["method"], json.loads(seen["body"])) == ("POST", {"title": '"; {{7*7}}'})
    assert seen["headers"]["content-type"] == "application/json"
    seen = bench.done({"http": site, "method": "put", "body": "é", "headers": {"X-N": 5}}).values["json"]
    assert (seen["method"], seen["body"], seen["headers"]["x-n"]) == ("PUT", "é", "5")


def test_only_secrets_that_the_job_names_are_filled_in(bench: Bench, site: str) -> None:
    bench.secrets.stored = {"TOKEN": "s3cret"}
    bench.secrets.environment = {"PLACE": "here"}
    seen = bench.done(
        {
            "http": f"{site}/${{PLACE}}",
            "headers": {"Authorization": "Bearer ${TOKEN}"},
            "json": ["{{ payload.x }}"],
        },
        values={"payload": {"x": "${TOKEN}"}},
    ).values["json"]
    assert seen["path"] == "/here"
    assert seen["headers"]["authorization"] == "Bearer s3cret"
    assert json.loads(seen["body"]) == ["${TOKEN}"]
    with pytest.raises(RotaError, match="NOPE"):
        bench.run({"http": site, "headers": {"a": "${NOPE}"}})


@pytest.mark.parametrize(("status", "retry"), [(500, True), (503, True), (408, True), (425, True), (429, True),
                                               (400, False), (401, False), (404, False)])  # fmt: skip
def test_a_status_decides_whether_to_try_again(bench: Bench, site: str, status: int, retry: bool) -> None:
    result = bench.failed({"http": f"{site}/x", "query": {"status": status}})
    assert result.reason.code == "http_status"
    assert result.reason.text.startswith(f"{status} ")
    assert result.retry is retry
    assert result.values["status"] == status


def test_expect_names_other_codes(bench: Bench, site: str) -> None:
    assert bench.done({"http": f"{site}?status=404", "expect": ["2xx", 404]}).values["status"] == 404
    assert bench.done({"http": f"{site}?status=404", "expect": "4xx"}).values["status"] == 404
    assert bench.failed({"http": site, "expect": 201}).retry is True
    for bad in ("200-299", 7, "6xx", None):
        with pytest.raises(ValidationError):
            bench.run({"http": site, "expect": bad})


def test_retry_after_is_honoured_as_seconds_and_as_a_date(bench: Bench, site: str) -> None:
    later = format_datetime(from_micros(NOW + 90 * SECOND), usegmt=True)
    for header, seconds in (("7", 7.0), (later, 90.0), ("soon", None)):
        result = bench.failed({"http": site, "query": {"status": 429, "header": f"Retry-After:{header}"}})
        assert result.retry_after == seconds


def test_redirects_are_followed_and_credentials_stay_with_their_server(bench: Bench, site: str) -> None:
    headers = {"X-Api-Key": "k", "Authorization": "a", "Accept": "text/plain"}
    same = bench.done({"http": f"{site}/?status=302&to=/there", "headers": headers}).values["json"]
    assert (same["path"], same["headers"]["x-api-key"]) == ("/there", "k")
    other = site.replace("127.0.0.1", "localhost")
    seen = bench.done({"http": f"{site}/?status=302&to={other}/there", "headers": headers}).values["json"][
        "headers"
    ]
    assert "x-api-key" not in seen
    assert "authorization" not in seen
    assert seen["accept"] == "text/plain"
    assert bench.failed({"http": f"{site}/?status=302&to=file:///etc/passwd"}).retry is False


def test_endless_redirects_end(bench: Bench, site: str) -> None:
    result = bench.failed({"http": f"{site}/loop?status=302"})
    assert "more than 10 redirects" in result.reason.text
    assert result.retry is False


def test_no_connection_can_be_tried_again_and_shows_no_secret(bench: Bench) -> None:
    bench.secrets.stored = {"TOKEN": "s3cret"}
    result = bench.failed({"http": "http://127.0.0.1:1/${TOKEN}"})
    assert result.reason.code == "connection"
    assert result.retry is True
    assert "s3cret" not in result.reason.text
    assert "http://127.0.0.1:1/${TOKEN}" in result.reason.text


def test_an_answer_beyond_the_cap_is_a_failure_not_a_part(bench: Bench, site: str) -> None:
    bench.settings(limits=replace(Limits(), value=1000))
    result = bench.failed({"http": f"{site}?size=1001"})
    assert (result.reason.code, result.retry) == ("too_long", False)
    assert len(bench.done({"http": f"{site}?size=1000"}).output) == 1000


@pytest.mark.parametrize(
    "address", ["ftp://example.com/x", "file:///etc/passwd", "example.com", "http://", "http://[x"]
)
def test_only_http_addresses_are_taken(bench: Bench, address: str) -> None:
    with pytest.raises(StepError, match="is not an address") as caught:
        bench.run({"http": address})
    assert caught.value.permanent
    assert not bench.hosts.calls


@pytest.mark.parametrize("header", ["a\r\nX-Evil: 1", "☃", "a\0"])
def test_a_value_cannot_add_a_header(bench: Bench, site: str, header: str) -> None:
    result = bench.failed(
        {"http": site, "headers": {"X-A": "{{ payload.h }}"}}, values={"payload": {"h": header}}
    )
    assert (result.reason.code, result.retry) == ("bad_request", False)


def test_one_body(bench: Bench, site: str) -> None:
    with pytest.raises(ValidationError, match="either `json` or `body`"):
        bench.run({"http": site, "json": 1, "body": "x"})

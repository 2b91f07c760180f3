"""The http source: lists in JSON, pages by their content, and servers that misbehave."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from tests.support.site import Site, site

from rota.model.errors import StepError
from rota.sources import http

SECRET = "s3cret-c4nary"


@pytest.fixture
def server() -> Iterator[Site]:
    with site() as running:
        yield running


def pull(workspace: Path, cursor: Any = None, **config: Any) -> dict[str, Any]:
    return http.pull(config, str(workspace), cursor, "api")


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["id"] for one in answer["items"]]


def test_elements_of_a_list_are_items(server: Site, tmp_path: Path) -> None:
    issue = {"number": 7, "title": "Crash", "updated_at": "2026-11-23", "html_url": "https://h/7"}
    url = server.put("/issues", json.dumps({"data": {"issues": [issue]}}))
    answer = pull(tmp_path, url=url, items="$.data.issues", item_id="number", item_version="updated_at")
    (one,) = answer["items"]
    assert one == {
        "id": "7",
        "version": "2026-11-23",
        "title": "Crash",
        "url": "https://h/7",
        "data": issue,
        "change": "new",
    }
    assert answer["text"] == "- [Crash](<https://h/7>)\n"
    assert answer["files"] == []


@pytest.mark.parametrize("path", ["$", "$[*]", "$[?@.id > 0]"])
def test_a_path_finds_a_list_or_values(server: Site, tmp_path: Path, path: str) -> None:
    url = server.put("/list", '[{"id": 1}, {"id": 2}]')
    assert ids(pull(tmp_path, url=url, items=path)) == ["1", "2"]


def test_only_what_is_new_or_changed_comes_again(server: Site, tmp_path: Path) -> None:
    url = server.put("/list", '[{"id": 1, "n": 1}, {"id": 2, "n": 1}]')
    first = pull(tmp_path, url=url, items="$")
    server.put("/list", '[{"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 3}]')
    second = pull(tmp_path, first["cursor"], url=url, items="$")
    assert [(one["id"], one["change"]) for one in second["items"]] == [("2", "changed"), ("3", "new")]
    everything = pull(tmp_path, second["cursor"], url=url, items="$", all=True)
    assert (ids(everything), everything["unchanged"]) == (["1", "2", "3"], True)
    assert server.last().answered == 200, "with `all` nothing is asked for conditionally"


def test_an_empty_list_is_nothing_new(server: Site, tmp_path: Path) -> None:
    answer = pull(tmp_path, url=server.put("/list", '{"data": []}'), items="$.data")
    assert (answer["items"], answer["unchanged"]) == ([], True)


def test_pages_by_link_header(server: Site, tmp_path: Path) -> None:
    url = server.put("/list", '[{"id": 1}]', headers={"Link": '</list?page=2>; rel="next"'})
    server.put("/list?page=2", '[{"id": 2}]', headers={"Link": '</list?page=1>; rel="prev"'})
    answer = pull(tmp_path, url=url, items="$", headers={"X-Token": SECRET})
    assert ids(answer) == ["1", "2"]
    assert server.last().headers["x-token"] == SECRET
    assert "etag" not in answer["cursor"], "the first page's tag says nothing of the second"


def test_pages_by_a_token(server: Site, tmp_path: Path) -> None:
    url = server.put("/list?q=x", '{"data": [{"id": 1}], "meta": {"next": "abc"}}')
    server.put("/list?q=x&cursor=abc", '{"data": [{"id": 2}], "meta": {"next": null}}')
    keys = {"items": "$.data", "next": "$.meta.next", "next_query": "cursor"}
    assert ids(pull(tmp_path, url=url, **keys)) == ["1", "2"]


def test_pages_by_an_address_in_the_answer(server: Site, tmp_path: Path) -> None:
    url = server.put("/list", '{"data": [{"id": 1}], "next": "/list?page=2"}')
    server.put("/list?page=2", '{"data": [{"id": 2}]}')
    assert ids(pull(tmp_path, url=url, items="$.data", next="next")) == ["1", "2"]


def test_pages_end_somewhere(server: Site, tmp_path: Path) -> None:
    url = server.put("/list", '{"data": [{"id": 1}], "next": "/more"}')
    server.put("/more", '{"data": [{"id": 2}], "next": "/list"}')
    answer = pull(tmp_path, url=url, items="$.data", next="next")
    assert "circle" in answer["note"]
    bounded = pull(tmp_path, url=url, items="$.data", next="next", pages=1)
    assert (ids(bounded), "more than 1 pages" in bounded["note"]) == (["1"], True)
    few = pull(tmp_path, url=url, items="$.data", next="next", most=1)
    assert (ids(few), "more than 1 items" in few["note"]) == (["1"], True)


def test_credentials_do_not_follow_a_page_to_another_server(server: Site, tmp_path: Path) -> None:
    with site() as other:
        page = other.put("/list", "[]")
        url = server.put("/list", json.dumps({"data": [{"id": 1}], "next": page}))
        with pytest.raises(StepError, match="another server"):
            pull(tmp_path, url=url, items="$.data", next="next", headers={"X-Token": SECRET})
        assert other.asked == []


def test_credentials_do_not_follow_a_redirect_to_another_server(server: Site, tmp_path: Path) -> None:
    with site() as other:
        target = other.put("/list", '[{"id": 1}]')
        url = server.put("/list", "", status=302, headers={"Location": target})
        assert ids(pull(tmp_path, url=url, items="$", headers={"X-Token": SECRET})) == ["1"]
        assert "x-token" not in other.last().headers


def test_redirects_end_somewhere(server: Site, tmp_path: Path) -> None:
    url = server.put("/a", "", status=302, headers={"Location": "/a"})
    with pytest.raises(StepError, match="redirects more than 10 times") as failure:
        pull(tmp_path, url=url)
    assert failure.value.permanent


def test_a_body_makes_a_post(server: Site, tmp_path: Path) -> None:
    url = server.put("/query", '{"rows": [{"id": 1}]}')
    pull(tmp_path, url=url, items="$.rows", json={"filter": "open"}, query={"a": ["1", "2"], "b": "x y"})
    asked = server.last()
    assert (asked.method, json.loads(asked.body)) == ("POST", {"filter": "open"})
    assert asked.query == {"a": ["1", "2"], "b": ["x y"]}


def test_a_page_counts_by_its_text(server: Site, tmp_path: Path) -> None:
    page = "<html><head><title>Prices</title><script>{}</script></head><body><h1>Now</h1><p>9 <b>€</b></p></body></html>"
    url = server.put("/prices", page, "text/html; charset=utf-8", etag=False)
    first = pull(tmp_path, url=url)
    (one,) = first["items"]
    assert (one["id"], one["title"], one["text"]) == ("page", "Prices", "# Now\n\n9 **€**")
    server.put("/prices", page.replace("{}", "{seen: 1}"), "text/html; charset=utf-8", etag=False)
    assert pull(tmp_path, first["cursor"], url=url)["unchanged"] is True, "scripts are no text"
    server.put("/prices", page.replace("9", "8"), "text/html; charset=utf-8", etag=False)
    (changed,) = pull(tmp_path, first["cursor"], url=url)["items"]
    assert (changed["change"], changed["text"]) == ("changed", "# Now\n\n8 **€**")


def test_a_part_of_a_page_counts(server: Site, tmp_path: Path) -> None:
    page = "<html><body><div class=ad>{}</div><main><p>one</p></main><main>two</main></body></html>"
    url = server.put("/", page, "text/html", etag=False)
    first = pull(tmp_path, url=url, select="main", **{"as": "text"})
    assert first["items"][0]["text"] == "one\ntwo"
    server.put("/", page.replace("{}", "buy"), "text/html", etag=False)
    assert pull(tmp_path, first["cursor"], url=url, select="main", **{"as": "text"})["unchanged"] is True
    with pytest.raises(StepError, match=r"nothing that `select: \.none` finds"):
        pull(tmp_path, url=url, select=".none")


def test_a_whole_answer_in_json_counts_by_its_value(server: Site, tmp_path: Path) -> None:
    url = server.put("/weather", '{"temp": 7, "wind": 2}', etag=False)
    first = pull(tmp_path, url=url)
    assert first["items"][0]["data"] == {"temp": 7, "wind": 2}
    server.put("/weather", '{"wind": 2,\n "temp": 7}', etag=False)
    assert pull(tmp_path, first["cursor"], url=url)["unchanged"] is True


def test_text_in_another_charset(server: Site, tmp_path: Path) -> None:
    url = server.put("/t", "grüß".encode("latin-1"), "text/plain; charset=iso-8859-1")
    assert pull(tmp_path, url=url)["items"][0]["text"] == "grüß"


def test_notes_are_written_where_it_is_said(server: Site, tmp_path: Path) -> None:
    url = server.put("/list", '[{"id": 1, "title": "One", "body": "<p>Hi</p>"}, {"id": 2, "title": "Two"}]')
    answer = pull(tmp_path, url=url, items="$", into="notes/api")
    one, two = sorted(answer["files"])
    assert (tmp_path / one).read_text().endswith("source_id: '1'\n---\n\nHi\n")
    assert '"title": "Two"' in (tmp_path / two).read_text()
    page = server.put("/page", "<h1>Hi</h1>", "text/html")
    (path,) = pull(tmp_path, url=page, into="notes")["files"]
    assert (tmp_path / path).read_text().endswith("# Hi\n")


def test_what_is_asked_for_and_is_not_there_is_said(server: Site, tmp_path: Path) -> None:
    url = server.put("/list", '{"results": []}')
    with pytest.raises(StepError, match=r"nothing at `\$\.data`; its keys are results"):
        pull(tmp_path, url=url, items="$.data")
    with pytest.raises(StepError, match="is not JSON but text/html"):
        pull(tmp_path, url=server.put("/p", "<html>", "text/html"), items="$")


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (401, True), (404, True), (410, True), (408, False), (429, False), (503, False)],
)
def test_the_status_decides_whether_it_is_tried_again(
    server: Site, tmp_path: Path, status: int, permanent: bool
) -> None:
    server.put("/x", f'{{"error": "no {SECRET}"}}', status=status)
    with pytest.raises(StepError, match=f"127.0.0.1 answered {status}") as failure:
        pull(tmp_path, url=f"{server.base}/x?key={SECRET}")
    assert failure.value.permanent is permanent
    assert failure.value.code == "http_status"
    assert SECRET not in f"{failure.value} {failure.value.hint}"
    assert "***" in str(failure.value)


def test_the_wait_that_is_asked_for_is_passed_on(server: Site, tmp_path: Path) -> None:
    url = server.put("/x", "", status=429, headers={"Retry-After": "17"})
    with pytest.raises(StepError) as failure:
        pull(tmp_path, url=url)
    assert failure.value.retry_after == 17
    server.put("/x", "", status=503, headers={"Retry-After": formatdate(time.time() + 1000, usegmt=True)})
    with pytest.raises(StepError) as failure:
        pull(tmp_path, url=url)
    assert failure.value.retry_after == pytest.approx(1000, abs=300)


@pytest.mark.parametrize("trouble", ["hang", "drip"])
def test_a_server_that_never_ends_is_given_up(server: Site, tmp_path: Path, trouble: str) -> None:
    url = server.put("/slow", "[]")
    getattr(server, trouble).add("/slow")
    with pytest.raises(StepError, match=r"within 0\.4 s") as failure:
        pull(tmp_path, url=url, give_up_after=0.4)
    assert (failure.value.permanent, failure.value.code) == (False, "timeout")


def test_a_refused_connection_may_work_later(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="could not be reached") as failure:
        pull(tmp_path, url=f"http://127.0.0.1:1/{SECRET}")
    assert (failure.value.permanent, failure.value.code) == (False, "connection")
    assert SECRET not in str(failure.value)


def test_an_answer_that_unpacks_to_too_much_is_refused(server: Site, tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 60_000_000)
    url = server.put("/bomb", bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(StepError, match="larger than 20 MB") as failure:
        pull(tmp_path, url=url)
    assert failure.value.permanent


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"url": "ftp://h/x"}, "https://host/path"),
        ({"url": "h/x"}, "https://host/path"),
        ({"url": "http://h/", "items": "$["}, "is not a JSONPath"),
        ({"url": "http://h/", "select": "a["}, "is not a CSS selector"),
        ({"url": "http://h/", "json": {}, "body": "x"}, "either `json` or `body`"),
        ({"url": "http://h/", "item_id": "x"}, "`item_id` needs `items`"),
        ({"url": "http://h/", "items": "$", "select": "a"}, "give one of them"),
        ({"url": "http://h/", "items": "$", "next_query": "c"}, "`next_query` needs `next`"),
    ],
)
def test_bad_keys_are_permanent(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    with pytest.raises(StepError) as failure:
        pull(tmp_path, **config)
    assert words in str(failure.value)
    assert failure.value.permanent
    assert SECRET not in str(failure.value)


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Evil: 1", f"{SECRET} ü"])
def test_a_header_that_cannot_be_sent_is_permanent(server: Site, tmp_path: Path, value: str) -> None:
    url = server.put("/x", "{}")
    with pytest.raises(StepError, match="cannot be made") as failure:
        pull(tmp_path, url=url, headers={"X-Token": value})
    assert failure.value.permanent
    assert SECRET not in str(failure.value)
    assert server.asked == []

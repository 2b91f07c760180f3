"""The rss source: every dialect of feeds, what is new in them, and feeds that are broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.site import Site, site

from rota.model.errors import StepError
from rota.sources import rss

DATE = "Mon, 23 Nov 2026 09:30:00 +0100"
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><id>urn:x</id>
<entry><title type="html">A &amp;lt;b&amp;gt; B</title><id>urn:1</id><link href="/a"/><author><name>Dana</name></author>
<updated>2026-11-23T09:30:00Z</updated><category term="rota"/>
<content type="html">&lt;h2&gt;Hi&lt;/h2&gt;&lt;p&gt;See &lt;a href="/x"&gt;this&lt;/a&gt;.&lt;script&gt;alert(1)&lt;/script&gt;</content>
</entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>News</title></channel>
<item rdf:about="http://h/1"><title>One</title><link>http://h/1</link><dc:creator>Dana</dc:creator></item></rdf:RDF>"""
OLD = '<rss version="0.91"><channel><title>News</title><item><title>One</title><link>http://h/1</link></item></channel></rss>'
JSON = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "News",
    "items": [
        {
            "id": 7,
            "url": "/one",
            "title": "One",
            "content_html": "<p>Hi <em>you</em></p>",
            "date_published": "2026-11-23T09:30:00+01:00",
            "authors": [{"name": "Dana"}],
            "tags": ["rota"],
            "attachments": [{"url": "http://h/a.mp3"}],
        }
    ],
}


@pytest.fixture
def server() -> Iterator[Site]:
    with site() as running:
        yield running


def feed(*items: str, title: str = "News") -> str:
    return f'<rss version="2.0"><channel><title>{title}</title>{"".join(items)}</channel></rss>'


def item(name: str, body: str = "", date: str = "", guid: str | None = "") -> str:
    parts = [f"<title>{name}</title>", f"<description>{body}</description>"]
    parts += [f"<guid isPermaLink='false'>{guid or name}</guid>"] if guid is not None else []
    parts += [f"<pubDate>{date}</pubDate>"] if date else []
    return f"<item>{''.join(parts)}</item>"


def pull(workspace: Path, cursor: Any = None, **config: Any) -> dict[str, Any]:
    return rss.pull(config, str(workspace), cursor, "news")


def titles(answer: dict[str, Any]) -> list[str]:
    return [one["title"] for one in answer["items"]]


def test_rss_2_with_html_in_its_items(server: Site, tmp_path: Path) -> None:
    body = "&lt;p&gt;Hi &lt;b&gt;you&lt;/b&gt;&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;"
    url = server.put("/feed", feed(item("One", body, DATE)), "application/rss+xml")
    (one,) = pull(tmp_path, url=url)["items"]
    assert (one["id"], one["title"], one["feed"], one["change"]) == ("One", "One", "News", "new")
    assert one["text"] == "Hi **you**"
    assert one["published"] == "2026-11-23T08:30:00+00:00"


def test_atom(server: Site, tmp_path: Path) -> None:
    (one,) = pull(tmp_path, url=server.put("/feed", ATOM, "application/atom+xml"))["items"]
    assert (one["id"], one["url"], one["author"]) == ("urn:1", f"{server.base}/a", "Dana")
    assert one["tags"] == ["rota"]
    assert one["text"].startswith("## Hi\n\nSee [this]")
    assert "alert" not in one["text"]


@pytest.mark.parametrize("text", [RDF, OLD], ids=["RSS 1.0", "RSS 0.91"])
def test_old_dialects(server: Site, tmp_path: Path, text: str) -> None:
    (one,) = pull(tmp_path, url=server.put("/feed", text, "text/xml"))["items"]
    assert (one["id"], one["title"], one["url"]) == ("http://h/1", "One", "http://h/1")


def test_json_feed(server: Site, tmp_path: Path) -> None:
    (one,) = pull(tmp_path, url=server.put("/feed", json.dumps(JSON), "application/feed+json"))["items"]
    assert (one["id"], one["title"], one["url"]) == ("7", "One", f"{server.base}/one")
    assert (one["text"], one["author"], one["tags"]) == ("Hi *you*", "Dana", ["rota"])
    assert (one["published"], one["enclosures"]) == ("2026-11-23T08:30:00+00:00", ["http://h/a.mp3"])


def test_an_entry_is_known_by_guid_then_link_then_content(server: Site, tmp_path: Path) -> None:
    link = "<item><title>B</title><link>http://h/b</link></item>"
    url = server.put("/feed", feed(item("A", guid="g-1"), link, item("C", guid=None)), "text/xml")
    first = pull(tmp_path, url=url)
    assert [one["id"] for one in first["items"]][:2] == ["g-1", "http://h/b"]
    server.put("/feed", feed(item("A, corrected", guid="g-1"), link, item("C", guid=None)), "text/xml")
    (changed,) = pull(tmp_path, first["cursor"], url=url)["items"]
    assert (changed["id"], changed["change"]) == ("g-1", "changed")


def test_an_unchanged_feed_costs_one_conditional_request(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", feed(item("One")), "text/xml", modified=DATE)
    first = pull(tmp_path, url=url)
    again = pull(tmp_path, first["cursor"], url=url)
    assert [asked.answered for asked in server.asked] == [200, 304]
    assert server.last().headers["if-modified-since"] == DATE
    assert (again["unchanged"], again["cursor"]) == (True, first["cursor"])


def test_a_server_without_validators_is_compared_by_content(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", feed(item("One")), "text/xml", etag=False)
    first = pull(tmp_path, url=url)
    assert pull(tmp_path, first["cursor"], url=url)["unchanged"] is True


def test_notes_are_written_per_feed(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", ATOM, "text/xml")
    answer = pull(tmp_path, url=url)
    (path,) = answer["files"]
    assert path.startswith("resources/news/news/")
    text = (tmp_path / path).read_text()
    assert text.startswith("---\ntitle: A <b> B\nsource: news\nsource_id: urn:1\nurl: ")
    assert "tags:\n- rota\n" in text
    assert "## Hi" in text
    assert pull(tmp_path, url=url, notes=False)["files"] == []
    (elsewhere,) = pull(tmp_path, url=server.put("/b", feed(item("B")), "text/xml"), into="inbox/feeds")[
        "files"
    ]
    assert elsewhere.startswith("inbox/feeds/news/b-")


def test_broken_xml_gives_what_can_be_read_and_a_note(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", feed(item("One"), "<item><title>Two & <b>three</title>"), "text/xml")
    answer = pull(tmp_path, url=url)
    assert titles(answer) == ["One", "Two & three"]
    assert "not well-formed" in answer["note"]


def test_entities_that_multiply_do_no_harm(server: Site, tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]>' + feed(item("&l11;"))
    url = server.put("/feed", bomb, "text/xml")
    try:
        answer = pull(tmp_path, url=url)
    except StepError:
        return  # refused as no feed
    assert len(json.dumps(answer)) < 100_000


def test_html_that_nests_for_ever_is_read_as_text(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", feed(item("One", "&lt;div&gt;" * 30_000 + "deep")), "text/xml")
    (one,) = pull(tmp_path, url=url)["items"]
    assert "deep" in one["text"]


def test_a_huge_feed_gives_the_newest(server: Site, tmp_path: Path) -> None:
    many = [item(f"N{n}", date=f"Mon, 23 Nov 2026 {n // 60:02}:{n % 60:02}:00 GMT") for n in range(700)]
    url = server.put("/feed", feed(*many), "text/xml")
    answer = pull(tmp_path, url=url, most=3, notes=False)
    assert titles(answer) == ["N699", "N698", "N697"]
    assert pull(tmp_path, answer["cursor"], url=url, most=3, notes=False)["unchanged"] is True


def test_what_is_larger_than_a_feed_may_be_is_refused(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", b"<rss>" + b" " * 10_000_001, "text/xml")
    with pytest.raises(StepError, match="larger than 10 MB") as failure:
        pull(tmp_path, url=url)
    assert failure.value.permanent


def test_one_feed_of_several_that_fails_leaves_the_others(server: Site, tmp_path: Path) -> None:
    good = server.put("/good", feed(item("One", guid="1")), "text/xml")
    other = server.put("/other", feed(item("Two", guid="1"), title="Other"), "text/xml")
    answer = pull(tmp_path, url=[good, server.base + "/gone", other])
    assert sorted(titles(answer)) == ["One", "Two"]
    assert len({one["id"] for one in answer["items"]}) == 2, "ids of different feeds are different"
    assert "not read: 127.0.0.1 answered 404" in answer["note"]
    again = pull(tmp_path, answer["cursor"], url=[good, server.base + "/gone", other])
    assert (again["items"], again["unchanged"]) == ([], False)


def test_a_web_page_is_not_a_feed_but_may_name_it(server: Site, tmp_path: Path) -> None:
    page = '<html><head><link rel="alternate" type="application/rss+xml" href="/feed.xml"></head></html>'
    with pytest.raises(StepError, match="is not a feed") as failure:
        pull(tmp_path, url=server.put("/", page, "text/html"))
    assert f"{server.base}/feed.xml" in (failure.value.hint or "")


@pytest.mark.parametrize("body", [b"", b"{}", b"\x89PNG\r\n", b'{"version": 1}', b"<html>", b"[1]"])
def test_anything_else_is_not_a_feed_either(server: Site, tmp_path: Path, body: bytes) -> None:
    with pytest.raises(StepError, match="is not a feed") as failure:
        pull(tmp_path, url=server.put("/x", body, "text/html"))
    assert failure.value.permanent


def test_a_note_that_cannot_be_written_comes_again(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", feed(item("One")), "text/xml")
    (tmp_path / "resources/news").mkdir(parents=True)
    (tmp_path / "resources/news/news").write_text("in the way")
    first = pull(tmp_path, url=url)
    assert "could not be written" in first["note"]
    (tmp_path / "resources/news/news").unlink()
    again = pull(tmp_path, first["cursor"], url=url)
    assert titles(again) == ["One"]
    assert len(again["files"]) == 1


def test_feeds_that_are_too_much_for_one_answer_come_in_several(server: Site, tmp_path: Path) -> None:
    texts = [
        item(f"N{n}", f"{n} " + "word " * 3_500, f"Mon, 23 Nov 2026 09:{n % 60:02}:00 GMT")
        for n in range(200)
    ]
    url = server.put("/feed", feed(*texts), "text/xml")
    cursor, found = None, []
    for _ in range(20):
        answer = pull(tmp_path, cursor, url=url, most=500, notes=False)
        cursor = answer["cursor"]
        assert len(json.dumps(answer).encode()) < 4_000_000
        found += titles(answer)
        if not answer["note"]:
            break
    assert sorted(found) == sorted(f"N{n}" for n in range(200))
    assert pull(tmp_path, cursor, url=url, most=500, notes=False)["unchanged"] is True


def test_a_feed_that_is_made_anew_each_time_is_no_news(server: Site, tmp_path: Path) -> None:
    url = server.put("/feed", ATOM, "text/xml")
    first = pull(tmp_path, url=url)
    server.put("/feed", ATOM.replace("T09:30:00Z", "T09:31:00Z"), "text/xml")
    assert pull(tmp_path, first["cursor"], url=url)["unchanged"] is True

"""Feeds as entries: RSS 0.9x, 1 and 2, Atom by feedparser, JSON Feed by hand; broken ones as far as they go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from rota.model.errors import StepError
from rota.sources import _text
from rota.sources._web import Answer

_MOST_TEXT = 20_000
_ALTERNATE = re.compile(
    rb"""<link\b[^>]*type=["']?application/(?:rss|atom|feed)\+(?:xml|json)[^>]*>""", re.IGNORECASE
)
_HREF = re.compile(rb"""href=["']?([^"'\s>]+)""", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One entry. `text` is Markdown; instants are ISO 8601 in UTC, or empty; `id` is the feed's own, a link or a hash."""

    id: str
    title: str
    url: str = ""
    author: str = ""
    published: str = ""
    updated: str = ""
    text: str = ""
    tags: tuple[str, ...] = ()
    enclosures: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Changes when the entry does. Not with `updated`, which many feeds set anew each time they are made."""
        return _text.digest(self.title, self.url, self.text)

    @property
    def when(self) -> str:
        """The later of its two instants."""
        return max(self.published, self.updated)


@dataclass(frozen=True)
class Feed:
    """A feed that was read. `note`: what is wrong with it, if anything."""

    title: str
    url: str
    entries: list[Entry] = field(default_factory=list)
    note: str = ""


def parse(answer: Answer, host: str) -> Feed:
    """The feed of an answer. StepError (permanent) for what is none, with the feed's address where a page names it."""
    if answer.body.lstrip()[:1] == b"{":
        return _json_feed(answer, host)
    import feedparser

    # Addresses in the feed are relative to where it came from.
    about = {"content-location": answer.url, "content-type": answer.headers.get("content-type", "")}
    try:
        found = feedparser.parse(_Body(answer.body), response_headers=about)
    except Exception as error:  # feedparser raises anything for what is far from a feed
        raise _no_feed(answer, host) from error
    entries = [entry for raw in found.entries if (entry := _entry(raw)) is not None]
    broken = found.bozo and not _is_harmless(found.get("bozo_exception"))
    if not found.get("version") and not entries:
        raise _no_feed(answer, host)
    note = ""
    if broken:
        said = _text.one_line(found.get("bozo_exception", ""), 120)
        note = f"{host}: the feed is not well-formed ({said}); {len(entries)} entries could be read"
    title = _text.one_line(found.feed.get("title", "")) or host
    return Feed(_plain(title), str(found.feed.get("link", "")), _once(entries), note)


class _Body:
    """Bytes as feedparser takes them: what has no `read` it may take for an address or a file's name."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


def _is_harmless(error: object) -> bool:
    # The text was read as what it is, although it was announced as something else.
    return type(error).__name__ in {"CharacterEncodingOverride", "NonXMLContentType"}


def _entry(raw: Any) -> Entry | None:
    html = _body(raw)
    title, url = _plain(_text.one_line(raw.get("title", ""), 300)), str(raw.get("link", ""))
    text = _text.shortened(_text.markdown(html), _MOST_TEXT) if html else ""
    if not (title or url or text):
        return None
    published = _instant(raw.get("published_parsed"))
    return Entry(
        id=_text.one_line(raw.get("id") or url or _text.digest(title, published, text), 500),
        title=title or _text.one_line(text.lstrip("# "), 80) or url,
        url=url,
        author=_text.one_line(raw.get("author", "")),
        published=published,
        # Not by the library's own `get`, which gives the other instant where this one is missing.
        updated=_instant(dict.get(raw, "updated_parsed")),
        text=text,
        tags=tuple(
            _text.one_line(tag.get("term") or "", 80) for tag in raw.get("tags", [])[:20] if tag.get("term")
        ),
        enclosures=tuple(str(one["href"]) for one in raw.get("enclosures", [])[:20] if one.get("href")),
    )


def _body(raw: Any) -> str:
    # Of a summary and the whole, the whole; feeds give them in either place.
    bodies = [str(part.get("value", "")) for part in raw.get("content", [])]
    return max([*bodies, str(raw.get("summary", ""))], key=len)


def _plain(text: str) -> str:
    """A title without the markup that some feeds put into it."""
    if "<" not in text and "&" not in text:
        return text
    from bs4 import BeautifulSoup

    return _text.one_line(BeautifulSoup(text, "html.parser").get_text(" "))


def _instant(parts: Any) -> str:
    try:
        year, month, day, hour, minute, second = parts[:6]
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).isoformat()
    except (ValueError, TypeError):
        return ""


def _once(entries: list[Entry]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(entry.id, entry)
    return list(found.values())


def _json_feed(answer: Answer, host: str) -> Feed:
    try:
        feed = json.loads(answer.text())
    except (ValueError, RecursionError):
        feed = None
    if not isinstance(feed, Mapping) or "jsonfeed.org" not in str(feed.get("version", "")):
        raise _no_feed(answer, host)
    items = feed.get("items")
    raws = [raw for raw in items if isinstance(raw, Mapping)] if isinstance(items, list) else []
    entries = [entry for raw in raws if (entry := _json_entry(raw, answer.url)) is not None]
    title = _text.one_line(feed.get("title") or host)
    return Feed(title, str(feed.get("home_page_url") or ""), _once(entries))


def _json_entry(raw: Mapping[str, Any], base: str) -> Entry | None:
    html, plain = raw.get("content_html"), raw.get("content_text") or raw.get("summary") or ""
    text = _text.shortened(_text.markdown(str(html)) if html else _text.tidy(str(plain)), _MOST_TEXT)
    title = _text.one_line(raw.get("title") or "", 300)
    url = (
        urljoin(base, str(raw.get("url") or raw.get("external_url") or ""))
        if raw.get("url")
        else str(raw.get("external_url") or "")
    )
    if not (title or url or text):
        return None
    published = _moment(raw.get("date_published"))
    authors = raw.get("authors") or [raw.get("author")]
    names = [str(one["name"]) for one in authors if isinstance(one, Mapping) and one.get("name")]
    tags, attached = raw.get("tags"), raw.get("attachments")
    return Entry(
        id=_text.one_line(raw.get("id") or url or _text.digest(title, published, text), 500),
        title=title or _text.one_line(text.lstrip("# "), 80) or url,
        url=url,
        author=_text.one_line(", ".join(names)),
        published=published,
        updated=_moment(raw.get("date_modified")),
        text=text,
        tags=tuple(_text.one_line(tag, 80) for tag in tags[:20]) if isinstance(tags, list) else (),
        enclosures=tuple(
            str(one["url"]) for one in attached[:20] if isinstance(one, Mapping) and one.get("url")
        )
        if isinstance(attached, list)
        else (),
    )


def _moment(text: object) -> str:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _no_feed(answer: Answer, host: str) -> StepError:
    hint = "give the address of its RSS, Atom or JSON feed"
    if (tag := _ALTERNATE.search(answer.body[:200_000])) and (href := _HREF.search(tag[0])):
        hint = f"the page names its feed: {urljoin(answer.url, href[1].decode('utf-8', 'replace'))}"
    return StepError(f"what {host} has there is not a feed", code="bad_answer", permanent=True, hint=hint)

"""The rss source: what is new in RSS, Atom and JSON feeds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from rota.model.errors import StepError
from rota.sources import _text
from rota.sources._notes import KeepsNotes, Kept, front, keep
from rota.sources._params import Patience, Texts, checked
from rota.sources._seen import Item, fitted, fresh, part, remembered, word
from rota.sources._web import Request, fetch, host_of
from rota.sources.note_text import Note
from rota.sources.rss_parse import Entry, Feed, parse

_AT_A_TIME = 8
_MAX_BYTES = 10_000_000
_SPARE = 100
_LINES_OF_TEXT = 400


class RssParams(KeepsNotes):
    """What a `pull: rss` step may say."""

    url: Texts = Field(
        min_length=1, max_length=200, description="The feed's address, or a list of several feeds' addresses."
    )
    headers: dict[str, str] = Field(
        default={}, description="Headers that are sent along, such as `Authorization: Bearer ${TOKEN}`."
    )
    most: int = Field(
        default=50,
        ge=1,
        le=500,
        description="How many entries one look takes from each feed at most: the newest.",
    )
    give_up_after: Patience = 60.0


class Rss:
    """RSS 0.9x, 1.0 and 2.0, Atom and JSON feeds: blogs, news, podcasts, releases."""

    key: ClassVar[str] = "rss"
    params: ClassVar[type[BaseModel]] = RssParams
    target: ClassVar[str] = "rota.sources.rss:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")


def pull(
    config: dict[str, Any], workspace: str, cursor: Any = None, source: str = "rss", **_about: Any
) -> dict[str, Any]:
    """The entries that are new or changed since `cursor`, newest first; `items` have `text` in Markdown.

    A feed that is as it was costs one conditional request. One feed of several that cannot be read is named
    in the note; when none can be, that is a StepError.
    """
    params = checked(RssParams, config, Rss.key)
    looks = _looks(params, cursor)
    failures = [look.failure for look in looks if look.failure is not None]
    if len(failures) == len(looks):
        raise failures[0]
    notes = [look.note for look in looks] + [f"not read: {failure.message}" for failure in failures]
    news = [item for look in looks for item in look.news]
    items, left = fitted(sorted(news, key=lambda item: item["updated"] or item["published"], reverse=True))
    if left:
        notes.append(f"{len(left)} more entries come with the next look")
    kept = Kept()
    if params.notes and items:
        kept = keep(workspace, source, params.into, (_note(source, item) for item in items))
    again = kept.failed | {item["id"] for item in left}
    return {
        "items": items,
        "text": _markdown(items),
        "cursor": {look.key: look.place(again) for look in looks},
        "unchanged": not items and not failures,
        **kept.answer(notes),
    }


@dataclass(frozen=True)
class _Look:
    """What one feed gave. `before`: its place in the cursor; `entries`: all, `news`: those that are new or changed."""

    key: str
    before: dict[str, Any]
    entries: list[Item] = field(default_factory=list)
    news: list[Item] = field(default_factory=list)
    validators: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    failure: StepError | None = None

    def place(self, again: Collection[str]) -> dict[str, Any]:
        """Its place from now on; what is in `again` has to be told of another time, and so to be asked for."""
        if not self.entries:
            return {**self.before, **self.validators}
        told = [item for item in self.entries if item["id"] not in again]
        seen = remembered(part(self.before, "seen"), told, len(self.entries) + _SPARE)
        return {**(self.validators if len(told) == len(self.entries) else {}), "seen": seen}


def _note(source: str, item: Item) -> Note:
    about = front(source, item, author=item["author"], published=item["published"], updated=item["updated"])
    attached = "".join(f"\n- {_text.link(url.rpartition('/')[2] or url, url)}" for url in item["enclosures"])
    body = f"{item['text']}\n{attached}" if attached else item["text"]
    return Note(item["id"], item["title"], body, {**about, "tags": item["tags"]}, (item["feed"],))


def _looks(params: RssParams, cursor: Any) -> list[_Look]:
    """What each feed gave: a slow one does not hold up the others."""
    from concurrent.futures import ThreadPoolExecutor

    def look(url: str) -> _Look:
        key = _text.digest(url)
        before = part(cursor, key)
        try:
            return _look(url, key, params, before)
        except StepError as error:
            return _Look(key, before, failure=error)

    with ThreadPoolExecutor(max_workers=min(_AT_A_TIME, len(params.url))) as pool:
        return list(pool.map(look, params.url))


def _look(url: str, key: str, params: RssParams, before: dict[str, Any]) -> _Look:
    host = host_of(url)
    request = Request(
        url,
        headers={"accept": "application/rss+xml, application/atom+xml, application/feed+json, */*;q=0.5"}
        | params.headers,
        etag=word(before, "etag"),
        modified=word(before, "modified"),
    )
    answer = fetch(request, timeout=params.give_up_after, limit=_MAX_BYTES)
    if answer.unchanged:
        return _Look(key, before)
    feed = parse(answer, host)
    # Ids are unique in their feed alone.
    prefix = f"{key[:6]}:" if len(params.url) > 1 else ""
    entries = [_item(entry, feed, prefix) for entry in _newest(feed, params.most)]
    news = fresh(entries, part(before, "seen"))
    return _Look(key, before, entries, news, answer.validators, feed.note)


def _newest(feed: Feed, most: int) -> list[Entry]:
    if len(feed.entries) <= most:
        return feed.entries
    # Feeds without dates have the newest first, as nearly all feeds do.
    return sorted(feed.entries, key=lambda entry: entry.when, reverse=True)[:most]


def _item(entry: Entry, feed: Feed, prefix: str) -> Item:
    return {
        "id": prefix + entry.id,
        "version": entry.version,
        "title": entry.title,
        "url": entry.url,
        "author": entry.author,
        "published": entry.published,
        "updated": entry.updated,
        "feed": feed.title,
        "text": entry.text,
        "tags": list(entry.tags),
        "enclosures": list(entry.enclosures),
    }


def _markdown(items: list[Item]) -> str:
    if not items:
        return "Nothing new.\n"
    lines = []
    for item in items:
        about = ", ".join(part for part in (item["feed"], item["author"], item["published"][:10]) if part)
        lines.append(f"- {_text.link(item['title'], item['url'])} ({about})")
        if said := _text.one_line(item["text"], _LINES_OF_TEXT):
            lines.append(f"  {said}")
    return "\n".join(lines) + "\n"

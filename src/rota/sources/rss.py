"""The rss source: what is new in RSS, Atom and JSON feeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from rota.model.errors import StepError
from rota.sources import _text
from rota.sources._notes import KeepsNotes, Kept, front, keep
from rota.sources._params import Patience, Texts, checked
from rota.sources._seen import Item, fresh, part, remembered, word
from rota.sources._web import Request, fetch, host_of
from rota.sources.note_text import Note
from rota.sources.rss_parse import Entry, Feed, parse

_Looked = tuple[list[Item], str, dict[str, Any]]
_AT_A_TIME = 8
_MAX_BYTES = 10_000_000
_REMEMBERED = 2_000
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
    items: list[Item] = []
    notes: list[str] = []
    failures: list[StepError] = []
    places: dict[str, Any] = {}
    for url, before, looked in _looks(params, cursor):
        key = _text.digest(url)
        if isinstance(looked, StepError):
            failures.append(looked)
            places[key] = before
            continue
        found, note, places[key] = looked
        items += found
        notes += [note] if note else []
    if len(failures) == len(params.url):
        raise failures[0]
    notes += [f"not read: {failure.message}" for failure in failures]
    items.sort(key=lambda item: item["updated"] or item["published"], reverse=True)
    kept = Kept()
    if params.notes and items:
        kept = keep(workspace, source, params.into, (_note(source, item) for item in items))
    for place in places.values() if kept.failed else ():
        # Asked for again, and told of again, until its note can be written.
        place["seen"] = {name: version for name, version in place["seen"].items() if name not in kept.failed}
        place |= {"etag": "", "modified": ""}
    return {
        "items": items,
        "text": _markdown(items),
        "cursor": places,
        "unchanged": not items and not failures,
        **kept.answer(notes),
    }


def _note(source: str, item: Item) -> Note:
    about = front(source, item, author=item["author"], published=item["published"], updated=item["updated"])
    attached = "".join(f"\n- {_text.link(url.rpartition('/')[2] or url, url)}" for url in item["enclosures"])
    body = f"{item['text']}\n{attached}" if attached else item["text"]
    return Note(item["id"], item["title"], body, {**about, "tags": item["tags"]}, (item["feed"],))


def _looks(params: RssParams, cursor: Any) -> list[tuple[str, dict[str, Any], _Looked | StepError]]:
    """What each feed gave, with its place before: a slow one does not hold up the others."""
    from concurrent.futures import ThreadPoolExecutor

    befores = [part(cursor, _text.digest(url)) for url in params.url]

    def look(url: str, before: Mapping[str, Any]) -> _Looked | StepError:
        try:
            return _look(url, params, before)
        except StepError as error:
            return error

    with ThreadPoolExecutor(max_workers=min(_AT_A_TIME, len(params.url))) as pool:
        return list(zip(params.url, befores, pool.map(look, params.url, befores), strict=True))


def _look(url: str, params: RssParams, before: Mapping[str, Any]) -> _Looked:
    """What is new in one feed, a note about it, and its place."""
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
        return [], "", dict(before)
    feed = parse(answer, host)
    entries, note = _newest(feed, params.most), feed.note
    seen = part(before, "seen")
    # Ids are unique in their feed alone.
    prefix = f"{_text.digest(url)[:6]}:" if len(params.url) > 1 else ""
    items = [_item(entry, feed, prefix) for entry in entries]
    place = {**answer.validators, "seen": remembered(seen, items, _REMEMBERED)}
    return fresh(items, seen), note, place


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

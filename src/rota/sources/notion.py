"""The notion source: pages and databases of Notion as Markdown notes, brought up to date by what was edited."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rota.model.errors import StepError
from rota.sources.note_text import Note, short
from rota.sources.notes import Notes
from rota.sources.notion_api import BASE_URL, NotionApi
from rota.sources.notion_blocks import BlockReader
from rota.sources.notion_properties import tags_of, title_of, values_of

Json = Mapping[str, Any]
Entry = Annotated[str, Field(min_length=1)]

# Notion tells the minute of an edit. A page that was read in that minute may have been edited in it once more,
# and the clocks of two machines differ: until this has passed, it is read again.
UNSETTLED = timedelta(minutes=2)
SWEEP_EVERY = timedelta(hours=24)
MOST_MISSING = 50
_COUNTED = 100  # of the pages that are left for another time
_EVERYTHING = "everything"
_ID = re.compile(r"[0-9a-f]{32}")


class NotionParams(BaseModel):
    """What a `pull: notion` step may say."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, description="The integration's token; default: `${NOTION_TOKEN}`.")
    databases: list[Entry] = Field(
        default=[], description="Databases (or data sources), by address or id: their pages become notes."
    )
    pages: list[Entry] = Field(
        default=[],
        description="Pages, by address or id: these alone. Without `databases` and `pages`: every page that is "
        "shared with the integration.",
    )
    into: str | None = Field(
        default=None,
        description="The folder of the notes, in the workspace; default: resources/ and the source's name.",
    )
    limit: int = Field(
        default=200, ge=1, le=2_000, description="How many pages one pull reads; the next goes on from there."
    )
    base_url: str = Field(default=BASE_URL, description="Where Notion's API is.")

    @field_validator("databases", "pages", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class Notion:
    """Databases and pages of Notion."""

    key: ClassVar[str] = "notion"
    params: ClassVar[type[BaseModel]] = NotionParams
    target: ClassVar[str] = "rota.sources.notion:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")
    defaults: ClassVar[Mapping[str, Any]] = {"token": "${NOTION_TOKEN}"}


def pull(
    config: dict[str, Any],
    workspace: str,
    now: str,
    timezone: str,  # noqa: ARG001 # every source gets it; Notion's times are UTC
    *,
    cursor: Any,
    source: str,
) -> dict[str, Any]:
    """Write a note for each page that was edited since `cursor`; `items` are those pages, longest ago first.

    An item: id, version (a digest of the note), title, url, path (None where it could not be written), database,
    created, updated, archived. `text`: a list of them. One database of several that cannot be read is named in
    the note; when none can be, that is a StepError.
    """
    params = NotionParams.model_validate(config)
    moment = datetime.fromisoformat(now).astimezone(UTC)
    with (
        closing(NotionApi(params.token, params.base_url, moment)) as api,
        Notes(Path(workspace), source, params.into) as notes,
    ):
        mirror = _Mirror(api, notes, source, params.limit)
        places = mirror.bring(params, _dict(cursor).get("places") or {})
        swept = mirror.sweep(params, _dict(cursor).get("swept"), moment)
    return {
        "items": mirror.items,
        "text": _text(mirror.items),
        "note": "; ".join([*mirror.remarks, *notes.remarks]),
        "cursor": {"places": places, "swept": swept},
        "unchanged": not (mirror.items or mirror.left or mirror.remarks or notes.files),
        "files": notes.files,
        "conflicts": notes.conflicts,
    }


@dataclass
class _Place:
    """How far a database is read. `since`: the minute from which on edits are asked for; `done`: edits of that
    minute or later that were read and are settled, by a short form of the page's id; `open`: the versions of
    those that were read and are not."""

    since: str | None = None
    done: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)  # edits that have to be looked at (again)

    @classmethod
    def of(cls, stored: Any) -> _Place:
        """As it was left."""
        known = _dict(stored)
        return cls(known.get("since"), dict(_dict(known.get("done"))), dict(_dict(known.get("open"))))

    def stored(self) -> dict[str, Any]:
        """For the cursor."""
        since = min([*([self.since] if self.since else []), *self.waiting], default=None)
        done = {name: edited for name, edited in self.done.items() if since is None or edited >= since}
        return {"since": since, "done": done, "open": {k: v for k, v in self.open.items() if k not in done}}


class _Mirror:
    """One pull."""

    def __init__(self, api: NotionApi, notes: Notes, source: str, limit: int) -> None:
        self._api = api
        self._notes = notes
        self._source = source
        self._room = limit
        self._names: dict[str, str] = {}
        self.items: list[dict[str, Any]] = []
        self.remarks: list[str] = []
        self.read = 0
        self.left = 0

    def bring(self, params: NotionParams, known: Json) -> dict[str, Any]:
        """Read what was edited, target by target; the places for the next time. Raises when nothing can be read."""
        places: dict[str, Any] = dict(known)
        failures: list[StepError] = []
        brought = 0
        for name, listing in self._targets(params, failures):
            place = _Place.of(known.get(name))
            try:
                self._bring_one(listing(place.since), place)
            except StepError as error:
                failures.append(error)
                if error.code == "rate_limited" and self.read:  # what was read need not be read again
                    brought += 1
                    places[name] = place.stored()
                if not error.permanent:
                    break  # whatever it is, it is not this database's alone
                continue
            brought += 1
            places[name] = place.stored()
        if failures and not brought:
            raise failures[0]
        self.remarks += [f"not read: {failure.message}" for failure in failures]
        if self.left:
            self.remarks.append(f"at least {self.left} more edited pages come with the next pull")
        return places

    def sweep(self, params: NotionParams, swept: Any, now: datetime) -> str:
        """Once a day: mark the notes of pages that are no longer there; the time of the last such look."""
        last = datetime.fromisoformat(swept) if isinstance(swept, str) else None
        if last is None:
            return now.isoformat()
        if self.left or self.remarks or now - last < SWEEP_EVERY:
            return last.isoformat()
        failures: list[StepError] = []
        try:
            there = {page["id"] for _, listing in self._targets(params, failures) for page in listing(None)}
            missing = [note for note in self._notes.known() if note not in there]
            if failures:
                return last.isoformat()
            for page_id in missing[:MOST_MISSING]:
                self._mark(page_id)
        except StepError as error:
            self.remarks.append(f"not looked for deleted pages: {error.message}")
            return last.isoformat()
        return now.isoformat()

    def _mark(self, page_id: str) -> None:
        try:
            page = self._api.page(page_id)
        except StepError as error:
            if error.code != "notion_not_found":
                raise
            self._notes.mark(page_id, "deleted")
        else:
            if _archived(page):
                self._notes.mark(page_id, "archived")

    def _targets(self, params: NotionParams, failures: list[StepError]) -> Iterator[tuple[str, Any]]:
        """What is to be read: a name for its place, and a function of `since` that lists pages, oldest edit first."""
        if not params.databases and not params.pages:
            yield _EVERYTHING, self._api.everything
        for database in params.databases:
            try:
                sources = self._api.sources_of(_id(database))
            except StepError as error:
                failures.append(error)
                if not error.permanent:
                    return
                continue
            for source_id, name in sources:
                self._names[source_id] = name
                yield source_id, lambda since, source_id=source_id: self._api.rows(source_id, since)
        for page in params.pages:
            page_id = _id(page)
            yield page_id, lambda _since, page_id=page_id: [self._api.page(page_id)]

    def _bring_one(self, listing: Any, place: _Place) -> None:
        for page in listing:
            edited = str(page["last_edited_time"])
            name = short(page["id"])
            if place.done.get(name) == edited:
                continue
            if self._room <= 0:
                self.left += 1
                place.waiting.append(edited)
                if self.left >= _COUNTED:
                    return
                continue
            self._room -= 1
            self.read += 1
            version = self._bring_page(page, edited, place.open.pop(name, None))
            place.since = max(place.since or "", edited)
            if version is not None:
                place.open[name] = version
                place.waiting.append(edited)
            else:
                place.done[name] = edited

    def _bring_page(self, page: Json, edited: str, known: str | None) -> str | None:
        """Write one page's note; None when it can be taken as read, else the version that was.

        It is no item when that is the one that is `known` already.
        """
        page_id = str(page["id"])
        try:
            note = self._note(page)
        except StepError as error:
            if error.code != "notion_not_found":
                raise
            self.remarks.append(f"{title_of(page) or page_id} is gone")
            return None
        version, path = short(note.text(), 16), self._notes.write(note)
        if version != known:
            self.items.append(
                {
                    "id": page_id,
                    "version": version,
                    "title": note.title,
                    "url": str(page.get("url") or ""),
                    "path": path,
                    "database": self._database(page),
                    "created": page.get("created_time"),
                    "updated": edited,
                    "archived": _archived(page),
                }
            )
        settled = path is not None and self._api.now - _moment(edited) >= UNSETTLED
        return None if settled else version

    def _note(self, page: Json) -> Note:
        page_id = str(page["id"])
        values = values_of(page, lambda prop: self._api.property_values(page_id, prop))
        database = self._database(page)
        return Note(
            id=page_id,
            title=title_of(page) or "Untitled",
            body=BlockReader(page_id, self._api.children).page(),
            front={
                "source": self._source,
                "source_id": page_id,
                "url": page.get("url"),
                "database": database,
                "created": page.get("created_time"),
                "updated": page.get("last_edited_time"),
                "tags": tags_of(values),
                "archived": True if _archived(page) else None,
                "properties": values,
            },
            folder=(database,) if database else (),
        )

    def _database(self, page: Json) -> str:
        """The name of the data source that a page is a row of; '' for one that is none's."""
        parent = _dict(page.get("parent"))
        source_id = str(parent.get("data_source_id") or "")
        if source_id and source_id not in self._names:
            try:
                self._names[source_id] = self._api.name_of(source_id)
            except StepError as error:
                if error.code != "notion_not_found":
                    raise
                self._names[source_id] = ""
        return self._names.get(source_id, "")


def _text(items: list[dict[str, Any]]) -> str:
    if not items:
        return "Nothing was edited in Notion.\n"
    lines = [
        f"- [{item['title']}]({item['path'] or item['url']}), edited {item['updated']}" for item in items
    ]
    return "\n".join(lines) + "\n"


def _archived(page: Json) -> bool:
    return bool(page.get("archived") or page.get("in_trash"))


def _id(text: str) -> str:
    """The id in an address (the last of its path: `?v=` names a view), or the id that the text is."""
    found = _ID.findall(text.lower().partition("?")[0].replace("-", "")) or _ID.findall(text.lower())
    if not found:
        raise StepError(
            f"{text!r} is no page and no database of Notion's",
            hint="copy the address with ••• → Copy link",
            permanent=True,
        )
    return str(UUID(found[-1]))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

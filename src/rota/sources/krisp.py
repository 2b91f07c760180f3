"""The krisp source: recordings of meetings as notes, from webhooks or from Krisp's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rota.model.errors import StepError
from rota.ports.files import write_atomic
from rota.schedule.zones import zone
from rota.sources.krisp_api import BASE_URL, KrispApi
from rota.sources.krisp_note import is_whole, note_of
from rota.sources.krisp_recording import merged, recording_of
from rota.sources.note_text import short, slug
from rota.sources.notes import Notes

# Krisp makes notes and action items after the transcript; for so long a recording that lacks them is read again.
PATIENCE = timedelta(hours=24)
# A recording that was made without a network is told of late.
OVERLAP = timedelta(days=2)


class KrispParams(BaseModel):
    """What a `pull: krisp` step may say."""

    model_config = ConfigDict(extra="forbid")

    payload: dict[str, Any] | None = Field(
        default=None,
        description="A webhook's payload, which becomes a note; without it, Krisp's API is asked.",
    )
    token: str | None = Field(
        default=None,
        min_length=1,
        description="The key of Krisp's API; default: `${KRISP_API_KEY}`, where that is set.",
    )
    days: int = Field(
        default=30, ge=1, le=3_650, description="How many days back the first pull from the API goes."
    )
    into: str | None = Field(
        default=None,
        description="The folder of the notes, in the workspace; default: resources/ and the source's name.",
    )
    limit: int = Field(
        default=50,
        ge=1,
        le=1_000,
        description="How many recordings one pull reads; the next goes on from there.",
    )
    base_url: str = Field(default=BASE_URL, description="Where Krisp's API is.")

    @field_validator("payload", mode="before")
    @classmethod
    def _text_of_json(cls, value: object) -> object:
        """A payload that came as a text, by a parameter say."""
        return json.loads(value) if isinstance(value, str) else value


class Krisp:
    """Recordings of Krisp's AI meeting assistant."""

    key: ClassVar[str] = "krisp"
    params: ClassVar[type[BaseModel]] = KrispParams
    target: ClassVar[str] = "rota.sources.krisp:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")
    defaults: ClassVar[Mapping[str, Any]] = {"token": "${KRISP_API_KEY}"}


def pull(
    config: dict[str, Any], workspace: str, now: str, timezone: str, *, cursor: Any, source: str
) -> dict[str, Any]:
    """Write a note for each recording that is new or has grown; `items` are those, the oldest first.

    An item: id, version (a digest of the note), title, url, path, date, participants, action_items (texts), change
    (`new`, or `changed`: more became known of it). `text`: a list of them; of a payload, its note.
    """
    params = KrispParams.model_validate(config)
    with Notes(Path(workspace), source, params.into) as notes:
        desk = _Desk(
            notes, Path(workspace) / ".rota" / "notes" / f"{slug(source, 'source')}.parts", source, timezone
        )
        remarks: list[str] = []
        if params.payload is not None:
            desk.take(recording_of(params.payload))
            place, text = cursor, desk.text
        else:
            place, remarks = _poll(params, desk, datetime.fromisoformat(now).astimezone(UTC), cursor)
            text = _text(desk.items)
    return {
        "items": desk.items,
        "text": text,
        "note": "; ".join([*remarks, *notes.remarks]),
        "cursor": place,
        "unchanged": params.payload is None and not desk.items and not notes.remarks,
        "files": notes.files,
        "conflicts": notes.conflicts,
    }


class _Desk:
    """Where recordings become notes. What is known of each is kept, since its parts come one by one."""

    def __init__(self, notes: Notes, parts: Path, source: str, timezone: str) -> None:
        self._notes = notes
        self._parts = parts
        self._source = source
        self._home = zone(timezone)
        self.items: list[dict[str, Any]] = []
        self.text = ""

    def take(self, fresh: Mapping[str, Any], known: str | None = None) -> tuple[str, bool]:
        """Write what is known now of a recording; its version, and whether that is all that there will be.

        It is no item when its version is the one that is `known` already.
        """
        kept = self._parts / f"{short(str(fresh['id']), 24)}.json"
        before = _read(kept)
        recording = merged(before, fresh)
        note = note_of(recording, self._source, self._home)
        write_atomic(kept, json.dumps(recording, ensure_ascii=False).encode("utf-8", "replace"))
        self.text = note.text()
        version = short(self.text, 16)
        path = self._notes.write(note)
        if version != known:
            self.items.append(
                {
                    "id": note.id,
                    "version": version,
                    "title": note.title,
                    "url": recording.get("url", ""),
                    "path": path,
                    "date": note.front["date"],
                    "participants": recording.get("participants", []),
                    "action_items": [item["text"] for item in recording.get("action_items", [])],
                    "change": "changed" if before else "new",
                }
            )
        return version, path is not None and is_whole(recording)


@dataclass
class _Place:
    """How far the API was read. `since`: when the latest recording began that was read whole. By a short form of
    their ids, `done`: when those began that need not be read again; `open`: versions of those that do."""

    since: str | None = None
    done: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)  # when recordings began that are read (again) next time

    @classmethod
    def of(cls, cursor: Any) -> _Place:
        """As it was left."""
        known = cursor if isinstance(cursor, dict) else {}
        return cls(known.get("since"), dict(known.get("done") or {}), dict(known.get("open") or {}))

    def first(self, params: KrispParams, now: datetime) -> datetime:
        """From when on recordings are asked for."""
        return _moment(self.since) - OVERLAP if self.since else now - timedelta(days=params.days)

    def stored(self, now: datetime) -> dict[str, Any]:
        """For the cursor."""
        since = min([self.since or now.isoformat(), *self.waiting], key=_moment)
        floor = _moment(since) - OVERLAP
        return {
            "since": since,
            "done": {name: began for name, began in self.done.items() if _moment(began) >= floor},
            "open": {name: version for name, version in self.open.items() if name not in self.done},
        }


def _poll(params: KrispParams, desk: _Desk, now: datetime, cursor: Any) -> tuple[dict[str, Any], list[str]]:
    """Read what is new from the API; the next place, and remarks."""
    if params.token is None:
        raise StepError(
            "there is no key for Krisp's API, and no payload",
            hint="rota secret set KRISP_API_KEY, or `payload: '{{ payload }}'` in a hook",
            permanent=True,
            code="no_key",
        )
    place, read = _Place.of(cursor), 0
    with closing(KrispApi(params.token, params.base_url)) as api:
        for listed in api.since(place.first(params, now)):
            name, began = short(listed.id), listed.started or now.isoformat()
            if name in place.done:
                continue
            if read >= params.limit:
                place.waiting.append(began)
                return place.stored(now), ["more recordings come with the next pull"]
            read += 1
            whole = now - _moment(began) > PATIENCE
            payload = api.meeting(listed.id)
            if payload is not None:  # else Krisp still works on it, or it is gone
                fresh = recording_of({"id": listed.id, **payload})
                place.open[name], complete = desk.take(fresh, place.open.get(name))
                whole = whole or complete
            if whole:
                place.done[name] = began
                place.since = max(place.since or began, began, key=_moment)
            else:
                place.waiting.append(began)
    return place.stored(now), []


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(items: list[dict[str, Any]]) -> str:
    if not items:
        return "No new recordings.\n"
    lines = [f"- [{item['title']}]({item['path'] or item['url']}){_people(item)}" for item in items]
    return "\n".join(lines) + "\n"


def _people(item: Mapping[str, Any]) -> str:
    people = ", ".join(item["participants"])
    return f", with {people}" if people else ""

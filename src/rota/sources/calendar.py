"""The calendar source: what iCalendar (ICS) files and addresses have for the coming days."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from rota.model.errors import StepError, ZoneError
from rota.schedule.zones import zone
from rota.sources import agenda, ics_files
from rota.sources.ics_events import Window, events_in
from rota.sources.ics_people import is_declined

_MOST_NOTES = 10
_NAMED_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


class CalendarParams(BaseModel):
    """What a `pull: calendar` step may say."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    calendar: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="An .ics file, a folder of them, an https:// or webcal:// address, or a list of such; "
        "default: every .ics file in the workspace's calendar/ folder. Relative to the workspace.",
    )
    days: int = Field(
        default=1, ge=1, le=366, description="How many days, the first one included; 1 is that day alone."
    )
    today: bool = Field(default=False, description="Today alone, whatever `days` says.")
    from_: date | Literal["yesterday", "today", "tomorrow"] = Field(
        default="today",
        alias="from",
        description="The first day: today, tomorrow, yesterday or a date such as 2026-11-23.",
    )
    timezone: str | None = Field(
        default=None, description="The zone that days and times are given in; default: the job's."
    )
    me: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="Your addresses: what you declined is left out. A calendar that is called by an address, as "
        "Google's are, is yours.",
    )
    declined: bool = Field(default=False, description="List what you declined, too.")

    @field_validator("calendar", "me", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    def first_day(self, today: date) -> date:
        """The day that the agenda begins with."""
        if self.today:
            return today
        return self.from_ if isinstance(self.from_, date) else today + timedelta(_NAMED_DAYS[self.from_])


class Calendar:
    """ICS calendars: those of Google, Outlook, Apple, Fastmail, Nextcloud and everything else that exports it."""

    key: ClassVar[str] = "calendar"
    params: ClassVar[type[BaseModel]] = CalendarParams
    target: ClassVar[str] = "rota.sources.calendar:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "news_only")


def pull(
    config: dict[str, Any],
    workspace: str,
    now: str,
    timezone: str,
    *,
    cursor: Any = None,
    news_only: bool = False,
) -> dict[str, Any]:
    """The agenda: `items` (see agenda.item), all-day ones first, then by start; `text` in Markdown; `note`.

    They are all there each time. `unchanged`: the days that are asked for and every byte of the calendars are
    what they were at `cursor`; then there is nothing else where only news is wanted.
    One calendar of several that cannot be read is named in the text and in the note; when none can be
    read, that is a StepError. A broken event is left out and named in the note.
    """
    params = _params(config)
    try:
        home = zone(params.timezone or timezone)
    except ZoneError as error:
        raise StepError(error.message, hint=error.hint, code=error.code, permanent=True) from None
    first = params.first_day(datetime.fromisoformat(now).astimezone(home).date())
    window = Window(first, first + timedelta(1 if params.today else params.days), home)
    documents, failures = ics_files.read(params.calendar, Path(workspace))
    if failures and not documents:
        raise failures[0]
    seen = _digest(params, window, documents, failures)
    if news_only and not failures and seen == cursor:  # to read a calendar takes longer than to compare it
        return {"items": [], "text": "", "note": "", "cursor": seen, "unchanged": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # guesses at a zone's name, which are noted where they fail
        found, notes = events_in(documents, window)
    if not params.declined:
        found = [event for event in found if not is_declined(event, params.me)]
    unread = [f"Not read: {failure.message}" for failure in failures]
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"and {len(notes) - _MOST_NOTES} more"]
    if not documents:
        notes.append(f"no .ics file in {ics_files.DEFAULT_FOLDER}/")
    return {
        "items": agenda.items(found, window),
        "text": agenda.text(found, window, unread),
        "note": "; ".join([*unread, *notes]),
        "cursor": seen,
        "unchanged": not failures and seen == cursor,
    }


def _digest(
    params: CalendarParams,
    window: Window,
    documents: Sequence[ics_files.Document],
    failures: Sequence[StepError],
) -> str:
    """What the agenda is made of, in short."""
    made_of = [params.me, params.declined, str(window.first), str(window.last), str(window.zone)]
    texts = [
        [document.name, hashlib.sha256(document.text.encode("utf-8", "replace")).hexdigest()]
        for document in documents
    ]
    whole = json.dumps([made_of, texts, [failure.message for failure in failures]])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _params(config: dict[str, Any]) -> CalendarParams:
    try:
        return CalendarParams.model_validate({k: v for k, v in config.items() if k != "pull"})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise StepError(
            f"pull: calendar: `{key}`: {first['msg']}",
            hint=f"it takes {', '.join(f.alias or n for n, f in CalendarParams.model_fields.items())}",
            permanent=True,
        ) from None

"""Who takes part in an event, and whether one of them is the reader."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rota.sources.ics_events import CalendarEvent


def is_declined(event: CalendarEvent, me: Collection[str]) -> bool:
    """Whether the reader said no: an attendee with one of the addresses `me`, or that the calendar is called by."""
    mine = {address.casefold().removeprefix("mailto:") for address in me}
    if "@" in event.calendar:
        mine.add(event.calendar.casefold())
    answers = [_answer(one) for one in _attendees(event.component) if _address(one) in mine]
    return bool(answers) and all(answer == "DECLINED" for answer in answers)


def _attendees(component: Any) -> list[Any]:
    found = component.get("ATTENDEE")
    return [] if found is None else found if isinstance(found, list) else [found]


def _address(attendee: Any) -> str:
    """The address of an attendee; Exchange's have one in EMAIL where the value is a name in its directory."""
    text = str(attendee).casefold().removeprefix("mailto:")
    return text if "@" in text else str(getattr(attendee, "params", {}).get("EMAIL", "")).casefold()


def _answer(attendee: Any) -> str:
    return str(getattr(attendee, "params", {}).get("PARTSTAT", "")).upper()

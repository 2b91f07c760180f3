"""Events as JSON-able items and as an agenda in Markdown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit

from rota.sources import ics_zones
from rota.sources.ics_events import CalendarEvent, Window

EMPTY = "Nothing on the calendar."
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DESCRIPTION_CHARACTERS = 1_000
_LINKS = ("URL", "CONFERENCE", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL")
_MEETINGS = {
    "zoom.us": "Zoom",
    "meet.google.com": "Google Meet",
    "teams.microsoft.com": "Microsoft Teams",
    "teams.live.com": "Microsoft Teams",
}


def items(events: Sequence[CalendarEvent], window: Window) -> list[dict[str, Any]]:
    """Each event once, in the order given; `day` is the first day of the window that has it."""
    return [item(event, max(_first_day(event), window.first)) for event in events]


def item(event: CalendarEvent, day: date) -> dict[str, Any]:
    """What templates and prompts get of an event.

    id (the same when it is moved; of a series, each instance has its own), version (another when anything
    of the event is), uid, title, start and end (ISO 8601 with offset; dates, the end excluded, when `all_day`), location,
    place (the location in few words), description, url, calendar, status (confirmed, tentative),
    organizer, attendees (names), day, time (of that day: `09:00–09:30`, `all day`), until (the last day
    of several, `Fri 27 Nov`), zone_note (`15:00 New York`, when its own zone has another time),
    moved_from (`09:00`, `Mon 23 Nov 09:00`). What there is none of is ''.
    """
    component = event.component
    location = _line(component.get("LOCATION"))
    about = {
        "uid": str(component.get("UID", "")),
        "title": _line(component.get("SUMMARY")) or "(no title)",
        "start": event.start.isoformat(),
        "end": event.end.isoformat(),
        "all_day": event.all_day,
        "location": location,
        "place": _place(location),
        "description": _description(component),
        "url": _url(component, location),
        "calendar": event.calendar,
        "status": "tentative" if _line(component.get("STATUS")).upper() == "TENTATIVE" else "confirmed",
        "organizer": next(iter(_people(component, "ORGANIZER")), ""),
        "attendees": _people(component, "ATTENDEE"),
        "zone_note": _zone_note(event),
        "moved_from": _moved(event),
    }
    return {
        "id": _id(event),
        "version": hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16],
        **about,
        "day": day.isoformat(),
        "time": _time(event, day),
        "until": day_name(last) if (last := _last_day(event)) > day and event.all_day else "",
    }


def _id(event: CalendarEvent) -> str:
    """The UID; of an instance of a series, with where the series has it; without a UID, start and title."""
    component, uid = event.component, str(event.component.get("UID", ""))
    first = component["RECURRENCE-ID"].dt if "RECURRENCE-ID" in component else event.own_start or event.start
    moment = f"{first.astimezone(UTC):%Y%m%dT%H%M%SZ}" if isinstance(first, datetime) else f"{first:%Y%m%d}"
    if not uid:
        return f"{moment}/{_line(component.get('SUMMARY'))}"
    repeats = any(name in component for name in ("RRULE", "RDATE", "RECURRENCE-ID"))
    return f"{uid}/{moment}" if repeats else uid


def text(events: Sequence[CalendarEvent], window: Window, unread: Sequence[str] = ()) -> str:
    """The agenda in Markdown: a list for one day, a heading and a list for each of several.

    `unread`: warnings that end it, so that a calendar that is missing is not taken for a free day.
    """
    days = [window.first + timedelta(n) for n in range((window.last - window.first).days)]
    if not events:
        parts = [EMPTY]
    elif len(days) == 1:
        parts = [_list(events, days[0])]
    else:
        parts = [f"## {day_name(day)}\n\n{_list(events, day)}" for day in days]
    return "\n\n".join([*parts, *(f"**{warning}**" for warning in unread)]) + "\n"


def day_name(day: date) -> str:
    """`Mon 23 Nov`, whatever the machine's language."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def _list(events: Sequence[CalendarEvent], day: date) -> str:
    # An event of several days is under each of them.
    of_day = [item(e, day) for e in events if _first_day(e) <= day <= _last_day(e)]
    return "\n".join(map(_bullet, of_day)) or EMPTY


def _bullet(entry: dict[str, Any]) -> str:
    when = "All day:" if entry["time"] == "all day" else entry["time"]
    where = f" ({entry['place']})" if entry["place"] else ""
    extras = [
        f"until {entry['until']}" if entry["until"] else "",
        entry["zone_note"],
        f"moved from {entry['moved_from']}" if entry["moved_from"] else "",
        "tentative" if entry["status"] == "tentative" else "",
    ]
    return " · ".join([f"- {when} {entry['title']}{where}", *filter(None, extras)])


def _first_day(event: CalendarEvent) -> date:
    return event.start.date() if isinstance(event.start, datetime) else event.start


def _last_day(event: CalendarEvent) -> date:
    """The last day that it is seen on; an end at midnight is not the next day's."""
    if not isinstance(event.end, datetime):
        return event.end - timedelta(days=1)
    if event.end.hour == event.end.minute == event.end.second == 0 and event.end != event.start:
        return max(event.end.date() - timedelta(days=1), _first_day(event))
    return event.end.date()


def _time(event: CalendarEvent, day: date) -> str:
    start, end = event.start, event.end
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return "all day"
    if start.date() < day:
        return f"until {end:%H:%M}" if _last_day(event) == day and end.date() == day else "all day"
    if start == end:
        return f"{start:%H:%M}"
    if start.time() == end.time() == time() and end.date() - day == timedelta(days=1):
        return "all day"
    far = (end.date() - day).days > 1 or (end.date() > day and end.time() >= start.time())
    return f"{start:%H:%M}–{f'{day_name(end.date())} ' if far else ''}{end:%H:%M}"


def _zone_note(event: CalendarEvent) -> str:
    own, start = event.own_start, event.start
    if own is None or not isinstance(start, datetime) or own.utcoffset() == start.utcoffset():
        return ""
    where = ics_zones.place(own)
    if where == "UTC":  # what programs store, not where anybody is
        return ""
    return f"{own:%H:%M} {where}" + (f", {day_name(own.date())}" if own.date() != start.date() else "")


def _moved(event: CalendarEvent) -> str:
    before = event.moved_from
    if not isinstance(before, datetime):
        return ""
    return f"{before:%H:%M}" if before.date() == _first_day(event) else f"{day_name(before)} {before:%H:%M}"


def _line(value: object) -> str:
    """The text of a property on one line; of several, the first."""
    first = value[0] if isinstance(value, list) else value
    return "" if first is None else " ".join(str(first).split())


def _description(component: Any) -> str:
    value = component.get("DESCRIPTION")
    whole = str(value[0] if isinstance(value, list) else value or "").strip()
    return whole if len(whole) <= _DESCRIPTION_CHARACTERS else f"{whole[: _DESCRIPTION_CHARACTERS - 1]}…"


def _url(component: Any, location: str) -> str:
    links = [*(_line(component.get(name)) for name in _LINKS), location]
    return next((link for link in links if link.startswith(("https://", "http://"))), "")


def _place(location: str) -> str:
    """An address of a meeting as the name of what it is held in."""
    if not location.startswith(("https://", "http://")):
        return location
    try:
        host = urlsplit(location.split(maxsplit=1)[0].rstrip(";,")).hostname or ""
    except ValueError:
        return ""
    known = (name for domain, name in _MEETINGS.items() if host == domain or host.endswith(f".{domain}"))
    return next(known, host.removeprefix("www."))


def _people(component: Any, name: str) -> list[str]:
    value = component.get(name)
    found = [] if value is None else value if isinstance(value, list) else [value]
    return [_person(p) for p in found]


def _person(address: Any) -> str:
    named = _line(getattr(address, "params", {}).get("CN"))
    return named or str(address).partition(":")[2] or str(address)

"""Turns the events of a calendar's text into components whose times all have a zone, broken ones left out."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias

from rota.sources import ics_text
from rota.sources.ics_zones import attached, zone_named

if TYPE_CHECKING:
    from rota.sources.ics_text import CalendarText

Component: TypeAlias = Any  # an icalendar.Event; its mapping of properties has no types

_MOMENTS = ("DTSTART", "DTEND", "RECURRENCE-ID")
_LISTS = ("RDATE", "EXDATE")
_TOO_OFTEN = ("SECONDLY", "MINUTELY")


class BrokenEventError(Exception):
    """An event that cannot be shown, and why."""

    def __init__(self, uid: str, why: str) -> None:
        super().__init__(why)
        self.uid = uid
        self.why = why

    def note(self, calendar: str) -> str:
        """A line that names it."""
        return f"skipped event {self.uid or 'without UID'} of {calendar}: {' '.join(self.why.split()):.200}"


@dataclass(frozen=True)
class Version:
    """An event as one document has it. `age`: SEQUENCE, then when it was last changed."""

    component: Component
    uid: str
    calendar: str
    document: int
    age: tuple[int, str]
    cancelled: bool

    @property
    def is_instance(self) -> bool:
        """Whether it replaces one instance of a series."""
        return "RECURRENCE-ID" in self.component


def versions(
    text: CalendarText, *, name: str, document: int, wanted: Set[str], home: tzinfo, notes: list[str]
) -> Iterator[Version]:
    """The events of one VCALENDAR; what could not be read goes to `notes`.

    `wanted`: UIDs; events with another are not looked at. `home`: the zone of floating times where the
    calendar names none.
    """
    calendar = text.title or name
    reader = _Reader(zone_named(text.properties.get("X-WR-TIMEZONE", "")) or home)
    _use_zones(text.zones)
    cancelled = text.properties.get("METHOD", "").upper() == "CANCEL"
    for number, block in enumerate(text.events):
        if ics_text.value(block, "UID") not in wanted:
            continue
        try:
            component = reader.event(block)
        except BrokenEventError as error:
            notes.append(error.note(calendar))
            continue
        yield Version(
            component,
            str(component.get("UID") or f"{calendar}#{number}"),
            calendar,
            document,
            (component["SEQUENCE"], str(_raw(component, "LAST-MODIFIED") or _raw(component, "DTSTAMP"))),
            cancelled or str(component.get("STATUS", "")).upper() == "CANCELLED",
        )
    if text.cut_off:
        notes.append(f"{calendar} is cut off: events may be missing")
    notes.extend(
        f"{calendar}: unknown zone {tzid}: its times are read as {reader.home}" for tzid in reader.unknown
    )


def _use_zones(zones: list[str]) -> None:
    """Make the VTIMEZONEs of this calendar, and no other's, those that its TZIDs mean."""
    import icalendar
    from icalendar.timezone import tzp

    tzp.use_default()  # empties the cache, in which a zone of another calendar may have the same name
    for block in zones:
        try:
            icalendar.Calendar.from_ical(f"BEGIN:VCALENDAR\r\n{block}\r\nEND:VCALENDAR\r\n")
        except Exception:  # noqa: BLE001, S112  an event that names this zone is then noted
            continue


class _Reader:
    """Reads events; `home`: the zone of floating times; `unknown`: zones that are not to be found."""

    def __init__(self, home: tzinfo) -> None:
        self.home = home
        self.unknown: dict[str, None] = {}

    def event(self, block: str) -> Component:
        """The component; BrokenEventError when its times cannot be made out."""
        import icalendar

        uid = ics_text.value(block, "UID")
        try:
            component: Component = icalendar.Event.from_ical(block)
            if "DTSTART" not in component and "RECURRENCE-ID" in component:
                component["DTSTART"] = component["RECURRENCE-ID"]  # some cancellations say no more
            self._settle_times(component, uid)
        except BrokenEventError:
            raise
        except Exception as error:
            raise BrokenEventError(uid, str(error) or type(error).__name__) from error
        return component

    def _settle_times(self, component: Component, uid: str) -> None:
        from icalendar.prop import vDDDLists

        _check(component, uid)
        component["SEQUENCE"] = _sequence(component)
        home = self.home
        for name in _MOMENTS:
            if name in component:
                component[name] = self._settled(component[name], home)
            if name == "DTSTART" and isinstance(component[name].dt, datetime):
                home = component[name].dt.tzinfo  # what an EXDATE without a zone means
        if "DTEND" in component and _is_before(component["DTEND"].dt, component["DTSTART"].dt):
            del component["DTEND"]  # the library would swap the two
        for name in _LISTS:
            if values := _many(component, name):
                component[name] = vDDDLists([self._moment(d, v, home) for v in values for d in v.dts])
        for rule in _many(component, "RRULE"):
            _settle_rule(rule, component["DTSTART"].dt, uid)

    def _settled(self, value: Any, home: tzinfo) -> Any:
        from icalendar.prop import vDDDTypes

        settled = vDDDTypes(self._moment(value, value, home))
        if "RANGE" in value.params:
            settled.params["RANGE"] = value.params["RANGE"]
        return settled

    def _moment(self, value: Any, owner: Any, home: tzinfo) -> Any:
        """A date as it is; a datetime, or both ends of a period, in its zone."""
        tzid = owner.params.get("TZID")

        def settle(moment: Any) -> Any:
            if not isinstance(moment, datetime):
                return moment
            settled, known = attached(moment, tzid, home)
            if not known:
                self.unknown[tzid] = None
            return settled

        return tuple(map(settle, value.dt)) if isinstance(value.dt, tuple) else settle(value.dt)


def _settle_rule(rule: Any, start: date, uid: str) -> None:
    """Refuse a rule that would take forever; give its UNTIL the form that can be compared with `start`."""
    if rule.get("FREQ", [""])[0] in _TOO_OFTEN:
        raise BrokenEventError(uid, f"it repeats {rule['FREQ'][0].lower()}")
    if rule.get("INTERVAL", [1])[0] < 1:
        raise BrokenEventError(uid, f"its INTERVAL is {rule['INTERVAL'][0]}")
    until = rule.get("UNTIL", [None])[0]
    if until is None:
        return
    if not isinstance(start, datetime):
        rule["UNTIL"] = [until.date() if isinstance(until, datetime) else until]
        return
    if not isinstance(until, datetime):
        until = datetime.combine(until, time(23, 59, 59))
    if until.tzinfo is None:
        until = until.replace(tzinfo=start.tzinfo)
    rule["UNTIL"] = [until.astimezone(UTC)]


def _check(component: Component, uid: str) -> None:
    from icalendar.prop import vBroken

    if "DTSTART" not in component:
        raise BrokenEventError(uid, "it has no DTSTART")
    for name in (*_MOMENTS, *_LISTS, "RRULE", "DURATION"):
        for value in _many(component, name):
            if isinstance(value, vBroken):
                raise BrokenEventError(uid, f"{name} cannot be read: {value!s}")
        if name in _MOMENTS and isinstance(component.get(name), list):
            raise BrokenEventError(uid, f"it has more than one {name}")


def _is_before(end: date, start: date) -> bool:
    if isinstance(end, datetime) and isinstance(start, datetime):
        return end.astimezone(UTC) < start.astimezone(UTC)
    return type(end) is type(start) and end < start


def _many(component: Component, name: str) -> list[Any]:
    value = component.get(name)
    return [] if value is None else value if isinstance(value, list) else [value]


def _raw(component: Component, name: str) -> str:
    value = component.get(name)
    return "" if value is None else value.to_ical().decode(errors="replace")


def _sequence(component: Component) -> int:
    try:
        return int(component.get("SEQUENCE", 0))
    except (TypeError, ValueError):
        return 0

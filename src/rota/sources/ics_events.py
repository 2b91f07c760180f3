"""The events of ICS documents in a stretch of days: repeated, moved, cancelled and put into one zone.

Python compares and subtracts datetimes of one zone by wall time, so instants go through UTC here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rota.sources import ics_text
from rota.sources.ics_read import BrokenEventError, Component, Version, versions

if TYPE_CHECKING:
    from rota.sources.ics_files import Document
    from rota.sources.ics_text import CalendarText

# Asked for on both sides of the window, since the library searches by wall time.
_MARGIN = timedelta(days=2)


@dataclass(frozen=True)
class Window:
    """The days [first, last) in a zone."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        """The first midnight, in the zone."""
        return datetime.combine(self.first, time(), self.zone)

    @property
    def end(self) -> datetime:
        """The midnight after the last day, in the zone."""
        return datetime.combine(self.last, time(), self.zone)

    def overlaps(self, start: date, end: date) -> bool:
        """Whether something from `start` to `end` (excluded) is seen; both dates, or both aware datetimes."""
        if not isinstance(start, datetime) or not isinstance(end, datetime):
            return start < self.last and end > self.first
        first, last, start, end = (m.astimezone(UTC) for m in (self.start, self.end, start, end))
        return first <= start < last if start == end else start < last and end > first


@dataclass(frozen=True)
class CalendarEvent:
    """One event as it takes place.

    `start`, `end`: dates (end excluded) when it is all-day, else datetimes in the window's zone.
    `own_start`: the start in the zone that the event was written in. `moved_from`: where its series
    had it, when that is another time.
    """

    component: Component
    calendar: str
    start: date
    end: date
    own_start: datetime | None = None
    moved_from: date | None = None

    @property
    def all_day(self) -> bool:
        """Whether it has days rather than times."""
        return not isinstance(self.start, datetime)


def events_in(documents: Sequence[Document], window: Window) -> tuple[list[CalendarEvent], list[str]]:
    """What takes place in the window, all-day first, then by start; and a note on each thing left out.

    Documents are merged by UID: of an event that several have, the newest version counts.
    """
    notes: list[str] = []
    texts = [(n, d.name, text) for n, d in enumerate(documents) for text in ics_text.calendars(d.text)]
    wanted = _wanted([text for _, _, text in texts], window)
    by_uid: dict[str, list[Version]] = defaultdict(list)
    for number, name, text in texts:
        for version in versions(
            text, name=name, document=number, wanted=wanted, home=window.zone, notes=notes
        ):
            by_uid[version.uid].append(version)
    found: dict[tuple[object, ...], CalendarEvent] = {}
    for uid, group in by_uid.items():
        for series in _series(group):
            try:
                for event in _expand(series, window):
                    key = (uid, event.start, event.end, str(event.component.get("SUMMARY")))
                    found.setdefault(key, event)
            except Exception as error:  # noqa: BLE001  whatever a broken event raises, the others go on
                notes.append(
                    BrokenEventError(uid, str(error) or type(error).__name__).note(series[0].calendar)
                )
    return sorted(found.values(), key=_order), notes


def _wanted(texts: Sequence[CalendarText], window: Window) -> set[str]:
    """The UIDs of which one version may take place in the window: what else has them may replace it."""
    first, last = (f"{day:%Y%m%d}" for day in (window.first - _MARGIN, window.last + _MARGIN))
    return {
        ics_text.value(block, "UID")
        for text in texts
        for block in text.events
        if ics_text.may_be_in(block, first, last)
    }


def _order(event: CalendarEvent) -> tuple[bool, float, str]:
    start = event.start
    when = start.timestamp() if isinstance(start, datetime) else float(start.toordinal())
    return not event.all_day, when, str(event.component.get("SUMMARY", "")).casefold()


def _series(group: list[Version]) -> Iterable[list[Version]]:
    """The versions of a UID as series of a main event and its changed instances; obsolete ones left out.

    Some programs give every event of a file the same UID: those of the newest document stay apart.
    """
    mains = [v for v in group if not v.is_instance]
    instances = [v for v in group if v.is_instance]
    if not mains:
        yield instances
        return
    newest = max(mains, key=lambda v: v.age)
    if newest.cancelled:
        return
    outdated = {v.document for v in mains if v.age < newest.age and v.document != newest.document}
    instances = [v for v in instances if v.document not in outdated]
    mains = [v for v in mains if v.document == newest.document and v.age[0] == newest.age[0]]
    owner = next((v for v in mains if "RRULE" in v.component or "RDATE" in v.component), mains[0])
    for main in mains:
        yield [main, *instances] if main is owner else [main]


def _expand(series: list[Version], window: Window) -> Iterable[CalendarEvent]:
    import icalendar
    import recurring_ical_events

    calendar = icalendar.Calendar()
    for index, version in enumerate(series):
        version.component["UID"] = series[0].uid
        version.component["X-ROTA-VERSION"] = index
        calendar.add_component(version.component)
    query = recurring_ical_events.CalendarQuery(calendar)
    for seen in query.between(window.start - _MARGIN, window.end + _MARGIN):
        version = series[seen["X-ROTA-VERSION"]]
        if version.cancelled:
            continue
        start, end = _times(seen, version.component)
        if isinstance(start, datetime) and isinstance(end, datetime):
            event = CalendarEvent(
                version.component, version.calendar, _in(window.zone, start), _in(window.zone, end), start,
                _moved_from(version, start, window.zone),
            )  # fmt: skip
        else:
            event = CalendarEvent(version.component, version.calendar, start, end)
        if window.overlaps(event.start, event.end):
            yield event


def _times(seen: Component, source: Component) -> tuple[date, date]:
    """Start and end: two dates, or two aware datetimes; the end is never before the start."""
    start: date = seen["DTSTART"].dt
    end: date = seen["DTEND"].dt
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return start, max(end, start + timedelta(days=1))
    if str(source.get("X-MICROSOFT-CDO-ALLDAYEVENT", "")).upper() == "TRUE" and (
        start.time() == end.time() == time()
    ):
        return start.date(), max(end.date(), start.date() + timedelta(days=1))
    end = _exact_end(start, end, source)
    return start, end if end.astimezone(UTC) >= start.astimezone(UTC) else start


def _exact_end(start: datetime, end: datetime, source: Component) -> datetime:
    """The end where the library's, which adds wall time, would be an hour off when clocks are moved."""
    if "DTEND" in source:
        own_end: datetime = source["DTEND"].dt
        return own_end if start == source["DTSTART"].dt and isinstance(own_end, datetime) else end
    duration: timedelta | None = source["DURATION"].dt if "DURATION" in source else None
    if duration is not None and end - start == duration:
        # Days of a duration are days of the calendar; hours are hours.
        days = timedelta(days=duration.days)
        return ((start + days).astimezone(UTC) + (duration - days)).astimezone(start.tzinfo)
    return end


def _moved_from(version: Version, start: datetime, home: tzinfo) -> datetime | None:
    """Where the series had this instance; None when it is there still, or when the whole rest was moved."""
    if not version.is_instance or "RANGE" in version.component["RECURRENCE-ID"].params:
        return None
    before: Any = version.component["RECURRENCE-ID"].dt
    if not isinstance(before, datetime) or before.astimezone(UTC) == start.astimezone(UTC):
        return None
    return _in(home, before)


def _in(zone: tzinfo, moment: datetime) -> datetime:
    # Through UTC: in its own zone, astimezone would leave a time that the clock skips as it is.
    return moment.astimezone(UTC).astimezone(zone)

"""ICS text cut into its events before anything is parsed, so that a broken one breaks nothing else.

The cut also leaves alarms out: they are of no use here, and a bad one would spoil its event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_NAME = re.compile(r"^(X-WR-CALNAME|NAME|X-WR-TIMEZONE|METHOD)(?:;[^:]*)?:(.*)$", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")
_DAY = re.compile(r"\d{4}(0[1-9]|1[0-2])([012]\d|3[01])")
_REPEATS = re.compile(r"^(RRULE|RDATE|RECURRENCE-ID)[;:]", re.IGNORECASE | re.MULTILINE)
_BARE_ZONE = re.compile(rb"TZID=(tzone://[\w/]+)")  # Exchange's; the colon needs quotes
_LINE_END = re.compile(r"\r\n|\n|\r")  # not str.splitlines: a title may hold U+2028


@dataclass
class CalendarText:
    """A VCALENDAR: its own properties by upper-case name, the text of each zone and event.

    `cut_off`: the last event, or the calendar itself, has no end.
    """

    properties: dict[str, str] = field(default_factory=dict)
    zones: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    cut_off: bool = True

    @property
    def title(self) -> str:
        """The name that the calendar gives itself."""
        return unescape(self.properties.get("X-WR-CALNAME") or self.properties.get("NAME") or "")


def decode(data: bytes) -> str:
    """The unfolded text of an ICS file in the encodings that programs export."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", errors="replace").encode()
    # Unfolded as bytes: Exchange folds in the middle of a character.
    data = _BARE_ZONE.sub(rb'TZID="\1"', _FOLD.sub(b"", data))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def calendars(text: str) -> Iterator[CalendarText]:
    """The VCALENDARs of a text, in order."""
    cutter: _Cutter | None = None
    for line in _LINE_END.split(text):
        keyword, _, name = line.strip().upper().partition(":")
        if (keyword, name) == ("BEGIN", "VCALENDAR"):
            if cutter:
                yield cutter.calendar
            cutter = _Cutter()
        elif cutter and (keyword, name) == ("END", "VCALENDAR"):
            cutter.calendar.cut_off = bool(cutter.open)
            yield cutter.calendar
            cutter = None
        elif cutter:
            cutter.take(line, keyword, name)
    if cutter:
        yield cutter.calendar


class _Cutter:
    """Sorts the lines of one VCALENDAR. `open`: the components that the present line is in."""

    def __init__(self) -> None:
        self.calendar = CalendarText()
        self.open: list[str] = []
        self.block: list[str] = []

    def take(self, line: str, keyword: str, name: str) -> None:
        """One line between the calendar's BEGIN and END."""
        if keyword == "BEGIN":
            self._begin(line, name)
        elif keyword == "END" and name in self.open:
            self._collect(line)
            del self.open[self.open.index(name) :]
            if not self.open:
                self._keep(name)
        elif self.open:
            self._collect(line)
        elif match := _NAME.match(line):
            self.calendar.properties[match[1].upper()] = match[2].strip()

    def _begin(self, line: str, name: str) -> None:
        if name == "VEVENT" and "VEVENT" in self.open:  # the one before was never closed
            self._keep("VEVENT")
            self.open = []
        if not self.open:
            self.block = []
        self.open.append(name)
        self._collect(line)

    def _collect(self, line: str) -> None:
        if self.open[0] == "VTIMEZONE" or self.open == ["VEVENT"]:
            self.block.append(line)

    def _keep(self, name: str) -> None:
        if name == "VEVENT":
            self.calendar.events.append("\r\n".join(self.block))
        elif name == "VTIMEZONE":
            self.calendar.zones.append("\r\n".join(self.block))


def value(block: str, name: str) -> str:
    """The raw text of a property of an event that may be broken, '' when it has none."""
    match = re.search(rf"^{name}(?:;[^:\r\n]*)?:(.*?)\r?$", block, re.IGNORECASE | re.MULTILINE)
    return match[1].strip() if match else ""


def may_be_in(block: str, first: str, last: str) -> bool:
    """Whether an event may take place between two days (YYYYMMDD, both included); in doubt, it may.

    Most of a calendar is past, and reading an event properly takes a hundred times as long.
    """
    start = value(block, "DTSTART")[:8]
    if _REPEATS.search(block) or not _DAY.match(start):
        return True
    end = value(block, "DTEND")[:8]
    if not end:
        end = last if value(block, "DURATION") else start
    return start <= last and (not _DAY.match(end) or max(start, end) >= first)


def unescape(text: str) -> str:
    """A TEXT value as people read it, on one line."""
    plain = re.sub(r"\\([\\;,nN])", lambda m: " " if m[1] in "nN" else m[1], text)
    return " ".join(plain.split())

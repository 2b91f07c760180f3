"""What the calendar source makes of ICS files: one trait of the format a test, the expected agenda by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rota.sources.calendar import pull

NEW_YORK = """BEGIN:VTIMEZONE
TZID:Client time
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
TZNAME:EST
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
END:DAYLIGHT
END:VTIMEZONE"""


def event(text: str, uid: str = "e1", title: str = "Event") -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nSUMMARY:{title}\n{text.strip()}\nEND:VEVENT"


def ics(*parts: str, head: str = "") -> str:
    body = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test", *filter(None, [head]), *parts])
    return f"{body}\nEND:VCALENDAR\n".replace("\n", "\r\n")


class Folder:
    """A workspace with a calendar/ folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "calendar").mkdir()

    def put(self, *parts: str, name: str = "home.ics", head: str = "") -> None:
        (self.path / "calendar" / name).write_bytes(ics(*parts, head=head).encode())

    def pull(self, day: str, days: int = 1, *, zone: str = "Europe/London", **config: Any) -> dict[str, Any]:
        return pull(
            {"from": day, "days": days, **config}, str(self.path), "2026-11-23T06:30:00+00:00", timezone=zone
        )

    def agenda(self, day: str, days: int = 1, *, zone: str = "Europe/London") -> list[str]:
        """`[day] time title` of every item; the day only when there are several."""
        got = self.pull(day, days, zone=zone)
        assert got["note"] == ""
        prefix = "{day} " if days > 1 else ""
        return [(prefix + "{time} {title}").format(**item) for item in got["items"]]

    def item(self, day: str, *, zone: str = "Europe/London") -> dict[str, Any]:
        items: list[dict[str, Any]] = self.pull(day, zone=zone)["items"]
        assert len(items) == 1
        return items[0]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# --- one event -----------------------------------------------------------------------------------


def test_an_event_has_everything_that_a_template_could_want(folder: Folder) -> None:
    folder.put(
        event(
            "DTSTART;TZID=Europe/London:20261123T090000\nDTEND;TZID=Europe/London:20261123T093000\n"
            "LOCATION:https://us02web.zoom.us/j/123\nDESCRIPTION:Bring the\\nnumbers\\, please\n"
            "URL:https://example.org/x\nORGANIZER;CN=Priya Nair:mailto:priya@example.org\n"
            'ATTENDEE;CN="Sam Okafor":mailto:sam@example.org\nATTENDEE:mailto:lee@example.org\nSTATUS:TENTATIVE',
            uid="abc",
            title="Stand-up\\, short",
        ),
        head="X-WR-CALNAME:Work",
    )
    item = folder.item("2026-11-23")
    assert len(item.pop("version")) == 16
    assert item == {
        "id": "abc",
        "uid": "abc",
        "title": "Stand-up, short",
        "start": "2026-11-23T09:00:00+00:00",
        "end": "2026-11-23T09:30:00+00:00",
        "all_day": False,
        "location": "https://us02web.zoom.us/j/123",
        "place": "Zoom",
        "description": "Bring the\nnumbers, please",
        "url": "https://example.org/x",
        "calendar": "Work",
        "status": "tentative",
        "organizer": "Priya Nair",
        "attendees": ["Sam Okafor", "lee@example.org"],
        "day": "2026-11-23",
        "time": "09:00–09:30",
        "until": "",
        "zone_note": "",
        "moved_from": "",
    }


def test_a_title_of_several_lines_or_none_is_still_one_line(folder: Folder) -> None:
    folder.put(
        event("DTSTART:20261123T090000Z", "a", "One\\n- two"),
        "BEGIN:VEVENT\nUID:b\nDTSTART:20261123T100000Z\nEND:VEVENT",
    )
    assert folder.agenda("2026-11-23") == ["09:00 One - two", "10:00 (no title)"]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ("DTSTART:20261123T090000Z\nDTEND:20261123T093000Z", "09:00–09:30"),
        ("DTSTART:20261123T090000Z\nDURATION:PT1H15M", "09:00–10:15"),
        ("DTSTART:20261123T090000Z", "09:00"),
        ("DTSTART:20261123T090000Z\nDTEND:20261123T090000Z", "09:00"),
        ("DTSTART:20261123T090000Z\nDTEND:20261123T080000Z", "09:00"),  # ends before it begins
        ("DTSTART:20261123T000000Z\nDTEND:20261124T000000Z", "all day"),
        ("DTSTART:20261123T220000Z\nDTEND:20261124T020000Z", "22:00–02:00"),
        ("DTSTART:20261123T090000Z\nDTEND:20261125T170000Z", "09:00–Wed 25 Nov 17:00"),
        ("DTSTART;VALUE=DATE:20261123", "all day"),
        ("DTSTART;VALUE=DATE:20261123\nDTEND;VALUE=DATE:20261123", "all day"),
        ("DTSTART;VALUE=DATE:20261123\nDURATION:P1D", "all day"),
        ("DTSTART:20261123", "all day"),  # a date without VALUE=DATE
        ("DTSTART:20261123T000000\nDTEND:20261124T000000\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE", "all day"),
    ],
)
def test_the_forms_of_start_and_end(folder: Folder, times: str, expected: str) -> None:
    folder.put(event(times))
    assert folder.agenda("2026-11-23") == [f"{expected} Event"]
    assert folder.agenda("2026-11-22") == []


def test_an_event_that_began_yesterday_and_goes_on_is_listed(folder: Folder) -> None:
    folder.put(event("DTSTART:20261122T220000Z\nDTEND:20261124T020000Z", title="Night train"))
    assert folder.agenda("2026-11-22") == ["22:00–Tue 24 Nov 02:00 Night train"]
    assert folder.agenda("2026-11-23") == ["all day Night train"]
    assert folder.agenda("2026-11-24") == ["until 02:00 Night train"]
    assert folder.agenda("2026-11-25") == []


def test_an_end_at_midnight_is_not_the_next_days(folder: Folder) -> None:
    folder.put(event("DTSTART:20261122T200000Z\nDTEND:20261123T000000Z"))
    assert folder.agenda("2026-11-22") == ["20:00–00:00 Event"]
    assert folder.agenda("2026-11-23") == []


def test_the_end_date_of_an_all_day_event_is_excluded(folder: Folder) -> None:
    folder.put(event("DTSTART;VALUE=DATE:20261121\nDTEND;VALUE=DATE:20261124", title="Festival"))
    until = {day: folder.pull(f"2026-11-{day}")["items"] for day in (20, 21, 22, 23, 24)}
    assert {day: [i["until"] for i in items] for day, items in until.items()} == {
        20: [], 21: ["Mon 23 Nov"], 22: ["Mon 23 Nov"], 23: [""], 24: [],
    }  # fmt: skip


def test_all_day_events_come_first_then_by_start_then_by_title(folder: Folder) -> None:
    folder.put(
        event("DTSTART:20261123T090000Z", "1", "b nine"),
        event("DTSTART:20261123T080000Z", "2", "eight"),
        event("DTSTART;VALUE=DATE:20261123", "3", "whole"),
        event("DTSTART:20261123T090000Z", "4", "A nine"),
    )
    assert folder.agenda("2026-11-23") == ["all day whole", "08:00 eight", "09:00 A nine", "09:00 b nine"]


# --- zones ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "zone", "expected"),
    [
        ("DTSTART:20261123T200000Z", "Europe/London", "20:00|"),
        ("DTSTART:20261123T200000Z", "Asia/Kolkata", "|"),  # there it is tomorrow
        ("DTSTART;TZID=America/New_York:20261123T150000", "Europe/London", "20:00|15:00 New York"),
        ("DTSTART;TZID=Client time:20261123T150000", "Europe/London", "20:00|15:00 UTC-05:00"),
        ("DTSTART;TZID=Asia/Tokyo:20261124T080000", "Europe/London", "23:00|08:00 Tokyo, Tue 24 Nov"),
        ("DTSTART;TZID=Europe/Dublin:20261123T090000", "Europe/London", "09:00|"),  # the same on the clock
        ("DTSTART;TZID=GMT Standard Time:20261123T090000", "Europe/London", "09:00|"),
        ('DTSTART;TZID="Eastern Standard Time":20261123T150000', "Europe/London", "20:00|15:00 New York"),
        ("DTSTART;TZID=tzone://Microsoft/Utc:20261123T150000", "Europe/London", "15:00|"),
        (
            "DTSTART;TZID=/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires:20261123T120000",
            "Europe/London",
            "15:00|12:00 Buenos Aires",
        ),
        ("DTSTART:20261123T090000", "Europe/London", "09:00|"),  # floating: wherever one is
        ("DTSTART:20261123T090000", "Asia/Tokyo", "09:00|"),
    ],
)
def test_times_are_given_in_the_workspaces_zone(folder: Folder, start: str, zone: str, expected: str) -> None:
    folder.put(NEW_YORK, event(start))
    found = folder.pull("2026-11-23", zone=zone)["items"]
    assert [f"{i['time']}|{i['zone_note']}" for i in found] == ([expected] if expected != "|" else [])


def test_an_event_of_summer_in_a_zone_that_the_calendar_defines(folder: Folder) -> None:
    folder.put(event("DTSTART;TZID=Client time:20260706T090000"), NEW_YORK)  # the zone comes last
    assert folder.agenda("2026-07-06") == ["14:00 Event"]


def test_a_zone_name_means_what_its_own_calendar_says(folder: Folder) -> None:
    tokyo = NEW_YORK.replace("-0400", "+0900").replace("-0500", "+0900")
    folder.put(NEW_YORK, event("DTSTART;TZID=Client time:20261123T080000", "a"), name="a.ics")
    folder.put(tokyo, event("DTSTART;TZID=Client time:20261123T200000", "b"), name="b.ics")
    assert folder.agenda("2026-11-23") == ["11:00 Event", "13:00 Event"]


def test_an_unknown_zone_is_read_as_the_workspaces_and_noted(folder: Folder) -> None:
    folder.put(event("DTSTART;TZID=Mars/Olympus:20261123T090000"))
    got = folder.pull("2026-11-23")
    assert [i["time"] for i in got["items"]] == ["09:00"]
    assert got["note"] == "home: unknown zone Mars/Olympus: its times are read as Europe/London"


def test_googles_calendar_zone_counts_for_floating_times_only(folder: Folder) -> None:
    head = "X-WR-CALNAME:Mara\nX-WR-TIMEZONE:America/New_York"
    folder.put(
        event("DTSTART:20261123T090000", "a", "floating"),
        event("DTSTART:20261123T090000Z", "b", "utc"),
        head=head,
    )
    assert folder.agenda("2026-11-23") == ["09:00 utc", "14:00 floating"]


def test_outlooks_calendar_zone_may_have_a_windows_name(folder: Folder) -> None:
    folder.put(event("DTSTART:20261123T090000"), head="X-WR-TIMEZONE:Tokyo Standard Time")
    assert folder.item("2026-11-23")["zone_note"] == "09:00 Tokyo"


def test_a_days_window_is_23_and_25_hours_long_when_clocks_are_moved(folder: Folder) -> None:
    folder.put(
        event("DTSTART:20260329T223000Z", "a", "last of spring"),  # 23:30 BST on the short day
        event("DTSTART:20260329T230000Z", "b", "after it"),
        event("DTSTART:20261024T225959Z", "c", "before autumn"),
        event("DTSTART:20261024T230000Z", "d", "first of autumn"),  # 00:00 BST
        event("DTSTART:20261025T003000Z", "e", "first half past one"),
        event("DTSTART:20261025T013000Z", "f", "second half past one"),
        event("DTSTART:20261025T235959Z", "g", "last of autumn"),
    )
    assert folder.agenda("2026-03-29") == ["23:30 last of spring"]
    assert folder.agenda("2026-10-25") == [
        "00:00 first of autumn", "01:30 first half past one", "01:30 second half past one",
        "23:59 last of autumn",
    ]  # fmt: skip


def test_a_time_that_the_clock_skips_is_an_hour_later(folder: Folder) -> None:
    folder.put(event("DTSTART;TZID=Europe/London:20260328T013000\nDURATION:PT30M\nRRULE:FREQ=DAILY;COUNT=3"))
    assert folder.agenda("2026-03-28", 3) == [
        "2026-03-28 01:30–02:00 Event", "2026-03-29 02:30–03:00 Event", "2026-03-30 01:30–02:00 Event",
    ]  # fmt: skip


def test_hours_are_hours_across_a_change_of_the_clocks(folder: Folder) -> None:
    folder.put(event("DTSTART;TZID=Europe/London:20260329T003000\nDURATION:PT3H"))
    assert folder.agenda("2026-03-29") == ["00:30–04:30 Event"]


# --- series --------------------------------------------------------------------------------------

STAND_UP = (
    "DTSTART;TZID=Europe/London:20260105T090000\nDTEND;TZID=Europe/London:20260105T091500\n"
    "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
)


def test_a_series_keeps_its_wall_time_through_summer(folder: Folder) -> None:
    folder.put(event(STAND_UP))
    assert folder.item("2026-07-06")["start"] == "2026-07-06T09:00:00+01:00"
    assert folder.item("2026-11-23")["start"] == "2026-11-23T09:00:00+00:00"
    assert folder.agenda("2026-11-22") == []


def test_a_foreign_series_moves_on_our_clock_while_only_one_side_has_changed(folder: Folder) -> None:
    # New York goes to winter time a week after London.
    folder.put(event("DTSTART;TZID=America/New_York:20260105T150000\nRRULE:FREQ=WEEKLY"))
    assert [folder.item(d)["time"] for d in ("2026-10-19", "2026-10-26", "2026-11-02")] == [
        "20:00", "19:00", "20:00",
    ]  # fmt: skip


def test_excluded_and_added_dates(folder: Folder) -> None:
    folder.put(
        event(
            STAND_UP + "\nEXDATE;TZID=Europe/London:20261124T090000,20261125T090000\n"
            "EXDATE:20261126T090000Z\nRDATE;TZID=Europe/London:20261128T110000\n"
            "RDATE;VALUE=PERIOD:20261129T100000Z/PT2H"
        )
    )
    assert folder.agenda("2026-11-23", 7) == [
        "2026-11-23 09:00–09:15 Event", "2026-11-27 09:00–09:15 Event", "2026-11-28 11:00–11:15 Event",
        "2026-11-29 10:00–12:00 Event",
    ]  # fmt: skip


@pytest.mark.parametrize("exdate", ["EXDATE;VALUE=DATE:20261124", "EXDATE:20261124T090000"])
def test_sloppy_excluded_dates_are_understood(folder: Folder, exdate: str) -> None:
    folder.put(event(f"{STAND_UP}\n{exdate}"))
    assert folder.agenda("2026-11-24") == []
    assert folder.agenda("2026-11-25") == ["09:00–09:15 Event"]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20261124T090000Z", "2026-11-24"),
        ("20261124T085959Z", "2026-11-23"),
        ("20261124", "2026-11-24"),  # a date for a series with times: that day included
        ("20261124T090000", "2026-11-24"),
    ],
)
def test_the_end_of_a_series(folder: Folder, until: str, last: str) -> None:
    folder.put(event(f"{STAND_UP};UNTIL={until}"))
    assert folder.pull("2026-11-20", 10)["items"][-1]["day"] == last


def test_a_local_end_of_a_series_west_of_greenwich(folder: Folder) -> None:
    folder.put(event("DTSTART;TZID=America/New_York:20261102T150000\nRRULE:FREQ=DAILY;UNTIL=20261123T150000"))
    assert folder.agenda("2026-11-22", 5) == ["2026-11-22 20:00 Event", "2026-11-23 20:00 Event"]


def moved(recurrence: str, start: str, extra: str = "") -> str:
    return event(
        f"RECURRENCE-ID;TZID=Europe/London:{recurrence}\nDTSTART;TZID=Europe/London:{start}\nDURATION:PT15M\n{extra}",
        title="Stand-up",
    )


def test_a_moved_instance_replaces_the_one_that_it_was(folder: Folder) -> None:
    folder.put(
        event(STAND_UP, title="Stand-up"),
        moved("20261123T090000", "20261123T103000"),
        moved("20261125T090000", "20261124T160000"),
        moved("20261126T090000", "20261126T090000"),
    )
    got = folder.pull("2026-11-23", 5)
    assert [f"{i['day']} {i['time']} {i['moved_from']}".rstrip() for i in got["items"]] == [
        "2026-11-23 10:30–10:45 09:00",
        "2026-11-24 09:00–09:15",
        "2026-11-24 16:00–16:15 Wed 25 Nov 09:00",
        "2026-11-26 09:00–09:15",
        "2026-11-27 09:00–09:15",
    ]


def test_an_instance_that_was_moved_from_far_away_into_the_window(folder: Folder) -> None:
    folder.put(event(STAND_UP, title="Stand-up"), moved("20270301T090000", "20261122T120000"))
    assert folder.agenda("2026-11-22") == ["12:00–12:15 Stand-up"]


def test_the_rest_of_a_series_moved_from_one_instance_on(folder: Folder) -> None:
    rest = moved("20261124T090000", "20261124T093000").replace(
        "RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;"
    )
    folder.put(event(STAND_UP, title="Stand-up"), rest)
    got = folder.pull("2026-11-23", 3)
    assert [f"{i['time']} {i['moved_from']}".rstrip() for i in got["items"]] == [
        "09:00–09:15", "09:30–09:45", "09:30–09:45",
    ]  # fmt: skip


def test_cancelled_instances_and_events_are_gone(folder: Folder) -> None:
    folder.put(
        event(STAND_UP, title="Stand-up"),
        moved("20261123T090000", "20261123T090000", "STATUS:CANCELLED"),
        event("RECURRENCE-ID;TZID=Europe/London:20261124T090000\nSTATUS:CANCELLED"),  # says no more
        event("DTSTART:20261123T120000Z\nSTATUS:CANCELLED", "lunch"),
    )
    assert folder.agenda("2026-11-23", 3) == ["2026-11-25 09:00–09:15 Stand-up"]


def test_a_cancelled_series_takes_its_changed_instances_with_it(folder: Folder) -> None:
    folder.put(event(f"{STAND_UP}\nSTATUS:CANCELLED"), moved("20261123T090000", "20261123T103000"))
    assert folder.agenda("2026-11-23") == []


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("DTSTART;VALUE=DATE:19520229\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", ["2027-02-28", "2028-02-29"]),
        ("DTSTART;VALUE=DATE:20260130\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20270430T000000Z", ["2027-02-26", "2027-04-30"]),
        ("DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=WEEKLY;INTERVAL=2", ["2027-02-01", "2027-02-15"]),
    ],
)  # fmt: skip
def test_all_day_series(folder: Folder, rule: str, days: list[str]) -> None:
    folder.put(event(rule))
    assert [folder.agenda(day) for day in days] == [["all day Event"]] * len(days)
    assert folder.agenda("2027-02-08") == []


# --- several calendars ---------------------------------------------------------------------------


def test_one_event_in_two_calendars_is_listed_once_in_its_newest_version(folder: Folder) -> None:
    folder.put(event("SEQUENCE:1\nDTSTART:20261123T090000Z", title="old"), name="a.ics")
    folder.put(event("SEQUENCE:2\nDTSTART:20261123T100000Z", title="new"), name="b.ics")
    folder.put(event("SEQUENCE:2\nDTSTART:20261123T100000Z", title="new"), name="c.ics")
    assert folder.agenda("2026-11-23") == ["10:00 new"]


def test_of_versions_without_a_number_the_one_changed_last_counts(folder: Folder) -> None:
    folder.put(event("DTSTART:20261123T100000Z\nLAST-MODIFIED:20261102T080000Z", title="new"), name="a.ics")
    folder.put(event("DTSTART:20261123T090000Z\nLAST-MODIFIED:20261101T080000Z", title="old"), name="b.ics")
    assert folder.agenda("2026-11-23") == ["10:00 new"]


def test_a_file_may_change_an_instance_of_anothers_series(folder: Folder) -> None:
    folder.put(event(STAND_UP, title="Stand-up"), name="a.ics")
    folder.put(moved("20261123T090000", "20261123T103000"), name="b.ics")
    assert folder.agenda("2026-11-23") == ["10:30–10:45 Stand-up"]


def test_a_cancellation_that_came_as_a_file_of_its_own(folder: Folder) -> None:
    folder.put(event("SEQUENCE:1\nDTSTART:20261123T090000Z"), name="invite.ics", head="METHOD:REQUEST")
    folder.put(event("SEQUENCE:2\nDTSTART:20261123T090000Z"), name="no.ics", head="METHOD:CANCEL")
    assert folder.agenda("2026-11-23") == []


def test_events_that_a_sloppy_program_gave_one_uid_are_all_there(folder: Folder) -> None:
    folder.put(
        event("DTSTART:20261123T090000Z", "same", "first"),
        event("DTSTART:20261123T100000Z", "same", "second"),
    )
    assert folder.agenda("2026-11-23") == ["09:00 first", "10:00 second"]


def test_events_without_a_uid_are_all_there(folder: Folder) -> None:
    bare = "BEGIN:VEVENT\nDTSTART:20261123T{}0000Z\nSUMMARY:{}\nEND:VEVENT"
    folder.put(bare.format("09", "first"), bare.format("10", "second"))
    assert folder.agenda("2026-11-23") == ["09:00 first", "10:00 second"]


# --- broken input --------------------------------------------------------------------------------

BROKEN = {
    "no start": "DTEND:20261123T090000Z",
    "unreadable start": "DTSTART:next Monday",
    "impossible start": "DTSTART:20261340T090000Z",
    "unreadable end": "DTSTART:20261123T090000Z\nDTEND:later",
    "unknown frequency": "DTSTART:20261123T090000Z\nRRULE:FREQ=SOMETIMES",
    "no frequency": "DTSTART:20261123T090000Z\nRRULE:BYDAY=MO",
    "interval 0": "DTSTART:20261123T090000Z\nRRULE:FREQ=DAILY;INTERVAL=0",
    "every second": "DTSTART:20061123T090000Z\nRRULE:FREQ=SECONDLY",
    "odd EXDATE": "DTSTART:20261123T090000Z\nRRULE:FREQ=DAILY\nEXDATE:whenever",
    "two starts": "DTSTART:20261123T090000Z\nDTSTART:20261123T100000Z",
    "odd RECURRENCE-ID": "DTSTART:20261123T090000Z\nRECURRENCE-ID:first",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_event_is_named_and_the_others_go_on(folder: Folder, broken: str) -> None:
    folder.put(
        event("DTSTART:20261123T080000Z", "1", "before"),
        event(broken, "broken@example.org"),
        event("DTSTART:20261123T100000Z", "3", "after"),
    )
    got = folder.pull("2026-11-23")
    assert [i["title"] for i in got["items"]] == ["before", "after"]
    assert got["note"].startswith("skipped event broken@example.org of home: ")


def test_of_many_broken_events_the_first_ten_are_named(folder: Folder) -> None:
    folder.put(*(event("DTSTART:never", f"u{n}") for n in range(25)))
    notes = folder.pull("2026-11-23")["note"].split("; ")
    assert len(notes) == 11
    assert notes[-1] == "and 15 more"


@pytest.mark.parametrize(
    "oddity",
    [
        "this line is no property",
        "BEGIN:VALARM\nTRIGGER:soon\nACTION:DISPLAY\nEND:VALARM",
        "X-ODD;=;:;\nDTSTAMP:never",
        "GEO:here\nSEQUENCE:many",
        "ATTENDEE;CN=:",
        "LOCATION:https://[half",
    ],
)
def test_what_does_not_concern_the_time_of_an_event_does_not_spoil_it(folder: Folder, oddity: str) -> None:
    folder.put(event(f"DTSTART:20261123T080000Z\n{oddity}", title="fine"))
    assert folder.agenda("2026-11-23") == ["08:00 fine"]


def test_a_rule_that_never_matches_gives_its_first_day_alone(folder: Folder) -> None:
    folder.put(
        event(
            "DTSTART;TZID=Europe/London:20101123T090000\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never"
        ),
        event("DTSTART:20261123T100000Z", title="fine"),
    )
    assert folder.agenda("2026-11-23") == ["10:00 fine"]


def test_a_file_that_is_cut_off_gives_what_it_has_and_says_so(folder: Folder) -> None:
    whole = ics(event("DTSTART:20261123T080000Z", "1", "kept"), event("DTSTART:20261123T090000Z", "2"))
    (folder.path / "calendar" / "home.ics").write_text(whole[: whole.index("UID:2")])
    got = folder.pull("2026-11-23")
    assert [i["title"] for i in got["items"]] == ["kept"]
    assert got["note"] == "home is cut off: events may be missing"


def test_an_event_that_is_never_closed_does_not_swallow_the_next(folder: Folder) -> None:
    open_ended = event("DTSTART:20261123T080000Z", "1", "open").removesuffix("\nEND:VEVENT")
    folder.put(open_ended, event("DTSTART:20261123T090000Z", "2", "next"))
    assert [i["title"] for i in folder.pull("2026-11-23")["items"]][-1] == "next"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encodings_that_programs_export(folder: Folder, encoding: str) -> None:
    text = ics(event("DTSTART:20261123T080000Z", title="Café – Zoë"))
    (folder.path / "calendar" / "home.ics").write_bytes(text.encode(encoding))
    assert folder.agenda("2026-11-23") == ["08:00 Café – Zoë"]


def test_a_line_folded_in_the_middle_of_a_character(folder: Folder) -> None:
    data = ics(event("DTSTART:20261123T080000Z", title="Zoë")).encode()
    (folder.path / "calendar" / "home.ics").write_bytes(data.replace(b"\xc3\xab", b"\xc3\r\n \xab"))
    assert folder.agenda("2026-11-23") == ["08:00 Zoë"]


# --- the agenda as text --------------------------------------------------------------------------


def test_the_agenda_of_a_day(folder: Folder) -> None:
    folder.put(
        event("DTSTART;VALUE=DATE:20261123\nDTEND;VALUE=DATE:20261128", "1", "Half-term"),
        event("DTSTART:20261123T090000Z\nDURATION:PT30M\nLOCATION:Zoom", "2", "Stand-up"),
        event(
            "DTSTART;TZID=America/New_York:20261123T150000\nDURATION:PT1H\nLOCATION:https://meet.google.com/x\n"
            "STATUS:TENTATIVE",
            "3",
            "Client call",
        ),
        event("DTSTART:20261123T200000Z", "4", "Bins out"),
    )
    assert folder.pull("2026-11-23")["text"] == (
        "- All day: Half-term · until Fri 27 Nov\n"
        "- 09:00–09:30 Stand-up (Zoom)\n"
        "- 20:00 Bins out\n"
        "- 20:00–21:00 Client call (Google Meet) · 15:00 New York · tentative\n"
    )


def test_the_agenda_of_several_days_has_a_heading_for_each(folder: Folder) -> None:
    folder.put(
        event("DTSTART:20261123T220000Z\nDTEND:20261124T020000Z", "1", "Night train"),
        event("DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261127", "2", "Fair"),
    )
    assert folder.pull("2026-11-23", 3)["text"] == (
        "## Mon 23 Nov\n\n- 22:00–02:00 Night train\n\n"
        "## Tue 24 Nov\n\n- All day: Fair · until Thu 26 Nov\n- until 02:00 Night train\n\n"
        "## Wed 25 Nov\n\n- All day: Fair · until Thu 26 Nov\n"
    )


def test_an_empty_agenda_says_so(folder: Folder) -> None:
    folder.put()
    assert folder.pull("2026-11-23", 5)["text"] == "Nothing on the calendar.\n"

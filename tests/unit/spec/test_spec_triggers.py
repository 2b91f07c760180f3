"""Every way to say why a job starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rota.model.errors import SpecError
from rota.model.job import Job, Trigger
from rota.spec import FileResult

Parse = Callable[..., FileResult]
Good = Callable[..., Job]
Bad = Callable[..., SpecError]


@pytest.mark.parametrize(
    ("text", "triggers"),
    [
        ('schedule: "0 8 * * 1-5"', [("cron", "cron", "0 8 * * 1-5")]),
        ("schedule: daily", [("cron", "cron", "daily")]),
        ('schedule: "@daily"', [("cron", "cron", "@daily")]),
        ("schedule: every 4h", [("every", "every", "every 4h")]),
        ("schedule: at 2030-01-01T09:00", [("at", "at", "at 2030-01-01T09:00")]),
        ("schedule: rrule:FREQ=MONTHLY;BYDAY=1MO", [("rrule", "rrule", "rrule:FREQ=MONTHLY;BYDAY=1MO")]),
        ("schedule: manual", [("manual", "manual", "manual")]),
        ('schedule: "@reboot"', [("reboot", "reboot", "@reboot")]),
        ("schedule: [daily, weekly]", [("cron", "cron", "daily"), ("cron-2", "cron", "weekly")]),
        ("on: manual", [("manual", "manual", "manual")]),
        ("on: {every: 4h}", [("every", "every", "every 4h")]),
        (
            'on: [{cron: "0 8 * * *"}, "@reboot"]',
            [("cron", "cron", "0 8 * * *"), ("reboot", "reboot", "@reboot")],
        ),
        (
            "on: [{reboot: true}, {manual: }]",
            [("reboot", "reboot", "@reboot"), ("manual", "manual", "manual")],
        ),
        ("on: [{rrule: FREQ=DAILY}]", [("rrule", "rrule", "rrule:FREQ=DAILY")]),
        ("on: [{at: 2030-01-01T09:00}]", [("at", "at", "at 2030-01-01T09:00")]),
        (
            "on: [{at: [2030-01-01T09:00, 2031-01-01T09:00], id: new-year}]",
            [("new-year", "at", "at 2030-01-01T09:00"), ("new-year-2", "at", "at 2031-01-01T09:00")],
        ),
        (
            "schedule: hourly\non: [{cron: 0 8 * * *, id: morning}, {cron: 0 9 * * *}]",
            [("cron", "cron", "hourly"), ("morning", "cron", "0 8 * * *"), ("cron-2", "cron", "0 9 * * *")],
        ),
        (
            "on: [{cron: 0 8 * * *, id: cron-2}, daily, weekly]",
            [("cron-2", "cron", "0 8 * * *"), ("cron", "cron", "daily"), ("cron-3", "cron", "weekly")],
        ),
        ("description: by hand", []),
    ],
)
def test_triggers(job_of: Good, text: str, triggers: list[tuple[str, str, str]]) -> None:
    job = job_of(f"{text}\nrun: x\n")
    assert [(found.id, found.kind, found.text) for found in job.triggers] == triggers


def test_an_anchor_stays_as_it_is_written(job_of: Good) -> None:
    job = job_of("on: [{every: 2d, anchor: 2026-01-05T09:00}]\nrun: x\n")
    assert job.triggers == (Trigger("every", "every", "every 2d", "2026-01-05T09:00"),)


def test_after_another_job(job_of: Good) -> None:
    job = job_of("on: [{job: fetch}, {job: other, when: failed}]\nrun: x\n")
    assert [(found.id, found.text, found.options) for found in job.triggers] == [
        ("job", "fetch", {"when": "succeeded"}),
        ("job-2", "other", {"when": "failed"}),
    ]


def test_files_are_watched_by_patterns(job_of: Good) -> None:
    job = job_of(
        "on:\n"
        "  - files: inbox/**/*.md\n"
        "  - {files: [inbox/*.md, notes/], events: [removed, added], ignore: drafts/, settle: 1m, id: late}\n"
        "  - {files: '*.csv', debounce: 10s, initial: true}\n"
        "run: x\n"
    )
    plain = {"events": ["added", "changed"], "overlap": "queue"}
    assert [(found.id, found.kind, found.text, found.options) for found in job.triggers] == [
        ("files", "files", "inbox/**/*.md", plain),
        (
            "late",
            "files",
            "inbox/*.md",
            {
                "patterns": ["inbox/*.md", "notes/"],
                "ignore": ["drafts/"],
                "events": ["added", "removed"],
                "settle": 60.0,
                "overlap": "queue",
            },
        ),
        ("files-2", "files", "*.csv", {**plain, "debounce": 10.0, "batch": True, "initial": True}),
    ]


def test_a_poll_says_how_often_and_has_the_keys_of_its_source(job_of: Good) -> None:
    job = job_of(
        "on:\n"
        "  - poll: calendar\n"
        "  - {poll: calendar, every: 5m, days: 7, batch: true}\n"
        '  - {poll: calendar, cron: "0 8 * * *", events: added, initial: true, timeout: 2m}\n'
        "overlap: skip\n"
        "run: x\n"
    )
    both = ["added", "changed"]
    assert [(found.text, found.options) for found in job.triggers] == [
        ("calendar", {"schedule": "every 15m", "events": both}),
        ("calendar", {"schedule": "every 5m", "events": both, "batch": True, "source": {"days": 7}}),
        ("calendar", {"schedule": "0 8 * * *", "events": ["added"], "initial": True, "timeout": 120.0}),
    ]


def test_what_files_and_items_are_called_is_known_where_they_are(parse: Parse, error_of: Bad) -> None:
    files = "on: [{files: a/*}]\nif: file.suffix == '.md'\nrun: cat {{ file.path }}\nsuccess_if: out/{{ file.stem }}.md\n"
    (parsed,) = parse(files).jobs
    assert parsed.warnings == ()
    assert parse("on: [{poll: calendar}]\nrun: echo {{ item.title }} {{ items | length }}\n").jobs
    error = error_of("schedule: daily\nrun: cat {{ file.path }}\n")
    assert "`file`" in error.message or "file" in error.message
    assert error.line == 2


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("schedule: 5", "expected a schedule such as", None),
        ("schedule: [[daily]]", "expected a schedule such as", None),
        ("schedule: dayly", "`dayly` is no schedule", "did you mean `daily`?"),
        ('schedule: "61 * * * *"', "bad minute", None),
        ('schedule: "* * 31 2 *"', "can never fire", None),
        ("schedule: every 4x", "no length of time", None),
        ("on: [{cron: every 4h}]", "is no cron expression", "write it after `every:`"),
        ("on: [{cron: 5}]", "expected a cron text", None),
        ("on: [{every: 4}]", "no unit", None),
        ("on: [{every: true}]", "expected a duration such as 4h", None),
        ("on: [{at: tomorrow}]", "no date and time", None),
        ("on: [{at: 5}]", "expected a date and time", None),
        ("on: [{every: 4h, anchor: monday}]", "expected a date and time", None),
        ("on: [{cron: 0 8 * * *, anchor: 2026-01-01}]", "unknown key", None),
        ("on: [{crn: 0 8 * * *}]", "a trigger that says no kind", "did you mean `cron`?"),
        ("on: [{cron: 0 8 * * *, every: 4h}]", "one trigger with cron and every", "each an item"),
        ("on: [{job: Other Job}]", "`Other Job` is no id of a job", "did you mean `other-job`?"),
        ("on: [{job: other, when: always}]", "expected succeeded, failed or finished", None),
        ("on: [{reboot: false}]", "expected true, got false", None),
        (
            "on: [{files: ../other/*.md}]",
            "`../other/*.md` leads out of the workspace",
            "relative to the workspace",
        ),
        ("on: [{files: /etc/*}]", "leads out of the workspace", None),
        ("on: [{files: [a/*, ~/b/*]}]", "leads out of the workspace", None),
        ("on: [{files: .rota/jobs/*}]", "a folder that rota does not look at", "left out"),
        ("on: [{files: []}]", "expected a pattern", None),
        ("on: [{files: 5}]", "expected text", None),
        ("on: [{files: a/*, events: [add]}]", "unknown event `add`", "did you mean `added`?"),
        ("on: [{files: a/*, setle: 2s}]", "unknown key", "did you mean `settle`?"),
        ("on: [{files: a/*, settle: 2d}]", "no longer than", None),
        ("on: [{files: a/*, batch: false, debounce: 2s}]", "`debounce` is for `batch: true`", None),
        ("on: [{poll: calendar, every: 5m, cron: 0 8 * * *}]", "both say how often", "keep one"),
        ("on: [{poll: calendar, every: 5}]", "no unit", None),
        ("on: [{poll: calendar, every: 10ms}]", "is too short", None),
        ("on: [{poll: calendar, cron: every 5m}]", "is no cron expression", "after `every:`"),
        ("on: [{poll: calendar, events: removed}]", "unknown event `removed`", None),
        ("on: [{poll: calendar, dayz: 3}]", "unknown key", "did you mean `days`?"),
        ("on: [{poll: calender}]", "unknown source `calender`", "did you mean `calendar`?"),
        ("on: [{manual: true, id: a}, {reboot: true, id: a}]", "two triggers have the id `a`", None),
        ("on: [{manual: true, id: a b}]", "`a b` is no id", None),
    ],
)
def test_triggers_that_are_wrong(error_of: Bad, text: str, message: str, hint: str | None) -> None:
    error = error_of(f"name: x\n{text}\nrun: x\n")
    assert message in error.message
    assert error.line == 2
    if hint is not None:
        assert hint in (error.hint or "")


def test_schedules_are_read_in_the_jobs_zone(parse: Parse, error_of: Bad) -> None:
    # The clock in London skips 01:30 on that day, the one in New York does not.
    text = "schedule: at 2030-03-31T01:30\nrun: x\n"
    (warning,) = parse(f"{text}timezone: Europe/London\n").jobs[0].warnings
    assert warning.startswith("line 1: ")
    assert "skips 01:30" in warning
    assert parse(text, timezone="Europe/London").jobs[0].warnings == (warning,)
    assert parse(text, timezone="America/New_York").jobs[0].warnings == ()


def test_what_people_misread_in_a_cron_is_a_warning(parse: Parse) -> None:
    (parsed,) = parse('schedule: "*/7 * * * *"\nrun: x\n').jobs
    assert "every 7m" in parsed.warnings[0]

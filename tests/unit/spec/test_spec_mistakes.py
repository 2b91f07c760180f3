"""What people get wrong, and whether they are told what and where, all at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rota.model.errors import SpecError
from rota.spec import FileResult

Parse = Callable[..., FileResult]
Bad = Callable[..., SpecError]


def test_all_errors_of_a_file_in_one_go(parse: Parse) -> None:
    result = parse(
        """\
name: x
shedule: daily
timezone: Europe/Lodnon
timeout: [1]
steps:
  - pull: calender
  - rum: x
  - id: a
    run: "{{ nope }}"
notify: slak
on: [{every: 4x}]
"""
    )
    assert result.jobs == ()
    assert [(error.line, error.key) for error in result.errors] == [
        (2, "shedule"),
        (3, "timezone"),
        (4, "timeout"),
        (6, "steps.0.pull"),
        (7, "steps.1"),
        (10, "notify.type"),
        (11, "on.0.every"),
    ]
    assert str(result.errors[2]) == "plan.yaml:4: `timeout`: expected a duration such as 5m, got [1]"
    assert [error.hint for error in result.errors[:2]] == [
        "did you mean `schedule`?",
        "did you mean Europe/London?",
    ]
    assert all("\n" not in str(error) for error in result.errors)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("steps:\n  - run: x\n    skill: y\n", "one step that is `run` and `skill`", "make it two steps"),
        ("steps:\n  - skil: y\n", "unknown step kind `skil`", "did you mean `skill`?"),
        ("steps:\n  - id: y\n", "a step that says nothing to do", "use `agent`, `context`"),
        ("steps:\n  - git pull\n", "expected a step such as `run: git fetch`", "write `run: git pull`"),
        ("steps: []\n", "a job needs at least one step", "such as"),
        ("steps:\n  - run: 5\n", "expected text or a list, got 5", 'quote it: "5"'),
        ("steps:\n  - run: x\n    shell: bahs\n", 'expected sh or bash, got "bahs"', "did you mean `bash`?"),
        ("steps:\n  - run: x\n    timout: 5m\n", "unknown key", "did you mean `timeout`?"),
        ("steps:\n  - agent: x\n    runner: comand\n", "unknown runner `comand`", "did you mean `command`?"),
        ("steps:\n  - pull: calendar\n    dayz: 5\n", "unknown key", "did you mean `days`?"),
        ("steps:\n  - pull: calendar\n    days: 0\n", "should be greater than or equal to 1, got 0", None),
        ("steps:\n  - run: x\n    output: telegrm\n", "`telegrm` is no file", "did you mean `telegram`?"),
        ("steps:\n  - run: x\n    output: result\n", "`result` is no file", "for a file write `result.md`"),
        (
            "steps:\n  - {id: a, run: x}\n  - {id: a, run: y}\n",
            "two steps have the id `a`",
            "give each its own",
        ),
        ("steps:\n  - {id: 1a, run: x}\n", "`1a` is no id of a step", "use letters"),
        (
            "steps:\n  - {id: fetch, run: x}\n  - {run: y, needs: fech}\n",
            "there is no step `fech`",
            "did you mean `fetch`?",
        ),
        (
            "steps:\n  - {id: a, run: x, needs: b}\n  - {id: b, run: y}\n",
            "step `a` waits for itself",
            "circle",
        ),
        ("run: x\nid: My Job\n", "`My Job` is no id", "did you mean `my-job`?"),
        ("run: x\nsteps: [{run: y}]\n", "a step's key beside `steps:`", "make it an item"),
        ("run: x\noverlap: queu\n", "expected skip, queue, cancel-running or allow", "did you mean `queue`?"),
        ("run: x\nenabled: yes\n", 'expected true or false, got "yes"', "write true"),
        ("run: x\ntimeout: 5\n", "`5` has no unit", "5m"),
        ("run: x\nretry: 0\n", "from 1 to 100, got 0", None),
        ("run: x\nretry: {atempts: 3}\n", "unknown key", "did you mean `attempts`?"),
        ("run: x\nretry: {first: 1h, max: 1m}\n", "`max` is shorter than `first`", None),
        ("run: x\nretry: 3\non_error: {retry: 2}\n", "`retry` and `on_error.retry` differ", "keep one"),
        ("run: x\nconcurrency: {limit: 2}\n", "`group` is missing", None),
        ("run: x\nenv: {A B: 1}\n", "no name of an environment variable", None),
        ("run: x\nenv: {A: [1]}\n", "expected text, got [1]", None),
        ("run: x\nenv: [A]\n", 'expected names with values, got ["A"]', None),
        ("run: x\nparams: {x: int}\n", 'got "int"', "did you mean `integer`?"),
        ("run: x\nparams: {x-y: string}\n", "`x-y` is no name of a parameter", None),
        ("run: x\nparams: {x: {type: integer, default: a}}\n", 'expected a whole number, got "a"', None),
        ("run: x\nparams: {x: {choices: [a], default: b}}\n", '"b" is not among the choices', None),
        ("run: x\nparams: [x, x]\n", "two parameters are named `x`", None),
        ("run: x\nparams: {x: 5}\n", "expected a type or keys with values", "{default: 5}"),
        ("run: x\nnotify: [{message: x}]\n", "`type` is missing", "use `desktop`"),
        ("run: x\nnotify: [{type: email}]\n", "`to` is missing", None),
        ("run: x\nnotify: [{type: slack}]\n", "give either `webhook` or `token`", None),
        ("run: x\nnotify: [{type: desktop, mesage: x}]\n", "unknown key", "did you mean `message`?"),
        ("run: x\nnotify: [{type: desktop, when: always}]\n", "expected succeeded, failed", None),
        ("run: x\nnotify: 5\n", "expected the name of a channel", None),
        ("run: x\non_error: {notfy: true}\n", "unknown key", "did you mean `notify`?"),
        ("run: x\non_error: 5\n", "expected true, false, channels", None),
        ("run: x\nbudget: {usd: lots}\n", "expected a number from 0 up", None),
        ("run: x\nbudget: {day: {usdd: 1}}\n", "unknown key", "did you mean `usd`?"),
        ("run: x\nbudget: {usd: 1, run: {turns: 2}}\n", "the caps of a run are there twice", "under `run:`"),
        ("run: x\nbudget: {per: day}\n", "`per` has no cap beside it", None),
        ("run: x\nbudget: {on_over: pause}\n", "a budget without a cap", "{usd: 1, per: day}"),
        ("run: x\nbudget: {turns: 1.5}\n", "expected a whole number", None),
        ("run: x\nbudget: {usd: $5}\n", "expected a number from 0 up", "0.25"),
        ("run: x\nbudget: {usd: 1, per: year}\n", "expected run, day, week or month", None),
        ("run: x\nwindow: 5\n", "expected text", None),
        ("run: x\nwindow: 9-17\n", "`9-17` is no span of time", "write 09:00-17:00"),
        ("run: x\nnot_during: {otherwise: skip}\n", "`times` is missing", "times: 09:00-17:00"),
        ("name: x\n", "`steps` is missing", "say what the job does"),
        ("- 5\n", "expected a job (keys with values), got 5", None),
        ("just text\n", "expected a job, or a list of jobs", None),
        ("- {run: x}\n", "`id` is missing", "add `id:`"),
        ('- {name: "!!", run: x}\n', "no id can be made of '!!'", "add `id:`"),
    ],
)
def test_mistakes(error_of: Bad, text: str, message: str, hint: str | None) -> None:
    error = error_of(text)
    assert message in str(error)
    if hint is not None:
        assert error.hint is not None
        assert hint in error.hint


def test_secrets_are_not_shown_in_errors(error_of: Bad) -> None:
    error = error_of("run: x\nnotify: [{type: telegram, token: 123456, chat: 5}]\n")
    assert "123456" not in f"{error} {error.hint}"
    assert error.message == "expected text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Just a note.\n", "no front matter"),
        ("---\nschedule: daily\n", "the front matter has no end"),
        ("---\nschedule: daily\n---\n", "the prompt is missing"),
        ("---\nsteps: [{run: x}]\n---\nHello\n", "both `steps:` and a prompt below the front matter"),
        ("---\nagent: x\n---\nHello\n", "the prompt is there twice"),
        ("---\n- a\n---\nHello\n", "expected a job"),
    ],
)
def test_mistakes_in_markdown(parse: Parse, text: str, message: str) -> None:
    result = parse(text, "a.md")
    assert result.jobs == ()
    assert message in result.errors[0].message


def test_lines_of_markdown_count_from_the_files_start(parse: Parse) -> None:
    result = parse("---\nname: a\ntimeout: x\n---\n\nHi {{ nope }}\n", "a.md")
    assert [(error.line, error.key) for error in result.errors] == [(3, "timeout"), (6, "agent")]


def test_an_extension_that_rota_does_not_read(error_of: Bad) -> None:
    assert error_of("run: x", "job.toml").message == "rota reads no `.toml` files"


def test_a_channel_of_the_workspace_takes_its_own_keys_as_said_there(parse: Parse) -> None:
    text = "run: x\nnotify: [{type: ops, webhook: x}, {type: telegram, silent: true}]\n"
    assert not parse("run: x\nnotify: [{type: telegram, chat: 5}]\n", channels={"telegram": {}}).errors
    (error,) = parse(text, channels={"ops": {"type": "slack"}, "telegram": {"token": "x", "chat": 1}}).errors
    assert (error.key, error.message) == ("notify.1.silent", "unknown key")


def test_a_source_of_the_workspace(parse: Parse) -> None:
    text = "steps:\n  - pull: work\n    days: 3\n"
    assert parse(text).errors[0].message == "unknown source `work`"
    assert not parse(text, sources={"work": {"type": "calendar"}}).errors
    assert not parse("steps: [{pull: feed}]\n").errors  # its `url:` may stand in rota.yaml


def test_a_mistyped_steps_is_told_of_once_with_a_guess(parse: Parse) -> None:
    result = parse("name: x\nstpes:\n  - run: echo hi\n")
    assert [(error.line, error.key, error.hint) for error in result.errors] == [
        (2, "stpes", "did you mean `steps`?")
    ]

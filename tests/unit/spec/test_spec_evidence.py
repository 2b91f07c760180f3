"""`success_if:` and the words of `retry:`: what is understood, and what is said about mistakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rota.model.errors import SpecError
from rota.model.job import Evidence, Job, Retry
from rota.spec import FileResult, from_json, to_json

Parse = Callable[..., FileResult]
Good = Callable[..., Job]
Bad = Callable[..., SpecError]


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("now/plan.md", [Evidence("file", "now/plan.md")]),
        ("{file: a.md, min_size: 2KB, contains: '^# '}", [Evidence("file", "a.md", min_size=2000, contains="^# ")]),
        ("{file: a.md, min_size: 0}", [Evidence("file", "a.md", min_size=0)]),
        ("[a.md, {command: test -s a.md, timeout: 5s}]", [Evidence("file", "a.md"), Evidence("command", "test -s a.md", timeout=5)]),
        ("{output: ok, step: run}", [Evidence("output", "ok", step="run")]),
        ("{schema: plan.schema.json}", [Evidence("schema", "plan.schema.json")]),
        ("{schema: {type: object}}", [Evidence("schema", schema={"type": "object"})]),
    ],
)  # fmt: skip
def test_forms(job_of: Good, text: str, evidence: list[Evidence]) -> None:
    job = job_of(f"run: x\nsuccess_if: {text}\n")
    unplaced = from_json(to_json(job)).success_if
    assert list(unplaced) == evidence
    assert {item.line for item in job.success_if} == {2}


def test_where_evidence_stands_makes_no_other_job(job_of: Good) -> None:
    assert to_json(job_of("run: x\nsuccess_if: a\n")) == to_json(job_of("# why\nrun: x\nsuccess_if: a\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "`success_if`: expected a file, keys with values, or a list of them, got []"),
        ("5", "`success_if`: expected a file, or keys with values, got 5"),
        ("{min_size: 5}", "`success_if`: `file`, `command`, `output` or `schema` is missing"),
        ("{file: a, command: b}", "`success_if`: `file` and `command` in one item"),
        ("[a, {fil: b}]", "`success_if.1`: `file`, `command`, `output` or `schema` is missing"),
        ("[a, {file: b, step: run}]", "`success_if.1.step`: unknown key"),
        ("{output: '(', step: run}", "`success_if.output`: no regular expression: "),
        ("{file: a, contains: '['}", "`success_if.contains`: no regular expression: "),
        ("{output: x, step: rum}", "`success_if.step`: there is no step `rum`"),
        ("{file: a, min_size: big}", "`success_if.min_size`: expected a size such as 10MB"),
        ("{command: a, timeout: 5}", "`success_if.timeout`: "),
        ("'now/{{ todey }}.md'", "`success_if`: "),
        ("{command: 'cat {{ steps.rum.output }}'}", "`success_if.command`: "),
        ("{schema: 5}", "`success_if.schema`: expected text, got 5"),
        ("{schema: {type: nope}}", "`success_if.schema.type`: no valid JSON Schema: 'nope' is not valid"),
        ("{schema: {properties: {a: {minimum: x}}}}", "`success_if.schema.properties.a.minimum`: no valid JSON Schema"),
        ("{schema: {$ref: '#/$defs/nope'}}", "`success_if.schema`: no valid JSON Schema: its `$ref`"),
        ("{schema: {$ref: 'https://example.org/s'}}", "`success_if.schema`: no valid JSON Schema: its `$ref`"),
    ],
)  # fmt: skip
def test_mistakes(error_of: Bad, text: str, said: str) -> None:
    error = error_of(f"run: x\nsuccess_if: {text}\n")
    assert str(error).startswith(f"plan.yaml:2: {said}")


def test_a_schema_is_refused_at_its_own_line(error_of: Bad) -> None:
    text = "run: x\nsuccess_if:\n  - a.md\n  - schema:\n      type: object\n      required: name\n"
    assert str(error_of(text)).startswith("plan.yaml:6: `success_if.1.schema.required`: ")


def test_references_within_a_schema_are_followed(job_of: Good) -> None:
    schema = "{$defs: {n: {type: integer}}, properties: {a: {$ref: '#/$defs/n'}, $ref: {type: string}}}"
    assert job_of(f"run: x\nsuccess_if: {{schema: {schema}}}\n").success_if


def test_the_name_under_which_the_check_is_journalled_is_taken(error_of: Bad) -> None:
    said = error_of("steps: [{run: x, id: success_if}]\nsuccess_if: a\n")
    assert "a step has the id `success_if`" in str(said)


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("{on: any}", Retry(3)),
        ("{attempts: 2, on: [timeout, 75, 5XX]}", Retry(2, on=("timeout", "75", "5xx"))),
        ("{not_on: exit}", Retry(3, not_on=("exit",))),
    ],
)
@pytest.mark.parametrize("key", ["retry", "retry_run"])
def test_what_is_tried_again(job_of: Good, key: str, text: str, retry: Retry) -> None:
    job = job_of(f"run: x\n{key}: {text}\n")
    assert getattr(job, key) == retry
    assert getattr(from_json(to_json(job)), key) == retry


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{on: [timeout, true]}", "`retry.on.1`: expected text"),
        ("{on: []}", "`retry.on`: expected what is tried again"),
        ("{on: 600}", "`retry.on`: expected a whole number from 0 to 599"),
        ("{not_on: any}", "`retry.not_on`: `any` leaves nothing to try again"),
        ("{on: [exit, timeout], not_on: exit}", "`retry.not_on`: `exit` is in `on` too"),
    ],
)
def test_mistakes_in_what_is_tried_again(error_of: Bad, text: str, said: str) -> None:
    assert str(error_of(f"run: x\nretry: {text}\n")).startswith(f"plan.yaml:2: {said}")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("timeot", "line 2: rota knows no failure `timeot`; did you mean `timeout`?"),
        ("quota_gone", "line 2: rota knows no failure `quota_gone`; see `Retry` in docs/job-file.md"),
        ("bad_template", "line 2: `bad_template` is never tried again: another try cannot mend it"),
    ],
)
def test_words_that_name_nothing_are_warned_of(parse: Parse, word: str, said: str) -> None:
    (parsed,) = parse(f"run: x\nretry: {{on: [exit, {word}]}}\n").jobs
    assert parsed.warnings == (said,)


def test_the_trigger_of_retries_is_taken(error_of: Bad) -> None:
    assert "`retry` is what rota itself calls" in str(error_of("run: x\non: [{every: 4h, id: retry}]\n"))

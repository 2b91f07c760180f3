"""Templates that cannot work are found before anything runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rota.spec import FileResult

Parse = Callable[..., FileResult]


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("run: echo {{ paylod.x }}\n", "run", "`paylod` is not defined"),
        ("run: echo {{ payload.x\n", "run", "payload.x"),
        ("run: x\nenv: {A: '{{ nope }}'}\n", "env.A", "`nope` is not defined"),
        ("run: x\nif: steps.a.output\n", "if", "`steps` is not defined"),
        ("run: x\nif: today.day ==\n", "if", "today.day =="),
        ("steps:\n  - skill: x\n    input: {a: '{{ steps.b.output }}'}\n", "steps.0.input.a", "no step `b`"),
        ("steps:\n  - run: x\n    output: '{{ nope }}.md'\n", "steps.0.output", "`nope` is not defined"),
        ("steps:\n  - run: x\n    if: steps.nope.output\n", "steps.0.if", "no step `nope`"),
    ],
)
def test_a_template_that_would_fail_is_an_error(parse: Parse, text: str, key: str, message: str) -> None:
    result = parse(text)
    assert [error.key for error in result.errors] == [key]
    assert message in result.errors[0].message


@pytest.mark.parametrize(
    "text",
    [
        "run: echo {{ payload.x }} {{ params.y }} {{ now }} {{ previous.state | default('') }}\n",
        "run: echo {{ nope | default('') }}\n",
        "steps:\n  - run: x\n  - run: y\n    if: new_items > 0\n",
        "steps:\n  - run: x\n  - run: echo {{ steps.run.output }}\n",
        "run: x\nnotify: {type: desktop, message: '{{ new_items }} new', condition: new_items > 0}\n",
    ],
)
def test_templates_that_are_well(parse: Parse, text: str) -> None:
    (parsed,) = parse(text).jobs
    assert parsed.warnings == ()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "run: x\nnotify: {type: desktop, message: '{{ steps.b.output }}'}\n",
            "line 2: `{{ steps.b.output }}`: there is no step `b`",
        ),
        ("run: x\nnotify: [{type: desktop, condition: steps.b.count > 0}]\n", "line 2: "),
        ("run: x\non_error: {message: '{{ steps.b.output }}'}\n", "line 2: "),
        ("run: bash -c 'echo {{ payload.x }}'\n", "line 1: `{{ payload.x }}` becomes part of a program"),
        (
            "steps:\n  - {run: 'echo {{ steps.b.output }}'}\n  - {id: b, run: y}\n",
            "line 2: step `b` has not run when this step starts",
        ),
        (
            "steps:\n  - {id: a, run: x}\n  - {run: 'echo {{ steps.a.output }}', needs: []}\n",
            "line 3: step `a` has not run when this step starts",
        ),
    ],
)
def test_what_works_otherwise_than_meant_is_a_warning(parse: Parse, text: str, warning: str) -> None:
    (parsed,) = parse(text).jobs
    assert len(parsed.warnings) == 1
    assert parsed.warnings[0].startswith(warning)


def test_a_step_that_cannot_be_read_makes_no_other_step_wrong(parse: Parse) -> None:
    result = parse("steps:\n  - {id: a, rum: x}\n  - {run: 'echo {{ steps.a.output }}', needs: a}\n")
    assert [error.key for error in result.errors] == ["steps.0"]

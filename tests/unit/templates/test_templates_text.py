"""Templates as text and as values, conditions, and the words of their errors."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from rota.model.errors import TemplateError
from rota.templates import StepsView, evaluate, render, render_value, truth

VALUES: dict[str, Any] = {
    "payload": {
        "title": "Hello",
        "items": [1, 2],
        "keys": "k",
        "values": 7,
        "get": "got",
        "count": 3,
        "who": {"name": "Ada"},
        "evil": "{{ 7*7 }}{% if x %}",
    },
    "params": {"flag": "false", "n": 5},
    "now": datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
    "steps": StepsView(
        {
            "weekly-planning": {
                "output": "plan\n",
                "state": "succeeded",
                "values": {"count": 3, "items": ["a"]},
            },
            "collect": {"output": "", "state": "failed", "values": {}},
        }
    ),
}


def failure(text: str, values: dict[str, Any] | None = None) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(text, VALUES if values is None else values)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no template, $x {x} }}", "no template, $x {x} }}"),
        ("Hi {{ payload.who.name }}!\n", "Hi Ada!\n"),
        ("{{ payload.missing | default('none') }}", "none"),
        ("{{ none }}|{{ true }}|{{ 1.5 }}|{{ [1, {'a': none}] }}", '|true|1.5|[1,{"a":null}]'),
        ("{{ now }} {{ now | date('%d %B') }} {{ now.year }}", "2026-11-21T08:00:00+00:00 21 November 2026"),
        ("{{ '2026-01-02T03:04:05Z' | date }} {{ now | strftime('%H:%M') }}", "2026-01-02 08:00"),
        ("{{ payload.who | tojson }} {{ '<é>' | tojson }}", '{"name":"Ada"} "<é>"'),
        ("{{ 'Weekly Plan' | slug }} {{ 'a/b.txt' | basename }}", "weekly-plan b.txt"),
        ("{% for l in 'a\n\nb\n' | lines %}[{{ l }}]{% endfor %}", "[a][][b]"),
        ("{% for i in [1, 2] %}{{ i }}/{{ loop.length }}{{ ', ' if not loop.last }}{% endfor %}", "1/2, 2/2"),
        ("{% if params.n > 9 %}a{% elif params.n > 4 %}b{% else %}c{% endif %}", "b"),
        (
            "{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
            "6",
        ),
        ("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}", "3"),
        ("a{# gone #}b {% raw %}{{ x }}{% endraw %}", "ab {{ x }}"),
        ("${#name} {{ '${#x}' }}", "${#name} ${#x}"),
        ("{{ 'a' ~ 1 ~ true ~ none }} {{ [1, true] | join('-') }}", "a1true 1-true"),
        (
            "{{ 'a & b' | e }} {{ '<b>' | safe }} {{ 'x' * 3 }} {{ '%s!' | format('y') }}",
            "a &amp; b <b> xxx y!",
        ),
        ("{{ [3, 1] | sort | first }} {{ [1, 2] | sum }} {{ 'a' in 'abc' }}", "1 3 true"),
        (
            "{{ [{'n': 1}, {'n': 2}] | map(attribute='n') | list }} {{ 'abcdef' | truncate(4, leeway=0) }}",
            "[1,2] a...",
        ),
    ],
)
def test_a_template_gives_text(text: str, expected: str) -> None:
    assert render(text, VALUES) == expected


def test_a_value_from_outside_is_never_a_template() -> None:
    assert render("{{ payload.evil }}", VALUES) == "{{ 7*7 }}{% if x %}"
    assert render_value({"a": ["{{ payload.evil }}"]}, VALUES) == {"a": ["{{ 7*7 }}{% if x %}"]}
    assert evaluate("payload.evil", VALUES) == "{{ 7*7 }}{% if x %}"
    assert render("{{ a }}{{ b }}7*7{{ c }}", {"a": "{", "b": "{ ", "c": " }}"}) == "{{ 7*7 }}"


def test_a_mapping_gives_its_data_before_its_methods() -> None:
    text = "{{ payload.items }} {{ payload.keys }} {{ payload.values }} {{ payload.get }} {{ payload.count }}"
    assert render(text, VALUES) == "[1,2] k 7 got 3"
    assert render("{% for k, v in payload.who.items() %}{{ k }}={{ v }}{% endfor %}", VALUES) == "name=Ada"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ payload.count }}", 3),
        ("{{ payload['items'] }}", [1, 2]),
        ("{{payload.who}}", {"name": "Ada"}),
        ("{{ payload.missing | default(none) }}", None),
        ("{{ [1, 2] | map('string') }}", ["1", "2"]),
        ("{{ now }}", VALUES["now"]),
        ("{{ payload.count }}\n", "3\n"),
        (" {{ payload.count }}", " 3"),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{{ 'a }} b' }}", "a }} b"),
        (7, 7),
        (None, None),
        ({"{{ k }}": ["{{ params.n }}", ("x{{ params.n }}",)]}, {"{{ k }}": [5, ["x5"]]}),
    ],
)
def test_one_expression_alone_keeps_its_type(value: Any, expected: Any) -> None:
    result = render_value(value, VALUES)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("payload.count > 0", True),
        ("{{ payload.count > 5 }}", False),
        (" payload.title == 'Hello' and not params.missing is defined ", True),
        ("payload.who", True),
        ("params.flag", False),
        ("{{ params.flag }}", False),
        ("{{ params.n }} items", True),
        ("{% if params.n > 9 %}yes{% else %}no{% endif %}", False),
        ("{{ '' }}{{ none }}", False),
        ("steps.weekly_planning.state == 'succeeded'", True),
        ("'a' in {'a': {'b': 1}}", True),
        ("0", False),
    ],
)
def test_conditions(expression: str, expected: bool) -> None:
    assert truth(evaluate(expression, VALUES)) is expected


def test_a_condition_gives_its_own_value() -> None:
    assert evaluate("payload.count + 1", VALUES) == 4
    assert evaluate("payload.who", VALUES) == {"name": "Ada"}


@pytest.mark.parametrize("false", ["", " ", "false", "False", "0", "no", "NONE\n", None, 0, [], {}])
def test_what_counts_as_false(false: Any) -> None:
    assert truth(false) is False


@pytest.mark.parametrize("true", ["true", "yes", "00", "x", 1, [0], {"a": 0}])
def test_what_counts_as_true(true: Any) -> None:
    assert truth(true) is True


def test_steps_are_found_by_their_spoken_ids_too() -> None:
    text = "{{ steps.weekly_planning.output }}{{ steps['weekly-planning'].count }} {{ steps.weekly_planning.items }}"
    assert render(text, VALUES) == 'plan\n3 ["a"]'
    assert render("{{ steps.weekly_planning.values.count }} {{ steps.collect.state }}", VALUES) == "3 failed"
    assert (
        render("{{ steps.nope is defined }} {{ 'collect' in steps }} {{ steps | length }}", VALUES)
        == "false true 2"
    )
    assert evaluate("steps.collect", VALUES) == {"output": "", "state": "failed", "values": {}}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a {{ paylod.x }}", "`{{ paylod.x }}`: `paylod` is not defined", "did you mean `payload`?"),
        (
            "{{ params.n }} {{ zzz }}",
            "`{{ zzz }}`: `zzz` is not defined",
            "known here: now, params, payload, steps",
        ),
        ("{{ payload.titel }}", "`payload` has no `titel`", "did you mean `title`?"),
        ("{{ payload.who['nam'] }}", "`payload.who` has no `nam`", "did you mean `name`? it has: name"),
        ("{{ steps.colect.output }}", "there is no step `colect`", "did you mean `collect`?"),
        (
            "{{ steps.weekly_planning.cuont }}",
            "`steps.weekly_planning` has no `cuont`",
            "did you mean `count`?",
        ),
        ("{{ payload['items'][5] }}", "`payload['items']` is a list with 2 items and has no `5`", "default"),
        ("{{ payload.title.foo }}", "`payload.title` is a str and has no `foo`", "default"),
        ("{{ [zzz] | tojson }}", "`{{ [zzz] | tojson }}`: `zzz` is not defined", "known here"),
        ("{% if payload.nope %}x{% endif %}", "`{% if payload.nope %}`: `payload` has no `nope`", "it has"),
        (
            "{% if false %}{% elif nope %}x{% endif %}",
            "`{% elif nope %}`: `nope` is not defined",
            "known here",
        ),
        ("{% for x in nope %}{% endfor %}", "`{% for x in nope %}`: `nope` is not defined", "known here"),
        ("{% set x = nope %}{{ x }}", "`nope` is not defined", "known here"),
        ("{% for x in 5 %}{% endfor %}", "`{% for x in 5 %}`: 'int' object is not iterable", "tojson"),
        ("{{ payload.title.upper }}", "`upper` is a method here, not a value", "`upper()`"),
        ("{{ 1 / 0 }}", "`{{ 1 / 0 }}`: division by zero", "tojson"),
        ("{{ payload.title + 1 }}", "`{{ payload.title + 1 }}`:", "tojson"),
        (
            "{{ payload | slugg }}",
            "`{{ payload | slugg }}`: there is no filter `slugg`",
            "did you mean `slug`?",
        ),
        ("{{ payload is definde }}", "there is no test `definde`", "did you mean `defined`?"),
        ("{{ 'soon' | date }}", "`soon` is not a date", "ISO 8601"),
        ("x {{ a b }} y", "`{{ a b }}`: expected token", "{% raw %}"),
        ("line\n{{ a", "`{{ a`: unexpected end of template", "{% raw %}"),
        ("{% if a %}", "`{% if a %}`: unexpected end of template", "{% raw %}"),
        ("{% frob %}", "`{% frob %}`: encountered unknown tag 'frob'", "{% raw %}"),
        ("{% macro m() %}{% endmacro %}", "`{% macro %}` is not part of rota's templates", "`for`"),
        ("a\0{{ x }}", "NUL", "take it out"),
    ],
)
def test_an_error_quotes_the_expression_and_helps(text: str, message: str, hint: str) -> None:
    error = failure(text)
    assert message in error.message
    assert hint in (error.hint or "")


def test_the_failing_one_of_several_expressions_is_quoted() -> None:
    error = failure("{{ params.n }} {{ params.m }} {{ params.n }}")
    assert error.message.startswith("`{{ params.m }}`")


def test_an_empty_or_broken_condition_is_an_error() -> None:
    for text in ("", "  ", "a b", "payload.", "x }} {{ y"):
        with pytest.raises(TemplateError) as caught:
            evaluate(text, VALUES)
        assert caught.value.hint


def test_the_room_is_imported_without_jinja() -> None:
    program = "import sys, rota.templates as t; t.render('x', {}); t.problems('x', [], []); sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0

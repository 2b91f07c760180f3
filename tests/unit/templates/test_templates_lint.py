"""What `rota check` can say about templates before there are values."""

from __future__ import annotations

import pytest

from rota.templates import problems, shell_problems

KNOWN = ["payload", "params", "steps", "now"]
STEPS = ["collect", "weekly-planning"]


@pytest.mark.parametrize(
    "text",
    [
        "no template at all",
        "{{ payload.anything.at_all }} {{ now }}",
        "{{ steps.collect.output }} {{ steps.weekly_planning.count }} {{ steps['weekly-planning'].state }}",
        "{% for s, t in steps.items() %}{{ s }} {{ loop.index }}{% endfor %}{% set x = 1 %}{{ x }}",
        "{{ maybe | default('x') }} {% if maybe is defined %}y{% endif %} {{ range(3) | list }}",
        "{% raw %}{{ nope }}{% endraw %} {# nope #}",
    ],
)
def test_good_templates_have_no_problems(text: str) -> None:
    assert problems(text, KNOWN, STEPS) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ paylod.x }}", ["`{{ paylod.x }}`: `paylod` is not defined (did you mean `payload`?"]),
        ("{{ a }} {{ b }}", ["`a` is not defined", "`b` is not defined"]),
        ("{{ steps.colect.output }}", ["there is no step `colect` (did you mean `collect`?"]),
        ("{{ steps['x-y'] }}", ["there is no step `x-y`"]),
        (
            "{% if steps.colect is defined %}{% endif %}",
            ["`{% if steps.colect is defined %}`: there is no step `colect`"],
        ),
        ("{% for x in [1] %}{{ x }}{% endfor %}{{ x }}", ["`x` is not defined"]),
        ("{{ a b", ["expected token"]),
        ("{{ payload | slugg }}", ["there is no filter `slugg` (did you mean `slug`?"]),
        ("{% include 'x' %}", ["`{% include %}` is not part of rota's templates"]),
    ],
)
def test_problems_name_what_is_wrong(text: str, said: list[str]) -> None:
    found = problems(text, KNOWN, STEPS)
    assert len(found) == len(said)
    for line, part in zip(found, said, strict=True):
        assert part in line
        assert "\n" not in line


def test_conditions_are_read_with_and_without_braces() -> None:
    assert problems("payload.n > 0 and steps.collect.count", KNOWN, STEPS, expression=True) == []
    assert problems("{{ payload.n > 0 }}", KNOWN, STEPS, expression=True) == []
    assert (
        "`nwo` is not defined (did you mean `now`?" in problems("nwo > 1", KNOWN, STEPS, expression=True)[0]
    )
    assert "`steps.x` is" not in problems("steps.x", KNOWN, STEPS, expression=True)[0]
    assert problems("a b", KNOWN, STEPS, expression=True)[0].startswith("`a b`")
    assert "empty" in problems(" ", KNOWN, STEPS, expression=True)[0]


def test_a_shell_text_that_no_value_fits_is_a_problem() -> None:
    assert shell_problems("echo {{ payload.x }} ${#name}") == []
    assert "here-document" in shell_problems("cat <<'E'\n{{ payload.x }}\nE")[0]

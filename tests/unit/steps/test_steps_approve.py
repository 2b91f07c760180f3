"""The `approve` step: what it asks, and what it shows with the question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from rota.model.errors import RotaError, StepError
from rota.model.message import OnDeny
from rota.ports.steps import Waiting

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


def asks(bench: Bench, **keys: Any) -> Waiting:
    result = bench.run({"approve": "Send it?", **keys}, values={"payload": {"x": "secret.txt", "t": "Hi"}})
    assert isinstance(result, Waiting)
    return result


def test_a_question_has_two_choices_and_a_week(bench: Bench) -> None:
    found = asks(bench)
    assert (found.kind, found.question, found.choices) == ("approval", "Send it?", ("approve", "deny"))
    assert (found.expires, found.fallback, found.on_deny) == (7 * 86_400, None, OnDeny.FAIL)


def test_the_preview_is_a_file_or_a_text(bench: Bench) -> None:
    bench.file("now/plan.md", "# The plan\n")
    assert asks(bench, preview="now/plan.md").preview == "# The plan\n"
    assert asks(bench, preview="now/{{ 'plan' }}.md").preview == "# The plan\n"
    assert asks(bench, preview="It says: {{ payload.t }}.").preview == "It says: Hi."
    assert asks(bench, preview="https://example.com/plan").preview == "https://example.com/plan"


def test_a_value_from_outside_names_no_file(bench: Bench) -> None:
    bench.file("secret.txt", "hidden")
    assert asks(bench, preview="{{ payload.x }}").preview == "secret.txt"


def test_a_preview_that_is_not_there_is_no_question(bench: Bench) -> None:
    for name in ("now/plan.md", "plan.md", "../plan.md"):
        with pytest.raises(StepError, match="cannot be shown") as caught:
            asks(bench, preview=name)
        assert caught.value.permanent


def test_a_long_preview_is_cut(bench: Bench) -> None:
    bench.file("long.md", "x" * 60_000)
    for preview in ("long.md", "x" * 60_000):
        shown = asks(bench, preview=preview).preview
        assert shown is not None
        assert shown.endswith("x\n[rota: the rest is left out]")
        assert len(shown) < 50_100


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"choices": ["a", "a"]}, "each of the `choices` once"),
        ({"choices": ["fail"]}, "call it `deny`"),
        ({"choices": []}, "at least 1 item"),
        ({"choices": ["two\nlines"]}, "pattern"),
        ({"default": "maybe"}, "one of the choices"),
        ({"expires": "soon"}, "soon"),
        ({"expires": "600w"}, "at most 3650d"),
        ({"on_deny": "shrug"}, "'fail', 'skip' or 'continue'"),
        ({"notify": {"type": "mail", "message": "x"}}, "the question is the message"),
    ],
)
def test_keys_that_make_no_question_are_refused(bench: Bench, keys: dict[str, Any], said: str) -> None:
    with pytest.raises((ValidationError, RotaError), match=said):
        asks(bench, **keys)


def test_a_channel_has_to_be_there(bench: Bench) -> None:
    bench.settings(channels={"team": {"type": "slack"}})
    assert [one.type for one in asks(bench, notify="team").notify] == ["team"]
    assert asks(bench, notify=[{"type": "team", "to": "x"}]).notify[0].config == {"to": "x"}
    with pytest.raises(StepError, match="no channel 'taem'"):
        asks(bench, notify="taem")

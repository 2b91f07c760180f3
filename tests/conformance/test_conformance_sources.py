"""What every kind of source keeps to, pulled from something real on this machine."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.source_cases import CASES, Case

from rota.model.errors import StepError
from rota.ports.steps import SourceKind
from rota.sources.registry import SOURCES
from rota.spec.models import keys_of
from rota.spec.steps import COMMON_KEYS
from rota.steps.pull import PullParams
from rota.steps.registry import STEPS

NOW = "2026-11-23T08:00:00+00:00"
REQUIRED = {"items", "text", "note", "cursor", "unchanged"}
OPTIONAL = {"files", "conflicts"}
KINDS = pytest.mark.parametrize("kind", SOURCES.values(), ids=list(SOURCES))


class Pulls:
    """One consumer of a source: what it gets, and its cursor, kept as JSON between pulls."""

    def __init__(self, kind: SourceKind, workspace: Path, name: str) -> None:
        module, _, function = kind.target.partition(":")
        self._function = getattr(importlib.import_module(module), function)
        self._wants = getattr(kind, "wants", ())
        self._workspace = workspace
        self._name = name
        self.cursor = "null"

    def pull(self, config: dict[str, Any]) -> dict[str, Any]:
        further = {"cursor": json.loads(self.cursor), "source": self._name, "news_only": False}
        given = {name: further[name] for name in self._wants}
        answer = self._function(
            config=config, workspace=str(self._workspace), now=NOW, timezone="Europe/London", **given
        )
        plain: dict[str, Any] = json.loads(json.dumps(answer, allow_nan=False))
        self.cursor = json.dumps(plain.get("cursor"))
        return plain


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".rota").mkdir()
    return tmp_path


@pytest.fixture
def case(kind: SourceKind, workspace: Path) -> Iterator[Case]:
    assert kind.key in CASES, f"{kind.key} has no case in tests/support/source_cases.py"
    with CASES[kind.key](workspace) as found:
        yield found


@KINDS
def test_its_keys_say_what_they_are(kind: SourceKind) -> None:
    assert (kind.__doc__ or "").strip()
    for name, about in kind.params.model_fields.items():
        assert about.description, f"{kind.key}: `{name}` is not described"
        assert re.match(r"[A-Z`]", about.description), name
        assert about.description.rstrip().endswith((".", ")")), name
    schema = kind.params.model_json_schema()
    assert schema["additionalProperties"] is False
    with pytest.raises(ValidationError):
        kind.params.model_validate({"surprise": 1})


@KINDS
def test_its_keys_can_stand_in_a_step(kind: SourceKind) -> None:
    """A step's own keys, and those that say what kind of step it is, would never reach the source."""
    taken = {*COMMON_KEYS, *STEPS, *PullParams.model_fields, "type"}
    allowed = {"env"}  # of the step and of the source it is the same
    assert keys_of(kind.params) & taken <= allowed


@KINDS
def test_an_answer_has_the_shape_that_is_agreed_on(kind: SourceKind, workspace: Path, case: Case) -> None:
    answer = Pulls(kind, workspace, "mine").pull(case.config)
    assert set(answer) - OPTIONAL == REQUIRED
    assert answer["items"]
    assert isinstance(answer["text"], str)
    assert isinstance(answer["note"], str)
    assert "\n" not in answer["note"]
    assert answer["unchanged"] is False
    for item in answer["items"]:
        for name in ("id", "version", "title"):
            assert isinstance(item[name], str)
            assert item[name], name
    for path in answer.get("files", []):
        assert (workspace / path).is_file()


@KINDS
def test_what_is_as_it_was_is_said_to_be(kind: SourceKind, workspace: Path, case: Case) -> None:
    pulls = Pulls(kind, workspace, "mine")
    first = pulls.pull(case.config)
    kept = pulls.cursor
    again = pulls.pull(case.config)
    assert (again["unchanged"], again.get("files", [])) == (True, [])
    assert again["items"] == (first["items"] if case.gives_all else [])
    assert json.loads(pulls.cursor) == json.loads(kept)


@KINDS
def test_what_is_new_comes_once(kind: SourceKind, workspace: Path, case: Case) -> None:
    pulls = Pulls(kind, workspace, "mine")
    first = pulls.pull(case.config)
    case.change()
    second = pulls.pull(case.config)
    assert second["unchanged"] is False
    known = {one["id"] for one in first["items"]}
    assert len([one for one in second["items"] if one["id"] not in known]) == 1
    assert case.gives_all or len(second["items"]) == 1
    assert pulls.pull(case.config)["unchanged"] is True


@KINDS
def test_another_consumer_has_its_own_place(kind: SourceKind, workspace: Path, case: Case) -> None:
    one, other = Pulls(kind, workspace, "mine"), Pulls(kind, workspace, "mine")
    first = one.pull(case.config)
    same = other.pull(case.config)
    assert [item.get("id") for item in same["items"]] == [item.get("id") for item in first["items"]]


@KINDS
def test_a_failure_says_what_is_wrong_and_what_to_do(kind: SourceKind, workspace: Path, case: Case) -> None:
    with pytest.raises(StepError) as failure:
        Pulls(kind, workspace, "mine").pull(case.broken)
    error = failure.value
    assert error.message
    assert "\n" not in error.message
    assert error.hint
    assert error.code != "error"


@KINDS
def test_no_secret_is_in_an_answer_or_an_error(kind: SourceKind, workspace: Path, case: Case) -> None:
    pulls = Pulls(kind, workspace, "mine")
    shown = json.dumps(pulls.pull(case.config), ensure_ascii=False) + pulls.cursor
    with pytest.raises(StepError) as failure:
        pulls.pull(case.broken)
    shown += f"{failure.value.message} {failure.value.hint}"
    kept = "".join(path.read_text("utf-8", "replace") for path in workspace.rglob("*") if path.is_file())
    for secret in case.secrets:
        assert secret not in shown
        assert secret not in kept

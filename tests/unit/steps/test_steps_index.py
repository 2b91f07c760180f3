"""The steps `index` and `context`: what they put out, and what is wrong with their keys."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from rota.model.errors import RotaError
from rota.steps import context, index

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


@pytest.fixture
def bench(bench: Bench) -> Bench:
    meetings = bench.workspace / "meetings"
    meetings.mkdir()
    (bench.workspace / ".rota").mkdir(exist_ok=True)
    (meetings / "2026-11-17-halden.md").write_text("# Halden\n\nThey like direction B.\n")
    (meetings / "2026-01-05-old.md").write_text("# Halden, long ago\n\nThey liked direction A.\n")
    (bench.workspace / "plan.md").write_text("# Weekly planning\n\nHow to plan a week.\n")
    return bench


def test_what_is_called_in_hosts_is_there() -> None:
    for target in (index.TARGET, context.TARGET):
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))


def test_index_says_what_changed(bench: Bench) -> None:
    first = bench.done({"index": True})
    assert first.output == "3 files indexed: 3 new, 0 changed, 0 gone"
    assert first.values == {"files": 3, "passages": 3, "added": 3, "changed": 0, "removed": 0}
    (bench.workspace / "meetings/new.md").write_text("new")
    (bench.workspace / "other.md").write_text("new")
    assert bench.done({"index": "meetings"}).values["added"] == 1
    assert bench.done({"index": ["meetings", "."]}).values["added"] == 1
    (bench.workspace / "other.md").unlink()
    assert bench.done({"index": "other.md"}).values["removed"] == 1


def test_context_gives_text_count_paths_and_tokens(bench: Bench) -> None:
    found = bench.done(
        {"context": "{{ params.about }}", "since": "7d"}, values={"params": {"about": "direction"}}
    )
    assert found.values["paths"][0] == "meetings/2026-11-17-halden.md"
    assert "meetings/2026-01-05-old.md" not in found.values["paths"]
    assert "They like direction B." in found.output
    assert found.values["text"] == found.output
    assert found.values["count"] == len(found.values["paths"])
    assert 0 < found.values["tokens"] <= 8000


def test_context_keeps_to_its_budget_its_paths_and_the_cap_on_values(bench: Bench) -> None:
    (bench.workspace / "long.md").write_text(
        "\n\n".join(f"# Plan {n}\n\nplan {n} " + "word " * 200 for n in range(60))
    )
    found = bench.done({"context": "plan", "budget": 500, "in": ["long.md"]})
    assert found.values["paths"] == ["long.md"]
    assert found.values["tokens"] <= 500
    bench.settings(limits=bench.config.limits.__class__(value=3000))
    found = bench.done({"context": "plan", "budget": 100_000})
    assert 1000 < len(found.output.encode()) <= 3000
    assert found.output.endswith("```\n")


def test_context_obeys_the_settings_of_the_index(bench: Bench) -> None:
    bench.settings(index=bench.config.index.__class__(exclude=("meetings/",)))
    assert bench.done({"context": "direction plan"}).values["paths"] == ["plan.md"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"context": "plan", "in": "nowhere"}, "there is no file or folder nowhere"),
        ({"context": "plan", "in": "../.."}, "is no path in the workspace"),
        ({"context": "plan", "since": "last week"}, "cannot read since when"),
        ({"context": "-plan"}, "there is no word to look for"),
        ({"index": ["../x"]}, "is no path in the workspace"),
    ],
)
def test_mistakes_are_said(bench: Bench, config: dict[str, object], message: str) -> None:
    with pytest.raises(RotaError, match=message):
        bench.run(config)

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from rota.model.config import Limits
from rota.model.errors import PathError, StepError

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


def test_a_function_of_a_file_is_called_with_rendered_arguments(bench: Bench) -> None:
    bench.file("tools/sums.py", "def add(a, b, note=''):\n    return {'sum': a + b, 'note': note}\n")
    result = bench.done(
        {"python": "tools/sums.py:add", "args": {"a": 2, "b": "{{ params.b }}", "note": "n{{ params.b }}"}},
        values={"params": {"b": 3}},
    )
    assert result.values == {"sum": 5, "note": "n3"}
    assert json.loads(result.output) == result.values


@pytest.mark.parametrize(
    ("returned", "output", "values"),
    [
        ("None", "", {}),
        ("'text'", "text", {}),
        ("[1, 'é']", '[1, "é"]', {"result": [1, "é"]}),
        ("7", "7", {"result": 7}),
    ],
)
def test_what_is_returned_becomes_the_output(
    bench: Bench, returned: str, output: str, values: object
) -> None:
    bench.file("a.py", f"def f():\n    return {returned}\n")
    result = bench.done({"python": "a.py:f"})
    assert (result.output, result.values) == (output, values)


def test_coroutine_functions_are_run_and_neighbours_can_be_imported(bench: Bench) -> None:
    bench.file("jobs/step_neighbour.py", "WORD = 'near'\n")
    bench.file("jobs/a.py", "from step_neighbour import WORD\nasync def f():\n    return WORD\n")
    assert bench.done({"python": "jobs/a.py:f"}).output == "near"


def test_a_file_may_be_named_like_a_module_of_the_library_and_have_dataclasses(bench: Bench) -> None:
    bench.file(
        "json.py",
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass A:\n    x: int\ndef f(): return A(4).x\n",
    )
    assert bench.done({"python": "json.py:f"}).values == {"result": 4}


def test_a_module_is_looked_for_in_the_workspace_its_jobs_and_script_folders(bench: Bench) -> None:
    bench.file(".rota/jobs/step_module_here.py", "def f(): return 'found'\n")
    assert bench.done({"python": "step_module_here:f"}).output == "found"
    call = bench.hosts.calls[0]
    assert list(call.paths) == [
        bench.workspace, bench.workspace / ".rota/jobs", bench.workspace / "scripts", bench.workspace / ".rota/scripts",
    ]  # fmt: skip
    assert list(call.fresh) == [bench.workspace]


def test_secrets_are_filled_into_arguments_but_not_for_a_value_that_names_one(bench: Bench) -> None:
    bench.secrets.stored = {"TOKEN": "s3cret"}
    bench.file("a.py", "def f(**kw): return kw\n")
    result = bench.done(
        {"python": "a.py:f", "args": {"mine": "${TOKEN}", "theirs": "{{ payload.x }}"}},
        values={"payload": {"x": "${TOKEN}"}},
    )
    assert result.values == {"mine": "s3cret", "theirs": "${TOKEN}"}


def test_a_function_or_file_that_is_not_there_is_named(bench: Bench) -> None:
    bench.file("a.py", "x = 1\n")
    with pytest.raises(StepError, match="no function `f`"):
        bench.run({"python": "a.py:f"})
    with pytest.raises(PathError, match="there is no file"):
        bench.run({"python": "b.py:f"})


@pytest.mark.parametrize("target", ["../x.py:f", "/tmp/x.py:f", ".rota/secrets/x.py:f"])
def test_a_file_outside_the_workspace_is_refused(bench: Bench, target: str) -> None:
    with pytest.raises(PathError):
        bench.run({"python": target})


@pytest.mark.parametrize(
    "target", ["", "module", "module:", ":f", "m:f()", "{{ payload.f }}", "a b:f", "m:f g"]
)
def test_what_names_no_function_is_refused_and_a_value_cannot_name_one(bench: Bench, target: str) -> None:
    with pytest.raises(ValidationError):
        bench.run({"python": target}, values={"payload": {"f": "os:getcwd"}})


def test_a_long_text_is_cut(bench: Bench) -> None:
    bench.settings(limits=replace(Limits(), value=10))
    bench.file("a.py", "def f(): return 'x' * 25\n")
    assert bench.done({"python": "a.py:f"}).output == "x" * 10 + "\n[rota: 15 more bytes left out]"

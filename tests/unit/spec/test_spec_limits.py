"""`limits:` of jobs and steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from rota.model.job import Job, ProcessLimits
from rota.spec import Catalog, FileResult
from rota.spec.codec import from_json, to_json
from rota.spec.schema import json_schema
from rota.spec.yaml_reader import read_yaml

Good = Callable[..., Job]
Parse = Callable[..., FileResult]

TEXT = """
limits: {memory: 512MB, processes: 64}
steps:
  - run: x
  - run: y
    limits: {memory: 1GiB, open_files: 256}
  - run: z
    limits: {}
"""


def test_a_step_has_its_own_limits_or_the_jobs(job_of: Good) -> None:
    job = job_of(TEXT)
    assert job.limits == ProcessLimits(memory=512_000_000, processes=64)
    assert [step.limits for step in job.steps] == [
        None,
        ProcessLimits(memory=1024**3, open_files=256),
        ProcessLimits(),
    ]
    again = from_json(to_json(job))
    assert (again.limits, [step.limits for step in again.steps]) == (
        job.limits,
        [step.limits for step in job.steps],
    )


def test_a_job_of_one_step(job_of: Good) -> None:
    assert job_of("run: x\nlimits: {processes: 8}\n").limits == ProcessLimits(processes=8)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("512MB", "expected keys with values"),
        ("{memory: lots}", "a size such as 10MB"),
        ("{memory: 512}", "too little memory"),
        ("{processes: 0}", "from 1"),
        ("{open_files: 3}", "from 16"),
        ("{memroy: 1GB}", "unknown key"),
    ],
)
def test_mistakes_are_told_with_their_place(parse: Parse, limits: str, words: str) -> None:
    for text in (f"run: x\nlimits: {limits}\n", f"steps: [{{run: x, limits: {limits}}}]\n"):
        (error,) = parse(text).errors
        assert words in error.message
        assert "limits" in (error.key or "")


def test_editors_know_them(catalog: Catalog) -> None:
    schema = Draft202012Validator(json_schema(catalog))
    assert schema.is_valid(read_yaml(TEXT).data)
    assert not schema.is_valid(read_yaml("run: x\nlimits: {memroy: 1GB}\n").data)
    assert not schema.is_valid(read_yaml("steps: [{run: x, limits: {processes: 0}}]\n").data)

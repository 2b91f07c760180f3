"""What every kind of step and every runner keeps to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from rota.engine.board import StoredBoard
from rota.model.card import Author, Card
from rota.model.config import WorkspaceConfig
from rota.model.errors import RotaError, StepError
from rota.model.job import Job, Notify, OnInterrupt, Step
from rota.model.run import Run, RunState
from rota.ports.cards import NewCard
from rota.ports.clock import SystemClock
from rota.ports.processes import Command, Exit, HostCall, OnOutput
from rota.ports.sources import Conflict
from rota.ports.steps import Done, Failed, Services, StepContext, StepKind, Waiting
from rota.ports.store import Store
from rota.runners.registry import RUNNERS
from rota.steps.registry import STEPS
from rota.store import open_store
from rota.templates import render_value

KINDS = pytest.mark.parametrize("kind", STEPS.values(), ids=list(STEPS))

# Keys that make a step of each kind whole, so that one of them can be made bad.
GOOD: Mapping[str, Mapping[str, Any]] = {
    "run": {"run": "true", "stdin": "x", "cwd": "."},
    "script": {"script": "scripts/a.sh", "args": ["x"]},
    "python": {"python": "a.py:f", "args": {"x": "y"}},
    "write": {"write": "a.txt", "content": "x"},
    "http": {"http": "http://localhost/", "headers": {"a": "b"}, "query": {"a": "b"}, "body": "x"},
    "pull": {"pull": "nothing", "days": "x"},
    "index": {"index": ["."]},
    "context": {"context": "plan", "budget": 500, "in": ["."], "since": "7d"},
    "agent": {"agent": "Hello", "input": {"a": "b"}, "runner": "inbox", "model": "x"},
    "skill": {"skill": "plan", "input": {"a": "b"}, "runner": "inbox"},
    "card": {"card": "Call Priya", "body": "x", "column": "todo", "tags": ["a"], "due": "3d", "key": "x"},
    "notify": {"notify": {"type": "none", "message": "x"}},
    "approve": {"approve": "Well?", "preview": "a text", "expires": "1h"},
}
BAD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, [], {}, [[]], {"a": {}}, "", " ", "\0", "\ud800", "../x", "/", "~", ".", "x" * 300_000,
    "{{ payload.x }}", "{{ nothing.at.all }}", "{{", "{% for %}", "${NOT_SET}", "a\r\nb", "-x", "\U0001f4a9" * 100,
)  # fmt: skip


class Stub:
    """Every service: programs end well and say nothing, hosts answer nothing."""

    async def run(self, command: Command, on_output: OnOutput) -> Exit:
        return Exit(0)

    async def sweep(self, markers: Mapping[str, str]) -> int:
        return 0

    async def call(self, call: HostCall, on_output: OnOutput) -> Any:
        if call.target.startswith("rota.steps.http"):
            return {"error": "not here"}
        raise StepError("not here")

    async def close(self) -> None:
        return None

    def get(self, name: str) -> str | None:
        return None

    def known(self) -> Mapping[str, str]:
        return {"TOKEN": "s3cret"}

    async def notify(self, notify: Notify, ctx: StepContext) -> bool:
        return True


class LateBoard:
    """The real board; its state is made when a step first asks for it."""

    stores: ClassVar[dict[Path, Store]] = {}

    def __init__(self, workspace: Path) -> None:
        self._path = workspace / "state.db"

    async def create(
        self, card: NewCard, by: Author, config: WorkspaceConfig, timezone: str
    ) -> tuple[Card, bool]:
        if self._path not in self.stores:
            self.stores[self._path] = open_store(self._path)
        board = StoredBoard(self.stores[self._path], SystemClock(), Stub())
        return await board.create(card, by, config, timezone)


class States:
    """Sources that were never asked."""

    async def get(self, name: str) -> Any:
        return None

    async def put(self, kept: Mapping[str, Any]) -> None:
        return None

    async def failed(self, source: str, message: str) -> None:
        return None

    async def tell(self, source: str, conflicts: Sequence[Conflict], config: WorkspaceConfig) -> None:
        return None


def context(workspace: Path, step: Step) -> StepContext:
    stub = Stub()
    return StepContext(
        workspace=workspace, config=WorkspaceConfig(), job=Job("job", "Job", (step,)), step=step,
        run=Run("run-1", "job", RunState.RUNNING, "hash", 0), attempt=1, values={"payload": {"x": "a\0\ud800"}},
        env={"PATH": "/usr/bin:/bin"}, timeout=5.0, log=lambda _stream, _data: None,
        services=Services(
            SystemClock(), stub, stub, stub, STEPS, {}, {}, RUNNERS, stub, States(), board=LateBoard(workspace),
        ),
    )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    for path in ("scripts/a.sh", "a.py", ".rota/skills/plan/SKILL.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    yield tmp_path
    while LateBoard.stores:
        LateBoard.stores.popitem()[1].close()


def keys_of(params: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in params.model_fields.items()}


def test_keys_are_unique_and_name_their_kind() -> None:
    assert all(kind.key == key for key, kind in STEPS.items())
    assert len({type(kind) for kind in STEPS.values()}) == len(STEPS)
    assert all(runner.key == key for key, runner in RUNNERS.items())
    assert set(GOOD) == set(STEPS), "a new kind of step is tried here too"


@KINDS
def test_a_kind_has_the_field_of_its_key_and_says_what_each_is_for(kind: StepKind) -> None:
    fields = keys_of(kind.params)
    assert kind.key in fields
    assert fields[kind.key].default is PydanticUndefined
    for name, field in fields.items():
        assert field.description, f"{kind.key}: {name} has no description"
        assert re.match(r"[A-Z`]", field.description), name
        assert field.description.rstrip().endswith((".", ")")), name
    assert kind.raw <= set(fields)
    assert isinstance(kind.on_interrupt, OnInterrupt)
    assert (kind.__doc__ or "").strip()


@KINDS
def test_a_kind_has_a_json_schema(kind: StepKind) -> None:
    schema = kind.params.model_json_schema()
    assert schema["properties"][kind.key]["description"]
    assert kind.key in schema["required"]
    assert schema["additionalProperties"] is (kind.key == "pull")


@KINDS
def test_good_keys_are_accepted(kind: StepKind) -> None:
    kind.params.model_validate(dict(GOOD[kind.key]))


@KINDS
def test_bad_keys_end_in_words_never_in_a_crash(kind: StepKind, workspace: Path) -> None:
    for name in {**keys_of(kind.params), **GOOD[kind.key]}:
        for bad in BAD:
            config = {**GOOD[kind.key], name: bad}
            ctx = context(workspace, Step("step", kind.key, config))
            try:
                rendered = {k: v if k in kind.raw else render_value(v, ctx.values) for k, v in config.items()}
                result = asyncio.run(kind.run(kind.params.model_validate(rendered), ctx))
            except (RotaError, ValidationError):
                continue  # in words of its own
            except Exception as error:
                raise AssertionError(f"{kind.key}: {name}: {bad!r:.60}") from error
            assert isinstance(result, Done | Failed | Waiting)
            if isinstance(result, Failed):
                assert result.reason.text.strip()
                assert "\n" not in result.reason.text


@KINDS
def test_an_unknown_key_is_refused(kind: StepKind) -> None:
    keys = {**GOOD[kind.key], "surprise": 1}
    if kind.key == "pull":  # whose other keys are the source's to judge
        assert (kind.params.model_validate(keys).model_extra or {})["surprise"] == 1
        return
    with pytest.raises(ValidationError):
        kind.params.model_validate(keys)


def test_agents_are_asked_about_after_an_interruption() -> None:
    asking = {key for key, kind in STEPS.items() if kind.on_interrupt is OnInterrupt.ASK}
    assert asking == {"agent", "skill"}


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=list(RUNNERS))
def test_a_runner_says_whether_it_is_set_up(runner: Any) -> None:
    assert runner.configured(WorkspaceConfig()) is (runner.key == "inbox")
    assert (cast("Any", runner).__doc__ or "").strip()

"""What other people wrote raises, hangs or dies: steps, sources, channels, runners, conditions, schedules, files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace
from tests.support.watching import EVERY_SECOND, goes_on, logged, nothing_lost

KINDS = """\
import asyncio, os, time
from pydantic import BaseModel, ConfigDict, field_validator
from rota.model.job import OnInterrupt
from rota.ports.steps import Done


class Keys(BaseModel):
    model_config = ConfigDict(extra="allow")


class Strange(BaseException):
    pass


class Step:
    key, params, raw, on_interrupt = "strange", Keys, frozenset(), OnInterrupt.RETRY

    async def run(self, params, ctx):
        how = params.strange
        if how == "raise":
            raise ZeroDivisionError("by zero")
        if how == "exit":
            raise SystemExit(3)
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "base":
            raise Strange("not even an Exception")
        if how == "cancel":
            raise asyncio.CancelledError
        if how == "hang":
            await asyncio.sleep(10_000)
        if how == "number":
            return 42
        if how == "no text":
            return Done(42)
        if how == "no json":
            return Done("x", {"a": object()})


class Touchy(BaseModel):
    touchy: str

    @field_validator("touchy")
    @classmethod
    def _look(cls, value):
        raise ZeroDivisionError("in a validator")


class TouchyStep(Step):
    key, params = "touchy", Touchy


class Source:
    key, params, target = "strange", Keys, "strangers:pull"


class Channel:
    key, params, target = "strange", Keys, "strangers:send"


class Runner:
    key, params = "strange", Keys

    def configured(self, config):
        raise ZeroDivisionError("nobody knows")

    async def state(self, ctx):
        raise ZeroDivisionError("nobody knows that either")

    async def run(self, request, ctx):
        raise ZeroDivisionError("no answer")


class Property:
    @property
    def key(self):
        raise ZeroDivisionError("no key")


class NoText(Step):
    key = ["a", "list"]


def pull(config, workspace, now, timezone):
    _act(config["how"])
    return config["how"]


def send(config, title, body, about):
    _act(config["how"])


def _act(how):
    if how == "raise":
        raise ZeroDivisionError("by zero")
    if how == "die":
        os._exit(7)
    if how == "exit":
        raise SystemExit(7)
    if how == "hang":
        time.sleep(10_000)
"""

ENTRY_POINTS = """\
[rota.steps]
strange = strangers:Step
touchy = strangers:TouchyStep
missing = no_such_module:Step
exits = strangers_at_import:Step
property = strangers:Property
no-text = strangers:NoText

[rota.sources]
strange = strangers:Source

[rota.channels]
strange = strangers:Channel

[rota.runners]
strange = strangers:Runner
missing = strangers:NoSuchThing
"""

# Job, its text, and what its run says of itself. Each of them fails, at once, by itself.
FAILING = {
    "raise": ("- strange: raise", "ZeroDivisionError: by zero"),
    "exit": ("- strange: exit", "SystemExit: 3"),
    "interrupt": ("- strange: interrupt", "KeyboardInterrupt"),
    "base": ("- strange: base", "not even an Exception"),
    "cancel": ("- strange: cancel", "CancelledError"),
    "hang": ("- {strange: hang, timeout: 1s}", "timed out after 1 s"),
    "nothing": ("- strange: nothing", "gave a NoneType"),
    "number": ("- strange: number", "gave a int"),
    "no-text": ("- strange: no text", "an output that is no text"),
    "no-json": ("- strange: no json", "not JSON"),
    "source-raise": ("- {pull: strange, how: raise}", "by zero"),
    "source-die": ("- {pull: strange, how: die}", "ended during the call, with exit code 7"),
    "source-exit": ("- {pull: strange, how: exit}", "7"),
    "source-hang": ("- {pull: strange, how: hang, timeout: 1s}", "timed out after 1 s"),
    "source-odd": ("- {pull: strange, how: odd}", "did not return items and text"),
    "runner": ("- agent: hello", "ZeroDivisionError"),
    "template": ("- run: echo {{ payload.nobody.there }}", "nobody"),
    "template-loop": ("- write: x.txt\n  content: '{% for a in range(10**9) %}x{% endfor %}'", "range"),
    "step-if": ("- {run: echo x, if: 1 / 0}", "`if:` failed"),
}
DYING = (
    "import os\nfrom rota.authoring import job\n\n\n@job(schedule='every 1s')\ndef dies():\n    os._exit(9)\n"
)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rota]:
    """A daemon among strangers, with a job of its own that fires each second to the end."""
    packages = tmp_path_factory.mktemp("packages")
    (packages / "strangers.py").write_text(KINDS)
    (packages / "strangers_at_import.py").write_text("import sys\nsys.exit('not today')\n")
    installed = packages / "strangers-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)
    with new_workspace(tmp_path_factory.mktemp("raising") / "work") as rota:
        rota.env["PYTHONPATH"] = str(packages)
        rota.write(".rota/rota.yaml", "timezone: UTC\nenv_allow: [PYTHONPATH]\nagent: {runner: strange}\n")
        rota.job("tick", EVERY_SECOND.format(file="tick.txt"))
        for name, (steps, _) in FAILING.items():
            rota.job(name, "steps:\n  " + steps.replace("\n", "\n  ") + "\n")
        rota.job("condition", "schedule: every 1s\nif: 1 / 0\nsteps:\n  - run: echo x\n")
        rota.job(
            "tell",
            "steps:\n  - run: echo x\nnotify:\n  - {type: strange, how: die}\n  - {type: strange, how: raise}\n",
        )
        rota.job("unlucky", "schedule: every 2s\nsteps:\n  - run: echo x\n")
        rota.job("touchy", "steps:\n  - touchy: x\n")
        rota.write(".rota/jobs/dying.py", DYING)
        rota.write(".rota/jobs/raising.py", "1 / 0\n")
        rota.write(".rota/jobs/ending.py", "import os\nos._exit(3)\n")
        rota.up()
        pid = rota.daemon_pid()
        goes_on(rota, "tick.txt")
        yield rota
        assert rota.daemon_pid() == pid, "it lived through it all"
        nothing_lost(rota, "tick")


@pytest.fixture(autouse=True)
def _the_others_go_on(up: Rota) -> Iterator[None]:
    yield
    goes_on(up, "tick.txt", times=1)


def test_each_failing_step_says_why(up: Rota) -> None:
    for name in FAILING:
        up.quick("run", name)
    for name, (_, words) in FAILING.items():
        eventually(lambda: up.runs(name)[0]["state"] not in {"queued", "running"}, f"{name} ends")  # noqa: B023 # at once
        run = up.runs(name)[0]
        assert (name, run["state"]) == (name, "failed")
        assert words in run["reason"]["text"], (name, run["reason"])
    assert "ZeroDivisionError: by zero" in up.quick("logs", "raise").out, "with its traceback in the log"


def test_a_condition_that_raises(up: Rota) -> None:
    eventually(lambda: up.runs("condition") and up.runs("condition")[0]["state"] == "failed")
    assert "`if:` failed" in up.runs("condition")[0]["reason"]["text"]
    assert "`if:` failed" in up.quick("why", "condition").out


def test_a_channel_that_raises_or_dies(up: Rota) -> None:
    assert "tell succeeded" in up("run", "tell", "--wait").err

    def errors() -> str:
        return " ".join(m["error"] or "" for m in up.quick("logs", "tell", "--json").json["messages"])

    eventually(
        lambda: "exit code 7" in errors() and "by zero" in errors(), "both are tried, and said why not"
    )
    assert len(up.runs("tell")) == 1, "the job is not run again for it"
    assert up.runs("tell")[0]["state"] == "succeeded"
    assert "exit code 7" in up("doctor", code=1).out


def test_a_function_that_ends_its_process(up: Rota) -> None:
    eventually(lambda: up.runs("dies") and up.runs("dies")[0]["state"] == "failed")
    assert "exit code 9" in up.runs("dies")[0]["reason"]["text"]
    eventually(lambda: len(up.runs("dies")) > 2, "it fires again, in a process of its own")


def test_a_schedule_that_cannot_be_computed_any_more(up: Rota) -> None:
    eventually(lambda: up.runs("unlucky"), "it fires")
    with sqlite3.connect(up.layout.state, timeout=60) as connection:
        connection.execute("UPDATE triggers SET text = 'every blue moon' WHERE job_id = 'unlucky'")
    connection.close()
    eventually(lambda: logged(up, "trigger_failed"), "it is noticed")
    eventually(lambda: "could not be computed" in up.quick("why", "unlucky").out, "the job says so")
    assert "could not be computed" in up("doctor", code=1).out
    assert len(logged(up, "trigger_failed")) == 1, "and is not tried again and again"


def test_what_cannot_be_loaded_is_shown(up: Rota) -> None:
    examined = up("doctor", code=1).out
    for words in (
        "rota.steps: missing (no_such_module:Step) cannot be loaded: ModuleNotFoundError",
        "rota.steps: exits (strangers_at_import:Step) cannot be loaded: SystemExit: not today",
        "rota.steps: property (strangers:Property) cannot be loaded: ZeroDivisionError: no key",
        "rota.steps: no-text (strangers:NoText) has a key that is no text",
        "rota.runners: missing (strangers:NoSuchThing) cannot be loaded: AttributeError",
    ):
        assert words in examined
    listed = up("list")
    for name, words in (
        ("touchy", "ZeroDivisionError: in a validator"),
        ("raising", "division by zero"),
        ("ending", "ended Python (exit code 3)"),
    ):
        assert "broken" in next(line for line in listed.out.splitlines() if line.startswith(name))
        assert words in listed.err
        assert words in examined


def test_a_file_that_takes_long_to_read(tmp_path: Path) -> None:
    """What is known already goes on meanwhile, also when the daemon has only just started."""
    with new_workspace(tmp_path / "work") as rota:
        rota.job("tick", EVERY_SECOND.format(file="tick.txt"))
        rota.quick("list")
        rota.write(".rota/jobs/slow.py", "import time\ntime.sleep(12)\n1 / 0\n")
        rota.up()
        goes_on(rota, "tick.txt")
        assert not logged(rota, "job_file_broken"), "it is still being read"
        eventually(lambda: logged(rota, "job_file_broken"), "it is shown in the end")
        assert "division by zero" in rota.quick("list").err

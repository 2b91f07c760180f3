from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from rota.model.agent import Outcome
from rota.model.config import AgentConfig, WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.agents import AgentRequest, AgentResult, RunnerContext
from rota.ports.processes import Command, Exit, OnOutput
from rota.ports.steps import Waiting
from rota.runners.command import CommandRunner
from rota.runners.inbox import InboxRunner
from rota.runners.registry import RUNNERS, load_entry_points

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Desk


def printing(stdout: bytes = b"", stderr: bytes = b"", code: int = 0) -> Callable[[Command, OnOutput], Exit]:
    def program(_command: Command, on_output: OnOutput) -> Exit:
        on_output("stdout", stdout)
        on_output("stderr", stderr)
        return Exit(code)

    return program


def configured(*argv: str) -> WorkspaceConfig:
    return WorkspaceConfig(agent=AgentConfig(command=argv))


def test_auto_tries_the_command_before_the_inbox() -> None:
    assert (next(iter(RUNNERS)), list(RUNNERS)[-1]) == ("command", "inbox")
    assert [key for key, runner in RUNNERS.items() if runner.configured(WorkspaceConfig())] == ["inbox"]
    assert RUNNERS["command"].configured(configured("claude", "-p"))


def test_the_inbox_waits_with_the_whole_prompt(desk: Desk) -> None:
    result = desk.ask(InboxRunner(), AgentRequest("Do this.\nThen that."))
    assert isinstance(result, Waiting)
    assert (result.kind, result.question, result.reason.code) == ("prompt", "Do this.\nThen that.", "inbox")


def test_a_command_reads_the_prompt_and_prints_the_answer(desk: Desk) -> None:
    desk.config = configured("agent", "--model={model}", "-p")
    desk.program = printing(b"The answer\n", b"thinking\n")
    result = desk.ask(CommandRunner(), AgentRequest("$(prompt)", model="small"))
    assert result == AgentResult(Outcome.DONE, "The answer", model="small", exit_code=0)
    command = desk.commands[0]
    assert command.argv == ("agent", "--model=small", "-p")
    assert (command.stdin, command.cwd) == (b"$(prompt)", desk.workspace)
    assert command.env["ROTA_RUN_ID"] == "run-1"
    assert b"thinking" in desk.log


def test_an_agent_that_said_nothing_did_not_do_it(desk: Desk) -> None:
    desk.config = configured("agent")
    desk.program = printing(b" \n")
    result = desk.ask(CommandRunner(), AgentRequest("Hello"))
    assert isinstance(result, AgentResult)
    assert (result.outcome, result.code, result.retry) == (Outcome.FAILED, "empty_answer", True)


def test_a_failing_command_fails_in_its_own_words(desk: Desk) -> None:
    desk.config = configured("agent")
    desk.program = printing(b"partial", b"rate limit reached\n", 1)
    result = desk.ask(CommandRunner(), AgentRequest("Hello"))
    assert isinstance(result, AgentResult)
    assert result.outcome is Outcome.FAILED
    assert result.detail == "exit code 1: rate limit reached"
    assert result.exit_code == 1


def test_what_is_known_of_a_command_without_starting_it(tmp_path: Path) -> None:
    (tmp_path / "agent").write_text("#!/bin/sh\n")
    (tmp_path / "agent").chmod(0o755)
    environment = {"PATH": str(tmp_path)}
    there = asyncio.run(
        CommandRunner().state(RunnerContext(configured("agent", "-p"), environment, frozenset()))
    )
    assert (there.found, there.where, there.missing) == (True, str(tmp_path / "agent"), None)
    gone = asyncio.run(CommandRunner().state(RunnerContext(configured("other"), environment, frozenset())))
    assert (gone.found, gone.missing) == (False, "`other` is not on PATH")


def test_a_place_for_a_model_needs_a_model(desk: Desk) -> None:
    desk.config = configured("agent", "{model}")
    with pytest.raises(StepError, match="no model is named"):
        desk.ask(CommandRunner(), AgentRequest("Hello"))
    assert not desk.commands


def test_a_long_answer_is_cut_and_says_so(desk: Desk) -> None:
    desk.config = configured("agent")
    desk.config = replace(desk.config, limits=replace(desk.config.limits, value=100))
    desk.program = printing(b"x" * 1000)
    result = desk.ask(CommandRunner(), AgentRequest("Hello"))
    assert isinstance(result, AgentResult)
    assert result.outcome is Outcome.DONE
    assert result.text == "x" * 100 + "\n[rota: 900 more bytes left out]"


class Third(InboxRunner):
    key = "third"


class Point(SimpleNamespace):
    """An entry point of another package."""

    name: str
    value: str
    thing: object

    def load(self) -> object:
        if isinstance(self.thing, BaseException):
            raise self.thing
        return self.thing


def test_other_packages_add_runners_and_a_broken_one_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        Point(name="a", value="a:A", thing=ImportError("no module named torch")),
        Point(name="b", value="b:B", thing=Third),
        Point(name="c", value="c:C", thing=InboxRunner()),
        Point(name="d", value="d:D", thing=object()),
        Point(name="e", value="e:E", thing=SystemExit(3)),
    ]
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: points if group == "rota.runners" else []
    )
    found, problems = load_entry_points()
    assert list(found) == ["third"]
    assert problems == [
        "rota.runners: a (a:A) cannot be loaded: ImportError: no module named torch",
        "rota.runners: c (c:C) is ignored: there is a kind `inbox` already",
        "rota.runners: d (d:D) has no key, params, configured, state, run",
        "rota.runners: e (e:E) cannot be loaded: SystemExit: 3",
    ]

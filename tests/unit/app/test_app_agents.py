"""Which runners there are, which one is taken, and what is said of those that somebody needs and that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from pydantic import BaseModel
from tests.support.opened import Opened

from rota.app.agents import Survey, survey
from rota.app.doctor import examine
from rota.app.settings import settings_in_force
from rota.model.config import WorkspaceConfig
from rota.ports.agents import (
    AgentRequest,
    AgentResult,
    Runner,
    RunnerContext,
    RunnerState,
    success_of,
)
from rota.ports.keys import NoKeys
from rota.ports.steps import StepContext


@dataclass
class Stranger:
    """A runner of another package."""

    key: ClassVar[str] = "stranger"
    params: ClassVar[type[BaseModel]] = NoKeys
    said: RunnerState | Exception
    asked: RunnerContext | None = None

    def configured(self, config: WorkspaceConfig) -> bool:
        return True

    async def state(self, ctx: RunnerContext) -> RunnerState:
        self.asked = ctx
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        raise NotImplementedError


def put_first(opened: Opened, runner: Runner) -> None:
    runners: Mapping[str, Runner] = {runner.key: runner, **opened.app.kinds.runners}
    opened.app.__dict__["kinds"] = replace(opened.app.kinds, runners=runners)


def configure(opened: Opened, text: str) -> None:
    opened.file(".rota/rota.yaml", text)
    opened.app.use(settings_in_force(opened.app))


def lacks(found: Survey, key: str) -> str:
    return next(view.lacks for view in found.runners if view.key == key)


def test_auto_takes_the_first_that_is_ready(opened: Opened) -> None:
    found = survey(opened.app)
    assert (found.takes, found.why) == ("inbox", "the first that is set up")
    assert lacks(found, "command") == "there is no `command:` under `agent:` in rota.yaml"
    configure(opened, "agent: {command: cat, model: best}\n")
    found = survey(opened.app)
    assert found.takes == "command"
    assert next(view.model for view in found.runners if view.key == "command") == "best"


def test_a_pinned_runner_is_taken_or_none(opened: Opened) -> None:
    configure(opened, "agent: {runner: inbox, command: cat}\n")
    assert (survey(opened.app).takes, survey(opened.app).why) == ("inbox", "rota.yaml says `runner: inbox`")
    configure(opened, "agent: {runner: command, command: no-such-program}\n")
    found = survey(opened.app)
    assert found.takes is None
    assert found.why == "rota.yaml says `runner: command`, and `no-such-program` is not on PATH"


def test_a_runner_is_told_what_it_may_look_at_and_no_more(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "x")
    opened.app.secrets.set("KEY", "hush")
    stranger = Stranger(RunnerState(found=True, version="1.2", key=True))
    put_first(opened, stranger)
    assert survey(opened.app).takes == "stranger"
    assert stranger.asked is not None
    assert "SOME_TOKEN" not in stranger.asked.environment
    assert "KEY" in stranger.asked.secrets
    assert "hush" not in str(stranger.asked)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (RunnerState(found=False, missing="install it"), "install it"),
        (OSError("no room"), "OSError: no room"),
    ],
)
def test_one_that_lacks_something_or_breaks_is_passed_over(
    opened: Opened, said: RunnerState | Exception, words: str
) -> None:
    put_first(opened, Stranger(said))
    found = survey(opened.app)
    assert (found.takes, lacks(found, "stranger")) == ("inbox", words)


def test_the_last_success_is_known(opened: Opened) -> None:
    about = {"at": 7, "job": "brief", "run": "r1", "model": "m"}
    opened.app.store.write_now(lambda tx: tx.cursors.put(success_of("inbox"), about, 7))
    success = {view.key: view.success for view in survey(opened.app).runners}
    assert success["command"] is None
    assert success["inbox"] is not None
    assert (success["inbox"].at, success["inbox"].job) == (7, "brief")


def test_the_doctor_names_runners_that_are_asked_for_and_missing(opened: Opened) -> None:
    def said() -> list[str]:
        return [f.text for f in examine(opened.app) if f.level == "problem" and "runner" in f.text]

    opened.job("brief", "steps: [{agent: hello}, {agent: bye, runner: inbox}]\n")
    assert said() == []
    opened.job("tidy", "steps: [{agent: hello, runner: command}, {agent: bye, runner: command}]\n")
    missing = "there is no `command:` under `agent:` in rota.yaml"
    assert said() == [f"the agent runner command, which tidy asks for, is not ready: {missing}"]
    configure(opened, "agent: {runner: command, command: no-such-program}\n")
    missing = "`no-such-program` is not on PATH"
    assert said() == [
        f"the agent runner command, which rota.yaml, brief, tidy asks for, is not ready: {missing}"
    ]


def test_a_model_that_nobody_names_is_missing_only_where_it_is_needed(opened: Opened) -> None:
    def said() -> list[str]:
        return [f.text for f in examine(opened.app) if f.level == "problem" and "runner" in f.text]

    configure(opened, "agent: {runner: builtin, builtin: {provider: anthropic, key: x}}\n")
    opened.job("brief", "steps: [{agent: hello, model: claude-haiku-4-5}]\n")
    assert said() == []
    opened.job("tidy", "steps: [{agent: hello}]\n")
    (problem,) = said()
    assert "builtin, which tidy asks for, is not ready: no model is named" in problem
    assert "no model is named" in lacks(survey(opened.app), "builtin")

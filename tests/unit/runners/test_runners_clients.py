"""How the runners of other people's clients start them, and what they make of their end: a program is a function here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rota.model.agent import AgentSession, Caps, Denial, Outcome, Permissions, Response
from rota.model.config import AgentConfig, WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.agents import AgentRequest, AgentResult, Runner
from rota.ports.processes import Command, Exit, OnOutput
from rota.runners.claude import ClaudeRunner
from rota.runners.codex import CodexRunner
from rota.runners.pi import PiRunner

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Desk

STREAMS = Path(__file__).parent / "streams"
RUNNERS: tuple[Runner, ...] = (ClaudeRunner(), CodexRunner(), PiRunner())
KEYS = {"claude": "ANTHROPIC_API_KEY", "codex": "OPENAI_API_KEY", "pi": "ANTHROPIC_API_KEY"}
MODELS = {"claude": "claude-sonnet-4-5", "codex": "gpt-5", "pi": "anthropic/claude-sonnet-4-5"}


@dataclass
class Account:
    """Says that the budget is used up at the response of that number."""

    used_up_at: int = 99
    caps: Caps = field(default_factory=Caps)
    told: list[Response] = field(default_factory=list)

    async def paid(self, response: Response) -> str | None:
        self.told.append(response)
        return "the budget of $1 is used up" if len(self.told) >= self.used_up_at else None

    async def close(self) -> None:
        """Nothing was reserved."""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with a program of each client's name, and nothing in the environment that is a key."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in KEYS:
        (folder / name).write_text("#!/bin/sh\necho 1.2.3\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    for name in (*KEYS.values(), "CLAUDE_CODE_OAUTH_TOKEN", "CODEX_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def at(desk: Desk, programs: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose settings have a key for each client, that is in the environment."""
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    settings = {
        name: {"key": "${SOME_KEY}", "path": str(programs / name), "model": MODELS[name]} for name in KEYS
    }
    desk.config = WorkspaceConfig(agent=AgentConfig(settings=settings), root=str(desk.workspace))
    return desk


def printing(name: str, code: int = 0) -> Callable[[Command, OnOutput], Exit]:
    def program(_command: Command, on_output: OnOutput) -> Exit:
        data = (STREAMS / f"{name}.jsonl").read_bytes()
        for start in range(0, len(data), 1000):  # lines come in pieces
            on_output("stdout", data[start : start + 1000])
        return Exit(code)

    return program


def asked(desk: Desk, runner: Runner, **keys: Any) -> AgentResult:
    result = desk.ask(runner, AgentRequest("The prompt.", **keys))
    assert isinstance(result, AgentResult)
    return result


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.key)
def test_a_client_is_set_up_when_it_is_there_with_a_key(
    runner: Runner, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = WorkspaceConfig(root=str(tmp_path))
    assert not runner.configured(config)
    (tmp_path / ".rota").mkdir()
    secrets = tmp_path / ".rota/secrets.json"
    secrets.write_text(json.dumps({KEYS[runner.key]: "sk-1"}))
    assert runner.configured(config)
    secrets.unlink()
    monkeypatch.setenv(KEYS[runner.key], "sk-1")
    assert runner.configured(config)
    (programs / runner.key).unlink()
    assert not runner.configured(config)


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.key)
def test_a_key_that_the_settings_name_and_that_is_not_there_is_none(
    runner: Runner, at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runner.configured(at.config)
    monkeypatch.delenv("SOME_KEY")
    assert not runner.configured(at.config)


@pytest.mark.parametrize(("name", "login"), [("claude", ".credentials.json"), ("codex", "auth.json")])
def test_a_login_in_the_workspace_s_own_folder_will_do(
    name: str, login: str, programs: Path, tmp_path: Path
) -> None:
    runner = next(one for one in RUNNERS if one.key == name)
    folder = tmp_path / ".rota/agents" / name
    folder.mkdir(parents=True)
    (folder / login).write_text("{}")
    assert runner.configured(WorkspaceConfig(root=str(tmp_path)))


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.key)
def test_prompt_and_key_are_in_no_argument_and_the_folder_is_private(runner: Runner, at: Desk) -> None:
    at.program = printing(f"{runner.key}_resumed")
    asked(at, runner, system="Be brief.")
    (command,) = at.commands
    line = " ".join(command.argv)
    assert "The prompt." not in line
    assert "sk-very-secret" not in line
    assert "Be brief." not in line
    assert command.stdin is not None
    assert command.stdin.startswith(b"The prompt.")
    assert "sk-very-secret" in command.env.values()
    home = at.workspace / ".rota/agents" / runner.key
    assert str(home) in command.env.values()
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_program_that_is_gone_is_a_failure_that_says_how_to_get_it(at: Desk, programs: Path) -> None:
    (programs / "claude").unlink()
    with pytest.raises(StepError, match="there is no program") as raised:
        asked(at, ClaudeRunner())
    assert raised.value.permanent
    assert "npm install" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("name", "text"), [("claude", "As I said."), ("codex", "As I said."), ("pi", "As I said.")]
)
def test_the_answer_the_session_and_the_figures_come_back(name: str, text: str, at: Desk) -> None:
    runner = next(one for one in RUNNERS if one.key == name)
    (at.workspace / "ready").touch()
    at.program = _with_gate(printing(f"{name}_resumed"))
    (at.workspace / ".rota/agents/pi/sessions").mkdir(parents=True)
    (at.workspace / ".rota/agents/pi/sessions/run-1-ask-1.jsonl").touch()
    account = Account()
    result = asked(at, runner, account=account)
    assert (result.outcome, result.text) == (Outcome.DONE, text), result.detail
    assert result.session is not None
    assert (result.session.key, result.session.runner) == ("run:run-1:ask", name)
    assert result.session.id
    assert not result.session.open
    assert sum(response.usage.total for response in account.told) == result.usage.total > 0
    assert text.encode() in at.log


@pytest.mark.parametrize(("name", "last"), [("claude", "message_stop"), ("pi", "message_end")])
def test_a_budget_that_is_used_up_ends_it_unless_it_was_its_last_word(name: str, last: str, at: Desk) -> None:
    runner = next(one for one in RUNNERS if one.key == name)

    async def hanging(_command: Command, on_output: OnOutput) -> Exit:
        for line in (STREAMS / f"{name}_tools.jsonl").read_bytes().splitlines(keepends=True):
            on_output("stdout", line)
            if last.encode() in line and b'"user"' not in line:
                await asyncio.Event().wait()  # until it is ended
        return Exit(0)

    at.program = _with_gate(hanging)
    result = asked(at, runner, account=Account(used_up_at=1))
    assert (result.outcome, result.detail) == (Outcome.BUDGET, "the budget of $1 is used up")
    assert (result.turns, result.retry) == (1, False)
    at.program = _with_gate(printing(f"{name}_tools"))
    result = asked(at, runner, account=Account(used_up_at=3))
    assert (result.outcome, result.text) == (Outcome.DONE, "All done.")


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.key)
@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (Exit(None, 9), Outcome.INTERRUPTED),
        (Exit(143), Outcome.INTERRUPTED),
        (Exit(1), Outcome.FAILED),
        (Exit(None, 9, "memory"), Outcome.FAILED),
    ],
)
def test_an_end_without_a_word_is_told_by_how_it_came(
    runner: Runner, end: Exit, outcome: Outcome, at: Desk
) -> None:
    def program(_command: Command, on_output: OnOutput) -> Exit:
        on_output("stderr", b"something broke\n")
        return end

    at.program = program
    result = asked(at, runner)
    assert result.outcome is outcome
    if end == Exit(1):
        assert result.detail.endswith("exit code 1: something broke")


def test_lines_that_are_no_events_are_shown_and_events_that_are_strange_said_once(at: Desk) -> None:
    def program(_command: Command, on_output: OnOutput) -> Exit:
        strange = json.dumps({"type": "assistant", "message": 3}).encode()
        on_output("stdout", b"hello there\n" + strange + b"\n" + strange + b"\n[1]\n")
        return Exit(0)

    at.program = program
    asked(at, ClaudeRunner())
    log = at.log.decode()
    assert "hello there\n" in log
    assert "[1]\n" in log
    assert log.count("not understood") == 1


def test_what_claude_is_told_of_caps_sessions_and_permissions(at: Desk) -> None:
    seen: dict[str, Any] = {}

    def program(command: Command, _on_output: OnOutput) -> Exit:
        argv = list(command.argv)
        seen["argv"] = argv
        settings = json.loads(Path(argv[argv.index("--settings") + 1]).read_text())
        hook = settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"]
        seen["rules"] = json.loads(Path(hook.split()[-1]).read_text())
        seen["env"] = command.env
        return Exit(0)

    at.program = program
    session = AgentSession("run:run-1:ask", "claude", "some-id", grants=(Denial("run", "make"),))
    account = Account(caps=Caps(usd=0.5, turns=3))
    permissions = Permissions(run=("git *",))
    asked(
        at, ClaudeRunner(), session=session, account=account, permissions=permissions, tools=("read", "Bash")
    )
    argv = seen["argv"]
    assert argv[argv.index("--resume") + 1] == "some-id"
    assert argv[argv.index("--max-budget-usd") + 1] == "0.5000"
    assert argv[argv.index("--max-turns") + 1] == "3"
    assert argv[argv.index("--tools") + 1] == "Read,Bash"
    assert (seen["rules"]["run"], seen["rules"]["grants"]) == (["git *"], [["run", "make"]])
    assert int(seen["env"]["API_TIMEOUT_MS"]) == 10_000, "a third of the step's 30 seconds"
    assert list((at.workspace / ".rota/agents/claude/tries").iterdir()) == []


def test_what_codex_is_told_is_in_a_private_file_that_goes_with_the_try(at: Desk) -> None:
    seen: dict[str, Any] = {}

    def program(command: Command, _on_output: OnOutput) -> Exit:
        import tomllib

        profile = command.argv[command.argv.index("-p") + 1]
        file = Path(command.env["CODEX_HOME"], f"{profile}.config.toml")
        seen.update(tomllib.loads(file.read_text()), mode=file.stat().st_mode & 0o777)
        return Exit(0)

    at.program = program
    mcp = {"wiki": {"url": "https://wiki.example/mcp", "headers": {"Authorization": 'Bearer "x"'}}}
    asked(at, CodexRunner(), permissions=Permissions(write=("now/**",)), mcp=mcp, system="Be\nbrief.")
    assert (seen["sandbox_mode"], seen["mode"]) == ("workspace-write", 0o600)
    assert seen["developer_instructions"] == "Be\nbrief."
    assert seen["mcp_servers"]["wiki"]["http_headers"] == {"Authorization": 'Bearer "x"'}
    assert not seen["sandbox_workspace_write"]["network_access"]
    assert "sk-very-secret" not in json.dumps(seen)
    assert list((at.workspace / ".rota/agents/codex").glob("*.toml")) == []
    asked(at, CodexRunner())
    assert seen["sandbox_mode"] == "read-only"


def test_codex_is_started_without_its_wrapper(tmp_path: Path, at: Desk) -> None:
    modules = tmp_path / "node_modules"
    native = modules / "@openai/codex-linux-x64/vendor/some-target/bin/codex"
    wrapper = modules / "@openai/codex/bin/codex.js"
    for file in (native, wrapper):
        file.parent.mkdir(parents=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    link = tmp_path / "codex"
    link.symlink_to(wrapper)
    at.config = WorkspaceConfig(agent=AgentConfig(settings={"codex": {"path": str(link), "key": "x"}}))
    asked(at, CodexRunner())
    assert at.commands[0].argv[0] == str(native)


def test_pi_without_a_sandbox_only_reads_and_without_a_model_does_nothing(at: Desk) -> None:
    at.program = _with_gate(printing("pi_resumed"))
    asked(at, PiRunner(), permissions=Permissions(run=("*",), write=("**",)))
    argv = at.commands[0].argv
    assert argv[argv.index("--tools") + 1] == "read,grep,find,ls"
    assert b"bubblewrap is not there" in at.log
    with pytest.raises(StepError, match="MCP"):
        asked(at, PiRunner(), mcp={"wiki": {"url": "http://127.0.0.1:1"}})
    at.config = WorkspaceConfig(agent=AgentConfig(settings={"pi": {"key": "x", "path": argv[0]}}))
    with pytest.raises(StepError, match="model"):
        asked(at, PiRunner())


@pytest.mark.parametrize("runner", [ClaudeRunner(), CodexRunner()], ids=lambda runner: runner.key)
def test_a_client_that_takes_long_to_start_is_not_a_silent_model(
    runner: Runner, at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**at.config.agent.settings[runner.key], "patience": 0.01}
    at.config = replace(at.config, agent=AgentConfig(settings={runner.key: settings}))

    async def slow(command: Command, on_output: OnOutput) -> Exit:
        await asyncio.sleep(0.4)
        return printing(f"{runner.key}_resumed")(command, on_output)

    async def never(_command: Command, _on_output: OnOutput) -> Exit:
        await asyncio.Event().wait()
        raise AssertionError

    at.program = slow
    result = asked(at, runner)
    assert (result.outcome, result.text) == (Outcome.DONE, "As I said."), result.detail
    monkeypatch.setattr("rota.runners._talk._START", 0.1)
    at.program = never
    result = asked(at, runner)
    assert result.outcome is Outcome.TIMEOUT
    assert result.detail.startswith("the client said nothing for 0.1")
    assert result.session is None, "there is nothing to go on with"


_NO_SUCH = {"type": "result", "is_error": True, "errors": ["No conversation found with session ID: some-id"]}
GONE = {
    "claude": ("stdout", json.dumps(_NO_SUCH)),
    "codex": ("stderr", "Error: no rollout found for thread id some-id"),
}


@pytest.mark.parametrize("runner", [ClaudeRunner(), CodexRunner()], ids=lambda runner: runner.key)
@pytest.mark.parametrize("answered", [False, True])
def test_a_conversation_that_its_client_does_not_know_is_begun_only_where_nothing_was_said(
    runner: Runner, answered: bool, at: Desk
) -> None:
    def program(command: Command, on_output: OnOutput) -> Exit:
        if "some-id" not in command.argv:
            return printing(f"{runner.key}_resumed")(command, on_output)
        stream, words = GONE[runner.key]
        on_output(stream, f"{words}\n".encode())
        return Exit(1)

    at.program = program
    models = {"claude-sonnet-4-5": {"in": 3}}
    totals: dict[str, dict[str, Any]] = {
        "claude": {"models": models if answered else {}, "usd": 0.0},
        "codex": {"in": 3 * answered},
    }
    grants = (Denial("run", "make"),)
    session = AgentSession("run:run-1:ask", runner.key, "some-id", totals=totals[runner.key], grants=grants)
    result = asked(at, runner, session=session)
    if answered:
        assert (result.outcome, result.code, len(at.commands)) == (Outcome.FAILED, "session_gone", 1)
        return
    assert (result.outcome, result.text) == (Outcome.DONE, "As I said."), result.detail
    assert len(at.commands) == 2
    assert at.commands[1].stdin == b"The prompt."
    assert result.session is not None
    assert (result.session.key, result.session.grants) == ("run:run-1:ask", grants)
    assert result.session.id not in {"", "some-id"}


Program = Callable[[Command, OnOutput], Exit | Awaitable[Exit]]


def test_a_conversation_that_pi_has_not_written_down_is_none(at: Desk) -> None:
    at.program = _with_gate(printing("pi_overload"))
    assert asked(at, PiRunner()).session is None


def _with_gate(program: Program) -> Program:
    """As where pi has loaded rota's gate."""

    def started(command: Command, on_output: OnOutput) -> Exit | Awaitable[Exit]:
        if "ROTA_PI_GATE" in command.env:
            Path(json.loads(command.env["ROTA_PI_GATE"])[3]).touch()
        return program(command, on_output)

    return started

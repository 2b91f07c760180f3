"""The agent runners as the suites drive them: their settings against a stub of the models' APIs, their tools' names.

Clients of other makers are looked for in the folder `ROTA_TEST_CLIENTS` and on PATH.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import script_agent
from tests.support.model_server import ModelServer

from rota.runners._sandbox import bubblewrap

Json = dict[str, Any]
CLAUDE, GPT = "claude-haiku-4-5", "gpt-5"
SECRET = "STUB_KEY"


@dataclass(frozen=True)
class Client:
    """A runner and the wire that it speaks.

    `settings`: `agent:` of rota.yaml; the seconds are those that it waits for a silent API.
    `write`, `run`: calls of its tools. `free`: what it may do is not rota's to say. `counts`: its tokens are known.
    """

    name: str
    runner: str
    model: str
    path: str
    settings: Callable[[ModelServer, float], Mapping[str, Any]]
    write: Callable[[Path, str, str], Json]
    run: Callable[[str], Json]
    program: str | None = None
    free: bool = False
    counts: bool = True

    @property
    def missing(self) -> str | None:
        """Why it cannot be tried here; None when it can."""
        if self.program is not None and find(self.program) is None:
            return f"the runner {self.runner}: {self.program} is not installed here (see ROTA_TEST_CLIENTS)"
        if self.runner in _SANDBOXED and bubblewrap(os.environ["PATH"]) is None:
            return f"the runner {self.runner}: its sandbox needs bubblewrap, which is not here, or does not work here"
        return None


_SANDBOXED = frozenset({"codex", "pi"})


def find(program: str) -> str | None:
    """Where a client is."""
    return shutil.which(
        program, path=os.pathsep.join([os.environ.get("ROTA_TEST_CLIENTS", ""), os.environ["PATH"]])
    )


def _command(server: ModelServer, patience: float) -> Mapping[str, Any]:
    return {"command": [sys.executable, script_agent.__file__, server.openai_url, "{session}"]}


def _builtin(provider: str) -> Callable[[ModelServer, float], Mapping[str, Any]]:
    def settings(server: ModelServer, patience: float) -> Mapping[str, Any]:
        url = server.url if provider == "anthropic" else server.openai_url
        about = {"provider": provider, "base_url": url, "key": f"${{{SECRET}}}"}
        return {"builtin": {**about, "timeout": patience, "retries": 0}}

    return settings


def _program(program: str, *, v1: bool) -> Callable[[ModelServer, float], Mapping[str, Any]]:
    def settings(server: ModelServer, patience: float) -> Mapping[str, Any]:
        url = server.openai_url if v1 else server.url
        about = {"path": find(program), "key": f"${{{SECRET}}}", "base_url": url, "patience": patience}
        return {program: about}

    return settings


def _write(root: Path, path: str, text: str) -> Json:
    return {"name": "write", "args": {"path": path, "content": text}}


def _named(tool: str, argument: str) -> Callable[[str], Json]:
    return lambda line: {"name": tool, "args": {argument: line}}


def _claude_write(root: Path, path: str, text: str) -> Json:
    return {"name": "Write", "args": {"file_path": str(root / path), "content": text}}


def _claude_run(line: str) -> Json:
    return {"name": "Bash", "args": {"command": line, "description": "As asked"}}


def _codex_write(root: Path, path: str, text: str) -> Json:
    patch = f"*** Begin Patch\n*** Add File: {path}\n+{text}\n*** End Patch"
    return {"name": "exec_command", "args": {"cmd": f"apply_patch <<'EOF'\n{patch}\nEOF"}}


_RUN = _named("run", "command")
MESSAGES, CHAT, RESPONSES = "/messages", "/chat/completions", "/responses"
BUILTIN = Client("builtin", "builtin", CLAUDE, MESSAGES, _builtin("anthropic"), _write, _RUN)
CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client("command", "command", GPT, CHAT, _command, _write, _RUN, free=True, counts=False),
        BUILTIN,
        Client("builtin-chat", "builtin", GPT, CHAT, _builtin("openai"), _write, _RUN),
        Client("builtin-responses", "builtin", GPT, RESPONSES, _builtin("openai-responses"), _write, _RUN),
        Client("claude", "claude", CLAUDE, MESSAGES, _program("claude", v1=False), _claude_write, _claude_run, "claude"),
        Client("codex", "codex", GPT, RESPONSES, _program("codex", v1=True), _codex_write, _named("exec_command", "cmd"), "codex"),
        Client("pi", "pi", GPT, RESPONSES, _program("pi", v1=True), _write, _named("bash", "command"), "pi"),
    )
}  # fmt: skip

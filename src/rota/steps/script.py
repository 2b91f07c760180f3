"""The `script` step: a script file from the workspace's script folders."""

from __future__ import annotations

import os
import re
import shutil
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, Field, StrictFloat, StrictInt

from rota.model.errors import PathError, StepError
from rota.model.job import OnInterrupt
from rota.ports.files import resolve_inside
from rota.ports.processes import Command
from rota.ports.steps import StepContext, StepResult
from rota.steps.commands import CommandKeys, env_of_arguments, run_and_collect
from rota.templates import render

_INTERPRETERS = {
    ".sh": "sh",
    ".bash": "bash",
    ".js": "node",
    ".mjs": "node",
    ".cjs": "node",
}
_NODE_WITH_TYPES = (22, 6)
_MOST_LISTED = 500


class ScriptParams(CommandKeys):
    """The keys of a `script` step."""

    script: str = Field(
        min_length=1,
        description="The script's path in the workspace, inside one of its script folders (`scripts` and "
        "`.rota/scripts`, unless rota.yaml says otherwise). Its `#!` line, else its extension, says what runs it.",
    )
    args: list[str | StrictInt | StrictFloat] = Field(
        default=[], description="Arguments, passed as they are, without a shell."
    )


class ScriptStep:
    """Runs a script of the workspace."""

    key: ClassVar[str] = "script"
    params: ClassVar[type[BaseModel]] = ScriptParams
    raw: ClassVar[frozenset[str]] = frozenset({"args", "stdin"})
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: ScriptParams, ctx: StepContext) -> StepResult:
        """Find it, check where it lies, run it; the exit code decides."""
        path = find_script(ctx.workspace, ctx.config.script_folders, params.script)
        texts = [str(part) for part in params.args]
        argv = [*await _interpreter(path, params.script, ctx), *(render(text, ctx.values) for text in texts)]
        return await run_and_collect(params, ctx, argv, env_of_arguments(texts, ctx))


def find_script(workspace: Path, folders: tuple[str, ...], text: str) -> Path:
    """The real path of a script; raises PathError where it is not a file in one of the script folders."""
    path = resolve_inside(workspace, text, purpose="`script:`", reading=True)
    root = workspace.resolve()
    places = [place for folder in folders if (place := (root / folder).resolve()).is_relative_to(root)]
    named = " or ".join(f"{folder}/" for folder in folders) or "none at present"
    if not any(path.is_relative_to(place) and path != place for place in places):
        raise PathError(
            f"`script:` {text!r} is not in a script folder",
            hint=f"scripts are run from {named} (`scripts: {{folders: [...]}}` in rota.yaml)",
        )
    if not path.exists():
        raise PathError(
            f"there is no script {text!r}", code="not_found", hint=_suggestion(root, places, text)
        )
    if not path.is_file():
        raise PathError(f"`script:` {text!r} is not a file", hint="name a script file")
    return path


def _suggestion(root: Path, places: list[Path], text: str) -> str:
    there: list[str] = []
    for place in places:
        for folder, _, files in os.walk(place):
            there += (str((Path(folder) / name).relative_to(root)) for name in files)
            if len(there) > _MOST_LISTED:
                break
    names = {Path(path).name: path for path in there}
    close = get_close_matches(text, there, 1) or [
        names[name] for name in get_close_matches(Path(text).name, names, 1)
    ]
    if close:
        return f"did you mean {close[0]}?"
    return f"there are: {', '.join(sorted(there)[:10])}" if there else "the script folders are empty"


async def _interpreter(path: Path, text: str, ctx: StepContext) -> list[str]:
    """The argv that runs the script, itself included."""
    with path.open("rb") as file:
        first = file.readline(256)
    if first.startswith(b"#!"):
        return [*_shebang(first, text, ctx), str(path)]
    if path.suffix == ".py":
        return [sys.executable, "-u", str(path)]  # unbuffered, so that its log grows as it runs
    if path.suffix == ".ts":
        return [*await _typescript(text, ctx), str(path)]
    if path.suffix in _INTERPRETERS:
        return [_installed(_INTERPRETERS[path.suffix], text, ctx), str(path)]
    if os.access(path, os.X_OK):
        return [str(path)]
    raise StepError(
        f"`script:` {text!r}: nothing says what runs it",
        code="no_interpreter",
        permanent=True,
        hint="give it a `#!` line, or an extension: .py, .sh, .bash, .js, .mjs, .cjs, .ts",
    )


def _shebang(line: bytes, text: str, ctx: StepContext) -> list[str]:
    # As the system reads it: a program and at most one argument. A carriage return from an editor on
    # another system, which the system would take for part of the name, is left out.
    words = line[2:].decode("utf-8", "replace").strip().split(None, 1)
    if not words:
        raise StepError(f"`script:` {text!r}: its `#!` line is empty", code="no_interpreter", permanent=True)
    if Path(words[0]).name == "env" and len(words) == 2 and not words[1].startswith("-"):
        return [_installed(words[1].strip(), text, ctx)]
    return [_installed(words[0], text, ctx), *words[1:]]


def _installed(program: str, text: str, ctx: StepContext) -> str:
    found = _which(program, ctx)
    if found is None:
        raise StepError(
            f"`script:` {text!r} is run by {program}, which is not installed",
            code="no_interpreter",
            permanent=True,
            hint=f"install {program}, or add its folder to PATH (`env:` in rota.yaml)",
        )
    return found


def _which(program: str, ctx: StepContext) -> str | None:
    return shutil.which(program, path=ctx.env.get("PATH", os.defpath))


async def _typescript(text: str, ctx: StepContext) -> list[str]:
    own = ctx.workspace / "node_modules" / ".bin" / "tsx"
    if own.is_file():
        return [str(own)]
    if tsx := _which("tsx", ctx):
        return [tsx]
    node = _which("node", ctx)
    if node and await _node_version(node, ctx) >= _NODE_WITH_TYPES:
        return [node, "--experimental-strip-types"]
    if bun := _which("bun", ctx):
        return [bun]
    if deno := _which("deno", ctx):
        return [deno, "run", "-A"]
    raise StepError(
        f"`script:` {text!r}: nothing that runs TypeScript is installed",
        code="no_interpreter",
        permanent=True,
        hint="install tsx, node 22.6 or newer, bun or deno",
    )


async def _node_version(node: str, ctx: StepContext) -> tuple[int, int]:
    printed = bytearray()

    def keep(stream: str, data: bytes) -> None:
        if stream == "stdout":
            printed.extend(data)

    await ctx.services.processes.run(Command((node, "--version"), ctx.workspace, dict(ctx.env)), keep)
    match = re.match(rb"v(\d+)\.(\d+)", printed)
    return (int(match[1]), int(match[2])) if match else (0, 0)

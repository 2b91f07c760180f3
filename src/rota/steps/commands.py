"""What `run` and `script` share: their keys, the names that a command puts out, the result."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rota.model.errors import PathError
from rota.ports.commands import CommandResult, run_command
from rota.ports.files import resolve_inside
from rota.ports.steps import Done, Failed, StepContext, StepResult
from rota.steps.secrets import fill_text, stored_secrets_in

_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


class CommandKeys(BaseModel):
    """The keys of every step that starts a command."""

    model_config = ConfigDict(extra="forbid")

    cwd: str | None = Field(
        default=None, description="The folder to run in, relative to the workspace (default: the workspace)."
    )
    stdin: str | None = Field(
        default=None, description="Text that the command reads; `${NAME}` of a stored secret is filled in."
    )
    ok_codes: list[int] = Field(default=[0], min_length=1, description="Exit codes that count as success.")


async def run_and_collect(
    keys: CommandKeys, ctx: StepContext, argv: Sequence[str], env: Mapping[str, str]
) -> StepResult:
    """Run a command as a step: its stdout is the output, and it may put out names.

    Names come from lines `name=value` in the file $ROTA_OUTPUT, else from stdout when that is one JSON object.
    """
    cwd = _folder(keys.cwd, ctx)
    names_file = _names_file(ctx)
    names: dict[str, Any] | None = {}
    try:
        environment = {**env, "ROTA_OUTPUT": names_file}
        result = await run_command(ctx, argv, cwd=cwd, env=environment, stdin=_stdin(keys.stdin, ctx))
        names = _read_names(names_file, ctx)
        values = names or _names_in_stdout(result)
    finally:
        if names is not None:
            with suppress(OSError):
                os.unlink(names_file)  # noqa: PTH108 # a hot path
    failure = result.failure(keys.ok_codes)
    if failure is not None:
        return Failed(failure.reason, failure.exit_code, output=failure.output, values=values)
    return Done(result.stdout, values, result.exit.code)


def env_of_arguments(texts: list[str], ctx: StepContext) -> dict[str, str]:
    """The environment of a command whose arguments are `texts`, with the stored secrets that they name."""
    found = stored_secrets_in(texts, ctx)
    if found:
        ctx.say(
            f"{', '.join(sorted(found))}: in the command's environment; not filled into its arguments, "
            "which everyone on this machine can see"
        )
    return {**ctx.env, **found}


def _folder(text: str | None, ctx: StepContext) -> Path:
    if text is None:
        return ctx.workspace
    folder = resolve_inside(ctx.workspace, text, purpose="`cwd:`", reading=True)
    if not folder.is_dir():
        raise PathError(f"`cwd:` {text!r} is not a folder", hint="create it, or correct the path")
    return folder


def _stdin(raw: str | None, ctx: StepContext) -> str | None:
    if raw is None:
        return None
    stored = ctx.services.secrets.known()
    # What is read may be a script with `${VARIABLES}` of its own: only stored secrets are rota's.
    return fill_text(raw, ctx, lambda name: stored.get(name, f"${{{name}}}"))


def _names_file(ctx: StepContext) -> str:
    """The path of $ROTA_OUTPUT. The file is there once the command writes to it.

    Most commands never do; a folder and a file of its own for each cost a third of what /bin/true takes in all.
    """
    folder = f"{ctx.workspace}/.rota/cache/outputs"
    path = f"{folder}/{ctx.run.id}.{ctx.step.id}.{ctx.attempt}.{secrets.token_hex(4)}"
    if not os.path.isdir(folder):  # noqa: PTH112 # a hot path
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _read_names(path: str, ctx: StepContext) -> dict[str, Any] | None:
    """The names that were written to $ROTA_OUTPUT; None where it was not written to."""
    if not os.path.lexists(path):
        return None
    limit = ctx.config.limits.value
    try:
        with Path(path).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        ctx.say(f"$ROTA_OUTPUT cannot be read: {error.strerror}")
        return {}
    if len(data) > limit:
        ctx.say(f"$ROTA_OUTPUT is longer than {limit} bytes: the rest is ignored")
        data = data[: data.rfind(b"\n", 0, limit) + 1]
    values: dict[str, Any] = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        if match := _LINE.fullmatch(line.rstrip("\r")):
            values[match[1]] = _json_or_text(match[2])
        elif line.strip():
            ctx.say(f"$ROTA_OUTPUT: not a line `name=value`: {line[:80]!r}")
    return values


def _names_in_stdout(result: CommandResult) -> dict[str, Any]:
    text = result.stdout.strip()
    if not result.complete or not text.startswith("{"):
        return {}
    value = _json_or_text(text)
    return value if isinstance(value, dict) else {}


def _json_or_text(text: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # `NaN` and `1e999` are read, but are not JSON
    except (ValueError, RecursionError):
        return text
    return value

"""A program of one's own that carries the message."""

from __future__ import annotations

import shlex
from typing import Any, ClassVar

from pydantic import BaseModel, Field, ValidationInfo, model_validator

from rota.channels._params import (
    DEFAULT_TIMEOUT,
    ChannelParams,
    Timeout,
    filled,
    holds_secret,
    is_filled,
    misconfigured,
)

_NOT_STARTED = frozenset({126, 127})


class CommandParams(ChannelParams):
    """Keys of `type: command`."""

    command: str | list[str] = Field(
        description="The program and its arguments: a list, or a text that is split at spaces (quotes"
        " group). No shell reads it, and it starts in the workspace; the message comes on stdin, ROTA_TITLE,"
        " ROTA_JOB, ROTA_RUN, ROTA_WORKSPACE and ROTA_KEY in the environment.",
    )
    env: dict[str, str] = Field(default={}, description="More environment, such as TOKEN: ${MY_TOKEN}.")
    timeout: Timeout = DEFAULT_TIMEOUT

    @model_validator(mode="after")
    def _no_secret_in_argv(self, info: ValidationInfo) -> CommandParams:
        words = self.command if isinstance(self.command, list) else [self.command]
        if not is_filled(info) and any(holds_secret(word) for word in words):
            raise ValueError(
                "`${...}` in `command` would be visible in the list of processes: put it under `env`,"
                " and read the variable in a script"
            )
        return self


class Command:
    """Runs a program with the message on its stdin; an exit code other than 0 is a failure."""

    key: ClassVar[str] = "command"
    params: ClassVar[type[BaseModel]] = CommandParams
    target: ClassVar[str] = "rota.channels.command:send"


def send(config: dict[str, Any], title: str, body: str, about: dict[str, Any]) -> dict[str, Any]:
    """Run it once; `{"output": ...}`, the end of what it printed. StepError says whether another try may help."""
    import os

    from rota.channels._process import last_line, run_program
    from rota.channels._text import clean, masked, one_line
    from rota.model.errors import StepError

    params = filled(CommandParams, config, Command.key)
    argv = _argv(params.command)
    told = {f"ROTA_{name.upper()}": clean(str(about.get(name) or "")) for name in ("job", "run", "key")}
    told["ROTA_TITLE"] = one_line(title, 1_000)
    told["ROTA_WORKSPACE"] = os.environ.get("ROTA_WORKSPACE") or str(about.get("workspace") or "")
    code, printed = run_program(
        argv,
        what=f"the command `{argv[0]}`",
        stdin=clean(body),
        env=os.environ | params.env | told,
        timeout=params.timeout,
    )
    printed = masked(printed, params.env.values())
    if code != 0:
        said = one_line(last_line(printed))
        ended = f"exited with {code}" if code > 0 else f"was ended by signal {-code}"
        raise StepError(
            f"the command `{argv[0]}` {ended}" + (f": {said}" if said else ""),
            hint="run it by hand to see what it lacks",
            code="refused" if code in _NOT_STARTED else "unavailable",
            permanent=code in _NOT_STARTED,
        )
    return {"output": printed}


def _argv(command: str | list[str]) -> list[str]:
    try:
        argv = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise misconfigured(Command.key, f"`command`: {error}") from None
    if not argv or not argv[0]:
        raise misconfigured(Command.key, "`command` is empty")
    return argv

"""What the runners of other people's clients share: finding the program, its key, a folder of its own, its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.agents import RunnerContext, RunnerState
from rota.ports.steps import StepContext
from rota.runners._known import known_names
from rota.templates import fill_secrets_in
from rota.templates.secrets import secret_names

_VERSION = re.compile(r"\d+\.\d+[\w.+-]*")
_VERSION_PATIENCE = 20.0
_DAY = 86_400.0


class ClientKeys(BaseModel):
    """The settings of every such runner, `agent: RUNNER:` in rota.yaml."""

    model_config = ConfigDict(extra="forbid")

    path: str | None = Field(default=None, description="The program, where it is not on PATH.")
    key: str | None = Field(default=None, description="The key of the model's API: `${NAME}`.")
    base_url: str | None = Field(default=None, description="Where the model's API is, if not at its maker's.")
    model: str | None = Field(default=None, description="The model, where the step names none.")
    args: list[str] = Field(default=[], description="More arguments for the program, before those of rota.")
    patience: float = Field(
        default=120.0, gt=0, description="Seconds that a model may be silent before it is given up."
    )


Keys = TypeVar("Keys", bound=ClientKeys)


def written_keys(model: type[Keys], runner: str, config: WorkspaceConfig) -> Keys:
    """The settings as they are written, secrets unresolved."""
    return model.model_validate(dict(config.agent.settings.get(runner, {})))


def filled_keys(model: type[Keys], runner: str, ctx: StepContext) -> Keys:
    """The settings with secrets filled in. Raises RotaError for one that is missing."""
    raw = dict(ctx.config.agent.settings.get(runner, {}))
    return model.model_validate(fill_secrets_in(raw, ctx.services.secrets.get))


def find_program(name: str, path: str | None, search: str | None = None) -> Path | None:
    """Where the program is: at `path`, else on PATH (or `search`); None when it is not there."""
    if path is not None:
        found = Path(path).expanduser()
        return found.absolute() if os.access(found, os.X_OK) and found.is_file() else None
    there = shutil.which(name, path=search)
    return None if there is None else Path(there).absolute()


def key_is_there(keys: ClientKeys, names: Iterable[str], ctx: RunnerContext) -> bool:
    """The same, with the names of the workspace's secrets known: whether what `key:` refers to can be found."""
    known = {*ctx.secrets, *(name for name, value in ctx.environment.items() if value)}
    return _is_known(keys, names, known)


def key_of(keys: ClientKeys, names: Iterable[str], ctx: StepContext) -> str | None:
    """The key: that of the settings, else the first secret or variable of a usual name."""
    if keys.key:
        return keys.key
    return next((value for name in names if (value := ctx.services.secrets.get(name))), None)


def has_key(keys: ClientKeys, names: Iterable[str], config: WorkspaceConfig) -> bool:
    """Whether a key is there, as far as it can be told without reading one: secrets and environment by their names."""
    known = known_names(config)
    return _is_known(keys, names, known)


def _is_known(keys: ClientKeys, names: Iterable[str], known: Collection[str]) -> bool:
    if keys.key is not None:
        return secret_names(keys.key) <= set(known)
    return any(name in known for name in names)


def home_of(workspace: Path, runner: str) -> Path:
    """The client's own folder in the workspace, for its owner alone; made when it is missing."""
    agents = workspace / ".rota" / "agents"
    home = agents / runner
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (agents, home):
        folder.chmod(0o700)
    ignore = agents / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return home


@contextmanager
def try_folder(home: Path, ctx: StepContext) -> Iterator[Path]:
    """A private folder for the files of one try; it goes with the try, and what a crash left goes after a day."""
    tries = home / "tries"
    tries.mkdir(exist_ok=True, mode=0o700)
    for old in tries.iterdir():
        if time.time() - old.stat().st_mtime > _DAY:
            shutil.rmtree(old, ignore_errors=True)
    folder = tries / f"{ctx.run.id}-{ctx.step.id}-{ctx.attempt}"
    folder.mkdir(exist_ok=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_private(path: Path, text: str) -> Path:
    """A file that its owner alone may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
    return path


def not_found(runner: str, program: str, keys: ClientKeys, hint: str) -> StepError:
    """The program is not there."""
    said = f"there is no program {keys.path!r}" if keys.path else f"`{program}` is not on PATH"
    return StepError(
        f"the agent runner {runner!r}: {said}", code="runner_not_set_up", permanent=True, hint=hint
    )


def state_of(
    program: Path | None, keys: ClientKeys, *, name: str, key: bool, install: str, login: str
) -> RunnerState:
    """What `rota agents` shows of a client. `key`: whether it has a key or a login."""
    if program is None:
        where = keys.path or name
        return RunnerState(
            found=False, model=keys.model, key=key, missing=f"`{where}` is not there; {install}"
        )
    version = version_of(program)
    return RunnerState(
        found=True, version=version, where=str(program), model=keys.model, key=key,
        missing=None if key else login,
    )  # fmt: skip


@lru_cache(maxsize=32)
def version_of(program: Path) -> str | None:
    """What `--version` says; None when it says nothing that looks like one."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search((done.stdout or done.stderr).decode("utf-8", "replace"))  # pi's goes to stderr
    return found[0] if found else None


def first_model(request_model: str | None, keys: ClientKeys) -> str | None:
    """The step's model, else that of the runner's settings."""
    return request_model or keys.model


def shown(value: Any, limit: int = 160) -> str:
    """A value in one short line, for the log."""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

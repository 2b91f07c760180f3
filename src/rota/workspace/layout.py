"""Where things are in a workspace, and how one is found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rota.model.errors import WorkspaceError

# What .rota holds of state is nobody's but this machine's; jobs, hooks, skills and settings are for git.
GITIGNORE = """\
# rota's state, logs and secrets belong to this machine; jobs, hooks, skills and rota.yaml to git.
state.db*
secrets.json
logs/
owners/
schema/
cache/
agents/
jobs/output/
notes/
daemon.*
"""


@dataclass(frozen=True)
class Layout:
    """The paths of the workspace at `root` (absolute, links resolved)."""

    root: Path

    @property
    def rota(self) -> Path:
        """The .rota folder."""
        return self.root / ".rota"

    @property
    def config(self) -> Path:
        """The settings."""
        return self.rota / "rota.yaml"

    @property
    def state(self) -> Path:
        """The database."""
        return self.rota / "state.db"

    @property
    def jobs(self) -> Path:
        """The job files."""
        return self.rota / "jobs"

    @property
    def hooks(self) -> Path:
        """The webhook jobs."""
        return self.rota / "hooks"

    @property
    def logs(self) -> Path:
        """Everything that is logged."""
        return self.rota / "logs"

    @property
    def owners(self) -> Path:
        """One locked file for each process that runs something."""
        return self.rota / "owners"

    @property
    def secrets(self) -> Path:
        """The stored secrets."""
        return self.rota / "secrets.json"

    @property
    def schema(self) -> Path:
        """The JSON Schema that job files refer to."""
        return self.rota / "schema"

    @property
    def cache(self) -> Path:
        """What can be made anew, and makes commands start sooner."""
        return self.rota / "cache"

    def relative(self, path: Path) -> str:
        """`path` as the user would write it, from the root."""
        try:
            return str(path.relative_to(self.root))
        except ValueError:
            return str(path)


def find(start: Path) -> Layout:
    """The workspace that `start` is in: the nearest folder upwards with a `.rota` folder.

    Raises WorkspaceError when there is none, or it may not be read.
    """
    if not start.exists():
        raise WorkspaceError(f"there is no folder {start}", hint="check the path given with --workspace")
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / ".rota").is_dir():
            if not os.access(folder / ".rota", os.R_OK | os.W_OK | os.X_OK):
                raise WorkspaceError(
                    f"no permission to use {folder / '.rota'}",
                    hint="run rota as the workspace's owner",
                    code="no_permission",
                )
            return Layout(folder)
    raise WorkspaceError(
        f"{here} is not a rota workspace: there is no .rota folder here or above",
        hint="make one with `rota init`, or name one with --workspace PATH",
    )


def make_private(layout: Layout) -> None:
    """Create .rota and its folders, for their owner alone. Raises WorkspaceError without permission."""
    try:
        layout.rota.mkdir(parents=True, exist_ok=True, mode=0o700)
        layout.rota.chmod(0o700)
        for folder in (layout.jobs, layout.logs, layout.owners):
            folder.mkdir(exist_ok=True)
        ignore = layout.rota / ".gitignore"
        if not ignore.exists():
            ignore.write_text(GITIGNORE)
    except PermissionError as error:
        raise WorkspaceError(
            f"no permission to write {error.filename}",
            hint="choose a folder of your own",
            code="no_permission",
        ) from None
    except OSError as error:
        raise WorkspaceError(f"cannot make a workspace in {layout.root}: {error.strerror}") from None

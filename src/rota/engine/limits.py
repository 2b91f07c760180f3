"""Limits of commands where no control group keeps them: some set before the program starts, some watched.

Memory and processes are watched over the whole tree. The system's own limits would do harm: RLIMIT_AS
and RLIMIT_DATA count what a program reserves and never uses, RLIMIT_NPROC every thread of the user.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence
from typing import NamedTuple

from rota.engine.process_table import Proc, proportion, resident


class Caps(NamedTuple):
    """model.job.ProcessLimits where the import of dataclasses would cost more than all else."""

    memory: int | None = None
    processes: int | None = None
    open_files: int | None = None


def restrict(caps: Caps) -> None:
    """Set what is inherited, in the child before its program starts."""
    if caps.open_files is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = caps.open_files if hard == resource.RLIM_INFINITY else min(caps.open_files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def overrun(members: Sequence[Proc], caps: Caps) -> str | None:
    """The limit that a tree is beyond. Pages that its processes share count once, where the system tells."""
    if caps.processes is not None and len(members) > caps.processes:
        return "processes"
    if caps.memory is None or sum(resident(proc.pid) for proc in members) <= caps.memory:
        return None
    return "memory" if sum(proportion(proc.pid) for proc in members) > caps.memory else None

"""The runners: a line each, in the order that `auto` tries them, and those of installed packages."""

from __future__ import annotations

from collections.abc import Mapping

from rota.ports.agents import Runner
from rota.ports.plugins import load_plugins
from rota.runners.builtin import BuiltinRunner
from rota.runners.claude import ClaudeRunner
from rota.runners.codex import CodexRunner
from rota.runners.command import CommandRunner
from rota.runners.inbox import InboxRunner
from rota.runners.pi import PiRunner

ENTRY_POINTS = "rota.runners"

_RUNNERS: tuple[Runner, ...] = (
    CommandRunner(),
    BuiltinRunner(),
    ClaudeRunner(),
    CodexRunner(),
    PiRunner(),
    InboxRunner(),
)
RUNNERS: Mapping[str, Runner] = {runner.key: runner for runner in _RUNNERS}


def load_entry_points() -> tuple[dict[str, Runner], list[str]]:
    """The runners of other packages (entry points `rota.runners`: a Runner, or a class of one), by key.

    The second value says, a line each, which could not be used and why; nothing is raised.
    """
    return load_plugins(ENTRY_POINTS, RUNNERS, ("key", "params", "configured", "state", "run"))

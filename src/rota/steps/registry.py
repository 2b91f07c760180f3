"""The kinds of step: a line each, and those that installed packages bring along."""

from __future__ import annotations

from collections.abc import Mapping

from rota.ports.plugins import load_plugins
from rota.ports.steps import StepKind
from rota.steps.agent import AgentStep
from rota.steps.approve import ApproveStep
from rota.steps.card import CardStep
from rota.steps.context import ContextStep
from rota.steps.http import HttpStep
from rota.steps.index import IndexStep
from rota.steps.notify import NotifyStep
from rota.steps.pull import PullStep
from rota.steps.python import PythonStep
from rota.steps.script import ScriptStep
from rota.steps.shell import RunStep
from rota.steps.skill import SkillStep
from rota.steps.write import WriteStep

ENTRY_POINTS = "rota.steps"

_KINDS: tuple[StepKind, ...] = (
    RunStep(),
    ScriptStep(),
    PythonStep(),
    WriteStep(),
    HttpStep(),
    PullStep(),
    IndexStep(),
    ContextStep(),
    AgentStep(),
    SkillStep(),
    CardStep(),
    NotifyStep(),
    ApproveStep(),
)
STEPS: Mapping[str, StepKind] = {kind.key: kind for kind in _KINDS}


def load_entry_points() -> tuple[dict[str, StepKind], list[str]]:
    """The kinds of other packages (entry points `rota.steps`: a StepKind, or a class of one), by key.

    The second value says, a line each, which could not be used and why; nothing is raised.
    """
    return load_plugins(ENTRY_POINTS, STEPS, ("key", "params", "raw", "on_interrupt", "run"))

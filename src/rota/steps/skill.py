"""The `skill` step: an agent follows a skill of the workspace."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, Field

from rota.model.errors import NotFoundError, PathError
from rota.model.job import OnInterrupt
from rota.ports.files import read_text, resolve_inside
from rota.ports.steps import StepContext, StepResult
from rota.steps.agent_keys import RAW, AgentKeys
from rota.steps.prompts import ask_agent

SKILL_FOLDERS = (".rota/skills", ".claude/skills", ".agents/skills")
_SKILL_LIMIT = 500_000
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


class SkillParams(AgentKeys):
    """The keys of a `skill` step."""

    skill: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
        description="The skill's name: its folder in .rota/skills, .claude/skills or .agents/skills, the first "
        "of them that has it.",
    )


class SkillStep:
    """Has an agent use a skill."""

    key: ClassVar[str] = "skill"
    params: ClassVar[type[BaseModel]] = SkillParams
    raw: ClassVar[frozenset[str]] = RAW
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.ASK

    async def run(self, params: SkillParams, ctx: StepContext) -> StepResult:
        """Ask the agent to use it; its answer is the output."""
        folder, text = find_skill(ctx.workspace, params.skill)
        prompt = (
            f"Use the skill `{params.skill}`"
            f"{' with the inputs at the end' if params.input else ''}. These are its instructions; "
            f"the files that they mention are in {folder}/.\n\n{text.strip()}\n"
        )
        return await ask_agent(params, prompt, ctx)


def find_skill(workspace: Path, name: str) -> tuple[str, str]:
    """The skill's folder (relative to the workspace) and its instructions, without the front matter.

    Raises NotFoundError, naming those that are there.
    """
    for place in SKILL_FOLDERS:
        text = f"{place}/{name}/SKILL.md"
        path = resolve_inside(workspace, text, purpose="`skill:`", reading=True)
        if path.is_file():
            whole = read_text(path, _SKILL_LIMIT, purpose="`skill:`")
            return f"{place}/{name}", _FRONT_MATTER.sub("", whole, count=1)
    there = _installed(workspace)
    close = get_close_matches(name, there, 1)
    hint = f"there are: {', '.join(there)}" if there else f"skills are folders in {', '.join(SKILL_FOLDERS)}"
    raise NotFoundError(
        f"there is no skill {name!r}",
        code="unknown_skill",
        hint=f"did you mean {close[0]}? {hint}" if close else hint,
    )


def _installed(workspace: Path) -> list[str]:
    found: set[str] = set()
    for place in SKILL_FOLDERS:
        try:
            resolve_inside(workspace, place, purpose="`skill:`", reading=True)
            found.update(path.parent.name for path in (workspace / place).glob("*/SKILL.md"))
        except (PathError, OSError):
            continue
    return sorted(found)

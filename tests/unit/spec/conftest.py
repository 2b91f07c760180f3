"""A catalog of small kinds, and readers bound to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rota.model.errors import SpecError
from rota.model.job import Job
from rota.spec import Catalog, FileResult, parse_file


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Run(_Keys):
    run: str | list[str]
    shell: Literal["sh", "bash"] = "sh"
    cwd: str | None = None


class _Agent(_Keys):
    agent: str
    runner: str = "auto"
    model: str | None = None
    max_turns: int | None = None


class _Skill(_Keys):
    skill: str
    input: dict[str, str] = {}
    model: str | None = None


class _Context(_Keys):
    context: str


class _Write(_Keys):
    write: str
    template: str | None = None
    append: bool = False


class _Pull(BaseModel):
    model_config = ConfigDict(extra="allow")
    pull: str


class _Notify(_Keys):
    notify: str | dict[str, str]


class _Calendar(_Keys):
    days: int = Field(default=1, ge=1, le=366)
    calendar: list[str] = []

    @field_validator("calendar", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class _Feed(_Keys):
    url: str


class _Desktop(_Keys):
    urgency: Literal["low", "normal"] = "normal"


class _NoKeys(_Keys):
    pass


class _Clever(_Keys):
    path: str | None = None
    effort: Literal["low", "high"] = "low"


class _Slack(_Keys):
    webhook: str | None = None
    token: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> _Slack:
        if (self.webhook is None) == (self.token is None):
            raise ValueError("give either `webhook` or `token`")
        return self


class _Telegram(_Keys):
    token: str
    chat: int | str


class _Email(_Keys):
    to: str


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return Catalog(
        steps={
            "run": _Run,
            "agent": _Agent,
            "skill": _Skill,
            "context": _Context,
            "write": _Write,
            "pull": _Pull,
            "notify": _Notify,
        },
        channels={"desktop": _Desktop, "slack": _Slack, "telegram": _Telegram, "email": _Email},
        sources={"calendar": _Calendar, "feed": _Feed},
        runners={"command": _NoKeys, "inbox": _NoKeys, "clever": _Clever},
    )


Parse = Callable[..., FileResult]
Good = Callable[..., Job]
Bad = Callable[..., SpecError]


@pytest.fixture
def parse(catalog: Catalog) -> Parse:
    """Read a text (`path`: plan.yaml unless said)."""

    def read(text: str, path: str = "plan.yaml", **options: object) -> FileResult:
        return parse_file(text, path, catalog, **options)  # type: ignore[arg-type]  # passed on as it is

    return read


@pytest.fixture
def job_of(parse: Parse) -> Good:
    """The one job of a text that has to be good."""

    def read(text: str, path: str = "plan.yaml", **options: object) -> Job:
        result = parse(text, path, **options)
        assert result.errors == ()
        assert len(result.jobs) == 1
        return result.jobs[0].job

    return read


@pytest.fixture
def error_of(parse: Parse) -> Bad:
    """The one error of a text that has exactly one."""

    def read(text: str, path: str = "plan.yaml", **options: object) -> SpecError:
        result = parse(text, path, **options)
        assert [str(error) for error in result.errors[1:]] == []
        assert result.jobs == ()
        return result.errors[0]

    return read


DESIGN_JOB = """\
# .rota/jobs/weekly-plan.yaml
name: weekly-plan
description: Draft weekly plan from calendar and last week's meetings
schedule: "0 20 * * 0"            # shorthand for on: [{cron: "0 20 * * 0"}]
timezone: Europe/London           # stored at creation; default: the workspace's
steps:
  - pull: calendar
    days: 14
  - id: context
    context: weekly planning
    output: .rota/jobs/output/weekly-context.md
  - skill: weekly-planning
    input: {context: "{{ steps.context.output }}"}
    output: now/weekly-plan-draft.md
notify:
  - type: desktop
    message: Weekly plan draft ready
  - type: slack
    webhook: ${SLACK_WEBHOOK_URL}
on_error: {notify: true, retry: false}
"""

DESIGN_PROMPT = """\
---
schedule: "0 9 * * 1-5"
output: telegram
budget: {usd: 0.25, turns: 20}
---
Summarize git commits from the last 24 hours.
"""

PRODUCT_JOB = """\
name: Morning pull
description: Pull what is new
schedule: "0 7 * * *"
steps:
  - run: personal-os pull --today
  - skill: daily-plan
    input:
      calendar: now/today.md
      notes: now/notes.md
    output: now/plan.md
notify:
  - type: desktop
    message: Plan is ready
    condition: new_recordings > 0
  - type: slack
    webhook: ${SLACK_WEBHOOK_URL}
on_error:
  notify: true
  retry: false
"""

PRODUCT_HOOK = """\
name: meeting-ended
description: A meeting was recorded
steps:
  - run: echo {{payload.title}}
notify:
  - type: desktop
    message: "New: {{payload.title}}"
    condition: new_recordings > 0
"""


@pytest.fixture
def design_job() -> str:
    return DESIGN_JOB


@pytest.fixture
def design_prompt() -> str:
    return DESIGN_PROMPT


@pytest.fixture
def product_job() -> str:
    return PRODUCT_JOB


@pytest.fixture
def product_hook() -> str:
    return PRODUCT_HOOK

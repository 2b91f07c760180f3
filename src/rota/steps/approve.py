"""The `approve` step: a question to a person, on whose answer the run waits."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rota.model.errors import StepError
from rota.model.job import Notify, OnInterrupt
from rota.model.message import APPROVAL, DENY, OnDeny
from rota.model.run import Reason
from rota.ports.commands import capped
from rota.ports.steps import StepContext, StepResult, Waiting
from rota.schedule import parse_duration
from rota.steps.inputs import file_text, may_name_file
from rota.templates import render

# As the state keeps it, and the page shows it; a message has its beginning.
PREVIEW_LIMIT = 50_000
QUESTION_LIMIT = 2_000
EXPIRES = "7d"
LONGEST = timedelta(days=3650)
FAIL = "fail"

Choice = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f](?:[^\x00-\x1f]{0,38}[^\s\x00-\x1f])?$")]
_LIKE_A_PATH = re.compile(r"\S*(?:/\S+|\S\.[A-Za-z0-9]{1,8})")
_OF_THE_MESSAGE = ("message", "title", "condition", "when")
_Channel = str | dict[str, Any]


class ApproveParams(BaseModel):
    """The keys of an `approve` step."""

    model_config = ConfigDict(extra="forbid")

    approve: str = Field(min_length=1, description="The question, a template.")
    preview: str | None = Field(
        default=None,
        description="What the question is about, a template: the path of a text file in the workspace, or a text. "
        "It is kept as it is when the question is asked, up to 50 KB.",
    )
    choices: list[Choice] = Field(
        default=["approve", DENY],
        min_length=1,
        max_length=8,
        description="The answers to choose from; `deny` is the one that denies.",
    )
    expires: str | int = Field(default=EXPIRES, description="How long it waits for an answer: 24h, 7d.")
    default: str | None = Field(
        default=None,
        description="The answer when nobody gave one in time: one of the choices. `fail`, and nothing, fail the run.",
    )
    on_deny: OnDeny = Field(
        default=OnDeny.FAIL,
        description="What a denial does: `fail` fails the run; `skip` lets it go on without the steps that wait for "
        "the answer; `continue` with them, and they see the answer.",
    )
    notify: _Channel | list[_Channel] = Field(
        default=[],
        description="Who is told of the question: a channel, a mapping with `type` and the channel's keys, or a list. "
        "Without it, those who hear of the job's errors.",
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("each of the `choices` once")
        if FAIL in self.choices:
            raise ValueError("`fail` cannot be a choice: call it `deny`, which denies")
        if self.default not in {None, FAIL, *self.choices} and "{{" not in (self.default or ""):
            raise ValueError(f"`default` is one of the choices ({', '.join(self.choices)}), or fail")
        for item in _listed(self.notify):
            own = [key for key in _OF_THE_MESSAGE if key in item] if isinstance(item, dict) else []
            if own:
                raise ValueError(f"`notify` has no `{own[0]}` here: the question is the message")
        if "{{" not in str(self.expires) and parse_duration(self.expires) > LONGEST:
            raise ValueError("`expires` is at most 3650d")
        return self


class ApproveStep:
    """Asks, and has the run wait for the answer."""

    key: ClassVar[str] = "approve"
    params: ClassVar[type[BaseModel]] = ApproveParams
    # What a preview shows must not be chosen by a value; messages keep `${NAME}` until they are sent.
    raw: ClassVar[frozenset[str]] = frozenset({"preview", "notify"})
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: ApproveParams, ctx: StepContext) -> StepResult:
        """Ask. Nobody hears of it before the question is in the state."""
        question = capped(params.approve.strip(), QUESTION_LIMIT)
        fallback = None if params.default == FAIL else params.default
        line = " ".join(question.split())
        ctx.say(f"asks: {line}")
        return Waiting(
            APPROVAL,
            question,
            Reason(APPROVAL, f"waits for an answer: {line[:200]}"),
            tuple(params.choices),
            preview=_preview(params.preview, ctx),
            expires=parse_duration(params.expires).total_seconds(),
            fallback=fallback,
            on_deny=params.on_deny,
            notify=tuple(_channel(item, ctx) for item in _listed(params.notify)),
        )


def _preview(raw: str | None, ctx: StepContext) -> str | None:
    if raw is None:
        return None
    text = render(raw, ctx.values)
    name = text.strip()
    if may_name_file(raw) and "://" not in name:
        file = file_text(name, ctx.workspace, PREVIEW_LIMIT)
        if file is not None:
            return _cut(file)
        if _LIKE_A_PATH.fullmatch(name):  # who answers would be shown its name for what they approve
            raise StepError(
                f"`preview:` names a file that cannot be shown: {name}",
                code="no_preview",
                permanent=True,
                hint="it has to be a text file in the workspace; a text of one word may end with a full stop",
            )
    return _cut(text)


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= PREVIEW_LIMIT:
        return text
    return data[:PREVIEW_LIMIT].decode("utf-8", "ignore") + "\n[rota: the rest is left out]"


def _listed(value: _Channel | list[_Channel]) -> list[_Channel]:
    return value if isinstance(value, list) else [value]


def _channel(item: _Channel, ctx: StepContext) -> Notify:
    config = {"type": item} if isinstance(item, str) else dict(item)
    kind = str(config.pop("type", ""))
    known = sorted({*ctx.services.channels, *ctx.config.channels})
    if kind not in known:
        close = get_close_matches(kind, known, 1)
        raise StepError(
            f"there is no channel {kind!r}",
            code="unknown_channel",
            permanent=True,
            hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}",
        )
    return Notify(kind, config=config)

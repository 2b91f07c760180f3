"""The `notify` step: a message to a person, put into the outbox."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rota.model.errors import StepError
from rota.model.job import Notify, OnInterrupt
from rota.ports.steps import Done, StepContext, StepResult


class Notification(BaseModel):
    """What `notify:` says; the other keys are the channel's."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(min_length=1, description="A kind of channel, or a name from `channels:` in rota.yaml.")
    message: str | None = Field(default=None, description="The message, a template.")
    title: str | None = Field(default=None, description="Its title, a template.")


class NotifyParams(BaseModel):
    """The keys of a `notify` step."""

    model_config = ConfigDict(extra="forbid")

    notify: str | Notification = Field(
        description="The message for the workspace's channels (`notify:` in rota.yaml), or a mapping with "
        "`type`, `message`, `title` and the channel's own keys."
    )


class NotifyStep:
    """Queues a message; sending it, and trying again, is not this step's concern."""

    key: ClassVar[str] = "notify"
    params: ClassVar[type[BaseModel]] = NotifyParams
    # The outbox renders messages, and keeps `${NAME}` as it is until the message is sent.
    raw: ClassVar[frozenset[str]] = frozenset({"notify"})
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: NotifyParams, ctx: StepContext) -> StepResult:
        """Put it into the outbox, once even if the step is tried again."""
        queued = 0
        for notify in _wanted(params.notify, ctx):
            queued += await ctx.services.notify.notify(notify, ctx)
        ctx.say(f"{queued} message{'' if queued == 1 else 's'} queued")
        return Done(values={"queued": queued})


def _wanted(given: str | Notification, ctx: StepContext) -> list[Notify]:
    if isinstance(given, Notification):
        known = sorted({*ctx.services.channels, *ctx.config.channels})
        if given.type not in known:
            close = get_close_matches(given.type, known, 1)
            raise StepError(
                f"there is no channel {given.type!r}",
                code="unknown_channel",
                permanent=True,
                hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}",
            )
        return [Notify(given.type, given.message, given.title, config=given.model_extra or {})]
    if not ctx.config.notify:
        raise StepError(
            "the message has no channel",
            code="no_channel",
            permanent=True,
            hint="say `notify: {type: ..., message: ...}`, or set `notify:` in rota.yaml",
        )
    return [replace(channel, message=given) for channel in ctx.config.notify]

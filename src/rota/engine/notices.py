"""The messages that the end of a run, or a `notify` step, calls for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rota.model.config import WorkspaceConfig
from rota.model.errors import RotaError
from rota.model.instants import Micros
from rota.model.job import Job, Notify, OnError
from rota.model.message import DECIDED, INBOX, Message
from rota.model.run import FINAL, Reason, Run, RunState
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.logger import Logger
from rota.ports.steps import StepContext
from rota.ports.store import Store, Tx
from rota.templates import evaluate, render, truth

log = Logger("rota.notices")


@dataclass(frozen=True)
class Situation:
    """What a message is about. `values`: the names that its template sees.

    `question`: which one a waiting run asks of a person, so that each is told of once. `over_budget`: a message about
    that says why it failed.
    """

    job: Job
    run: Run
    state: RunState
    reason: Reason
    values: Mapping[str, Any]
    config: WorkspaceConfig
    now: Micros
    previous: Run | None = None
    question: str | None = None
    over_budget: bool = False


def notices(situation: Situation) -> list[Message]:
    """Messages for the state that a run has come to; their keys make each unique by run and channel."""
    job, run, state, reason = situation.job, situation.run, situation.state, situation.reason
    seen = {**situation.values, "state": state.value, "reason": reason.text}
    situation = replace(situation, values=seen)
    if state is RunState.WAITING and situation.question is None:
        return []  # a retry is nobody's concern yet
    about = f"waiting:{situation.question}" if situation.question else ""
    found = [
        (notify, compose(situation, notify, f"{about or notify.when}:{index}"))
        for index, notify in enumerate(job.notify)
        if notify.when == state.value or (notify.when == "finished" and state in FINAL)
    ]
    messages = [message for _, message in found if message is not None]
    told = {_place(notify) for notify, message in found if message is not None}
    if state is RunState.WAITING and reason.code not in DECIDED:  # those have told of themselves
        how = "See `rota inbox`."
        if reason.code == INBOX:
            how = f"`rota inbox take {run.id}` prints the prompt, `rota inbox done {run.id} --output FILE` answers it."
        text = f"Waiting for an answer: {reason.text}. {how}"
        messages += _own_words(situation, about, job.on_error, text, told)
    if state is RunState.SUCCEEDED:
        messages += _outputs(situation)
        if situation.previous is not None and situation.previous.state is RunState.FAILED:
            messages += _own_words(situation, "recovered", job.on_recovery, "Works again.", told)
    if state is RunState.FAILED and not situation.over_budget:
        messages += _own_words(situation, "failed", job.on_error, f"Failed: {reason.text}", told)
    return messages


def _own_words(
    situation: Situation, about: str, policy: OnError, text: str, told: Collection[str]
) -> list[Message]:
    """One message to every channel of the policy: its own, else the job's, else the workspace's.

    Without channels of its own the policy does not repeat what a channel was `told` by the job's `notify:`.
    `text` is used where the policy has no message. It may quote a step's output, so it is a value
    that the template names, never a template itself.
    """
    if not policy.notify:
        return []
    job, config = situation.job, situation.config
    places = {_place(n): n for n in job.notify or config.notify}
    channels = policy.channels or tuple(n for place, n in places.items() if place not in told)
    situation = replace(situation, values={**situation.values, "rota_text": text})
    messages: list[Message] = []
    for index, channel in enumerate(channels):
        own = channel.message if policy.channels else None
        notify = replace(
            channel,
            message=own or policy.message or "{{ rota_text }}",
            title=channel.title if policy.channels else None,
            condition=channel.condition if policy.channels else None,
        )
        message = compose(situation, notify, f"own-{about}:{index}")
        if message is not None:
            messages.append(message)
    return messages


def hears_of_errors(job: Job, config: WorkspaceConfig) -> tuple[Notify, ...]:
    """The channels that the job's errors go to, each once."""
    channels = job.on_error.channels or job.notify or config.notify
    return tuple({_place(channel): channel for channel in channels}.values())


def compose_each(
    situation: Situation, channels: Sequence[Notify], text: str, title: str, key: str
) -> list[Message]:
    """A message of rota's own to each of the channels. `text` is no template; `title` is one."""
    situation = replace(situation, values={**situation.values, "rota_text": text})
    found = [
        compose(
            situation,
            replace(channel, message="{{ rota_text }}", title=title, condition=None),
            f"{key}:{index}",
        )
        for index, channel in enumerate(channels)
    ]
    return [message for message in found if message is not None]


def notices_of_pause(situation: Situation, why: str) -> list[Message]:
    """That rota paused the job, to where its errors go; `on_error: false` keeps quiet about failures, not this."""
    job = situation.job
    text = f"`{job.id}` is paused: {why}. The last: {situation.reason.text}. Go on with: rota resume {job.id}"
    return compose_each(
        situation, hears_of_errors(job, situation.config), text, "{{ job.name }}: paused", "paused"
    )


def _place(notify: Notify) -> str:
    return f"{notify.type}:{sorted(notify.config.items(), key=str)}"


def _outputs(situation: Situation) -> list[Message]:
    """Steps whose `output:` names a channel send their text there."""
    from rota.engine.attempt import names_file  # heavy, and a run that is cancelled says nothing

    messages = []
    for step in situation.job.steps:
        if step.output is not None and not names_file(step.output):
            text = str(situation.values["steps"][step.id]["output"])
            if not text.strip():
                continue  # it was skipped, or had nothing to say
            about = replace(situation, values={**situation.values, "rota_text": text})
            message = compose(about, Notify(type=step.output, message="{{ rota_text }}"), f"output:{step.id}")
            if message is not None:
                messages.append(message)
    return messages


def compose(situation: Situation, notify: Notify, key: str) -> Message | None:
    """One message, rendered; None when its condition is false, or cannot be judged (which is logged)."""
    job, run, values = situation.job, situation.run, situation.values
    plain = f"{job.name}: {situation.state.value}"
    try:
        if notify.condition is not None and not truth(evaluate(notify.condition, values)):
            return None
        body = render(notify.message, values) if notify.message else plain
        title = render(notify.title, values) if notify.title else job.name
    except RotaError as error:
        log.warning(
            "notification_not_composed", job=job.id, run=run.id, channel=notify.type, error=str(error)
        )
        if notify.condition is not None:
            return None
        body, title = f"{plain} (the message itself could not be rendered: {error})", job.name
    kind, settings = channel_of(notify, situation.config)
    return Message(
        key=f"{run.id}:{key}",
        channel=kind,
        title=title,
        body=body,
        config=settings,
        created_at=situation.now,
        not_before=situation.now,
        job_id=job.id,
        run_id=run.id,
    )


def channel_of(notify: Notify, config: WorkspaceConfig) -> tuple[str, dict[str, Any]]:
    """The channel kind, and its settings: those of rota.yaml's `channels:` under the notification's own."""
    named: Mapping[str, Any] = config.channels.get(notify.type, {})
    kind = str(named.get("type", notify.type))
    return kind, {**{k: v for k, v in named.items() if k != "type"}, **notify.config}


class StepNotifier:
    """ports.steps.Notifier: a `notify` step puts its message into the outbox; the pump does the rest."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.on_queued: Callable[[], None] = lambda: None

    async def notify(self, notify: Notify, ctx: StepContext) -> bool:
        """Queue it; False when it was queued by an earlier attempt, or its condition is false."""
        situation = Situation(
            ctx.job,
            ctx.run,
            RunState.RUNNING,
            Reason("notify", f"step {ctx.step.id}"),
            {**merged_step_values(ctx.values), **ctx.values},
            ctx.config,
            self._clock.now(),
        )
        # A step may tell several channels; an attempt that is made again tells none of them twice.
        channel = f"{notify.type}-{hashlib.sha256(_place(notify).encode()).hexdigest()[:8]}"
        message = compose(situation, notify, f"step:{ctx.step.id}:{channel}")
        if message is None:
            return False
        queued = await self._store.write(partial(_add, message=message))
        crash_point("notices.queued")
        self.on_queued()
        return queued


def merged_step_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The names that the steps so far have put out."""
    merged: dict[str, Any] = {}
    for step in values.get("steps", {}).values():
        merged.update(step["values"])
    return merged


def _add(tx: Tx, message: Message) -> bool:
    return tx.outbox.add(message)

"""Notifications in the outbox, and questions that runs wait on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rota.model.instants import Micros


class MessageState(StrEnum):
    """Where a message is; the last two are final."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class Message:
    """One notification. `key` is unique: a second one of the same run and channel is not written.

    `channel`: a channel kind; `config`: its keys, with `${NAME}` unresolved, so that no secret is
    in the state. `not_before`: when it is tried (again).
    """

    key: str
    channel: str
    body: str
    created_at: Micros
    title: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    job_id: str | None = None
    run_id: str | None = None
    state: MessageState = MessageState.PENDING
    attempts: int = 0
    not_before: Micros = 0
    sent_at: Micros | None = None
    error: str | None = None


class ApprovalState(StrEnum):
    """Where a question is."""

    OPEN = "open"
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class OnDeny(StrEnum):
    """What a denial does: the run fails, goes on without the steps that wait for the answer, or goes on as ever."""

    FAIL = "fail"
    SKIP = "skip"
    CONTINUE = "continue"


# Kinds of questions: what an `approve` step asks; what an agent wants to do and may not; a prompt of the inbox runner.
APPROVAL = "approval"
PERMISSION = "permission"
PROMPT = "prompt"
# Those that are approved or denied, each told of by itself; and the two choices that every one of them knows.
DECIDED = frozenset({APPROVAL, PERMISSION})
APPROVE = "approve"
# The code of the reason for which a run waits whose prompt is in the inbox.
INBOX = "inbox"
DENY = "deny"


@dataclass(frozen=True)
class Approval:
    """A question that a run waits on. `kind`: prompt (the inbox runner), interrupted, approval, permission.

    `answer` is text; of a prompt and an approval it becomes the step's output. Of the latter, and of a permission: `preview` is what the answer is about,
    as it was when it was asked; `fallback` is the answer when `expires_at` comes (None: the step fails then);
    `reason` is why it was answered so.
    """

    run_id: str
    step_id: str
    kind: str
    question: str
    asked_at: Micros
    job_id: str
    choices: tuple[str, ...] = ()
    state: ApprovalState = ApprovalState.OPEN
    answer: str | None = None
    answered_at: Micros | None = None
    answered_by: str | None = None
    preview: str | None = None
    expires_at: Micros | None = None
    fallback: str | None = None
    on_deny: OnDeny | None = None
    reason: str | None = None

    @property
    def settled(self) -> bool:
        """Whether its step can go on: it has its answer, or nobody gave one in time."""
        return self.state in {ApprovalState.ANSWERED, ApprovalState.EXPIRED}


@dataclass(frozen=True)
class Take:
    """Somebody works on the answer to a question, until `until` unless they go on. `asked_at`: of the question."""

    run_id: str
    step_id: str
    asked_at: Micros
    by: str
    taken_at: Micros
    until: Micros

    def holds(self, question: Approval, now: Micros) -> bool:
        """Whether it is of that question as it is asked now, and not over."""
        return self.asked_at == question.asked_at and now < self.until

"""What a person's answer about something that an agent may not do makes of the agent's conversation."""

from __future__ import annotations

from dataclasses import replace

from rota.model.agent import AgentSession, Denial
from rota.model.message import DENY, Approval, ApprovalState
from rota.model.run import Reason


def with_answer(session: AgentSession, question: Approval) -> AgentSession:
    """The conversation as the next try goes on with it: with the grants, or knowing what stays denied."""
    asked = "; ".join(map(_in_words, session.asked)) or "what you asked for"
    by, why = question.answered_by or "somebody", question.reason
    if is_granted(question):
        words = f"You may now do this, {by} has allowed it: {asked}." + (f" {by} says: {why}" if why else "")
        return replace(
            session,
            grants=_joined(session.grants, session.asked),
            asked=(),
            said=f"{words} Go on from there.",
        )
    if question.state is ApprovalState.EXPIRED:
        words = f"Nobody answered in time, so this stays denied: {asked}."
    else:
        words = f"Denied by {by}{f' ({why})' if why else ''}: {asked}."
    return replace(
        session,
        refused=_joined(session.refused, session.asked),
        asked=(),
        said=f"{words} Finish without it, and say what is missing for want of it.",
    )


def is_granted(question: Approval) -> bool:
    """Whether the answer allows it."""
    return question.answer is not None and question.answer != DENY


def decision(question: Approval) -> Reason:
    """Why the step goes on."""
    by, why = question.answered_by or "somebody", f": {question.reason}" if question.reason else ""
    if is_granted(question):
        return Reason("permission", f"allowed by {by}{why}; the agent goes on")
    if question.state is ApprovalState.EXPIRED:
        return Reason("permission", "nobody answered in time; the agent goes on without it")
    return Reason("permission", f"denied by {by}{why}; the agent goes on without it")


def _joined(known: tuple[Denial, ...], more: tuple[Denial, ...]) -> tuple[Denial, ...]:
    return tuple(dict.fromkeys((*known, *more)))


def _in_words(denied: Denial) -> str:
    return f"{denied.tool} `{denied.what}`" if denied.what else denied.tool

"""What becomes of what an agent wants: allowed, put before a person, or refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rota.model.config import AgentsPolicy
from rota.model.proposal import Deed, Rule

# So many runs may start each other by agents, one after the other. Each of them may be paid for.
MAX_DEPTH = 5


@dataclass(frozen=True)
class Facts:
    """What the decision rests on. `own`: it is about the job that the agent works for at present.

    `by_agent`: an agent made the job. `removed_by_person`: a person removed the job that is to be made. `depth`: how
    many runs, started one after the other, led to the run that the agent works in.
    """

    own: bool = False
    by_agent: bool = False
    removed_by_person: bool = False
    depth: int = 0


@dataclass(frozen=True)
class Ruling:
    """`why`: in words, where it is not the bare policy."""

    rule: Rule
    why: str = ""


def judge(policy: AgentsPolicy, deed: Deed, facts: Facts) -> Ruling:
    """What the policy says to it."""
    if deed in {Deed.QUESTION, Deed.NOTIFY}:
        return Ruling(Rule.PROPOSE if deed is Deed.QUESTION else Rule.ALLOW)
    if deed is Deed.RUN and facts.own:
        return Ruling(Rule.DENY, "a run cannot start its own job again: it would never come to an end")
    if deed is Deed.RUN and facts.depth >= MAX_DEPTH:
        return Ruling(Rule.DENY, f"{MAX_DEPTH} runs in a row started each other: no chain goes on longer")
    key = "pause" if deed is Deed.RESUME else deed.value
    rule: Rule = getattr(policy, key)
    if rule is Rule.DENY:
        return Ruling(rule, f"the workspace's policy says `agents: {{{key}: deny}}`")
    if deed is Deed.PAUSE and facts.by_agent:
        return Ruling(Rule.ALLOW)
    if rule is Rule.ALLOW and facts.own and deed is not Deed.PAUSE:
        return Ruling(Rule.PROPOSE, "a run does not change its own job without a person")
    if deed is Deed.CREATE and facts.removed_by_person:
        return Ruling(Rule.PROPOSE, "a person removed a job of this id, and what people remove stays removed")
    return Ruling(rule)

"""Budgets: which hold for a step, when one is used up or would not suffice, and how that is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median_low

from rota.model.agent import Caps
from rota.model.budget import NO_CAPS, Bound, Budget, Scope, Span
from rota.model.config import WorkspaceConfig
from rota.model.instants import MINUTE, Micros, to_micros
from rota.model.job import Job
from rota.model.spend import UNUSED, Used
from rota.schedule import local_time

UNITS = ("usd", "tokens", "turns", "minutes")
# What a try is expected to take of which nothing is known yet: a short answer of a middling model.
FIRST_TIME = Used(usd=0.01, tokens=2_000, turns=1)
AGENT_STEPS = frozenset({"agent", "skill"})
# The runner that asks no model: a person, or whoever comes by, pays.
FREE_RUNNER = "inbox"
_WHOSE = {
    Scope.STEP: "the step's budget",
    Scope.JOB: "the job's budget",
    Scope.WORKSPACE: "the workspace's budget",
}


@dataclass(frozen=True)
class Standing:
    """A budget, what was taken of it, and what is set aside for others at work."""

    bound: Bound
    used: Used
    held: Used = UNUSED


@dataclass(frozen=True)
class Over:
    """A cap that was reached; or, where `expected` is said, that would be with so much more."""

    standing: Standing
    unit: str
    expected: Used | None = None


def costs(job: Job, config: WorkspaceConfig) -> bool:
    """Whether a run of the job may ask a model. What its commands and functions do by themselves nobody counts."""
    for step in job.steps:
        if step.kind in AGENT_STEPS:
            said = str(step.config.get("runner", "auto"))
            if (config.agent.runner if said == "auto" else said) != FREE_RUNNER:
                return True
    return False


def bounds_of(job: Job, config: WorkspaceConfig, now: Micros, step: Caps = NO_CAPS) -> list[Bound]:
    """The budgets that hold for a step of the job now, the narrowest first."""
    own = job.budget
    found = [] if step.empty else [Bound(Scope.STEP, Span.RUN, step, own.on_over)]
    found += _of(Scope.JOB, own, job.timezone or config.timezone, now)
    found += _of(Scope.WORKSPACE, config.budget, config.timezone, now)
    return found


def bounds_of_workspace(config: WorkspaceConfig, now: Micros) -> list[Bound]:
    """The budgets of the whole workspace."""
    return list(_of(Scope.WORKSPACE, config.budget, config.timezone, now))


def _of(scope: Scope, budget: Budget, timezone: str, now: Micros) -> Iterator[Bound]:
    for span, caps in budget.caps():
        start, end = (0, None) if span is Span.RUN else edges(span, now, timezone)
        yield Bound(scope, span, caps, budget.on_over, timezone, start, end)


def edges(span: Span, now: Micros, timezone: str) -> tuple[Micros, Micros]:
    """Where the day, the week or the month begins that `now` is in, and where the next one does: midnights of the zone."""
    here = local_time(now, timezone)
    today = here.date()
    if span is Span.DAY:
        first, after = today, today + timedelta(days=1)
    elif span is Span.WEEK:
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)

    def midnight(day: date) -> Micros:
        return to_micros(datetime.combine(day, time(0), here.tzinfo))

    return midnight(first), midnight(after)


def amount(used: Used, unit: str) -> float:
    """So much of a unit."""
    return {
        "usd": used.usd,
        "tokens": used.tokens,
        "turns": used.turns,
        "minutes": used.worked / MINUTE,
    }[unit]


def cap(caps: Caps, unit: str) -> float | None:
    """The cap on a unit."""
    found: float | None = getattr(caps, unit)
    return found


def reached(standings: Iterable[Standing]) -> Over | None:
    """The first cap that was reached."""
    for standing in standings:
        for unit in UNITS:
            most = cap(standing.bound.caps, unit)
            if most is not None and amount(standing.used, unit) >= most:
                return Over(standing, unit)
    return None


def exceeded(standings: Iterable[Standing], expected: Used) -> Over | None:
    """The first cap that what is expected on top would go beyond.

    A budget of which nothing is taken yet always lets one begin: what is usual may have changed.
    """
    for standing in standings:
        taken = standing.used + standing.held
        for unit in UNITS:
            most, before = cap(standing.bound.caps, unit), amount(taken, unit)
            if most is not None and before > 0 and before + amount(expected, unit) > most:
                return Over(standing, unit, expected)
    return None


def left(standings: Sequence[Standing]) -> Caps:
    """What is left of all of them together."""

    def least(unit: str) -> float | None:
        rest = [
            max(0.0, most - amount(standing.used, unit))
            for standing in standings
            if (most := cap(standing.bound.caps, unit)) is not None
        ]
        return min(rest, default=None)

    tokens, turns = least("tokens"), least("turns")
    return Caps(
        usd=least("usd"),
        tokens=None if tokens is None else int(tokens),
        turns=None if turns is None else int(turns),
        minutes=least("minutes"),
    )


def usual(found: Sequence[Used]) -> Used | None:
    """The median of each figure; None where nothing is known."""
    if not found:
        return None
    return Used(
        median_low(used.usd for used in found),
        median_low(used.tokens for used in found),
        median_low(used.turns for used in found),
        median_low(used.worked for used in found),
    )


def counts_without_prices(bounds: Iterable[Bound]) -> bool:
    """Whether a cap holds that needs no price: of tokens or turns."""
    return any(bound.caps.tokens is not None or bound.caps.turns is not None for bound in bounds)


def name_of(over: Over, job_id: str, run_id: str) -> str:
    """A name of the budget and its span that is the same for all who come to it; without spaces."""
    bound = over.standing.bound
    whose = {Scope.STEP: job_id, Scope.JOB: job_id, Scope.WORKSPACE: ""}[bound.scope]
    when = run_id if bound.span is Span.RUN else str(bound.start)
    return f"{bound.scope.value}:{whose}:{bound.span.value}:{when}:{over.unit}"


def in_words(over: Over) -> str:
    """What is used up, how much of it, until when."""
    bound, used = over.standing.bound, over.standing.used
    most = said(over.unit, cap(bound.caps, over.unit) or 0)
    whose = title(bound)
    if over.expected is None:
        words = f"{whose}, {most}, is used up ({said(over.unit, amount(used, over.unit))} by now)"
    else:
        held = amount(over.standing.held, over.unit)
        aside = f", {said(over.unit, held)} is set aside for others at work" if held else ""
        taken, more = (
            said(over.unit, amount(used, over.unit)),
            said(over.unit, amount(over.expected, over.unit)),
        )
        words = f"{whose}, {most}, does not suffice: {taken} is used{aside}, and this usually takes {more}"
    return words if bound.end is None else f"{words}; the next begins {when(bound.end, bound.timezone)}"


def title(bound: Bound) -> str:
    """Whose budget it is, and of which span: 'the job's budget of a day'."""
    span = "" if bound.scope is Scope.STEP else f" of a {bound.span.value}"
    return f"{_WHOSE[bound.scope]}{span}"


def when(instant: Micros, timezone: str) -> str:
    """'Sun 29 Nov 00:00 London'."""
    city = timezone.rsplit("/", 1)[-1].replace("_", " ")
    return f"{local_time(instant, timezone):%a %-d %b %H:%M} {city}"


def said(unit: str, number: float) -> str:
    """An amount in words: '$0.25', '20 turns', '1,200 tokens', '90 min'."""
    if unit == "usd":
        return dollars(number)
    if unit == "minutes":
        return f"{number:,.1f}".removesuffix(".0") + " min"
    return f"{number:,.0f} {unit if number != 1 else unit[:-1]}"


def dollars(usd: float) -> str:
    """'$12.30'; below a dollar to a hundredth of a cent, so that what is small is not nothing."""
    if usd and abs(usd) < 1:
        exact = f"{usd:.4f}".rstrip("0")
        return "$" + (exact + "00"[: max(0, 4 - len(exact))] if exact != "0." else f"{usd:.6f}")
    return f"${usd:,.2f}"

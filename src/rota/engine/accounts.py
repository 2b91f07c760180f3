"""The transactions of the meter: what is judged, set aside and written together, so that no two tries decide at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rota.model.agent import Caps
from rota.model.budget import NO_CAPS, Bound, Scope, Span
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.spend import OpenAccount, Spend, Used
from rota.planning.budgets import (
    FIRST_TIME,
    Over,
    Standing,
    bounds_of,
    exceeded,
    in_words,
    left,
    name_of,
    reached,
    usual,
)
from rota.ports.store import Tx

TRIES = 10  # of a step, from which is told what it usually takes
# What begins the name of a budget that is not used up, and would not suffice.
NEARLY = "nearly:"


@dataclass(frozen=True)
class Terms:
    """What an account is held to. `caps`: the step's own."""

    job: Job
    config: WorkspaceConfig
    caps: Caps

    def bounds(self, now: Micros) -> list[Bound]:
        """The budgets that hold now."""
        return bounds_of(self.job, self.config, now, self.caps)


@dataclass(frozen=True)
class Remains:
    """What is left of all budgets together. `over`: the words of the one that lets nothing more be asked for."""

    left: Caps
    over: str | None = None


def open_account(tx: Tx, account: OpenAccount, terms: Terms, now: Micros) -> Remains:
    """Judge, and set aside: in one transaction with what others do."""
    expected = _expected(tx, account)
    others = [
        (other, took)
        for other, took in tx.spend.at_work()
        if (other.run_id, other.step_id) != (account.run_id, account.step_id)
    ]
    standings = standings_of(tx, account, terms.bounds(now), others, now)
    over = reached(standings) or exceeded(standings, expected)
    tx.spend.open(replace(account, reserved=Used() if over else expected))
    if over is None:
        return Remains(left(standings))
    note(tx, account, over)
    tx.spend.close(account.run_id, account.step_id, account.attempt, now, Used())
    return Remains(left(standings), in_words(over))


def _expected(tx: Tx, account: OpenAccount) -> Used:
    """What the try is expected to take: what is usual, less what an earlier try of the same took in this run."""
    usually = usual(tx.spend.usual(account.job_id, account.step_id, TRIES)) or FIRST_TIME
    step = Bound(Scope.STEP, Span.RUN, NO_CAPS)
    before = tx.spend.used(step, job_id=account.job_id, run_id=account.run_id, step_id=account.step_id)
    return usually.beyond(before)


def record(tx: Tx, spend: Spend, account: OpenAccount, terms: Terms, now: Micros) -> Remains:
    """Write a response; what is left, and whether a budget is used up now, whoever used it."""
    tx.spend.add(spend)
    standings = standings_of(tx, account, terms.bounds(now), _timed(tx, terms, now), now)
    over = reached(standings)
    if over is None:
        return Remains(left(standings))
    note(tx, account, over)
    return Remains(left(standings), in_words(over))


def close_account(tx: Tx, account: OpenAccount, terms: Terms, now: Micros) -> None:
    """The try is over; its minutes count from now on."""
    settle(tx, account, now)
    over = reached(standings_of(tx, account, terms.bounds(now), _timed(tx, terms, now), now))
    if over is not None:
        note(tx, account, over)


def settle(tx: Tx, account: OpenAccount, now: Micros) -> None:
    """Write how long a try was at work, and give back what was set aside."""
    tx.spend.add(
        Spend(
            run_id=account.run_id,
            step_id=account.step_id,
            key=f"worked {account.attempt} {account.opened_at}",
            job_id=account.job_id,
            attempt=account.attempt,
            at=now,
            runner=account.runner,
            model=account.model,
            worked=max(0, now - account.opened_at),
        )
    )
    took = tx.spend.of_attempt(account.run_id, account.step_id, account.attempt)
    tx.spend.close(account.run_id, account.step_id, account.attempt, now, took)


def note(tx: Tx, account: OpenAccount, over: Over) -> None:
    """Keep which budget it was, for whoever ends the run."""
    nearly = NEARLY if over.expected is not None else ""
    name = name_of(over, account.job_id, account.run_id)
    tx.spend.note_over(account.run_id, account.step_id, account.attempt, f"{nearly}{name} {in_words(over)}")


def _timed(tx: Tx, terms: Terms, now: Micros) -> list[tuple[OpenAccount, Used]]:
    """Who is at work, where somebody counts minutes."""
    counted = any(bound.caps.minutes is not None for bound in terms.bounds(now))
    return tx.spend.at_work() if counted else []


def standings_of(
    tx: Tx,
    account: OpenAccount,
    bounds: Sequence[Bound],
    at_work: Iterable[tuple[OpenAccount, Used]],
    now: Micros,
) -> list[Standing]:
    """What was taken of each budget, the minutes of those at work included, and what they have set aside."""
    found = []
    for bound in bounds:
        used = tx.spend.used(bound, job_id=account.job_id, run_id=account.run_id, step_id=account.step_id)
        held = Used()
        for other, took in at_work:
            if _shares(other, account, bound):
                used += Used(worked=max(0, now - max(other.opened_at, bound.start)))
                held += other.reserved.beyond(took)
        found.append(Standing(bound, used, replace(held, worked=0)))
    return found


def _shares(other: OpenAccount, account: OpenAccount, bound: Bound) -> bool:
    """Whether another try counts for the same budget."""
    if bound.scope is Scope.STEP:
        return (other.run_id, other.step_id) == (account.run_id, account.step_id)
    if bound.span is Span.RUN:
        return other.run_id == account.run_id
    return bound.scope is Scope.WORKSPACE or other.job_id == account.job_id


def settle_left(tx: Tx, run_id: str) -> None:
    """Close the accounts that a dead owner left open; they were at work until their last response, as far as is known."""
    for account, _ in tx.spend.left_open(run_id):
        settle(
            tx,
            account,
            tx.spend.last_at(account.run_id, account.step_id, account.attempt) or account.opened_at,
        )

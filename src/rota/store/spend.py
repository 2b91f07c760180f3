"""What agents took, and the tries that are at work. Money is in billionths of a dollar here, so that sums are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.agent import Usage
from rota.model.budget import Bound, Scope, Span
from rota.model.instants import Micros
from rota.model.spend import OpenAccount, Spend, SpendSum, Used
from rota.store.sql import Row, Session
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import spend_queries as q
else:
    q = queries("spend_queries")

_NANO = 1_000_000_000


class Spending:
    """The verbs of `ports.spend.SpendTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, spend: Spend) -> bool:
        """Insert; False when (run, step, key) is there already."""
        usage = spend.usage
        return (
            self._session.change(
                q.ADD,
                run_id=spend.run_id,
                step_id=spend.step_id,
                key=spend.key,
                job_id=spend.job_id,
                attempt=spend.attempt,
                at=spend.at,
                runner=spend.runner,
                model=spend.model,
                input=usage.input,
                output=usage.output,
                cache_read=usage.cache_read,
                cache_write=usage.cache_write,
                nano_usd=_nano(spend.usd),
                client_nano_usd=_nano(spend.client_usd),
                turns=spend.turns,
                worked=spend.worked,
            )
            == 1
        )

    def used(self, bound: Bound, *, job_id: str, run_id: str = "", step_id: str = "") -> Used:
        """What was taken of a budget so far."""
        if bound.scope is Scope.STEP:
            row = self._session.one(q.USED_OF_STEP, run_id=run_id, step_id=step_id)
        elif bound.span is Span.RUN:
            row = self._session.one(q.USED_OF_RUN, run_id=run_id)
        elif bound.scope is Scope.JOB:
            row = self._session.one(q.USED_OF_JOB, job_id=job_id, since=bound.start)
        else:
            row = self._session.one(q.USED_OF_ALL, since=bound.start)
        return _used(row or ())

    def of_run(self, run_id: str) -> Used:
        """What a run took."""
        return _used(self._session.one(q.USED_OF_RUN, run_id=run_id) or ())

    def of_attempt(self, run_id: str, step_id: str, attempt: int) -> Used:
        """What a try took."""
        row = self._session.one(q.USED_OF_ATTEMPT, run_id=run_id, step_id=step_id, attempt=attempt)
        return _used(row or ())

    def last_at(self, run_id: str, step_id: str, attempt: int) -> Micros | None:
        """When the last response of a try was written."""
        found: Micros | None = self._session.value(q.LAST_AT, run_id=run_id, step_id=step_id, attempt=attempt)
        return found

    def open(self, account: OpenAccount) -> None:
        """Set aside what the try is expected to take."""
        reserved = account.reserved
        self._session.change(
            q.OPEN,
            run_id=account.run_id,
            step_id=account.step_id,
            attempt=account.attempt,
            job_id=account.job_id,
            token=account.token,
            runner=account.runner,
            model=account.model,
            opened_at=account.opened_at,
            closed_at=None,
            nano_usd=_nano(reserved.usd),
            tokens=reserved.tokens,
            turns=reserved.turns,
            worked=reserved.worked,
            over=None,
        )

    def close(self, run_id: str, step_id: str, attempt: int, now: Micros, took: Used) -> None:
        """The try is over."""
        self._session.change(
            q.CLOSE,
            run_id=run_id,
            step_id=step_id,
            attempt=attempt,
            now=now,
            usd=_nano(took.usd),
            tokens=took.tokens,
            turns=took.turns,
            worked=took.worked,
        )

    def at_work(self) -> list[tuple[OpenAccount, Used]]:
        """The open accounts of runs that are at work under the same claim."""
        return [_account(row) for row in self._session.all(q.AT_WORK)]

    def left_open(self, run_id: str) -> list[tuple[OpenAccount, Used]]:
        """The open accounts of a run."""
        return [_account(row) for row in self._session.all(q.LEFT_OPEN, run_id=run_id)]

    def note_over(self, run_id: str, step_id: str, attempt: int, over: str) -> None:
        """Note which budget the try has come to the end of."""
        self._session.change(q.NOTE_OVER, run_id=run_id, step_id=step_id, attempt=attempt, name=over)

    def overs(self, run_id: str) -> list[str]:
        """The budgets that tries of a run have come to the end of, each once."""
        return list(dict.fromkeys(over for (over,) in self._session.all(q.OVERS, run_id=run_id)))

    def usual(self, job_id: str, step_id: str, limit: int) -> list[Used]:
        """What the latest tries of a step took."""
        return [_used(row) for row in self._session.all(q.USUAL, job_id=job_id, step_id=step_id, limit=limit)]

    def usual_of_runs(self, job_id: str, limit: int) -> list[Used]:
        """What the latest runs of a job took."""
        return [_used(row) for row in self._session.all(q.USUAL_OF_RUNS, job_id=job_id, limit=limit)]

    def sums(self, by: str, since: Micros) -> list[SpendSum]:
        """What was taken since, by `job`, `model` or `runner`."""
        found = {"job": q.BY_JOB, "model": q.BY_MODEL, "runner": q.BY_RUNNER}[by]
        return [_sum(str(row[0]), row) for row in self._session.all(found, since=since)]

    def quarters(self, since: Micros) -> list[tuple[Micros, SpendSum]]:
        """The same by quarters of an hour."""
        return [(int(row[0]), _sum("", row)) for row in self._session.all(q.BY_QUARTER, since=since)]

    def first_at(self) -> Micros | None:
        """When the first row was written that is kept."""
        found: Micros | None = self._session.value(q.FIRST_AT)
        return found

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` rows older than that; how many."""
        return self._session.change(q.PRUNE, older_than=older_than, limit=limit)


def _nano(usd: float | None) -> int | None:
    return None if usd is None else round(usd * _NANO)


def _used(row: Row) -> Used:
    if not row:
        return Used()
    usd, *others = row
    return Used(usd / _NANO, *others)


def _account(row: Row) -> tuple[OpenAccount, Used]:
    run_id, step_id, attempt, job_id, token, runner, model, opened_at = row[:8]
    about = OpenAccount(
        run_id, step_id, attempt, job_id, token, runner, model, opened_at, reserved=_used(row[8:12])
    )
    return about, _used(row[12:])


def _sum(name: str, row: Row) -> SpendSum:
    _, input_, output, cache_read, cache_write, usd, client_usd, turns, worked, unpriced = row
    return SpendSum(
        name,
        Usage(input_, output, cache_read, cache_write),
        usd / _NANO,
        None if client_usd is None else client_usd / _NANO,
        turns,
        worked,
        unpriced,
    )

"""The verbs of money: what was taken, by whom, and what is set aside for those at work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rota.model.budget import Bound
from rota.model.instants import Micros
from rota.model.spend import OpenAccount, Spend, SpendSum, Used


class SpendTable(Protocol):
    """What agents took, and the tries that are at work."""

    def add(self, spend: Spend) -> bool:
        """Insert; False when (run, step, key) is there already, and nothing is written."""
        ...

    def used(self, bound: Bound, *, job_id: str, run_id: str = "", step_id: str = "") -> Used:
        """What was taken of a budget so far; of the time at work only that of tries that have ended."""
        ...

    def of_run(self, run_id: str) -> Used:
        """What a run took."""
        ...

    def of_attempt(self, run_id: str, step_id: str, attempt: int) -> Used:
        """What a try took."""
        ...

    def last_at(self, run_id: str, step_id: str, attempt: int) -> Micros | None:
        """When the last response of a try was written; None where there is none."""
        ...

    def open(self, account: OpenAccount) -> None:
        """Set aside what the try is expected to take; another account of the same try is replaced."""
        ...

    def close(self, run_id: str, step_id: str, attempt: int, now: Micros, took: Used) -> None:
        """The try is over: nothing is set aside any more, and `took` is remembered as what it took."""
        ...

    def at_work(self) -> list[tuple[OpenAccount, Used]]:
        """The open accounts of runs that are at work under the same claim, and what each has taken."""
        ...

    def left_open(self, run_id: str) -> list[tuple[OpenAccount, Used]]:
        """The open accounts of a run, whoever works on it."""
        ...

    def note_over(self, run_id: str, step_id: str, attempt: int, over: str) -> None:
        """Note which budget the try has come to the end of (see `planning.budgets.name_of`)."""
        ...

    def overs(self, run_id: str) -> list[str]:
        """The budgets that tries of a run have come to the end of, each once."""
        ...

    def usual(self, job_id: str, step_id: str, limit: int) -> list[Used]:
        """What the latest tries of a step took, latest first."""
        ...

    def usual_of_runs(self, job_id: str, limit: int) -> list[Used]:
        """What the latest runs of a job took, latest first; of those that took anything."""
        ...

    def sums(self, by: str, since: Micros) -> list[SpendSum]:
        """What was taken since, by `job`, `model` or `runner`, the dearest first."""
        ...

    def quarters(self, since: Micros) -> Sequence[tuple[Micros, SpendSum]]:
        """The same by quarters of an hour, as (start, sum), in order: days of any zone are made of them."""
        ...

    def first_at(self) -> Micros | None:
        """When the first row was written that is kept."""
        ...

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` rows older than that; how many."""
        ...

"""Random histories: two processes on one file do what they like, and the state obeys a simple model of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from rota.model.errors import ConflictError, LostClaimError
from rota.model.ledger import JobRecord, Occurrence, Outcome
from rota.model.run import ACTIVE, FINAL, TRANSITIONS, Attempt, Reason, Run, RunState, StepRun, StepState
from rota.ports.store import Tx
from rota.store import open_store

T = TypeVar("T")
WHY = Reason("why", "because")
KEYS = st.sampled_from([f"moment-{number}" for number in range(2)])
OWNERS = st.sampled_from(["ada", "bob"])
STEPS = st.sampled_from(["a", "b"])
GIVEN_BACK = st.sampled_from([RunState.QUEUED, RunState.WAITING, RunState.SUCCEEDED])
ENDS = st.sampled_from(sorted(RunState))


@cache
def blank() -> tempfile.TemporaryDirectory[str]:
    """A folder with a state that has a job in it, to be copied: making one takes longer than a history."""
    folder = tempfile.TemporaryDirectory()
    store = open_store(Path(folder.name, "state.db"))
    store.write_now(lambda tx: tx.jobs.put(JobRecord("j", "Job", "{}", "h", "file", 1, 1)))
    store.close()
    return folder


@dataclass
class Known:
    """What the model knows of a run."""

    key: str
    queued_at: int
    state: RunState = RunState.QUEUED
    token: int = 0
    owner: str | None = None
    not_before: int | None = None
    wanted: bool = True
    outcome: Outcome = Outcome.RAN
    steps: dict[str, StepState] = field(default_factory=dict)
    attempts: int = 0

    def holds(self, run: Run) -> bool:
        """Whether who has `run` in hand may write."""
        return self.state in ACTIVE and (self.state, self.token) == (run.state, run.token)

    def go(self, state: RunState) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state} -> {state}"
        self.state = state


class Histories(RuleBasedStateMachine):
    """The runs of one job. A `hand` is a Run as somebody read it, at some time: it may be long out of date."""

    hands = Bundle("hands")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(Path(blank().name, "state.db"), self.folder)
        self.stores = {name: open_store(self.folder / "state.db") for name in ("ada", "bob")}
        self.runs: dict[str, Known] = {}
        self.ledger: dict[str, str] = {}
        self.now = 1_000

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            assert self.stores["ada"].check() is None
            for store in self.stores.values():
                store.close()
            shutil.rmtree(self.folder)

    def write(self, who: str, work: Callable[[Tx], T]) -> T:
        self.now += 1
        return self.stores[who].write_now(work)

    def fenced(self, who: str, hand: Run, work: Callable[[Tx], None]) -> bool:
        """Do what only the holder may do; whether it was done, which is only ever the holder's luck."""
        try:
            self.write(who, work)
        except LostClaimError:
            assert not self.runs[hand.id].holds(hand) if hand.id in self.runs else True
            return False
        assert self.runs[hand.id].holds(hand), f"{hand.id} was written to by one who had lost it"
        return True

    @rule(who=OWNERS, key=KEYS, target=hands)
    def fire(self, who: str, key: str) -> Run | MultipleResults[Run]:
        """What the scheduler does: the occurrence, and the run only where the occurrence is new."""
        run = Run(f"run-{self.now}", "j", RunState.QUEUED, "h", self.now, occurrence_key=key)

        def work(tx: Tx) -> bool:
            row = Occurrence("j", "t", key, self.now, self.now, Outcome.RAN, WHY, run.id)
            if new := tx.ledger.add(row):
                tx.runs.add(run)
            return new

        assert self.write(who, work) == (key not in self.ledger), "one run per key"
        if key in self.ledger:
            return multiple()
        self.ledger[key] = run.id
        self.runs[run.id] = Known(key, run.queued_at)
        return run

    @rule(who=OWNERS, hand=hands, target=hands)
    def read(self, who: str, hand: Run) -> Run:
        return self.look_up(who, hand)

    def look_up(self, who: str, hand: Run) -> Run:
        return self.stores[who].read(lambda tx: tx.runs.get(hand.id)) or hand

    @rule(who=OWNERS, hand=hands, target=hands)
    def claim(self, who: str, hand: Run) -> Run:
        return self.claimed(who, hand)

    def claimed(self, who: str, hand: Run) -> Run:
        got = self.write(who, lambda tx: tx.runs.claim(hand.id, who, self.now, self.now + 50))
        known = self.runs.get(hand.id)
        ready = (
            known is not None
            and known.wanted
            and (
                known.state is RunState.QUEUED
                or (known.state is RunState.WAITING and (known.not_before or self.now + 1) <= self.now)
            )
        )
        assert (got is not None) == ready
        if got is None or known is None:
            return hand
        known.go(RunState.RUNNING)
        known.token, known.owner, known.not_before = known.token + 1, who, None
        assert (got.token, got.owner, got.state) == (known.token, who, RunState.RUNNING)
        return got

    @rule(who=OWNERS, hand=hands, target=hands)
    def take_over(self, who: str, hand: Run) -> Run:
        """What recovery and the next dispatch do with the run of one who is believed dead, and may not be."""
        fresh = self.look_up(who, hand)
        if fresh.state is RunState.RUNNING:
            self.give_back(who, fresh, RunState.QUEUED, None)
        return self.claimed(who, fresh)

    @rule(who=OWNERS, hand=hands)
    def write_late(self, who: str, hand: Run) -> None:
        """What the holder before this one may still try, with everything that it had in hand."""
        known = self.runs.get(hand.id)
        late = replace(hand, state=RunState.RUNNING, token=known.token - 1 if known else 1)
        tried: list[Callable[[Tx], None]] = [
            lambda tx: tx.runs.release(late, self.now, WHY),
            lambda tx: tx.runs.finish(late, RunState.SUCCEEDED, WHY, self.now, {}),
            lambda tx: tx.runs.put_step(late, StepRun(hand.id, "a", 0)),
            lambda tx: tx.runs.put_attempt(late, Attempt(hand.id, "a", 1, StepState.RUNNING, self.now)),
        ]
        for work in tried:
            with pytest.raises(LostClaimError):
                self.write(who, work)

    @rule(who=OWNERS)
    def renew(self, who: str) -> None:
        mine = [
            known for known in self.runs.values() if known.owner == who and known.state is RunState.RUNNING
        ]
        assert self.write(who, lambda tx: tx.runs.renew(who, self.now + 50)) == len(mine)

    @rule(who=OWNERS, hand=hands, state=GIVEN_BACK, wait=st.none() | st.integers(0, 20))
    def release(self, who: str, hand: Run, state: RunState, wait: int | None) -> None:
        self.give_back(who, hand, state, wait)

    def give_back(self, who: str, hand: Run, state: RunState, wait: int | None) -> None:
        until = None if wait is None or state is not RunState.WAITING else self.now + wait
        hand = replace(hand, state=RunState.RUNNING)  # nothing else can be given back
        try:
            done = self.fenced(
                who, hand, lambda tx: tx.runs.release(hand, self.now, WHY, state=state, not_before=until)
            )
        except ConflictError:
            assert state not in {RunState.QUEUED, RunState.WAITING}
            return
        assert state in {RunState.QUEUED, RunState.WAITING}
        if done:
            known = self.runs[hand.id]
            known.go(state if known.wanted else RunState.WAITING)
            known.owner, known.not_before = None, until if known.wanted else 0

    @rule(who=OWNERS, hand=hands, state=ENDS)
    def finish(self, who: str, hand: Run, state: RunState) -> None:
        try:
            done = self.fenced(who, hand, lambda tx: tx.runs.finish(hand, state, WHY, self.now, {}))
        except ConflictError:
            assert state not in TRANSITIONS[hand.state] & FINAL
            return
        if done:
            self.runs[hand.id].go(state)
            self.runs[hand.id].not_before = None

    @rule(who=OWNERS, hand=hands, step=STEPS, state=st.sampled_from(sorted(StepState)))
    def put_step(self, who: str, hand: Run, step: str, state: StepState) -> None:
        if self.fenced(who, hand, lambda tx: tx.runs.put_step(hand, StepRun(hand.id, step, 0, state))):
            self.runs[hand.id].steps[step] = state

    @rule(who=OWNERS, hand=hands)
    def put_attempt(self, who: str, hand: Run) -> None:
        number = (self.runs[hand.id].attempts if hand.id in self.runs else 0) + 1
        attempt = Attempt(hand.id, "a", number, StepState.RUNNING, self.now)
        if self.fenced(who, hand, lambda tx: tx.runs.put_attempt(hand, attempt)):
            self.runs[hand.id].attempts = number

    @rule(who=OWNERS, hand=hands, step=STEPS)
    def answer(self, who: str, hand: Run, step: str) -> None:
        given = StepRun(hand.id, step, 0, StepState.SUCCEEDED, output="yes")
        known = self.runs.get(hand.id)
        asked = (
            known is not None
            and known.state in {RunState.WAITING, RunState.QUEUED}
            and known.steps.get(step) is StepState.WAITING
        )
        assert self.write(who, lambda tx: tx.runs.answer_step(hand.id, given, self.now)) == asked
        if asked and known is not None:
            known.steps[step] = StepState.SUCCEEDED
            if known.state is RunState.WAITING and known.wanted:
                known.go(RunState.QUEUED)
                known.not_before = None

    @rule(who=OWNERS, hand=hands)
    def cancel(self, who: str, hand: Run) -> None:
        before = self.write(who, lambda tx: tx.runs.request_cancel(hand.id, WHY))
        known = self.runs.get(hand.id)
        assert before == (None if known is None else known.state)
        if known is not None and known.state in ACTIVE and known.wanted:
            known.wanted = False
            if known.state is RunState.RUNNING:
                known.not_before = None
            else:
                known.state, known.not_before = RunState.WAITING, 0

    @rule(who=OWNERS, hand=hands)
    def settle(self, who: str, hand: Run) -> None:
        self.write(who, lambda tx: tx.ledger.settle(hand.id, Outcome.SKIPPED, WHY))
        if hand.id in self.runs and self.ledger.get(self.runs[hand.id].key) == hand.id:
            self.runs[hand.id].outcome = Outcome.SKIPPED

    @rule(who=OWNERS, keep=st.integers(1, 3))
    def prune_runs(self, who: str, keep: int) -> None:
        """What retention does, with everybody looking at the same list, in date or not."""
        gone = self.write(who, lambda tx: tx.runs.outdated("j", keep, 0, 100))
        self.write(who, lambda tx: tx.runs.prune([*gone, *self.runs]) if keep == 1 else tx.runs.prune(gone))
        over = [id_ for id_, known in self.runs.items() if known.state in FINAL]
        assert len(gone) == max(0, len(over) - keep)
        for id_ in over if keep == 1 else gone:
            del self.runs[id_]

    @rule(who=OWNERS)
    def prune_ledger(self, who: str) -> None:
        self.write(who, lambda tx: tx.ledger.prune("j", self.now + 1, 100))
        active = {id_ for id_, known in self.runs.items() if known.state in ACTIVE}
        self.ledger = {key: id_ for key, id_ in self.ledger.items() if id_ in active}

    @invariant()
    def the_state_is_the_models(self) -> None:
        if not hasattr(self, "stores"):
            return

        def look(tx: Tx) -> tuple[Any, ...]:
            runs = {run.id: run for run in tx.runs.recent(limit=1000)}
            journal = {id_: {s.step_id: s.state for s in tx.runs.steps(id_)} for id_ in runs}
            counts = {id_: len(tx.runs.attempts(id_)) for id_ in runs}
            rows = {row.key: (row.run_id, row.outcome) for row in tx.ledger.of("j", limit=1000)}
            return runs, journal, counts, rows, tx.runs.to_end()

        for store in self.stores.values():
            runs, journal, counts, rows, to_end = store.read(look)
            assert {
                run.id: (run.state, run.token, not run.cancel_requested, run.not_before)
                for run in runs.values()
            } == {id_: (k.state, k.token, k.wanted, k.not_before) for id_, k in self.runs.items()}
            assert {id_: run.owner for id_, run in runs.items() if run.state is RunState.RUNNING} == {
                id_: k.owner for id_, k in self.runs.items() if k.state is RunState.RUNNING
            }
            assert journal == {id_: k.steps for id_, k in self.runs.items()}
            assert counts == {id_: k.attempts for id_, k in self.runs.items()}
            assert {key: run_id for key, (run_id, _) in rows.items()} == self.ledger
            assert {row[0]: row[1] for row in rows.values() if row[0] in self.runs} == {
                id_: k.outcome for id_, k in self.runs.items() if self.ledger.get(k.key) == id_
            }
            unwanted = {id_ for id_, k in self.runs.items() if k.state is RunState.WAITING and not k.wanted}
            assert {run.id for run in to_end} == unwanted, "nothing that is to end is forgotten"


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)

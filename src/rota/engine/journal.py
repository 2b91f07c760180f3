"""The journal of one run: its steps as the store has them, written under the run's fencing token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rota.engine.patience import write_patiently
from rota.model.agent import AgentSession, run_key
from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.ledger import Event
from rota.model.message import Approval, Message
from rota.model.run import STEP_FINAL, Attempt, Reason, Run, StepRun, StepState
from rota.planning.graph import next_steps
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx


class Journal:
    """Steps by id, in memory as on disk. Every write is one (shared) commit."""

    def __init__(self, store: Store, clock: Clock, run: Run, job: Job) -> None:
        self._store = store
        self._clock = clock
        self.run = run
        self.job = job
        stored = {step.step_id: step for step in store.read(lambda tx: tx.runs.steps(run.id))}
        self.steps: dict[str, StepRun] = {
            step.id: stored.get(step.id, StepRun(run.id, step.id, index))
            for index, step in enumerate(job.steps)
        }

    async def refresh(self) -> None:
        """Steps as on disk, when all that was on its way there has arrived: who is cancelled in a write does not see its end."""
        steps = await write_patiently(self._store, self._clock, lambda tx: tx.runs.steps(self.run.id))
        self.steps.update({step.step_id: step for step in steps if step.step_id in self.steps})

    @property
    def states(self) -> Mapping[str, StepState]:
        """The state of every step."""
        return {step_id: step.state for step_id, step in self.steps.items()}

    async def begin(self, step_id: str) -> tuple[StepRun, Attempt]:
        """A step's next attempt starts now."""
        now = self._clock.now()
        before = self.steps[step_id]
        step = replace(
            before,
            state=StepState.RUNNING,
            attempts=before.attempts + 1,
            started_at=before.started_at or now,
            finished_at=None,
            retry_at=None,
            reason=None,
        )
        attempt = Attempt(self.run.id, step_id, step.attempts, StepState.RUNNING, now)
        await self._write(step, attempt)
        return step, attempt

    def attempt_of(self, step: StepRun) -> Attempt:
        """The attempt at a step that was under way last, as the store has it."""
        known = self._store.read(lambda tx: tx.runs.attempts(self.run.id, step.step_id))
        if known and known[-1].number == step.attempts:
            return known[-1]
        started = step.started_at or self._clock.now()
        return Attempt(self.run.id, step.step_id, step.attempts, step.state, started)

    def conversation(self, step_id: str) -> AgentSession | None:
        """What a step that an agent works on was talking in, as the store has it."""
        return self._store.read(lambda tx: tx.sessions.get(run_key(self.run.id, step_id)))

    def questions(self) -> list[Approval]:
        """What was asked in this run, answered or not."""
        return self._store.read(lambda tx: tx.approvals.of(self.run.id))

    def now(self) -> Micros:
        """The wall clock."""
        return self._clock.now()

    async def end(
        self,
        step: StepRun,
        attempt: Attempt | None = None,
        question: Approval | None = None,
        kept: Mapping[str, Any] | None = None,
        messages: Sequence[Message] = (),
        *,
        also: Callable[[Tx], object] = lambda _tx: None,
    ) -> None:
        """A step (and its attempt) has a new state.

        In the same commit `question` is asked, `messages` about it go to the outbox, `kept` is stored, and `also` done.
        """
        if step.state in STEP_FINAL and step.finished_at is None:
            step = replace(step, finished_at=self._clock.now())
        await self._write(step, attempt, question, kept, messages, also=also)

    async def set_state(
        self,
        step_id: str,
        state: StepState,
        reason: Reason,
        given: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """A step gets a state without having been tried. `given`: output and values that it has all the same."""
        step = replace(self.steps[step_id], state=state, reason=reason, finished_at=None)
        await self.end(step if given is None else replace(step, output=given[0], values=given[1]))
        crash_point("journal.step_settled")

    async def skip_blocked(self) -> None:
        """Steps behind one that failed are skipped, and say so."""
        for step, obstacle in next_steps(self.job.steps, self.states).blocked:
            await self.set_state(
                step.id, StepState.SKIPPED, Reason("needs_failed", f"step `{obstacle}` did not succeed")
            )

    def wake(self, now: Micros) -> None:
        """Steps whose wait for another try is over are pending again (the next write stores it)."""
        for step_id, step in self.steps.items():
            if step.state is StepState.WAITING and step.retry_at is not None and step.retry_at <= now:
                self.steps[step_id] = replace(step, state=StepState.PENDING)

    async def _write(
        self,
        step: StepRun,
        attempt: Attempt | None,
        question: Approval | None = None,
        kept: Mapping[str, Any] | None = None,
        messages: Sequence[Message] = (),
        *,
        also: Callable[[Tx], object] = lambda _tx: None,
    ) -> None:
        now = self._clock.now()

        def put(tx: Tx) -> None:
            _put(tx, self.run, step, attempt, question)
            also(tx)
            for name, place in (kept or {}).items():
                tx.cursors.put(name, place, now)
            for message in messages:
                tx.outbox.add(message)

        await write_patiently(self._store, self._clock, put)
        self.steps[step.step_id] = step


def _put(tx: Tx, run: Run, step: StepRun, attempt: Attempt | None, question: Approval | None) -> None:
    tx.runs.put_step(run, step)
    if attempt is not None:
        tx.runs.put_attempt(run, attempt)
    if question is not None:
        tx.approvals.ask(question)
        tx.events.append(
            Event("question_asked", question.asked_at, run.job_id, run.id, {"step": step.step_id})
        )

"""ports.agents.Sessions and History over the state of one workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rota.engine.output import Masker, masked_value
from rota.model.agent import AgentSession, Denial
from rota.model.job import EVIDENCE_STEP
from rota.model.run import RunState, StepState
from rota.ports.agents import PastResult
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.steps import SecretSource
from rota.ports.store import Store, Tx


class StoredSessions:
    """Conversations, without the secrets that an agent wrote into a command. One with a secret stays denied."""

    def __init__(self, store: Store, clock: Clock, secrets: SecretSource) -> None:
        self._store = store
        self._clock = clock
        self._secrets = secrets

    async def get(self, key: str) -> AgentSession | None:
        """None when there is none."""
        return self._store.read(lambda tx: tx.sessions.get(key))

    async def put(self, session: AgentSession) -> None:
        """Insert or replace by key, on disk when it returns."""
        known = replace(self._masked(session), updated_at=self._clock.now())
        await self._store.write(lambda tx: tx.sessions.put(known))
        crash_point("sessions.kept")

    async def drop(self, key: str) -> None:
        """Forget one; nothing to do when there is none."""
        await self._store.write(lambda tx: tx.sessions.drop(key))
        crash_point("sessions.dropped")

    def _masked(self, session: AgentSession) -> AgentSession:
        masker = Masker(self._secrets.known())

        def masked(denials: tuple[Denial, ...]) -> tuple[Denial, ...]:
            return tuple(Denial(one.tool, masker.mask_text(one.what)) for one in denials)

        return replace(
            session,
            totals=masked_value(dict(session.totals), masker),
            grants=masked(session.grants),
            refused=masked(session.refused),
            asked=masked(session.asked),
            said=masker.mask_text(session.said),
        )


class StoredHistory:
    """What the runs that are kept put out."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def results(self, job_id: str, last: int, *, but: str = "") -> Sequence[PastResult] | None:
        """Of the last runs that succeeded, oldest first, without the run `but`; None when there is no such job."""
        return self._store.read(lambda tx: _results(tx, job_id, last, but))


def _results(tx: Tx, job_id: str, last: int, but: str) -> list[PastResult] | None:
    if tx.jobs.get(job_id) is None:
        return None
    runs = tx.runs.recent(job_id=job_id, states=[RunState.SUCCEEDED], limit=last + 1)
    found = []
    for run in [run for run in runs if run.id != but][:last]:
        said = [
            step
            for step in tx.runs.steps(run.id)
            if step.state is StepState.SUCCEEDED and step.output.strip() and step.step_id != EVIDENCE_STEP
        ]
        if said:
            output = max(said, key=lambda step: step.index).output
            found.append(PastResult(run.id, run.finished_at or run.queued_at, output))
    return found[::-1]

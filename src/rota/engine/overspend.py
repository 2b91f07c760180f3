"""What follows when a budget is used up: one message, a pause where that is wanted, and nothing more by the schedule."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rota.engine.accounts import NEARLY
from rota.engine.notices import Situation, compose_each, hears_of_errors
from rota.engine.pausing import pause
from rota.engine.queueing import Call
from rota.model.budget import BUDGET, OnOver, Scope, Span
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.ledger import Outcome
from rota.model.run import Reason, Run, RunState
from rota.planning.budgets import Over, Standing, bounds_of, costs, exceeded, in_words, reached, usual
from rota.ports.logger import Logger
from rota.ports.store import Tx

RUNS = 20  # of a job, from which is told what one usually takes
log = Logger("rota.overspend")


@dataclass(frozen=True)
class Noted:
    """A budget that a run came to the end of. `name`: the same for all who did so in the same span."""

    name: str
    words: str

    @property
    def nearly(self) -> bool:
        """Whether it is not used up, and would not have sufficed."""
        return self.name.startswith(NEARLY)

    @property
    def of_workspace(self) -> bool:
        """Whether it is everybody's."""
        return self.name.removeprefix(NEARLY).startswith(Scope.WORKSPACE)

    @property
    def of_run(self) -> bool:
        """Whether the next run has it anew."""
        return self.name.removeprefix(NEARLY).split(":")[2] == Span.RUN


def noted(tx: Tx, run: Run, job: Job, config: WorkspaceConfig) -> tuple[Noted, ...]:
    """The budgets that the run came to the end of."""
    if not costs(job, config):  # most jobs: not even a look
        return ()
    found = []
    for over in tx.spend.overs(run.id):
        name, _, words = over.partition(" ")
        found.append(Noted(name, words))
    return tuple(found)


def tell(tx: Tx, situation: Situation, found: tuple[Noted, ...]) -> None:
    """After a run: pause its job where that is wanted, and say once for each budget and span that it is used up."""
    for one in found:
        if one.of_run and situation.state is not RunState.FAILED:
            continue  # its last answer was just within it
        paused = _pauses(one, situation) and pause(
            tx, situation.job.id, one.words, situation.now, run_id=situation.run.id
        )
        try:
            _say(tx, situation, one, paused=paused)
        except Exception:  # a message that cannot be made must not undo the end of the run
            log.exception("notifications_not_composed", job=situation.job.id, run=situation.run.id)


def _pauses(one: Noted, situation: Situation) -> bool:
    budget = situation.config.budget if one.of_workspace else situation.job.budget
    return budget.on_over is OnOver.PAUSE and not one.nearly


def _say(tx: Tx, situation: Situation, one: Noted, *, paused: bool) -> None:
    job = situation.job
    if paused:
        then, key = f"`{job.id}` is paused. Go on with: rota resume {job.id}", f"{one.name}:{job.id}"
    elif one.nearly:
        then, key = f"Run {situation.run.id} of `{job.id}` did not ask an agent. See: rota spend", one.name
    elif one.of_run:
        then, key = f"Run {situation.run.id} of `{job.id}` was ended there. See: rota spend", one.name
    else:
        who = "No job with an agent starts" if one.of_workspace else f"`{job.id}` does not start"
        then, key = f"{who} by its schedule until then. See: rota spend", one.name
    text = f"{one.words[0].upper()}{one.words[1:]}. {then}"
    channels = hears_of_errors(job, situation.config)
    for index, message in enumerate(
        compose_each(situation, channels, text, "{{ job.name }}: budget", BUDGET)
    ):
        tx.outbox.add(replace(message, key=f"{BUDGET}:{key}:{index}"))


def refusal(tx: Tx, job: Job, config: WorkspaceConfig, now: Micros) -> Over | None:
    """The budget of a day, a week or a month that keeps the job from starting now; None where none does."""
    if not costs(job, config):
        return None
    bounds = [bound for bound in bounds_of(job, config, now) if bound.span is not Span.RUN]
    if not bounds:
        return None
    standings = [Standing(bound, tx.spend.used(bound, job_id=job.id)) for bound in bounds]
    expected = usual(tx.spend.usual_of_runs(job.id, RUNS))
    return reached(standings) or (None if expected is None else exceeded(standings, expected))


def within_budget(tx: Tx, call: Call, config: WorkspaceConfig, now: Micros) -> Call:
    """The call, skipped where a budget of its job or of the workspace is used up when it would start."""
    if call.verdict is not Outcome.RAN:
        return call
    over = refusal(tx, call.job, config, now + call.wait)
    if over is None:
        return call
    return replace(call, verdict=Outcome.SKIPPED, reason=Reason(BUDGET, in_words(over)))

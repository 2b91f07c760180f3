"""Which moments of a span in the past have not run yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rota.model.instants import Micros
from rota.model.ledger import Occurrence, Outcome
from rota.planning.due import next_due, occurrence_key
from rota.schedule import Schedule

Moment = tuple[Micros, str]  # when it was due, and by which trigger


@dataclass(frozen=True)
class Gap:
    """A moment that has not run. `before`: its row in the ledger, or that of the stretch it is in (None: neither)."""

    trigger_id: str
    due_at: Micros
    before: Occurrence | None = None

    @property
    def key(self) -> str:
        """Its occurrence key."""
        return occurrence_key(self.due_at)


def moments(schedules: Sequence[tuple[str, Schedule]], start: Micros, end: Micros, most: int) -> list[Moment]:
    """The moments in [start, end) of the triggers (id, schedule), oldest first; one more than `most` stands for more."""
    found: list[Moment] = []
    for trigger_id, schedule in schedules:
        moment, count = next_due(schedule, start - 1), 0
        while moment is not None and moment < end and count <= most:
            found.append((moment, trigger_id))
            moment, count = next_due(schedule, moment), count + 1
    return sorted(found)[: most + 1]


def gaps(due: Sequence[Moment], rows: Sequence[Occurrence]) -> list[Gap]:
    """Those of the moments that have not run, by the ledger's `rows` around them."""
    own = {(row.trigger_id, row.key): row for row in rows if row.until is None}
    stretches = [row for row in rows if row.until is not None]
    found: list[Gap] = []
    for due_at, trigger_id in due:
        row = own.get((trigger_id, occurrence_key(due_at)))
        if row is None:
            row = next((s for s in stretches if s.trigger_id == trigger_id and _holds(s, due_at)), None)
        if row is None or row.outcome is not Outcome.RAN:
            found.append(Gap(trigger_id, due_at, row))
    return found


def _holds(stretch: Occurrence, moment: Micros) -> bool:
    return stretch.due_at <= moment <= (stretch.until or stretch.due_at)

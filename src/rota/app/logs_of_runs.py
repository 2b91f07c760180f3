"""What a run printed, attempt by attempt, while it prints it and afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rota.app.queries import find_run
from rota.app.wiring import App
from rota.engine.output import readable, settled
from rota.model.run import Attempt, Run, StepState

POLL = 0.2


@dataclass(frozen=True)
class Piece:
    """A piece of output. `attempt` is set where another attempt's output begins."""

    attempt: Attempt | None
    text: str


def read_logs(app: App, text: str, *, follow: bool = False) -> Iterator[Piece]:
    """The output of a run (or of a job's latest), and with `follow` what is still to come. Raises NotFoundError."""
    run = find_run(app, text)
    return _pieces(app, run, follow=follow)


def _pieces(app: App, run: Run, *, follow: bool) -> Iterator[Piece]:
    read: dict[tuple[str, int], int] = {}
    while True:
        over = _over(app, run.id)
        attempts = app.store.read(lambda tx: tx.runs.attempts(run.id))
        for attempt in attempts:
            key = (attempt.step_id, attempt.number)
            if key not in read:
                read[key] = 0
                yield Piece(attempt, "")
            text = _since(app.layout.root, run, attempt, read)
            if text:
                yield Piece(None, text)
        if over or not follow:
            return
        time.sleep(POLL)


def _since(root: Path, run: Run, attempt: Attempt, read: dict[tuple[str, int], int]) -> str:
    """What was added to an attempt's log, as a terminal may be given it; its excerpt where the file is gone."""
    key = (attempt.step_id, attempt.number)
    path = root / ".rota" / "logs" / "runs" / run.id / f"{attempt.step_id}.{attempt.number}.log"
    try:
        with path.open("rb") as file:
            file.seek(read[key])
            data = file.read()
    except FileNotFoundError:
        if read[key] == 0 and attempt.excerpt and attempt.state is not StepState.RUNNING:
            read[key] = -1
            return attempt.excerpt
        return ""
    if attempt.state is StepState.RUNNING:
        data = settled(data)
    read[key] += len(data)
    return readable(data)


def _over(app: App, run_id: str) -> bool:
    """Whether nothing more comes by itself: the run is over, or waits for a person."""
    run = app.store.read(lambda tx: tx.runs.get(run_id))
    return run is None or run.final or (run.state.value == "waiting" and run.not_before is None)

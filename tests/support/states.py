"""States of earlier versions: what the verbs say of one, and the workspace that it belongs to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rota.model.agent import run_key
from rota.ports.store import Tx

STATES = Path(__file__).resolve().parents[1] / "faults" / "states"
ALL = 100_000

Seen = dict[str, dict[str, Any]]


def furnish(root: Path) -> None:
    """Put the job files of the fixtures into the workspace at `root`."""
    shutil.copytree(STATES / "jobs", root / ".rota" / "jobs", dirs_exist_ok=True)


def seen(tx: Tx) -> Seen:
    """Every row, as the verbs give it: by table, then by key."""
    jobs = tx.jobs.all(removed=True)
    runs = tx.runs.recent(limit=ALL)
    hashes = {job.hash for job in jobs} | {run.definition for run in runs}
    found: Seen = {
        "jobs": {job.id: asdict(job) for job in jobs},
        "definitions": {hash_: tx.jobs.definition(hash_) for hash_ in hashes},
        "broken_files": _keyed(tx.jobs.broken_files(), "path"),
        "triggers": _keyed(tx.triggers.all(), "job_id", "trigger_id"),
        "occurrences": _keyed(
            (row for job in jobs for row in tx.ledger.of(job.id, limit=ALL)), "job_id", "trigger_id", "key"
        ),
        "runs": {run.id: asdict(run) for run in runs},
        "steps": _keyed((step for run in runs for step in tx.runs.steps(run.id)), "run_id", "step_id"),
        "attempts": _keyed(
            (one for run in runs for one in tx.runs.attempts(run.id)), "run_id", "step_id", "number"
        ),
        "approvals": _keyed((one for run in runs for one in tx.approvals.of(run.id)), "run_id", "step_id"),
        "messages": _keyed(tx.outbox.recent(limit=ALL), "key"),
        "events": _keyed(tx.events.after(0, ALL), "id"),
        "daemons": _keyed(tx.daemons.recent(ALL), "id"),
        "cursors": {name: tx.cursors.get(name) for name in ("jobfiles", "settings", "feed")},
    }
    hooks = [count.hook for count in tx.deliveries.counts()]
    if hooks:  # states of before there was such a table say nothing of it
        found["deliveries"] = _keyed(
            (one for hook in hooks for one in tx.deliveries.of_hook(hook, ALL)), "id"
        )
    spent = tx.spend.sums("job", 0)
    if spent:  # the same
        found["spend"] = _keyed(spent, "name")
        found["accounts"] = {
            run.id: [asdict(account) for account, _ in tx.spend.left_open(run.id)] for run in runs
        }
    keys = ("name:plans", *(run_key(run.id, step.step_id) for run in runs for step in tx.runs.steps(run.id)))
    talks = {key: asdict(talk) for key in keys if (talk := tx.sessions.get(key)) is not None}
    if talks:  # the same
        found["sessions"] = talks
    board = [*tx.cards.open(), *tx.cards.archived(ALL)]
    if board:
        found["cards"] = _keyed(board, "id")
        found["card_comments"] = {
            card.id: [asdict(said) for said in tx.cards.comments(card.number)] for card in board
        }
    takes = tx.takes.all()
    if takes:
        found["takes"] = _keyed(takes, "run_id", "step_id")
    plain: Seen = json.loads(json.dumps(found, sort_keys=True))
    return plain


def _keyed(rows: Iterable[Any], *names: str) -> dict[str, Any]:
    return {" ".join(str(getattr(row, name)) for name in names): asdict(row) for row in rows}

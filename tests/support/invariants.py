"""What must hold of a workspace whatever was killed, judged by its state and by a witness that rota does not write.

The witness is a file to which steps append one line as they begin and one as they end:
`RUN STEP ATTEMPT begin|end`. `Inspection(root).harm()` may be asked at any instant, also while the daemon
is dead; `Inspection(root).unrest()` once everything has come to rest. Both give sentences by kind, none when all is well.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rota.engine.definitions import schedule_of
from rota.model.instants import MINUTE, Micros, from_micros
from rota.model.job import TIME_TRIGGERS
from rota.model.ledger import TriggerRecord
from rota.planning.due import next_due
from rota.ports.bulk import BEGUN
from rota.ports.clock import SystemClock

WITNESS = "witness.txt"
TOLD = "told.txt"
Try = tuple[str, str, int]
_FINAL = ("succeeded", "failed", "cancelled", "interrupted")


@dataclass(frozen=True)
class Expected:
    """What the jobs of a workspace promise.

    `never_twice`: jobs whose steps must not begin twice in a run. `follows`: follower by the job that it
    follows. `silent`: steps that write no witness. `prunes`: runs may be gone, as long as the ledger knows them.
    """

    never_twice: frozenset[str] = frozenset()
    follows: Mapping[str, str] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    prunes: bool = False


@dataclass(frozen=True)
class Tally:
    """What happened in a workspace, in numbers."""

    due: int
    outcomes: Mapping[str, int]
    runs: Mapping[str, int]
    steps: int
    interrupted: int
    tried_again: int


class Inspection:
    """A look at a workspace, taken as a whole when it is made."""

    def __init__(self, root: Path, expected: Expected = Expected()) -> None:
        self.expected = expected
        self._root = root
        # The witness first: whatever it tells of was in the state before.
        self.begun, self.ended = _witness(root)
        self.told = Counter((root / TOLD).read_text().split()) if (root / TOLD).exists() else Counter()
        with closing(sqlite3.connect(root / ".rota" / "state.db", timeout=60)) as db:
            self.damage = [str(row) for row in db.execute("PRAGMA integrity_check") if row != ("ok",)]
            self.damage += [f"broken reference: {row}" for row in db.execute("PRAGMA foreign_key_check")]
            db.row_factory = sqlite3.Row
            db.execute("BEGIN")
            tables = (
                "runs",
                "steps",
                "attempts",
                "occurrences",
                "triggers",
                "jobs",
                "approvals",
                "outbox",
                "cards",
            )
            self.rows: dict[str, list[sqlite3.Row]] = {
                table: db.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 # the names are above
                for table in tables
            }
        self.runs = {row["id"]: row for row in self.rows["runs"]}
        self.tries: dict[Try, str] = {
            (row["run_id"], row["step_id"], row["number"]): row["state"] for row in self.rows["attempts"]
        }

    def harm(self) -> dict[str, list[str]]:
        """What has been lost, doubled or damaged, by kind; empty when nothing has."""
        return _found({
            "state damaged": self.damage,
            "runs doubled": self._doubled_runs(),
            "runs lost": self._lost_runs(),
            "steps doubled": self._doubled_steps(),
            "finished steps repeated": self._repeated_steps(),
            "journal untrue": self._untrue(),
            "messages lost or doubled": self._messages(),
            "cards lost or doubled": self._cards(),
        })  # fmt: skip

    kinds = (
        "state damaged", "runs doubled", "runs lost", "steps doubled", "finished steps repeated", "journal untrue",
        "messages lost or doubled", "cards lost or doubled", "moments missed in silence", "followers not called", "without an end",
        "logs left over",
    )  # fmt: skip

    def unrest(self) -> dict[str, list[str]]:
        """The same, and what was missed in silence or has not come to its end."""
        return {**self.harm(), **_found({
            "moments missed in silence": self._silently_missed(),
            "followers not called": self._unfollowed(),
            "without an end": self._open_ends(),
            "logs left over": self._stray_logs(),
        })}  # fmt: skip

    def tally(self) -> Tally:
        """The numbers."""
        outcomes: Counter[str] = Counter()
        for row in self.rows["occurrences"]:
            outcomes[row["outcome"]] += row["count"]
        states = Counter(row["state"] for row in self.rows["runs"])
        cut = [
            (run, step, number) for (run, step, number), state in self.tries.items() if state == "interrupted"
        ]
        again = sum((run, step, number + 1) in self.tries for run, step, number in cut)
        done = sum(row["state"] in _FINAL for row in self.rows["steps"])
        return Tally(sum(len(m) for _, m in self._moments()), outcomes, states, done, len(cut), again)

    def _doubled_runs(self) -> Iterator[str]:
        """One run to an occurrence's key, and one row of the ledger to a run."""
        keys = Counter((r["job_id"], r["trigger_id"], r["occurrence_key"]) for r in self.rows["runs"])
        yield from (f"{n} runs of one occurrence: {key}" for key, n in keys.items() if n > 1)
        told = Counter(row["run_id"] for row in self.rows["occurrences"] if row["run_id"])
        yield from (f"run {r} has {told[r]} rows in the ledger" for r in self.runs if told[r] != 1)

    def _lost_runs(self) -> Iterator[str]:
        known = {row["run_id"] for row in self.rows["occurrences"] if row["outcome"] == "ran"}
        if not self.expected.prunes:
            yield from (
                f"run {run_id} is in the ledger and not in the state" for run_id in known - self.runs.keys()
            )
        for run_id in {run_id for run_id, _, _ in self.begun} - self.runs.keys():
            if not self.expected.prunes or run_id not in known:
                yield f"run {run_id} is lost: it worked, and the state does not know it"

    def _doubled_steps(self) -> Iterator[str]:
        times: Counter[tuple[str, str]] = Counter()
        for (run_id, step_id, number), count in self.begun.items():
            times[run_id, step_id] += count
            if count > 1:
                yield f"attempt {number} at {step_id} of {run_id} was made {count} times"
        for (run_id, step_id), count in times.items():
            run = self.runs.get(run_id)
            if run is not None and run["job_id"] in self.expected.never_twice and count > 1:
                yield f"{step_id} of {run_id} ({run['job_id']}) began {count} times, and must not be repeated"

    def _repeated_steps(self) -> Iterator[str]:
        succeeded = Counter((r, s) for (r, s, _), state in self.tries.items() if state == "succeeded")
        for row in self._succeeded():
            run_id, step_id, last = row["run_id"], row["step_id"], row["attempts"]
            if succeeded[run_id, step_id] != 1 or self.tries.get((run_id, step_id, last)) != "succeeded":
                yield f"{step_id} of {run_id} was tried again after it had succeeded"

    def _untrue(self) -> Iterator[str]:
        """What the journal says of a step, against what the witness saw."""
        for run_id, step_id, number in self.begun:
            run = self.runs.get(run_id)
            if run is None or (run["state"], run["reason_code"]) == ("running", BEGUN):
                continue  # the run's own row says it, until its attempt lasts or somebody takes it over
            if (run_id, step_id, number) not in self.tries:
                yield f"attempt {number} at {step_id} of {run_id} was made without a word in the journal"
        numbers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for run_id, step_id, number in self.tries:
            numbers[run_id, step_id].append(number)
        for row in self.rows["steps"]:
            there = numbers[row["run_id"], row["step_id"]]
            if sorted(there) != list(range(1, row["attempts"] + 1)):
                yield f"{row['step_id']} of {row['run_id']} has {row['attempts']} attempts; there are {there}"
        for row in self._succeeded():
            ends = self.ended[row["run_id"], row["step_id"], row["attempts"]]
            if ends != 1:
                yield f"{row['step_id']} of {row['run_id']} succeeded, and its end was seen {ends} times"

    def _succeeded(self) -> Iterator[sqlite3.Row]:
        for row in self.rows["steps"]:
            if row["state"] == "succeeded" and row["step_id"] not in self.expected.silent:
                yield row

    def _messages(self) -> Iterator[str]:
        """Told once; once more only where the telling itself was cut off."""
        for row in self.rows["outbox"]:
            told = self.told[row["key"]]
            if row["state"] == "sent" and not told:
                yield f"message {row['key']} counts as sent, and nobody was told"
            if told > row["attempts"]:
                yield f"message {row['key']} was told {told} times in {row['attempts']} tries"

    def _cards(self) -> Iterator[str]:
        """One card to each `put` step that succeeded, and never two to a run."""
        runs = (json.loads(row["created_by"]).get("run") for row in self.rows["cards"])
        made = Counter(run_id for run_id in runs if run_id is not None)  # the others are those of proposals
        yield from (f"run {run_id} made {count} cards" for run_id, count in made.items() if count > 1)
        for row in self.rows["steps"]:
            if row["step_id"] == "put" and row["state"] == "succeeded" and not made[row["run_id"]]:
                yield f"step put of {row['run_id']} succeeded, and there is no card"

    def _open_ends(self) -> Iterator[str]:
        """Every run is over, or waits for a person; every message is told, or waits for its next time."""
        now = SystemClock().now()
        asked = {row["run_id"] for row in self.rows["approvals"] if row["state"] == "open"}
        for run in self.rows["runs"]:
            if run["state"] not in _FINAL and not (run["state"] == "waiting" and run["id"] in asked):
                yield f"run {run['id']} of {run['job_id']} is still {run['state']}: {run['reason_text']}"
            if run["state"] in _FINAL and run["id"] in asked:
                yield f"run {run['id']} is over, and its question is still open"
        over = {run["id"] for run in self.rows["runs"] if run["state"] in _FINAL}
        for (run_id, step_id, number), state in self.tries.items():
            if run_id in over and state == "running":
                yield f"run {run_id} is over, and attempt {number} at {step_id} still counts as running"
        for row in self.rows["steps"]:
            if row["run_id"] in over and row["state"] not in (*_FINAL, "skipped"):
                yield f"run {row['run_id']} is over, and its step {row['step_id']} is {row['state']}"
        for row in self.rows["triggers"]:
            if row["next_due"] is None or row["since"] > now + MINUTE:
                yield f"{row['job_id']} is not going to be called: its trigger is at {from_micros(row['since'])}"
        for row in self.rows["outbox"]:
            late = row["state"] == "pending" and row["not_before"] < now - MINUTE
            if row["state"] == "sending" or late:
                yield f"message {row['key']} is still {row['state']}"

    def _unfollowed(self) -> Iterator[str]:
        for job_id, follower in self.expected.follows.items():
            keys = {row["key"] for row in self.rows["occurrences"] if row["job_id"] == follower}
            for run in self.rows["runs"]:
                if run["job_id"] == job_id and run["state"] == "succeeded" and run["id"] not in keys:
                    yield f"{follower} was not called after run {run['id']} of {job_id}"

    def _silently_missed(self) -> Iterator[str]:
        """Every due moment, from a trigger's beginning to where it is now, is in the ledger."""
        for trigger, moments in self._moments():
            name = (trigger.job_id, trigger.trigger_id)
            rows = [r for r in self.rows["occurrences"] if (r["job_id"], r["trigger_id"]) == name]
            seen = {row["due_at"] for row in rows}
            for row in rows:
                if row["until"] is not None:
                    seen.update(
                        moments[bisect_left(moments, row["due_at"]) : bisect_right(moments, row["until"])]
                    )
            for moment in moments:
                if moment not in seen:
                    yield f"{trigger.job_id} was due at {from_micros(moment)}, and the ledger does not know it"

    def _moments(self) -> Iterator[tuple[TriggerRecord, list[Micros]]]:
        """The due moments of every time trigger since its job was made."""
        made = {row["id"]: row["created_at"] for row in self.rows["jobs"]}
        for row in self.rows["triggers"]:
            if row["kind"] in TIME_TRIGGERS:
                trigger = _trigger(row)
                schedule, moments = schedule_of(trigger), list[Micros]()
                moment = next_due(schedule, made[trigger.job_id])
                while moment is not None and moment <= trigger.since:
                    moments.append(moment)
                    moment = next_due(schedule, moment)
                yield trigger, moments

    def _stray_logs(self) -> Iterator[str]:
        folder = self._root / ".rota" / "logs" / "runs"
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in self.runs:
                yield f"the logs of run {path.name} are left, and the run is not in the state"


def _found(findings: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    return {kind: found for kind, sentences in findings.items() if (found := list(sentences))}


def _witness(root: Path) -> tuple[Counter[Try], Counter[Try]]:
    begun: Counter[Try] = Counter()
    ended: Counter[Try] = Counter()
    path = root / WITNESS
    for line in path.read_text().splitlines() if path.exists() else ():
        run_id, step_id, number, what = line.split()
        {"begin": begun, "end": ended}[what][run_id, step_id, int(number)] += 1
    return begun, ended


def _trigger(row: Any) -> TriggerRecord:
    names = ("job_id", "trigger_id", "kind", "text", "timezone", "anchor", "since", "next_due")
    return TriggerRecord(**{name: row[name] for name in names})

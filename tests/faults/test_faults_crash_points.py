"""kill -9 at every named crash point, one after the other: nothing lost, nothing doubled, nothing finished repeated."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.hooks import Sender, bearer, url_of
from tests.support.invariants import WITNESS, Inspection
from tests.support.load import (
    EXPECTED,
    TWO_MINUTES_LATER,
    ask_state,
    change_state,
    lay_out,
    settle,
    survivors,
)
from tests.support.looking import (
    drop,
    not_run_once,
    note_event,
    poll_calendar,
    poll_what_is_away,
    watch_files,
)
from tests.support.proposals import wish_for_a_job
from tests.support.rota import WITHIN, Rota, eventually

from rota.app.control import running_daemon
from rota.model.instants import HOUR
from rota.planning.due import occurrence_key
from rota.ports.clock import SystemClock
from rota.ports.crash import CRASH_POINTS


def nothing(_rota: Rota) -> None:
    """The jobs that go off by themselves come by there."""


@dataclass(frozen=True)
class Way:
    """How a point is reached. `before`: done to the dead workspace; `then`: done while the armed daemon lives.

    `command`: not the daemon but this command is armed.
    """

    before: Callable[[Rota], object] = nothing
    then: Callable[[Rota], object] = nothing
    command: Callable[[Rota], tuple[str, ...]] | None = None


def started(rota: Rota, job_id: str, step_id: str = "two") -> str:
    """Run a job by hand until it is in that step; the run's id."""
    (rota.root / "release").unlink(missing_ok=True)
    run_id = rota.quick("run", job_id).out.strip()
    eventually(
        lambda: f"{run_id} {step_id} 1 begin" in rota.read(WITNESS), f"{job_id} is in its step {step_id}"
    )
    return run_id


def asked(rota: Rota) -> str:
    """Run the job that asks, until it does; the run's id."""
    run_id = rota.quick("run", "asks").out.strip()
    eventually(lambda: run_id in rota.quick("inbox", "--json").out, "it asks")
    return run_id


def pays(rota: Rota) -> None:
    """Run the job that has a step to pay for."""
    rota.quick("run", "pays")


def hand_in_what_was_taken(rota: Rota) -> None:
    """By one who took a prompt before they died."""
    for item in rota.quick("inbox", "--json").json:
        if item["taken_by"] is not None:
            rota.quick("inbox", "done", item["run"], "--text", "well")


def two_minutes_pass(rota: Rota) -> None:
    """For the messages that were under way."""
    change_state(rota, TWO_MINUTES_LATER)


def an_hour_passes(rota: Rota) -> None:
    """Since old runs were looked for."""
    change_state(rota, "DELETE FROM cursors WHERE name = 'retention'")


def the_clock_was_ahead(rota: Rota) -> None:
    """For the last hour; the moments of that hour are in the ledger, and it has been set right now."""
    now = SystemClock().now()
    change_state(
        rota,
        "INSERT INTO occurrences (workspace_id, job_id, trigger_id, key, due_at, noticed_at, outcome,"
        " reason_code, reason_text, until, count, detail)"
        " SELECT workspace_id, job_id, trigger_id, :key, next_due, :now, 'missed', 'x', 'x',"
        " since + :hour, 0, '{}' FROM triggers",
        key=f"{occurrence_key(now)}..",
        now=now,
        hour=HOUR,
    )
    change_state(rota, "UPDATE triggers SET since = since + :hour, next_due = next_due + :hour", hour=HOUR)
    change_state(rota, "UPDATE daemons SET seen_at = seen_at + :hour", hour=HOUR)


def its_claim_is_lost(rota: Rota) -> None:
    """A run's executor finds its token taken, so that the run's end is not written, and nobody works on it."""
    run_id = started(rota, "slow")
    change_state(rota, "UPDATE runs SET token = token + 1 WHERE id = :id", id=run_id)
    rota.write("release", "")


def is_stopped_at_work(rota: Rota) -> None:
    started(rota, "slow")
    os.kill(rota.daemon_pid(), signal.SIGTERM)


def is_stopped_while_telling(rota: Rota) -> None:
    (rota.root / "release").unlink(missing_ok=True)
    run_id = rota.quick("run", "tells-slowly").out.strip()

    def under_way() -> bool:
        messages = Inspection(rota.root).rows["outbox"]
        return any(m["run_id"] == run_id and m["state"] == "sending" for m in messages)

    eventually(under_way, "it is being told")
    os.kill(rota.daemon_pid(), signal.SIGTERM)


def a_slow_crowd(rota: Rota) -> None:
    """More quick calls than there are places, the first of which turns out slow; none was slow just before."""
    rota.quick("pause", "plain")
    rota.write("each.jsonl", "{}\n" * 30)
    each = str(rota.root / "each.jsonl")
    while running_daemon(rota.layout) is not None:
        rota.quick("run", "crowd", "--each", each)
        time.sleep(2.0)


def calls(rota: Rota) -> None:
    """Somebody calls a hook; whether they hear of it is another matter."""
    sender, header = Sender(url_of(rota)), bearer(rota, "called")
    with suppress(OSError, http.client.HTTPException):
        sender.post("called", b'{"n": 1}', header)


def called(rota: Rota) -> str:
    """The same, with a daemon that lives; the delivery's id."""
    reply = Sender(url_of(rota)).post("called", b'{"n": 2}', bearer(rota, "called"))
    return str(reply.json["delivery"])


def proposed(rota: Rota) -> str:
    """An agent proposes a job; the proposal's id."""
    return wish_for_a_job(rota.root, f"wished-{time.time_ns()}")


def a_file_came(rota: Rota) -> None:
    watch_files(rota)
    drop(rota)


def an_event_was_noted(rota: Rota) -> None:
    poll_calendar(rota)
    note_event(rota)


def an_event_is_noted_later(rota: Rota) -> None:
    begun = "SELECT 1 FROM looks WHERE job_id = 'polls' AND fingerprint != ''"
    eventually(lambda: ask_state(rota, begun), "it has polled what is there")
    note_event(rota)


def is_stopped_after_polls(rota: Rota) -> None:
    polled = "SELECT 1 FROM looks WHERE job_id = 'polls' AND looked_at IS NOT NULL"
    eventually(lambda: ask_state(rota, polled), "it polls")
    time.sleep(3)  # once more, and nothing is new
    os.kill(rota.daemon_pid(), signal.SIGTERM)


AN_HOUR = Way(before=an_hour_passes)
WAYS = {
    "scheduler.rewound": Way(before=the_clock_was_ahead),
    "files.before_write": Way(before=a_file_came),
    "files.after_write": Way(before=a_file_came),
    "polls.before_write": Way(before=poll_calendar, then=an_event_is_noted_later),
    "polls.after_write": Way(before=an_event_was_noted),
    "polls.noted": Way(before=poll_calendar, then=is_stopped_after_polls),
    "polls.failed": Way(before=poll_what_is_away),
    "dispatcher.taken_back": Way(then=its_claim_is_lost),
    "dispatcher.expired": Way(then=lambda rota: rota.quick("run", "decides")),
    "executor.released": Way(then=is_stopped_at_work),
    "plain.given_back": Way(then=a_slow_crowd),
    "meter.opened": Way(then=pays),
    "meter.before_record": Way(then=pays),
    "meter.recorded": Way(then=pays),
    "meter.closed": Way(then=pays),
    "resume.answer_taken": Way(then=lambda rota: rota("inbox", "answer", asked(rota), "well")),
    "recovery.messages_reopened": Way(before=two_minutes_pass),
    "sessions.kept": Way(then=lambda rota: rota.quick("run", "talks")),
    "sessions.dropped": Way(then=lambda rota: rota.quick("run", "talks")),
    "notices.queued": Way(then=lambda rota: rota.quick("run", "tells")),
    "outbox.not_sent": Way(then=lambda rota: rota.quick("run", "tells-nobody")),
    "outbox.returned": Way(then=is_stopped_while_telling),
    "retention.logs_gone": AN_HOUR,
    "retention.runs_gone": AN_HOUR,
    "retention.done": AN_HOUR,
    "proposals.decided": Way(command=lambda rota: ("approve", proposed(rota))),
    "proposals.carried_out": Way(command=lambda rota: ("approve", proposed(rota))),
    "intake.before_write": Way(then=calls),
    "intake.after_write": Way(then=calls),
    "hooks.replayed": Way(command=lambda rota: ("hook", "replay", called(rota))),
    "commands.queued": Way(command=lambda _rota: ("run", "slow")),
    "board.card_made": Way(then=lambda rota: rota.quick("run", "puts")),
    "inbox.taken": Way(command=lambda rota: ("inbox", "take", asked(rota))),
    "inbox.done": Way(command=lambda rota: ("inbox", "done", asked(rota), "--text", "well")),
    "commands.answered": Way(command=lambda rota: ("inbox", "answer", asked(rota), "well")),
}
# Points that are met in the wake of others; and several deaths in a row, which no single one covers.
SEQUENCES = (
    ("executor.step_begun", "recovery.swept", "recovery.taken_over", "resume.step_recovered"),
    ("outbox.claimed", "recovery.messages_reopened", "outbox.sent", "outbox.recorded"),
    ("files.before_write", "files.after_write", "files.before_write"),
    ("polls.before_write:2", "polls.after_write", "polls.noted", "polls.failed"),
    ("executor.released", "outbox.returned", "outbox.not_sent", "notices.queued"),
    ("dispatcher.taken_back", "resume.answer_taken", "commands.queued", "commands.answered"),
    ("plain.begun", "plain.given_back"),
    ("meter.opened", "meter.before_record:2", "meter.recorded", "meter.closed"),
    ("sessions.kept", "sessions.dropped", "sessions.kept:3"),
    ("intake.before_write", "intake.after_write", "hooks.replayed"),
    ("scheduler.after_write", "scheduler.rewound", "scheduler.start_called"),
    ("executor.finished:12", "retention.logs_gone", "retention.runs_gone", "retention.done"),
    ("store.before_commit:9", "store.after_commit:16", "store.before_commit:40", "store.after_commit:70"),
)
IN_SEQUENCE = {point.partition(":")[0] for points in SEQUENCES for point in points}
OTHERS = [point for point in CRASH_POINTS if point not in IN_SEQUENCE]
ALL = [*SEQUENCES, *(tuple(OTHERS[first : first + 4]) for first in range(0, len(OTHERS), 4))]


def die_at(rota: Rota, point: str) -> None:
    """Bring the daemon (or a command) to that point, where it kills itself."""
    way = WAYS.get(point.partition(":")[0], Way())
    way.before(rota)
    if way.command is not None:
        rota.up()
        _dies(armed(rota, point, *way.command(rota)), point)
        rota.kill_daemon()
        return
    daemon = armed(rota, point, "up")
    eventually(lambda: daemon.poll() is not None or running_daemon(rota.layout), "it begins")
    if way.then is not nothing:
        assert daemon.poll() is None, daemon.communicate()
        way.then(rota)
    _dies(daemon, point)
    eventually(lambda: running_daemon(rota.layout) is None, "its lock is free")


def armed(rota: Rota, point: str, *args: str) -> subprocess.Popen[str]:
    rota.env["ROTA_CRASH_AT"] = point
    process = rota.start(*args)
    del rota.env["ROTA_CRASH_AT"]
    return process


def _dies(process: subprocess.Popen[str], point: str) -> None:
    try:
        code = process.wait(WITHIN)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{point} was not reached: what leads there belongs into WAYS") from None
    assert code == -signal.SIGKILL, (point, code, process.communicate())


@pytest.mark.parametrize("points", ALL, ids="+".join)
def test_nothing_is_lost_or_doubled_by_kill_9_at(rota: Rota, points: tuple[str, ...]) -> None:
    prunes = any(point.startswith("retention.") for point in points)
    expected = replace(EXPECTED, prunes=prunes)
    lay_out(rota, grace="1s", keep=2 if prunes else 100_000)
    for point in points:
        die_at(rota, point)
        assert Inspection(rota.root, expected).harm() == {}, f"after {point}"
    two_minutes_pass(rota)
    rota.up()
    eventually(lambda: not not_run_once(rota), "every file and every event has its one run")
    hand_in_what_was_taken(rota)
    found = settle(rota, expected)
    assert not_run_once(rota) == []
    assert found.unrest() == {}
    assert survivors(rota) == [], "no process of its steps survives"
    assert [row["question"] for row in found.rows["approvals"] if row["state"] == "open"] == []
    paid = "SELECT run_id, count(*) FROM spend WHERE turns > 0 GROUP BY run_id HAVING count(*) != 2"
    assert ask_state(rota, paid) == [], "each response is counted, and counted once"
    assert ask_state(rota, "SELECT run_id FROM accounts WHERE closed_at IS NULL") == []


def test_the_crash_points_are_those_of_the_source() -> None:
    source = Path(__file__).parents[2] / "src"
    texts = [path.read_text("utf-8") for path in source.rglob("*.py")]
    named = {name for text in texts for name in re.findall(r"crash_point\(\"([^\"]+)\"\)", text)}
    assert named ^ set(CRASH_POINTS) == set()
    assert WAYS.keys() <= set(CRASH_POINTS)
    assert set(CRASH_POINTS) >= IN_SEQUENCE

"""Jobs for a workspace whose daemon is going to be killed; their steps tell the witness of `tests.support.invariants`."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress

from tests.support import paying
from tests.support.invariants import TOLD, WITNESS, Expected, Inspection
from tests.support.rota import WITHIN, Rota, eventually

from rota.model.instants import MINUTE
from rota.ports.clock import SystemClock

# What is there so long after everything came to rest has survived, on a slow machine too.
SURVIVED = 30.0
# A shell's `>>` appends a line in one write, which no other one can cut in two.
SAYS = 'say() { echo "$ROTA_RUN_ID $ROTA_STEP $ROTA_ATTEMPT $1" >> "$ROTA_WORKSPACE/' + WITNESS + '"; }'
TELL = f'#!/bin/sh\necho "$ROTA_KEY" >> "$ROTA_WORKSPACE/{TOLD}"\n'
WORK = """\
import os, subprocess, time

def work(seconds):
    say("begin")
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    time.sleep(seconds)
    child.kill()
    child.wait()
    say("end")

def say(what):
    line = " ".join(os.environ[f"ROTA_{name}"] for name in ("RUN_ID", "STEP", "ATTEMPT")) + f" {what}\\n"
    file = os.open(os.environ["ROTA_WORKSPACE"] + "/witness.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)
"""
# An agent that fails when it is first asked.
AGENT = '#!/bin/sh\ncat > /dev/null\n[ "$ROTA_ATTEMPT" -gt 1 ] || exit 1\necho fine\n'
SETTINGS = (
    "timezone: UTC\nshutdown_grace: {grace}\nlimits: {{runs: 8, keep_runs: {keep}}}\n"
    "agent: {{command: [sh, agent.sh, '{{session}}']}}\n"
)
EXPECTED = Expected(
    never_twice=frozenset({"careful"}),
    follows={"tick": "after"},
    silent=frozenset({"never", "question", "decide", "pay", "put", "tell", "talk", "success_if"}),
)

LATE = "SELECT 1 FROM triggers WHERE active AND next_due <= :now LIMIT 1"
UNFINISHED = (
    "SELECT 1 FROM runs WHERE queued_at <= :now AND (state IN ('queued', 'running')"
    " OR (state = 'waiting' AND not_before IS NOT NULL)) LIMIT 1"
)
# Messages that were under way when their sender died are told again after two minutes.
TWO_MINUTES_LATER = f"UPDATE outbox SET claimed_at = claimed_at - {3 * MINUTE}"  # noqa: S608 # a number


def step(name: str, work: str = ":", more: str = "") -> str:
    """A step that tells the witness, works, and tells it again."""
    lines = "".join(f"      {line}\n" for line in (SAYS, "say begin", *work.splitlines(), "say end"))
    return f"  - id: {name}\n    run: |\n{lines}" + "".join(f"    {line}\n" for line in more.splitlines())


# Runs that are quick, plain (written many at a time), proven, follow each other, are tried again, must not be repeated, or start with the daemon.
QUICK = {
    "tick": "schedule: every 1s\noverlap: queue\ncatch_up: all\n"
    "notify: [{type: command, command: sh tell.sh, message: done}]\n"
    "steps:\n" + step("one") + "  - {id: never, if: 1 > 2, run: echo never}\n" + step("two", "sleep 0.2"),
    "after": "on: [{job: tick}]\noverlap: allow\nsteps:\n" + step("one"),
    "flaky": "schedule: every 2s\nretry: {attempts: 2, first: 1s, backoff: fixed}\n"
    "steps:\n" + step("one", '[ "$ROTA_ATTEMPT" -gt 1 ] || { say end; exit 1; }'),
    "careful": "schedule: every 1s\nsteps:\n" + step("one", "sleep 0.4", "on_interrupt: fail"),
    "plain": "schedule: every 1s\nsteps:\n  - {id: one, python: 'scripts/work.py:work', args: {seconds: 0.05}}\n",
    "proven": "schedule: every 2s\nsuccess_if: [witness.txt]\nsteps:\n" + step("one"),
    "starts": 'schedule: "@reboot"\noverlap: allow\nsteps:\n' + step("one"),
}
# What somebody starts by hand.
BY_HAND = {
    "slow": "overlap: allow\nsteps:\n" + step("one") + step("two", "until [ -e release ]; do sleep 0.1; done") + step("three"),
    "crowd": "overlap: allow\nsteps:\n  - {id: one, python: 'scripts/work.py:work', args: {seconds: 0.1}}\n",
    "asks": "overlap: allow\nsteps:\n" + step("one") + "  - {id: question, agent: Well?, runner: inbox, output: answer.txt}\n"
    + step("two"),
    "decides": "overlap: allow\nsteps:\n" + step("one")
    + "  - {id: decide, approve: Well?, expires: 1s, default: approve}\n" + step("two"),
    "pays": "overlap: allow\nbudget: {usd: 100, per: day}\nsteps:\n" + step("one")
    + "  - {id: pay, agent: '{\"responses\": 2, \"key\": \"once\"}', runner: paying, model: gpt-5, on_interrupt: retry}\n"
    + step("two"),
    "talks": "overlap: allow\nretry: {attempts: 4, first: 1s, backoff: fixed}\nsteps:\n" + step("one")
    + "  - {id: talk, agent: Well?, on_interrupt: retry}\n" + step("two"),
    "puts": "overlap: allow\nsteps:\n" + step("one") + "  - {id: put, card: Look at it, column: todo}\n" + step("two"),
    "tells": "overlap: allow\nsteps:\n" + step("one") + "  - {id: tell, notify: {type: command, command: sh tell.sh, message: x}}\n"
    + step("two"),
    "tells-slowly": "notify: [{type: command, command: sh tell-slowly.sh, message: x}]\nsteps:\n" + step("one"),
    "tells-nobody": "notify: [{type: command, command: 'false', message: x}]\nsteps:\n" + step("one"),
}  # fmt: skip


# What somebody outside starts.
CALLED = "steps:\n" + step("one")


def lay_out(rota: Rota, *, grace: str = "10s", keep: int = 100_000) -> None:
    """Write the jobs, quick ones and those for the hand."""
    packages = rota.root.parent / "packages"
    rota.env["PYTHONPATH"] = paying.install(packages)
    rota.write(".rota/rota.yaml", SETTINGS.format(grace=grace, keep=keep))
    rota.write("scripts/work.py", WORK)
    rota.write("tell.sh", TELL)
    rota.write("agent.sh", AGENT)
    rota.write("tell-slowly.sh", "until [ -e release ]; do sleep 0.1; done\n" + TELL)
    for job_id, text in {**QUICK, **BY_HAND}.items():
        rota.job(job_id, text)
    rota.write(".rota/hooks/called.yaml", CALLED)


def change_state(rota: Rota, sql: str, **values: object) -> None:
    """Do what time, or another process, would have done to the state."""
    with closing(sqlite3.connect(rota.layout.state, timeout=60)) as db, db:
        db.execute(sql, values)


def ask_state(rota: Rota, sql: str, **values: object) -> list[tuple[str, ...]]:
    """What the state says."""
    with closing(sqlite3.connect(rota.layout.state, timeout=60)) as db:
        return db.execute(sql, values).fetchall()


def survivors(rota: Rota) -> list[str]:
    """Processes that steps and messages of the workspace started and that are there still, in words."""
    import psutil

    found = []
    for pid in rota.children():
        with suppress(psutil.Error):
            one = psutil.Process(pid)
            about = {name: value for name, value in one.environ().items() if name.startswith("ROTA_")}
            found.append(
                f"{pid} (of {one.ppid()}, {one.status()}, {one.create_time():.1f}): {one.cmdline()} {about}"
            )
    return found


def settle(rota: Rota, expected: Expected = EXPECTED, within: float = WITHIN) -> Inspection:
    """Let a running daemon come to rest, end it, and look at what it leaves; its processes have had time to end."""
    rota.write("release", "")
    now = SystemClock().now()
    eventually(lambda: not ask_state(rota, LATE, now=now), "whatever was due is dealt with", within)
    # A pause would cancel what is still in the queue, and hide that it never ran.
    eventually(lambda: not ask_state(rota, UNFINISHED, now=now), "whatever was queued has been run", within)
    for (job_id,) in ask_state(rota, "SELECT DISTINCT job_id FROM triggers WHERE active"):
        rota.quick("pause", job_id)
    with suppress(AssertionError):  # what is found then says more
        eventually(lambda: "without an end" not in Inspection(rota.root, expected).unrest(), within=within)
    rota("down")
    with suppress(AssertionError):
        eventually(lambda: not rota.children(), within=SURVIVED)
    return Inspection(rota.root, expected)

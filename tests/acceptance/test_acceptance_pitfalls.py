"""What users of other schedulers ran into, on the real command and daemon; docs/pitfalls.md has the list."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.support.rota import Rota, alive, eventually, run_here

from rota.model.instants import SECOND
from rota.store import open_store

# Notes who of the tries before is still alive, then itself, and ignores SIGTERM for good.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
def alive(pid):
    try:
        os.kill(int(pid), 0)
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return os.path.isdir("/proc/self") is False
    except ProcessLookupError:
        return False
mine = sys.argv[1]
before = open("pids.txt").read().split("\\n") if os.path.exists("pids.txt") else []
others = [line.split()[1] for line in before if line and line.split()[0] != mine]
with open("beside.txt", "a") as file:
    file.write("".join(f"{pid}\\n" for pid in others if alive(pid)))
with open("pids.txt", "a") as file:
    file.write(f"{mine} {os.getpid()}\\n")
time.sleep(300)
"""


def test_what_a_timeout_ended_is_gone_before_the_next_try(rota: Rota) -> None:
    # openclaw#137215: a timeout left the process alive, and the retry ran beside it
    rota.write("stubborn.py", STUBBORN)
    rota.job(
        "hang",
        "retry: {attempts: 2, first: 1s, max: 1s}\nsteps:\n"
        f"  - run: exec {sys.executable} stubborn.py $ROTA_ATTEMPT\n    timeout: 3s\n",
    )
    rota.up()
    rota("run", "hang")
    eventually(lambda: rota.runs("hang")[0]["state"] == "failed", "both tries are over")
    tries = [line.split() for line in rota.lines("pids.txt")]
    assert sorted(number for number, _ in tries) == ["1", "1", "2", "2"]
    assert rota.lines("beside.txt") == []
    eventually(lambda: not any(alive(int(pid)) for _, pid in tries), "nothing is left")


def test_after_down_no_message_goes_out_and_none_is_lost(rota: Rota) -> None:
    # openclaw#65774: stopping the daemon did not stop outbound messages
    rota.write("tell.sh", "echo on its way >> way.txt; sleep 20; echo sent >> sent.txt\n")
    rota.job(
        "tell", "steps:\n  - run: echo x\nnotify:\n  - {type: command, command: sh tell.sh, message: hello}\n"
    )
    rota.up()
    rota("run", "tell", "--wait")
    eventually(lambda: rota.lines("way.txt"), "it is on its way")
    rota("down")
    assert eventually(lambda: not rota.children(), "what was sending has ended")
    assert rota.lines("sent.txt") == []
    rota.write("tell.sh", "echo sent >> sent.txt\n")
    rota.up()
    eventually(lambda: rota.lines("sent.txt"), "it goes out at the next start")
    rota("down")
    assert rota.lines("sent.txt") == ["sent"]


def test_command_and_daemon_look_at_one_state_wherever_they_stand(rota: Rota, tmp_path: Path) -> None:
    # hermes-agent#32091: the command line and the daemon looked at different stores
    link = tmp_path / "link"
    link.symlink_to(rota.root)
    (rota.root / "a" / "b").mkdir(parents=True)
    pid = rota.up()
    said = run_here("-w", str(link), "add", "by-link", "--schedule", "daily", "--run", "echo x > by-link.txt")
    assert said.code == 0, said
    here = Path.cwd()
    try:
        os.chdir(rota.root / "a" / "b")
        assert run_here("status", "--json").json["daemon"]["pid"] == pid
        assert [job["id"] for job in run_here("list", "--json").json] == ["by-link"]
        assert run_here("run", "by-link").code == 0
    finally:
        os.chdir(here)
    eventually(lambda: rota.read("by-link.txt"), "the daemon runs it")
    assert f"already (pid {pid})" in run_here("-w", str(link), "up").err
    assert [str(path.relative_to(rota.root)) for path in rota.root.rglob("state.db")] == [".rota/state.db"]


def test_jobs_fire_again_after_a_restart_and_the_ledger_has_the_time_between(rota: Rota) -> None:
    # openclaw#33092, #34432: jobs silently did not run any more after a restart
    rota.job("tick", "schedule: every 1s\nsteps:\n  - run: echo x >> tick.txt\n")
    for _ in range(2):
        before = len(rota.lines("tick.txt"))
        rota.up()
        eventually(lambda: len(rota.lines("tick.txt")) > before + 1, "it fires")  # noqa: B023 # asked at once
        rota("down")
    store = open_store(rota.layout.state)
    rows = store.read(lambda tx: tx.ledger.of("tick", limit=10_000))
    store.close()
    span = (max(row.until or row.due_at for row in rows) - min(row.due_at for row in rows)) // SECOND
    assert sum(row.count for row in rows) == span + 1, "every second is in it, once"

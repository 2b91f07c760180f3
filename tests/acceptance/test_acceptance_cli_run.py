"""`rota run` without a daemon: it runs right here, as if one had typed the command itself."""

from __future__ import annotations

import signal
import threading
import time

from tests.support.rota import Rota, alive, eventually


def test_what_it_prints_is_streamed(rota: Rota) -> None:
    rota.job("slow", "steps:\n  - run: echo one; until [ -e go ]; do sleep 0.1; done; echo two\n")
    process = rota.start("run", "slow")
    assert process.stdout is not None
    assert process.stdout.readline() == "one\n", "while it still runs"
    rota.write("go", "")
    rest, err = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "two\n")
    assert "no daemon is running, so it runs here" in err
    assert "slow succeeded" in err


def test_a_failure_is_an_exit_code(rota: Rota) -> None:
    rota.job("bad", "steps:\n  - run: echo before; exit 7\n  - run: echo never\n")
    said = rota("run", "bad", code=1)
    assert said.out.startswith("before\n[rota] exit code 7")
    assert "bad failed" in said.err
    assert "exit code 7" in said.err
    assert rota.runs("bad")[0]["state"] == "failed"


def test_ctrl_c_cancels_it_and_ends_its_children(rota: Rota) -> None:
    rota.job(
        "long",
        "steps:\n  - run: |\n      echo $$ >> pids.txt\n      setsid sleep 300 & echo $! >> pids.txt\n      wait\n",
    )
    process = rota.start("run", "long")
    eventually(lambda: len(rota.lines("pids.txt")) == 2, "it has begun")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "long cancelled" in err
    assert "Traceback" not in err
    assert not any(alive(int(pid)) for pid in rota.lines("pids.txt"))
    assert rota.runs("long")[0]["state"] == "cancelled"


def test_a_retry_is_waited_for(rota: Rota) -> None:
    rota.job(
        "flaky",
        "retry: {attempts: 3, first: 1s, backoff: fixed}\n"
        "steps:\n  - run: |\n      echo try >> tries.txt\n      [ $(wc -l < tries.txt) -ge 3 ]\n",
    )
    said = rota("run", "flaky")
    assert len(rota.lines("tries.txt")) == 3
    assert "attempt 3" in said.err
    assert "flaky succeeded" in said.err


def test_a_cancel_from_another_terminal(rota: Rota) -> None:
    rota.job("long", "steps:\n  - run: echo begun; sleep 300\n")
    process = rota.start("run", "long")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert "is being ended" in rota("cancel", "long").err
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is over already" in rota("cancel", "long", code=4).err


def test_one_at_a_time_unless_forced(rota: Rota) -> None:
    rota.job("slow", "steps:\n  - run: echo $ROTA_RUN_ID >> runs.txt; until [ -e go ]; do sleep 0.1; done\n")
    first = rota.start("run", "slow")
    eventually(lambda: rota.lines("runs.txt"), "the first runs")
    refused = rota("run", "slow", code=4)
    assert "not started" in refused.err
    assert "--force" in refused.hint
    second = rota.start("run", "slow", "--force")
    time.sleep(0.5)
    rota.write("go", "")
    assert [first.wait(60), second.wait(60)] == [0, 0]
    assert len(set(rota.lines("runs.txt"))) == 2


def test_json_is_nothing_but_json(rota: Rota) -> None:
    rota.job("say", "steps:\n  - id: a\n    run: echo hello\n")
    run = rota("run", "say", "--json").json
    assert run["state"] == "succeeded"
    assert run["steps"][0]["output"] == "hello"
    rota.up()
    queued = rota("run", "say", "--json").json
    assert queued["id"]
    assert rota("run", "say", "--json", "--wait", "--force").json["state"] == "succeeded"


def test_logs_follow_from_another_terminal(rota: Rota) -> None:
    rota.job("slow", "steps:\n  - run: echo one; until [ -e go ]; do sleep 0.1; done; echo two\n")
    rota.up()
    rota("run", "slow")
    threading.Timer(1.5, lambda: rota.write("go", "")).start()
    assert rota("logs", "slow", "-f").out == "one\ntwo\n"


def test_without_a_daemon_what_follows_is_said_and_a_tick_runs_it(rota: Rota) -> None:
    rota.job("first", "steps:\n  - run: echo one\n")
    rota.job("second", "on: [{job: first}]\nsteps:\n  - run: echo two\n")
    said = rota("run", "first")
    assert "second is queued. hint: rota tick" in said.err
    again = rota("run", "second", code=4)
    assert "no daemon is running: `rota tick` takes it up" in again.err
    assert "second succeeded" in rota("tick").out


def test_each_line_of_a_file_gets_a_run(rota: Rota) -> None:
    rota.job(
        "greet",
        "overlap: allow\nparams: {who: {default: Sam}, word: {default: Hello}}\nsteps:\n  - run: echo {{ params.word }} {{ params.who }}\n",
    )
    lines = "".join(f'{{"who": "{who}"}}\n' for who in ("Ida", "Bo"))
    said = rota("run", "greet", "--param", "word=Hi", "--each", "-", stdin=lines)
    ids = said.out.split()
    assert len(ids) == 2
    assert "2 runs are queued." in said.err
    assert "rota up" in said.err
    rota("tick")
    assert [rota("logs", run_id).out for run_id in ids] == ["Hi Ida\n", "Hi Bo\n"]
    refused = rota("run", "greet", "--each", "-", stdin='{"whom": 1}\n', code=1)
    assert "run 1: `greet` has no parameter `whom`" in refused.err

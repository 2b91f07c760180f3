"""A kill around the check of evidence: it is made again, and no step is."""

from __future__ import annotations

import os
import signal

from tests.support.rota import Rota, eventually

JOB = """\
steps:
  - run: echo done >> done.txt; echo plan > plan.md
success_if:
  - plan.md
  - command: {command}
"""


def after_the_kill(rota: Rota) -> None:
    """Somebody looks after what was left behind: the run has succeeded, and its step ran once."""
    rota("tick")
    assert [run["state"] for run in rota.runs("j")] == ["succeeded"]
    assert rota.lines("done.txt") == ["done"]


def test_a_kill_before_the_check(rota: Rota) -> None:
    rota.job("j", JOB.format(command="echo looked >> looked.txt"))
    rota("run", "j", env={"ROTA_CRASH_AT": "executor.before_evidence"}, code=-signal.SIGKILL)
    assert rota.lines("looked.txt") == []
    after_the_kill(rota)
    assert rota.lines("looked.txt") == ["looked"]


def test_a_kill_during_the_check(rota: Rota) -> None:
    rota.job("j", JOB.format(command="echo $$ >> looked.txt; [ -e go ] || sleep 300"))
    running = rota.start("run", "j")
    eventually(lambda: rota.lines("looked.txt"), "the check is under way")
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    rota.write("go", "")
    after_the_kill(rota)
    assert len(rota.lines("looked.txt")) == 2
    check = rota.quick("logs", "j", "--json").json["steps"][-1]
    assert [attempt["state"] for attempt in check["attempts"]] == ["interrupted", "succeeded"]

"""Why, history and due, on a workspace that was alive: what ran, what did not, and what the daemon did."""

from __future__ import annotations

import time

from tests.support.rota import Rota, eventually

RUN = "steps:\n  - run: 'true'\n"


def test_a_daemon_that_was_killed_is_named_as_the_cause(rota: Rota) -> None:
    rota.job("beat", f"schedule: every 1s\ntimezone: UTC\n{RUN}")
    rota.up()
    eventually(lambda: rota.runs("beat"), "it runs")
    rota.kill_daemon()
    eventually(lambda: len(rota.quick("due", "--json").json) >= 1, "something is due")
    time.sleep(3)  # several moments: the last one is caught up, the others are missed
    waiting = rota.quick("why", "beat").out
    assert "No daemon is running; the last one was seen" in waiting
    assert "and nobody has looked yet" in waiting
    unnoticed = next(row["due_at"] for row in rota.quick("due", "--json").json if row["run"] is None)
    # (A moment on the whole minute means all of that minute, in which it ran.)
    said = rota.quick("why", "beat", "--at", unnoticed).out
    assert "nobody has looked since" in said or ":00+00:00" in unnoticed
    rota.up()
    eventually(
        lambda: any(row["outcome"] == "missed" for row in rota.quick("why", "beat", "-n", "200", "--json").json["occurrences"]),
        "the moments without a daemon are recorded",
    )  # fmt: skip
    found = rota.quick("why", "beat", "-n", "200", "--json").json
    assert "daemon_down" in [note["code"] for note in found["notes"]]
    assert any(line.startswith("The daemon was down from ") for line in found["words"])
    assert {"key", "due_at", "outcome", "reason", "run"} <= found["occurrences"][0].keys()
    rota("down")


def test_a_job_whose_file_never_was_good_gets_an_answer(rota: Rota) -> None:
    rota.job("wrong", "schedule: sometimes\n")
    said = rota.quick("why", "wrong").out
    assert "wrong has never been due." in said
    assert ".rota/jobs/wrong.yaml:1 cannot be used" in said
    found = rota.quick("why", "wrong", "--at", "08:00", "--json").json
    assert (found["status"], found["occurrences"], found["next"]) == ("broken", [], None)
    assert found["notes"][0]["code"] == "broken"


def test_the_history_of_a_job(rota: Rota) -> None:
    rota.job(
        "mixed", "timezone: Europe/London\nschedule: every 1s\nsteps:\n  - run: exit $(ls | grep -c bad)\n"
    )
    rota("run", "mixed")
    rota.write("bad", "")
    rota("run", "mixed", code=1)
    eventually(lambda: rota.quick("due", "--json").json, "it is due")
    rota.quick("edit", "mixed", "--set", "enabled=false")
    rota.quick("edit", "mixed", "--set", "enabled=true")
    said = rota.quick("history", "mixed")
    header, failed, succeeded = said.out.splitlines()
    assert "DUE (London)" in header
    assert failed.endswith("step `run`: exit code 1")
    assert succeeded.rstrip().endswith(" s"), "how long it took, and nothing more to say"
    assert "skipped. hint: rota why mixed" in said.err
    assert rota.runs("mixed")[0]["took_seconds"] > 0


def test_due_says_what_it_waits_for_and_runs_it(rota: Rota) -> None:
    rota.job("tick", f"schedule: every 1s\n{RUN}")
    (row,) = eventually(lambda: rota.quick("due", "--json").json, "it is due")
    assert (row["job"], row["run"], row["waits_for"]) == ("tick", None, "a daemon, or `rota tick`")
    assert "not noticed yet  a daemon, or `rota tick`" in rota.quick("due").out
    (ran,) = rota("due", "--run", "--json").json
    assert (ran["job"], ran["state"]) == ("tick", "succeeded")

"""Making up for the past: moments that did not run, and runs that went wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.support.rota import Rota, eventually

DAY = timedelta(days=1)
# Half a day from now, so that none of them is due while a test runs.
AT = f"schedule: '0 {(datetime.now(UTC).hour + 12) % 24} * * *'\n"
NOTE = AT + 'steps: [{run: "echo {{ occurrence.due_at }} >> due.txt"}]\n'
# Three steps, of which the second fails while there is no file `ready`.
BUILD = """
steps:
  - {id: fetch, run: "echo fetched >> fetched.txt; echo the data"}
  - {id: build, run: "test -e ready && echo {{ steps.fetch.output }} built"}
  - {id: ship, run: "echo {{ steps.build.output }} shipped > shipped.txt"}
"""


def days(count: int) -> list[str]:
    """The last whole days, as options."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return ["--from", (today - count * DAY).isoformat(), "--to", today.isoformat()]


def test_a_backfill_without_a_daemon_runs_at_the_next_tick_oldest_first_and_once(rota: Rota) -> None:
    rota.job("note", NOTE)
    wanted = days(4)
    shown = rota.quick("backfill", "note", *wanted, "--dry-run")
    assert "4 runs of note would be queued; 0 of 4 ran already." in shown.err
    assert rota.runs("note") == []
    done = rota.quick("backfill", "note", *wanted)
    assert "4 runs of note are queued; 0 of 4 ran already." in done.err
    assert done.hint == ""
    assert "hint: rota tick" in done.err
    rota("tick")
    due = [datetime.fromisoformat(line) for line in rota.lines("due.txt")]
    assert due == [due[0] + n * DAY for n in range(4)]
    assert due[0].date() == datetime.fromisoformat(wanted[1]).date()
    again = rota.quick("backfill", "note", *wanted, "--json")
    assert (again.json["moments"], again.json["ran_already"], again.json["missed"]) == (4, 4, [])
    assert "ran: backfilled on" in rota.quick("why", "note").out


def test_a_backfill_with_a_daemon_begins_at_once_and_can_be_cancelled(rota: Rota) -> None:
    rota.job("slow", AT + "steps: [{run: 'echo begun >> begun.txt; sleep 600'}]\n")
    rota.quick("list")
    rota.up()
    rota.quick("backfill", "slow", *days(5))
    eventually(lambda: rota.lines("begun.txt"), "the first one began")
    rota.quick("cancel", "--job", "slow", "--reason", "never mind")

    def all_ended() -> bool:
        return {(run["state"], run["reason"]["text"]) for run in rota.runs("slow")} == {
            ("cancelled", "never mind")
        }

    eventually(all_ended, "all ended")
    assert len(rota.lines("begun.txt")) == 1
    rows = rota.quick("why", "slow", "--json").json["occurrences"]
    outcomes = sorted(row["outcome"] for row in rows if "never mind" in row["reason"]["text"] or row["run"])
    assert outcomes == ["ran"] + ["skipped"] * 4


def test_what_cannot_be_backfilled_is_refused_with_a_way_out(rota: Rota) -> None:
    rota.job("note", NOTE)
    past = days(4)
    late = rota.quick("backfill", "note", "--from", past[1], "--to", "2100-01-01", code=1)
    assert "is still to come" in late.err
    many = rota.quick("backfill", "note", *past, "--limit", "3", code=1)
    assert "4 moments did not run, more than the limit of 3" in many.err
    assert "--limit 4" in many.hint
    rota.quick("pause", "note")
    assert rota.quick("backfill", "note", *past, code=4).hint == "rota resume note"


def test_a_run_is_repeated_from_the_step_that_failed_with_what_came_before(rota: Rota) -> None:
    rota.job("build", BUILD)
    rota("run", "build", code=1)
    rota.write("ready", "")
    assert "has no step `nowhere`" in rota("rerun", "build", "--from", "nowhere", code=3).err
    again = rota("rerun", "build", "--from", "build", "--json").json
    assert again["state"] == "succeeded"
    assert again["inputs"]["rerun_of"] == rota.runs("build")[1]["id"]
    assert rota.lines("fetched.txt") == ["fetched"]
    assert rota.read("shipped.txt") == "the data built shipped\n"
    fetch = again["steps"][0]
    assert (fetch["state"], fetch["attempts"]) == ("succeeded", [])
    assert "taken over from run" in fetch["reason"]


def test_a_run_is_repeated_as_it_was_or_as_its_job_is_now(rota: Rota) -> None:
    rota.job("say", "steps: [{run: 'echo old >> said.txt'}]\n")
    rota("run", "say")
    first = rota.runs("say")[0]["id"]
    rota.job("say", "steps: [{run: 'echo new >> said.txt'}]\n")
    rota("rerun", first)
    rota("rerun", first, "--as-it-was")
    rota.quick("remove", "say", "--yes")
    gone = rota("rerun", first, code=3)
    assert f"rota rerun {first} --as-it-was" in gone.hint
    rota("rerun", first, "--as-it-was")
    assert rota.lines("said.txt") == ["old", "new", "old", "old"]


def test_a_rerun_with_a_daemon_waits_its_turn_and_is_followed(rota: Rota) -> None:
    rota.job("hold", "steps: [{run: 'while test ! -e go; do sleep 0.1; done; echo went'}]\n")
    rota.quick("list")
    rota.up()
    rota("run", "hold")
    busy = rota("rerun", "hold", code=4)
    assert "has not ended yet" in busy.err
    assert "rota cancel" in busy.hint
    rota.write("go", "")
    eventually(lambda: rota.runs("hold")[0]["state"] == "succeeded", "it went")
    assert "went" in rota("rerun", "hold", "--wait").out


def test_a_queued_run_that_is_cancelled_says_why_and_its_followers_start(rota: Rota) -> None:
    rota.job("think", "steps: [{prompt: 'What now?'}]\n")
    rota.job(
        "after",
        "on: [{job: think, when: finished}]\nsteps: [{run: 'echo {{ payload.state }} > after.txt'}]\n",
    )
    rota("run", "think")
    assert rota.runs("think")[0]["state"] == "waiting"
    rota.quick("cancel", "think", "--reason", "nobody answers")
    run = rota.quick("logs", "think", "--json").json
    assert (run["state"], run["reason"]["text"]) == ("cancelled", "nobody answers")
    assert [step["state"] for step in run["steps"]] == ["cancelled"]
    assert rota.quick("inbox", "--json").json == []
    rota("tick")
    assert rota.read("after.txt") == "cancelled\n"
    assert "name a run, or a job" in rota.quick("cancel", code=2).err

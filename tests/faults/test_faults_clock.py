"""The wall clock of the real daemon is set, sleeps, and changes to summer time and back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace
from tests.support.watching import goes_on, ledger, logged, outcomes

LIBRARY = next(
    (p for p in (Path("/usr/lib"), Path("/usr/local/lib"), Path("/opt/homebrew/lib"))
     for p in sorted(p.glob("**/faketime/libfaketimeMT.so.1"))),
    None,
)  # fmt: skip
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")

# A step that needs no process: many of them at once are cheap.
WRITES = "steps:\n  - write: {file}\n    content: x\n"
HOUR = timedelta(hours=1)


class Clock:
    """A workspace whose daemon has a wall clock of its own. Its monotonic clock is the machine's."""

    def __init__(self, rota: Rota, folder: Path) -> None:
        self.rota = rota
        self._file = folder / "faketime"
        self._ahead = timedelta()
        self._write()
        rota.env = {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
            # Files keep their real stamps: else each move of the clock would seem to change every job file.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        }  # fmt: skip

    def now(self) -> datetime:
        """What the daemon's clock says."""
        return datetime.now(UTC) + self._ahead

    def move(self, by: timedelta) -> None:
        """Somebody sets it."""
        self._ahead += by
        self._write()

    def set(self, moment: datetime) -> None:
        """The same, to a moment."""
        self.move(moment - self.now())

    def up(self) -> int:
        """Start the daemon; its pid."""
        daemon = self.rota.start("up")
        # Nobody else may have read the jobs before: they would begin at another time.
        eventually(lambda: logged(self.rota, "jobs_synced") or daemon.poll() is not None, "the daemon starts")
        assert daemon.poll() is None, daemon.communicate()
        return daemon.pid

    def why(self, job_id: str) -> str:
        """What `rota why` says, asked on the same clock."""
        return self.rota("why", job_id, "-n", "1000").out

    def _write(self) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{self._ahead.total_seconds():+.3f}\n")
        beside.replace(self._file)  # it is read all the time: never half


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    with new_workspace(tmp_path / "work") as rota:
        yield Clock(rota, tmp_path)


def minutely(rota: Rota, *catch_ups: str) -> None:
    """A job a minute for each way to catch up, called as it."""
    for catch_up in catch_ups:
        rota.job(
            catch_up, f"schedule: '* * * * *'\ncatch_up: {catch_up}\n" + WRITES.format(file=f"{catch_up}.txt")
        )


def early_in_a_minute(clock: Clock) -> None:
    """So that no minute begins while the test is busy."""
    clock.set(clock.now().replace(second=2))


def test_ten_minutes_forward(clock: Clock) -> None:
    rota = clock.rota
    minutely(rota, "latest", "all", "none")
    rota.job("env", "schedule: '* * * * *'\nsteps:\n  - run: env > env.txt; date +%s > date.txt\n")
    early_in_a_minute(clock)
    clock.up()
    clock.move(timedelta(minutes=10))
    eventually(
        lambda: len(ledger(rota, "env")) >= 10, "noticed without waiting for the next minute", within=25
    )
    assert outcomes(rota, "latest")[:10] == [("missed", "superseded")] * 9 + [("ran", "on_time")]
    assert outcomes(rota, "all")[:10] == [("ran", "caught_up")] * 9 + [("ran", "on_time")]
    assert outcomes(rota, "none")[:10] == [("missed", "no_catch_up")] * 9 + [("ran", "on_time")]
    eventually(lambda: [run["state"] for run in rota.runs("all")].count("succeeded") >= 10, "all of them run")
    assert "the clock went 10 min ahead at once (it was set, or the machine slept)" in clock.why("none")
    assert "nothing was running" not in clock.why("latest")
    # What a step starts has the machine's own clock.
    eventually(lambda: rota.read("date.txt").strip())
    assert "FAKETIME" not in rota.read("env.txt")
    assert abs(int(rota.read("date.txt")) - time.time()) < 300


def test_five_hours_forward(clock: Clock) -> None:
    rota = clock.rota
    minutely(rota, "latest", "all")
    rota.job(
        "old", "schedule: '30 * * * *'\ncatch_up: {mode: all, within: 2h}\n" + WRITES.format(file="old.txt")
    )
    clock.set(datetime(2027, 3, 3, 9, 0, 2, tzinfo=UTC))
    clock.up()
    clock.move(5 * HOUR)
    eventually(lambda: len(ledger(rota, "all")) >= 101, "noticed")
    stretch, *rows = ledger(rota, "latest")[:101]
    assert (stretch["count"], stretch["outcome"], stretch["reason"]["code"]) == (200, "missed", "clock_ahead")
    assert "the clock went 5 h ahead at once" in stretch["reason"]["text"]
    assert [row["outcome"] for row in rows] == ["missed"] * 99 + ["ran"]
    stretch, *rows = ledger(rota, "all")[:101]
    assert (stretch["count"], stretch["outcome"], stretch["reason"]["code"]) == (200, "missed", "too_many")
    assert [row["outcome"] for row in rows] == ["ran"] * 100
    assert outcomes(rota, "old") == [("missed", "too_old")] * 3 + [("ran", "caught_up")] * 2
    assert "5 h ahead" in clock.why("old")
    assert logged(rota, "clock_went_ahead")


def test_two_hours_back(clock: Clock) -> None:
    rota = clock.rota
    rota.job("fixed", "schedule: '0 9 * * *'\nsteps:\n  - run: echo x >> fixed.txt\n")
    minutely(rota, "latest")
    rota.job("second", "schedule: every 1s\nsteps:\n  - run: echo x >> second.txt\n")
    clock.set(datetime(2027, 3, 3, 8, 57, tzinfo=UTC))
    clock.up()
    clock.set(datetime(2027, 3, 3, 8, 59, 57, tzinfo=UTC))
    eventually(lambda: rota.lines("fixed.txt"), "the fixed job has run")
    goes_on(rota, "second.txt")
    before = {row["key"] for row in ledger(rota, "second")}
    clock.move(-2 * HOUR)
    eventually(lambda: logged(rota, "clock_set_back"), "it is noticed")
    goes_on(rota, "second.txt", times=3)
    assert logged(rota, "clock_set_back")[0]["level"] == "warning"
    assert before <= {row["key"] for row in ledger(rota, "second")}, "what was recorded stays"
    assert "2027-03-03 09:00" in clock.why("fixed") or "09:00" in clock.why("fixed")
    # The moments of the new wall clock come at its time, and those that have been do not come again.
    early = clock.now().replace(hour=6, minute=59, second=57)
    clock.set(early if early > clock.now() else early + timedelta(minutes=1))
    eventually(
        lambda: any(
            row["due_at"].startswith(clock.now().strftime("%Y-%m-%dT07:0")) for row in ledger(rota, "latest")
        ),
        "the next minute of the new time runs",
    )
    clock.set(datetime(2027, 3, 3, 8, 59, 57, tzinfo=UTC))
    eventually(lambda: clock.now().minute == 0 and clock.now().second > 2)
    goes_on(rota, "second.txt", times=3)
    assert rota.lines("fixed.txt") == ["x"], "nine o'clock came twice, and ran once"
    assert outcomes(rota, "fixed") == [("ran", "on_time")]
    keys = [row["key"] for row in ledger(rota, "second")]
    assert len(keys) == len(set(keys))


LONDON = "schedule: '30 1 * * *'\ntimezone: Europe/London\nsteps:\n  - run: echo x >> half-past-one.txt\n"


@pytest.mark.parametrize(
    ("change", "runs_at"),
    [
        pytest.param(datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "2027-03-28T02:00:00+01:00", id="in-the-gap"),
        pytest.param(
            datetime(2027, 10, 31, 0, 30, tzinfo=UTC), "2027-10-31T01:30:00+01:00", id="in-the-fold"
        ),
    ],
)
def test_summer_time(clock: Clock, change: datetime, runs_at: str) -> None:
    rota = clock.rota
    rota.job("half-past-one", LONDON)
    rota.job("second", "schedule: every 1s\nsteps:\n  - run: echo x >> second.txt\n")
    clock.set(change - timedelta(minutes=3))
    clock.up()
    clock.set(change - timedelta(seconds=3))
    goes_on(rota, "second.txt", times=1)
    eventually(lambda: rota.lines("half-past-one.txt"), "it runs")
    clock.set(change + HOUR - timedelta(seconds=3))  # the second half past one, or an hour after the gap
    eventually(lambda: clock.now() > change + HOUR + timedelta(seconds=2))
    goes_on(rota, "second.txt", times=3)
    assert rota.lines("half-past-one.txt") == ["x"]
    assert [(row["due_at"], row["outcome"]) for row in ledger(rota, "half-past-one")] == [(runs_at, "ran")]
    coming = rota("why", "half-past-one", "--json").json["next"]
    assert coming[:10] == (change + timedelta(days=1)).date().isoformat()
    assert "T01:30:00" in coming


def test_the_machine_sleeps(clock: Clock) -> None:
    rota = clock.rota
    minutely(rota, "latest")
    rota.job(
        "hourly",
        "schedule: '15 * * * *'\ncatch_up: all\noverlap: allow\nsteps:\n  - run: echo x >> hourly.txt\n",
    )
    clock.set(datetime(2027, 3, 3, 20, 0, 2, tzinfo=UTC))
    pid = clock.up()
    os.kill(pid, signal.SIGSTOP)
    try:
        clock.move(8 * HOUR)
        time.sleep(0.5)
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: len(rota.lines("hourly.txt")) == 8, "each missed hour is made up for")
    assert outcomes(rota, "hourly") == [("ran", "caught_up")] * 8
    assert [row["outcome"] for row in ledger(rota, "latest")][:101].count("ran") == 1
    assert "8 h ahead at once (it was set, or the machine slept)" in clock.why("hourly")

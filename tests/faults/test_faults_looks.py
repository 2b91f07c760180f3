"""kill -9 of the daemon while files arrive: each of them has its one run, whenever it came."""

from __future__ import annotations

import time

from tests.support.load import ask_state
from tests.support.looking import drop, not_run_once, note_event, poll_calendar, watch_files
from tests.support.rota import Rota, eventually

ROUNDS = 6


def test_files_that_arrive_between_kills_are_each_run_once(rota: Rota) -> None:
    watch_files(rota)
    for number in range(ROUNDS):
        drop(rota, 5)  # nobody is there
        rota.up()
        drop(rota, 5)
        time.sleep(0.3 * number)  # in the middle of settling, looking, writing, running
        rota.kill_daemon()
    drop(rota, 5)
    rota.up()
    eventually(lambda: not not_run_once(rota), "every file has its run")
    time.sleep(3)  # and none gets a second one
    assert not_run_once(rota) == []
    (count,) = ask_state(rota, "SELECT count(*) FROM occurrences WHERE job_id = 'files'")[0]
    assert int(count) == 10 * ROUNDS + 5


def test_items_that_come_between_kills_are_each_run_once(rota: Rota) -> None:
    poll_calendar(rota)
    rota("tick")
    for number in range(ROUNDS):
        note_event(rota)
        rota.up()
        note_event(rota)
        time.sleep(0.4 * number)
        rota.kill_daemon()
    rota.up()
    eventually(lambda: not not_run_once(rota), "every event has its run")


def test_a_tick_beside_a_daemon_runs_nothing_twice(rota: Rota) -> None:
    watch_files(rota)
    poll_calendar(rota)
    rota("tick")  # the first look, at what is there
    rota.up()
    for _ in range(4):
        drop(rota, 3)
        note_event(rota)
        rota("tick")
    eventually(lambda: not not_run_once(rota), "everything has its run")
    time.sleep(2)
    assert not_run_once(rota) == []

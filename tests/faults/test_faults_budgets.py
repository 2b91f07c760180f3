"""Many at once under one cap, in one process and in several; a death between a response and its record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support import paying
from tests.support.agent_bench import bench
from tests.support.clients import CLIENTS
from tests.support.load import ask_state
from tests.support.model_server import serving
from tests.support.rota import Rota, eventually

RUNS = 20
CAP = 1.0
EACH = 0.1
SETTINGS = "timezone: UTC\nagent: {runner: paying, model: gpt-5}\nbudget: {usd: 1, per: day}\n"


@pytest.fixture
def crowd(rota: Rota, tmp_path: Path) -> Rota:
    """Twenty jobs that would take $0.90 each, under a cap of $1.00 a day for all of them."""
    rota.env["PYTHONPATH"] = paying.install(tmp_path / "packages")
    rota.write(".rota/rota.yaml", SETTINGS)
    prompt = json.dumps(json.dumps({"responses": 9, "pause": 0.2, "key": "once"}))
    for number in range(RUNS):
        rota.job(f"j{number}", f"steps: [{{id: ask, agent: {prompt}, on_interrupt: retry}}]\n")
    return rota


def spent(rota: Rota) -> float:
    return float(rota.quick("spend", "--json").json["total"]["usd"])


def states(rota: Rota) -> set[tuple[str, ...]]:
    return set(ask_state(rota, "SELECT state, reason_code FROM runs"))


def at_rest(rota: Rota) -> bool:
    return not ask_state(rota, "SELECT 1 FROM runs WHERE state IN ('queued', 'running', 'waiting')")


def asked(rota: Rota) -> int:
    """Responses that runs asked for, by their logs."""
    return sum(rota.quick("logs", f"j{number}").out.count("response ") for number in range(RUNS))


def test_twenty_runs_side_by_side_keep_to_the_cap_of_the_day(crowd: Rota) -> None:
    crowd.up()
    for number in range(RUNS):
        crowd.quick("run", f"j{number}")
    eventually(lambda: at_rest(crowd), "all of them end")
    assert CAP <= round(spent(crowd), 6) <= CAP + RUNS * EACH
    assert states(crowd) == {("failed", "budget")}
    assert asked(crowd) == round(spent(crowd) / EACH), "each response that was asked for is counted"
    before = spent(crowd)
    crowd("run", "j0", "--wait", code=1)
    assert spent(crowd) == before, "and nothing is asked for any more"


def test_twenty_agents_side_by_side_ask_a_model_for_no_more_than_was_under_way(tmp_path: Path) -> None:
    """The builtin agent in twenty hosts, against an API on loopback: $0.10 a response, a tool after each."""
    client = CLIENTS["builtin-chat"]
    with serving() as server, bench(tmp_path / "work", server, client, patience=60.0) as at:
        settings = at.rota.read(".rota/rota.yaml").replace("runs: 3", f"runs: {RUNS}")
        at.rota("down")
        at.rota.write(".rota/rota.yaml", f"{settings}budget: {{usd: 1, per: day}}\n")
        at.rota.up()
        turn = {"calls": [at.client.run("true")], "usage": {"input": 0, "output": 10_000}}
        keys: dict[str, Any] = {"permissions": {"run": ["true"]}, "model": "gpt-5"}
        going = [at.start(*[turn] * 9, "Never.", **keys) for _ in range(RUNS)]
        ended = [at.ended(one) for one in going]
        assert {(one.state, one.code) for one in ended} == {("failed", "budget")}
        paid = sum(one.used.usd for one in ended)
        assert CAP <= round(paid, 6) <= CAP + RUNS * EACH
        assert sum(one.whole for one in ended) == sum(one.used.turns for one in ended) == round(paid / EACH)
        for one in going:
            at.nothing_left(one)


def test_several_processes_share_a_cap(crowd: Rota) -> None:
    processes = [crowd.start("run", f"j{number}", "--wait") for number in range(5)]
    for process in processes:
        process.communicate(timeout=120)
    assert {process.returncode for process in processes} == {1}
    assert CAP <= round(spent(crowd), 6) <= CAP + 5 * EACH


def test_a_daemon_that_dies_under_way_counts_nothing_twice_and_sets_nothing_aside(crowd: Rota) -> None:
    crowd.up()
    for number in range(RUNS):
        crowd.quick("run", f"j{number}")
    eventually(lambda: ask_state(crowd, "SELECT 1 FROM spend"), "somebody has paid")
    crowd.kill_daemon()
    dead = spent(crowd)
    crowd.up()
    eventually(lambda: at_rest(crowd), "all of them end")
    assert dead <= spent(crowd) <= max(CAP, dead) + RUNS * EACH + 1e-6
    assert ask_state(crowd, "SELECT run_id FROM accounts WHERE closed_at IS NULL") == []
    doubled = "SELECT run_id, key FROM spend GROUP BY run_id, step_id, key HAVING count(*) > 1"
    assert ask_state(crowd, doubled) == []


@pytest.mark.parametrize("point", ["meter.before_record:2", "meter.recorded"])
def test_a_response_counts_once_when_its_run_dies_around_the_record(crowd: Rota, point: str) -> None:
    """The client tells it again when the conversation goes on."""
    prompt = json.dumps(json.dumps({"responses": 3, "key": "msg"}))
    crowd.job("dies", f"steps: [{{id: ask, agent: {prompt}, on_interrupt: retry}}]\n")
    crowd.env["ROTA_CRASH_AT"] = point
    daemon = crowd.start("up")
    del crowd.env["ROTA_CRASH_AT"]
    eventually(
        lambda: daemon.poll() is not None or crowd.quick("status", "--json").json["daemon"], "it begins"
    )
    crowd.quick("run", "dies")
    eventually(lambda: daemon.poll() is not None, "it dies")
    crowd.up()
    eventually(lambda: crowd.runs("dies")[0]["state"] == "succeeded", "the run is taken up again")
    assert spent(crowd) == pytest.approx(0.3)
    assert crowd.quick("spend", "--json").json["total"]["turns"] == 3

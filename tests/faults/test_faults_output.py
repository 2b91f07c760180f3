"""Steps that print too much, for ever, or what is no text: capped and said so, at no cost to anybody else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from tests.support.rota import Rota, command_line, eventually, new_workspace
from tests.support.watching import EVERY_SECOND, goes_on, nothing_lost

CAP = 1_000_000
GROWTH = 60_000_000


def memory(rota: Rota) -> int:
    """Resident bytes of the daemon and its spawner."""
    daemon = psutil.Process(rota.daemon_pid())
    return sum(process.memory_info().rss for process in (daemon, *daemon.children()))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rota]:
    """A daemon with a job that fires each second to the end, and that does not swell meanwhile."""
    with new_workspace(tmp_path_factory.mktemp("output") / "work") as rota:
        rota.write(".rota/rota.yaml", f"timezone: UTC\nlimits: {{output: {CAP}}}\n")
        rota.job("tick", EVERY_SECOND.format(file="tick.txt"))
        rota.up()
        goes_on(rota, "tick.txt")
        before = memory(rota)
        yield rota
        assert memory(rota) < before + GROWTH
        nothing_lost(rota, "tick")


@pytest.fixture(autouse=True)
def _the_others_go_on(up: Rota) -> Iterator[None]:
    yield
    goes_on(up, "tick.txt", times=1)


def printing(rota: Rota, name: str, command: str, more: str = "") -> dict[str, Any]:
    """Run a job with that command to its end; its run, as every command shows it."""
    rota.job(name, f"{more}steps:\n  - run: |\n      {command}\n")
    run_id = rota.quick("run", name).out.strip()
    eventually(lambda: rota.runs(name)[0]["state"] in {"succeeded", "failed"}, "it ends")
    run = rota.runs(name)[0]
    assert run["id"] == run_id
    assert json.loads(rota("why", name, "--json").out)["occurrences"][0]["run"] == run_id
    shown: dict[str, Any] = rota("logs", run_id, "--json").json
    text = rota("logs", run_id).out
    assert len(text) < CAP + 10_000
    assert "\x00" not in text
    assert "\x1b" not in text
    (step,) = shown["steps"]
    (attempt,) = step["attempts"]
    kept = sum(path.stat().st_size for path in (rota.root / f".rota/logs/runs/{run_id}").glob("*"))
    assert kept < CAP + 1_000, "the log on disk is capped"
    return {**attempt, "run": run, "text": text}


def test_a_gigabyte(up: Rota) -> None:
    seen = printing(up, "zeros", "echo first; head -c 1G /dev/zero; echo last")
    assert seen["run"]["state"] == "succeeded"
    assert seen["truncated"] is True
    assert seen["output_bytes"] > 2**30
    assert seen["text"].startswith("first\n")
    assert "bytes left out" in seen["text"]
    assert "last\n" in seen["text"][-200:]


def test_endless_output_is_cut_by_the_timeout(up: Rota) -> None:
    seen = printing(up, "endless", "yes rota", "timeout: 3s\n")
    assert seen["run"]["state"] == "failed"
    assert "timeout of 3 s" in seen["run"]["reason"]["text"]
    assert seen["truncated"] is True
    assert "rota\nrota\n" in seen["text"]
    assert not [pid for pid in up.children() if command_line(pid).startswith("yes")]


def test_a_line_of_a_hundred_megabytes(up: Rota) -> None:
    seen = printing(up, "line", "head -c 100000000 /dev/zero | tr '\\0' a")
    assert seen["run"]["state"] == "succeeded"
    assert seen["truncated"] is True
    assert seen["output_bytes"] >= 100_000_000
    assert seen["text"].startswith("aaaa")


def test_what_is_no_text(up: Rota) -> None:
    # Bytes that are no UTF-8, the halves of a character, NULs, colours, a title, a bell, lone carriage returns.
    odd = (
        r"\377\376 h\303 \303\251 a\000b \033[31mred\033[0m \033]0;title\007 \007 1\r2\r\n \360\237\230 end\n"
    )
    seen = printing(up, "odd", f"printf '{odd}'; printf '{odd}' >&2")
    assert seen["run"]["state"] == "succeeded"
    assert seen["truncated"] is False
    for word in ("é", "red", "end"):
        assert word in seen["text"]
    assert "title" not in seen["text"]
    assert json.loads(up("history", "odd", "--json").out)


def test_it_can_be_used_by_the_next_step(up: Rota) -> None:
    up.job(
        "chain",
        "steps:\n  - id: loud\n    run: printf 'a\\000b\\377\\033[1mc'; head -c 20M /dev/zero\n"
        "  - write: out.txt\n    content: '{{ steps.loud.output }}'\n"
        "  - run: echo {{ steps.loud.output }}\n",
    )
    up("run", "chain", "--wait", code=1)
    # No command line holds a NUL: that step fails, and says so.
    assert "NUL" in up.runs("chain")[0]["reason"]["text"]
    assert (up.root / "out.txt").stat().st_size < 1_000_000


def test_slow_dribbles(up: Rota) -> None:
    program = (
        "import sys, time\nfor n in range(40):\n    print(n, end='', flush=True)\n    time.sleep(0.05)\n"
    )
    up.write("dribble.py", program)
    up.job("dribble", f"steps:\n  - run: {sys.executable} dribble.py; sleep 30\n")
    run_id = up.quick("run", "dribble").out.strip()
    eventually(lambda: "0123456789" in up.quick("logs", run_id).out, "it is shown while it comes")
    assert up.runs("dribble")[0]["state"] == "running"
    up("cancel", run_id)
    eventually(lambda: up.runs("dribble")[0]["state"] == "cancelled")
    assert "0123456789" in up.quick("logs", run_id).out


def test_many_loud_ones_at_once(up: Rota) -> None:
    names = [f"loud-{number}" for number in range(6)]
    for name in names:
        up.job(name, "steps:\n  - run: head -c 100M /dev/zero; head -c 100M /dev/zero >&2\n")
    for name in names:
        up.quick("run", name)
    peak = 0
    while any(run["state"] in {"queued", "running"} for name in names for run in up.runs(name)[:1]):
        peak = max(peak, memory(up))
        assert "tick" in up.quick("list").out
    assert [up.runs(name)[0]["state"] for name in names] == ["succeeded"] * 6
    assert peak < 300_000_000

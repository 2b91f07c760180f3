"""A prompt that waits for whoever is there: taken, worked on, handed in. Reads as a tutorial."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace

SETTINGS = """
name: desk
timezone: UTC
channels: {paper: {type: command, command: tee -a messages.txt}}
notify: [paper]
"""
BRIEF = """---
overlap: allow
output: now/brief.md
---
Summarise what changed today.
"""


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with new_workspace(tmp_path / "desk") as rota:
        rota.write(".rota/rota.yaml", SETTINGS)
        rota.write(".rota/jobs/brief.md", BRIEF)
        yield rota


def test_an_agent_takes_a_prompt_and_hands_in_the_answer(rota: Rota) -> None:
    rota.up()
    rota.quick("run", "brief")
    waiting = eventually(lambda: rota.quick("inbox", "--json").json, "it waits")[0]
    assert (waiting["kind"], waiting["taken_by"]) == ("prompt", None)
    run = waiting["run"]

    # Whoever is told of it hears how.
    told = eventually(lambda: rota.read("messages.txt"), "a message")
    assert f"`rota inbox take {run}` prints the prompt" in told
    assert f"`rota inbox done {run} --output FILE` answers it" in told

    taken = rota.quick("inbox", "take", "--agent", "claude")
    assert taken.out.strip() == "Summarise what changed today."
    assert f"Run {run} of brief, step agent: yours (claude) until" in taken.err
    assert f"rota inbox done {run} --agent claude --output FILE" in taken.hint
    shown = rota.quick("inbox")
    assert re.search(r"claude, (59 min|1 h) left", shown.out)

    # Nobody else gets it, nor hands in something for it.
    late = rota.quick("inbox", "take", "--agent", "codex", code=4)
    assert "was taken by claude until" in late.err
    answer = rota.write("answer.md", "All quiet.\n")
    refused = rota.quick("inbox", "done", run, "--agent", "codex", "--output", str(answer), code=4)
    assert "not by codex; the answer was not used" in refused.err

    # A daemon that is killed meanwhile forgets nothing.
    rota.kill_daemon()
    rota.up()
    assert rota.quick("inbox", "--json").json[0]["taken_by"] == "claude"

    rota.quick("inbox", "done", "brief", "--agent", "claude", "--output", str(answer))
    eventually(lambda: rota.runs("brief")[0]["state"] == "succeeded", "the run goes on")
    assert rota.read("now/brief.md") == "All quiet.\n"
    assert "nothing" in rota.quick("inbox").err.lower()
    assert rota.quick("inbox", "take", code=3).hint
    assert "answered by claude already" in rota.quick("inbox", "done", run, "--text", "Again.", code=4).err


def test_without_a_daemon_the_command_that_hands_it_in_runs_the_rest(rota: Rota) -> None:
    said = rota("run", "brief")
    assert "rota inbox take" in said.hint
    rota("inbox", "take", "brief")
    rota("inbox", "take", "brief", code=4)
    rota("inbox", "take", "brief", "--release")
    rota("inbox", "take", "brief", "--for", "30m")
    assert rota("inbox", "take", "--again").out.strip() == "Summarise what changed today."
    assert "is empty" in rota("inbox", "done", "brief", stdin=" \n", code=1).err
    done = rota("inbox", "done", "brief", stdin="All quiet, by stdin.\n")
    assert "brief succeeded" in done.err
    assert rota.read("now/brief.md") == "All quiet, by stdin.\n"


def test_of_many_who_take_at_once_each_prompt_has_one(rota: Rota) -> None:
    rota.up()
    for _ in range(3):
        rota.quick("run", "brief")
    eventually(lambda: len(rota.quick("inbox", "--json").json) == 3, "three prompts wait")
    takers = [rota.start("inbox", "take", "--agent", f"agent{number}", "--json") for number in range(6)]
    ended = [(taker, *taker.communicate(timeout=90)) for taker in takers]
    won = [out for taker, out, _ in ended if taker.returncode == 0]
    lost = [(taker.returncode, err) for taker, _, err in ended if taker.returncode != 0]
    assert len(won) == 3
    assert [code for code, _ in lost] == [4, 4, 4]
    assert all("are taken" in err or "was taken by" in err for _, err in lost)
    waiting = rota.quick("inbox", "--json").json
    takers_of = {item["run"]: item["taken_by"] for item in waiting}
    assert len(set(takers_of.values())) == 3
    assert all(item["run"] in "".join(won) for item in waiting)


def test_two_who_hand_in_at_once_one_counts(rota: Rota) -> None:
    rota.up()
    rota.quick("run", "brief")
    run = eventually(lambda: rota.quick("inbox", "--json").json, "it waits")[0]["run"]
    both = [
        rota.start("inbox", "done", run, "--text", f"Answer {n}", "--agent", f"agent{n}") for n in range(2)
    ]
    codes = sorted([process.wait(90) for process in both])
    assert codes == [0, 4]
    eventually(lambda: rota.runs("brief")[0]["state"] == "succeeded", "the run goes on")
    winner = next(n for n, process in enumerate(both) if process.returncode == 0)
    assert rota.read("now/brief.md").strip() == f"Answer {winner}"

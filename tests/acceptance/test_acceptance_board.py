"""The board: cards by people, by jobs without an agent, and by two at once. Reads as a tutorial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.rota import Rota, eventually, new_workspace

# Runs that nobody's agent takes part in: a check, and a card when it finds something.
DISK = """
steps:
  - id: disk
    run: echo "web-1 has 2 % left"
  - card: "Look at the disk: {{ steps.disk.output }}"
    body: |
      Found by **{{ job.name }}**.
    column: todo
    tags: [disk]
    due: 2d
    key: disk-web-1
  - run: echo {{ steps.card.card }} {{ steps.card.created }} >> made.txt
"""
FLAKY = """
retry_run: {attempts: 3, first: 1s, backoff: fixed}
steps:
  - card: Once, however often it is tried
  - run: "[ -e mended ] || { touch mended; exit 1; }"
"""


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with new_workspace(tmp_path / "desk") as rota:
        yield rota


def board(rota: Rota) -> dict[str, list[str]]:
    """Titles by column."""
    found = rota.quick("board", "--json").json["columns"]
    return {lane["name"]: [card["title"] for card in lane["cards"]] for lane in found}


def test_a_person_works_with_cards(rota: Rota) -> None:
    empty = rota.quick("board")
    assert (empty.out, "rota card add 'Call Priya'" in empty.err) == ("", True)

    added = rota.quick(
        "card", "add", "Call Priya", "--tag", "phone", "--due", "2020-01-01", "--assignee", "sam"
    )
    assert added.out == "c1\n"
    rota.quick("card", "add", "Attic", "--column", "todo", "--body", "-", stdin="Measure *first*.\n")
    rota.quick("card", "move", "c1", "doing")
    rota.quick("card", "comment", "c1", "She is away until Monday.")
    shown = rota.quick("card", "show", "c1").out
    assert "Call Priya" in shown
    assert "She is away until Monday." in shown
    assert rota.quick("card", "show", "c2", "--json").json["body"] == "Measure *first*."
    out = rota.quick("board").out
    assert out.splitlines()[0].split() == ["inbox", "(0)", "todo", "(1)", "doing", "(1)", "done", "(0)"]
    assert "late 2020-01-01" in out
    assert [card["id"] for card in rota.quick("card", "list", "--overdue", "--json").json] == ["c1"]
    assert rota.quick("card", "list", "--tag", "nothing").err == "No card fits.\n"

    rota.quick("card", "edit", "c1", "--due", "", "--untag", "phone", "--title", "Write to Priya")
    card = rota.quick("card", "show", "c1", "--json").json
    assert (card["title"], card["due"], card["tags"], card["version"]) == ("Write to Priya", None, [], 3)
    assert card["comments"][0]["text"] == "She is away until Monday."

    rota.quick("card", "archive", "--column", "doing")
    assert board(rota)["doing"] == []
    assert "1 in the archive: rota card list --archived" in rota.quick("board").err
    rota.quick("card", "restore", "c1")
    assert board(rota)["doing"] == ["Write to Priya"]
    rota.quick("card", "remove", "c1", code=4)
    rota.quick("card", "archive", "c1")
    rota.quick("card", "remove", "c1", "--yes")
    assert rota.quick("card", "show", "c1", code=3).hint
    assert rota.quick("card", "add", "Next").out == "c3\n"


def test_mistakes_are_answered_with_what_to_do(rota: Rota) -> None:
    rota.quick("card", "add", "Call Priya")
    for args, code, hint in (
        (("card", "move", "c1", "later"), 3, "columns: inbox, todo, doing, done"),
        (("card", "move", "c1"), 2, "rota card move c1 done"),
        (("card", "show", "c7"), 3, "see `rota board`"),
        (("card", "show", "priya"), 3, "cards are called c1, c2, ..."),
        (("card", "add", "x", "--due", "soon"), 1, "write 2026-12-01"),
        (("card", "add", " "), 1, "give it a word or more"),
        (("card", "archive"), 2, "name cards, or a column"),
        (("card", "edit", "c1", "--title", "x", "--if-version", "7"), 4, "look at it again"),
        (("card", "restore", "c1"), 4, "rota card show c1"),
    ):
        said = rota.quick(*args, code=code)
        assert hint in said.err, (args, said)
    assert rota.quick("card", "show", "c1", "--json").json["version"] == 1


def test_the_columns_are_the_workspace_s_own(rota: Rota) -> None:
    rota.write(".rota/rota.yaml", "timezone: UTC\nboard: {columns: [Now, In progress, Shipped]}\n")
    rota.quick("card", "add", "Attic")
    rota.quick("card", "move", "1", "in progress")
    assert board(rota) == {"Now": [], "In progress": ["Attic"], "Shipped": []}
    rota.write(".rota/rota.yaml", "timezone: UTC\nboard: {columns: [Now, now]}\n")
    bad = rota.quick("check", code=1)
    assert "there is another column `now`" in bad.out + bad.err
    rota.write(".rota/rota.yaml", "timezone: UTC\n")
    assert board(rota)["In progress"] == ["Attic"], "no card vanishes with its column"
    assert "Not among the columns of rota.yaml: In progress" in rota.quick("board").err


def test_an_editor_loses_nobody_s_words(rota: Rota) -> None:
    rota.quick("card", "add", "Plan", "--body", "Mine.")
    rota("card", "edit", "c1", env={"EDITOR": "sed -i s/Mine/Ours/"})
    assert rota.quick("card", "show", "c1", "--json").json["body"] == "Ours."
    # While the editor is open, somebody else is quicker.
    quicker = rota.write(
        "quicker.sh",
        f'#!/bin/sh\n{" ".join(rota.argv("card", "edit", "c1", "--body", "Theirs."))}\necho Mine. > "$1"\n',
    )
    said = rota("card", "edit", "c1", code=4, env={"EDITOR": f"sh {quicker}"})
    assert "c1 was changed meanwhile" in said.err
    kept = Path(said.hint.rpartition("what you wrote is in ")[2])
    assert kept.read_text() == "Mine.\n"
    kept.unlink()
    assert rota.quick("card", "show", "c1", "--json").json["body"] == "Theirs."


def test_a_shell_job_puts_a_card_on_the_board_once(rota: Rota) -> None:
    rota.job("disk", DISK)
    rota.up()
    for _ in range(2):
        rota("run", "disk", "--wait")
    assert rota.lines("made.txt") == ["c1 true", "c1 false"]
    (card,) = rota.quick("card", "list", "--json").json
    assert card["title"] == "Look at the disk: web-1 has 2 % left"
    assert (card["column"], card["tags"], card["body"]) == ("todo", ["disk"], "Found by **disk**.")
    by = card["created_by"]
    assert (by["kind"], by["job"], by["step"]) == ("job", "disk", "card")
    assert by["run"] in {run["id"] for run in rota.runs("disk")}


def test_a_run_that_is_tried_again_makes_its_card_once(rota: Rota) -> None:
    rota.job("flaky", FLAKY)
    rota.up()
    rota.quick("run", "flaky")
    eventually(
        lambda: [run["state"] for run in rota.runs("flaky")] == ["succeeded", "failed"],
        "the second attempt works",
    )
    assert board(rota)["inbox"] == ["Once, however often it is tried"]


def test_what_a_step_s_command_does_is_the_job_s_doing(rota: Rota) -> None:
    rota.job("notes", f"run: {' '.join(rota.argv('card', 'add', 'From-a-command'))}\n")
    rota("run", "notes")
    (card,) = rota.quick("card", "list", "--json").json
    by = card["created_by"]
    assert (by["kind"], by["job"], by["run"]) == ("job", "notes", rota.runs("notes")[0]["id"])


def test_many_writers_at_once_lose_nothing(rota: Rota) -> None:
    rota.quick("card", "add", "Ours")
    writers: list[Any] = []
    for number in range(4):
        writers += [
            rota.start("card", "comment", "c1", f"comment {number}"),
            rota.start("card", "edit", "c1", "--tag", f"tag{number}"),
            rota.start("card", "add", f"Card {number}"),
        ]
    for writer in writers:
        out, err = writer.communicate(timeout=90)
        assert writer.returncode == 0, (out, err)
    card = rota.quick("card", "show", "c1", "--json").json
    assert {said["text"] for said in card["comments"]} == {f"comment {n}" for n in range(4)}
    assert set(card["tags"]) == {f"tag{n}" for n in range(4)}
    assert card["version"] == 5
    ids = [card["id"] for card in rota.quick("card", "list", "--json").json]
    assert sorted(ids) == ["c1", "c2", "c3", "c4", "c5"]

"""What commands print: JSON for machines, tables for narrow terminals, no colour where it is not wanted."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest
from tests.support.rota import Rota, new_workspace, run_here

ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rota]:
    """A workspace with a bit of everything, for those who only look."""
    with new_workspace(tmp_path_factory.mktemp("lived-in") / "work") as rota:
        rota.job(
            "a-job-with-quite-a-long-name-for-a-narrow-table",
            "schedule: '*/15 8-18 * * 1-5'\ntimezone: America/Argentina/Buenos_Aires\nsteps:\n  - run: echo {{ occurrence.key }}\n",
        )
        rota.job("bad", "steps:\n  - run: echo some words on the way; exit 3\n")
        rota.job("oops", "steps: 3\n")
        rota.write(".rota/jobs/ask.md", "---\nname: ask\n---\nWhat is new?\n")
        rota.quick("list")
        rota("run", "bad", code=1)
        rota("run", "ask")
        rota.quick("pause", "a-job-with-quite-a-long-name-for-a-narrow-table", "--reason", "on holiday")
        yield rota


READS = (
    ["list"], ["list", "--all"], ["status"], ["doctor"], ["show", "bad"], ["history", "bad"], ["why", "bad"],
    ["logs", "bad"], ["due"], ["inbox"], ["check"], ["test", "bad"], ["secret", "list"], ["next", "daily"],
)  # fmt: skip


def test_json_of_every_read_is_json_and_nothing_else(lived_in: Rota) -> None:
    for words in READS:
        said = run_here("-w", str(lived_in.root), *words, "--json")
        assert isinstance(said.json, dict | list), words
        assert ESCAPE not in said.out


def on_a_terminal(rota: Rota, *words: str, env: Mapping[str, str] | None = None) -> str:
    """What a terminal of 80 columns shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    plain = {k: v for k, v in rota.environment().items() if k not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        rota.argv(*words),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm", **(env or {})},
    )
    os.close(theirs)
    shown = bytearray()
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not data:
            break
        shown += data
    process.wait(60)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_tables_fit_eighty_columns(lived_in: Rota) -> None:
    for words in (["list"], ["history", "bad"], ["inbox"]):
        shown = on_a_terminal(lived_in, *words)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
        table = [line for line in plain.splitlines() if not line.startswith(("hint: ", "broken: "))]
        assert len(table) >= 2, words
        assert max(len(line) for line in table) <= 80, plain
        assert ESCAPE in shown, "in colour"


def test_no_colour_where_it_is_not_wanted(lived_in: Rota) -> None:
    assert ESCAPE not in on_a_terminal(lived_in, "list", env={"NO_COLOR": "1"})
    assert ESCAPE not in on_a_terminal(lived_in, "status", env={"NO_COLOR": "1"})
    assert ESCAPE not in on_a_terminal(lived_in, "logs", "bad", env={"NO_COLOR": "1"})
    assert ESCAPE not in lived_in("list").out + lived_in("status").out


def test_a_reader_that_has_read_enough(lived_in: Rota) -> None:
    for words in ("list", "schema", "next daily -n 5000"):
        command = " ".join([*lived_in.argv(), words]) + " | head -1"
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, check=True, env=lived_in.environment()
        )
        assert len(done.stdout.splitlines()) == 1
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr


def test_the_status_of_a_workspace_says_what_is_wrong(lived_in: Rota) -> None:
    out = lived_in.quick("status").out
    assert re.search(r"^workspace  work \(/.*, UTC\)$", out, re.MULTILINE)
    assert re.search(r"^jobs       2 active, 1 paused$", out, re.MULTILINE)
    assert re.search(r"^waiting    ask  \S+  .*inbox", out, re.MULTILINE)
    assert ".rota/jobs/oops.yaml:1" in out
    assert "1 question waiting" in out
    assert max(len(line) for line in out.splitlines() if not line.startswith("workspace")) <= 110


def test_next_of_a_schedule() -> None:
    said = run_here(
        "next", "0 8 * * 1-5", "--tz", "Europe/London", "--after", "2026-03-27T12:00", "-n", "3", "--json"
    )
    assert said.json == [
        "2026-03-30T08:00:00+01:00",
        "2026-03-31T08:00:00+01:00",
        "2026-04-01T08:00:00+01:00",
    ]
    assert said.err == ""
    lines = run_here(
        "next", "every 90m", "--anchor", "2026-01-01T00:00", "--after", "2026-01-01T00:00Z", "-n", "2"
    )
    assert lines.out == "2026-01-01T01:30:00+00:00  Thu\n2026-01-01T03:00:00+00:00  Thu\n"
    over = run_here("next", "at 2020-01-01T00:00")
    assert (over.code, over.out) == (0, "")
    assert "does not fire any more" in over.err


def test_next_of_a_job(rota: Rota) -> None:
    rota.job("noon", "schedule: '0 12 * * *'\ntimezone: Asia/Tokyo\nsteps:\n  - run: echo\n")
    moments = rota.quick("next", "noon", "-n", "2", "--json").json
    assert [datetime.fromisoformat(moment).hour for moment in moments] == [12, 12]
    assert all(moment.endswith("+09:00") for moment in moments)


@pytest.mark.parametrize(("shell", "sign"), [("bash", "complete -o nosort -F"), ("zsh", "#compdef rota")])
def test_completion_scripts(shell: str, sign: str) -> None:
    said = run_here("completion", shell)
    assert said.code == 0
    assert sign in said.out
    assert "_ROTA_COMPLETE" in said.out


def test_completion_of_job_ids(rota: Rota) -> None:
    rota.job("weekly-plan", "steps:\n  - run: echo\n")
    rota.quick("list")
    script = Path(sys.executable).parent / "rota"
    if not script.exists():
        pytest.skip("rota is not installed as a command here")
    done = subprocess.run(
        [str(script)], capture_output=True, text=True, check=False, cwd=rota.root,
        env={**rota.environment(), "_ROTA_COMPLETE": "bash_complete", "COMP_WORDS": "rota run wee", "COMP_CWORD": "2"},
    )  # fmt: skip
    assert "weekly-plan" in done.stdout


def test_help_names_every_command() -> None:
    said = run_here("--help")
    assert said.code == 0
    assert max(len(line) for line in said.out.splitlines()) <= 80
    for command in ("init", "up", "add", "list", "run", "why", "next", "secret"):
        assert re.search(rf"^  {command} ", said.out, re.MULTILINE)

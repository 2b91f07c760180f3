"""Job files change under a running daemon, in every way in which files change; nobody restarts it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from tests.support.rota import Rota, eventually

TICKS = 'schedule: every 1s\nsteps:\n  - run: "echo {word} >> {file}"\n'


@pytest.fixture
def up(rota: Rota) -> Iterator[Rota]:
    """A daemon that ticks."""
    rota.job("tick", TICKS.format(word="one", file="tick.txt"))
    rota.up()
    eventually(lambda: rota.lines("tick.txt"), "it ticks")
    yield rota
    assert rota.daemon_pid(), "the daemon lived through it all"


def ticks_again(rota: Rota, file: str = "tick.txt") -> None:
    """It goes on firing: a line that was not there yet."""
    before = len(rota.lines(file))
    eventually(lambda: len(rota.lines(file)) > before, f"{file} grows")


def test_a_file_is_added_changed_renamed_and_removed(up: Rota) -> None:
    up.job("new", TICKS.format(word="n", file="new.txt"))
    eventually(lambda: up.lines("new.txt"), "the new job fires")
    up.job("tick", TICKS.format(word="two", file="tick.txt"))
    eventually(lambda: "two" in up.lines("tick.txt"), "the new text is run")
    (up.root / ".rota/jobs/new.yaml").rename(up.root / ".rota/jobs/newer.yaml")
    eventually(lambda: up.ids() == ["newer", "tick"], "renamed with its file")
    (up.root / ".rota/jobs/newer.yaml").unlink()
    eventually(lambda: up.ids() == ["tick"], "gone with its file")
    time.sleep(1.5)
    before = len(up.lines("new.txt"))
    ticks_again(up)
    ticks_again(up)
    assert len(up.lines("new.txt")) == before


def test_a_file_that_is_written_in_two_moves(up: Rota) -> None:
    text = TICKS.format(word="whole", file="halves.txt")
    cut = text.index("run:") + 2
    path = up.job("halves", text[:cut])
    time.sleep(1.0)
    ticks_again(up)
    with path.open("a") as file:
        file.write(text[cut:])
    eventually(lambda: "whole" in up.lines("halves.txt"), "it fires when it is whole")
    assert "broken" not in up.quick("list").out


def test_an_editor_that_writes_beside_and_renames(up: Rota) -> None:
    temporary = up.write(".rota/jobs/.tick.yaml.swp~", TICKS.format(word="saved", file="tick.txt"))
    temporary.replace(up.root / ".rota/jobs/tick.yaml")
    eventually(lambda: "saved" in up.lines("tick.txt"), "the saved text is run")
    assert up.ids() == ["tick"]


def test_thirty_files_at_once_as_git_checkout_writes_them(up: Rota) -> None:
    names = [f"job-{n:02}" for n in range(30)]
    for name in names:
        up.job(name, f'schedule: every 1s\nsteps:\n  - run: "echo x >> out-{name}.txt"\n')
    eventually(lambda: up.ids() == [*names, "tick"], "all are there")
    eventually(lambda: all(up.lines(f"out-{name}.txt") for name in names), "all fire")
    for name in names:
        (up.root / f".rota/jobs/{name}.yaml").unlink()
    eventually(lambda: up.ids() == ["tick"], "all are gone")
    ticks_again(up)


def test_a_bad_file_keeps_its_last_good_version_and_says_so_everywhere(up: Rota) -> None:
    up.job("tick", "schedule: every 1s\nsteps:\n  - rum: echo\n")
    up.job("other", TICKS.format(word="o", file="other.txt"))
    eventually(lambda: up.lines("other.txt"), "another job is not disturbed")
    ticks_again(up)
    listed = up.quick("list")
    assert "broken" in next(line for line in listed.out.splitlines() if line.startswith("tick"))
    assert ".rota/jobs/tick.yaml:3" in listed.err
    assert listed.hint
    status = up.quick("status").out
    assert "1 broken" in status
    assert ".rota/jobs/tick.yaml:3" in status
    assert ".rota/jobs/tick.yaml:3" in up.quick("doctor", code=1).out
    assert ".rota/jobs/tick.yaml:3" in up.quick("check", code=1).out
    assert "last good version" in up.quick("why", "tick").out
    up.job("tick", TICKS.format(word="mended", file="tick.txt"))
    eventually(lambda: "mended" in up.lines("tick.txt"), "mended")
    assert "broken" not in up.quick("status").out


def test_a_new_file_that_is_bad_is_shown_too(up: Rota) -> None:
    up.job("oops", "schedule: every 1s\nsteps:\n  - run: {{ x }}\n")
    ticks_again(up)
    listed = up.quick("list")
    assert next(line for line in listed.out.splitlines() if line.startswith("oops")).split()[1] == "broken"
    assert "must be quoted" in listed.err
    assert any(job["id"] == "oops" and job["status"] == "broken" for job in up.quick("list", "--json").json)
    assert "cannot be used" in up.quick("show", "oops", code=3).err


def test_the_settings_change_and_break(up: Rota) -> None:
    up.job("noon", "schedule: '0 12 * * *'\nsteps:\n  - run: echo\n")
    eventually(lambda: "noon" in up.ids())
    up.write(".rota/rota.yaml", "timezone: Asia/Tokyo\n")
    eventually(
        lambda: "T12:00:00+09:00" in (up.quick("list", "--json").json[0]["next"] or ""), "noon is in Tokyo"
    )
    assert "Asia/Tokyo" in up.quick("status").out
    up.write(".rota/rota.yaml", "timezone: Asia/Tokio\n")
    eventually(lambda: "Asia/Tokio" in up.quick("status").out, "the mistake is shown")
    ticks_again(up)
    assert "not a time zone" in up.quick("status").out
    assert "Asia/Tokyo" in up.quick("doctor", code=1).out or "Asia/Tokio" in up.quick("doctor", code=1).out
    assert up.quick("list", "--json").json[0]["next"].endswith("T12:00:00+09:00"), "the old settings stay"


def test_functions_in_a_python_file(up: Rota) -> None:
    up.write(
        ".rota/jobs/tools.py",
        "from rota.authoring import job\n\n\n"
        '@job(schedule="every 1s")\ndef count():\n'
        '    """Counts."""\n'
        '    open("count.txt", "a").write("1\\n")\n',
    )
    eventually(lambda: up.lines("count.txt"), "the function is called")
    up.write(
        ".rota/jobs/tools.py",
        "from rota.authoring import job\n\n\n"
        '@job(schedule="every 1s")\ndef count():\n'
        '    open("count.txt", "a").write("2\\n")\n',
    )
    eventually(lambda: "2" in up.lines("count.txt"), "the new function is called")
    up.write(".rota/jobs/tools.py", "def broken(:\n")
    eventually(lambda: "tools.py" in up.quick("status").out, "the mistake is shown")
    os.utime(up.root / ".rota/jobs/tools.py")
    ticks_again(up)

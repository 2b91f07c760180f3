"""Job files that are not what they should be, under a running daemon: each spoils its own job, and is shown."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace
from tests.support.watching import EVERY_SECOND, goes_on, ledger

TICK = "tick.txt"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rota]:
    """A daemon with a job that fires each second, and that does so to the end."""
    with new_workspace(tmp_path_factory.mktemp("files") / "work") as rota:
        rota.job("tick", EVERY_SECOND.format(file=TICK))
        pid = rota.up()
        goes_on(rota, TICK, times=1)
        yield rota
        assert rota.daemon_pid() == pid, "it lived through it all"


@pytest.fixture(autouse=True)
def _the_others_go_on(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "up" in request.fixturenames:
        goes_on(request.getfixturevalue("up"), TICK)


def shown(rota: Rota, name: str, words: str) -> None:
    """Where a person looks, they find the file and what is wrong with it."""
    place = f".rota/jobs/{name}"
    eventually(lambda: place in rota.quick("status").out, f"{name} is shown in status")
    listed = rota.quick("list")
    job_id = name.rpartition(".")[0]
    line = next((line for line in listed.out.splitlines() if line.split()[:1] == [job_id]), "")
    assert "broken" in line, listed
    assert place in listed.err
    examined = rota.quick("doctor", code=1).out
    finding = next(line for line in examined.splitlines() if place in line)
    assert words in finding, finding
    assert "Traceback" not in listed.err + examined


def links_to_itself(path: Path) -> None:
    path.symlink_to(path)


def links_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere.txt"))


def random_bytes(path: Path) -> None:
    path.write_bytes(random.Random(7).randbytes(50_000))


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"steps:\n")
        for _ in range(50):
            file.write(b"  - run: echo x\n" * 65_536)


def billion_laughs(path: Path) -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    path.write_text("l0: &l0 [lol]\n" + "\n".join(levels) + "\n")


def deep(path: Path) -> None:
    path.write_text("steps: " + "[" * 100_000 + "\n")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (random_bytes, ""),
        (huge, "1,000,000 characters"),
        (billion_laughs, ""),
        (deep, ""),
        (Path.mkdir, "it is a folder"),
        (os.mkfifo, "it is not an ordinary file"),
        (links_to_itself, "symbolic link"),
        (links_to_nothing, "No such file"),
    ],
)
def test_a_file_that_is_no_job(up: Rota, make: Callable[[Path], None], words: str) -> None:
    path = up.root / ".rota/jobs/odd.yaml"
    make(path)
    shown(up, "odd.yaml", words)
    goes_on(up, TICK)
    path.rmdir() if path.is_dir() else path.unlink()
    eventually(lambda: "odd" not in up.quick("status").out, "it is forgotten")
    assert up.quick("doctor").code == 0


def test_a_good_file_is_replaced_by_each_of_them(up: Rota) -> None:
    """The last good version stays in force, and goes on firing."""
    path = up.job("odd", EVERY_SECOND.format(file="odd.txt"))
    goes_on(up, "odd.txt")
    for make in (random_bytes, Path.mkdir, links_to_itself):
        path.unlink()
        make(path)
        eventually(lambda: ".rota/jobs/odd.yaml" in up.quick("status").out, "it is shown")
        goes_on(up, "odd.txt")
        assert "last good version" in up.quick("why", "odd").out
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        up.job("odd", EVERY_SECOND.format(file="odd.txt"))
        eventually(lambda: "broken" not in up.quick("status").out, "it is mended")
    path.unlink()
    eventually(lambda: up.ids() == ["tick"])


def test_a_file_that_is_written_in_two_halves(up: Rota) -> None:
    up.job("halves", EVERY_SECOND.format(file="halves.txt"))
    goes_on(up, "halves.txt")
    text = 'schedule: every 1s\nsteps:\n  - run: "echo whole >> halves.txt"\n'
    cut = text.index("whole")
    path = up.job("halves", text[:cut])
    eventually(lambda: ".rota/jobs/halves.yaml" in up.quick("status").out, "the half is noticed")
    goes_on(up, "halves.txt")
    assert "whole" not in up.read("halves.txt")
    with path.open("a") as file:
        file.write(text[cut:])
    eventually(lambda: "whole" in up.lines("halves.txt"), "the whole one fires")
    assert "broken" not in up.quick("status").out
    assert {row["outcome"] for row in ledger(up, "halves")} <= {"ran", "skipped"}
    path.unlink()
    eventually(lambda: up.ids() == ["tick"])


def test_files_that_come_and_go_while_they_are_read(up: Rota) -> None:
    stop = threading.Event()

    def churn() -> None:
        for number in range(10_000):
            if stop.is_set():
                return
            path = up.root / f".rota/jobs/flicker-{number % 20}.yaml"
            path.write_text("steps:\n  - run: echo x\n")
            path.unlink()

    busy = threading.Thread(target=churn)
    busy.start()
    try:
        goes_on(up, TICK, times=3)
        assert "tick" in up.ids()
    finally:
        stop.set()
        busy.join()
    eventually(lambda: up.ids() == ["tick"], "none of them is left")
    assert "broken" not in up.quick("status").out


def test_a_thousand_files_at_once(up: Rota) -> None:
    for number in range(1000):
        up.job(f"job-{number:04}", "schedule: '0 0 1 1 *'\nsteps:\n  - run: echo x\n")
    goes_on(up, TICK)
    eventually(lambda: "1001 active" in up.quick("status").out, "they are all there")
    assert len(up.ids()) == 1001
    assert "job-0999 succeeded" in up("run", "job-0999", "--wait").err
    for path in (up.root / ".rota/jobs").glob("job-*"):
        path.unlink()
    eventually(lambda: up.ids() == ["tick"], "and gone again")


def test_the_folder_of_the_jobs_goes_away_and_comes_back(up: Rota) -> None:
    jobs = up.root / ".rota/jobs"
    jobs.rename(up.root / "kept")
    eventually(lambda: "tick" not in up.ids(), "its jobs went with it")
    shutil.copytree(up.root / "kept", jobs, dirs_exist_ok=True)
    eventually(lambda: "tick" in up.ids(), "they are back")


class Humble(Rota):
    """`rota` of somebody who may not read what its mode forbids: root may, unless it gives that up."""

    def argv(self, *args: str) -> list[str]:
        drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
        return [*drop, *super().argv(*args)]


@pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None, reason="root needs setpriv for this"
)
def test_a_file_that_may_not_be_read(rota: Rota) -> None:
    humble = Humble(rota.root)
    rota.job("tick", EVERY_SECOND.format(file=TICK))
    path = rota.job("odd", EVERY_SECOND.format(file="odd.txt"))
    humble.start("up")
    goes_on(rota, "odd.txt")
    path.chmod(0)
    os.utime(path)
    eventually(lambda: "odd.yaml" in rota.read(".rota/logs/daemon.log"), "it is noticed")
    goes_on(rota, TICK)
    goes_on(rota, "odd.txt")
    listed = humble("list")
    assert "broken" in next(line for line in listed.out.splitlines() if line.startswith("odd"))
    assert "cannot be read: Permission denied" in listed.err
    assert "check its permissions" in humble("doctor", code=1).out
    path.chmod(0o600)
    os.utime(path)
    eventually(lambda: "broken" not in humble("status").out, "it is mended")
    goes_on(rota, "odd.txt")
    humble("down")


def test_the_settings_break_in_every_way(up: Rota) -> None:
    good = up.read(".rota/rota.yaml")
    settings = up.root / ".rota/rota.yaml"
    for make in (random_bytes, Path.mkdir, links_to_itself, billion_laughs):
        settings.unlink()
        make(settings)
        eventually(lambda: "settings" in up.quick("status").out, f"{make} is shown")
        goes_on(up, TICK)
        assert "rota.yaml" in up.quick("doctor", code=1).out
        assert up("list").code == 0, "commands work"
        settings.rmdir() if settings.is_dir() and not settings.is_symlink() else settings.unlink()
        up.write(".rota/rota.yaml", good)
        eventually(lambda: "settings " not in up.quick("status").out, "mended")

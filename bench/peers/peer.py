"""What the scripts of the peers share. Only the standard library: each runs in an environment of its own.

`python SCRIPT SCENARIO --dir D [--count N] [--seconds S] [--variant V]` prints one JSON object as its last line:
the figures by their names, `settings` and `version`; or `left_out`, why this peer cannot run here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

LIMIT = 300  # seconds, for everything
NOTES = "BENCH_NOTES"  # the variable that names the file of `note`
SKIPPED = 2  # the first ticks of a peer are not counted: its workers start with them


class LeftOutError(Exception):
    """This peer cannot run on this machine; the message says why."""


class Peer(Protocol):
    """A scheduler that is up, with three functions that it can run: `noop`, `true` and `note`.

    `settings` and `version` are for the table's reader.
    """

    settings: str
    version: str

    def queue(self, function: str, count: int) -> None:
        """Queue so many runs of `noop` or `true`, to be run at once."""

    def once(self, dues: Sequence[float]) -> None:
        """Schedule one run of `note` at each of the instants (seconds since the epoch, ascending)."""

    def each_second(self, ticks: int) -> None:
        """Schedule `note` once a second, so many times or for ever."""

    def finished(self) -> tuple[int, float]:
        """How many runs of `noop`, `true` and `once` are recorded as finished, and when the last one was."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. `folder` is empty, and removed by whoever made it."""

    folder: Path
    count: int
    seconds: float
    variant: str


def true() -> None:
    """The shell job."""
    subprocess.run(["/bin/true"], capture_output=True, check=True)


def note(due: float) -> None:
    """Write down when a run was due, and that it starts now."""
    now = time.time()
    with Path(os.environ[NOTES]).open("a") as file:
        file.write(f"{due!r} {now!r}\n")


def notes() -> list[tuple[float, float]]:
    """(due, started) of every run of `note` so far, in the order of their start."""
    file = Path(os.environ[NOTES])
    lines = file.read_text().splitlines() if file.exists() else []
    return [(float(due), float(started)) for due, started in (line.split() for line in lines)]


def percentiles(late: Sequence[float]) -> tuple[float, float]:
    """p50 and p99, by the rule of bench/figures.py."""
    ordered = sorted(late)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def wait_until(done: Callable[[], bool], within: float, every: float = 0.02) -> None:
    """Ask again and again; a TimeoutError after `within` seconds."""
    deadline = time.monotonic() + within
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done within {within:g} s")
        time.sleep(every)


def end(process: subprocess.Popen[bytes], by: int = signal.SIGTERM) -> None:
    """End a child, at last by force."""
    process.send_signal(by)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def sockets() -> Iterator[Path]:
    """A folder for Unix sockets: their paths must be short, which those of the benchmark's own folder may not be."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _warm(peer: Peer) -> None:
    peer.queue("noop", 1)
    wait_until(lambda: peer.finished()[0] >= 1, 60)


def _throughput(name: str, function: str, peer: Peer, asked: Asked) -> dict[str, float]:
    _warm(peer)
    start = time.time()
    peer.queue(function, asked.count)
    wait_until(lambda: peer.finished()[0] >= asked.count + 1, LIMIT)
    return {name: asked.count / (peer.finished()[1] - start)}


def _python(peer: Peer, asked: Asked) -> dict[str, float]:
    return _throughput("python", "noop", peer, asked)


def _shell(peer: Peer, asked: Asked) -> dict[str, float]:
    return _throughput("shell", "true", peer, asked)


def _second(peer: Peer, asked: Asked) -> dict[str, float]:
    _warm(peer)
    ticks = math.ceil(asked.seconds) + SKIPPED
    peer.each_second(ticks)
    wait_until(lambda: len(notes()) >= ticks, ticks + 60)
    p50, p99 = percentiles([(started - due) * 1e3 for due, started in notes()[SKIPPED:ticks]])
    return {"second_p50": p50, "second_p99": p99}


def _scheduled(peer: Peer, count: int, seconds: float) -> list[tuple[float, float]]:
    """(due, started) of runs that are due evenly over so many seconds; 0: all at once."""
    _warm(peer)
    begin = time.time() + 3 + count / 100  # every peer can schedule that many in this time
    peer.once([begin + seconds * number / count for number in range(count)])
    if time.time() > begin:
        raise TimeoutError("they were due before all of them were scheduled")
    wait_until(lambda: len(notes()) >= count, begin - time.time() + seconds + 120)
    return notes()


def _spread(peer: Peer, asked: Asked) -> dict[str, float]:
    seen = _scheduled(peer, asked.count, asked.seconds)
    p50, p99 = percentiles([(started - due) * 1e3 for due, started in seen])
    return {"spread_p50": p50, "spread_p99": p99}


def _burst(peer: Peer, asked: Asked) -> dict[str, float]:
    seen = _scheduled(peer, asked.count, 0)
    due, last = seen[0][0], max(started for _, started in seen)
    wait_until(lambda: peer.finished()[0] >= asked.count + 1, 120)
    return {"burst_started": (last - due) * 1e3, "burst_finished": (peer.finished()[1] - due) * 1e3}


SCENARIOS: dict[str, Callable[[Peer, Asked], dict[str, float]]] = {
    "python": _python,
    "shell": _shell,
    "second": _second,
    "spread": _spread,
    "burst": _burst,
}


def main(opened: Callable[[Asked], AbstractContextManager[Peer]], *variants: str) -> NoReturn:
    """Measure one scenario of the peer that `opened` starts and ends. The first variant is the default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--variant", choices=variants or ("",), default=variants[0] if variants else "")
    args = parser.parse_args()
    asked = Asked(args.dir.resolve(), args.count, args.seconds, args.variant)
    os.environ[NOTES] = str(asked.folder / "notes.txt")
    signal.signal(signal.SIGALRM, _late)
    signal.signal(signal.SIGTERM, _told)
    signal.alarm(LIMIT)
    told: dict[str, object] = {}
    try:
        with opened(asked) as peer:
            figures = SCENARIOS[args.scenario](peer, asked)
            told = {**figures, "settings": peer.settings, "version": peer.version}
    except LeftOutError as exc:
        told = {"left_out": str(exc)}
    except (Exception, SystemExit):  # noqa: BLE001 # whatever it is, it ends here
        traceback.print_exc()
    if told:
        print(json.dumps(told))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if told else 1)  # a peer's threads that do not end are no reason to stay


def _late(*_: object) -> NoReturn:
    raise TimeoutError(f"not done within {LIMIT} s")


def _told(*_: object) -> NoReturn:
    sys.exit(1)

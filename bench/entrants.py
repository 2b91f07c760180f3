"""Who is measured: the machine's limits, rota, and the peers, each by its script in its own environment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench import machine, ours
from bench.report import LIMITS, ROTA

HERE = Path(__file__).resolve().parent
WITHIN = 360  # seconds of one scenario of a peer, which ends itself before that
LATENESS = ("second", "spread")

Scenario = Callable[[Path], Mapping[str, float]]


class LeftOutError(Exception):
    """It cannot be measured on this machine; the message says why."""


@dataclass
class Entrant:
    """`durable`: what it says is done has been synced to the disk. Peers tell version and settings when they run."""

    name: str
    durable: bool
    scenarios: Mapping[str, Scenario]
    version: str = ""
    settings: str = ""


@dataclass(frozen=True)
class Peer:
    """`env`: its requirements and its environment. A variant is asked for what its settings make a difference to."""

    name: str
    env: str
    script: str
    variant: str = ""
    durable: bool = True
    lateness: bool = True


PEERS = (
    Peer("apscheduler3", "apscheduler3", "apscheduler3.py", "wal"),
    Peer("apscheduler3-stock", "apscheduler3", "apscheduler3.py", "stock", lateness=False),
    Peer("huey", "huey", "huey_peer.py"),
    Peer("dbos", "dbos", "dbos_peer.py"),
    Peer("procrastinate", "procrastinate", "procrastinate_peer.py"),
    Peer("celery", "celery", "celery_peer.py", "always"),
    Peer("celery-everysec", "celery", "celery_peer.py", "everysec", durable=False, lateness=False),
)


@dataclass(frozen=True)
class PeerSize:
    """The same as rota's, but fewer runs: they take as long."""

    python: int = 3_000
    shell: int = 1_000
    burst: int = ours.FULL.burst
    spread: int = ours.FULL.spread
    spread_seconds: float = ours.FULL.spread_seconds
    seconds: int = ours.FULL.seconds


def limits() -> Entrant:
    """The machine itself."""
    scenarios = {name: partial(ours.measure, scenario) for name, scenario in machine.SCENARIOS.items()}
    return Entrant(LIMITS, durable=True, scenarios=scenarios)


def rota(size: ours.Size) -> Entrant:
    """rota as it stands in this checkout."""
    settings = "SQLite, journal_mode=WAL, synchronous=FULL; keeps every run with its steps, attempts, events and logs"
    scenarios = {name: partial(ours.measure, scenario) for name, scenario in ours.scenarios(size).items()}
    told = f"rota {version('rota')}{_commit()}"
    return Entrant(ROTA, durable=True, scenarios=scenarios, version=told, settings=settings)


def _commit() -> str:
    """Of which state of the repository, as far as git tells."""
    argv = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return f" at {done.stdout.strip()}" if done.returncode == 0 else ""
    return ""


def peer(one: Peer, python: Path, size: PeerSize) -> Entrant:
    """A peer that is installed."""
    asked: dict[str, list[str]] = {
        "python": ["--count", str(size.python)],
        "shell": ["--count", str(size.shell)],
        "second": ["--seconds", str(size.seconds)],
        "spread": ["--count", str(size.spread), "--seconds", str(size.spread_seconds)],
        "burst": ["--count", str(size.burst)],
    }
    entrant = Entrant(one.name, durable=one.durable, scenarios={})
    variant = ["--variant", one.variant] if one.variant else []
    entrant.scenarios = {
        name: partial(
            _measure, entrant, [str(python), str(HERE / "peers" / one.script), name, *args, *variant]
        )
        for name, args in asked.items()
        if one.lateness or name not in LATENESS
    }
    return entrant


def _measure(entrant: Entrant, argv: list[str], folder: Path) -> Mapping[str, float]:
    return ours.measure(partial(_told, entrant, argv), folder)


def _told(entrant: Entrant, argv: list[str], folder: Path) -> dict[str, float]:
    """What the script says, of which version and settings go to the entrant."""
    state = folder / "state"
    state.mkdir()
    with (folder / "errors.txt").open("w+") as errors:
        out = _run([*argv, "--dir", str(state)], errors.fileno())
        errors.seek(0)
        said = errors.read().strip().splitlines()
    lines = out.strip().splitlines()
    if not lines:
        raise RuntimeError(said[-1] if said else "it said nothing")
    told = json.loads(lines[-1])
    if "left_out" in told:
        raise LeftOutError(told["left_out"])
    entrant.version, entrant.settings = told.pop("version"), told.pop("settings")
    return {name: float(value) for name, value in told.items()}


def _run(argv: list[str], errors: int) -> str:
    """Its output. Whatever it started is ended with it: first by itself, then by force."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
    try:
        return process.communicate(timeout=WITHIN)[0]
    except subprocess.TimeoutExpired as exc:
        raise RuntimeError(f"not done within {WITHIN} s") from exc
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

"""rota's own figures, each by the real daemon on a workspace of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from bench import fill, notes, polls
from bench.figures import percentiles
from bench.hooks import hooks
from bench.workspace import NOOP, SECOND, SHELL, Bench, at_jobs, wait_until
from rota.app.commands import pause_job, resume_job, run_job
from rota.app.each import run_each
from rota.app.sync import sync
from rota.app.wiring import App
from rota.model.run import FINAL, RunState

WARM_UP = 1.0


@dataclass(frozen=True)
class Size:
    """How much is measured; lateness of one job a second needs `seconds`."""

    python: int = 20_000
    shell: int = 3_000
    burst: int = 1_000
    spread: int = 1_000
    spread_seconds: float = 60.0
    seconds: int = 30
    posts: int = 20_000
    post_seconds: float = 10.0
    idle: float = 30.0
    polls: int = 1_000
    polls_seconds: float = 30.0
    many_seconds: int = 15
    starts: int = 10
    notes: int = 10_000
    questions: int = 10


FULL = Size()
QUICK = Size(
    python=20_000,
    shell=2_000,
    spread=250,
    spread_seconds=15.0,
    seconds=12,
    posts=10_000,
    post_seconds=5.0,
    idle=10.0,
    polls=200,
    polls_seconds=10.0,
    many_seconds=6,
    starts=5,
)


def throughput(name: str, text: str, count: int, folder: Path) -> dict[str, float]:
    """Runs a second, from the first that is queued to the last recorded success."""
    bench = Bench(folder)
    bench.job("job", text)
    with bench.opened() as app:
        sync(app)
        with bench.daemon():
            return {name: _throughput(app, count)}


def _throughput(app: App, count: int) -> float:
    warm = run_job(app, "job")
    wait_until(lambda: _state(app, warm.id) in FINAL, 30)
    start = time.time()
    ids = run_each(app, "job", ({} for _ in range(count)))
    wait_until(
        lambda: _state(app, ids[-1]) in FINAL and not app.store.read(lambda tx: tx.runs.active("job")), 300
    )
    runs = app.store.read(lambda tx: tx.runs.recent(job_id="job", limit=count))
    assert {run.id for run in runs} == set(ids), "not every run was there"
    assert all(run.state is RunState.SUCCEEDED for run in runs), "not every run succeeded"
    return count / (max(run.finished_at or 0 for run in runs) / 1e6 - start)


def _state(app: App, run_id: str) -> RunState | None:
    run = app.store.read(lambda tx: tx.runs.get(run_id))
    return None if run is None else run.state


def one_a_second(seconds: int, folder: Path) -> dict[str, float]:
    """One job a second."""
    bench = Bench(folder)
    bench.job("second", SECOND)
    with bench.opened() as app:
        sync(app)
        with bench.daemon():
            p50, p99 = _each_second(bench, app, seconds)
    return {"second_p50": p50, "second_p99": p99}


def _each_second(bench: Bench, app: App, seconds: int) -> tuple[float, float]:
    """The first runs are not counted: the host starts with them."""
    time.sleep(seconds + 2 + WARM_UP)
    return percentiles(bench.lateness(app)[2 : seconds + 2])


def spread(count: int, seconds: float, folder: Path) -> dict[str, float]:
    """Jobs that are due one after another, evenly spread."""
    bench = Bench(folder)
    begin = time.time() + 6
    at_jobs(bench, (begin + seconds * number / count for number in range(count)))
    bench.job("second", SECOND.replace("1s", "1h").replace("work:note", "work:noop"))
    with bench.opened() as app:
        sync(app)
        with bench.daemon():
            _warm(app)
            wait_until(lambda: len(bench.started()) >= count, seconds + 30, every=0.5)
            p50, p99 = percentiles(bench.lateness(app))
    return {"spread_p50": p50, "spread_p99": p99}


def burst(count: int, folder: Path) -> dict[str, float]:
    """Jobs that are all due at one instant: when the last one started, and had finished."""
    bench = Bench(folder)
    bench.job("second", SECOND.replace("1s", "1h").replace("work:note", "work:noop"))
    due = time.time() + 8
    at_jobs(bench, (due for _ in range(count)))
    with bench.opened() as app:
        sync(app)
        with bench.daemon():
            _warm(app)
            time.sleep(max(0.0, due + 0.3 - time.time()))
            wait_until(lambda: len(bench.started()) >= count, 60)
            wait_until(lambda: not app.store.read(lambda tx: tx.runs.running()), 60)
        last = max(bench.started().values()) / 1e6 - due * 1e3
        ends = app.store.read(lambda tx: tx.runs.recent(limit=count))
        finished = max(run.finished_at or 0 for run in ends) / 1e3 - due * 1e3
    return {"burst_started": last, "burst_finished": finished}


def _warm(app: App) -> None:
    run = run_job(app, "second", force=True)
    wait_until(lambda: _state(app, run.id) in FINAL, 30)


def idle(seconds: float, folder: Path) -> dict[str, float]:
    """The daemon with 20 jobs of which none is due."""
    bench = Bench(folder)
    for number in range(20):
        bench.job(f"job-{number}", 'schedule: "0 0 1 1 *"\nrun: "true"\n')
    with bench.daemon() as (process, _):
        time.sleep(5)
        cpu, wakeups = _usage(process)
        time.sleep(seconds)
        cpu_after, wakeups_after = _usage(process)
        return {
            "idle_cpu": (cpu_after - cpu) / seconds * 100,
            "idle_wakeups": (wakeups_after - wakeups) / seconds * 60,
            "idle_rss": process.memory_info().rss / 1e6,
        }


def _usage(process: psutil.Process) -> tuple[float, int]:
    """Seconds of CPU, and how often its threads were woken.

    By the scheduler's own account, in nanoseconds: `ps` counts hundredths of a second, of which an idle daemon needs one
    or two in ten seconds.
    """
    nanoseconds = wakeups = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                wakeups += int(line.split()[1])
    return nanoseconds / 1e9, wakeups


def many(label: str, count: int, seconds: int, folder: Path) -> dict[str, float]:
    """Schedules in the store: none of them is due at first, then only one, a job a second."""
    bench = Bench(folder)
    bench.job("second", SECOND)
    with bench.opened() as app:
        sync(app)
        pause_job(app, "second")
    fill.schedules(bench.layout.state, "second", count)
    with bench.opened() as app, bench.daemon() as (process, ready):
        time.sleep(8)  # what is done once after a start is no part of being idle
        cpu, _ = _usage(process)
        time.sleep(seconds)
        cpu_after, _ = _usage(process)
        resume_job(app, "second")
        p50, p99 = _each_second(bench, app, seconds)
        return {
            f"many_{label}_ready": ready,
            f"many_{label}_cpu": (cpu_after - cpu) / seconds * 100,
            f"many_{label}_rss": process.memory_info().rss / 1e6,
            f"many_{label}_p50": p50,
            f"many_{label}_p99": p99,
        }


def start(count: int, folder: Path) -> dict[str, float]:
    """Commands, and the daemon's own start."""
    bench = Bench(folder)
    for number in range(20):
        bench.job(f"job-{number}", 'schedule: "0 0 1 1 *"\nrun: "true"\n')
    bench.rota("list")
    with bench.daemon() as (_, ready):
        pass
    return {
        "start_help": _median([bench.rota("--help") for _ in range(count)]),
        "start_list": _median([bench.rota("list") for _ in range(count)]),
        "start_up": ready,
    }


def growth(label: str, count: int, size: Size, folder: Path) -> dict[str, float]:
    """Speed, lateness and commands with so many past runs in the store."""
    bench = Bench(folder)
    bench.job("job", NOOP)
    with bench.opened() as app:
        sync(app)
        with bench.daemon():
            first = run_job(app, "job")
            wait_until(lambda: _state(app, first.id) in FINAL, 30)
    fill.runs(bench.layout.state, first.id, 100, count)
    measured: dict[str, float] = {}
    with bench.opened() as app:
        with bench.daemon():
            measured[f"growth_{label}_python"] = _throughput(app, size.python // 2)
        bench.job("second", SECOND)
        sync(app)
        with bench.daemon():
            measured[f"growth_{label}_p50"], _ = _each_second(bench, app, size.many_seconds)
        if label == "1M":
            for name, args in (
                ("list", ["list"]),
                ("why", ["why", "past-7"]),
                ("history", ["history", "past-7"]),
            ):
                measured[f"loaded_{name}"] = _median([bench.rota(*args) for _ in range(size.starts)])
    return measured


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def scenarios(size: Size) -> Mapping[str, Callable[[Path], dict[str, float]]]:
    """Everything that is measured of rota, by name."""
    return {
        "python": partial(throughput, "python", NOOP, size.python),
        "shell": partial(throughput, "shell", SHELL, size.shell),
        "second": partial(one_a_second, size.seconds),
        "spread": partial(spread, size.spread, size.spread_seconds),
        "burst": partial(burst, size.burst),
        "hooks": partial(hooks, size.posts, size.post_seconds),
        "idle": partial(idle, size.idle),
        "polls": partial(polls.unchanged, size.polls, 10, size.polls_seconds),
        "start": partial(start, size.starts),
        "index_10k": partial(notes.index, "10k", size.notes, size.questions),
        "many_10k": partial(many, "10k", 10_000, size.many_seconds),
        "many_100k": partial(many, "100k", 100_000, size.many_seconds),
        "many_1M": partial(many, "1M", 1_000_000, size.many_seconds),
        "growth_1k": partial(growth, "1k", 1_000, size),
        "growth_100k": partial(growth, "100k", 100_000, size),
        "growth_1M": partial(growth, "1M", 1_000_000, size),
    }


def measure(scenario: Callable[[Path], dict[str, float]], folder: Path) -> dict[str, float]:
    """One round, on a workspace that is made for it and removed after it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return scenario(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

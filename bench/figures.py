"""What is measured: names, units, goals, and how several rounds become one figure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of the table. `more`: a greater value is the better one."""

    name: str
    unit: str
    more: bool
    title: str


FIGURES: tuple[Figure, ...] = (
    Figure("python", "runs/s", True, "no-op Python function"),
    Figure("shell", "runs/s", True, "/bin/true, output captured"),
    Figure("second_p50", "ms", False, "one job a second: lateness p50"),
    Figure("second_p99", "ms", False, "one job a second: lateness p99"),
    Figure("spread_p50", "ms", False, "1,000 jobs over 60 s: lateness p50"),
    Figure("spread_p99", "ms", False, "1,000 jobs over 60 s: lateness p99"),
    Figure("burst_started", "ms", False, "1,000 at once: last one started"),
    Figure("burst_finished", "ms", False, "1,000 at once: last one finished"),
    Figure("hook_posts", "/s", True, "webhooks: POST to durable 2xx"),
    Figure("hook_p50", "ms", False, "webhooks, 500 a second: answer p50"),
    Figure("hook_p99", "ms", False, "webhooks, 500 a second: answer p99"),
    Figure("idle_cpu", "%", False, "idle with 20 jobs: CPU of one core"),
    Figure("idle_rss", "MB", False, "idle with 20 jobs: RSS"),
    Figure("idle_wakeups", "/min", False, "idle with 20 jobs: wake-ups"),
    Figure("polls_cpu", "%", False, "1,000 unchanged sources, polled every 15 min: CPU of one core"),
    Figure("polls_ms", "ms", False, "one poll of an unchanged source: CPU"),
    Figure("polls_rss", "MB", False, "unchanged sources: RSS of the daemon"),
    *(
        figure
        for count in ("10k", "100k", "1M")
        for figure in (
            Figure(f"many_{count}_ready", "s", False, f"{count} schedules: start to ready"),
            Figure(f"many_{count}_cpu", "%", False, f"{count} schedules, none due: CPU"),
            Figure(f"many_{count}_rss", "MB", False, f"{count} schedules: RSS"),
            Figure(f"many_{count}_p50", "ms", False, f"{count} schedules: lateness p50"),
            Figure(f"many_{count}_p99", "ms", False, f"{count} schedules: lateness p99"),
        )
    ),
    Figure("start_help", "s", False, "rota --help"),
    Figure("start_list", "s", False, "rota list"),
    Figure("start_up", "s", False, "rota up to ready"),
    Figure("index_10k", "s", False, "rota index, 10,000 notes, from nothing"),
    Figure("index_10k_rss", "MB", False, "rota index, 10,000 notes: RSS"),
    Figure("index_10k_again", "s", False, "rota index, 10 of 10,000 notes changed"),
    Figure("index_10k_search", "s", False, "rota search, 10,000 notes"),
    Figure("index_10k_context", "s", False, "rota context, 10,000 notes"),
    Figure("loaded_list", "s", False, "rota list, 1 million runs in the store"),
    Figure("loaded_why", "s", False, "rota why, 1 million runs in the store"),
    Figure("loaded_history", "s", False, "rota history, 1 million runs in the store"),
    *(
        figure
        for count in ("1k", "100k", "1M")
        for figure in (
            Figure(f"growth_{count}_python", "runs/s", True, f"Python runs/s after {count} runs"),
            Figure(f"growth_{count}_p50", "ms", False, f"lateness p50 after {count} runs"),
        )
    ),
    Figure("commits_full", "/s", True, "SQLite commits of one row, FULL"),
    Figure("spawn", "/s", True, "subprocess.run(/bin/true, captured), 2 threads"),
    Figure("posix_spawn", "/s", True, "posix_spawn of /bin/true, 2 in flight"),
    Figure("python_start", "s", False, "python -c pass"),
)
BY_NAME: Mapping[str, Figure] = {figure.name: figure for figure in FIGURES}


@dataclass(frozen=True)
class Summary:
    """Rounds of one figure of one subject."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The greatest."""
        return max(self.values)


def summaries(rounds: Sequence[Mapping[str, float]]) -> dict[str, Summary]:
    """Figures by name, of the rounds that have them."""
    found: dict[str, list[float]] = {}
    for measured in rounds:
        for name, value in measured.items():
            found.setdefault(name, []).append(value)
    return {name: Summary(tuple(values)) for name, values in found.items()}


def percentiles(late: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 of latenesses, in their own unit."""
    ordered = sorted(late)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def plain(summary: Summary) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "median": summary.median,
        "low": summary.low,
        "high": summary.high,
        "rounds": list(summary.values),
    }

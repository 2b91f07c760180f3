"""What rota is to reach, by figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.figures import BY_NAME
from bench.report import LIMITS, ROTA, Report

Bounds = Callable[[Report], list[float] | None]


@dataclass(frozen=True)
class Goal:
    """`bounds`: the values that rota's median must reach, all of them; None where they were not measured."""

    text: str
    bounds: Bounds


def met(report: Report, name: str) -> bool | None:
    """Whether rota reaches the goal of this figure; None without a goal or without what it is measured by."""
    own, goal = report.of(ROTA).get(name), GOALS.get(name)
    bounds = goal.bounds(report) if goal else None
    if own is None or bounds is None:
        return None
    more = BY_NAME[name].more
    return all(own.median >= bound if more else own.median <= bound for bound in bounds)


def _fixed(bound: float, unit: str) -> Goal:
    return Goal(f"≤ {bound:g} {unit}", lambda _: [bound])


def _fastest(report: Report, name: str) -> float | None:
    """The median of the fastest peer that promises as much."""
    return max(
        (peer.figures[name].median for peer in report.peers if peer.durable and name in peer.figures),
        default=None,
    )


def _python(report: Report) -> list[float] | None:
    peer = _fastest(report, "python")
    return None if peer is None else [6 * peer]


def _shell(report: Report) -> list[float] | None:
    """Without peers (as of `--rota`) by the bare loop alone."""
    spawn, peer = report.of(LIMITS).get("spawn"), _fastest(report, "shell")
    if spawn is None:
        return None
    return [0.75 * spawn.median] if peer is None else [0.75 * spawn.median, 1.8 * peer]


def _grown(name: str, factor: float) -> Bounds:
    def bounds(report: Report) -> list[float] | None:
        small = report.of(ROTA).get(name)
        return None if small is None else [small.median * factor]

    return bounds


_PYTHON_GROWN = Goal("≥ 90 % of after 1k", _grown("growth_1k_python", 0.9))
_P50_GROWN = Goal("≤ 110 % of after 1k", _grown("growth_1k_p50", 1.1))

GOALS: dict[str, Goal] = {
    "python": Goal("≥ 6 × the fastest durable peer", _python),
    "shell": Goal("≥ 75 % of the bare loop, ≥ 1.8 × the fastest durable peer", _shell),
    "second_p50": _fixed(1.5, "ms"),
    "second_p99": _fixed(4, "ms"),
    "spread_p50": _fixed(1.5, "ms"),
    "spread_p99": _fixed(4, "ms"),
    "burst_started": _fixed(240, "ms"),
    "burst_finished": _fixed(400, "ms"),
    "hook_posts": Goal("≥ 2,000 /s", lambda _: [2000.0]),
    "hook_p99": _fixed(30, "ms"),
    "idle_cpu": _fixed(0.2, "%"),
    "idle_rss": _fixed(80, "MB"),
    "polls_cpu": _fixed(1, "%"),
    "polls_rss": _fixed(90, "MB"),
    **{f"many_{count}_ready": _fixed(1, "s") for count in ("10k", "100k", "1M")},
    **{f"many_{count}_cpu": _fixed(0.3, "%") for count in ("10k", "100k", "1M")},
    **{f"many_{count}_rss": _fixed(90, "MB") for count in ("10k", "100k", "1M")},
    "start_help": _fixed(0.12, "s"),
    "start_list": _fixed(0.25, "s"),
    "start_up": _fixed(0.8, "s"),
    "index_10k": _fixed(30, "s"),
    "index_10k_rss": _fixed(150, "MB"),
    "index_10k_again": _fixed(2, "s"),
    "index_10k_search": _fixed(0.8, "s"),
    "index_10k_context": _fixed(1, "s"),
    **{f"loaded_{command}": _fixed(0.3, "s") for command in ("list", "why", "history")},
    **dict.fromkeys(("growth_100k_python", "growth_1M_python"), _PYTHON_GROWN),
    **dict.fromkeys(("growth_100k_p50", "growth_1M_p50"), _P50_GROWN),
}

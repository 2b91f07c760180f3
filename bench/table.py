"""A report as one table, readable in a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import FIGURES, Figure, Summary
from bench.goals import GOALS, met
from bench.report import LIMITS, ROTA, Report, Subject

# What bounds a figure of rota.
_LIMIT_OF = {
    "python": "commits_full",
    "shell": "spawn",
    **dict.fromkeys(
        ("start_help", "start_list", "start_up", "loaded_list", "loaded_why", "loaded_history"),
        "python_start",
    ),
}
_MARKS = {True: "✓", False: "✗", None: "?"}


def table(report: Report) -> str:
    """The figures that anybody has, then who was measured, and on what."""
    shown = [
        figure for figure in FIGURES if any(figure.name in subject.figures for subject in report.subjects)
    ]
    head = [
        "figure",
        "unit",
        "rota",
        "goal",
        *(peer.name for peer in report.peers),
        "machine limit",
    ]
    parts = [_aligned(head, [_row(report, figure) for figure in shown]), _subjects(report)]
    parts.extend(
        "\n".join(f"- {title}: {name}: {reason}" for name, reason in sorted(reasons.items()))
        for title, reasons in (("left out", report.left_out), ("failed", report.failed))
        if reasons
    )
    parts.append("Machine: " + ", ".join(f"{name} {value}" for name, value in report.machine.items()) + ".")
    return "\n\n".join(parts)


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1g}"


def _row(report: Report, figure: Figure) -> list[str]:
    name = figure.name
    own = report.of(ROTA).get(name)
    goal = f"{GOALS[name].text} {_MARKS[met(report, name)]}" if name in GOALS and own is not None else ""
    peers = [_spread(peer.figures.get(name)) for peer in report.peers]
    limits = report.of(LIMITS)
    limit = limits.get(name) or limits.get(_LIMIT_OF.get(name, ""))
    return [figure.title, figure.unit, _spread(own), goal, *peers, _spread(limit)]


def _spread(summary: Summary | None) -> str:
    """The median, and the least and the greatest of several rounds."""
    if summary is None:
        return ""
    if len(summary.values) == 1:
        return number(summary.median)
    return f"{number(summary.median)} ({number(summary.low)}–{number(summary.high)})"


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Names and goals to the left, figures to the right."""
    left = {0, 1, 3}
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = [
        ("-" * width if column in left else "-" * (width - 1) + ":") for column, width in enumerate(widths)
    ]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    return "\n".join(line(row) for row in (head, rule, *rows))


def _subjects(report: Report) -> str:
    """Versions, and what each promises."""
    return "\n".join(_said(subject) for subject in report.subjects if subject.name != LIMITS)


def _said(subject: Subject) -> str:
    promise = "" if subject.durable else " Not durable: a power loss takes what it said was done."
    return f"- {subject.name}: {subject.version}: {subject.settings}.{promise}"

"""A report as an SVG of horizontal bars, readable on light and on dark ground."""

from __future__ import annotations

from xml.sax.saxutils import escape

from bench.figures import BY_NAME
from bench.report import LIMITS, ROTA, Report
from bench.table import number

SHOWN = ("python", "shell", "second_p50", "second_p99", "spread_p99", "burst_started")
WIDTH, NAMES, VALUES = 760, 170, 90  # pixels: the whole, of the names, of the values
BAR, GAP, HEAD = 18, 6, 34
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .value { font-variant-numeric: tabular-nums; }
  .bar { fill: #afb8c1; }
  .rota { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .bar { fill: #57606a; }
    .rota { fill: #58a6ff; }
  }
"""


def chart(report: Report) -> str:
    """One panel for each of the figures that were measured, the best at its top."""
    parts: list[str] = []
    y = 0
    for name in SHOWN:
        bars = _bars(report, name)
        if bars:
            parts.append(_panel(name, bars, y))
            y += HEAD + len(bars) * (BAR + GAP) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="rota and its peers, measured">\n<style>{STYLE}</style>\n{"".join(parts)}</svg>\n'
    )


def _bars(report: Report, name: str) -> list[tuple[str, float]]:
    """Who, and how much, the best first."""
    found = [
        (subject.name, subject.figures[name].median)
        for subject in report.subjects
        if subject.name != LIMITS and name in subject.figures
    ]
    return sorted(found, key=lambda bar: bar[1], reverse=BY_NAME[name].more)


def _panel(name: str, bars: list[tuple[str, float]], y: int) -> str:
    figure = BY_NAME[name]
    better = "more" if figure.more else "less"
    title = escape(f"{figure.title} ({figure.unit}, {better} is better)")
    lines = [f'<text class="title" x="0" y="{y + HEAD - 14}">{title}</text>\n']
    longest = max(value for _, value in bars) or 1.0
    for number_, (subject, value) in enumerate(bars):
        top = y + HEAD + number_ * (BAR + GAP)
        width = max(1.0, (WIDTH - NAMES - VALUES) * value / longest)
        kind = "rota" if subject == ROTA else "bar"
        lines.append(
            f'<text x="{NAMES - 10}" y="{top + 14}" text-anchor="end">{escape(subject)}</text>'
            f'<rect class="{kind}" x="{NAMES}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2"/>'
            f'<text class="value" x="{NAMES + width + 8:.1f}" y="{top + 14}">{number(value)}</text>\n'
        )
    return "".join(lines)

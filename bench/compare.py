"""Two reports of one machine compared: `python -m bench.compare OLD.json NEW.json`; 1 when rota became worse."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.figures import BY_NAME, FIGURES, Summary
from bench.report import ROTA, Report, from_json
from bench.table import number

NOISE = 0.10


def regressions(old: Report, new: Report) -> list[str]:
    """A line for each figure of rota that is worse beyond noise."""
    before, after = old.of(ROTA), new.of(ROTA)
    return [
        f"{figure.title}: {number(before[figure.name].median)} → {number(after[figure.name].median)} {figure.unit}"
        for figure in FIGURES
        if figure.name in before and figure.name in after
        if worse(before[figure.name], after[figure.name], more=BY_NAME[figure.name].more)
    ]


def worse(old: Summary, new: Summary, *, more: bool) -> bool:
    """By more than 10 %, and neither median is one that the rounds of the other have also seen."""
    beyond = new.median < old.median * (1 - NOISE) if more else new.median > old.median * (1 + NOISE)
    seen = old.low <= new.median <= old.high or new.low <= old.median <= new.high
    return beyond and not seen


def main(argv: Sequence[str]) -> int:
    """Print what became worse."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    args = parser.parse_args(argv)
    old, new = (from_json(json.loads(path.read_text())) for path in (args.old, args.new))
    for name in sorted(old.machine.keys() & new.machine.keys() - {"date"}):
        if old.machine[name] != new.machine[name]:
            print(f"note: not the same {name}: {old.machine[name]}, now {new.machine[name]}", file=sys.stderr)
    found = regressions(old, new)
    print("\n".join(found) or "Nothing is worse beyond noise.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

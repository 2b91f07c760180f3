"""The command line of the bench: `python -m bench --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from bench import entrants, envs, ours
from bench.chart import chart
from bench.report import LIMITS, ROTA, Report, machine, to_json
from bench.rounds import QUICK_TURNS, WORK, Rounds
from bench.table import table


def main(argv: Sequence[str]) -> int:
    """Measure, and write what came of it."""
    args = _parser().parse_args(argv)
    size = ours.QUICK if args.rota else ours.FULL
    known = {entrant.name for entrant in entrants.PEERS} | {LIMITS, ROTA}
    scenarios = {*ours.scenarios(size), *entrants.limits().scenarios}
    only = {name.strip() for name in args.only.split(",") if name.strip()}
    if unknown := only - known - scenarios:
        print(f"bench: no {', '.join(sorted(unknown))}", file=sys.stderr)
        print(f"hint: of {', '.join(sorted(known))}; of {', '.join(sorted(scenarios))}", file=sys.stderr)
        return 2
    who = only & known or known
    if args.rota:
        who &= {LIMITS, ROTA}
    asked, left_out = _asked(who, size)
    for entrant in asked:
        if wanted := only & scenarios:
            entrant.scenarios = {
                name: entrant.scenarios[name] for name in entrant.scenarios if name in wanted
            }
    WORK.mkdir(exist_ok=True)
    say = partial(print, file=sys.stderr, flush=True)
    turns = {name: count for name, count in QUICK_TURNS.items() if name not in only} if args.rota else {}
    rounds = Rounds(asked, machine(WORK), say, turns=turns, left_out=left_out)
    report = rounds.report()
    try:
        for report in rounds.run(args.rounds):
            _write(report, args.json, args.chart)
    except KeyboardInterrupt:
        report = rounds.report()
        _write(report, args.json, args.chart)
        print("interrupted: what was measured until then", file=sys.stderr)
    print(table(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure rota, its peers and the machine."
    )
    parser.add_argument("--rota", action="store_true", help="rota and the limits alone, in under 3 minutes")
    parser.add_argument("--only", default="", metavar="NAME,..", help="these subjects, these scenarios")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each is measured (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything, for bench.compare")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="bars of the main figures")
    return parser


def _asked(who: Collection[str], size: ours.Size) -> tuple[list[entrants.Entrant], dict[str, str]]:
    """Who is measured, in turn, and why others are not."""
    peers = [peer for peer in entrants.PEERS if peer.name in who]
    if peers:
        print("Installing the peers into bench/.venvs, where they are not ...", file=sys.stderr)
    built = envs.build(dict.fromkeys(peer.env for peer in peers))
    if built.left_out:
        print(built.report(), file=sys.stderr)
    asked = [entrants.limits()] if LIMITS in who else []
    if ROTA in who:
        asked.append(entrants.rota(size))
    asked.extend(
        entrants.peer(peer, built.pythons[peer.env], entrants.PeerSize())
        for peer in peers
        if peer.env in built.pythons
    )
    return asked, {peer.name: built.left_out[peer.env] for peer in peers if peer.env in built.left_out}


def _write(report: Report, data: Path | None, picture: Path | None) -> None:
    if data is not None:
        data.write_text(json.dumps(to_json(report), indent=1) + "\n")
    if picture is not None:
        picture.write_text(chart(report))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

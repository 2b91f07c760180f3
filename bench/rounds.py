"""Rounds: every scenario by every entrant in turn, so that a noisy minute of the machine hits all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.entrants import Entrant, LeftOutError
from bench.figures import summaries
from bench.report import Report, Subject
from bench.table import number

WORK = Path(__file__).resolve().parent / ".work"
# `--rota`: what takes long is measured once, or left to the whole measurement; all in all under 3 minutes.
QUICK_TURNS = {
    **dict.fromkeys(("second", "spread", "burst", "hooks", "idle", "polls", "index_10k", "many_100k"), 1),
    **dict.fromkeys(("many_10k", "many_1M", "growth_1k", "growth_100k", "growth_1M"), 0),
}

Say = Callable[[str], None]


class Rounds:
    """`turns`: in how many of the rounds a scenario is measured, by its name; else in all of them."""

    def __init__(
        self,
        entrants: Sequence[Entrant],
        machine: Mapping[str, str],
        say: Say,
        *,
        work: Path = WORK,
        turns: Mapping[str, int] | None = None,
        left_out: Mapping[str, str] | None = None,
    ) -> None:
        self._entrants = entrants
        self._machine = machine
        self._say = say
        self._work = work
        self._turns = turns or {}
        self._measured: dict[str, list[Mapping[str, float]]] = {}
        self._left_out = dict(left_out or {})
        self._failed: dict[str, str] = {}

    def run(self, rounds: int) -> Iterator[Report]:
        """What is known after each round."""
        names = list(dict.fromkeys(name for entrant in self._entrants for name in entrant.scenarios))
        for number_ in range(rounds):
            for name in names:
                if number_ < self._turns.get(name, rounds):
                    self._say(f"round {number_ + 1} of {rounds}: {name}")
                    self._turn(name)
            yield self.report()

    def _turn(self, name: str) -> None:
        """One scenario, by each in turn. Whoever fails it is not asked for it again: the others go on."""
        for entrant in self._entrants:
            place = f"{entrant.name} {name}"
            scenario = entrant.scenarios.get(name)
            if scenario is None or place in self._failed or entrant.name in self._left_out:
                continue
            try:
                measured = scenario(self._work / place.replace(" ", "-"))
            except LeftOutError as exc:
                self._left_out[entrant.name] = str(exc)
                self._say(f"  {entrant.name}: left out: {exc}")
            except Exception as exc:  # noqa: BLE001 # whatever it is, it is the entrant's
                self._failed[place] = f"{type(exc).__name__}: {exc}"
                self._say(f"  {place}: failed: {exc}")
            else:
                self._measured.setdefault(entrant.name, []).append(measured)
                said = ", ".join(f"{figure} {number(value)}" for figure, value in measured.items())
                self._say(f"  {entrant.name}: {said}")

    def report(self) -> Report:
        """Everything so far."""
        subjects = tuple(
            Subject(
                name=entrant.name,
                durable=entrant.durable,
                version=entrant.version,
                settings=entrant.settings,
                figures=summaries(self._measured[entrant.name]),
            )
            for entrant in self._entrants
            if entrant.name in self._measured
        )
        return Report(self._machine, subjects, dict(self._left_out), dict(self._failed))

"""The `agents:` part of rota.yaml: what agents may do by rota's own tools; and the caps of the jobs that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields as fields_of
from typing import Any

from rota.model.config import AgentsPolicy
from rota.model.proposal import Rule
from rota.spec import budgets, values
from rota.spec.report import Fields, Place

AGENTS_KEYS = tuple(field.name for field in fields_of(AgentsPolicy))
RULES = tuple(rule.value for rule in Rule)
_PER = "per"
_SPAN = "run"  # what a cap is for that names no span


def read_agents(value: Any, place: Place) -> AgentsPolicy | None:
    """`deny`, `propose` or `allow` for everything; or keys."""
    if isinstance(value, str) and value in RULES:
        rule = Rule(value)
        return AgentsPolicy(rule, rule, rule, rule, rule)
    data = values.mapping(value, place)
    if data is None:
        return None
    fields, default = Fields(data, place), AgentsPolicy()
    found = AgentsPolicy(
        create=fields.read("create", _rule, default.create),
        change=fields.read("change", _rule, default.change),
        remove=fields.read("remove", _rule, default.remove),
        pause=fields.read("pause", _rule, default.pause),
        run=fields.read("run", _rule, default.run),
        max_jobs=fields.read("max_jobs", values.whole(0), default.max_jobs),
        max_per_day=fields.read("max_per_day", values.whole(0), default.max_per_day),
        budget=fields.read("budget", _budget, {}),
    )
    fields.refuse_rest(AGENTS_KEYS)
    return found


def _rule(value: Any, place: Place) -> Rule | None:
    said = values.choice(RULES)(value, place)
    return None if said is None else Rule(said)


def _budget(value: Any, place: Place) -> Mapping[str, Any] | None:
    return value if budgets.budget(value, place) is not None else None


def missing_caps(budget: Any, most: Mapping[str, Any]) -> dict[str, float]:
    """What a job's `budget:` lacks of the caps that it has to have: `{"day.usd": 2.0}`."""
    there = dict(_caps(budget))
    return {cap: amount for cap, amount in _caps(most) if cap not in there}


def larger_caps(budget: Any, most: Mapping[str, Any]) -> dict[str, float]:
    """The caps of a job's `budget:` that are above what they may be, and what that is."""
    there = dict(_caps(budget))
    return {cap: amount for cap, amount in _caps(most) if there.get(cap, amount) > amount}


def _caps(budget: Any) -> Iterator[tuple[str, float]]:
    """The caps of a `budget:` by `span.unit`, however it is written."""
    if not isinstance(budget, Mapping):
        return
    span = str(budget.get(_PER, _SPAN))
    for key, value in budget.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{unit}", amount) for unit, amount in value.items())
        elif key in budgets.CAPS:
            yield f"{span}.{key}", value

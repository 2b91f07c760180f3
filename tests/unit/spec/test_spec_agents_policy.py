"""`agents:` of rota.yaml, and the caps that jobs made by agents have at least."""

from __future__ import annotations

import pytest

from rota.app.kinds import kinds
from rota.model.config import AgentsPolicy
from rota.model.proposal import Rule
from rota.spec import parse_config
from rota.spec.agents_policy import larger_caps, missing_caps


def policy(text: str) -> AgentsPolicy:
    found = parse_config(text, "rota.yaml", kinds().catalog)
    assert found.config is not None, found.errors
    return found.config.agents


def wrong(text: str) -> str:
    found = parse_config(text, "rota.yaml", kinds().catalog)
    assert found.config is None
    return f"{found.errors[0]} ({found.errors[0].hint})"


def test_it_is_read_key_by_key() -> None:
    found = policy(
        "agents: {create: allow, run: deny, max_jobs: 3, max_per_day: 9, budget: {usd: 1, per: day}}"
    )
    assert found == AgentsPolicy(
        create=Rule.ALLOW, run=Rule.DENY, max_jobs=3, max_per_day=9, budget={"usd": 1, "per": "day"}
    )


def test_one_word_is_for_all_of_it() -> None:
    found = policy("agents: deny")
    assert {found.create, found.change, found.remove, found.pause, found.run} == {Rule.DENY}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agents: {create: alow}", "did you mean `allow`"),
        ("agents: {creat: allow}", "did you mean `create`"),
        ("agents: {max_jobs: -1}", "max_jobs"),
        ("agents: {budget: {euro: 1}}", "euro"),
    ],
)
def test_mistakes_are_named(text: str, said: str) -> None:
    assert said in wrong(text)


def test_caps_are_compared_however_they_are_written() -> None:
    most = {"usd": 1, "per": "day", "run": {"turns": 20}}
    assert missing_caps(None, most) == {"day.usd": 1, "run.turns": 20}
    assert missing_caps({"day": {"usd": 0.5}}, most) == {"run.turns": 20}
    assert missing_caps({"day": {"usd": 0.5}, "turns": 5}, most) == {}
    assert larger_caps({"day": {"usd": 0.5}, "turns": 50}, most) == {"run.turns": 20}
    assert larger_caps({"run": {"usd": 50}}, most) == {}

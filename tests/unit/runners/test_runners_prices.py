"""What a response costs, by the table and by a file of one's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from rota.model.agent import Usage
from rota.model.errors import StepError
from rota.runners.prices import price


def usd(model: str, usage: Usage, file: Path = Path("/nowhere/prices.yaml")) -> float | None:
    found: float | None = price(str(file), model, asdict(usage))["usd"]
    return found


def test_tokens_of_each_kind_cost_what_the_provider_says() -> None:
    """By hand: $3 a million read, $15 written, $0.30 from and $3.75 into the cache."""
    million = 100_000  # a tenth of it: beyond 200,000 tokens of context this model costs more
    found = usd("claude-sonnet-4-5", Usage(million // 2, million, million // 2, million // 4))
    assert found == pytest.approx((1.5 + 15 + 0.15 + 0.9375) / 10)


@pytest.mark.parametrize(
    "name", ["gpt-5", "openai:gpt-5", "openai/gpt-5", "openai-responses:gpt-5", "openrouter/openai/gpt-5"]
)
def test_a_model_is_found_however_clients_name_it(name: str) -> None:
    assert usd(name, Usage(output=10_000)) == pytest.approx(0.1)


def test_the_mark_of_a_longer_context_is_no_part_of_the_name() -> None:
    assert usd("claude-sonnet-4-5[1m]", Usage(input=1000)) == usd("claude-sonnet-4-5", Usage(input=1000))


@pytest.mark.parametrize("name", ["", "homemade-1", "stub/model", "openai:"])
def test_what_nobody_knows_has_no_price(name: str) -> None:
    assert usd(name, Usage(input=1000)) is None


def test_ones_own_file_goes_first_and_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("gpt-*: {input: 0, output: 50}\n")
    assert usd("gpt-5", Usage(output=10_000), file) == pytest.approx(0.5)
    assert usd("claude-sonnet-4-5", Usage(output=10_000), file) == pytest.approx(0.15)
    file.write_text("gpt-*: {input: 0, output: 5.0}\n")
    assert usd("gpt-5", Usage(output=10_000), file) == pytest.approx(0.05)
    file.write_text("gpt-*: five\n")
    with pytest.raises(StepError, match=r"prices\.yaml:1: `gpt-"):
        usd("gpt-5", Usage(), file)

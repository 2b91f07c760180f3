"""`.rota/prices.yaml`: prices by the pattern of a model's name, and what is wrong with them."""

from __future__ import annotations

import pytest

from rota.model.agent import Usage
from rota.spec.prices import Price, parse_prices

FILE = ".rota/prices.yaml"


def test_the_first_pattern_that_fits_counts() -> None:
    found = parse_prices("gpt-5: {input: 1, output: 2}\nGPT-*: {input: 3, output: 4, cache_read: 0}\n", FILE)
    assert found.errors == ()
    assert found.find("gpt-5") == Price(1, 2, 1, 1)
    assert found.find("Gpt-5-mini") == Price(3, 4, 0, 3)
    assert found.find("claude") is None


def test_a_price_is_for_a_million_tokens_of_each_kind() -> None:
    price = Price(input=1, output=10, cache_read=0.1, cache_write=2)
    assert price.of(Usage(1_000_000, 100_000, 1_000_000, 500_000)) == pytest.approx(3.1)


@pytest.mark.parametrize("text", ["", "# none\n", "{}\n"])
def test_an_empty_file_has_none(text: str) -> None:
    found = parse_prices(text, FILE)
    assert (found.prices, found.errors) == ((), ())


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a: {input: 1}\n", ".rota/prices.yaml:1: `a`: `output` is missing", "0 where it costs nothing"),
        (
            "a:\n  input: $1\n  output: 1\n",
            '.rota/prices.yaml:2: `a.input`: expected dollars for a million tokens, got "$1"',
            "1.25",
        ),
        ("a: {input: 1, output: 1, cached: 1}\n", "`a.cached`: unknown key", None),
        ("a: 5\n", "`a`: expected keys with values, got 5", None),
        ("a: {input: -1, output: 1}\n", "expected dollars for a million tokens, got -1", None),
        ("a: [\n", ".rota/prices.yaml:", None),
    ],
)
def test_mistakes_have_file_line_and_key(text: str, message: str, hint: str | None) -> None:
    found = parse_prices(text, FILE)
    assert found.prices == ()
    assert message in str(found.errors[0])
    if hint is not None:
        assert hint in (found.errors[0].hint or "")

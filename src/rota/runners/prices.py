"""What a response costs: by `.rota/prices.yaml`, else by genai-prices. Called in a host, since the table is large."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rota.model.agent import Usage
from rota.model.errors import StepError
from rota.spec.prices import PriceList, parse_prices

_VARIANT = re.compile(r"\[[^\]]*\]$")  # `claude-...[1m]`: the same model with a longer context


def price(file: str, model: str, usage: Mapping[str, int]) -> dict[str, Any]:
    """`usd` of so many tokens, None where the model has no price; StepError where the file cannot be read.

    `usage`: the fields of `model.agent.Usage`. `by`: what told it, the file's pattern's place or the table.
    """
    took = Usage(**usage)
    own = _own(Path(file)).find(model)
    if own is not None:
        return {"usd": own.of(took), "by": "prices.yaml"}
    return {"usd": _listed(model, took), "by": "genai-prices"}


def _own(path: Path) -> PriceList:
    try:
        found = path.stat()
    except FileNotFoundError:
        return PriceList()
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> PriceList:
    prices = parse_prices(path.read_text("utf-8", "replace"), f".rota/{path.name}")
    if prices.errors:
        first = prices.errors[0]
        raise StepError(
            str(first), code="bad_prices", permanent=True, hint=first.hint or "mend .rota/prices.yaml"
        )
    return prices


def _listed(model: str, usage: Usage) -> float | None:
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    tokens = Tokens(
        input_tokens=usage.input + usage.cache_read + usage.cache_write,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
    )
    for provider, name in _names(model):
        try:
            return float(calc_price(tokens, name, provider_id=provider).total_price)
        except (LookupError, ValueError):
            continue
    return None


def _names(model: str) -> Iterator[tuple[str | None, str]]:
    """The ways to look a model up: as it is, by the provider that it names, and without it."""
    name = _VARIANT.sub("", model.strip())
    yield None, name
    for mark in (":", "/"):
        provider, found, rest = name.partition(mark)
        if found and rest:
            yield provider, rest
            yield None, rest

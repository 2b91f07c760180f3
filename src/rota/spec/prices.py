"""`.rota/prices.yaml`: what models cost, over rota's own table."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rota.model.agent import Usage
from rota.model.errors import SpecError
from rota.spec import values
from rota.spec.document import Document
from rota.spec.reader import read
from rota.spec.report import Fields, Place
from rota.spec.words import shown

PRICE_KEYS = ("input", "output", "cache_read", "cache_write")


@dataclass(frozen=True)
class Price:
    """Dollars for a million tokens of each kind."""

    input: float
    output: float
    cache_read: float
    cache_write: float

    def of(self, usage: Usage) -> float:
        """Dollars."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        ) / 1e6


@dataclass(frozen=True)
class PriceList:
    """Prices by the pattern of a model's name (`*` stands for anything), in the order of the file."""

    prices: tuple[tuple[str, Price], ...] = ()
    errors: tuple[SpecError, ...] = ()

    def find(self, model: str) -> Price | None:
        """The first whose pattern fits."""
        name = model.lower()
        return next((price for pattern, price in self.prices if fnmatchcase(name, pattern.lower())), None)


def parse_prices(text: str, path: str) -> PriceList:
    """Read the file. Nothing is raised; where there are errors there are no prices."""
    lines = (line.strip() for line in text.splitlines())
    nothing = all(not line or line.startswith("#") for line in lines)
    document = Document(data={}) if nothing else read(text, path)
    report = document.report(path)
    place = Place(report)
    found: list[tuple[str, Price]] = []
    if not document.fatal:
        for pattern, about in (values.mapping(document.data or {}, place) or {}).items():
            price = _price(about, place / str(pattern))
            if price is not None:
                found.append((str(pattern), price))
    errors = tuple(sorted(report.errors, key=lambda error: error.line or 0))
    return PriceList(() if errors else tuple(found), errors)


def _price(value: Any, place: Place) -> Price | None:
    data = values.mapping(value, place)
    if data is None:
        return None
    fields = Fields(data, place)
    input_, output = fields.maybe("input", _dollars), fields.maybe("output", _dollars)
    for key, found in (("input", input_), ("output", output)):
        if found is None and key not in data:
            place.error(f"`{key}` is missing", "dollars for a million tokens; 0 where it costs nothing")
    price = Price(
        input_ or 0.0,
        output or 0.0,
        # What a provider says nothing of costs as much as any other token that is read.
        fields.read("cache_read", _dollars, input_ or 0.0),
        fields.read("cache_write", _dollars, input_ or 0.0),
    )
    fields.refuse_rest(PRICE_KEYS)
    return price


def _dollars(value: Any, place: Place) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        place.error(
            f"expected dollars for a million tokens, got {shown(value)}", "a plain number, such as 1.25"
        )
        return None
    return float(value)

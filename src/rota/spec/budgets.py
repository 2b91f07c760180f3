"""`budget:` of a job, of rota.yaml, and the caps of a step."""

from __future__ import annotations

from typing import Any

from rota.model.agent import Caps
from rota.model.budget import NO_CAPS, Budget, OnOver, Span
from rota.spec import values
from rota.spec.report import Fields, Place

CAPS = ("usd", "tokens", "turns", "minutes")
SPANS = tuple(span.value for span in Span)
BUDGET_KEYS = (*CAPS, "per", *SPANS, "on_over")


def budget(value: Any, place: Place) -> Budget | None:
    """Caps beside `per:` (a run, unless said), or under the name of a span, or both."""
    data = values.mapping(value, place)
    if data is None:
        return None
    fields = Fields(data, place)
    per = fields.maybe("per", values.one_of(Span))
    flat = _caps(fields)
    on_over = fields.read("on_over", values.one_of(OnOver), OnOver.FAIL)
    by_span = {span: fields.read(span.value, caps, NO_CAPS) for span in Span}
    if not flat.empty:
        span = per or Span.RUN
        if not by_span[span].empty:
            (place / span.value).error(
                f"the caps of a {span.value} are there twice", f"put them all under `{span.value}:`"
            )
        by_span[span] = flat
    elif per is not None:
        (place / "per").error("`per` has no cap beside it", "such as `usd: 1`")
    found = Budget(
        by_span[Span.RUN], by_span[Span.DAY], by_span[Span.WEEK], by_span[Span.MONTH], on_over=on_over
    )
    fields.refuse_rest(BUDGET_KEYS)
    if found.empty and not place.report.errors:
        place.error("a budget without a cap", "such as `{usd: 1, per: day}`")
    return found


def caps(value: Any, place: Place) -> Caps | None:
    """Caps of one span: `usd:`, `tokens:`, `turns:`, `minutes:`."""
    data = values.mapping(value, place)
    if data is None:
        return None
    fields = Fields(data, place)
    found = _caps(fields)
    fields.refuse_rest(CAPS)
    return found


def _caps(fields: Fields) -> Caps:
    return Caps(
        usd=fields.maybe("usd", _amount),
        tokens=fields.maybe("tokens", values.whole(0, 10**15)),
        turns=fields.maybe("turns", values.whole(0)),
        minutes=fields.maybe("minutes", _amount),
    )


def _amount(value: Any, place: Place) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        values.expected(place, "a number from 0 up", value, "dollars are written as a plain number: 0.25")
        return None
    return value

"""`rota spend`: what agents took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table

if TYPE_CHECKING:
    from rota.app.spend import BudgetUse, SpendView
    from rota.app.wiring import App
    from rota.model.ledger import JobRecord
    from rota.model.spend import SpendSum

BY = ("job", "model", "day", "runner")


@click.command("spend")
@click.option(
    "--by", type=click.Choice(BY), default="job", show_default=True, help="One row for each of these."
)
@click.option(
    "--days",
    default=30,
    show_default=True,
    type=click.IntRange(1, 400),
    help="The last days, today included.",
)
@json_option
def spend_command(by: str, days: int, as_json: bool) -> None:
    """Show what agents took, in dollars and tokens, and how much of each budget is used.

    COST is by rota's prices, CLIENT SAYS what the agent's own program reckons.
    """
    from rota.app.spend import spend

    with workspace() as app:
        view = spend(app, by=by, days=days)
    if as_json:
        print_json(_as_json(view))
        return
    if view.rows:
        rows = [_row(found, found.name) for found in view.rows]
        if len(rows) > 1:
            rows.append(_row(view.total, "total"))
        heads = [by.upper(), "COST", "CLIENT SAYS", "INPUT", "CACHED", "OUTPUT", "TURNS", "AT WORK"]
        # The client's figure where there is one; the time at work is a try's, whichever models it asked.
        shown = [
            place
            for place, head in enumerate(heads)
            if (head != "CLIENT SAYS" or view.total.client_usd is not None)
            and (head != "AT WORK" or by != "model")
        ]
        print_table(
            [heads[place] for place in shown],
            [[row[place] for place in shown] for row in rows],
            flexible=(0,),
        )
    else:
        note(f"No agent took anything in the last {days} days.")
    if view.budgets:
        click.echo(("\n" if view.rows else "") + "Budgets")
        for use in view.budgets:
            click.echo(f"  {use.job or 'workspace'}: {said_of(use)}")
    if view.total.unpriced:
        note("hint: what has no price counts no dollars; write it into .rota/prices.yaml (docs/budgets.md)")


def budget_lines(app: App, record: JobRecord) -> list[tuple[str, str]]:
    """The budget of a job, as `rota show` says it."""
    if '"budget"' not in record.definition:
        return []
    from rota.app.spend import budgets_of, caps_of_a_run

    of_run = caps_of_a_run(record)
    lines = [("budget", f"{of_run} a run")] if of_run else []
    return lines + [("budget", said_of(use)) for use in budgets_of(app, record)]


def said_of(use: BudgetUse) -> str:
    """'$3.20 of $5.00 today', and whether that is all."""
    return f"{use.words}, used up" if use.up else use.words


def _row(found: SpendSum, name: str) -> list[str]:
    from rota.app.times import took

    usage = found.usage
    return [
        name or "(not told)",
        _cost(found),
        "" if found.client_usd is None else _dollars(found.client_usd),
        f"{usage.input:,}",
        f"{usage.cache_read + usage.cache_write:,}",
        f"{usage.output:,}",
        f"{found.turns:,}",
        took(found.worked),
    ]


def _cost(found: SpendSum) -> str:
    if not found.unpriced:
        return _dollars(found.usd)
    if found.unpriced == found.turns:
        return "no price"
    return f"{_dollars(found.usd)} + {found.unpriced:,} without price"


def _dollars(usd: float) -> str:
    from rota.app.spend import shown

    return shown("usd", usd)


def _as_json(view: SpendView) -> dict[str, Any]:
    return {
        "by": view.by,
        "since": iso(view.since, view.timezone),
        "rows": [{view.by: found.name, **_sum_json(found)} for found in view.rows],
        "total": _sum_json(view.total),
        "budgets": [budget_json(use) for use in view.budgets],
    }


def _sum_json(found: SpendSum) -> dict[str, Any]:
    usage = found.usage
    return {
        "usd": round(found.usd, 9),
        "client_usd": None if found.client_usd is None else round(found.client_usd, 9),
        "unpriced_responses": found.unpriced,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "tokens": usage.total,
        "turns": found.turns,
        "seconds_at_work": found.worked / 1e6,
    }


def budget_json(use: BudgetUse) -> dict[str, Any]:
    """How much of a budget is used."""
    bound = use.bound
    return {
        "job": use.job,
        "per": bound.span.value,
        "unit": use.unit,
        "used": use.used,
        "cap": use.cap,
        "used_up": use.up,
        "begins_anew": iso(bound.end, bound.timezone),
    }

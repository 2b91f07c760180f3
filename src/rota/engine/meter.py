"""Money: what a try of an agent step may take, what it takes, and when it has to end.

Each decision is one transaction: whether a try may begin is judged with what others have set aside, and a response is
written together with the look at every budget that it counts for. So a response is only asked for when, after the
last one, no cap was reached; beyond a cap goes at most what was under way.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import structlog

from rota.engine.accounts import Terms, close_account, open_account, record
from rota.engine.patience import write_patiently
from rota.model.agent import NO_TOKENS, Caps, Response, Usage
from rota.model.budget import BUDGET
from rota.model.errors import RotaError, StepError
from rota.model.spend import OpenAccount, Spend
from rota.planning.budgets import (
    FREE_RUNNER,
    counts_without_prices,
)
from rota.ports.agents import Account
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.processes import HostCall
from rota.ports.steps import StepContext
from rota.ports.store import Store

# Runners that tell of no response: what they take is not known.
UNCOUNTED = frozenset({"command"})
PRICE = "rota.runners.prices:price"
log = structlog.get_logger("rota.meter")


class StoredMeter:
    """The `ports.agents.Meter` over the store; prices are told in a host."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def open(self, ctx: StepContext, *, runner: str, model: str | None, caps: Caps) -> Account:
        """Set aside what the step usually takes. Raises StepError (`budget`) where a budget has not so much left."""
        if runner == FREE_RUNNER:
            return FreeAccount()
        account = OpenAccount(
            run_id=ctx.run.id,
            step_id=ctx.step.id,
            attempt=ctx.attempt,
            job_id=ctx.job.id,
            token=ctx.run.token,
            runner=runner,
            model=model or "",
            opened_at=self._clock.now(),
        )
        terms = Terms(ctx.job, ctx.config, caps)
        await _mind_the_price(ctx, terms, account)
        opened = await self._store.write(
            partial(open_account, account=account, terms=terms, now=account.opened_at)
        )
        crash_point("meter.opened")
        if opened.over is not None:
            raise StepError(
                opened.over, code=BUDGET, permanent=True, hint="see `rota spend`, or raise the budget"
            )
        return StoredAccount(self._store, self._clock, ctx, account, terms=terms, remaining=opened.left)


class FreeAccount:
    """The account of a runner that asks no model."""

    caps = Caps()

    async def paid(self, response: Response) -> str | None:  # noqa: ARG002 # nobody counts it
        """Nothing is counted."""
        return None

    async def close(self) -> None:
        """Nothing was set aside."""


class StoredAccount:
    """The money of one try of an agent step."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ctx: StepContext,
        account: OpenAccount,
        *,
        terms: Terms,
        remaining: Caps,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ctx = ctx
        self._account = account
        self._terms = terms
        self._caps = remaining
        self._recording: set[asyncio.Task[str | None]] = set()
        self._prices: dict[str, float | None] = {}

    @property
    def caps(self) -> Caps:
        """What is left of all budgets together, as of the last response."""
        return self._caps

    @property
    def usd(self) -> float | None:
        """What the responses of this try cost together; None where none was told of, or one has no price."""
        known = [usd for usd in self._prices.values() if usd is not None]
        return sum(known) if known and len(known) == len(self._prices) else None

    async def paid(self, response: Response) -> str | None:
        """Record a response, at once and once; the words of the budget that is used up by now, if one is.

        It is written even where whoever waits for that is cancelled: it was paid for.
        """
        task = asyncio.ensure_future(self._paid(response))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give back what was reserved, and note how long it was at work."""
        await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _paid(self, response: Response) -> str | None:
        usd, trouble = await self._price(response)
        self._prices[response.key] = usd
        crash_point("meter.before_record")
        account = self._account
        spend = Spend(
            run_id=account.run_id,
            step_id=account.step_id,
            key=response.key,
            job_id=account.job_id,
            attempt=account.attempt,
            at=self._clock.now(),
            runner=account.runner,
            model=response.model or account.model,
            usage=response.usage,
            usd=usd,
            client_usd=response.client_usd,
            turns=response.turns,
        )
        remains = await write_patiently(
            self._store,
            self._clock,
            partial(record, spend=spend, account=account, terms=self._terms, now=spend.at),
        )
        self._caps = remains.left
        crash_point("meter.recorded")
        return remains.over or trouble

    async def _price(self, response: Response) -> tuple[float | None, str | None]:
        """The dollars of a response; why nothing more may be asked for where there is no telling."""
        model = response.model or self._account.model
        bounds = self._terms.bounds(self._clock.now())
        try:
            usd = await price_of(self._ctx, model, response.usage)
        except RotaError as error:
            log.warning("price_not_told", run=self._account.run_id, model=model, error=str(error))
            capped = any(bound.caps.usd is not None for bound in bounds)
            return None, f"the price of `{model}` cannot be told: {error}" if capped else None
        if usd is None and not counts_without_prices(bounds):
            return None, without_price(model)
        return usd, None

    async def _close(self) -> None:
        if self._recording:
            await asyncio.wait(self._recording)
        await write_patiently(
            self._store,
            self._clock,
            partial(close_account, account=self._account, terms=self._terms, now=self._clock.now()),
        )
        crash_point("meter.closed")


async def price_of(ctx: StepContext, model: str, usage: Usage) -> float | None:
    """Dollars of so many tokens; None where the model has no price. Raises RotaError.

    An agent that works in a host waits for this, so it must not wait for such hosts.
    """
    call = HostCall(
        PRICE,
        {
            "file": str(ctx.workspace / ".rota" / "prices.yaml"),
            "model": model,
            "usage": asdict(usage),
        },
        aside=True,
    )
    try:
        found: dict[str, Any] = await ctx.services.hosts.call(call, _unheard)
    except StepError as error:
        if error.permanent:
            raise
        found = await ctx.services.hosts.call(call, _unheard)  # its host may have died
    usd: float | None = found["usd"]
    return usd


def without_price(model: str) -> str:
    """Why an unpriced model may not go on."""
    return f"the model `{model}` has no price, and no cap in tokens or turns holds for this step"


async def _mind_the_price(ctx: StepContext, terms: Terms, account: OpenAccount) -> None:
    """Refuse a model whose cost nobody could cap; say what is not counted."""
    bounds = terms.bounds(account.opened_at)
    if account.runner in UNCOUNTED:
        if any(replace(bound.caps, minutes=None) != Caps() for bound in bounds):
            ctx.say(
                f"budget: the runner `{account.runner}` does not tell what it takes; only its minutes are counted"
            )
        return
    aliases: frozenset[str] = getattr(ctx.services.runners.get(account.runner), "aliases", frozenset())
    if not account.model or account.model.partition("[")[0] in aliases:
        return  # the client chooses: its first response tells
    if await price_of(ctx, account.model, NO_TOKENS) is None:
        if not counts_without_prices(bounds):
            raise StepError(
                without_price(account.model),
                code=BUDGET,
                permanent=True,
                hint="set `tokens` or `turns` in a `budget:`, or its price in .rota/prices.yaml (0 if it costs nothing)",
            )
        ctx.say(f"budget: the model `{account.model}` has no price; its tokens and turns are counted")


def _unheard(_stream: str, _data: bytes) -> None:
    """What a host prints while it tells a price."""

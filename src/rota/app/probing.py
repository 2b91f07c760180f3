"""One question to each agent runner that is set up: whether it answers, and what that took."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field

from rota.app.agents import PATIENCE, step_in_no_job, survey_now
from rota.app.doctor_hooks import Finding
from rota.app.here import services_here
from rota.app.wiring import App
from rota.engine.meter import price_of
from rota.engine.output import Masker
from rota.model.agent import NO_TOKENS, Caps, Outcome, Response, Usage
from rota.model.errors import RotaError
from rota.planning.budgets import dollars
from rota.ports.agents import AgentRequest, AgentResult, Runner, success_of
from rota.ports.steps import Services, StepContext, Waiting

PROMPT = "This is a test of the connection. Use no tool. Answer with the one word: ok\n"
CAPS = Caps(usd=0.25, tokens=100_000, turns=2)
_HINT = "`rota agents` shows what is known of it"


@dataclass
class Purse:
    """The account of a probe, which no job pays for: adds up, and says when it is enough."""

    usage: Usage = NO_TOKENS
    model: str | None = None
    keys: set[str] = field(default_factory=set)

    @property
    def caps(self) -> Caps:
        """The same for each probe."""
        return CAPS

    async def paid(self, response: Response) -> str | None:
        """A response told twice counts once."""
        if response.key not in self.keys:
            self.keys.add(response.key)
            self.usage += response.usage
            self.model = response.model
        over = self.usage.total > (CAPS.tokens or 0) or len(self.keys) > (CAPS.turns or 0)
        return "the probe is used up" if over else None

    async def close(self) -> None:
        """Nothing was reserved."""


def probe(app: App) -> list[Finding]:
    """Ask each runner that is ready; the inbox is a person's."""
    return asyncio.run(_probe_all(app))


async def _probe_all(app: App) -> list[Finding]:
    found = await survey_now(app)
    asked = [view.key for view in found.runners if view.ready and view.key != "inbox"]
    if not asked:
        words = "no agent runner is set up that could be asked"
        return [Finding("warning", words, "`rota agents` says what is missing")]
    async with services_here(app) as services:
        return [await _probe(app, app.kinds.runners[key], services) for key in asked]


async def _probe(app: App, runner: Runner, services: Services) -> Finding:
    masker, purse, began = Masker(app.secrets.known()), Purse(), time.monotonic()
    request = AgentRequest(PROMPT, app.config.agent.model, purse, session_id=str(uuid.uuid4()), tools=())
    try:
        ctx = step_in_no_job(app, services)
    except RotaError as error:  # a secret that `env:` of rota.yaml names and that is missing
        return Finding(
            "problem", masker.mask_text(f"{runner.key} cannot be asked: {error}"), error.hint or _HINT
        )
    try:
        async with asyncio.timeout(PATIENCE):
            result = await runner.run(request, ctx)
    except TimeoutError:
        result = AgentResult(Outcome.TIMEOUT, detail=f"no answer within {PATIENCE:g} s")
    except RotaError as error:
        result = AgentResult(Outcome.FAILED, detail=error.message)
    except Exception as error:  # noqa: BLE001 # a stranger's runner: the others are asked all the same
        result = AgentResult(Outcome.FAILED, detail=f"{type(error).__name__}: {error}")
    took = time.monotonic() - began
    if isinstance(result, Waiting):
        return Finding("ok", f"{runner.key} hands prompts to a person")
    cost = await _cost(result, purse, ctx)
    if result.outcome is not Outcome.DONE:
        words = " ".join((result.detail or result.outcome.value.replace("_", " ")).split())
        return Finding("problem", masker.mask_text(f"{runner.key} does not answer: {words}{cost}"), _HINT)
    now, model = app.clock.now(), result.model or purse.model or request.model
    success = {"at": now, "job": None, "run": None, "model": model}
    await app.store.write(lambda tx: tx.cursors.put(success_of(runner.key), success, now))
    return Finding("ok", f"{runner.key} answers after {took:.1f} s ({model or 'its own model'}{cost})")


async def _cost(result: AgentResult, purse: Purse, ctx: StepContext) -> str:
    usage = purse.usage if purse.usage.total else result.usage
    if not usage.total:
        return ", what it took is not known"
    model = purse.model or result.model
    try:
        usd = await price_of(ctx, model, usage) if model else None
    except RotaError:
        usd = None
    return f", {usage.total:,} tokens, " + ("of no known price" if usd is None else dollars(usd))

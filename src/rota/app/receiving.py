"""A request to a hook: verified, known or new, and on disk before the answer. The door only speaks HTTP."""

from __future__ import annotations

import base64
import hashlib
import secrets as random
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from rota.app.agentcalls import AgentCalls
from rota.app.answer import Answer
from rota.app.approvals import Approvals
from rota.app.hooks import Hook, Hooks, pending_name, secrets_of
from rota.app.throttle import Throttle
from rota.app.wiring import App
from rota.engine.conditions import screened
from rota.engine.core import Engine
from rota.engine.environment import values_before_run, workspace_value
from rota.engine.intake import Arrival, FullError, Intake, Receipt, new_delivery_id
from rota.engine.queueing import Call, default_params
from rota.model.delivery import Delivery
from rota.model.errors import RotaError, StoreError
from rota.model.instants import SECOND, Micros
from rota.model.ledger import Outcome
from rota.model.run import Reason
from rota.planning.gates import gate_of
from rota.ports.logger import Logger
from rota.ports.payloads import BadBodyError
from rota.templates import evaluate, truth
from rota.triggers.challenges import asked_by_body, asked_by_get, asked_by_query, is_ping, notion_token
from rota.triggers.masks import masked
from rota.triggers.requests import Refused, Request
from rota.triggers.verify import delivery_id, verify

log = Logger("rota.hooks")


class Receiver:
    """Takes what comes for the hooks of a workspace."""

    def __init__(self, app: App, intake: Intake) -> None:
        self._app = app
        self._intake = intake
        self._hooks = Hooks(app)
        self._throttle = Throttle()

    def find(self, name: str) -> Hook | None:
        """The hook of that name: asked for before a body is read."""
        return self._hooks.find(name)

    def challenge(self, hook: Hook, query: Mapping[str, str]) -> Answer:
        """The answer to a GET: what some providers ask of a URL, else that it takes POST."""
        try:
            said = asked_by_get(query, secrets_of(self._app, hook))
        except (RotaError, Refused) as error:
            log.warning("webhook_refused", hook=hook.name, why=str(error))
            said = None
        if said is not None:
            return Answer(200, said)
        return Answer(405, {"error": "a hook takes POST"}, {"allow": "POST"})

    async def receive(
        self, hook: Hook, headers: Mapping[str, str], query: Mapping[str, str], body: bytes, client: str
    ) -> Answer:
        """Verify and store a POST; the answer. Nothing is raised: what goes wrong is in the log, not in the answer.

        `headers`: by lower-case name.
        """
        if (said := asked_by_query(query)) is not None:
            return Answer(200, said)
        name = hook.name
        request = Request(headers, query, body, self._app.clock.now() / SECOND, client)
        try:
            content = verify(hook.rule, self._hooks.secrets(hook), request)
        except Refused as refused:
            return self._refuse(hook, request, refused)
        except RotaError as error:
            return self._refuse(hook, request, Refused(str(error), forbidden=True))
        wait = self._throttle.verified(hook.name, request.client, hook.options.get("rate"))
        if wait is not None:
            log.warning("webhook_put_off", hook=name, client=request.client, rate=hook.options.get("rate"))
            return Answer(429, {"error": "too many requests"}, {"retry-after": str(wait)})
        try:
            return await self._accept(hook, request, content)
        except BadBodyError as error:
            log.warning("webhook_not_understood", hook=name, client=request.client, why=str(error))
            return Answer(400, {"error": str(error)})
        except FullError:
            return Answer(503, {"error": "busy"}, {"retry-after": "1"})
        except StoreError as error:
            log.warning("webhook_not_stored", hook=name, error=str(error), hint=error.hint)
            return Answer(503, {"error": "it cannot be stored at present"}, {"retry-after": "10"})
        except Exception:  # one request must not become a defect of the door
            log.exception("webhook_failed", hook=name)
            return Answer(500, {"error": "it could not be taken"})

    async def _accept(self, hook: Hook, request: Request, content: bytes) -> Answer:
        if (said := asked_by_body(request)) is not None:
            return Answer(200, said)
        if hook.scheme == "github" and is_ping(request):
            return Answer(200, {"pong": hook.name})
        now = self._app.clock.now()
        arrival = self._arrival(hook, request, content, now)
        receipt = await self._intake.take(arrival)
        return Answer(202, _said(receipt))

    def _arrival(self, hook: Hook, request: Request, content: bytes, now: Micros) -> Arrival:
        payload = request.payload
        headers = masked(request.headers, also=hook.rule.header if not hook.rule.is_signed else "")
        query = masked(request.query)
        key, digest, since = _identity(hook, request, content, now)
        body, binary = _text(request.body)
        delivery = Delivery(
            id=new_delivery_id(now),
            hook=hook.name,
            job_id=hook.job.id,
            trigger_id=hook.trigger.id,
            key=key,
            digest=digest,
            received_at=now,
            client=request.client,
            headers=headers,
            query=query,
            body=body,
            binary=binary,
            size=len(request.body),
        )
        inputs = {"payload": payload, "headers": headers, "query": query}
        call = call_of(hook, delivery, inputs)
        return Arrival(delivery, self.under_conditions(hook, call, now), since, hook.gather)

    def under_conditions(self, hook: Hook, call: Call, now: Micros) -> Call:
        """The call, skipped or put off where the trigger's `if:`, or the job's condition and windows, say so."""
        return under_conditions(self._app, hook, call, now)

    def _refuse(self, hook: Hook, request: Request, refused: Refused) -> Answer:
        if hook.scheme == "notion" and not request.headers.get("x-notion-signature"):
            token = notion_token(request)
            if token is not None and self._throttle.handshake(hook.name) is None:
                return self._handshake(hook, token)
        wait = self._throttle.refused(hook.name, request.client)
        if wait is not None:
            return Answer(429, {"error": "too many requests"}, {"retry-after": str(wait)})
        log.warning("webhook_refused", hook=hook.name, client=request.client, why=refused.why)
        if refused.forbidden:
            return Answer(403, {"error": "forbidden"})
        kind = {"bearer": "Bearer", "basic": 'Basic realm="rota"'}.get(hook.scheme)
        return Answer(401, {"error": "not verified"}, {"www-authenticate": kind} if kind else {})

    def _handshake(self, hook: Hook, token: str) -> Answer:
        """Keep what says that it is Notion's token. Anybody may have sent it: a person has to confirm it."""
        self._app.secrets.set(pending_name(hook.name), token)
        log.warning("webhook_handshake", hook=hook.name, hint=f"see `rota hook list {hook.name}`")
        return Answer(200, {"ok": True})


class Gate:
    """What the daemon has for its door: who takes requests, and how the engine is."""

    def __init__(self, app: App, engine: Engine) -> None:
        self._app = app
        self._engine = engine
        self._intake = Intake(app.store, app.clock, engine.runs_queued)

    @cached_property
    def receiver(self) -> Receiver:
        """Who takes what comes for the hooks."""
        return Receiver(self._app, self._intake)

    @cached_property
    def approvals(self) -> Approvals:
        """Who answers the questions of runs, by the links in messages."""
        return Approvals(self._app, self._engine)

    @cached_property
    def agents(self) -> AgentCalls:
        """Who answers agents that come by MCP."""
        return AgentCalls(self._app, self._engine.services.hosts)

    def stuck(self) -> list[str]:
        """Loops of the engine that do not turn."""
        return self._engine.pulse.overdue()

    async def drain(self) -> None:
        """Wait for what is being written."""
        await self._intake.drain()


def call_of(hook: Hook, delivery: Delivery, inputs: Mapping[str, Any]) -> Call:
    """The call for a run that a delivery makes."""
    return Call(
        job=hook.job,
        definition=hook.record.hash,
        trigger_id=hook.trigger.id,
        due_at=delivery.received_at,
        reason=Reason("webhook", f"called by the webhook {hook.name} (delivery {delivery.id})"),
        key=delivery.key,
        inputs=inputs,
    )


def under_conditions(app: App, hook: Hook, call: Call, now: Micros) -> Call:
    """The call as the trigger's `if:`, and the job's own condition and windows, leave it."""
    job, own = hook.job, hook.options.get("if")
    if own is None and job.condition is None and gate_of(job) is None:
        return call
    timezone, workspace = hook.record.timezone, workspace_value(app.layout.root, app.config)
    if own is not None:
        values = values_before_run(
            job,
            inputs={"params": default_params(job), **call.inputs},
            key=call.key,
            due_at=call.due_at,
            now=now,
            timezone=timezone,
            workspace=workspace,
            previous=None,
        )
        try:
            met = truth(evaluate(own, values))
            why = "was false"
        except RotaError as error:  # what others send may lack anything
            met, why = False, f"could not be judged: {error}"
        if not met:
            reason = Reason("condition", f"the webhook's `if: {own}` {why}")
            return replace(call, verdict=Outcome.SKIPPED, reason=reason)
    return app.store.read(lambda tx: screened(tx, call, timezone, now, workspace))


def _identity(hook: Hook, request: Request, content: bytes, now: Micros) -> tuple[str, str, Micros | None]:
    """Key, digest, and since when one with that digest is the same delivery (None: never).

    What is signed is the same for ever: an id that the signature does not cover could be changed by whoever
    sends it again. What is not signed has its id, or is the same for a while.
    """
    named = delivery_id(hook.rule, request)
    made = hashlib.sha256(content)
    if not hook.rule.is_signed:
        made.update(repr(sorted(request.query.items())).encode("utf-8", "replace"))
    digest = made.hexdigest()[:32]
    key = " ".join(named.split()) if named else f"sha256-{digest[:16]}-{now}-{random.token_hex(2)}"
    if "dedupe" in hook.options and hook.dedupe == 0:
        return key, digest, None
    if hook.rule.is_signed:
        return key, digest, 0
    return key, digest, None if named else now - int(hook.dedupe * SECOND)


def _text(body: bytes) -> tuple[str, bool]:
    """The body as the state keeps it, and whether that is base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
    return (text, False) if "\0" not in text else (base64.b64encode(body).decode(), True)


def _said(receipt: Receipt) -> dict[str, Any]:
    said: dict[str, Any] = {"delivery": receipt.delivery_id, "run": receipt.run_id}
    if receipt.again:
        said["duplicate"] = True
    elif receipt.run_id is None:
        said["skipped"] = receipt.reason.code
    return said

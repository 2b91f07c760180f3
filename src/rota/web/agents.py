"""/mcp: agents on the HTTP door. Whoever has no key is turned away before anything of the request is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rota.app.agentcalls import AgentCalls
from rota.app.answer import Answer
from rota.model.config import WebConfig
from rota.model.errors import RotaError
from rota.model.proposal import AgentToken
from rota.ports.logger import Logger
from rota.web.hosts import is_own_origin

HANDLER = "rota.mcp.request:answer"
_BEARER = {"www-authenticate": 'Bearer realm="rota"'}
log = Logger("rota.web")


@dataclass(frozen=True)
class Asked:
    """What is known of a request before its body. `headers`: by lower-case name."""

    method: str
    headers: Mapping[str, str]
    client: str


def admit(calls: AgentCalls, asked: Asked, config: WebConfig) -> AgentToken | Answer:
    """The key that the request came with, or how it is turned away."""
    origin = asked.headers.get("origin")
    if origin is not None and not is_own_origin(origin, config.hosts):
        log.warning("origin_refused", origin=origin[:100], client=asked.client)
        return Answer(403, {"error": "this origin is not allowed: see `hosts:` of `web:` in rota.yaml"})
    scheme, _, key = asked.headers.get("authorization", "").partition(" ")
    token = calls.find(key.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        wait = calls.refused(asked.client)
        if wait is not None:
            return Answer(429, {"error": "too many requests"}, {"retry-after": str(wait)})
        log.warning("agent_refused", client=asked.client, hint="make a key: rota token create NAME")
        return Answer(401, {"error": "a valid token is needed: rota token create NAME"}, _BEARER)
    wait = calls.admitted(token, asked.client)
    if wait is not None:
        return Answer(429, {"error": "too many requests"}, {"retry-after": str(wait)})
    if asked.method != "POST":
        # There are no sessions to end, and nothing is told unasked.
        return Answer(405, {"error": "it takes POST"}, {"allow": "POST"})
    return token


async def take(calls: AgentCalls, token: AgentToken, asked: Asked, body: bytes, config: WebConfig) -> Answer:
    """The answer to a request with a key."""
    try:
        return await calls.answer(HANDLER, token, asked.headers, body, limit=config.body)
    except TimeoutError:
        return Answer(504, {"error": "it took too long"})
    except RotaError as error:
        log.warning("agent_not_answered", agent=token.agent, error=str(error))
        if error.code == "busy":
            return Answer(503, {"error": "busy"}, {"retry-after": "1"})
        return Answer(
            501 if error.code == "mcp_missing" else 500, {"error": str(error), "hint": error.hint or ""}
        )
    except Exception:  # one request must not become a defect of the door
        log.exception("agent_call_failed", agent=token.agent)
        return Answer(500, {"error": "it could not be answered"})

"""Keys to the MCP door: made, listed, revoked. What is kept of one is what it hashes to."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as random
from collections.abc import Sequence
from functools import partial

from rota.app.desk import all_tools
from rota.app.desk_tools import LOOK, may_use
from rota.app.wiring import App
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import DAY, Micros
from rota.model.ledger import Event
from rota.model.proposal import AgentToken
from rota.ports.store import Tx

PREFIX = "rota_"
EVERYTHING = ("*",)
_LONGEST_KEY = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def create_token(
    app: App,
    name: str,
    *,
    agent: str | None = None,
    scopes: Sequence[str] = EVERYTHING,
    days: int | None = None,
) -> tuple[AgentToken, str]:
    """A new key and its record; the key is known to nobody afterwards. Raises RotaError, ConflictError."""
    if not _NAME.fullmatch(name):
        raise RotaError(
            f"`{name}` is no name for a token", hint="use letters, digits, ., - and _: laptop-claude"
        )
    tools = all_tools().values()
    for scope in scopes:
        if not any(may_use(tool, [scope]) for tool in tools):
            raise RotaError(
                f"no tool is meant by the scope `{scope}`",
                hint=f"`{LOOK}` for those that change nothing, or a pattern of tool names such as `job_*`",
            )
    key = PREFIX + random.token_urlsafe(32)
    now = app.clock.now()
    expires = None if days is None else now + days * DAY
    token = AgentToken(name, _digest(key), agent or name, tuple(scopes), now, expires)
    if not app.store.write_now(partial(_add, token=token)):
        raise ConflictError(
            f"there is a token `{name}` already",
            hint=f"choose another name, or `rota token revoke {name}` first",
        )
    return token, key


def list_tokens(app: App) -> list[AgentToken]:
    """By name."""
    return app.store.read(lambda tx: tx.tokens.all())


def revoke_token(app: App, name: str) -> None:
    """From now on its key opens nothing. Raises NotFoundError."""
    if not app.store.write_now(partial(_remove, name=name, now=app.clock.now())):
        raise NotFoundError(f"there is no token `{name}`", hint="see `rota token list`")


def token_of(app: App, key: str) -> AgentToken | None:
    """The record of a key that is in force. As long for a wrong key as for a right one."""
    if not key or len(key) > _LONGEST_KEY:
        return None
    digest, found, now = _digest(key), None, app.clock.now()
    for token in app.store.read(lambda tx: tx.tokens.all()):
        if hmac.compare_digest(token.digest, digest) and (token.expires_at is None or now < token.expires_at):
            found = token
    return found


def _add(tx: Tx, token: AgentToken) -> bool:
    about = {"token": token.name, "agent": token.agent}
    return tx.tokens.add(token) and tx.events.append(Event("token_created", token.created_at, data=about)) > 0


def _remove(tx: Tx, name: str, now: Micros) -> bool:
    return tx.tokens.remove(name) and tx.events.append(Event("token_revoked", now, data={"token": name})) > 0


def _digest(key: str) -> str:
    # A key has 256 bits of chance: nothing is gained by a slow hash.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()

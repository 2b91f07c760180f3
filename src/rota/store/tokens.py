"""Keys to the MCP door."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.proposal import AgentToken
from rota.store.sql import Session, list_to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import token_queries as q
else:
    q = queries("token_queries")


class Tokens:
    """The verbs of `ports.proposals.TokensTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[AgentToken]:
        """By name."""
        return [
            AgentToken(name, digest, agent, tuple(json.loads(scopes)), *instants)
            for name, digest, agent, scopes, *instants in self._session.all(q.ALL)
        ]

    def add(self, token: AgentToken) -> bool:
        """Insert; False when the name is taken."""
        values = {**vars(token), "scopes": list_to_json(token.scopes)}
        return self._session.change(q.ADD, **values) == 1

    def remove(self, name: str) -> bool:
        """Forget it; False when there is none."""
        return self._session.change(q.REMOVE, token_name=name) == 1

    def used(self, name: str, now: Micros) -> None:
        """It was used."""
        self._session.change(q.USED, token_name=name, now=now)

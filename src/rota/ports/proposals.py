"""The verbs of what agents did or want done, and of the keys that they come with."""

from __future__ import annotations

from typing import Protocol

from rota.model.instants import Micros
from rota.model.proposal import AgentToken, Proposal, ProposalState


class ProposalsTable(Protocol):
    """What agents did, or want done, by number."""

    def add(self, proposal: Proposal) -> int:
        """Its number: one more than the greatest so far."""
        ...

    def get(self, number: int) -> Proposal | None:
        """None when there is none."""
        ...

    def pending(self) -> list[Proposal]:
        """Open ones, and those that are being applied, oldest first."""
        ...

    def recent(self, limit: int = 50, *, job_id: str | None = None) -> list[Proposal]:
        """Latest first."""
        ...

    def since(self, instant: Micros) -> int:
        """How many there are of then or later."""
        ...

    def move(
        self,
        number: int,
        before: ProposalState,
        after: ProposalState,
        now: Micros,
        *,
        by: str,
        answer: str | None = None,
    ) -> bool:
        """Decide; False when it is not `before` any more."""
        ...

    def put_hash(self, number: int, hash_: str) -> None:
        """Replace the hash of the definition that it makes."""
        ...

    def end(self, number: int, state: ProposalState, result: str) -> None:
        """Say what came of one that was being applied."""
        ...

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` that are over, older than that, and by which no job became what it is; how many."""
        ...


class TokensTable(Protocol):
    """Keys to the MCP door."""

    def all(self) -> list[AgentToken]:
        """By name."""
        ...

    def add(self, token: AgentToken) -> bool:
        """Insert; False when the name is taken."""
        ...

    def remove(self, name: str) -> bool:
        """Forget it; False when there is none."""
        ...

    def used(self, name: str, now: Micros) -> None:
        """It was used."""
        ...

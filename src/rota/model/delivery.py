"""What came in by a webhook, as the state keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rota.model.instants import Micros
from rota.model.ledger import Outcome


@dataclass(frozen=True)
class Delivery:
    """One verified request to a hook. Headers that carry secrets are masked.

    `key`: of its occurrence: the provider's delivery id, or made of a hash. `digest`: of what was signed or sent;
    a request that is the same is known by it. `body`: text, or base64 where `binary`; empty once it was
    forgotten for its age (`size` stays). `outcome`, `reason`: of its occurrence, where it is still in the ledger.
    """

    id: str
    hook: str
    job_id: str
    trigger_id: str
    key: str
    digest: str
    received_at: Micros
    client: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    binary: bool = False
    size: int = 0
    run_id: str | None = None
    outcome: Outcome | None = None
    reason: str = ""


@dataclass(frozen=True)
class Lookup:
    """Asks whether a request was here before: by its key, or by its digest since an instant (None: by key alone)."""

    hook: str
    job_id: str
    trigger_id: str
    key: str
    digest: str
    since: Micros | None


@dataclass(frozen=True)
class HookCount:
    """How many deliveries of a hook are in the state, and when the last one came."""

    hook: str
    count: int
    last_at: Micros


def as_row(delivery: Delivery) -> Mapping[str, Any]:
    """The delivery as JSON-able values, without what the ledger adds."""
    return {
        "id": delivery.id,
        "hook": delivery.hook,
        "job": delivery.job_id,
        "trigger": delivery.trigger_id,
        "key": delivery.key,
        "client": delivery.client,
        "headers": dict(delivery.headers),
        "query": dict(delivery.query),
        "body": delivery.body,
        "binary": delivery.binary,
        "size": delivery.size,
        "run": delivery.run_id,
    }

"""Headers and queries without the secrets in them, as the state, the run and the log may have them."""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "***"
_SECRET = re.compile(r"authorization|cookie|token|secret|passw|api[_-]?key|^(?:key|sig)$", re.IGNORECASE)
# Names that look like secrets, and are how providers say things.
_PLAIN = frozenset({"idempotency-key", "x-gitlab-event"})


def masked(pairs: Mapping[str, str], also: str = "") -> dict[str, str]:
    """The pairs, with the values of those names masked that carry secrets, and of `also`."""
    return {
        name: MASK if name == also or (_SECRET.search(name) and name not in _PLAIN) else value
        for name, value in pairs.items()
    }

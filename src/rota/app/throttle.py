"""How often a client may call a hook: as the hook says, and how often it may fail to prove itself."""

from __future__ import annotations

import math
import time
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import FixedWindowRateLimiter

# What is verified is never held up by what was not: others may come from the same address, through a tunnel.
FAILURES = "120/minute"
HANDSHAKES = "6/minute"


class Throttle:
    """Counts in memory, by hook and client. Each verb: None where it is well, else the seconds to wait."""

    def verified(self, hook: str, client: str, rate: str | None) -> int | None:
        """A request that proved itself; `rate` None: as many as there are."""
        return None if rate is None else self._hit(rate, "verified", hook, client)

    def refused(self, hook: str, client: str) -> int | None:
        """One that did not."""
        return self._hit(FAILURES, "refused", hook, client)

    def handshake(self, hook: str) -> int | None:
        """A provider's first word, which proves nothing."""
        return self._hit(HANDSHAKES, "handshake", hook)

    def _hit(self, rate: str, *names: str) -> int | None:
        item = _parsed(rate)
        if self._limiter.hit(item, *names):
            return None
        reset = self._limiter.get_window_stats(item, *names).reset_time
        return max(1, math.ceil(reset - time.time()))

    @cached_property
    def _limiter(self) -> FixedWindowRateLimiter:
        from limits.storage import MemoryStorage
        from limits.strategies import FixedWindowRateLimiter

        return FixedWindowRateLimiter(MemoryStorage())


@lru_cache(maxsize=256)
def _parsed(rate: str) -> RateLimitItem:
    from limits import parse

    return parse(rate)

"""Slugs for jobs and ids for runs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from threading import Lock

from rota.model.instants import SECOND, Micros, from_micros

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no i, l, o, u
_PAIRS = ["".join(pair) for pair in product(_ALPHABET, repeat=2)]
SLUG = re.compile(r"^[a-z0-9][a-z0-9._-]{0,79}$")


def slug(text: str) -> str:
    """An id from human text: 'Daily Standup Summary' -> 'daily-standup-summary'; '' where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")[:80].rstrip("-._")


def run_id(now: Micros, randbits: Callable[[int], int]) -> str:
    """A run's id, which sorts by its time: `261121-080000-x7k2q9wd` has the time in UTC to the second, then four
    letters that say the microsecond, and four at random.

    Ids that grow make the indexes of a busy state grow at one end: to end a run costs SQLite half as much as with
    tails that are all random. Two of one microsecond may be the same, once in a million times: see `RunIds`.
    """
    second, micros = divmod(now, SECOND)
    bits = micros << 20 | randbits(20)
    tail = "".join(
        [_PAIRS[bits >> 30], _PAIRS[bits >> 20 & 1023], _PAIRS[bits >> 10 & 1023], _PAIRS[bits & 1023]]
    )
    return f"{_to_the_second(second)}-{tail}"


class RunIds:
    """The ids that one process gives, each of a microsecond of its own, however many runs begin at one instant."""

    def __init__(self, randbits: Callable[[int], int]) -> None:
        self._randbits = randbits
        self._gate = Lock()  # over what follows
        self._latest: Micros = 0

    def new(self, now: Micros) -> str:
        """An id of `now`, or of the next microsecond that was not used yet."""
        with self._gate:
            ahead = self._latest - now
            # Ahead by more than that, the clock was put back: then its word counts again.
            self._latest = now = self._latest + 1 if 0 <= ahead < SECOND else now
        return run_id(now, self._randbits)


@lru_cache(maxsize=4)
def _to_the_second(second: int) -> str:
    return f"{from_micros(second * SECOND):%y%m%d-%H%M%S}"

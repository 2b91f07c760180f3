"""Slugs for jobs and ids for runs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from rota.model.instants import Micros, from_micros

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no i, l, o, u
SLUG = re.compile(r"^[a-z0-9][a-z0-9._-]{0,79}$")


def slug(text: str) -> str:
    """An id from human text: 'Daily Standup Summary' -> 'daily-standup-summary'; '' where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")[:80].rstrip("-._")


def run_id(now: Micros, randbits: Callable[[int], int]) -> str:
    """A run's id: UTC time to the second, then 40 random bits: `261121-080000-x7k2q9wd`; sorts by time."""
    bits = randbits(40)
    tail = "".join(_ALPHABET[(bits >> shift) & 31] for shift in range(35, -1, -5))
    return f"{from_micros(now):%y%m%d-%H%M%S}-{tail}"

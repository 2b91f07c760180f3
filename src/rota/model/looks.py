"""Triggers that look: at files, at a source. What each of them knows of what it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rota.model.instants import Micros

LOOK_TRIGGERS = frozenset({"files", "poll"})
ADDED, CHANGED, REMOVED = "added", "changed", "removed"


@dataclass(frozen=True)
class LookRecord:
    """A trigger that looks, and how its looks went.

    `fingerprint`: what it looked at last, in one text (empty: it has not looked yet); another one is a first look
    again. `partial`: what it found last did not all have a place; what had one is among what was seen. `looked_at`: its latest look that came to an end, `news_at`: the
    latest that found something; `found`: what it found, in words. `failures`: looks that failed since the last one
    that did not, the first of them at `failing_since`, the last with `error`; `told`: people were told. `not_before`:
    no look before that.
    """

    job_id: str
    trigger_id: str
    kind: str
    text: str
    fingerprint: str = ""
    partial: bool = False
    looked_at: Micros | None = None
    news_at: Micros | None = None
    found: str = ""
    failures: int = 0
    failing_since: Micros | None = None
    error: str | None = None
    told: bool = False
    not_before: Micros | None = None


@dataclass(frozen=True)
class FileSign:
    """A file as a look finds it. `size`: bytes; `modified`, `moved`: when its content, and anything of it, last changed.

    `moved` (the inode's time) cannot be set by programs, so a copy that keeps its old date is new all the same.
    """

    size: int
    modified: Micros
    moved: Micros
    inode: int = 0


@dataclass(frozen=True)
class FileWatch:
    """Which files a trigger looks at: patterns below the workspace, as `model.globs` reads them."""

    patterns: tuple[str, ...]
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class News:
    """Something that a look found. `key`: unique to this version of it. `value`: as templates see it."""

    item: str
    event: str
    version: str
    key: str
    words: str
    value: Mapping[str, Any] = field(default_factory=dict)

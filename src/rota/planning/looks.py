"""What a look at files makes of what it finds: what is new, what is still being written, what makes one run."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from rota.model.globs import TEMPORARY
from rota.model.instants import SECOND, Micros, from_micros
from rota.model.job import Trigger
from rota.model.looks import ADDED, CHANGED, REMOVED, FileSign, FileWatch, News

SETTLE = 2.0
# A burst that does not end is not waited for longer than this, or ten times its `debounce:`.
LONGEST_BURST = 60.0
# Changes that one run takes at most: more of them make several runs.
MOST_IN_BATCH = 1_000
# A key of the ledger is no longer than this.
_LONGEST_KEY = 200


@dataclass(frozen=True)
class FilesOptions:
    """The keys of a `files` trigger, understood. Durations are seconds."""

    watch: FileWatch
    events: frozenset[str]
    settle: float
    batch: bool
    debounce: float
    initial: bool

    @classmethod
    def of(cls, trigger: Trigger) -> FilesOptions:
        """Those of a trigger."""
        said = trigger.options
        settle = float(said.get("settle", SETTLE))
        return cls(
            FileWatch(tuple(said.get("patterns") or [trigger.text]), tuple(said.get("ignore", TEMPORARY))),
            frozenset(said.get("events", (ADDED, CHANGED))),
            settle,
            bool(said.get("batch", False)),
            float(said.get("debounce", settle)),
            bool(said.get("initial", False)),
        )

    @property
    def fingerprint(self) -> str:
        """What is looked at, in one text."""
        said = "\0".join([*self.watch.patterns, "", *self.watch.ignore])
        return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass
class Unsettled:
    """What of a trigger's files is different and not dealt with yet: kept in memory alone, found again by a look.

    Of each path: the sign (None: it is gone), and since when, on the monotonic clock, it is that: by the file's own
    dates, which no program can set back, or by the look that found it first.
    """

    since: dict[str, tuple[FileSign | None, float]] = field(default_factory=dict)
    began: float = 0.0
    latest: float = 0.0

    def note(self, different: Mapping[str, FileSign | None], now: Micros, at: float) -> None:
        """These are different, at this look."""
        for path in self.since.keys() - different.keys():
            del self.since[path]
        if not self.since:
            self.began = at
        for path, sign in different.items():
            known = self.since.get(path)
            if known is None or known[0] != sign:
                age = 0.0 if sign is None else max(0, now - sign.moved) / SECOND
                self.since[path] = (sign, at - age)
        self.latest = max((since for _, since in self.since.values()), default=0.0)

    def dealt_with(self, paths: Collection[str], at: float) -> None:
        """These are in the state; a burst begins anew."""
        self.began = at
        for path in paths:
            self.since.pop(path, None)


def version_of(digest: str, sign: FileSign) -> str:
    """What is kept of a file: its content and by what signs it was known."""
    return f"{digest} {sign.size} {sign.modified} {sign.moved}"


def digest_in(version: str) -> str:
    """The content of a version that is kept."""
    return version.partition(" ")[0]


def differences(seen: Mapping[str, str], found: Mapping[str, FileSign]) -> dict[str, FileSign | None]:
    """The paths that are not as they were seen; None: it is gone."""
    different: dict[str, FileSign | None] = {
        path: sign
        for path, sign in found.items()
        if seen.get(path, "").partition(" ")[2] != f"{sign.size} {sign.modified} {sign.moved}"
    }
    different.update((path, None) for path in seen if path not in found)
    return different


def settled(unsettled: Unsettled, settle: float, at: float) -> dict[str, FileSign | None]:
    """Those that have been as they are for `settle` seconds."""
    return {path: sign for path, (sign, since) in unsettled.since.items() if at - since >= settle}


def first_of(ready: Mapping[str, FileSign | None], most: int) -> dict[str, FileSign | None]:
    """Those that came first, in the order in which they came; what is gone, before all others."""
    ordered = sorted(ready.items(), key=lambda item: (item[1].moved if item[1] is not None else 0, item[0]))
    return dict(ordered[:most])


def burst_is_over(unsettled: Unsettled, ready: int, options: FilesOptions, at: float) -> bool:
    """Whether what is ready may go off: at once, or (with `batch:`) when nothing more has come for a while."""
    if not options.batch or not ready:
        return True
    if at - unsettled.began >= max(LONGEST_BURST, 10 * options.debounce):
        return True
    return ready == len(unsettled.since) and at - unsettled.latest >= options.debounce


def look_again(unsettled: Unsettled, options: FilesOptions, at: float) -> float | None:
    """Seconds until something can be ready that is not yet; None: nothing is under way."""
    if not unsettled.since:
        return None
    pause = max(options.settle, options.debounce) if options.batch else options.settle
    soonest = min(since for _, since in unsettled.since.values())
    waits = [soonest + options.settle - at, unsettled.latest + pause - at]
    return max(0.05, min((wait for wait in waits if wait > 0), default=min(pause, 1.0)))


def news_of(path: str, known: str | None, sign: FileSign | None, digest: str) -> News:
    """What happened to a file. `known`: the version that was seen; `digest`: of what is there now."""
    if sign is None:
        event, version = REMOVED, known or ""
    else:
        event, version = (ADDED if known is None else CHANGED), version_of(digest, sign)
    folder, _, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    value = {
        "path": path,
        "name": name,
        "stem": stem or name,
        "suffix": dot + suffix if stem else "",
        "folder": folder,
        "event": event,
        "size": 0 if sign is None else sign.size,
        "modified": None if sign is None else from_micros(sign.modified).isoformat(),
        "hash": digest,
    }
    moment = "" if sign is None else str(sign.moved)
    key = short_key(path, f"{digest or 'gone'}.{moment or digest_in(version) + '.' + version.split(' ')[-1]}")
    return News(path, event, version, key, f"{path} was {event}", value)


def short_key(name: str, version: str) -> str:
    """The key of a version of something; a long one by its hash."""
    key = f"{name}@{version}"
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{name[:100]}#{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def batch_of(news: list[News], what: str) -> News:
    """Several pieces of news as one. `what`: what they are, for people: files."""
    if len(news) == 1:
        return news[0]
    summed = hashlib.sha256("\0".join(sorted(one.key for one in news)).encode()).hexdigest()[:32]
    shown = ", ".join(one.item for one in news[:3])
    more = f" and {len(news) - 3} more" if len(news) > 3 else ""
    return replace(
        news[-1], key=f"{len(news)} {what}#{summed}", words=f"{len(news)} {what} were found: {shown}{more}"
    )

"""Commits of a mirror, read in forms whose fields no commit can fake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rota.sources import _text
from rota.sources.git_mirror import TIP, Mirror

_FIELDS = ("%H", "%P", "%an", "%ae", "%aI", "%s", "%b")
# Without limits by topology, those at the edge of a shallow mirror could come in between.
_LOG = ("log", "-z", "--topo-order", f"--format=tformat:{'%x00'.join(_FIELDS)}")
_DIFF = ("diff-tree", "--stdin", "-r", "-z", "--root", "--name-status", "--no-renames", "--no-ext-diff")
_DIFF_MERGES = "--diff-merges=first-parent"
_MOST_FILES = 200
_MOST_BODY = 10_000
_CHANGES = {"A": "added", "M": "changed", "D": "removed", "T": "changed"}


@dataclass(frozen=True)
class Commit:
    """One commit. `files`: (path, added, changed or removed), compared with its first parent."""

    hash: str
    parents: int
    author: str
    email: str
    date: str
    subject: str
    body: str
    files: list[tuple[str, str]] = field(default_factory=list)
    more_files: int = 0


@dataclass(frozen=True)
class Range:
    """What is asked for: from `before` (empty: the first look) to `tip`; the latest `first` or `most` of them."""

    before: str
    tip: str
    paths: Sequence[str]
    first: int
    most: int


def commits(mirror: Mirror, wanted: Range) -> tuple[list[Commit], str]:
    """Oldest first, and a note where history was rewritten or commits were left out."""
    note, known = "", bool(wanted.before)
    if known and not mirror.has(wanted.before):
        note, known = (
            "the history was rewritten, and what was seen last is gone: these are the latest commits",
            False,
        )
    elif known and not mirror.succeeds(["merge-base", "--is-ancestor", wanted.before, wanted.tip]):
        note = "the history was rewritten (a forced push): these are the commits that were not there before"
    most = wanted.most if known else wanted.first
    reach = [TIP, f"^{wanted.before}"] if known else [TIP]
    found = _log(mirror, reach, wanted.paths, most + (1 if known else 0))
    if known and len(found) > most:
        note = "; ".join(
            [*([note] if note else []), f"only the latest {most} commits (`most:`) of those that are new"]
        )
        found = found[:most]
    return _with_files(mirror, found)[::-1], note


def _log(mirror: Mirror, reach: Sequence[str], paths: Sequence[str], most: int) -> list[Commit]:
    if most == 0:
        return []
    text = mirror.git(
        [*_LOG, f"--max-count={most}", *reach, "--", *(f":(literal){path.rstrip('/')}" for path in paths)]
    )
    # A commit's own text has no NULs: git ends it there.
    parts = text.split("\0")
    size = len(_FIELDS)
    return [_commit(parts[at : at + size]) for at in range(0, len(parts) - size + 1, size)]


def _commit(parts: Sequence[str]) -> Commit:
    found, parents, author, email, date, subject, body = parts
    return Commit(
        hash=found,
        parents=len(parents.split()),
        author=_text.one_line(author),
        email=_text.one_line(email),
        date=date,
        subject=_text.one_line(subject, 300),
        body=_text.shortened(_text.clean(body).strip(), _MOST_BODY),
    )


def _with_files(mirror: Mirror, found: Sequence[Commit]) -> list[Commit]:
    edge = _edge(mirror)
    asked = [commit.hash for commit in found if commit.hash not in edge]
    if not asked:
        return list(found)
    text = mirror.git(
        [*_DIFF, _DIFF_MERGES],
        stdin="".join(f"{commit}\n" for commit in asked).encode(),
    )
    files: dict[str, list[tuple[str, str]]] = {commit: [] for commit in asked}
    current: list[tuple[str, str]] = []
    parts = iter(text.split("\0"))
    for part in parts:
        # Before a change there is its letter, before a commit's changes its hash.
        if part in files:
            current = files[part]
        elif part:
            current.append((next(parts, ""), _CHANGES.get(part[0], "changed")))
    return [_filled(commit, files.get(commit.hash, [])) for commit in found]


def _filled(commit: Commit, files: list[tuple[str, str]]) -> Commit:
    return replace(commit, files=files[:_MOST_FILES], more_files=max(0, len(files) - _MOST_FILES))


def _edge(mirror: Mirror) -> set[str]:
    """Commits whose parents the mirror does not have: all their files would seem to be new."""
    try:
        return set((mirror.folder / "shallow").read_text("ascii").split())
    except OSError:
        return set()

"""Search: ranked passages for a person's words."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rota.model.config import IndexConfig
from rota.model.errors import RotaError
from rota.model.instants import DAY, Micros
from rota.workspace.index import db
from rota.workspace.index.marks import Snippet, counts, snippet
from rota.workspace.index.query import Asked, Query, asked, parse_query
from rota.workspace.index.vectors import ranked_by_meaning
from rota.workspace.layout import Layout

CANDIDATES = 200
# What SQLite picks the candidates by. Columns: title, heading, text, path.
_WEIGHTS = "5.0, 3.0, 1.0, 2.0"
# A month halves what recency adds to a score: a quarter of it at most.
_HALF_LIFE = 30.0
RECENCY = 0.25
# The usual constants of BM25; what a word in the title, the headings and the path counts for.
_K1, _B = 1.2, 0.5
_TITLE, _HEADING, _PATH = 3.0, 2.0, 1.5
# Words of more passages than this are all equally common.
_COUNTED = 20_000
_PER_FILE = 3
_WIDTH = 200
_RRF = 60.0
_AT_OR_BELOW = "instr('/' || f.path || '/', ?) > 0"
_FORMS = 2_000
_HIGHEST = "\U0010ffff"


@dataclass(frozen=True)
class Scope:
    """Where is looked: at or below one of `paths` (from the root), in what is `since` an instant."""

    paths: tuple[str, ...] = ()
    since: Micros | None = None


@dataclass(frozen=True)
class Candidate:
    """A passage that may be what is looked for. `score`: the higher, the better; of no use between two queries."""

    id: int
    path: str
    title: str
    heading: str
    line: int
    last: int
    text: str
    moment: Micros
    score: float


@dataclass(frozen=True)
class Hit:
    """A passage that was found. `line`: where the first of the words stands; `moment`: what it is about."""

    path: str
    title: str
    heading: str
    line: int
    moment: Micros
    score: float
    snippet: Snippet


@dataclass(frozen=True)
class Found:
    """`partly`: no passage has all of the words, so these have some of them."""

    hits: tuple[Hit, ...]
    partly: bool = False


class Searcher:
    """Questions to one index. `now` decides how recent a passage is."""

    def __init__(self, con: sqlite3.Connection, config: IndexConfig, layout: Layout, now: Micros) -> None:
        self._con = con
        self._config = config
        self._layout = layout
        self._now = now

    def search(self, text: str, scope: Scope, limit: int) -> Found:
        """The best passages, at most three of a file. Raises RotaError when there is no word to look for."""
        question = self.ask(text)
        query = question.query
        if not query.wanted:
            return Found(tuple(self._hit(one, question) for one in self.newest(scope, query, limit)))
        found = self.ranked(question, question.all_of(), scope, RECENCY)
        partly = not found and len(query.wanted) > 1
        if partly:
            found = self.ranked(question, question.any_of(), scope, RECENCY)
        return Found(
            tuple(self._hit(one, question) for one in _spread(found, question, scope, limit)),
            partly and bool(found),
        )

    def ask(self, text: str) -> Asked:
        """A text as a question. Raises RotaError when there is no word in it."""
        return asked(_with_words(text), self._beginning_with)

    def ranked(self, question: Asked, expression: str, scope: Scope, recency: float) -> list[Candidate]:
        """The passages that an expression finds, best first: by words, by meaning where there is a model, by age."""
        found = self._weighed(self._by_words(question, expression, scope), question)
        meaning = " ".join(term.text for term in question.query.wanted)
        where, values = _narrowed(scope, question.query)
        if unwanted := question.unwanted():
            where += " AND p.id NOT IN (SELECT rowid FROM words WHERE words MATCH ?)"
            values.append(unwanted)
        by_meaning = ranked_by_meaning(
            self._con, self._config, self._layout, meaning, where=where, values=values, limit=CANDIDATES
        )
        if by_meaning:
            found = self._fused(found, by_meaning)
        aged = [_scored(one, one.score * self._youth(one, recency)) for one in found]
        return sorted(aged, key=lambda one: (-one.score, one.path, one.line))

    def newest(self, scope: Scope, query: Query, limit: int) -> list[Candidate]:
        """The first passages of the newest files."""
        where, values = _narrowed(scope, query)
        rows = self._con.execute(
            f"{_SELECT}, 0.0 FROM passages p JOIN files f ON f.id = p.file"
            f" WHERE p.id = (SELECT min(id) FROM passages WHERE file = f.id) AND {where}"
            " ORDER BY f.moment DESC, f.path LIMIT ?",
            (*values, limit),
        )
        return [Candidate(*row) for row in rows]

    def _by_words(self, question: Asked, expression: str, scope: Scope) -> list[Candidate]:
        where, values = _narrowed(scope, question.query)
        rows = self._con.execute(
            f"{_SELECT}, -bm25(words, {_WEIGHTS}) AS score FROM words"
            f" JOIN passages p ON p.id = words.rowid JOIN files f ON f.id = p.file"
            f" WHERE words MATCH ? AND {where} ORDER BY score DESC LIMIT ?",
            (expression, *values, CANDIDATES),
        )
        return [Candidate(*row) for row in rows]

    def _fused(self, by_words: list[Candidate], by_meaning: list[int]) -> list[Candidate]:
        """Both rankings as one, by reciprocal ranks."""
        scores: dict[int, float] = {}
        for ranking in ([one.id for one in by_words], by_meaning):
            for rank, passage in enumerate(ranking):
                scores[passage] = scores.get(passage, 0.0) + 1.0 / (_RRF + rank + 1)
        known = {one.id: one for one in by_words}
        rows = self._con.execute(
            f"{_SELECT}, 0.0 FROM passages p JOIN files f ON f.id = p.file"
            " WHERE p.id IN (SELECT value FROM json_each(?))",
            (json.dumps([passage for passage in by_meaning if passage not in known]),),
        )
        known |= {row[0]: Candidate(*row) for row in rows}
        return [_scored(one, scores[one.id]) for one in known.values()]

    def _weighed(self, found: list[Candidate], question: Asked) -> list[Candidate]:
        """The passages with scores by which they can be compared, best first.

        BM25 over the fields together, the forms of a word counted as one word. SQLite's own score picks the candidates,
        but it counts each form by itself, and a word of more than half of all passages for nothing.
        """
        (total,) = self._con.execute("SELECT count(*) FROM passages").fetchone()
        weights = [self._rarity(question.one(term), total) for term in question.query.wanted]
        seen = [_frequencies(one, question) for one in found]
        average = sum(length for _, length in seen) / max(1, len(seen))
        scored = []
        for one, (often, length) in zip(found, seen, strict=True):
            spread = _K1 * (1 - _B + _B * length / max(1.0, average))
            parts = [weight * f * (_K1 + 1) / (f + spread) for weight, f in zip(weights, often, strict=True)]
            there = sum(weight for weight, f in zip(weights, often, strict=True) if f)
            scored.append(_scored(one, sum(parts) * (0.4 + 0.6 * there / sum(weights))))
        return sorted(scored, key=lambda one: -one.score)

    def _rarity(self, expression: str, total: int) -> float:
        (having,) = self._con.execute(
            "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)", (expression, _COUNTED)
        ).fetchone()
        return math.log(1 + (total - having + 0.5) / (having + 0.5))

    def _youth(self, one: Candidate, recency: float) -> float:
        age = max(0.0, (self._now - one.moment) / DAY)
        return 1.0 + recency * math.exp2(-age / _HALF_LIFE)

    def _hit(self, one: Candidate, question: Asked) -> Hit:
        shown = snippet(one.text, question, _WIDTH)
        line = one.line + one.text.count("\n", 0, shown.offset)
        return Hit(one.path, one.title, one.heading, line, one.moment, round(one.score, 4), shown)

    def _beginning_with(self, start: str) -> Iterator[str]:
        rows = self._con.execute(
            "SELECT term FROM vocabulary WHERE term >= ? AND term < ? ORDER BY cnt DESC LIMIT ?",
            (start, start + _HIGHEST, _FORMS),
        )
        return (row[0] for row in rows)


_SELECT = "SELECT p.id, f.path, f.title, p.heading, p.line, p.last, p.text, f.moment"


@contextmanager
def searcher(layout: Layout, config: IndexConfig, now: Micros) -> Iterator[Searcher]:
    """The index, opened for questions. Raises RotaError (`no_index`) where it cannot be used."""
    path = db.index_path(layout)
    try:
        con = db.connect(path)
    except db.NoIndexError as error:
        raise _unusable(str(error)) from None
    try:
        con.execute("PRAGMA query_only = ON")
        yield Searcher(con, config, layout, now)
    except sqlite3.DatabaseError as error:
        if not db.is_damage(error):
            raise RotaError(
                f"cannot read the index {layout.relative(path)}: {error}",
                hint="try again",
                code="index",
                permanent=False,
            ) from error
        raise _unusable(f"it is damaged ({error})") from error
    finally:
        con.close()


def _unusable(why: str) -> RotaError:
    return RotaError(
        f"there is no index that can be used: {why}", hint="`rota index` makes it", code="no_index"
    )


def _with_words(text: str) -> Query:
    query = parse_query(text)
    if not query.wanted and not query.paths and not query.tags:
        only = f", only what is to be left out ({query.unwanted[0].text})" if query.unwanted else ""
        raise RotaError(
            f"there is no word to look for in {text[:60]!r}{only}",
            hint='such as `rota search "consent screen" -draft`',
            code="bad_query",
        )
    return query


def _frequencies(one: Candidate, question: Asked) -> tuple[list[float], int]:
    """How often each term is there, with what the field counts for; and how long the text is, in words."""
    often, length = counts(one.text, question)
    found = [float(n) for n in often]
    for text, weight in ((one.title, _TITLE), (one.heading, _HEADING), (one.path, _PATH)):
        for number, n in enumerate(counts(text, question)[0]):
            found[number] += weight * min(n, 1)
    return found, length


def _scored(one: Candidate, score: float) -> Candidate:
    return Candidate(
        one.id, one.path, one.title, one.heading, one.line, one.last, one.text, one.moment, score
    )


def _narrowed(scope: Scope, query: Query) -> tuple[str, list[object]]:
    """The scope, and the paths and tags of a query, as a condition on files."""
    parts, values = ["f.left_out IS NULL"], list[object]()
    if scope.since is not None:
        parts.append("f.moment >= ?")
        values.append(scope.since)
    if scope.paths:
        parts.append(f"({' OR '.join(['(f.path = ? OR (f.path >= ? AND f.path < ?))'] * len(scope.paths))})")
        for path in scope.paths:
            values += [path, f"{path}/", f"{path}0"]  # 0 comes after /
    if query.paths:
        parts.append(f"({' OR '.join([_AT_OR_BELOW] * len(query.paths))})")
        values += [f"/{path}/" for path in query.paths]
    for tag in query.tags:
        # `tag:work` is work/halden too.
        parts.append("EXISTS (SELECT 1 FROM json_each(f.tags) t WHERE instr(t.value || '/', ?) = 1)")
        values.append(f"{tag}/")
    return " AND ".join(parts), values


def _spread(found: list[Candidate], question: Asked, scope: Scope, limit: int) -> list[Candidate]:
    """The best, but of one file not more than three, unless that file is all that is asked about.

    Where only the file's title or path has the words, one of its passages says so for all.
    """
    kept: list[Candidate] = []
    of_file: dict[str, int] = {}
    for one in found:
        many = of_file.get(one.path, 0)
        if one.path in scope.paths or not many or (many < _PER_FILE and _says_it_itself(one, question)):
            of_file[one.path] = of_file.get(one.path, 0) + 1
            kept.append(one)
        if len(kept) == limit:
            break
    return kept


def _says_it_itself(one: Candidate, question: Asked) -> bool:
    above, _, heading = one.heading.rpartition(" › ")
    return any(counts(f"{heading if above else ''}\n{one.text}", question)[0])

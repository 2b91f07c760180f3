"""Search: ranked passages for a person's words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rota.model.config import IndexConfig
from rota.model.errors import RotaError
from rota.model.instants import DAY, Micros
from rota.workspace.index import db
from rota.workspace.index.marks import Snippet, places, snippet
from rota.workspace.index.query import Asked, Query, asked, parse_query
from rota.workspace.index.vectors import ranked_by_meaning
from rota.workspace.index.words import fold
from rota.workspace.layout import Layout

CANDIDATES = 300
# A hit in a title says more than one in the text. Columns: title, heading, text, path.
_WEIGHTS = "5.0, 3.0, 1.0, 2.0"
# A month halves what recency adds; at most a third of a hit's score comes from it.
_HALF_LIFE = 30.0
RECENCY = 0.5
_PER_FILE = 3
_WIDTH = 200
_RRF = 60.0
_FORMS = 64
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
        query = _with_words(text)
        scope = Scope((*scope.paths, *query.paths), scope.since)
        if not query.wanted:
            newest = self.newest(scope, query.tags, limit)
            return Found(tuple(self._hit(one, asked(query, self._beginning_with)) for one in newest))
        question = asked(query, self._beginning_with)
        found = self.ranked(question, question.all_of(), scope, RECENCY)
        partly = not found and len(query.wanted) > 1
        if partly:
            found = self.ranked(question, question.any_of(), scope, RECENCY)
        return Found(
            tuple(self._hit(one, question) for one in _spread(found, scope, limit)), partly and bool(found)
        )

    def ask(self, text: str) -> Asked:
        """A text as a question. Raises RotaError when there is no word in it."""
        return asked(_with_words(text), self._beginning_with)

    def ranked(self, question: Asked, expression: str, scope: Scope, recency: float) -> list[Candidate]:
        """The passages that an expression finds, best first: by words, by meaning where there is a model, by age."""
        by_words = self._by_words(question, expression, scope)
        meaning = " ".join(term.text for term in question.query.wanted)
        by_meaning = ranked_by_meaning(self._con, self._config, self._layout, meaning, CANDIDATES)
        if by_meaning:
            by_words = self._fused(by_words, by_meaning, question.query.tags, scope)
        weighed = [self._weighed(one, question, recency, by_words=not by_meaning) for one in by_words]
        return sorted(weighed, key=lambda one: (-one.score, one.path, one.line))

    def newest(self, scope: Scope, tags: Sequence[str], limit: int) -> list[Candidate]:
        """The first passages of the newest files."""
        where, values = _narrowed(scope, tags)
        rows = self._con.execute(
            f"{_SELECT}, 0.0 FROM passages p JOIN files f ON f.id = p.file"  # noqa: S608 # of our own names
            f" WHERE p.id = (SELECT min(id) FROM passages WHERE file = f.id) AND {where}"
            " ORDER BY f.moment DESC, f.path LIMIT ?",
            (*values, limit),
        )
        return [Candidate(*row) for row in rows]

    def _by_words(self, question: Asked, expression: str, scope: Scope) -> list[Candidate]:
        where, values = _narrowed(scope, question.query.tags)
        rows = self._con.execute(
            f"{_SELECT}, -bm25(words, {_WEIGHTS}) AS score FROM words"  # of our own names
            f" JOIN passages p ON p.id = words.rowid JOIN files f ON f.id = p.file"
            f" WHERE words MATCH ? AND {where} ORDER BY score DESC LIMIT ?",
            (expression, *values, CANDIDATES),
        )
        return [Candidate(*row) for row in rows]

    def _fused(
        self, by_words: list[Candidate], by_meaning: list[int], tags: Sequence[str], scope: Scope
    ) -> list[Candidate]:
        """Both rankings as one, by reciprocal ranks."""
        scores: dict[int, float] = {}
        for ranking in ([one.id for one in by_words], by_meaning):
            for rank, passage in enumerate(ranking):
                scores[passage] = scores.get(passage, 0.0) + 1.0 / (_RRF + rank + 1)
        known = {one.id: one for one in by_words}
        missing = [passage for passage in scores if passage not in known]
        where, values = _narrowed(scope, tags)
        rows = self._con.execute(
            f"{_SELECT}, 0.0 FROM passages p JOIN files f ON f.id = p.file"  # noqa: S608 # of our own names
            f" WHERE p.id IN (SELECT value FROM json_each(?)) AND {where}",
            (json.dumps(missing), *values),
        )
        known |= {row[0]: Candidate(*row) for row in rows}
        return [_scored(one, scores[one.id]) for one in known.values()]

    def _weighed(self, one: Candidate, question: Asked, recency: float, *, by_words: bool) -> Candidate:
        age = max(0.0, (self._now - one.moment) / DAY)
        factor = 1.0 + recency * 0.5 ** (age / _HALF_LIFE)
        if by_words and len(question.query.wanted) > 1:
            whole = f"{one.title}\n{one.heading}\n{one.path}\n{one.text}"
            there = {number for _, _, number in places(whole, question)}
            factor *= 0.3 + 0.7 * len(there) / len(question.query.wanted)
        return _scored(one, one.score * factor)

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


def _scored(one: Candidate, score: float) -> Candidate:
    return Candidate(
        one.id, one.path, one.title, one.heading, one.line, one.last, one.text, one.moment, score
    )


def _narrowed(scope: Scope, tags: Sequence[str]) -> tuple[str, list[object]]:
    """The scope and the tags as a condition on files."""
    parts, values = ["f.left_out IS NULL"], list[object]()
    if scope.since is not None:
        parts.append("f.moment >= ?")
        values.append(scope.since)
    if scope.paths:
        parts.append(f"({' OR '.join(['(f.path = ? OR (f.path >= ? AND f.path < ?))'] * len(scope.paths))})")
        for path in scope.paths:
            values += [path, f"{path}/", f"{path}0"]  # 0 comes after /
    for tag in tags:
        # `tag:work` is work/halden too.
        parts.append(
            "EXISTS (SELECT 1 FROM json_each(f.tags) t WHERE t.value = ? OR t.value LIKE ? ESCAPE '!')"
        )
        escaped = fold(tag).replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values += [tag, f"{escaped}/%"]
    return " AND ".join(parts), values


def _spread(found: list[Candidate], scope: Scope, limit: int) -> list[Candidate]:
    """The best, but of one file not more than three, unless that file is all that is asked about."""
    kept: list[Candidate] = []
    of_file: dict[str, int] = {}
    for one in found:
        if of_file.get(one.path, 0) < _PER_FILE or one.path in scope.paths:
            of_file[one.path] = of_file.get(one.path, 0) + 1
            kept.append(one)
        if len(kept) == limit:
            break
    return kept

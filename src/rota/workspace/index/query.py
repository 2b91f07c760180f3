"""A person's words as a question to the index. Whatever is typed is words: no sign in it is the index's own syntax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rota.workspace.index.words import STOP_WORDS, fold, is_spaceless, spaced, stem, tokens, whole

_PART = re.compile(
    r'(?P<minus>(?<!\S)-)?(?:(?P<field>path|tag):)?(?:"(?P<phrase>[^"]*)(?:"|$)|(?P<word>[^\s"]+))',
    re.IGNORECASE,
)
_MOST_TERMS = 40
_MOST_FORMS = 24
_LONGEST = 2_000


@dataclass(frozen=True)
class Term:
    """One thing that is looked for. `words`: folded, in order; `prefix`: the last of them is a beginning."""

    text: str
    words: tuple[str, ...]
    prefix: bool = False

    @property
    def is_plain(self) -> bool:
        """One word, of which other forms will do as well."""
        return len(self.words) == 1 and not self.prefix and not is_spaceless(self.text)


@dataclass(frozen=True)
class Query:
    """`wanted` and `unwanted` terms; `paths` and `tags` narrow where they are looked for."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...] = ()
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def parse_query(text: str) -> Query:
    """Read a person's words: `"a phrase"`, `-without`, `begin*`, `path:notes`, `tag:work`. Nothing is raised."""
    wanted: dict[str, Term] = {}
    unwanted: dict[str, Term] = {}
    paths: list[str] = []
    tags: list[str] = []
    for found in _PART.finditer(whole(text)[:_LONGEST]):
        value = found["phrase"] if found["phrase"] is not None else found["word"]
        field = (found["field"] or "").lower()
        if field == "path":
            paths.append(value.strip().strip("/"))
        elif field == "tag":
            tags.append(value.strip().lstrip("#").lower())
        elif (term := _term(value, is_phrase=found["phrase"] is not None)) is not None:
            (unwanted if found["minus"] else wanted)[f"{term.words}{term.prefix}"] = term
    needed = [term for term in wanted.values() if not _is_stop(term)] or [*wanted.values()]
    return Query(
        tuple(needed)[:_MOST_TERMS],
        tuple(unwanted.values())[:_MOST_TERMS],
        tuple(path for path in paths if path),
        tuple(tag for tag in tags if tag),
    )


def _term(value: str, *, is_phrase: bool) -> Term | None:
    words = tuple(word for word, _, _ in tokens(value))
    return Term(value, words, prefix=not is_phrase and value.endswith("*")) if words else None


@dataclass(frozen=True)
class Asked:
    """A query with the forms of its words that the index has. `forms`: by term; a form may be a beginning (`plan*`)."""

    query: Query
    forms: dict[Term, tuple[str, ...]]

    def all_of(self) -> str:
        """The question that only what has every word answers."""
        return self._without(" AND ".join(self.one(term) for term in self.query.wanted))

    def any_of(self) -> str:
        """The question that what has one of the words answers."""
        return self._without(" OR ".join(self.one(term) for term in self.query.wanted))

    def one(self, term: Term) -> str:
        """The question that what has this term answers."""
        forms = self.forms.get(term, ())
        if not forms:
            return _quoted(" ".join(term.words)) + (" *" if term.prefix else "")
        return f"({' OR '.join(_quoted(f.rstrip('*')) + (' *' if f.endswith('*') else '') for f in forms)})"

    def unwanted(self) -> str:
        """The question that what is to be left out answers; empty where nothing is."""
        return " OR ".join(self.one(term) for term in self.query.unwanted)

    def _without(self, expression: str) -> str:
        unwanted = self.unwanted()
        return f"({expression}) NOT ({unwanted})" if unwanted and expression else expression


def _is_stop(term: Term) -> bool:
    return len(term.words) == 1 and not term.prefix and term.words[0] in STOP_WORDS


def _quoted(text: str) -> str:
    escaped = spaced(text).replace('"', '""')
    return f'"{escaped}"'


def asked(query: Query, beginning_with: Callable[[str], Iterable[str]]) -> Asked:
    """Look for the forms of each word; `beginning_with` gives the words of the index that begin so."""
    forms: dict[Term, tuple[str, ...]] = {}
    for term in (*query.wanted, *query.unwanted):
        if term.is_plain:
            forms[term] = _forms(term.words[0], beginning_with)
    return Asked(query, forms)


def _forms(word: str, beginning_with: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
    root = stem(word)
    if len(root) < 3:
        return (word,)
    # The y of "company" is an i in "companies".
    start = root[:-1] if root.endswith("y") and len(root) > 3 else root
    found = [form for form in beginning_with(start) if form == word or stem(fold(form)) == root]
    if not found:
        return (word, f"{word}*") if len(word) > 3 else (word,)
    return tuple(dict.fromkeys([word, *found]))[:_MOST_FORMS]

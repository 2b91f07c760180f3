"""Where the words of a question stand in a text, and the part of it that shows them best."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rota.workspace.index.query import Asked, Term
from rota.workspace.index.words import tokens

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Snippet:
    """A part of a passage on one line. `marks`: where in it the words stand; `offset`: of the first one in the text."""

    text: str
    marks: tuple[tuple[int, int], ...]
    offset: int

    def marked(self, before: str, after: str) -> str:
        """The text with signs around the words."""
        parts: list[str] = []
        end = 0
        for begin, until in self.marks:
            parts += [self.text[end:begin], before, self.text[begin:until], after]
            end = until
        return "".join([*parts, self.text[end:]])


def places(text: str, asked: Asked) -> list[tuple[int, int, int]]:
    """Begin, end and number of the term of every place where a term stands, in order; they do not overlap."""
    words = list(tokens(text))
    found: list[tuple[int, int, int]] = []
    for number, term in enumerate(asked.query.wanted):
        found.extend((begin, end, number) for begin, end in _of_term(words, term, asked))
    kept: list[tuple[int, int, int]] = []
    for place in sorted(found):
        if not kept or place[0] >= kept[-1][1]:
            kept.append(place)
    return kept


def counts(text: str, asked: Asked) -> tuple[list[int], int]:
    """How often each term stands in a text, and how many words that has."""
    words = list(tokens(text))
    return [len(_of_term(words, term, asked)) for term in asked.query.wanted], len(words)


def _of_term(words: list[tuple[str, int, int]], term: Term, asked: Asked) -> list[tuple[int, int]]:
    forms = asked.forms.get(term)
    if forms is not None:
        whole = {form for form in forms if not form.endswith("*")}
        starts = tuple(form[:-1] for form in forms if form.endswith("*"))
        return [(b, e) for word, b, e in words if word in whole or (starts and word.startswith(starts))]
    length, last = len(term.words), term.words[-1]
    found = []
    for n in range(len(words) - length + 1):
        part = [word for word, _, _ in words[n : n + length]]
        fits = part[-1].startswith(last) if term.prefix else part[-1] == last
        if fits and tuple(part[:-1]) == term.words[:-1]:
            found.append((words[n][1], words[n + length - 1][2]))
    return found


def snippet(text: str, asked: Asked, width: int) -> Snippet:
    """The `width` characters of the text with the most different terms in them; its beginning where there is none."""
    found = places(text, asked)
    best, rank = 0, (-1, 0)
    for index, (begin, _, _) in enumerate(found):
        inside = [place for place in found[index:] if place[1] <= begin + width - 20]
        this = (len({number for _, _, number in inside}), len(inside))
        if this > rank:
            best, rank = index, this
    first = found[best][0] if found else 0
    begin = _start(text, first, width) if found else 0
    end = _end(text, begin, width)
    shown = [(b, e) for b, e, _ in found if b >= begin and e <= end]
    return _flat(text, begin, end, shown, first)


def _start(text: str, first: int, width: int) -> int:
    """Where a snippet begins: its line where that is near, else a word somewhat before the first place."""
    line = text.rfind("\n", 0, first) + 1
    if first - line <= width // 3:
        return line
    begin = first - width // 4
    space = text.find(" ", begin, first)
    return begin if space < 0 else space + 1


def _end(text: str, begin: int, width: int) -> int:
    end = begin + width
    if end >= len(text):
        return len(text)
    space = max(text.rfind(" ", begin + width // 2, end), text.rfind("\n", begin + width // 2, end))
    return end if space < 0 else space


def _flat(text: str, begin: int, end: int, shown: list[tuple[int, int]], first: int) -> Snippet:
    """The part on one line, with dots where it was cut, and the marks where the words are now."""
    parts: list[str] = []
    marks: list[tuple[int, int]] = []
    length, at = 0, begin

    def add(piece: str) -> None:
        nonlocal length
        flat = _SPACE.sub(" ", piece)
        if flat.startswith(" ") and (not length or parts[-1].endswith(" ")):
            flat = flat[1:]
        parts.append(flat)
        length += len(flat)

    if begin > 0 and text[begin - 1] != "\n":
        add("… ")
    for b, e in shown:
        if b > at:
            add(text[at:b])
        mark = length
        add(text[b:e])
        marks.append((mark, length))
        at = e
    add(text[at:end].rstrip())
    if text[end:].strip():
        add(" …")
    return Snippet("".join(parts), tuple(marks), first)

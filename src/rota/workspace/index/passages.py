"""A file as what is found in it: a title, tags, a day, and passages with their headings and lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath

from rota.workspace.index.frontmatter import FrontMatter, split_front_matter

# Characters: long enough to be understood by itself, short enough that several fit into a prompt.
LONGEST = 1_600
_MARKDOWN = frozenset({".md", ".markdown", ".mdx", ".mdown", ".qmd", ".rmd"})
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")
_UNDERLINE = re.compile(r" {0,3}(={2,}|-{3,})[ \t]*")
_NO_PARAGRAPH = re.compile(r"\s*$| {4}|\t| {0,3}(?:[-*+>|]|\d+[.)]\s)")
_TAG = re.compile(r"(?:^|(?<=\s))#([^\W\d_][\w/-]*)")
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_./]?(0[1-9]|1[0-2])[-_./]?(0[1-9]|[12]\d|3[01])(?!\d)")
_WEEK = re.compile(r"(?<!\d)((?:19|20)\d\d)-?W(\d\d)(?!\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Passage:
    """A piece of a file. `heading`: those that it stands below, joined by ` › `; lines count from 1."""

    heading: str
    line: int
    last: int
    text: str


@dataclass(frozen=True)
class Note:
    """What a file says. `moment`: the instant (µs) that it says it is about; None where it names no day."""

    title: str
    tags: tuple[str, ...]
    moment: int | None
    passages: tuple[Passage, ...]


def read_note(path: str, text: str) -> Note:
    """Take a file's text apart. Any text will do; nothing is raised."""
    place = PurePosixPath(path)
    if place.suffix.lower() not in _MARKDOWN:
        lines = text.split("\n")
        return Note(
            place.stem, (), _moment(path, FrontMatter()), tuple(_pieces("", list(enumerate(lines, 1))))
        )
    front, begin = split_front_matter(text)
    lines = text.split("\n")
    sections = list(_sections(lines, begin))
    passages = [] if not begin else [*_pieces("", list(enumerate(lines[1 : begin - 1], 2)))]
    tags = list(front.tags)
    for headings, body in sections:
        passages.extend(_pieces(" › ".join(headings), body))
        tags.extend(tag for _, line in body if "#" in line for tag in _TAG.findall(line))
    first = next((headings[0] for headings, _ in sections if headings), "")
    return Note(
        front.title or first or place.stem,
        tuple(dict.fromkeys(tag.lower() for tag in tags)),
        _moment(path, front),
        tuple(passages),
    )


def _sections(lines: Sequence[str], begin: int) -> Iterator[tuple[list[str], list[tuple[int, str]]]]:
    """The text below each heading, with the headings that it stands below; a heading in code is none."""
    open_: list[tuple[int, str]] = []
    body: list[tuple[int, str]] = []
    fence = ""
    number = begin
    while number < len(lines):
        line = lines[number]
        number += 1
        if fence:
            closing = line.strip()
            fence = "" if closing.startswith(fence) and not closing.strip(fence[0]) else fence
        elif opening := _FENCE.match(line):
            fence = opening[1]
        elif (found := _heading(line, lines[number] if number < len(lines) else "")) is not None:
            level, text, extra = found
            if any(line.strip() for _, line in body) or (open_ and level <= open_[-1][0]):
                yield [heading for _, heading in open_], body
            open_ = [*((n, heading) for n, heading in open_ if n < level), (level, text)]
            number += extra
            body = [(number, "")]  # its own line, where there is nothing below it
            continue
        body.append((number, line))
    if open_ or any(line.strip() for _, line in body):
        yield [heading for _, heading in open_], body


def _heading(line: str, following: str) -> tuple[int, str, int] | None:
    """Level, text and how many more lines it has, where a heading begins."""
    if found := _HEADING.fullmatch(line):
        return len(found[1]), " ".join((found[2] or "").split())[:200], 0
    if following and (under := _UNDERLINE.fullmatch(following)) and not _NO_PARAGRAPH.match(line):
        return (1 if under[1][0] == "=" else 2), " ".join(line.split())[:200], 1
    return None


def _pieces(heading: str, body: list[tuple[int, str]]) -> Iterator[Passage]:
    """The lines below one heading as passages: whole paragraphs where they fit, else lines, else parts of one."""
    kept: list[tuple[int, str]] = []
    size = 0
    empty = True
    for block in _blocks(body):
        length = sum(len(line) + 1 for _, line in block)
        if size and size + length > LONGEST:
            yield _passage(heading, kept)
            empty, kept, size = False, [], 0
        if length <= LONGEST:
            kept, size = [*kept, *block], size + length
            continue
        for number, line in block:
            for part in _parts(line):
                if size and size + len(part) >= LONGEST:
                    yield _passage(heading, kept)
                    empty, kept, size = False, [], 0
                kept.append((number, part))
                size += len(part) + 1
    if any(line.strip() for _, line in kept):
        yield _passage(heading, kept)
    elif empty and heading:
        yield Passage(heading, body[0][0] if body else 1, body[0][0] if body else 1, "")


def _blocks(body: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Paragraphs, each with the empty lines after it."""
    block: list[tuple[int, str]] = []
    ended = False
    for number, line in body:
        is_empty = not line.strip()
        if ended and not is_empty:
            yield block
            block = []
        block.append((number, line))
        ended = is_empty
    if block:
        yield block


def _parts(line: str) -> Iterator[str]:
    """A line in parts that are not too long, broken at a space where there is one."""
    begin = 0
    while len(line) - begin > LONGEST:
        end = line.rfind(" ", begin + LONGEST // 2, begin + LONGEST)
        end = begin + LONGEST if end < 0 else end + 1
        yield line[begin:end]
        begin = end
    yield line[begin:]


def _passage(heading: str, lines: list[tuple[int, str]]) -> Passage:
    while len(lines) > 1 and not lines[0][1].strip():
        lines = lines[1:]
    while len(lines) > 1 and not lines[-1][1].strip():
        lines = lines[:-1]
    texts: list[str] = []
    last = -1
    for number, line in lines:
        if number == last:  # a part of the same line
            texts[-1] += line
        else:
            texts.append(line)
        last = number
    return Passage(heading, lines[0][0], lines[-1][0], "\n".join(texts))


def _moment(path: str, front: FrontMatter) -> int | None:
    """Noon (UTC) of the day that the front matter names, else the file's name, else its folders."""
    *folders, name = path.split("/")
    for text in (front.day, name, "/".join(folders)):
        found = _day(text)
        if found is not None:
            return int(datetime(found.year, found.month, found.day, 12, tzinfo=UTC).timestamp()) * 1_000_000
    return None


def _day(text: str) -> date | None:
    try:
        if found := _DAY.search(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _WEEK.search(text):
            return date.fromisocalendar(int(found[1]), int(found[2]), 5)
    except ValueError:
        pass
    return None

"""A shell's command line, taken apart into its commands: only what every usual shell reads in the same way.

Whatever a shell would look into further (`$...`, backticks, parentheses, here-documents, redirects to files, comments,
jobs in the background) cannot be taken apart: what it comes to is not in the text.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

# After these characters a `$` stands for something else than itself.
_EXPANDS = re.compile(r"\$[A-Za-z0-9_({@*#?$!'\"\[-]")
# What leaves no file behind: output thrown away, or joined with the other output.
_HARMLESS = re.compile(r"(?:&>>?|>>?)[ \t]*/dev/null(?=[ \t\n;|]|&&|$)|>&[012](?=[ \t\n;|]|&&|$)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_GLOBS = frozenset("*?[{~")


@dataclass(frozen=True)
class Part:
    """One command of a line. `text`: as it was written, without redirects; `words`: what the program would get."""

    text: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """`plain`: one command without anything that needs a shell, so that its words are its argv."""

    parts: tuple[Part, ...]
    plain: bool


class UnclearError(ValueError):
    """A line that cannot be taken apart; its text says what is in the way."""


def take_apart(line: str) -> Line:
    """The commands of a line, in order. Raises UnclearError."""
    return _Scanner(line).read()


class _Scanner:
    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._text = ""  # of the command that is being read
        self._parts: list[Part] = []
        self._plain = True
        self._more = False  # an operator stands before, which needs another command

    def read(self) -> Line:
        if _CONTROL.search(self._line):
            raise UnclearError("a control character")
        while self._at < len(self._line):
            self._next()
        self._end_part(needed=self._more)
        if not self._parts:
            raise UnclearError("no command")
        return Line(tuple(self._parts), self._plain and len(self._parts) == 1)

    def _next(self) -> None:
        rest = self._line[self._at :]
        char = rest[0]
        if char == "\\":
            self._escaped(rest)
        elif char in "'\"":
            self._quoted(char)
        elif char == "#" and self._text[-1:] in {"", " ", "\t"}:
            raise UnclearError("a comment")
        elif char in "`()<" or _EXPANDS.match(rest):
            raise UnclearError(f"`{rest[:2].strip()}`")
        elif char in ">&" and (found := _HARMLESS.match(rest)):
            self._redirected(found[0])
        elif char == ">":
            raise UnclearError("a redirect to a file")
        elif char in "&|;\n":
            self._separated(rest)
        else:
            self._plain = self._plain and char not in _GLOBS
            self._take(1)

    def _escaped(self, rest: str) -> None:
        if len(rest) == 1:
            raise UnclearError("a backslash at the end")
        if rest[1] == "\n":  # the line goes on
            self._at += 2
        else:
            self._take(2)

    def _quoted(self, quote: str) -> None:
        at = self._at + 1
        while at < len(self._line) and self._line[at] != quote:
            if quote == '"':
                if self._line[at] == "`" or _EXPANDS.match(self._line[at : at + 2]):
                    # `"$"` is a dollar, although a quote follows it.
                    if self._line[at : at + 2] != '$"':
                        raise UnclearError(f"`{self._line[at : at + 2]}` in double quotes")
                elif self._line[at] == "\\":
                    # A shell drops the backslash here, shlex keeps it.
                    self._plain = self._plain and self._line[at + 1 : at + 2] not in {"$", "`", "\n"}
                    at += 1
            at += 1
        if at >= len(self._line):
            raise UnclearError("a quote that does not end")
        self._take(at + 1 - self._at)

    def _redirected(self, found: str) -> None:
        """Leave it out of the command, with the number before it (`2>`)."""
        self._plain = False
        self._text = re.sub(r"(^|[ \t])\d+$", r"\1", self._text) + " "
        self._at += len(found)

    def _separated(self, rest: str) -> None:
        if rest[:2] in {"&&", "||"}:
            self._end_part(needed=True)
            self._at += 2
            self._more = True
        elif rest[0] == "&" or rest[:2] in {"|&", ";;", ";&"}:
            raise UnclearError("`&`" if "&" in rest[:2] else "`;;`")
        else:
            self._end_part(needed=rest[0] != "\n")
            self._at += 1
            self._more = self._more or rest[0] == "|"

    def _end_part(self, *, needed: bool) -> None:
        text = self._text.strip(" \t")
        self._text = ""
        if not text:
            if needed:
                raise UnclearError("an empty command")
            return
        try:
            words = tuple(shlex.split(text, posix=True))
        except ValueError as error:
            raise UnclearError(str(error).lower()) from None
        if not words or not words[0] or _GLOBS & set(words[0]) or any(c in words[0] for c in " \t\n"):
            raise UnclearError("a program's name that is no plain word")
        self._parts.append(Part(text, words))
        self._more = False

    def _take(self, count: int) -> None:
        self._text += self._line[self._at : self._at + count]
        self._at += count

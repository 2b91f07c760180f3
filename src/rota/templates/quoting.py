"""The words of a shell's quoting: what the scanner is in the middle of, and what it finds for each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto

# Operators of `[[ ]]` and, in some shells, of `[ ]`, whose operands are read as arithmetic.
NUMERIC_TESTS = frozenset(["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"])
UNSURE = "\1"  # the word, or a part of it, where the branches of an `if` differ


class Form(StrEnum):
    """How a reference is written; `%s` is the variable's name."""

    BARE = '"${%s}"'
    QUOTED = "${%s}"
    SINGLE = "'\"${%s}\"'"


class Kind(Enum):
    """What the shell is in the middle of."""

    COMMAND = auto()  # the script, $( ), ( ), backticks
    SINGLE = auto()
    DOUBLE = auto()
    ANSI = auto()  # $'...'
    PARAMETER = auto()  # ${name...}
    ARITHMETIC = auto()  # $(( )), (( )), $[ ]
    SUBSCRIPT = auto()  # name[...]
    BRACKET = auto()  # [...] at the start of a word: a pattern, or a key in name=([key]=value)
    TEST = auto()  # [[ ]]
    HEREDOC = auto()
    COMMENT = auto()


@dataclass
class Command:
    """A simple command as far as it is read: its words without quotes, NUL for a value; `feeds` by a pipe."""

    words: list[str] = field(default_factory=list)
    feeds: Command | None = None


@dataclass(frozen=True)
class HereDoc:
    """A here-document: where it ends, whether its delimiter is quoted, and who reads it."""

    delimiter: str
    literal: bool
    tabs: bool
    command: Command = field(compare=False)


@dataclass
class Site:
    """A place of a value: how it is written there, and whether only a `number` may be.

    `command` and `word` (index in it) when it is in a word; `heredoc` when it is in one.
    """

    source: str
    form: Form
    number: bool
    command: Command | None = None
    word: int = 0
    heredoc: HereDoc | None = None


@dataclass
class Frame:
    """One level of nesting.

    `close`: what ends it, where that varies. `soft`: as in double quotes, an expansion is not split.
    `number`: the shell reads an expansion's text as arithmetic. `word`: the present word, None between
    words; `begins`: the next word is a command's name; `cases`: open `case`s; `depth`: open brackets.
    `pending`: here-documents that begin at the line's end. `line`: the line of this `heredoc`.
    `sites`: the values of this `[[ ]]`.
    """

    kind: Kind
    close: str = ""
    soft: bool = False
    number: bool = False
    command: Command = field(default_factory=Command)
    word: str | None = None
    begins: bool = True
    cases: int = 0
    depth: int = 0
    pending: tuple[HereDoc, ...] = ()
    heredoc: HereDoc | None = None
    line: str = ""
    sites: tuple[int, ...] = ()

    def shape(self) -> tuple[object, ...]:
        """What has to be the same after every branch of an `if`."""
        return (self.kind, self.close, self.soft, self.cases, self.depth, self.pending, self.heredoc)


@dataclass(frozen=True)
class Place:
    """Where a scanner is, to come back to it. `last`: the character before."""

    stack: tuple[Frame, ...]
    escaped: bool
    last: str

    def shape(self) -> tuple[object, ...]:
        """What has to be the same after every branch of an `if`."""
        return (*(frame.shape() for frame in self.stack), self.escaped)


def merged(places: Sequence[Place]) -> Place:
    """Places of one shape as one place that is true of each of them."""
    stack = []
    for frames in zip(*(place.stack for place in places), strict=True):
        frame = replace(frames[-1], begins=any(each.begins for each in frames))
        if len({each.word for each in frames}) > 1:
            frame.word = UNSURE
        if len({each.line for each in frames}) > 1:
            frame.line = UNSURE
        stack.append(frame)
    return Place(tuple(stack), places[-1].escaped, "")

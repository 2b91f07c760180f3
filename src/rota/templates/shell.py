"""Shell texts: values travel beside the script, as environment variables, and never in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rota.model.errors import TemplateError
from rota.templates.messages import quote
from rota.templates.quoting import NUMERIC_TESTS, Site, merged
from rota.templates.scanner import Scanner
from rota.templates.values import text_of

if TYPE_CHECKING:
    from rota.templates.program import Flow, Fork, Program

PREFIX = "ROTA_V"
_MAX_VALUE = 131_072 - 1_024  # Linux: one string of an environment, with its name and final NUL
_MAX_TOGETHER = 786_432  # macOS: all arguments and the whole environment share 1 MiB
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_WRITE_HINT = "write it to a file first (a `write:` step) and give the command the file's name"


@dataclass(frozen=True)
class ShellText:
    """A script to give to a shell, and the variables that it refers to: to be added to its environment."""

    script: str
    env: dict[str, str] = field(default_factory=dict)


class _ShellSink:
    """Puts a reference into the script, and the value into the environment. Equal values share a variable."""

    def __init__(self, sites: Mapping[int, Site]) -> None:
        self.script: list[str] = []
        self._sites = sites
        self._names: dict[str, str] = {}
        self._bytes = 0

    def data(self, text: str) -> None:
        self.script.append(text)

    def value(self, index: int, value: Any) -> int:
        site, text = self._sites[index], text_of(value)
        if site.number and not _NUMBER.fullmatch(text):
            raise TemplateError(
                "only a whole number may stand in shell arithmetic, numeric tests, subscripts and ${ }",
                hint="the shell reads what stands there as an expression and could run a part of it; "
                "work the number out in the braces, as in {{ n + 1 }}",
            )
        name = self._names.get(text)
        if name is None:
            self._check_size(text)
            name = self._names[text] = f"{PREFIX}{len(self._names) + 1}"
        reference = site.form % name
        self.script.append(reference)
        return len(reference)

    def text(self) -> ShellText:
        return ShellText("".join(self.script), {name: value for value, name in self._names.items()})

    def _check_size(self, text: str) -> None:
        if "\0" in text:
            raise TemplateError(
                "the value has a NUL byte in it, which no command can be given", hint=_WRITE_HINT
            )
        try:
            size = len(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            raise TemplateError("the value is not valid Unicode text", hint=_WRITE_HINT) from None
        self._bytes += size
        if size > _MAX_VALUE:
            raise TemplateError(f"the value is too long for a command ({size:,} bytes)", hint=_WRITE_HINT)
        if self._bytes > _MAX_TOGETHER:
            raise TemplateError("the values together are too long for one command", hint=_WRITE_HINT)


def render_shell(text: str, values: Mapping[str, Any]) -> ShellText:
    """A shell script whose values, whatever they are, reach its commands byte for byte and are never read as code.

    Every `{{ }}` becomes a reference to a variable ROTA_V1, ROTA_V2, ... in the quoting that holds at
    its place. Raises TemplateError that quotes the expression: where a value cannot stand, and for
    values with a NUL byte or over 127 KiB.
    """
    if "{" not in text:
        return ShellText(text)
    from rota.templates.program import run

    program, sites = scan(text)
    sink = _ShellSink(sites)
    run(program, values, sink)
    return sink.text()


def scan(text: str) -> tuple[Program, Mapping[int, Site]]:
    """The program of a shell text, and where its values stand. Raises TemplateError where one cannot."""
    from rota.templates.program import compile_text

    program = compile_text(text)
    scanner = Scanner()
    _walk(scanner, program, program.flow)
    scanner.feed("\n")  # ends the last word and command
    for site in scanner.sites.values():
        site.number = site.number or _compares_numbers(site)
    return program, scanner.sites


def _compares_numbers(site: Site) -> bool:
    """Whether the value is an operand of a `[` or `test` that compares numbers: zsh works it out, as `[[` does."""
    words = site.command.words if site.command else []
    return not NUMERIC_TESTS.isdisjoint(words) and not {"[", "test"}.isdisjoint(words[: site.word])


def _walk(scanner: Scanner, program: Program, flow: Flow) -> None:
    from rota.templates.program import Data, Hole

    for part in flow:
        if isinstance(part, Data):
            scanner.feed(part.text)
        elif isinstance(part, Hole):
            scanner.value(part.index, program.source(part.index))
        else:
            _walk_fork(scanner, program, part)


def _walk_fork(scanner: Scanner, program: Program, fork: Fork) -> None:
    """Every way through has to leave the shell in the same quoting; a loop, in that which it found."""
    scanner.edge(fork.source)
    start = scanner.save()
    ends = [start] if fork.repeats else []
    for path in fork.paths:
        scanner.restore(start)
        _walk(scanner, program, path)
        scanner.edge(fork.source)
        ends.append(scanner.save())
    if len({end.shape() for end in ends}) > 1:
        raise TemplateError(
            f"{quote(fork.source)}: the shell's quotes, brackets or comments do not end where they begin",
            hint="what is opened inside an `if` or `for` is to be closed inside it, in every branch",
        )
    scanner.restore(merged(ends))

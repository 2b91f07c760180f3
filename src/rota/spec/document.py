"""What a text holds: plain data, and the line of every value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rota.spec.report import Path, Report


@dataclass(frozen=True)
class Fault:
    """Something wrong with the text itself. `fatal`: nothing of the file can be used."""

    message: str
    line: int | None = None
    hint: str | None = None
    path: Path = ()
    fatal: bool = False


@dataclass
class Document:
    """What a text holds. `lines`: of every path; `spans`: offsets of every value (JSON only); `body`: of Markdown."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    spans: dict[Path, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    body: str | None = None
    body_line: int | None = None

    @property
    def fatal(self) -> bool:
        """Whether the text could not be read at all."""
        return any(fault.fatal for fault in self.faults)

    def report(self, file: str, root: Path = ()) -> Report:
        """A report on the part of the document at `root`, with the faults that were found in it so far."""
        report = Report(file, self.lines, root)
        for fault in self.faults:
            if fault.path[: len(root)] == root:
                report.error(fault.path[len(root) :], fault.message, fault.hint)
                if fault.line is not None:
                    report.errors[-1].line = fault.line
        return report


def broken(message: str, line: int | None = None, hint: str | None = None) -> Document:
    """A document of which nothing can be used."""
    return Document(faults=[Fault(message, line, hint, fatal=True)])


def usable(text: str) -> tuple[str, str | None]:
    """The text without characters that no command and no file may have; and what is wrong, if they were there."""
    if "\x00" in text:
        return text.replace("\x00", ""), "a NUL character in the text"
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "ignore").decode(), "half of a character (a lone surrogate) in the text"
    return text, None

"""What is wrong with a text, gathered while it is read; and where in it a value stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rota.model.errors import RotaError, SpecError
from rota.spec.words import did_you_mean, dotted

T = TypeVar("T")
Path = tuple[str | int, ...]


class Report:
    """The errors and warnings of one job (or one configuration), each with its place.

    `lines`: the line (1-based) of each path in the file; `root`: the path of this job in it.
    """

    def __init__(self, file: str | None, lines: Mapping[Path, int], root: Path = ()) -> None:
        self.file = file
        self.root = root
        self.errors: list[SpecError] = []
        self.warnings: list[str] = []
        self._lines = lines

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest thing around it that has one."""
        full = self.root + path
        for length in range(len(full), -1, -1):
            if (line := self._lines.get(full[:length])) is not None:
                return line
        return None

    def error(self, path: Path, message: str, hint: str | None = None) -> None:
        """Something that keeps the job from being used."""
        key = dotted(path) or None
        self.errors.append(SpecError(message, file=self.file, line=self.line(path), key=key, hint=hint))

    def warn(self, path: Path, message: str) -> None:
        """Something that works, but perhaps not as its author thinks."""
        line = self.line(path)
        self.warnings.append(message if line is None else f"line {line}: {message}")


@dataclass(frozen=True)
class Place:
    """A path in a report: where a value stands, and where to say what is wrong with it."""

    report: Report
    path: Path = ()

    def __truediv__(self, key: str | int) -> Place:
        return Place(self.report, (*self.path, key))

    @property
    def line(self) -> int | None:
        """The line of this place."""
        return self.report.line(self.path)

    def error(self, message: str, hint: str | None = None) -> None:
        """Report an error here."""
        self.report.error(self.path, message, hint)

    def wrong(self, error: RotaError) -> None:
        """Report somebody else's error here, in its words."""
        self.report.error(self.path, error.message, error.hint)

    def warn(self, message: str) -> None:
        """Report a warning here."""
        self.report.warn(self.path, message)


class Fields:
    """The keys of a mapping, taken one by one; what nobody took is unknown. A null counts as absent."""

    def __init__(self, data: Mapping[str, Any], place: Place) -> None:
        self.place = place
        self.rest = dict(data)

    def __contains__(self, key: str) -> bool:
        return self.rest.get(key) is not None

    def take(self, key: str) -> Any:
        """The value of a key, or None."""
        return self.rest.pop(key, None)

    def maybe(self, key: str, reader: Callable[[Any, Place], T | None]) -> T | None:
        """The value of a key as `reader` understands it; None when it is absent or wrong (then reported)."""
        value = self.take(key)
        return None if value is None else reader(value, self.place / key)

    def read(self, key: str, reader: Callable[[Any, Place], T | None], default: T) -> T:
        """The same with a default."""
        found = self.maybe(key, reader)
        return default if found is None else found

    def refuse_rest(self, known: Collection[str]) -> None:
        """Report what is left as unknown keys."""
        for key in self.rest:
            (self.place / key).error(
                "unknown key", did_you_mean(key, (name for name in known if name != key))
            )

"""SQL statements by name. Their texts come from a file, and from SQLAlchemy where there is none.

To import SQLAlchemy and to build the statements with it takes a command more than twice as long as all
else that it does, and an idle daemon a third of its memory. So the verbs name their statements without
importing them, and what was compiled once is kept in the workspace (`TextFile`).
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import zlib
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple


class Sql(NamedTuple):
    """A compiled statement: its text, and the values that it brings along itself."""

    text: str
    constants: dict[str, Any]


class Statement:
    """SQL, compiled at first use; its parameters go by name."""

    def __init__(self, compile_: Callable[[], Sql]) -> None:
        self._compile = compile_

    @cached_property
    def text(self) -> str:
        """The SQL."""
        return self._compiled.text

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Values that the statement itself brings along."""
        return self._compiled.constants

    @cached_property
    def _compiled(self) -> Sql:
        return self._compile()


_known: dict[str, Sql] = {}  # by "module.NAME": a text depends on nothing but the code
_modules: set[str] = set()


class _Queries:
    """Stands for a module of statements; imports it for those that are not known."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Statement:
        if name.startswith("_"):
            raise AttributeError(name)
        statement = Statement(lambda: _find(self._module, name))
        setattr(self, name, statement)  # the next look does not come here
        return statement


def queries(module: str) -> _Queries:
    """The statements of a module of this room.

    For the type checker, import the module itself under the same name, so that names are checked.
    """
    _modules.add(module)
    return _Queries(module)


def compile_all() -> dict[str, Sql]:
    """Every statement there is, by "module.NAME", built anew."""
    return {
        f"{module}.{name}": Sql(statement.text, statement.constants)
        for module in sorted(_modules)
        for name, statement in vars(_import(module)).items()
        if isinstance(statement, Statement)
    }


def _find(module: str, name: str) -> Sql:
    known = _known.get(f"{module}.{name}")
    if known is None:
        statement: Statement = getattr(_import(module), name)
        known = _known[f"{module}.{name}"] = Sql(statement.text, statement.constants)
    return known


def _import(module: str) -> Any:
    return importlib.import_module(f"{__package__}.{module}")


class TextFile:
    """The compiled statements that are kept in `folder`: all of them, or none that count.

    They count while nothing changed that decides the texts. A file that is missing, unreadable or of
    another time is made anew by `keep`; whether that works out changes nothing but the time it takes.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "statements"
        self._counts = False

    @property
    def counts(self) -> bool:
        """Whether what was loaded, or kept, is of use."""
        return self._counts

    def load(self) -> None:
        """Make known what the file has."""
        try:
            checksum, _, body = self._path.read_bytes().partition(b"\n")
            if int(checksum) == zlib.crc32(body):
                stamps, texts = json.loads(body)
                if stamps == _stamps():
                    _known.update({name: Sql(text, constants) for name, (text, constants) in texts.items()})
                    self._counts = True
        except (OSError, ValueError):
            pass

    def keep(self, *, all_of_them: bool = False) -> None:
        """Write the file, if it does not count and this process had to compile anything (or is there to do so)."""
        if self._counts or not (_known or all_of_them):
            return
        _known.update(compile_all())
        body = json.dumps([_stamps(), _known]).encode()
        with contextlib.suppress(OSError):
            self._write(b"%d\n%b" % (zlib.crc32(body), body))
            self._counts = True

    def _write(self, data: bytes) -> None:
        """Whole or not at all, for the owner alone."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


@cache
def _stamps() -> list[str]:
    """What decides the texts: this Python, SQLAlchemy, and the sources of the statements and their constants.

    The times of change (ctime) are of this machine's making: a file that came with a workspace from
    somewhere else cannot pretend to count.
    """
    stamps = [sys.version]
    found = importlib.util.find_spec("sqlalchemy")
    if found is not None and found.origin is not None:
        stamps.append(_stamp(found.origin, Path(found.origin).stat()))
    rota = Path(__file__).parent.parent
    for room in ("model", "ports", "store"):
        with os.scandir(rota / room) as files:
            stamps += sorted(_stamp(file.path, file.stat()) for file in files if file.name.endswith(".py"))
    return stamps


def _stamp(path: str, found: os.stat_result) -> str:
    return f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"

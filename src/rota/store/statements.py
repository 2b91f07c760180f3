"""SQL statements by name. Their texts come from a file, and from SQLAlchemy where there is none.

To import SQLAlchemy and to build the statements with it takes a command more than twice as long as all
else that it does, and an idle daemon a third of its memory. So the verbs name their statements without
importing them, and what was compiled once is kept beside the code, or in the workspace (`TextFile`).
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
    """The compiled statements that are kept: all of them, or none that count.

    They are kept where Python keeps what it compiled of the code, for every workspace at once; where that may not be
    written, in `folder`. They count while nothing changed that decides the texts. A file that is missing, unreadable or
    of another time is made anew by `keep`; whether that works out changes nothing but the time it takes.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = {folder / "statements": 0o600}  # with their modes, the first choice first
        if not sys.dont_write_bytecode:
            compiled = Path(importlib.util.cache_from_source(__file__))
            self._paths = {compiled.with_suffix(".texts"): 0o644, **self._paths}
        self._counts = False

    @property
    def counts(self) -> bool:
        """Whether what was loaded, or kept, is of use."""
        return self._counts

    def load(self) -> None:
        """Make known what the first file that counts has."""
        self._counts = any(map(self._load, self._paths))

    def keep(self, *, all_of_them: bool = False) -> None:
        """Write a file, if none counts and this process had to compile anything (or is there to do so)."""
        if self._counts or not (_known or all_of_them):
            return
        _known.update(compile_all())
        body = json.dumps([_stamps(), _known]).encode()
        data = b"%d\n%b" % (zlib.crc32(body), body)
        self._counts = any(_write(path, data, mode) for path, mode in self._paths.items())

    def _load(self, path: Path) -> bool:
        try:
            checksum, _, body = path.read_bytes().partition(b"\n")
            if int(checksum) != zlib.crc32(body):
                return False
            stamps, texts = json.loads(body)
        except (OSError, ValueError):
            return False
        if stamps != _stamps():
            return False
        _known.update({name: Sql(text, constants) for name, (text, constants) in texts.items()})
        return True


def _write(path: Path, data: bytes, mode: int) -> bool:
    """Whole or not at all; whether it could be written."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=mode | (mode & 0o444) >> 2, exist_ok=True)  # entered by whoever may read
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True


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

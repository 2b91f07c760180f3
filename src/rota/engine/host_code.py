"""User code in a host: found, loaded in its present version, and called. Part of `host_child`, as light."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any, NoReturn

_LIBRARIES = ("/site-packages/", "/dist-packages/")


class FreshFinder:
    """Finds user code: modules below the `fresh` folders that no installer put there."""

    def __init__(self, fresh: Sequence[str], files: dict[str, list[int]]) -> None:
        self._fresh = tuple(f"{name.rstrip('/')}/" for f in fresh for name in (f, os.path.realpath(f)))
        self.files = files

    def install(self) -> None:
        """Look before Python's own finder does."""
        finders = sys.meta_path
        finders.insert(finders.index(PathFinder) if PathFinder in finders else len(finders), self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Part of the import machinery."""
        spec = PathFinder.find_spec(name, path, target)
        if (
            spec is not None
            and type(spec.loader) is SourceFileLoader
            and self._is_user_code(spec.origin or "")
        ):
            spec.loader = _FreshLoader(name, spec.origin or "", self.files)
        return spec

    def _is_user_code(self, origin: str) -> bool:
        return origin.startswith(self._fresh) and not any(part in origin for part in _LIBRARIES)


class _FreshLoader(SourceFileLoader):
    """Loads user code from its source alone, and notes which version of it.

    Compiled files are told apart by whole seconds and sizes only, so a quick edit could bring back old code.
    """

    def __init__(self, name: str, path: str, files: dict[str, list[int]]) -> None:
        super().__init__(name, path)
        self._files = files

    def path_stats(self, path: Any) -> NoReturn:
        """Called before the source is read; raising means: neither read nor write a compiled file."""
        self._files[str(path)] = version(str(path))
        raise OSError("user code is compiled anew by every host")


def version(path: str) -> list[int]:
    """What changes when a file is edited or replaced; empty when it is not there."""
    try:
        stat = os.stat(path)  # noqa: PTH116 # pathlib would double the start of a host
    except OSError:
        return []
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def call_target(target: str, kwargs: Mapping[str, Any], finder: FreshFinder) -> Any:
    """Call `module:function` or `file.py:function`; what it returns, awaited where it has to be.

    Raises what the function raises; StepError (permanent) when there is none or it takes other arguments.
    """
    where, _, name = target.rpartition(":")
    if not where or not name:
        refuse(
            f"`{target}` does not name a function", "write it as module:function or folder/file.py:function"
        )
    module = _load_file(where, finder) if where.endswith(".py") else _load_module(where)
    function = _function(module, where, name)
    try:
        result = function(**kwargs)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise
        refuse(f"TypeError: {error}", _usage(name, function))  # raised by the call itself: not its arguments
    if hasattr(result, "__await__"):
        import asyncio

        async def finish() -> Any:
            return await result

        return asyncio.run(finish())
    return result


def _load_module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise
        parent, _, last = missing.rpartition(".")
        folders = getattr(sys.modules.get(parent), "__path__", sys.path[:16]) if parent else sys.path[:16]
        close = _close(last, [entry.removesuffix(".py") for folder in folders for entry in _entries(folder)])
        hint = f"did you mean `{parent + '.' if parent else ''}{close}`?" if close else None
        refuse(f"there is no module `{missing}`", hint)


def _load_file(path: str, finder: FreshFinder) -> ModuleType:
    """The module of a file, under a name that no other file has."""
    from hashlib import sha256
    from importlib.util import module_from_spec, spec_from_file_location

    full = os.path.realpath(path)
    name = f"rota_file_{sha256(full.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    folder, _, last = full.rpartition("/")
    if not version(full):
        close = _close(last, _entries(folder))
        refuse(f"there is no file {path}", f"did you mean `{close}`?" if close else None)
    spec = spec_from_file_location(name, full, loader=_FreshLoader(name, full, finder.files))
    if spec is None or spec.loader is None:
        refuse(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _function(module: ModuleType, where: str, name: str) -> Callable[..., Any]:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [n for n, value in vars(found).items() if callable(value) and not n.startswith("_")]
            close = _close(part, names)
            there = f"it has: {', '.join(sorted(names)[:8])}" if names else None
            refuse(f"`{where}` has no function `{name}`", f"did you mean `{close}`?" if close else there)
        found = getattr(found, part)
    if not callable(found):
        refuse(f"`{name}` in `{where}` is not a function")
    function: Callable[..., Any] = found
    return function


def refuse(message: str, hint: str | None = None) -> NoReturn:
    """Raise a StepError that no retry can mend."""
    from rota.model.errors import StepError

    raise StepError(message, hint=hint, permanent=True)


def _usage(name: str, function: Callable[..., Any]) -> str | None:
    import inspect

    try:
        return f"it is {name}{inspect.signature(function)}"
    except (TypeError, ValueError):
        return None


def _close(word: str, words: Sequence[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, words, 1)), None)


def _entries(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []

"""Jobs as Python functions: `from rota import job` in a file of `.rota/jobs/`.

The decorator only takes notes. rota reads them in a process of its own (`python -m rota.authoring
FILE`), so that a file that fails, hangs or ends the interpreter harms nothing but itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

F = TypeVar("F", bound=Callable[..., Any])
_found: list[dict[str, Any]] = []


def job(schedule: str | None = None, /, **keys: Any) -> Callable[[F], F]:
    """Make a job of the decorated function (sync or async). `keys` are those of a job file.

    The id is the function's name with hyphens (or `id=`), the description its docstring's first line;
    `args=` are its keyword arguments, as templates. What it returns is the step's output.
    """

    def note(function: F) -> F:
        settings = dict(keys)
        if schedule is not None:
            settings["schedule"] = schedule
        settings.setdefault("id", function.__name__.replace("_", "-"))
        summary = (function.__doc__ or "").strip().split("\n")[0]
        if summary:
            settings.setdefault("description", summary)
        step: dict[str, Any] = {"id": function.__name__, "python": function.__name__}
        if "args" in settings:
            step["args"] = settings.pop("args")
        settings["steps"] = [step]
        _found.append({"line": function.__code__.co_firstlineno, "job": settings})
        return function

    return note


def describe(path: Path, shown: str) -> list[dict[str, Any]]:
    """The jobs of one file, each `{"line": N, "job": {...}}`; `shown` is the path that steps refer to it by."""
    import importlib.util

    _found.clear()
    spec = importlib.util.spec_from_file_location("rota_job_file", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for found in _found:
        for step in found["job"]["steps"]:
            step["python"] = f"{shown}:{step['python']}"
    return _found


def main(argv: list[str]) -> int:
    """`python -m rota.authoring FILE SHOWN`: one line of JSON on the original stdout."""
    import json
    import traceback
    from pathlib import Path

    path, shown = Path(argv[0]), argv[1]
    out, sys.stdout = sys.stdout, sys.stderr  # what the file prints must not mix with the answer
    try:
        answer: dict[str, Any] = {"jobs": describe(path, shown)}
        text = json.dumps(answer, default=str)
    except BaseException as error:  # noqa: BLE001 # SystemExit in a job file is an error of that file
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = lines[-1] if lines else getattr(error, "lineno", None)
        text = json.dumps({"error": f"{type(error).__name__}: {error}", "line": line})
    out.write(text + "\n")
    out.flush()
    return 0


if __name__ == "__main__":
    # As `rota.authoring` and not `__main__`: job files import their decorator from there.
    from rota.authoring import main as run

    sys.exit(run(sys.argv[1:]))

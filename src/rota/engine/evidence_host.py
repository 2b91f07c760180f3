"""What is looked for in texts: called in a host, since a pattern or a schema can take for ever over a text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

LONGEST = 10_000_000


def matches_file(path: str, pattern: str) -> bool:
    """Whether the text of a file (of its first 10 MB) matches."""
    with Path(path).open("rb") as file:
        return matches(file.read(LONGEST).decode("utf-8", "replace"), pattern)


def matches(text: str, pattern: str) -> bool:
    """Whether a pattern is found in a text; `^` and `$` match at every line."""
    return re.search(pattern, text, re.MULTILINE) is not None


def fault_of(text: str, schema: Any, path: str | None) -> str | None:
    """What keeps a text from being JSON that meets a schema (or the one in the file at `path`), in words."""
    from rota.spec.json_schemas import problem_of, violation_of

    if path is not None:
        try:
            schema = json.loads(Path(path).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            return f"cannot be judged: the schema cannot be read ({error})"
    problem = problem_of(schema)
    if problem is not None:
        return f"cannot be judged: the schema is not valid ({problem[1]})"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"is no JSON ({error})"
    violation = violation_of(schema, value)
    return None if violation is None else f"does not meet the schema: {violation}"

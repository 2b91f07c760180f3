"""The text of a new job file."""

from __future__ import annotations

from typing import Any

from rota.spec.emit import Style, entry
from rota.spec.job import JOB_KEYS

SCHEMA_LINE = "# yaml-language-server: $schema=../schema/job.json"


def new_job_text(id: str, **keys: Any) -> str:  # noqa: A002  the format's own word
    """A YAML job file, to be kept as `ID.yaml`. `keys`: those of a job; None is left out; `if_`, `on` and so on.

    Its `name:` is the id unless `keys` has one.
    """
    return f"{SCHEMA_LINE}\n{_entries({'name': id, **keys})}"


def new_prompt_text(id: str, prompt: str, **keys: Any) -> str:  # noqa: A002
    """A Markdown job file, to be kept as `ID.md`: the keys as front matter, the prompt below it."""
    return f"---\n{_entries({'name': id, **keys})}---\n\n{prompt.strip()}\n"


def _entries(keys: dict[str, Any]) -> str:
    given = {key.rstrip("_"): value for key, value in keys.items() if value is not None}
    rank = {key: index for index, key in enumerate(JOB_KEYS)}
    # What the job does, and what it says, come last: after `steps:` nobody looks for a policy.
    rank |= {key: len(rank) + index for index, key in enumerate(("notify", "on_error", "on_recovery"))}
    ordered = sorted(given, key=lambda key: rank.get(key, rank["steps"]))
    return "".join(f"{entry(key, given[key], 0, Style())}\n" for key in ordered)

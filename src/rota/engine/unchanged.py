"""`if_changed:` of a step: whether what it works on is as it was when it last succeeded."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rota.engine.journal import Journal
from rota.model.errors import PathError, RotaError
from rota.model.globs import is_one_value
from rota.model.job import Step
from rota.model.run import Reason, Run, StepState
from rota.ports.files import resolve_inside
from rota.ports.steps import Done, StepResult
from rota.ports.store import Store
from rota.ports.tree import digest_of, walk
from rota.templates import render, render_value


class Unchanged:
    """Skips steps whose inputs are as they were."""

    def __init__(self, store: Store, workspace: Path) -> None:
        self._store = store
        self._workspace = workspace

    async def skips(
        self, journal: Journal, step: Step, values: Mapping[str, Any], marks: dict[str, str]
    ) -> bool:
        """Whether the step is over without having been tried: nothing changed, or its inputs cannot be told.

        Of one that is to be tried, `marks` gets the fingerprint.
        """
        if step.if_changed is None:
            return False
        try:
            mark = await asyncio.to_thread(fingerprint, step, values, self._workspace)
            known = self._store.read(lambda tx: tx.cursors.get(_place(journal.run, step)))
            reason = _reason_to_skip(known, mark, step, values, self._workspace)
        except RotaError as error:
            words = f"`if_changed:` failed: {error}"
            await journal.set_state(step.id, StepState.FAILED, Reason(error.code, words))
            return True
        marks[step.id] = mark
        if reason is None:
            return False
        # The steps after it see what it last put out.
        given = str(known.get("output", "")), dict(known.get("values", {}))
        await journal.set_state(step.id, StepState.SKIPPED, reason, given)
        return True


def kept_of(run: Run, step: Step, result: StepResult, marks: Mapping[str, str]) -> dict[str, Any]:
    """What the end of a try has stored in the same commit, by name of a cursor."""
    if not isinstance(result, Done):
        return {}
    if step.id not in marks:
        return dict(result.kept)
    success = {"mark": marks[step.id], "run": run.id, "output": result.output, "values": dict(result.values)}
    return {**result.kept, _place(run, step): success}


def _place(run: Run, step: Step) -> str:
    return f"changed:{run.job_id}:{step.id}"


def fingerprint(step: Step, values: Mapping[str, Any], workspace: Path) -> str:
    """What the step is and works on, in one short text. Reads files. Raises RotaError for what cannot be rendered.

    `values`: as templates see them. `${NAME}` counts by its name.
    """
    parts: list[Any] = [step.kind, dict(step.config), dict(step.env), step.output]
    if not step.if_changed:
        parts.append(render_value(dict(step.config), values, fill_later=True))
    for text in step.if_changed or ():
        said = render(text, values, fill_later=True)
        parts.append([text, said] if is_one_value(text) else [text, said, _files(said, workspace)])
    told = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _files(pattern: str, workspace: Path) -> list[tuple[str, str]]:
    """The files that a pattern means, by path and content."""
    root = workspace.resolve()
    try:
        found = {path: digest_of(root, path, sign) for path, sign in walk(root, [pattern])}
    except PathError as error:
        raise PathError(f"`if_changed`: {error.message}", hint=error.hint) from None
    return sorted((path, digest or "unreadable") for path, digest in found.items())


def _reason_to_skip(
    known: Any, mark: str, step: Step, values: Mapping[str, Any], workspace: Path
) -> Reason | None:
    """Why the step need not run; None when it has to: something changed, or the file that it wrote is gone."""
    if not isinstance(known, Mapping) or known.get("mark") != mark:
        return None
    if step.output is not None and ("/" in step.output or "." in step.output):
        name = render(step.output, values)
        if not resolve_inside(workspace, name, purpose="output").is_file():
            return None
    return Reason(
        "unchanged", f"what it works on is as it was when it last succeeded (run {known.get('run')})"
    )

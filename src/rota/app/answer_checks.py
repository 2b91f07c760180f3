"""Whether an answer to a prompt is what its step asked for, told to who gives it: a bad one is not taken."""

from __future__ import annotations

import json
from typing import Any

from rota.app.wiring import App
from rota.model.errors import RotaError
from rota.model.message import PROMPT, Approval
from rota.ports.files import read_text, resolve_inside
from rota.spec import from_json

_LONGEST_SCHEMA = 1_000_000


def check_answer(app: App, question: Approval, reply: str) -> None:
    """Raise RotaError where the step has a schema that the answer does not meet."""
    if question.kind != PROMPT:
        return
    said = _schema_of(app, question)
    if said is None:
        return
    from rota.spec.json_schemas import problem_of, violation_of

    schema = said if not isinstance(said, str) else _from_file(app, said)
    if problem_of(schema) is not None:
        raise RotaError(
            f"the schema of step `{question.step_id}` is not valid, so no answer can meet it",
            hint=f"mend `schema:` of {question.job_id}, `rota cancel {question.run_id}`, and run it again",
        )
    try:
        fault = violation_of(schema, json.loads(reply))
    except (ValueError, RecursionError) as error:
        fault = f"it is no JSON ({error})"
    if fault is not None:
        raise RotaError(
            f"the answer does not meet the schema of step `{question.step_id}`: {fault}",
            hint=f"`rota inbox show {question.run_id}` prints the schema; give the answer again",
            code="bad_answer",
        )


def _schema_of(app: App, question: Approval) -> Any:
    """`schema:` of the step as the run has it."""
    run = app.store.read(lambda tx: tx.runs.get(question.run_id))
    text = None if run is None else app.store.read(lambda tx: tx.jobs.definition(run.definition))
    step = None if text is None else from_json(text).step(question.step_id)
    return None if step is None else step.config.get("schema")


def _from_file(app: App, said: str) -> Any:
    path = resolve_inside(app.layout.root, said, purpose="`schema:`", reading=True)
    try:
        return json.loads(read_text(path, _LONGEST_SCHEMA, purpose="`schema:`"))
    except (ValueError, RecursionError) as error:
        raise RotaError(f"`schema:` {said} is no JSON: {error}", hint="mend that file") from None

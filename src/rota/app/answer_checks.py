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
    """Raise RotaError where the step has a schema that the answer does not meet (code `bad_answer`)."""
    schema = _schema_of(app, question) if question.kind == PROMPT else None
    if schema is None:
        return
    from rota.engine.evidence_host import fault_of

    fault = fault_of(reply, schema, None)
    if fault is not None:
        raise RotaError(
            f"the answer {fault}",
            hint=f"`rota inbox show {question.run_id}` has what the step wants at its end; mend it, and give it again",
            code="bad_answer",
        )


def _schema_of(app: App, question: Approval) -> Any:
    """`schema:` of the step, from the definition that its run executes."""
    run = app.store.read(lambda tx: tx.runs.get(question.run_id))
    text = None if run is None else app.store.read(lambda tx: tx.jobs.definition(run.definition))
    step = None if text is None else from_json(text).step(question.step_id)
    said = None if step is None else step.config.get("schema")
    if not isinstance(said, str):
        return said
    path = resolve_inside(app.layout.root, said, purpose="`schema:`", reading=True)
    try:
        return json.loads(read_text(path, _LONGEST_SCHEMA, purpose="`schema:`"))
    except (ValueError, RecursionError) as error:
        raise RotaError(
            f"`schema:` {said} is no JSON: {error}", hint="mend the file, then give the answer again"
        ) from None

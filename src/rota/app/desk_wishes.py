"""From what an agent says to a wish that can be judged: the file as it would be, checked, capped, with its next fires."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rota.app.deeds import text_of
from rota.app.jobedit import changed_file, check_text, new_file, path_of
from rota.app.queries import find_job
from rota.app.triggers import coming
from rota.app.wiring import App
from rota.engine.output import Masker
from rota.model.agent import Actor
from rota.model.errors import NotFoundError, RotaError
from rota.model.job import Job
from rota.model.ledger import JobRecord
from rota.model.proposal import Deed, Proposal
from rota.spec import digest, set_keys, to_json
from rota.spec.agents_policy import larger_caps, missing_caps
from rota.spec.reader import read

FIRES = 5
LONGEST_TEXT = 100_000
_PAID = {"agent", "skill"}


def to_create(app: App, actor: Actor, given: Mapping[str, Any]) -> Proposal:
    """A new job. Raises RotaError for what a job file may not say."""
    job_id, whole, prompt = str(given["id"]), given.get("text"), given.get("prompt")
    if whole is not None and given.keys() & {"schedule", "run", "prompt", "keys", "description"}:
        raise RotaError(
            "`text` is the whole job file: it goes with no other key of a job", hint="put it into the text"
        )
    keys = {key: given[key] for key in ("description", "schedule") if key in given} | dict(
        given.get("keys") or {}
    )
    if "run" in given:
        keys["run"] = given["run"]
    if whole is None and prompt is None and not keys.keys() & {"run", "steps", "script", "http"}:
        raise RotaError(
            "a job needs something to do",
            hint="give `run` (a command), `prompt`, `keys: {steps: [...]}` or `text`",
        )
    suffix = ".md" if whole is not None and whole.lstrip("\ufeff").startswith("---") else ".yaml"
    path, text = new_file(app, job_id, keys, prompt=prompt, text=whole, suffix=suffix)
    text = _capped(app, path, text, by_agent=True)
    job = _only_job(app, path, text, job_id)
    return _wish(app, actor, Deed.CREATE, job, (path, None, text), why=_why(given))


def to_change(app: App, actor: Actor, given: Mapping[str, Any]) -> Proposal:
    """A job that is to be otherwise. Raises RotaError."""
    job_id, whole, changes = str(given["job"]), given.get("text"), given.get("set")
    if (whole is None) == (changes is None):
        raise RotaError(
            "give one of `set` (keys of the job file, dotted; null takes one out) and `text` (the whole file)",
            hint='for example set: {"schedule": "0 9 * * 1-5", "timeout": null}',
        )
    record = _there(app, job_id)
    if changes is not None:
        path, before, after = changed_file(app, job_id, changes)
    else:
        path = path_of(app, job_id)
        if path.suffix == ".py":
            raise RotaError(f"{record.path} is Python, which people write", hint="ask a person to change it")
        before, after = path.read_text("utf-8"), str(whole)
    after = _capped(app, path, after, by_agent=record.created_by is not None, before=before)
    if after == before:
        raise RotaError("that changes nothing: the file says so already", hint=f"see job_show {job_id}")
    if whole is not None:
        _only_job(app, path, after, job_id, before=before)
    result = check_text(app, path, after, before=before)
    job = next((parsed.job for parsed in result.jobs if parsed.job.id == job_id), None)
    if job is None:
        raise RotaError(
            f"the job `{job_id}` would be gone: its id may not change", hint="use job_remove, job_create"
        )
    return _wish(app, actor, Deed.CHANGE, job, (path, before, after), why=_why(given))


def to_remove(app: App, actor: Actor, given: Mapping[str, Any]) -> Proposal:
    """A job that is to be removed. Raises RotaError."""
    job_id = str(given["job"])
    record, path = _there(app, job_id), path_of(app, job_id)
    return Proposal(
        Deed.REMOVE,
        actor,
        f"remove the job `{job_id}`",
        app.clock.now(),
        job_id=job_id,
        why=_why(given),
        path=record.path,
        before=text_of(path),
    )


def to_do(app: App, actor: Actor, deed: Deed, given: Mapping[str, Any], **detail: Any) -> Proposal:
    """A job that is to be paused, resumed or run. Raises NotFoundError."""
    job_id = str(given["job"])
    _there(app, job_id)
    why = _why(given)
    title = f"{deed.value} the job `{job_id}`"
    return Proposal(deed, actor, title, app.clock.now(), job_id=job_id, why=why, detail=detail)


def _there(app: App, job_id: str) -> JobRecord:
    record = find_job(app, job_id)
    if record.removed_at is not None:
        raise NotFoundError(f"the job `{job_id}` was removed", hint="see job_list")
    return record


def _why(given: Mapping[str, Any]) -> str:
    return str(given.get("why", ""))


def _wish(
    app: App, actor: Actor, deed: Deed, job: Job, file: tuple[Path, str | None, str], *, why: str
) -> Proposal:
    path, before, after = file
    now = app.clock.now()
    made = JobRecord(
        job.id, job.name, "{}", "", "file", now, now, timezone=job.timezone or app.config.timezone
    )
    return Proposal(
        deed,
        actor,
        f"{deed.value} the job `{job.id}`",
        now,
        job_id=job.id,
        why=why,
        path=app.layout.relative(path),
        before=before,
        after=after,
        hash=digest(to_json(job)),
        detail={"fires": coming(made, job, now, FIRES)},
    )


def _only_job(app: App, path: Path, text: str, job_id: str, *, before: str | None = None) -> Job:
    jobs = [parsed.job for parsed in check_text(app, path, text, before=before).jobs]
    if [job.id for job in jobs] != [job_id]:
        there = ", ".join(f"`{job.id}`" for job in jobs) or "none"
        raise RotaError(
            f"the text has to have one job, `{job_id}`; it has {there}",
            hint=f"write `id: {job_id}`, and one job a file",
        )
    return jobs[0]


def _capped(app: App, path: Path, text: str, *, by_agent: bool, before: str | None = None) -> str:
    """The text of a job of an agent's, with the caps that the workspace wants of such jobs."""
    if len(text) > LONGEST_TEXT:
        raise RotaError(
            f"a job file of an agent has at most {LONGEST_TEXT:,} characters", hint="put data into files"
        )
    if Masker(app.secrets.known()).mask_text(text) != text:
        raise RotaError(
            "there is a stored secret in the text", hint="write ${NAME}, the name of the secret, in its place"
        )
    most = app.config.agents.budget
    if not by_agent or not most:
        return text
    jobs = [parsed.job for parsed in check_text(app, path, text, before=before).jobs]
    if not any(step.kind in _PAID for job in jobs for step in job.steps):
        return text
    data = read(text, app.layout.relative(path)).data
    budget = data.get("budget") if isinstance(data, Mapping) else None
    if above := larger_caps(budget, most):
        cap, amount = next(iter(above.items()))
        raise RotaError(
            f"`budget: {cap}` may be at most {amount:g} in a job made by an agent",
            hint="lower it, or leave it out",
        )
    missing = missing_caps(budget, most)
    if not missing:
        return text
    changes = (
        {"budget": dict(most)}
        if budget is None
        else {f"budget.{cap}": amount for cap, amount in missing.items()}
    )
    return set_keys(text, app.layout.relative(path), changes)

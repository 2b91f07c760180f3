"""One job from plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from rota.model.budget import NO_BUDGET
from rota.model.ids import SLUG, slug
from rota.model.job import Job, Overlap, Trigger
from rota.model.looks import LOOK_TRIGGERS
from rota.spec import budgets, evidence, later, lint, notify, policies, steps, triggers, values
from rota.spec.catalog import Setting
from rota.spec.later import warn_if_later
from rota.spec.report import Fields, Place
from rota.spec.steps import PlacedStep

JOB_KEYS = (
    *(
        "id",
        "name",
        "description",
        "schedule",
        "on",
        "enabled",
        "timezone",
        "if",
        "overlap",
        "catch_up",
        "within",
    ),
    *(
        "jitter",
        "window",
        "not_during",
        "timeout",
        "retry",
        "retry_run",
        "success_if",
        "limits",
        "budget",
        "params",
        "env",
        "concurrency",
        "max_active",
        "max_failures",
        "priority",
        "steps",
        "output",
    ),
    *("notify", "on_error", "on_recovery", *later.READERS),
)


@dataclass(frozen=True)
class Origin:
    """Where a job comes from. `name`: its id where it says none (None: it has to say one, or a name).

    `hook`: it lies in the hooks folder. `body`: of a Markdown file, the prompt.
    """

    name: str | None = None
    hook: bool = False
    body: str | None = None


def read_job(data: Mapping[str, Any], place: Place, setting: Setting, origin: Origin) -> Job | None:
    """The job; None when anything is wrong with it (all of it is in the place's report then)."""
    fields = Fields(data, place)
    name = fields.maybe("name", values.any_text)
    identity = _id(fields, name, origin)
    timezone = fields.maybe("timezone", values.timezone)
    setting = replace(setting, timezone=timezone or setting.timezone)
    placed, job = _policies(fields, setting, identity, name or identity)
    where = (origin.name if origin.hook else None) or identity
    found = triggers.with_hooks(
        _triggers(fields, setting, data.get("overlap")), where, place, hook=origin.hook
    )
    job = replace(job, timezone=timezone, triggers=found)
    if data.get("overlap") is None and any(trigger.kind == "webhook" for trigger in found):
        job = replace(job, overlap=Overlap.QUEUE)  # a delivery is work: to skip one would be to lose it
    proof = fields.take("success_if")
    output = fields.maybe("output", lambda said, at: steps.output(said, at, setting))
    if placed is None:
        placed = _one_step(fields, setting, origin)
    else:
        _refuse_rest(fields, setting, origin)
    if output is not None and placed:
        placed[-1] = _with_output(placed[-1], output, place)
    job = replace(job, steps=tuple(item.step for item in placed))
    job = replace(job, success_if=evidence.read(proof, place / "success_if", job.steps, lint.names_of(job)))
    listed = data.get("steps")
    if not isinstance(listed, list) or len(placed) == len(listed):  # else their names are not all known
        lint.check(job, placed, place)
    return None if place.report.errors else job


def _triggers(fields: Fields, setting: Setting, overlap: Any) -> tuple[Trigger, ...]:
    """The triggers. Of files and items each is wanted: they queue, where the job does not say what overlaps do."""
    found = triggers.read_triggers(fields, setting)
    if overlap is not None:
        return found
    queued = {"overlap": Overlap.QUEUE.value}
    return tuple(
        replace(trigger, options={**trigger.options, **queued}) if trigger.kind in LOOK_TRIGGERS else trigger
        for trigger in found
    )


def _id(fields: Fields, name: str | None, origin: Origin) -> str:
    said = fields.maybe("id", values.any_text)
    if said is not None:
        if not SLUG.fullmatch(said):
            hint = f"did you mean `{slug(said)}`?" if slug(said) else None
            (fields.place / "id").error(
                f"`{said}` is no id: it takes a-z, 0-9, `.`, `_`, `-`, at most 80 of them", hint
            )
        return said
    source = origin.name or name
    found = slug(source) if source else ""
    if not found:
        message = f"no id can be made of {source!r}" if source else "`id` is missing"
        fields.place.error(message, "add `id:` with a-z, 0-9 and -")
    return found


def _policies(
    fields: Fields, setting: Setting, identity: str, name: str
) -> tuple[list[PlacedStep] | None, Job]:
    """Everything but triggers; the steps, where there is `steps:`."""
    place = fields.place
    listed = fields.take("steps")
    placed = None if listed is None else steps.read_steps(listed, place / "steps", setting)
    on_error, retry = notify.read_on_error(fields.take("on_error"), place / "on_error", setting)
    own_retry = fields.maybe("retry", policies.retry)
    if own_retry is not None and retry is not None and own_retry != retry:
        (place / "retry").error("`retry` and `on_error.retry` differ", "keep one of them")
    group, most = policies.concurrency(fields)
    job = Job(
        id=identity,
        name=name,
        steps=(),
        description=fields.read("description", values.any_text, ""),
        enabled=fields.read("enabled", values.boolean, default=True),
        condition=fields.maybe("if", values.condition),
        overlap=fields.read("overlap", _overlap, Overlap.SKIP),
        catch_up=policies.catch_up(fields),
        jitter=fields.read("jitter", values.duration_or_none, 0.0),
        window=fields.maybe("window", policies.window),
        not_during=fields.maybe("not_during", policies.window),
        timeout=fields.maybe("timeout", values.duration),
        retry=own_retry or retry or policies.ONCE,
        retry_run=fields.maybe("retry_run", policies.retry) or policies.ONCE,
        limits=fields.maybe("limits", policies.limits),
        budget=fields.read("budget", budgets.budget, NO_BUDGET),
        params=fields.read("params", policies.params, ()),
        env=fields.read("env", values.env, {}),
        concurrency=group,
        max_active=most,
        max_failures=fields.maybe("max_failures", values.whole(0)),
        priority=fields.read("priority", values.whole(-1000, 1000), 0),
        notify=notify.read_notify(fields.take("notify"), place / "notify", setting),
        on_error=on_error,
        on_recovery=notify.read_on_recovery(fields.take("on_recovery"), place / "on_recovery", setting),
        extra=later.read_later(fields),
    )
    warn_if_later(place / "catch_up", f"catch_up.{job.catch_up.mode}")
    return placed, job


def _overlap(value: Any, place: Place) -> Overlap | None:
    found = values.one_of(Overlap)(value, place)
    if found is not None:
        warn_if_later(place, f"overlap.{found}")
    return found


def _one_step(fields: Fields, setting: Setting, origin: Origin) -> list[PlacedStep]:
    """The step of a job without `steps:`, whose keys stand beside the job's: `run: git fetch`, or a prompt."""
    place, catalog = fields.place, setting.catalog
    item = fields.rest
    if origin.body:
        if steps.AGENT not in catalog.steps:
            place.error("a Markdown job is a prompt, and this installation has no `agent` step")
            return []
        if twice := [key for key in (steps.AGENT, "prompt") if key in item]:
            (place / twice[0]).error("the prompt is there twice", "it is the text below the front matter")
            return []
        item = {**item, steps.AGENT: origin.body}
    elif not any(key in catalog.steps or key == "prompt" for key in item):
        if not get_close_matches("steps", item, 1, 0.7):  # a mistyped `steps` is told of once, with a guess
            place.error(*_nothing_to_do(origin))
        fields.refuse_rest((*JOB_KEYS, *catalog.steps))
        return []
    placed = steps.read_step(item, place, setting, known=JOB_KEYS)
    if placed is None:
        return []
    line = (place / placed.step.kind).line
    return steps.with_ids([PlacedStep(replace(placed.step, line=line), place)])


def _nothing_to_do(origin: Origin) -> tuple[str, str]:
    if origin.body is not None:
        return "the prompt is missing", "write it below the front matter"
    return "`steps` is missing", "say what the job does: `steps:` with `- run: COMMAND`"


def _with_output(placed: PlacedStep, output: str, place: Place) -> PlacedStep:
    """The job's `output:` is that of its last step."""
    if placed.step.output not in {None, output}:
        (place / "output").error("the last step has an `output:` of its own", "keep one of them")
    return PlacedStep(replace(placed.step, output=output), placed.place)


def _refuse_rest(fields: Fields, setting: Setting, origin: Origin) -> None:
    """Report what is left beside `steps:`."""
    if origin.body:
        (fields.place / "steps").error(
            "both `steps:` and a prompt below the front matter", "make the prompt a step: `- agent: …`"
        )
    for key in [key for key in fields.rest if key in setting.catalog.steps or key == "prompt"]:
        (fields.place / key).error("a step's key beside `steps:`", f"make it an item: `- {key}: …`")
        fields.take(key)
    fields.refuse_rest(JOB_KEYS)

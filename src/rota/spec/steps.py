"""What a job does: `steps:`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rota.model.job import OnInterrupt, Step
from rota.spec import models, policies, values
from rota.spec.agents import check_agent, check_resume, works_by_agent
from rota.spec.catalog import Catalog, Setting
from rota.spec.looks import check_source, read_if_changed
from rota.spec.notify import read_notify
from rota.spec.report import Fields, Place
from rota.spec.words import did_you_mean, guess, is_templated, listing

if TYPE_CHECKING:
    from pydantic import BaseModel

COMMON_KEYS = (
    *("id", "name", "needs", "if", "if_changed", "timeout", "retry", "limits"),
    *("on_interrupt", "output", "env", "continue_on_error"),
)
AGENT = "agent"
PULL = "pull"
NOTIFY = "notify"
APPROVE = "approve"
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,79}")


@dataclass(frozen=True)
class PlacedStep:
    """A step and where it stands."""

    step: Step
    place: Place


def read_steps(value: Any, place: Place, setting: Setting) -> list[PlacedStep]:
    """The steps of a job, with their ids and what they wait for in order."""
    items = value if isinstance(value, list) else [value]
    if not items:
        place.error("a job needs at least one step", "such as `- run: git fetch`")
    places = [place / index for index in range(len(items))] if items is value else [place]
    found = [read_step(item, at, setting) for item, at in zip(items, places, strict=True)]
    steps = with_ids([step for step in found if step is not None])
    if None not in found:  # else a need may be of the step that could not be read
        _check_needs(steps)
    return steps


def read_step(
    item: Any, place: Place, setting: Setting, known: Collection[str] = COMMON_KEYS
) -> PlacedStep | None:
    """One step, without its final id. `known`: keys that are none of its kind, for guesses at misspelt ones."""
    if not isinstance(item, Mapping):
        hint = f"write `run: {item}`" if isinstance(item, str) else None
        values.expected(place, "a step such as `run: git fetch`", item, hint)
        return None
    item = _as_agent(item, setting.catalog)
    kind = kind_of(item, place, setting.catalog)
    if kind is None:
        return None
    fields = Fields(item, place)
    step = Step(
        id=fields.read("id", _step_id, ""),
        kind=kind,
        name=fields.maybe("name", values.any_text),
        needs=fields.maybe("needs", values.texts),
        condition=fields.maybe("if", values.condition),
        if_changed=fields.maybe("if_changed", read_if_changed),
        timeout=fields.maybe("timeout", values.duration),
        retry=fields.maybe("retry", policies.retry),
        limits=fields.maybe("limits", policies.limits),
        on_interrupt=fields.maybe("on_interrupt", values.one_of(OnInterrupt)),
        output=fields.maybe("output", lambda said, at: output(said, at, setting)),
        env=fields.read("env", values.env, {}),
        continue_on_error=fields.read("continue_on_error", values.boolean, default=False),
        line=place.line,
    )
    for key in COMMON_KEYS:
        fields.rest.pop(key, None)
    _check_config(kind, fields.rest, place, setting, known)
    if step.on_interrupt is OnInterrupt.RESUME:
        check_resume(setting.catalog.steps[kind], fields.rest, place / "on_interrupt", setting.catalog)
    return PlacedStep(replace(step, config=fields.rest), place)


def _as_agent(item: Mapping[str, Any], catalog: Catalog) -> Mapping[str, Any]:
    """`prompt: TEXT` is another way to write `agent: TEXT`, where no kind has that key."""
    model = catalog.steps.get(AGENT)
    if model is None or "prompt" not in item or AGENT in item or "prompt" in catalog.steps:
        return item
    if any(kind in item and "prompt" in models.keys_of(catalog.steps[kind]) for kind in catalog.steps):
        return item
    return {AGENT if key == "prompt" else key: value for key, value in item.items()}


def kind_of(item: Mapping[str, Any], place: Place, catalog: Catalog) -> str | None:
    """The one kind of a step; reports when there is none, or when there are two."""
    present = [kind for kind in catalog.steps if kind in item]
    kinds = [kind for kind in present if not _belongs(kind, present, catalog)]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        place.error(
            f"one step that is {listing((f'`{kind}`' for kind in kinds), 'and')}", "make it two steps"
        )
        return None
    unknown = [key for key in item if key not in COMMON_KEYS]
    near = next((hint for key in unknown if (hint := did_you_mean(key, catalog.steps))), None)
    what = f"unknown step kind `{unknown[0]}`" if unknown else "a step that says nothing to do"
    place.error(what, near or guess("", catalog.steps))
    return None


def _belongs(kind: str, present: Collection[str], catalog: Catalog) -> bool:
    """Whether a kind's key is, in this step, just an option of another kind that is there."""
    return any(
        kind in models.keys_of(catalog.steps[other]) and other not in models.keys_of(catalog.steps[kind])
        for other in present
        if other != kind
    )


def output(value: Any, place: Place, setting: Setting) -> str | None:
    """Where a step's text goes: a file in the workspace (it has a `/` or a `.`), or a channel."""
    said = values.text(value, place)
    if said is None or "/" in said or "." in said or said in setting.channel_names():
        return said
    hint = (
        did_you_mean(said, setting.channel_names()) or f"for a file write `{said}.md`, or a path with a `/`"
    )
    place.error(f"`{said}` is no file, and no channel of that name is known", hint)
    return None


def _check_config(
    kind: str, config: Mapping[str, Any], place: Place, setting: Setting, known: Collection[str]
) -> None:
    model = setting.catalog.steps[kind]
    if kind == PULL:
        _check_pull(model, config, place, setting, known)
        return
    if kind == NOTIFY and isinstance(config[NOTIFY], Mapping):
        read_notify(config[NOTIFY], place / NOTIFY, setting)
    if kind == APPROVE and isinstance(config.get(NOTIFY), str | list | Mapping):
        read_notify(config[NOTIFY], place / NOTIFY, setting)
    models.check(model, config, place, known=known)
    if works_by_agent(model):
        check_agent(config, place, setting)
    runner = config.get("runner")
    if isinstance(runner, str) and not is_templated(runner):
        check_runner(runner, place / "runner", setting.catalog)


def check_runner(name: str, place: Place, catalog: Catalog) -> None:
    """Report an agent runner that this installation does not have."""
    known = {"auto", *catalog.runners}
    if catalog.runners and name not in known:
        place.error(f"unknown runner `{name}`", guess(name, known))


def _check_pull(
    model: type[BaseModel], config: Mapping[str, Any], place: Place, setting: Setting, known: Collection[str]
) -> None:
    """A pull's keys are its own and those of its source, to which rota.yaml may add."""
    own = models.keys_of(model)
    models.check(model, {key: value for key, value in config.items() if key in own}, place)
    name = config.get(PULL)
    if not isinstance(name, str) or is_templated(name):
        return
    if name not in setting.source_names():
        (place / PULL).error(f"unknown source `{name}`", guess(name, setting.source_names()))
        return
    rest = {key: value for key, value in config.items() if key not in own}
    check_source(name, rest, place, setting, known=(*own, *known))


def _step_id(value: Any, place: Place) -> str | None:
    text = values.text(value, place)
    if text is None or _ID.fullmatch(text):
        return text
    hint = "use letters, digits, _ and -, and no digit first: templates say {{ steps.id.output }}"
    place.error(f"`{text}` is no id of a step", hint)
    return None


def with_ids(steps: list[PlacedStep]) -> list[PlacedStep]:
    """Ids: the step's own, else its kind, with a number from the second on (`run`, `run_2`)."""
    taken: set[str] = set()
    for placed in steps:
        name = placed.step.id
        if name and name in taken:
            (placed.place / "id").error(f"two steps have the id `{name}`", "give each its own")
        taken.add(name)
    found: list[PlacedStep] = []
    for placed in steps:
        name, number = placed.step.id or placed.step.kind, 1
        while not placed.step.id and name in taken:
            number += 1
            name = f"{placed.step.kind}_{number}"
        taken.add(name)
        found.append(PlacedStep(replace(placed.step, id=name), placed.place))
    return found


def _check_needs(steps: list[PlacedStep]) -> None:
    names = {placed.step.id for placed in steps}
    if len(names) < len(steps):  # which one is needed?
        return
    for placed in steps:
        for need in placed.step.needs or ():
            if need not in names:
                (placed.place / "needs").error(
                    f"there is no step `{need}`", guess(need, names - {placed.step.id})
                )
    before = waits_for([placed.step for placed in steps])
    for placed in steps:
        if placed.step.id in before[placed.step.id]:
            (placed.place / "needs").error(
                f"step `{placed.step.id}` waits for itself", "take one of the `needs:` out of the circle"
            )
            return


def waits_for(steps: list[Step]) -> dict[str, set[str]]:
    """Which steps each step waits for, directly or through others."""
    direct: dict[str, set[str]] = {}
    previous: set[str] = set()
    for step in steps:
        direct[step.id] = set(previous if step.needs is None else step.needs)
        previous = {step.id}
    found: dict[str, set[str]] = {}
    for name, needs in direct.items():
        reached: set[str] = set()
        todo = list(needs)
        while todo:
            need = todo.pop()
            if need not in reached:
                reached.add(need)
                todo += direct.get(need, ())
        found[name] = reached
    return found

"""Templates and conditions of a job, checked before anything runs.

A name that a step's template will not find makes the step fail, so it is an error. In conditions and
messages any plain name may be one that a step puts out (`new_items > 0`), so only `steps.x` is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from rota.model.job import Job, Notify, OnError
from rota.spec.report import Place
from rota.spec.steps import NOTIFY, PlacedStep, waits_for
from rota.templates import problems, shell_problems, warn_nested

# What every template of a run sees (engine.environment gives it).
KNOWN_NAMES = frozenset(
    {
        *("job", "run", "now", "today", "timezone", "occurrence", "previous", "workspace"),
        *("params", "payload", "payloads", "headers", "query", "steps"),
    }
)
# What the triggers of a kind give besides.
NAMES_OF_TRIGGERS: Mapping[str, frozenset[str]] = {
    "files": frozenset({"file", "files"}),
    "poll": frozenset({"item", "items"}),
}
# A job's `if:` is judged before there is a run.
_OF_THE_RUN = frozenset({"run", "steps"})

_NAME = re.compile(r"[A-Za-z_]\w*")
_SHELL = "run"


def names_of(job: Job) -> frozenset[str]:
    """What every template of a run of this job sees."""
    return KNOWN_NAMES.union(*(NAMES_OF_TRIGGERS.get(trigger.kind, ()) for trigger in job.triggers))


def check(job: Job, placed: list[PlacedStep], place: Place) -> None:
    """Report what is wrong with the job's templates."""
    names, known = {step.id for step in job.steps}, names_of(job)
    before = waits_for(list(job.steps))
    for item in placed:
        _step(item, known, names, before[item.step.id])
    if job.condition is not None:
        _say(problems(job.condition, known - _OF_THE_RUN, (), expression=True)[:1], (place / "if").error)
    for trigger in job.triggers:
        if trigger.kind == "webhook" and "if" in trigger.options:
            found = problems(trigger.options["if"], known - _OF_THE_RUN, (), expression=True)[:1]
            _say([f"trigger `{trigger.id}`, `if`: {line}" for line in found], place.error)
    for name, text in job.env.items():
        _say(problems(text, known, names), (place / "env" / name).error)
    for index, notify in enumerate(job.notify):
        _notify(notify, place / "notify" / index, names)
    _policy(job.on_error, place / "on_error", names)
    _policy(job.on_recovery, place / "on_recovery", names)


def _step(item: PlacedStep, known: frozenset[str], names: Collection[str], before: Collection[str]) -> None:
    step, place = item.step, item.place
    texts = list(_strings(step.config, place))
    texts += [(text, place / "env" / name) for name, text in step.env.items()]
    texts += [(text, place / "if_changed") for text in step.if_changed or ()]
    texts += [(step.output, place / "output")] if step.output is not None else []
    message = step.kind == NOTIFY
    for text, at in texts:
        found = problems(text, _any(text) if message else known, names)
        _say(found, at.warn if message else at.error)
        if not found:
            _too_early(text, at, known, names, before)
    if step.condition is not None:
        _say(problems(step.condition, _any(step.condition), names, expression=True), (place / "if").error)
    command = step.config.get(_SHELL)
    if step.kind == _SHELL and isinstance(command, str):
        if not problems(command, known, names):  # else it says the same again
            _say(shell_problems(command), (place / _SHELL).error)
        _say(warn_nested(command), (place / _SHELL).warn)


def _too_early(
    text: str, place: Place, known: frozenset[str], names: Collection[str], before: Collection[str]
) -> None:
    """Warn about the output of a step that has not run when this one starts."""
    if not problems(text, known, before):
        return
    for name in sorted(set(names) - set(before)):
        spoken = re.escape(re.sub(r"\W", "_", name))
        if re.search(rf"\bsteps\.{spoken}\b|\bsteps\[\s*['\"]{re.escape(name)}['\"]", text):
            place.warn(
                f"step `{name}` has not run when this step starts: its output is empty here (see `needs:`)"
            )


def _notify(notify: Notify, place: Place, names: Collection[str]) -> None:
    for key in ("message", "title"):
        text = getattr(notify, key)
        if text is not None:
            _say(problems(text, _any(text), names), (place / key).warn)
    if notify.condition is not None:
        found = problems(notify.condition, _any(notify.condition), names, expression=True)
        _say(found, (place / "condition").warn)


def _policy(policy: OnError, place: Place, names: Collection[str]) -> None:
    if policy.message is not None:
        _say(problems(policy.message, _any(policy.message), names), (place / "message").warn)
    for index, channel in enumerate(policy.channels):
        _notify(channel, place / "notify" / index, names)


def _any(text: str) -> Collection[str]:
    """Every plain name in a text: those that steps put out are not known in advance."""
    return KNOWN_NAMES | set(_NAME.findall(text))


def _say(found: Collection[str], how: Callable[[str], None]) -> None:
    for line in found:
        how(line)


def _strings(value: Any, place: Place) -> Iterator[tuple[str, Place]]:
    if isinstance(value, str):
        yield value, place
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _strings(part, place / str(key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _strings(part, place / index)

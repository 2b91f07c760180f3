"""JSON Schema of what jobs and rota.yaml share: durations, retry, notifications, triggers."""

from __future__ import annotations

from collections.abc import Collection

from rota.model.budget import OnOver
from rota.model.failures import HIGHEST_NUMBER, WORDS
from rota.model.job import CatchUpMode, OnInterrupt
from rota.model.proposal import Rule
from rota.spec import budgets, looks, notify, policies, triggers
from rota.spec.catalog import Catalog
from rota.spec.schema_kinds import TEMPLATE_DEF, Schema, closed, properties

TEXT: Schema = {"type": "string"}
FILLED: Schema = {"type": "string", "pattern": r"\S"}
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
BOOLEAN: Schema = {"type": "boolean"}
SIZE: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\s*[0-9]"}]}


def ref(name: str, description: str | None = None) -> Schema:
    """A reference to a definition."""
    return {"$ref": f"#/$defs/{name}"} | ({"description": description} if description else {})


def about(schema: Schema, description: str) -> Schema:
    """A schema with what it is for."""
    return {**schema, "description": description}


def count(minimum: int, description: str, maximum: int | None = None) -> Schema:
    """A whole number."""
    top = {} if maximum is None else {"maximum": maximum}
    return {"type": "integer", "minimum": minimum, **top, "description": description}


def one_or_many(schema: Schema) -> Schema:
    """A value or a list of such."""
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def mapping(fields: Schema, *needed: str) -> Schema:
    """Keys with values and no others. Every key may be left empty, which counts as absent."""
    return {
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        **({"required": list(needed)} if needed else {}),
    }


def empty_too(schema: Schema) -> Schema:
    """The same with every key of a mapping also empty (null)."""
    fields = {
        key: {"anyOf": [{k: v for k, v in part.items() if k != "description"}, {"type": "null"}]}
        | ({"description": part["description"]} if "description" in part else {})
        for key, part in schema["properties"].items()
    }
    return {**schema, "properties": fields}


def shared(catalog: Catalog) -> Schema:
    """The definitions that other schemas refer to."""
    defs: Schema = {
        "template": TEMPLATE_DEF,
        "duration": {
            "type": "string",
            "pattern": r"^\s*[0-9.]+\s*[A-Za-z]",
            "description": "A number and a unit (w, d, h, m, s, ms): 90m, 4h, 2d, 1h30m.",
            "examples": ["5m", "1h30m", "2d"],
        },
        "durationOrNone": {"anyOf": [{"$ref": "#/$defs/duration"}, {"const": 0}]},
        "env": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        },
        "retry": _retry(),
        "limits": _limits(),
        "param": _param(),
        "trigger": _trigger(catalog),
    }
    defs["notification"] = _notification(catalog, defs)
    defs["notify"] = {"anyOf": [{"const": False}, one_or_many(ref("notification"))]}
    defs["on_error"] = _policy(retry=True)
    defs["on_recovery"] = _policy(retry=False)
    return defs


def _retry() -> Schema:
    most = policies.MOST_ATTEMPTS
    number = {"type": "integer", "minimum": 0, "maximum": HIGHEST_NUMBER}
    failed = one_or_many({"anyOf": [number, {"type": "string", "pattern": r"\S", "examples": [*WORDS]}]})
    fields = {
        "attempts": count(1, "How often it is tried in all; 3 unless said.", most),
        "backoff": {
            "enum": list(policies.BACKOFFS),
            "description": "Whether the waits grow (twofold) or stay.",
        },
        "first": ref("durationOrNone", "The first wait; 10s unless said."),
        "max": ref("durationOrNone", "The longest wait; 10m unless said."),
        "on": about(failed, "What is tried again: timeout, exit, 75, 503, 5xx; anything unless said."),
        "not_on": about(failed, "What is not tried again."),
    }
    return {"anyOf": [BOOLEAN, count(1, "Attempts in all.", most), empty_too(mapping(fields))]}


def _limits() -> Schema:
    fields = {
        "memory": about(SIZE, "What it and all that it starts may hold together: 512MB."),
        "processes": count(1, "How many processes it may have at once.", 1_000_000),
        "open_files": count(policies.LEAST_FILES, "How many files each of them may have open.", 1_000_000),
    }
    return empty_too(mapping(fields))


def _param() -> Schema:
    kinds: Schema = {"enum": list(policies.PARAM_TYPES)}
    value: Schema = {"type": ["string", "number", "boolean"]}
    fields = {
        "name": TEXT,
        "type": about(kinds, "string unless said, or the type of its default."),
        "default": about(value, "The value of a run that is given none."),
        "required": about(BOOLEAN, "Whether a run needs to be given one."),
        "choices": {"type": "array", "items": value, "description": "The values that it may have."},
        "description": about(SCALAR, "What it is for."),
    }
    return {"anyOf": [kinds, {"type": "null"}, empty_too(mapping(fields))]}


def _files_keys() -> Schema:
    return {
        "events": about(_words(looks.FILE_EVENTS), "What starts a run; added and changed unless said."),
        "ignore": about(one_or_many(FILLED), "Files that are not meant, as patterns."),
        "settle": ref("durationOrNone", "How long a file has to be as it is; 2s unless said."),
        "batch": about(BOOLEAN, "Whether one run is for all that comes together."),
        "debounce": ref("durationOrNone", "How long nothing more may come before that run."),
        "initial": about(BOOLEAN, "Whether files that are there already start runs, too."),
    }


def _poll_keys() -> Schema:
    return {
        "every": ref("duration", "How often it is asked; 15m unless said."),
        "cron": about(FILLED, "When it is asked, instead of `every`."),
        "events": about(_words(looks.POLL_EVENTS), "What starts a run; both unless said."),
        "batch": about(BOOLEAN, "Whether one run is for all that is new."),
        "initial": about(BOOLEAN, "Whether what is there already starts runs, too."),
        "timeout": ref("duration", "How long the source may take; 1m unless said."),
    }


def _words(words: Collection[str]) -> Schema:
    word: Schema = {"enum": list(words)}
    return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}


def _trigger(catalog: Catalog) -> Schema:
    from rota.spec.schema_webhooks import webhook, webhook_fields  # it is made of these parts itself

    flag: Schema = {"enum": [True, None]}
    anchor: Schema = {"type": "string", "description": "From where it counts: a date and time."}
    kinds: dict[str, tuple[Schema, Schema]] = {
        "cron": (about(FILLED, "Minute, hour, day of month, month, day of week."), {}),
        "every": (ref("duration", "Real elapsed time: 13h is 13 hours."), {"anchor": anchor}),
        "at": (one_or_many(about(TEXT, "A date and time: 2026-12-01T09:00.")), {}),
        "rrule": (about(FILLED, "A calendar rule (RFC 5545): FREQ=MONTHLY;BYDAY=1MO."), {"anchor": anchor}),
        "reboot": (about(flag, "When the daemon starts."), {}),
        "manual": (about(flag, "By hand, or by a call."), {}),
        "job": (
            about(FILLED, "The id of the job after which this one runs."),
            {"when": {"enum": list(triggers.AFTER), "description": "How that job has to end."}},
        ),
        "webhook": (about(webhook(), "A request to /hooks/NAME."), webhook_fields()),
        "files": (about(one_or_many(FILLED), "Files that are watched, as patterns."), _files_keys()),
        "poll": (about(FILLED, f"A source that is looked at: {', '.join(catalog.sources)}."), _poll_keys()),
    }
    variants: list[Schema] = [
        {
            "type": "string",
            "description": "A schedule: cron, `every 4h`, daily, `at …`, `rrule:…`, @reboot, manual.",
        }
    ]
    for kind, (value, more) in kinds.items():
        fields = {kind: value, "id": about(FILLED, "Its name in the ledger; its kind unless said."), **more}
        is_free = kind == "poll"
        variants.append(
            {"type": "object", "properties": fields, "required": [kind]}
            | ({} if is_free else {"additionalProperties": False})
        )
    return {"anyOf": variants}


def _notification(catalog: Catalog, defs: Schema) -> Schema:
    fields: Schema = {
        "message": about(SCALAR, "What it says, a template."),
        "title": about(SCALAR, "Its title, a template; the job's name unless said."),
        "condition": about({"type": ["string", "boolean"]}, "Sent only if this is true: new_recordings > 0."),
        "when": {
            "enum": list(notify.WHEN),
            "description": "Which end of a run sends it; succeeded unless said.",
        },
    }
    named = {"type": {"type": "string", "not": {"enum": list(catalog.channels)}}}
    variants: list[Schema] = [
        about(TEXT, f"A channel of rota.yaml, or {', '.join(catalog.channels)}."),
        about(
            {"type": "object", "properties": {**named, **fields}, "required": ["type"]},
            "A channel of rota.yaml.",
        ),
    ]
    for kind, model in catalog.channels.items():
        own = properties(model, f"channel-{kind}", defs)
        whole = {**own, **fields, "type": {"const": kind}}
        variants.append({"type": "object", "properties": whole, "required": ["type"], **closed(model)})
    return {"anyOf": variants}


def _policy(*, retry: bool) -> Schema:
    fields: Schema = {
        "notify": {"anyOf": [BOOLEAN, ref("notify")], "description": "Whether, or to which channels."},
        "message": about(SCALAR, "What it says, a template."),
    }
    if retry:
        fields["retry"] = ref("retry", "The same as `retry:` of the job.")
    channels = one_or_many({"anyOf": [TEXT, ref("notification")]})["anyOf"]
    return {"anyOf": [BOOLEAN, TEXT, channels[1], empty_too(mapping(fields))]}


def catch_up() -> Schema:
    """`catch_up:` of a job."""
    modes: Schema = {"enum": [*CatchUpMode, True, False]}
    fields = {"mode": {"enum": list(CatchUpMode)}, "within": ref("duration")}
    return {"anyOf": [modes, empty_too(mapping(fields))]}


def evidence() -> Schema:
    """`success_if:` of a job."""
    step = about(FILLED, "The step whose output is meant; the last one unless said.")
    file = {
        "file": about(FILLED, "A file that the run has to write: now/plan.md. A template."),
        "min_size": about(SIZE, "How large it has to be; not empty unless said."),
        "contains": about(FILLED, "A pattern (regular expression) that its text has to match."),
    }
    command = {
        "command": about(FILLED, "A command that has to end with exit code 0. A template, as of `run`."),
        "timeout": ref("duration", "How long it may take; 1m unless said."),
    }
    output = {"output": about(FILLED, "A pattern that the output has to match."), "step": step}
    own: Schema = {"anyOf": [FILLED, {"type": "object"}]}
    schema = {"schema": about(own, "A JSON Schema that the output has to meet, or its file."), "step": step}
    kinds = [
        empty_too(mapping(fields, kind))
        for kind, fields in (("file", file), ("command", command), ("output", output), ("schema", schema))
    ]
    return one_or_many({"anyOf": [about(FILLED, "A file that the run has to write."), *kinds]})


def window() -> Schema:
    """`window:` and `not_during:` of a job."""
    spans = one_or_many(about(FILLED, "A span: 09:00-17:00, Mon-Fri 22:00-06:00, 2026-12-24..2026-12-26."))
    fields = {"times": spans, "otherwise": {"enum": list(policies.OTHERWISE)}}
    return {"anyOf": [spans, mapping(fields, "times")]}


def concurrency() -> Schema:
    """`concurrency:` of a job."""
    most = count(1, "How many runs of this job may be active at once.")
    fields = {
        "group": about(FILLED, "A name that jobs share."),
        "limit": count(1, "How many of the group's runs may be active at once; 1 unless said."),
        "max_active": most,
    }
    return {"anyOf": [FILLED, empty_too(mapping(fields))]}


def budget() -> Schema:
    """`budget:` of a job, and of rota.yaml."""
    caps = _caps()
    spans = {span: about(mapping(caps), f"The most of one {span}.") for span in budgets.SPANS}
    per = about({"enum": list(budgets.SPANS)}, "What the caps beside it are counted over; a run unless said.")
    over = about(
        {"enum": list(OnOver)},
        "What becomes of a job that comes to a cap: `pause` pauses it until a person resumes it; fail unless said.",
    )
    return empty_too(mapping({**caps, "per": per, **spans, "on_over": over}))


def _caps() -> Schema:
    amount: Schema = {"type": "number", "minimum": 0}
    whole: Schema = {"type": "integer", "minimum": 0}
    return {
        "usd": about(amount, "Dollars."),
        "tokens": about(whole, "Tokens, of all kinds."),
        "turns": about(whole, "Responses of a model."),
        "minutes": about(amount, "Minutes at work, by the clock on the wall."),
    }


def agents() -> dict[str, Schema]:
    """`agents:` of rota.yaml."""
    rule: Schema = {"enum": list(Rule)}
    return {
        "create": about(rule, "Whether agents may make jobs; propose unless said."),
        "change": about(rule, "Whether they may change jobs; propose unless said."),
        "remove": about(rule, "Whether they may remove jobs; propose unless said."),
        "pause": about(rule, "Whether they may pause and resume jobs of people; propose unless said."),
        "run": about(rule, "Whether they may start jobs; allow unless said."),
        "max_jobs": count(0, "How many jobs made by agents there may be."),
        "max_per_day": count(0, "How much agents may do, or propose, in 24 hours."),
        "budget": about(budget(), "The caps that a job made by an agent has at least."),
    }


def on_interrupt() -> Schema:
    """`on_interrupt:` of a step."""
    return {"enum": list(OnInterrupt)}

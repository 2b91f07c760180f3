"""JSON Schema (2020-12) of job files and of rota.yaml, for editors and for those who write them by program.

It accepts every form that the readers accept. What only a program can judge (cron, zones, `needs:`,
templates) `rota check` finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.model.job import Overlap
from rota.model.proposal import Rule
from rota.spec import later, steps
from rota.spec import schema_parts as parts
from rota.spec.catalog import Catalog
from rota.spec.config import SIZES, runners_with_keys
from rota.spec.schema_agents import agent_settings
from rota.spec.schema_kinds import TEMPLATE, Schema, closed, properties, required
from rota.spec.schema_parts import BOOLEAN, FILLED, SCALAR, TEXT, about, count, mapping, one_or_many, ref
from rota.spec.schema_webhooks import web

if TYPE_CHECKING:
    from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of a job file (YAML or JSON): a job, or a list of jobs."""
    defs = parts.shared(catalog)
    variants = {kind: _step_variants(kind, catalog, defs) for kind in catalog.steps}
    defs["step"] = {"anyOf": [variant for found in variants.values() for variant in found]}
    defs["job"] = _job(catalog, variants)
    return {
        "$schema": DIALECT,
        "title": "rota job",
        "description": "A job of rota: when it runs, what it does, and what happens when that fails.",
        "anyOf": [ref("job"), {"type": "array", "items": ref("job")}],
        "$defs": defs,
    }


def config_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of rota.yaml."""
    defs = parts.shared(catalog)
    days: Schema = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, ref("duration")]}
    limits = {
        "runs": count(1, "How many runs may be active at once.", 10_000),
        **{key: about(parts.SIZE, "A size such as 10MB.") for key in SIZES},
        "keep_runs": count(1, "How many runs of a job are kept."),
        "keep_days": about(days, "How many days they are kept."),
        "keep_ledger_days": about(days, "How many days the ledger is kept."),
    }
    agent = {
        "runner": about(FILLED, "Who works on prompts: auto, or a runner by name."),
        "command": about(one_or_many(FILLED), "The command runner's program; the prompt comes on its stdin."),
        "model": about(SCALAR, "The model, as the runner names it."),
        **agent_settings(defs),
        **_of_runners(catalog, defs),
    }
    index = {
        "include": about(one_or_many(FILLED), "Only files that match, as in .gitignore: notes/, *.md."),
        "exclude": about(one_or_many(FILLED), "Not these; `!now/` brings back what git ignores."),
        "max_file": about(parts.SIZE, "How large a file may be; 2MB unless said."),
        "watch": about(parts.BOOLEAN, "Whether the daemon keeps the index up to date."),
        "embeddings": about(FILLED, "The folder of a model2vec model; `rota[embeddings]` reads it."),
    }
    board = {
        "columns": about(one_or_many(FILLED), "Its columns, left to right; new cards come into the first.")
    }
    fields: Schema = {
        "name": about(SCALAR, "The workspace's name; its folder's unless said."),
        "timezone": about(FILLED, "The zone of jobs that name none: Europe/London."),
        "limits": about(parts.empty_too(mapping(limits)), "Caps on runs, output and history."),
        "groups": {
            "type": "object",
            "additionalProperties": count(1, "Runs at once."),
            "description": "Limits of concurrency groups, over what jobs say.",
        },
        "scripts": about(mapping({"folders": one_or_many(FILLED)}), "Where `script:` may point."),
        "env_allow": about(one_or_many(FILLED), "Environment variables that steps get: NAME, or PREFIX_*."),
        "env": ref("env", "More environment for every step."),
        "channels": about(_named(catalog.channels, "channel", defs), "Where notifications go, by name."),
        "notify": ref("notify", "Where messages go that name no channel."),
        "sources": about(_named(catalog.sources, "source", defs), "Settings of what is pulled, by name."),
        "agent": about(parts.empty_too(mapping(agent)), "Who works on prompts."),
        "budget": about(parts.budget(), "What agents may cost in the whole workspace."),
        "agents": about(
            {"anyOf": [{"enum": list(Rule)}, parts.empty_too(mapping(parts.agents()))]},
            "What agents may do by rota's tools.",
        ),
        "index": about(parts.empty_too(mapping(index)), "What `rota search` finds."),
        "board": about(parts.empty_too(mapping(board)), "What `rota board` shows."),
        "web": about(web(), "The HTTP door: /health and /hooks/NAME."),
        "shutdown_grace": ref("durationOrNone", "How long runs may go on when the daemon stops."),
        "max_failures": count(0, "Failed runs in a row after which a job is paused; 0: never."),
    }
    whole = parts.empty_too(mapping(fields))
    title = {"title": "rota.yaml", "description": "The settings of a rota workspace."}
    return {"$schema": DIALECT, **title, **whole, "$defs": defs}


def _of_runners(catalog: Catalog, defs: Schema) -> Schema:
    """The settings of single runners."""
    return {
        key: {
            "anyOf": [
                {"type": "null"},
                {"type": "object", "properties": properties(model, f"runner-{key}", defs), **closed(model)},
            ],
            "description": f"Settings of the runner `{key}`.",
        }
        for key, model in ((key, catalog.runners[key]) for key in runners_with_keys(catalog))
    }


def _named(kinds: Mapping[str, type[BaseModel]], prefix: str, defs: Schema) -> Schema:
    """Settings by name: of the kind that `type:` says, else of the kind of that name."""
    own = {kind: properties(model, f"{prefix}-{kind}", defs) for kind, model in kinds.items()}
    typed: list[Schema] = [
        {
            "type": "object",
            "properties": {**own[kind], "type": {"const": kind}},
            "required": ["type"],
            **closed(model),
        }
        for kind, model in kinds.items()
    ]
    by_name: Schema = {
        kind: {
            "anyOf": [{"type": "null"}, {"type": "object", "properties": own[kind], **closed(model)}, *typed]
        }
        for kind, model in kinds.items()
    }
    return {
        "type": "object",
        "properties": by_name,
        "additionalProperties": {"anyOf": typed} if typed else False,
    }


def _common() -> Schema:
    """The keys that every step has."""
    return {
        "id": about(
            {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"}, "Its name in {{ steps.id.output }}."
        ),
        "name": about(SCALAR, "Its name for people."),
        "needs": about(one_or_many(FILLED), "The steps that it waits for; the one before it unless said."),
        "if": about({"type": ["string", "boolean"]}, "A condition; false: the step is skipped."),
        "if_changed": about(
            {"anyOf": [BOOLEAN, one_or_many(FILLED)]},
            "Skipped while these files and values are as when it last succeeded; true: its own keys.",
        ),
        "timeout": ref("duration", "When an attempt is ended; the job's unless said."),
        "retry": ref("retry", "Whether it is tried again; the job's unless said."),
        "limits": ref("limits", "What its command may take; the job's unless said."),
        "on_interrupt": about(parts.on_interrupt(), "What becomes of it when rota died while it ran."),
        "output": about(FILLED, "A file of the workspace, or a channel, that gets its output."),
        "env": ref("env", "More environment."),
        "continue_on_error": about(BOOLEAN, "Whether the run goes on when it fails."),
    }


def _step_variants(kind: str, catalog: Catalog, defs: Schema) -> list[Schema]:
    """A step of one kind; a pull has a variant for each source, and an open one for those of rota.yaml."""
    model = catalog.steps[kind]
    own = properties(model, f"step-{kind}", defs)
    needed = required(model)
    variant = parts.empty_too({"type": "object", "properties": _common()})
    variant["properties"] |= own
    variant |= {"required": [kind, *(key for key in needed if key != kind)], **closed(model)}
    if kind != steps.PULL:
        return [variant, *_prompt_variant(kind, variant, catalog)]
    found: list[Schema] = []
    for name, source in catalog.sources.items():
        keys = properties(source, f"source-{name}", defs)
        fields = {**keys, **variant["properties"], kind: {"const": name}}
        found.append({**variant, "properties": fields, **closed(source)})
    others = {"anyOf": [TEMPLATE, {"type": "string", "not": {"enum": list(catalog.sources)}}]}
    return [*found, {**variant, "properties": {**variant["properties"], kind: others}}]


def _prompt_variant(kind: str, variant: Schema, catalog: Catalog) -> list[Schema]:
    """`prompt:` as another way to write `agent:`."""
    if kind != steps.AGENT or "prompt" in catalog.steps:
        return []
    fields = {"prompt" if key == kind else key: part for key, part in variant["properties"].items()}
    needed = ["prompt" if key == kind else key for key in variant["required"]]
    return [{**variant, "properties": fields, "required": needed}]


def _with_notes(fields: Schema) -> Schema:
    """The keys of a job, those that this version does not act on marked as such."""
    for key in later.LATER.keys() & fields.keys():
        fields[key]["description"] += " This version reads it, but does not act on it yet."
    return fields


def _job(catalog: Catalog, variants: dict[str, list[Schema]]) -> Schema:
    own = parts.empty_too(mapping(_with_notes(_job_fields(catalog))))
    beside: Schema = {}
    for variant in (variant for found in variants.values() for variant in found):
        for key, part in variant["properties"].items():
            if key not in own["properties"] and part not in (known := beside.setdefault(key, [])):
                known.append(part)
    alone = {key: found[0] if len(found) == 1 else {"anyOf": found} for key, found in beside.items()}
    ways = ["steps", *catalog.steps, *(["prompt"] if steps.AGENT in catalog.steps else [])]
    return {
        **own,
        "properties": {**own["properties"], **alone},
        "anyOf": [{"required": [way]} for way in ways if way not in own["properties"] or way == "steps"],
    }


def _job_fields(catalog: Catalog) -> Schema:
    """The keys of a job, in the words of people who look for one."""
    channels = ", ".join(catalog.channels)
    return {
        "id": about(
            {"type": ["string", "integer"]}, "What it is called in commands; the file's name unless said."
        ),
        "name": about(SCALAR, "Its name for people."),
        "description": about(SCALAR, "What it is for."),
        "schedule": about(
            one_or_many(ref("trigger")), 'When it runs: "0 8 * * 1-5", every 4h, daily, manual.'
        ),
        "on": about(one_or_many(ref("trigger")), "Why it runs: a list of triggers."),
        "enabled": about(BOOLEAN, "Whether its triggers start it."),
        "timezone": about(FILLED, "The zone of its schedules: Europe/London."),
        "if": about({"type": ["string", "boolean"]}, "A condition; false: the occurrence is skipped."),
        "overlap": about(
            {"enum": list(Overlap)}, "What happens when it is due while it runs; skip unless said."
        ),
        "catch_up": about(parts.catch_up(), "Which missed occurrences are run; latest unless said."),
        "within": ref("duration", "How old a missed occurrence may be."),
        "jitter": ref("durationOrNone", "Spreads its starts over that time."),
        "timeout": ref("duration", "When an attempt of a step is ended; 5m unless said."),
        "retry": ref("retry", "Whether steps are tried again; not, unless said."),
        "retry_run": ref("retry", "Whether the whole run is tried again when it failed; not, unless said."),
        "limits": ref("limits", "What the command of a step may take."),
        "params": {
            "anyOf": [
                {"type": "object", "additionalProperties": ref("param")},
                {"type": "array", "items": {"anyOf": [TEXT, ref("param")]}},
            ],
            "description": "Typed inputs: {{ params.name }}.",
        },
        "env": ref("env", "Environment of its steps."),
        "concurrency": about(parts.concurrency(), "A group of jobs that share a limit."),
        "max_active": count(1, "How many of its runs may be active at once."),
        "max_failures": count(0, "Failed runs in a row after which it is paused; 0: never."),
        "priority": count(-1000, "Which of several waiting runs starts first: the higher.", 1000),
        "steps": about(one_or_many(ref("step")), "What it does, in order."),
        "output": about(FILLED, f"Where the last step's output goes: a file, or a channel ({channels})."),
        "notify": ref("notify", "Who is told when it is done."),
        "on_error": ref("on_error", "Who is told when it failed."),
        "on_recovery": ref("on_recovery", "Who is told when it works again."),
        "window": about(parts.window(), "When it may start."),
        "not_during": about(parts.window(), "When it may not start."),
        "success_if": about(parts.evidence(), "What proves that it worked."),
        "budget": about(
            parts.budget(),
            "What its agents may cost: usd, tokens, turns, minutes; per run, day, week, month.",
        ),
        "runs_on": about(one_or_many(FILLED), "Labels of the workers that may run it."),
    }

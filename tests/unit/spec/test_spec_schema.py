"""The JSON Schemas accept what the readers accept, and refuse typos."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from rota.spec import Catalog, FileResult, config_schema, json_schema, parse_config
from rota.spec.config import CONFIG_KEYS
from rota.spec.job import JOB_KEYS
from rota.spec.later import LATER
from rota.spec.reader import read

Parse = Callable[..., FileResult]

GOOD = [
    "run: x",
    "run: x\nschedule: daily",
    "run: x\nschedule: [daily, every 4h, {cron: 0 8 * * *}]",
    "run: x\non: manual",
    "run: x\non: {every: 4h, anchor: 2026-01-01, id: a}",
    'run: x\non: ["@reboot", {at: [2030-01-01T09:00]}, {rrule: FREQ=DAILY}, {reboot: true}, {manual: }]',
    "run: x\non: [{job: other, when: failed}, {webhook: a, secret: b}, {webhook: true}, {files: [a, b]}, {poll: feed, every: 5m}]",
    "run: x\nretry: false",
    "run: x\nretry: 3",
    "run: x\nretry: {}",
    "run: x\nretry: {on: any, not_on: [3, 5xx]}\nretry_run: {attempts: 2, on: [timeout, 503]}",
    "run: x\nsuccess_if: now/plan.md",
    "run: x\nsuccess_if: [a, {file: b, min_size: 1KB, contains: c}, {command: d, timeout: 5s}, {output: e, step: run}]",
    "run: x\nsuccess_if: [{schema: s.json}, {schema: {type: object}, step: run}]",
    "run: x\nretry: {attempts: 2, backoff: fixed, first: 1s, max: 2s}",
    "run: x\ncatch_up: none\nwithin: 1d",
    "run: x\ncatch_up: {mode: all, within: 1d}",
    "run: x\ncatch_up: false",
    "run: x\noverlap: allow\njitter: 0\ntimeout: 1h30m\npriority: -1\nmax_active: 2\nenabled: false",
    "run: x\nconcurrency: llm",
    "run: x\nconcurrency: {group: llm, limit: 2, max_active: 3}",
    "run: x\nparams: {a: string, b: , c: {type: integer, default: 1, choices: [1, 2], required: true, description: C}}",
    "run: x\nparams: [a, {name: b, type: number}]",
    "run: x\nenv: {A: 1, B: true, C: , D: x}",
    "run: x\nnotify: desktop",
    "run: x\nnotify: false",
    'run: x\nnotify: [desktop, {type: slack, webhook: "${U}", message: 5, when: failed, condition: a > 1}, {type: email, to: x}]',
    "run: x\nnotify: {type: ops, anything: 5}",
    "run: x\non_error: false\non_recovery: true",
    "run: x\non_error: {notify: [desktop], message: x, retry: 3}\non_recovery: {notify: desktop}",
    "run: x\non_error: desktop\non_recovery: [desktop]",
    "run: x\nwindow: 22:00-06:00\nnot_during: {times: [Sat, Sun], otherwise: skip}\nruns_on: [gpu]\nbudget: {usd: 1, day: {turns: 5}, per: run}",
    "run: x\ndescription:\nif:\nnotify:\nparams:",
    "run: [a, b]\nshell: bash\ncwd: x",
    "prompt: Hello\nmodel: opus\noutput: now/x.md",
    'agent: Hello\nmax_turns: "{{ params.turns }}"\non_interrupt: ask',
    "name: x\nsteps: {run: x}",
    "name: 5\nid: a\nsteps: [{run: x, id: a, name: A, needs: [], if: true, timeout: 5m, retry: 2, output: a.md, env: {A: 1}}]",
    "steps: [{run: x, continue_on_error: true, on_interrupt: retry}, {run: y, needs: run}]",
    'steps: [{pull: calendar, days: 14, calendar: a.ics}, {pull: calendar, days: "{{ params.days }}"}, {pull: "{{ params.a }}"}]',
    "steps: [{pull: feed}, {pull: work, days: 3, output: a.md}]",
    'steps: [{write: a.md, append: "${APPEND}"}, {context: x}, {skill: x, input: {a: "b"}}, {prompt: x}, {notify: x}]',
]

BAD = [
    "run: x\nshedule: daily",
    "run: x\nshell: bahs",
    "run: x\noverlap: queu",
    "run: x\nretry: {atempts: 3}",
    "run: x\nretry: 0",
    "run: x\nretry: {on: 600}",
    "run: x\nsuccess_if: {fil: a}",
    "run: x\nsuccess_if: {file: a, timeout: 5s}",
    "run: x\nsuccess_if: {file: a, command: b}",
    "run: x\non: [{crn: x}]",
    "run: x\non: [{cron: 0 8 * * *, anchr: x}]",
    "run: x\nnotify: [{type: desktop, mesage: x}]",
    "run: x\nnotify: [{message: x}]",
    "run: x\nparams: {a: int}",
    "run: x\nbudget: {usdd: 1}",
    "run: x\ntimeout: [1]",
    "run: x\nenabled: maybe",
    "run: x\nenv: {A: [1]}",
    "name: nothing to do",
    "steps: [{rum: x}]",
    "steps: [{run: x, timout: 5m}]",
    "steps: [{run: x, skill: y}]",
    "steps: [{pull: calendar, day: 5}]",
    "steps: [{agent: x, max_turns: many}]",
    "steps: [git pull]",
    "text",
]


@pytest.fixture(scope="module")
def jobs(catalog: Catalog) -> Draft202012Validator:
    schema = json_schema(catalog)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module")
def configs(catalog: Catalog) -> Draft202012Validator:
    schema = config_schema(catalog)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("text", GOOD)
def test_every_accepted_form(jobs: Draft202012Validator, parse: Parse, text: str) -> None:
    result = parse(text, channels=["ops"], sources={"work": {"type": "calendar"}})
    assert [str(error) for error in result.errors] == []
    assert [error.message for error in jobs.iter_errors(read(text, "a.yaml").data)] == []


@pytest.mark.parametrize("text", BAD)
def test_typos(jobs: Draft202012Validator, parse: Parse, text: str) -> None:
    assert parse(text).errors
    assert not jobs.is_valid(read(text, "a.yaml").data)


def test_the_examples(
    jobs: Draft202012Validator, design_job: str, product_job: str, product_hook: str
) -> None:
    for text in (design_job, product_job, product_hook):
        assert jobs.is_valid(read(text, "a.yaml").data)
    assert jobs.is_valid(read('[{"name": "A", "run": "x"}, {"name": "B", "prompt": "y"}]', "a.json").data)


def test_the_front_matter_of_a_prompt(jobs: Draft202012Validator, design_prompt: str) -> None:
    document = read(design_prompt, "a.md")
    assert jobs.is_valid({**document.data, "prompt": document.body})


def test_every_key_is_there_and_explained(catalog: Catalog) -> None:
    job = json_schema(catalog)["$defs"]["job"]["properties"]
    assert [key for key in JOB_KEYS if not job.get(key, {}).get("description")] == []
    config = config_schema(catalog)["properties"]
    assert [key for key in CONFIG_KEYS if not config.get(key, {}).get("description")] == []
    assert all("does not act on it yet" in job[key]["description"] for key in LATER if key in job)


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "limits: {runs: 4, output: 10MB, excerpt: 5, keep_days: 30d}",
        "channels: {ops: {type: slack, webhook: x}, desktop: , slack: {token: x}, telegram: {type: desktop}}",
        "notify: [ops]\nchannels: {ops: {type: desktop}}",
        "sources: {calendar: {calendar: a.ics}, home: {type: calendar}}",
        "agent: {runner: command, command: claude -p, model: opus}",
        "agent: {runner: inbox, command: [claude, -p]}",
        "groups: {llm: 2}\nscripts: {folders: [a]}\nenv_allow: GIT_*\nenv: {A: 1}\nshutdown_grace: 5s\nmax_failures: 0",
        "timezone:\nenv:",
    ],
)
def test_every_accepted_form_of_rota_yaml(configs: Draft202012Validator, catalog: Catalog, text: str) -> None:
    assert parse_config(text, "rota.yaml", catalog).errors == ()
    assert [error.message for error in configs.iter_errors(read(text, "a.yaml").data)] == []


@pytest.mark.parametrize(
    "text",
    [
        "nme: x",
        "limits: {run: 4}",
        "channels: {ops: {webhook: x}}",
        "channels: {desktop: {urgncy: low}}",
        "groups: {a: 0}",
    ],
)
def test_typos_in_rota_yaml(configs: Draft202012Validator, catalog: Catalog, text: str) -> None:
    assert parse_config(text, "rota.yaml", catalog).errors
    assert not configs.is_valid(read(text, "a.yaml").data)

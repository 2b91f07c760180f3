"""What job files and rota.yaml say about agents: read, and told what is wrong with it."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from rota.app.kinds import kinds
from rota.model.agent import OnDenied, Permissions
from rota.model.job import OnInterrupt
from rota.spec import FileResult, config_schema, from_json, json_schema, parse_config, parse_file, to_json
from rota.spec.reader import read

SERVERS = {"files": {"command": "x"}}


def job(text: str, suffix: str = "yaml") -> FileResult:
    return parse_file(text, f".rota/jobs/j.{suffix}", kinds().catalog, servers=SERVERS)


GOOD = [
    "prompt: x\nsystem: .rota/persona.md\nsession: job\ntools: [read, write]\nmcp: [files]",
    "prompt: x\nsystem: false\nsession: {name: planning}\ntools: read\nmcp: files",
    "prompt: x\nmcp: {web: {url: 'https://x.example.com', headers: {A: '${B}'}}, own: {command: y, args: [a]}}",
    "prompt: x\ncontext: weekly planning",
    "prompt: x\ncontext: {query: a, in: notes, since: 7d, budget: 500, files: [a.md], runs: 3}",
    "prompt: x\ncontext: {runs: {job: other, last: 2}}",
    "prompt: x\nschema: {type: object}",
    "steps: [{agent: x, schema: plan.json, budget: {usd: 0.5, tokens: 1000, turns: 5, minutes: 2}}]",
    "prompt: x\npermissions: {run: 'git *', write: [now/**], net: '*', rota: card_create, on_denied: ask}",
    "steps: [{skill: x, input: {a: b}, session: job, on_interrupt: resume}, {context: x, budget: 500}]",
    'steps: [{agent: x, session: {name: "{{ params.a }}"}, budget: {usd: "{{ params.b }}"}}]',
]


@pytest.mark.parametrize("text", GOOD)
def test_it_is_read_and_the_schema_accepts_it(text: str) -> None:
    found = job(text)
    assert [str(error) for error in found.errors] == []
    assert from_json(to_json(found.jobs[0].job)).steps[0].config == found.jobs[0].job.steps[0].config
    problems = Draft202012Validator(json_schema(kinds().catalog)).iter_errors(read(text, "j.yaml").data)
    assert [problem.message for problem in problems] == []


def test_a_markdown_job_has_them_in_its_front_matter() -> None:
    text = "---\ncontext: planning\nsession: job\non_interrupt: resume\npermissions: {write: now/**}\n---\nPlan.\n"
    found = job(text, "md")
    assert [str(error) for error in found.errors] == []
    step = found.jobs[0].job.steps[0]
    assert (step.kind, step.on_interrupt) == ("agent", OnInterrupt.RESUME)
    assert set(step.config) == {"agent", "context", "session", "permissions"}


BAD = [
    ("prompt: x\nsession: jobb\n", "session", "`session` is fresh, job or {name: NAME}", None),
    ("prompt: x\ncontxt: y\n", "contxt", "unknown key", "did you mean `context`?"),
    ("prompt: x\ncontext: {in: notes}\n", "context", "has a `query`, `files` or `runs`", None),
    ("prompt: x\ncontext: {files: a.md, in: notes}\n", "context", "narrow a `query`", None),
    ("prompt: x\ncontext: {query: a, bugdet: 5}\n", "context.bugdet", "unknown key", None),
    ("prompt: x\nschema: {type: objct}\n", "schema.type", "no valid JSON Schema", "json-schema.org"),
    ("prompt: x\nmcp: flies\n", "mcp", "unknown MCP server `flies`", "did you mean `files`?"),
    ("prompt: x\nmcp: {a: {url: x, command: y}}\n", "mcp.a", "either a `command` or a `url`", None),
    ("prompt: x\nmcp: {a: {url: '{{ payload.x }}'}}\n", "mcp", "no templates", None),
    ("prompt: x\npermissions: {run: '{{ params.x }}'}\nparams: [x]\n", "permissions", "no templates", None),
    ("prompt: x\npermissions: {write: ../x}\n", "permissions", "leads out of the workspace", None),
    ("prompt: x\npermissions: {net: 'https://a'}\n", "permissions", "is no host", None),
    ("prompt: x\npermissions: {on_denied: aks}\n", "permissions.on_denied", "expected deny or ask", None),
    ("steps: [{agent: x, budget: {usd: 0}}]\n", "steps.0.budget.usd", "greater than 0", None),
    ("steps: [{agent: x, budget: {euros: 1}}]\n", "steps.0.budget.euros", "unknown key", None),
    ("run: x\non_interrupt: resume\n", "on_interrupt", "this step has none", "`agent` and `skill` steps"),
    ("prompt: x\nrunner: inbox\non_interrupt: resume\n", "on_interrupt", "keeps no conversation", "`ask`"),
]


@pytest.mark.parametrize(("text", "key", "message", "hint"), BAD)
def test_what_is_wrong_is_said_where_it_stands(text: str, key: str, message: str, hint: str | None) -> None:
    (error,) = job(text).errors
    assert (error.key, error.line is not None) == (key, True)
    assert message in error.message
    assert hint is None or hint in (error.hint or "")


def test_the_settings_of_all_agents() -> None:
    text = (
        "agent:\n  system: .rota/who.md\n  mcp:\n    files: {command: x, env: {A: '${B}'}}\n"
        "  permissions: {run: 'git *', on_denied: ask}\n"
    )
    found = parse_config(text, ".rota/rota.yaml", kinds().catalog)
    assert [str(error) for error in found.errors] == []
    assert found.config is not None
    agent = found.config.agent
    assert agent.system == ".rota/who.md"
    assert agent.mcp == {"files": {"command": "x", "env": {"A": "${B}"}}}
    assert agent.permissions == Permissions(run=("git *",), on_denied=OnDenied.ASK)
    problems = Draft202012Validator(config_schema(kinds().catalog)).iter_errors(read(text, "r.yaml").data)
    assert [problem.message for problem in problems] == []


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("agent: {system: ../x}", "agent.system", "a file in the workspace"),
        ("agent: {system: [x]}", "agent.system", "expected text"),
        ("agent: {mcp: [x]}", "agent.mcp", "expected keys with values"),
        ("agent: {mcp: {a: x}}", "agent.mcp.a", "expected keys with values"),
        ("agent: {mcp: {a: {args: [x]}}}", "agent.mcp.a", "either a `command` or a `url`"),
        ("agent: {mcp: {a: {url: '{{ x }}'}}}", "agent.mcp.a", "no templates"),
        ("agent: {permissions: {rum: x}}", "agent.permissions.rum", "unknown key"),
        ("agent: {permissions: git}", "agent.permissions", "expected keys with values"),
    ],
)
def test_what_is_wrong_in_them(text: str, key: str, message: str) -> None:
    (error,) = parse_config(text, ".rota/rota.yaml", kinds().catalog).errors
    assert error.key == key
    assert message in error.message

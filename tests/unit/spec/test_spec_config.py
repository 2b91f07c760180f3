"""rota.yaml, good and bad."""

from __future__ import annotations

import pytest

from rota.model.agent import Caps
from rota.model.budget import Budget, OnOver
from rota.model.config import AgentConfig, IndexConfig, Limits, WorkspaceConfig
from rota.model.job import Notify
from rota.spec import Catalog, parse_config

FULL = """\
name: mine
timezone: Europe/London
limits:
  {runs: 4, output: 10MB, excerpt: 8 KiB, value: 1000, logs: 50MB, state: 1GB, daemon_log: 1.5mb, keep_runs: 50, keep_days: 4w}
groups: {llm: 2}
scripts: {folders: [scripts, tools]}
env_allow: [GIT_*, EDITOR]
env: {COUNT: 3}
channels:
  telegram: {token: "${TOKEN}", chat: "${CHAT}"}
  ops: {type: slack, webhook: "${URL}"}
  desktop:
notify: [ops, {type: desktop, when: failed}]
sources:
  calendar: {calendar: work.ics}
  home: {type: calendar, days: 3}
agent: {runner: command, command: 'claude -p --append "a b"', model: opus, clever: {effort: high}}
index: {include: "*.md", exclude: [drafts/, "!now/"], max_file: 1MB, watch: false, embeddings: models/small}
budget: {usd: 5, per: day, month: {usd: 60}, on_over: pause}
shutdown_grace: 5s
max_failures: 3
"""


def test_everything_that_rota_yaml_says(catalog: Catalog) -> None:
    result = parse_config(FULL, "rota.yaml", catalog)
    assert result.errors == ()
    assert result.config == WorkspaceConfig(
        name="mine",
        timezone="Europe/London",
        limits=Limits(
            runs=4,
            output=10_000_000,
            excerpt=8192,
            value=1000,
            logs=50_000_000,
            state=1_000_000_000,
            daemon_log=1_500_000,
            keep_runs=50,
            keep_days=28.0,
        ),
        groups={"llm": 2},
        script_folders=("scripts", "tools"),
        env_allow=("GIT_*", "EDITOR"),
        env={"COUNT": "3"},
        channels={
            "telegram": {"token": "${TOKEN}", "chat": "${CHAT}"},
            "ops": {"type": "slack", "webhook": "${URL}"},
            "desktop": {},
        },
        notify=(Notify("ops"), Notify("desktop", when="failed")),
        sources={"calendar": {"calendar": "work.ics"}, "home": {"type": "calendar", "days": 3}},
        agent=AgentConfig(
            "command", ("claude", "-p", "--append", "a b"), "opus", settings={"clever": {"effort": "high"}}
        ),
        index=IndexConfig(("*.md",), ("drafts/", "!now/"), 1_000_000, watch=False, embeddings="models/small"),
        budget=Budget(day=Caps(usd=5), month=Caps(usd=60), on_over=OnOver.PAUSE),
        shutdown_grace=5.0,
        max_failures=3,
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n"])
def test_nothing_said_is_the_default(catalog: Catalog, text: str) -> None:
    assert parse_config(text, "rota.yaml", catalog).config == WorkspaceConfig()


@pytest.mark.parametrize(
    ("text", "key", "message", "hint"),
    [
        ("nme: x", "nme", "unknown key", "did you mean `name`?"),
        ("timezone: London", "timezone", "`London` is not a time zone", "Europe/London"),
        ("limits: {runs: 0}", "limits.runs", "from 1 to", None),
        ("limits: {output: big}", "limits.output", "expected a size such as 10MB", None),
        ("limits: {keep_days: 0}", "limits.keep_days", "above 0", None),
        ("limits: 5", "limits", "expected keys with values", None),
        ("groups: {llm: x}", "groups.llm", "expected a whole number", None),
        ("scripts: [a]", "scripts", "expected keys with values", None),
        ("env_allow: [a b]", "env_allow", "no name of an environment variable", "PREFIX_*"),
        ("channels: {ops: {webhook: x}}", "channels.ops", "unknown kind `ops`", None),
        (
            "channels: {ops: {type: slak}}",
            "channels.ops.type",
            "unknown kind `slak`",
            "did you mean `slack`?",
        ),
        ("channels: {telegram: {token: x}}", "channels.telegram", "`chat` is missing", None),
        ("channels: {a b: {type: desktop}}", "channels.a b", "is no name", None),
        ("notify: [ops]", "notify.0.type", "unknown channel `ops`", "use `desktop`"),
        ("sources: {calendar: {dayz: 3}}", "sources.calendar.dayz", "unknown key", "did you mean `days`?"),
        ("agent: {runner: comand}", "agent.runner", "unknown runner `comand`", "did you mean `command`?"),
        ("agent: {runner: command}", "agent", "`command` is missing", None),
        ("agent: {clever: {efort: high}}", "agent.clever.efort", "unknown key", "did you mean `effort`?"),
        ("agent: {clever: {effort: some}}", "agent.clever.effort", "expected", None),
        ("agent: {clevr: {}}", "agent.clevr", "unknown key", "did you mean `clever`?"),
        ("agent: {command: 'a \"b'}", "agent.command", "cannot be split into words", "as a list"),
        ("index: {watch: often}", "index.watch", "expected true or false", None),
        ("index: {exlude: x}", "index.exlude", "unknown key", "did you mean `exclude`?"),
        ("index: {exclude: ['!']}", "index.exclude.0", "`!` is no pattern", ".gitignore"),
        ("max_failures: -1", "max_failures", "from 0 to", None),
        ("- a", None, "expected keys with values", None),
        ("name: {{ x }}", "name", "a value that starts with `{{` must be quoted", 'write `name: "{{ x }}"`'),
        ("name: x: y", None, "a text with `: ` in it must be quoted", None),
    ],
)
def test_mistakes(catalog: Catalog, text: str, key: str | None, message: str, hint: str | None) -> None:
    result = parse_config(text, "rota.yaml", catalog)
    assert result.config is None
    (error,) = result.errors
    assert (error.key, error.file, error.line) == (key, "rota.yaml", 1)
    assert message in error.message
    if hint is not None:
        assert hint in (error.hint or "")


def test_all_errors_in_one_go_and_no_secret_in_them(catalog: Catalog) -> None:
    result = parse_config(
        "nme: x\nchannels:\n  telegram: {token: 12345, chat: 1}\nmax_failures: x\n", "rota.yaml", catalog
    )
    assert [error.line for error in result.errors] == [1, 3, 4]
    assert "12345" not in str(result.errors)

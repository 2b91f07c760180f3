"""The docs are complete and their examples are right: what is not in them, or wrong in them, fails here."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from rota.app.desk import all_tools
from rota.app.kinds import kinds
from rota.channels.registry import CHANNELS
from rota.cli.main import COMMANDS
from rota.model.failures import WORDS
from rota.runners.registry import RUNNERS
from rota.schedule.parse import NAMES
from rota.sources.registry import SOURCES
from rota.spec import budgets, later, notify, parse_config, parse_file, policies
from rota.spec.agents_policy import AGENTS_KEYS
from rota.spec.config import AGENT_KEYS, BOARD_KEYS, CONFIG_KEYS, INDEX_KEYS, LIMIT_KEYS
from rota.spec.evidence import KINDS
from rota.spec.job import JOB_KEYS
from rota.spec.lint import KNOWN_NAMES
from rota.spec.models import keys_of
from rota.spec.prices import PRICE_KEYS, parse_prices
from rota.spec.steps import COMMON_KEYS
from rota.spec.triggers import READERS
from rota.spec.web import WEB_KEYS
from rota.spec.webhooks import SCHEMES, WEBHOOK_KEYS
from rota.steps.registry import STEPS
from rota.templates.filters import all_filters

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Channels that the examples take from a rota.yaml that stands beside them.
NAMED = {"team": {"type": "slack"}}


@dataclass(frozen=True)
class Example:
    """A fenced block: `place` is page and line."""

    place: str
    language: str
    text: str


@cache
def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text("utf-8")


def examples(*languages: str) -> Iterator[Example]:
    """Every fenced block in one of the languages."""
    for path in PAGES:
        text = path.read_text("utf-8")
        for found in _FENCED.finditer(text):
            if found[1] in languages:
                line = text.count("\n", 0, found.start()) + 1
                yield Example(f"{path.relative_to(ROOT)}:{line}", found[1], found[2])


def section(name: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above; fails when there is none."""
    text = _FENCED.sub(lambda m: re.sub(r"^#", " #", m[0], flags=re.MULTILINE), page(name))
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found is not None, f"{name} has no heading `{heading}`"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> set[str]:
    """What stands in backticks in the first column of the tables of a text."""
    cells = re.findall(r"^\|((?:\\\||[^|])*)\|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def anchors(text: str) -> set[str]:
    """The ids that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _ids(item: object) -> str | None:
    return item.place if isinstance(item, Example) else None


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_imports_has_help_and_a_heading(command: str) -> None:
    module, _line, part = COMMANDS[command]
    found = getattr(importlib.import_module(f"rota.cli.{module}"), f"{command}_command")
    assert isinstance(found, click.Command)
    assert found.help
    assert f"\n### `{command}`\n" in section("docs/cli.md", part)


@pytest.mark.parametrize("group", ["card", "inbox", "secret", "source", "token"])
def test_every_command_of_a_group_is_named(group: str) -> None:
    found = getattr(importlib.import_module(f"rota.cli.{COMMANDS[group][0]}"), f"{group}_command")
    assert isinstance(found, click.Group)
    text = section("docs/cli.md", f"`{group}`")
    assert [name for name in found.commands if f"`{group} {name}" not in text] == []


@pytest.mark.parametrize("kind", STEPS)
def test_every_step_kind_has_a_heading_its_keys_and_an_example(kind: str) -> None:
    text = section("docs/job-file.md", f"`{kind}`")
    assert keys_of(STEPS[kind].params) - rows(text) == set()
    assert re.search(rf"^\s*(- )?{kind}:", text, re.MULTILINE), "it has no example"


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_has_a_heading_and_its_keys(kind: str) -> None:
    text = section("docs/sources.md", f"`{kind}`")
    assert _said_keys(SOURCES[kind].params) - rows(text) == set()
    assert re.search(rf"\b(pull|type): {kind}\b", text), "it has no example"


@pytest.mark.parametrize("kind", CHANNELS)
def test_every_channel_has_a_heading_its_keys_and_an_example(kind: str) -> None:
    text = section("docs/notifications.md", f"`{kind}`")
    assert _said_keys(CHANNELS[kind].params) - rows(text) == set()
    assert f"type: {kind}" in text


@pytest.mark.parametrize("kind", RUNNERS)
def test_every_runner_has_a_heading(kind: str) -> None:
    assert section("docs/agents.md", f"`{kind}`").strip()


@pytest.mark.parametrize("kind", READERS)
def test_every_trigger_has_a_heading(kind: str) -> None:
    text = section("docs/job-file.md", f"`{kind}`")
    assert text.strip()
    assert text.strip().startswith("Read, but") == (f"on.{kind}" in later.LATER)


@pytest.mark.parametrize("tool", all_tools())
def test_every_tool_for_agents_is_told_of(tool: str) -> None:
    assert tool in rows(section("docs/mcp.md", "Tools"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_way_to_verify_is_told_of(scheme: str) -> None:
    text = section("docs/webhooks.md", "Who may call")
    assert f"verify: {scheme}" in text or f"| `{scheme}` |" in text


@pytest.mark.parametrize(
    ("name", "heading", "keys"),
    [
        ("docs/job-file.md", "Keys of a job", JOB_KEYS),
        ("docs/job-file.md", "Steps", COMMON_KEYS),
        ("docs/job-file.md", "Retry", policies.RETRY_KEYS),
        ("docs/job-file.md", "Failures", [*WORDS]),
        ("docs/job-file.md", "Evidence", [*KINDS, *(key for keys in KINDS.values() for key in keys)]),
        ("docs/job-file.md", "Limits", policies.LIMIT_KEYS),
        ("docs/job-file.md", "Parameters", policies.PARAM_KEYS),
        ("docs/job-file.md", "Templates", KNOWN_NAMES),
        ("docs/notifications.md", "Notifications", notify.COMMON_KEYS),
        ("docs/configuration.md", "Configuration", CONFIG_KEYS),
        ("docs/configuration.md", "Limits", LIMIT_KEYS),
        ("docs/configuration.md", "Agent", AGENT_KEYS),
        ("docs/configuration.md", "Agents", AGENTS_KEYS),
        ("docs/configuration.md", "Index", INDEX_KEYS),
        ("docs/budgets.md", "Caps", budgets.CAPS),
        ("docs/budgets.md", "Keys", budgets.BUDGET_KEYS),
        ("docs/budgets.md", "Prices", PRICE_KEYS),
        ("docs/configuration.md", "Board", BOARD_KEYS),
        ("docs/schedules.md", "Names", [*NAMES, "@reboot", "manual"]),
        ("docs/configuration.md", "Web", WEB_KEYS),
        ("docs/webhooks.md", "Keys", WEBHOOK_KEYS),
        ("docs/cli.md", "Environment variables", ["ROTA_WORKSPACE", "ROTA_PORT", "ROTA_DEBUG", "NO_COLOR"]),
    ],
)
def test_every_key_has_a_row(name: str, heading: str, keys: object) -> None:
    assert isinstance(keys, tuple | list | frozenset)
    assert set(keys) - rows(section(name, heading)) == set()


def test_keys_that_are_not_acted_on_yet_are_said_to_be_so() -> None:
    text = section("docs/job-file.md", "Keys of a job")
    for key in later.READERS:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{key}` |"))
        assert ("not acted on yet" in row) == (key in later.LATER)


def test_every_filter_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", section("docs/job-file.md", "Filters")))
    assert set(all_filters()) - named == set()


def test_every_variable_of_a_step_is_named() -> None:
    source = (ROOT / "src/rota/engine/environment.py").read_text("utf-8")
    given = set(re.findall(r'"(ROTA_\w+)":', source)) | {"ROTA_OUTPUT"}
    assert given - rows(section("docs/job-file.md", "Environment")) == set()


def test_every_crash_point_is_named() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")]
    points = {name for text in texts for name in re.findall(r'crash_point\("([^"]+)"\)', text)}
    assert points ^ rows(section("docs/architecture.md", "Crashes")) == set()


@pytest.mark.parametrize("example", [*examples("yaml", "markdown", "json")], ids=_ids)
def test_every_example_is_right(example: Example) -> None:
    catalog = kinds().catalog
    if example.text.startswith("# .rota/rota.yaml"):
        config = parse_config(example.text, ".rota/rota.yaml", catalog)
        assert ([str(error) for error in config.errors], list(config.warnings)) == ([], [])
        return
    if example.text.startswith("# .rota/prices.yaml"):
        assert parse_prices(example.text, ".rota/prices.yaml").errors == ()
        return
    suffix = {"yaml": ".yaml", "markdown": ".md", "json": ".json"}[example.language]
    # Examples that show a part of a job are read as the whole job that they would be with something to do.
    text = example.text
    if example.language == "yaml" and not re.search(r"^(steps|run|prompt|script|http):", text, re.MULTILINE):
        text += "run: 'true'\n"
    result = parse_file(text, f".rota/jobs/example{suffix}", catalog, channels=NAMED)
    assert [str(error) for error in result.errors] == []
    assert [warning for job in result.jobs for warning in job.warnings] == []


def test_every_python_example_compiles() -> None:
    for example in examples("python"):
        compile(example.text, example.place, "exec")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", path.read_text("utf-8"))):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        place = (path.parent / target).resolve() if target else path
        assert place.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(place.read_text("utf-8")), f"{link}: no such heading"


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", page("README.md")))
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")}
    assert there - linked == set()


def _said_keys(model: type[BaseModel]) -> set[str]:
    """The keys as a file says them: the alias where there is one."""
    return {field.alias or name for name, field in model.model_fields.items()}

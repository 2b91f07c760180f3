"""The transcripts of the docs, run as they stand. `$ command  # exit N`: it ends with N instead of 0."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rota.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)$")
TIMEOUT = 60


@dataclass(frozen=True)
class Command:
    """One `$` line, and what the page shows below it."""

    line: str
    code: int
    shown: str


def commands(name: str) -> list[Command]:
    """Every command of a page's transcripts, in order."""
    found: list[Command] = []
    for block in _BLOCK.findall((ROOT / name).read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            code = _EXIT.search(line)
            found.append(Command(_EXIT.sub("", line), int(code[1]) if code else 0, shown))
    return found


def environment(home: Path) -> dict[str, str]:
    """That of a person who has rota on PATH and nothing else set up."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ROTA_", "COVERAGE_"))}
    return {
        **env,
        "PATH": f"{BIN}{os.pathsep}{env['PATH']}",
        "HOME": str(home),
        "NO_COLOR": "1",
        "ROTA_PORT": "0",
    }


def run(page: str, folder: Path, patch: pytest.MonkeyPatch, *, check_output: bool = False) -> None:
    """Run a page's commands one after the other, as in one terminal; `cd` stays in force."""
    env = environment(folder)
    patch.chdir(folder)
    for name in set(os.environ) - set(env):
        patch.delenv(name)
    for name, value in env.items():
        patch.setenv(name, value)
    try:
        for command in commands(page):
            if command.line.startswith("cd "):
                patch.chdir(command.line[3:].strip())
                continue
            code, printed = here(command.line) if is_light(command.line) else in_a_shell(command.line)
            place = f"{page}: $ {command.line}\n{printed}"
            assert code == command.code, f"{place}\nexit code {code}, not {command.code}"
            if check_output and command.shown:
                assert printed == command.shown, place
    finally:
        in_a_shell("rota down")


def is_light(line: str) -> bool:
    """Whether a command starts no processes, so that it need not be one itself: that takes most of its time."""
    words = shlex.split(line)
    joined = {"|", "||", "&&"} & set(words)
    return (
        words[0] == "rota"
        and words[1] not in {"up", "run", "rerun", "tick", "inbox", "approve", "deny"}
        and not joined
    )


def here(line: str) -> tuple[int, str]:
    """Exit code and what is printed by a `rota` command, called in this process as the `rota` script calls it."""
    out, argv = io.StringIO(), sys.argv
    sys.argv = shlex.split(line)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        sys.argv = argv
    return code, out.getvalue()


def in_a_shell(line: str) -> tuple[int, str]:
    """The same for any command line."""
    done = subprocess.run(
        ["sh", "-c", line], text=True, timeout=TIMEOUT, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_every_command_of_the_reference_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("docs/cli.md", tmp_path, monkeypatch)


def test_the_quick_start_makes_a_job_that_fires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """README alone: the job has fired by the time that the page says so."""
    run("README.md", tmp_path, monkeypatch)
    code, ledger = here(f"rota -w {tmp_path / 'desk'} why hello")
    assert code == 0
    assert "ran: started when due" in ledger


def test_the_guide_on_agents_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of its example are there; what the example's second run was told is on the page, too."""
    assert here(f"rota init {tmp_path}")[0] == 0
    text = (ROOT / "docs/agents.md").read_text("utf-8")
    example = text[text.index("## An example\n") :].partition("\n## ")[0]
    files = re.findall(r"^```(?:yaml|sh)\n# (\S+)\n(.*?)^```", example, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["agent.sh", ".rota/rota.yaml", ".rota/jobs/week.yaml"]
    for name, content in files:
        (tmp_path / name).write_text(content)
    run("docs/agents.md", tmp_path, monkeypatch)
    diary = "A week in the garden, 1 left\nA week in the garden, 1 left\n"
    assert (tmp_path / "now/diary.md").read_text() == diary
    assert len(set((tmp_path / "conversations.txt").read_text().splitlines())) == 1
    prompt = (tmp_path / "last-prompt.txt").read_text()
    for part in (
        "Planted the tomatoes",
        "Garden. Attic.",
        "what `week` put out",
        '"the attic"',
        "JSON Schema",
    ):
        assert part in prompt


@pytest.mark.parametrize("page", ["docs/mcp.md", "docs/migrating.md", "docs/search.md", "docs/webhooks.md"])
def test_the_commands_of_guides_work_in_a_workspace(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert here(f"rota init {tmp_path}")[0] == 0
    run(page, tmp_path, monkeypatch)


def with_first_example(page: str, folder: Path) -> None:
    """A workspace with the file that is the page's first example."""
    assert here(f"rota init {folder}")[0] == 0
    found = re.search(
        r"^```yaml\n# (\S+)\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    (folder / found[1]).write_text(found[2])


def test_the_guide_on_the_board_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is the page's first example: however often it runs, there is one card for the day."""
    with_first_example("docs/board.md", tmp_path)
    run("docs/board.md", tmp_path, monkeypatch)
    code, listed = here(f"rota -w {tmp_path} card list --tag ops --json")
    assert code == 0
    (card,) = json.loads(listed)
    assert re.fullmatch(r"The disk is \d+ % full", card["title"])
    assert card["created_by"]["job"] == "disk"


def test_the_guide_on_approvals_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is the page's first example; the run that was approved has sent it, the one that was denied has not."""
    with_first_example("docs/approvals.md", tmp_path)
    run("docs/approvals.md", tmp_path, monkeypatch)
    assert (tmp_path / "sent.txt").read_text() == "Monday, call Priya. Tuesday, the attic.\n"
    assert re.fullmatch(r"The plan is out, said \S+\. Reads well\.\n?", (tmp_path / "told.txt").read_text())
    code, history = here(f"rota -w {tmp_path} history weekly-plan --json")
    assert code == 0
    assert "Not while Priya is away." in history


def test_rota_next_prints_what_the_page_on_schedules_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(command.shown for command in commands("docs/schedules.md"))
    run("docs/schedules.md", tmp_path, monkeypatch, check_output=True)

"""The gate before the tools of other people's clients, as a function and as the program that they start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rota.model.agent import NOTHING, Denial, OnDenied, Permissions
from rota.runners import _gate
from rota.runners._gate import denials_in, refusal_of, rules_of

SOME = Permissions(run=("git *",), write=("now/**",), net=("example.com",))


def patch(*files: str, delimiter: str = "'EOF'", more: str = "") -> str:
    changes = "".join(f"*** Add File: {file}\n+text\n" for file in files)
    return f"apply_patch <<{delimiter}\n*** Begin Patch\n{changes}*** End Patch\nEOF{more}"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".rota/jobs").mkdir(parents=True)
    (tmp_path / ".rota/secrets.json").write_text("{}")
    (tmp_path / "now").mkdir()
    (tmp_path / "notes.md").write_text("notes\n")
    (tmp_path / "leads-out").symlink_to("/etc")
    (tmp_path / "now/link").symlink_to(tmp_path / ".rota/secrets.json")
    return tmp_path


def refusal(
    workspace: Path, tool: str, given: dict[str, Any], permissions: Permissions = SOME, *grants: Denial
) -> str | None:
    return refusal_of(tool, given, rules_of(workspace, permissions, grants, ("wiki",)), workspace)


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("Bash", {"command": "git status"}),
        ("Bash", {"command": "cat notes.md | head -3 && ls -la"}),
        ("Bash", {"command": "sed -n 1,20p notes.md"}),
        ("Bash", {"command": patch("now/a.md", "now/b.md")}),
        ("apply_patch", {"command": "*** Begin Patch\n*** Delete File: now/a.md\n*** End Patch"}),
        ("Write", {"file_path": "now/a.md"}),
        ("Read", {"file_path": "notes.md"}),
        ("Grep", {"pattern": "x"}),
        ("WebFetch", {"url": "https://example.com/a?b"}),
        ("mcp__wiki__look", {}),
        ("StructuredOutput", {"mood": "good"}),
    ],
)
def test_what_is_allowed_passes(workspace: Path, tool: str, given: dict[str, Any]) -> None:
    assert refusal(workspace, tool, given) is None


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("Bash", {"command": "rm -rf now"}),
        ("Bash", {"command": "git status; rm -rf now"}),
        ("Bash", {"command": "git log > notes.md"}),
        ("Bash", {"command": "cat .rota/secrets.json"}),
        ("Bash", {"command": "cat now/link"}),
        ("Bash", {"command": "cat leads-out/passwd"}),
        ("Bash", {"command": "cat /etc/passwd"}),
        ("Bash", {"command": "cat .rota/s*"}),
        ("Bash", {"command": "cat $HOME/.ssh/id"}),
        ("Bash", {"command": "sed -n 1w/etc/x notes.md"}),
        ("Bash", {"command": "sed -i s/a/b/ notes.md"}),
        ("Bash", {"command": "wc --files0-from=.rota/secrets.json"}),
        ("Bash", {"command": patch("notes.md")}),
        ("Bash", {"command": patch("now/a.md", "notes.md")}),
        ("Bash", {"command": patch("now/../notes.md")}),
        ("Bash", {"command": patch("now/a.md", delimiter="EOF")}),
        ("Bash", {"command": patch("now/a.md", more="\nrm -rf now\nEOF")}),
        ("Bash", {"command": patch("now/a.md", more="; rm -rf now")}),
        ("Bash", {"command": "apply_patch <<'EOF'\nEOF"}),
        ("Write", {"file_path": "notes.md"}),
        ("Write", {"file_path": "/etc/passwd"}),
        ("Edit", {"file_path": "now/link"}),
        ("Write", {}),
        ("Read", {"file_path": ".rota/secrets.json"}),
        ("Read", {"file_path": "now/link"}),
        ("Read", {"file_path": "/etc/passwd"}),
        ("Grep", {"pattern": "x", "path": ".."}),
        ("WebFetch", {"url": "https://example.com.evil.net/"}),
        ("WebFetch", {"url": "https://evil.net/#example.com"}),
        ("WebSearch", {"query": "x"}),
        ("mcp__other__look", {}),
        ("Task", {"prompt": "do it for me"}),
    ],
)
def test_what_is_not_allowed_does_not(workspace: Path, tool: str, given: dict[str, Any]) -> None:
    assert refusal(workspace, tool, given)


def test_reading_the_workspace_needs_no_permission_and_nothing_else_goes_without(workspace: Path) -> None:
    assert refusal(workspace, "Read", {"file_path": str(workspace / "notes.md")}, NOTHING) is None
    assert refusal(workspace, "Bash", {"command": "git status"}, NOTHING)
    assert refusal(workspace, "Write", {"file_path": "now/a.md"}, NOTHING)


@pytest.mark.parametrize(
    ("tool", "given", "grant"),
    [
        ("Bash", {"command": "make all"}, Denial("run", "make all")),
        ("Write", {"file_path": "notes.md"}, Denial("write", "notes.md")),
        ("WebFetch", {"url": "http://other.org:8080/"}, Denial("net", "other.org:8080")),
        ("Read", {"file_path": "/etc/passwd"}, Denial("read", "/etc/passwd")),
        ("Bash", {"command": patch("notes.md")}, Denial("write", "notes.md")),
    ],
)
def test_what_a_person_allowed_passes(
    workspace: Path, tool: str, given: dict[str, Any], grant: Denial
) -> None:
    assert refusal(workspace, tool, given, SOME)
    assert refusal(workspace, tool, given, SOME, grant) is None


def ask(rules: Path, asked: dict[str, Any] | str) -> tuple[int, dict[str, Any], str]:
    """Start the program as a client does: without the environment that this test has."""
    text = asked if isinstance(asked, str) else json.dumps(asked)
    done = subprocess.run(
        [sys.executable, "-IS", str(_gate.__file__), str(rules)],
        input=text, capture_output=True, text=True, env={}, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout or "{}").get("hookSpecificOutput", {}), done.stderr


def test_the_program_allows_refuses_and_writes_down_what_it_refused(workspace: Path) -> None:
    told, rules = workspace / "told.jsonl", workspace / "rules.json"
    rules.write_text(json.dumps(rules_of(workspace, SOME, (), (), told=str(told))))
    use = {"tool_name": "Bash", "tool_input": {"command": "git log"}, "cwd": str(workspace)}
    assert ask(rules, use)[:2] == (0, {"hookEventName": "PreToolUse", "permissionDecision": "allow"})
    code, said, _ = ask(rules, {**use, "tool_input": {"command": "make all"}})
    assert (code, said["permissionDecision"]) == (0, "deny")
    assert said["permissionDecisionReason"].startswith("denied by rota: `make all` is not among")
    ask(rules, {**use, "tool_input": {"command": patch("notes.md")}})
    assert denials_in(told) == [Denial("run", "make all"), Denial("write", "notes.md")]


def test_the_agent_is_told_to_stop_where_a_person_is_asked(workspace: Path) -> None:
    rules = workspace / "rules.json"
    asking = Permissions(on_denied=OnDenied.ASK)
    rules.write_text(json.dumps(rules_of(workspace, asking, (), ())))
    use = {"tool_name": "Bash", "tool_input": {"command": "make"}, "cwd": str(workspace)}
    assert "put before a person" in ask(rules, use)[1]["permissionDecisionReason"]


@pytest.mark.parametrize("asked", ["", "no json", "{}", '{"tool_name": "Bash", "cwd": 3}'])
def test_a_gate_that_fails_stays_shut(workspace: Path, asked: str) -> None:
    rules = workspace / "rules.json"
    rules.write_text(json.dumps(rules_of(workspace, SOME, (), ())))
    code, said, words = ask(rules, asked)
    assert (code, said) == (2, {})
    assert words.startswith("denied by rota: the gate failed")
    assert ask(workspace / "nothing.json", asked)[0] == 2

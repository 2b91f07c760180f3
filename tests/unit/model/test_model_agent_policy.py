"""What an agent may do: the patterns of `permissions:`, and the tricks that must not get around them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.model.agent import NOTHING, Denial, Permissions
from rota.model.agent_policy import (
    allows_command,
    allows_host,
    allows_read,
    allows_tool,
    allows_write,
    command_refusal,
    is_public,
    only_by_star,
    plain_argv,
)
from rota.model.shell_lines import UnclearError, take_apart

GIT = Permissions(run=("git *", "make check", "npm run *"))


@pytest.mark.parametrize(
    "line",
    [
        "git",
        "git status",
        "  git   log --oneline -n 5 ",
        "git commit -m 'two words; and a semicolon'",
        'git commit -m "a message\nof two lines"',
        "git log | git apply",
        "git add . && git commit -m x || git status; git push;",
        "git status\n\ngit diff\n",
        "git \\\n  status",
        "git status 2>/dev/null",
        "git status >/dev/null 2>&1",
        "git status &>/dev/null && git diff",
        "git show HEAD@{1} -- notes/*.md ~/x",
        'git commit -m "costs 5$"',
        "git log --format=%h#1",
        "make check",
        "npm run build -- --fast",
    ],
)
def test_a_line_is_allowed_when_each_of_its_commands_is(line: str) -> None:
    assert command_refusal(GIT, line) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "gitk",
        "git-evil status",
        "make check all",
        "make",
        "rm -rf x",
        "git status; rm -rf x",
        "git status && rm -rf x",
        "git status | sh",
        "git status\nrm -rf x",
        "git status & rm -rf x",
        "git status &",
        "git status |& cat",
        "git log $(rm -rf x)",
        'git log "$(rm -rf x)"',
        "git log `rm -rf x`",
        'git log "`rm -rf x`"',
        "git log ${IFS}x",
        "git$IFS status",
        "git log $'\\n' x",
        "git log > notes.md",
        "git log >> notes.md",
        "git log 2> notes.md",
        "git log >&notes.md",
        "git log >&1x",
        "git log >/dev/null/../../tmp/x",
        "git log &> notes.md",
        "git apply < patch",
        "git apply <<< x",
        "git diff <(ls)",
        "(git status)",
        "git status #' \nrm -rf x # '",
        "git status '",
        'git status "',
        "git status \\",
        "GIT_SSH_COMMAND=evil git fetch",
        "LD_PRELOAD=x.so git status",
        "A+=x git status",
        "time git status",
        "'git status' x",
        '"git" status; rm x',
        "git st\0atus",
        "git status\r\nrm x",
        "git status ;; rm x",
        "&& git status",
        "git status ||",
        "; git status",
        "{rm,-rf,x}",
        "/bin/gi? status",
        "{ git status; }",
        "if git status; then rm x; fi",
        "npm test",
    ],
)
def test_everything_else_is_not(line: str) -> None:
    assert not allows_command(GIT, line)


def test_a_trailing_star_is_nothing_or_whole_words() -> None:
    assert allows_command(Permissions(run=("npm run *",)), "npm run")
    assert not allows_command(Permissions(run=("npm run *",)), "npm runx")
    assert allows_command(Permissions(run=("pytest*",)), "pytest-3 -q")


def test_nothing_is_allowed_unless_it_is_said() -> None:
    assert not allows_command(NOTHING, "ls")
    assert not allows_write(NOTHING, "a.md")
    assert not allows_host(NOTHING, "example.com")


def test_a_star_alone_means_every_command() -> None:
    everything = Permissions(run=("*",))
    assert allows_command(everything, "for f in *; do echo $f > $f.txt; done")
    assert not allows_command(everything, " ")


def test_a_word_with_a_space_does_not_pass_for_two() -> None:
    permissions = Permissions(run=("tool safe *", 'say "good morning"'))
    assert allows_command(permissions, "tool safe x")
    assert not allows_command(permissions, "tool 'safe x'")
    assert allows_command(permissions, "say 'good morning'")
    assert not allows_command(permissions, "say good morning")


def test_a_variable_before_a_command_has_to_stand_in_the_pattern() -> None:
    permissions = Permissions(run=("LANG=C git *", "*pytest*"))
    assert allows_command(permissions, "LANG=C git log")
    assert not allows_command(permissions, "LANG=D git log")
    assert not allows_command(permissions, "LD_PRELOAD=x pytest")


def test_what_a_person_allowed_is_that_line_and_no_other() -> None:
    grants = (Denial("run", "rm -rf build && make > log"), Denial("run", "rm x"), Denial("write", "ls"))
    assert allows_command(GIT, " rm -rf build && make > log", grants)
    assert allows_command(GIT, "rm x && git status", grants)
    assert not allows_command(GIT, "rm -rf build", grants)
    assert not allows_command(GIT, "ls", grants)


def test_the_agent_is_told_why() -> None:
    assert command_refusal(GIT, "git status; rm x") == "`rm x` is not among the commands that are allowed"
    assert command_refusal(GIT, "git log $(x)") == (
        "the line cannot be taken apart: `$(`; give one plain command at a time"
    )
    assert "a redirect to a file" in (command_refusal(GIT, "git log > x") or "")


def test_a_line_that_needs_no_shell_has_its_argv() -> None:
    assert plain_argv("git commit -m 'a b; c'") == ("git", "commit", "-m", "a b; c")
    assert plain_argv('say "a \\" b"') == ("say", 'a " b')
    for line in (
        'say "costs \\$5"',
        "git add *.md",
        "git status; ls",
        "git log 2>&1",
        "A=b git log",
        "ls ~",
        "echo $HOME",
        "'",
    ):
        assert plain_argv(line) is None


WORDS = st.text("ab ;&|<>()$`'\"\\#*?{}~=\n\t!2", max_size=12)


@settings(deadline=None, max_examples=60)
@given(WORDS)
def test_a_shell_agrees_about_what_was_taken_apart(tail: str) -> None:
    """Whatever is appended to a harmless command: where the line counts as one plain command, sh sees its words."""
    line = f"printf %s\\\\n {tail}"
    argv = plain_argv(line)
    if argv is None:
        return
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False, env={})
    assert done.stdout.split("\n") == [*"\n".join(argv[2:] or [""]).split("\n"), ""]


def test_it_says_what_is_in_the_way() -> None:
    with pytest.raises(UnclearError, match="a comment"):
        take_apart("ls # x")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("now/plan.md", True),
        ("./now//deep/plan.md", True),
        ("README.md", False),
        ("now", False),
        ("now/", False),
        ("now/../README.md", False),
        ("/etc/passwd", False),
        ("~/x", False),
        ("now/a\0b", False),
        ("now\\..\\x", False),
        ("now/.hidden", False),
        ("now/.git/hooks/pre-commit", False),
        ("now/.GIT/config", False),
        (".rota/rota.yaml", False),
        (".ROTA/jobs/output/x.md", False),
        (".rota/jobs/x.yaml", False),
        (".rota/jobs/output/x.md", True),
        (".rota/jobs/output", False),
        (".rota/secrets.json", False),
        (".rota/agents/builtin/x.json", False),
        ("sub/.rota/state.db", False),
        ("log.txt", True),
        ("other.txt", False),
        ("", False),
    ],
)
def test_paths_that_may_be_written(path: str, allowed: bool) -> None:
    permissions = Permissions(
        write=("now/**", ".rota/jobs/output/**", ".rota/**", "../**", "/etc/*", "sub/", "log.{txt,md}")
    )
    assert allows_write(permissions, path) is allowed


def test_everything_is_every_file_but_hidden_ones_and_rotas_own() -> None:
    everything = Permissions(write=("**",))
    assert allows_write(everything, "a/b/c.md")
    assert not allows_write(everything, ".rota/jobs/x.yaml")
    assert not allows_write(everything, ".env")
    assert allows_write(Permissions(write=(".env",)), ".env")


def test_a_granted_path_is_that_path_and_never_rotas_own() -> None:
    grants = (Denial("write", "./a.md"), Denial("write", ".rota/rota.yaml"), Denial("run", "b.md"))
    assert allows_write(NOTHING, "a.md", grants)
    assert not allows_write(NOTHING, "b.md", grants)
    assert not allows_write(NOTHING, ".rota/rota.yaml", grants)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("notes/a.md", True),
        (".", True),
        (".env", True),
        (".rota/jobs/brief.md", True),
        (".rota/skills/x/SKILL.md", True),
        (".rota/persona.md", True),
        (".rota/secrets.json", False),
        (".rota/Secrets.json", False),
        (".rota/state.db-wal", False),
        (".rota/agents/claude/x", False),
        (".rota/rota.yaml", False),
        (".rota/daemon.log", False),
        ("sub/../.rota/secrets.json", False),
        ("./.rota/./secrets.json", False),
        ("../x", False),
        ("/etc/passwd", False),
    ],
)
def test_paths_that_may_be_read(path: str, allowed: bool) -> None:
    assert allows_read(path) is allowed


NET = Permissions(net=("api.example.com", "*.sub.org", "localhost:8080", "[::1]"))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example.com", True),
        ("API.Example.COM.", True),
        ("api.example.com:8443", True),
        ("example.com", False),
        ("api.example.com.evil.org", False),
        ("evil-api.example.com", False),
        ("a.sub.org", True),
        ("a.b.sub.org", True),
        ("sub.org", False),
        ("evilsub.org", False),
        ("localhost:8080", True),
        ("localhost", False),
        ("localhost:80", False),
        ("[::1]:99", True),
        ("user@api.example.com", False),
        ("api.example.com/x", False),
        ("", False),
    ],
)
def test_hosts_that_may_be_asked(host: str, allowed: bool) -> None:
    assert allows_host(NET, host) is allowed


def test_a_star_means_every_public_host() -> None:
    everything = Permissions(net=("*",))
    assert allows_host(everything, "example.com")
    assert allows_host(everything, "1.1.1.1")
    near = (
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "10.0.0.3",
        "169.254.169.254",
        "[::1]",
    )
    assert [
        host
        for host in (*near, "printer", "nas.local", "[::ffff:127.0.0.1]")
        if allows_host(everything, host)
    ] == []
    assert allows_host(Permissions(net=("*", "127.0.0.1")), "127.0.0.1:80")


def test_where_a_name_leads_matters_when_only_the_star_allows_it() -> None:
    both = Permissions(net=("*", "intranet.example.com"))
    assert only_by_star(both, "example.org")
    assert not only_by_star(both, "intranet.example.com")
    assert not only_by_star(NOTHING, "x.org", (Denial("net", "x.org"),)) or not allows_host(NOTHING, "x.org")
    assert is_public("1.1.1.1")
    assert not is_public("::ffff:10.0.0.1")
    assert not is_public("example.com")


def test_rotas_own_tools() -> None:
    named = Permissions(rota=("card_*",))
    assert allows_tool(named, "card_create", looks=False)
    assert not allows_tool(named, "job_propose", looks=False)
    assert allows_tool(named, "job_list", looks=True)
    assert allows_tool(NOTHING, "job_propose", looks=False)
    assert allows_tool(named, "job_propose", looks=False, grants=(Denial("job_propose", "{}"),))

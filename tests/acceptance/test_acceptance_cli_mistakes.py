"""Every mistake of a new user: one clear line, a hint, a non-zero exit, nothing on stdout; and nothing else stops."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.rota import Rota, eventually, new_workspace, run_here

GOOD = "schedule: daily\nsteps:\n  - run: echo good\n"

# What is typed, what the message has to name, what the hint has to offer, the exit code.
TYPED: list[tuple[list[str], str, str, int]] = [
    (["add", "a", "-s", "61 * * * *", "--run", "x"], "bad minute `61`", "0-59", 1),
    (["add", "a", "-s", "0 8 * *", "--run", "x"], "cron has 5", "0 8 * * *", 1),
    (["add", "a", "-s", "every 5", "--run", "x"], "no unit", "5m", 1),
    (["add", "a", "-s", "dayly", "--run", "x"], "`dayly` is no schedule", "`daily`", 1),
    (
        ["add", "a", "-s", "daily", "--tz", "Europe/Londn", "--run", "x"],
        "not a time zone",
        "Europe/London",
        1,
    ),
    (
        ["add", "a", "--script", "scripts/nope.sh"],
        "there is no script 'scripts/nope.sh'",
        "scripts/tidy.sh",
        1,
    ),
    (["add", "a", "--script", "/etc/passwd"], "leads out of the workspace", "relative to the workspace", 1),
    (["add", "a", "--run", "x", "--output", "/tmp/x.md"], "leads out of the workspace", "relative", 1),
    (["add", "a", "--run", "x", "--output", "../x.md"], "leads out of the workspace", "relative", 1),
    (["add", "a", "--run", "echo {{ nope }}"], "`nope` is not defined", "rota", 1),
    (["add", "a", "--run", "echo {{ steps.b.output }}"], "there is no step `b`", "rota", 1),
    (["add", "a", "--run", "x", "--set", "overlap=sometimes"], "skip, queue, cancel-running", "rota", 1),
    (["add", "a", "--run", "x", "--set", "scedule=daily"], "unknown key", "schedule", 1),
    (["add", "a", "--run", "x", "--set", "daily"], "KEY=VALUE", "--set overlap=allow", 2),
    (["add", "a", "--run", "x", "--notify", "pigeon"], "unknown channel `pigeon`", "`desktop`", 1),
    (["add", "a"], "given: none", "rota add tidy", 2),
    (["add", "a", "--run", "x", "--prompt", "y"], "--run and --prompt", "rota add tidy", 2),
    (["add", "A B", "--run", "x"], "cannot be a job's id", "a-b", 1),
    (["add", "good", "--run", "x"], "there is a job `good` already", "rota edit good", 4),
    (["add", "a", "--config", "none.yaml"], "No such file", "path", 1),
    (["edit", "good", "--set", "schedule=dayly"], "`dayly` is no schedule", "`daily`", 1),
    (["edit", "good", "--set", "steps=[]"], "at least one step", "git fetch", 1),
    (["show", "goood"], "there is no job `goood`", "did you mean `good`?", 3),
    (["run", "nothing"], "there is no job `nothing`", "rota list", 3),
    (["run", "typed"], "needs the parameter `who`", "--param who=", 1),
    (["run", "typed", "-p", "who=x", "-p", "days=two"], "expected integer, got 'two'", "days=3", 1),
    (["run", "typed", "-p", "who=x", "-p", "dys=2"], "has no parameter `dys`", "who, days", 1),
    (["run", "typed", "-p", "who"], "K=V", "--param", 2),
    (["run", "typed", "-p", "who=x", "-p", "size=huge"], "not one of its choices", "small, large", 1),
    (["logs", "good"], "`good` has not run yet", "rota run good", 3),
    (["logs", "zzzz"], "there is no run or job `zzzz`", "rota list", 3),
    (["cancel", "zzzz"], "there is no run or job `zzzz`", "rota list", 3),
    (["resume", "good"], "not paused", "rota show good", 4),
    (["why", "good", "--at", "yesterdy"], "cannot read the time", "yesterday 08:00", 1),
    (["next", "bogus"], "`bogus` is no schedule", "cron", 1),
    (["next", "daily", "--tz", "Nowhere"], "not a time zone", "Europe/London", 1),
    (["next", "daily", "--after", "soon"], "cannot read the time 'soon'", "2026-11-21T08:00", 1),
    (["inbox", "answer", "zzzz", "yes"], "there is no run or job `zzzz`", "rota list", 3),
    (["secret", "set", "1A"], "cannot name a secret", "SLACK_TOKEN", 1),
    (["secret", "rm", "NONE"], "there is no secret NONE", "rota secret list", 3),
    (["check", "nope.yaml"], "there is no file nope.yaml", "job files", 3),
    (["down"], "no daemon is running", "rota up", 3),
    (["lisst"], "there is no command `lisst`", "rota list", 2),
    (["list", "--jsn"], "No such option '--jsn'", "--help", 2),
    (["history"], "Missing argument", "rota history --help", 2),
    (["init", "--template", "fancy", "x"], "'blank', 'coding', 'personal-os'", "--help", 2),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rota]:
    """A workspace with a job, one with parameters, and a script. No mistake changes it, so one is enough."""
    with new_workspace(tmp_path_factory.mktemp("home") / "work") as rota:
        rota.job("good", GOOD)
        rota.job(
            "typed",
            "params:\n  who: {required: true}\n  days: {type: integer, default: 3}\n"
            "  size: {choices: [small, large], default: small}\nsteps:\n  - run: echo {{ params.who }}\n",
        )
        rota.write("scripts/tidy.sh", "echo tidy\n")
        yield rota


@pytest.mark.parametrize(
    ("typed", "names", "hint", "code"), TYPED, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_what_is_typed_wrong(  # noqa: PLR0917 # a table of four columns, and two fixtures
    home: Rota, monkeypatch: pytest.MonkeyPatch, typed: list[str], names: str, hint: str, code: int
) -> None:
    monkeypatch.chdir(home.root)
    said = home.quick(*typed, code=code, stdin="value")
    assert said.out == ""
    first, *rest = said.err.splitlines()
    assert first.startswith("rota: ")
    assert names in first
    assert len(rest) == 1, "one line, and a hint"
    assert hint in said.hint
    assert "Traceback" not in said.err
    assert home.ids() == ["good", "typed"], "nothing came of it"


FILES: list[tuple[str, str, str]] = [
    ("steps:\n  - run: echo\n    foo: 1\n", ":3", "unknown key"),
    ("steps:\n  - run: {{ steps.a.output }}\n", ":2", "must be quoted"),
    ("steps:\n\t- run: echo\n", ":2", "a tab in the indentation"),
    ("steps:\n  - run: echo\n    cwd: /etc\n", ":2", "leads out of the workspace"),
    ("steps:\n  - write: /etc/x\n    content: a\n", ":2", "leads out of the workspace"),
    ("steps:\n  - run: echo\n    output: ../x.md\n", ":2", "leads out of the workspace"),
    ("steps:\n  - script: scripts/nope.sh\n", ":2", "there is no script"),
    ("steps:\n  - script: /bin/sh\n", ":2", "leads out of the workspace"),
    ("steps:\n  - skill: juggling\n", ":2", "there is no skill 'juggling'"),
    ("schedule: '0 8 * * 9'\nsteps:\n  - run: echo\n", ":1", "bad day-of-week"),
    ("timezone: Mars/Olympus\nsteps:\n  - run: echo\n", ":1", "not a time zone"),
    ("steps:\n  - run: echo {{ oops }}\n", ":2", "`oops` is not defined"),
    ("steps: []\n", ":1", "at least one step"),
    ("- a\n- b\n", ":1", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("text", "place", "names"), FILES, ids=lambda v: repr(v)[:40])
def test_what_is_written_wrong(home: Rota, text: str, place: str, names: str) -> None:
    bad = home.job("bad", text)
    try:
        _is_said(home, place, names)
    finally:
        bad.unlink()


def _is_said(rota: Rota, place: str, names: str) -> None:
    checked = rota.quick("check", code=1)
    first, hint = checked.out.splitlines()[:2]
    assert first.startswith(f"error: .rota/jobs/bad.yaml{place}")
    assert names in first
    assert hint.startswith("hint: ")
    doctor = rota.quick("doctor", code=1).out
    assert re.search(r"^problem +\.rota/jobs/bad\.yaml.*\n +hint: ", doctor, re.MULTILINE)
    assert {"good", "typed"} <= set(rota.ids()), "the other jobs are not disturbed"


def test_others_run_beside_a_file_that_is_wrong(rota: Rota) -> None:
    rota.job("bad", "steps:\n  - rum: x\n")
    rota.job("good", GOOD)
    assert rota("run", "good").out == "good\n"


def test_a_python_file_that_does_not_compile(rota: Rota) -> None:
    rota.write(".rota/jobs/tools.py", "def f(:\n")
    assert "error: .rota/jobs/tools.py:1: SyntaxError" in rota.quick("check", code=1).out


def test_a_job_that_runs_into_what_no_check_could_know(rota: Rota) -> None:
    rota.job("out", "params: [where]\nsteps:\n  - write: '{{ params.where }}'\n    content: x\n")
    said = rota("run", "out", "-p", "where=/etc/rota-test", code=1)
    assert "leads out of the workspace" in said.err
    assert not Path("/etc/rota-test").exists()


def test_an_edit_that_breaks_the_file_changes_nothing(rota: Rota) -> None:
    path = rota.job("good", GOOD + "# a comment\n")
    rota.quick("edit", "good", "--set", "steps.0.run=echo {{ nope }}", code=1)
    assert path.read_text() == GOOD + "# a comment\n"


def test_an_editor_that_leaves_a_broken_file(rota: Rota) -> None:
    rota.job("good", GOOD)
    edited = rota("edit", "good", code=1, env={"VISUAL": "", "EDITOR": "sh -c 'echo colour: red >> \"$0\"'"})
    assert edited.out == ""
    assert "`colour`: unknown key" in edited.err
    assert edited.hint
    assert "last good version" in edited.err
    assert rota("run", "good").out == "good\n"


def test_a_job_whose_script_is_gone_can_still_be_edited(rota: Rota) -> None:
    script = rota.write("scripts/tidy.sh", "echo tidy\n")
    rota.quick("add", "tidy", "--script", "scripts/tidy.sh")
    script.unlink()
    rota.quick("edit", "tidy", "--set", "description=Tidies")
    assert "there is no script" in rota.quick("doctor", code=1).out
    assert "there is no script" in rota.quick("test", "tidy", code=1).out


def test_an_edit_that_renames_the_job(rota: Rota) -> None:
    rota.job("good", GOOD)
    said = rota.quick("edit", "good", "--set", "id=better")
    assert "There is no job `good` any more" in said.err
    assert rota.ids() == ["better"]


def test_not_a_workspace(tmp_path: Path) -> None:
    for command in ("list", "status", "up", "tick", "doctor", "check"):
        said = run_here("-w", str(tmp_path), command)
        assert (said.code, said.out) == (1, "")
        assert "is not a rota workspace" in said.err
        assert "rota init" in said.hint
    assert "there is no folder" in run_here("-w", str(tmp_path / "none"), "list").err


def test_a_workspace_twice(rota: Rota) -> None:
    rota.quick("list")
    said = run_here("init", str(rota.root))
    assert said.code == 4
    assert "is a workspace already" in said.err
    assert said.hint


def test_nothing_is_typed() -> None:
    said = run_here()
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("Usage: rota")
    assert "Start:" in said.err


def _somebody_else() -> list[str]:
    """The beginning of a command that runs as a user for whom permissions count."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("run as root, for whom permission checks do not bite, and there is no setpriv")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_no_permission(rota: Rota, mode: int) -> None:
    prefix = _somebody_else()
    reach = subprocess.run([*prefix, sys.executable, "-c", "import rota"], check=False, capture_output=True)
    if reach.returncode:
        pytest.skip("another user cannot reach this Python")
    # The other user could not write what coverage measures, and would say so.
    unmeasured = {name: text for name, text in os.environ.items() if not name.startswith("COV")}
    outside = Path("/tmp") / f"rota-permission-{os.getpid()}-{mode}"
    shutil.copytree(rota.root, outside)
    try:
        if prefix:
            subprocess.run(["chown", "-R", "65534:65534", str(outside)], check=True)
        (outside / ".rota").chmod(mode)
        for command in (["list"], ["up"], ["add", "a", "--run", "x"]):
            said = subprocess.run(
                [*prefix, sys.executable, "-m", "rota", "-w", str(outside), *command],
                capture_output=True, text=True, check=False, cwd="/", env=unmeasured,
            )  # fmt: skip
            assert (said.returncode, said.stdout) == (1, "")
            assert re.match(r"rota: no permission .*\nhint: .*\n\Z", said.stderr), said.stderr
    finally:
        (outside / ".rota").chmod(0o700)
        shutil.rmtree(outside)


def test_a_daemon_that_takes_long_to_start_is_not_said_to_have_failed(
    rota: Rota, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.cli.daemon.READY_WITHIN", 0.0)
    monkeypatch.setenv("ROTA_PORT", "0")
    said = rota.quick("up", "--background", code=1)
    pid = re.search(r"the daemon \(pid (\d+)\) goes on starting", said.err)
    assert pid
    assert "rota status" in said.hint
    eventually(lambda: "rota runs on" in rota.read(".rota/logs/daemon.out"), "it runs all the same")
    assert rota.daemon_pid() == int(pid[1])


def test_a_daemon_that_ends_at_once_says_why(rota: Rota) -> None:
    (rota.root / ".rota/state.db").write_bytes(b"no database" * 1000)
    said = rota("up", "--background", code=1)
    assert "did not start: " in said.err
    assert "state.db is not a rota state file" in said.err

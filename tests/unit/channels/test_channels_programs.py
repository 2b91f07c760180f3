"""The channels that run a program: a command of one's own, and the desktop's."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rota.channels import command, desktop
from rota.model.errors import StepError

TELL = """import json, os, pathlib, sys
seen = {"argv": sys.argv[2:], "stdin": sys.stdin.buffer.read().decode(),
        "env": {k: v for k, v in os.environ.items() if k.startswith(("ROTA_", "TOKEN"))}}
pathlib.Path(sys.argv[1]).write_text(json.dumps(seen))
print("told you, TOKEN is", os.environ.get("TOKEN"))
"""


@pytest.fixture
def tell(tmp_path: Path) -> list[str]:
    """A program that writes down what it gets to seen.json."""
    script = tmp_path / "tell.py"
    script.write_text(TELL)
    return [sys.executable, str(script), str(tmp_path / "seen.json")]


def seen(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "seen.json").read_text())
    return found


def test_a_command_reads_the_message_and_its_surroundings(
    tmp_path: Path, tell: list[str], about: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTA_WORKSPACE", "/the/workspace")
    monkeypatch.delenv("ROTA_TEST_CLIENTS", raising=False)
    body = '$(touch evil) `x` "quoted" ü 😀\nsecond'
    result = command.send(
        {"command": [*tell, "$HOME", "a b"], "env": {"TOKEN": "hunter2"}}, "Title; rm -rf /\n", body, about
    )
    got = seen(tmp_path)
    assert got["stdin"] == body
    assert got["argv"] == ["$HOME", "a b"]
    assert got["env"] == {
        "ROTA_TITLE": "Title; rm -rf /",
        "ROTA_JOB": about["job"],
        "ROTA_RUN": about["run"],
        "ROTA_KEY": about["key"],
        "ROTA_WORKSPACE": "/the/workspace",
        "TOKEN": "hunter2",
    }
    assert result == {"output": "told you, TOKEN is ***\n"}


def test_a_command_as_text_is_split_but_read_by_no_shell(
    tmp_path: Path, tell: list[str], about: dict[str, Any]
) -> None:
    command.send({"command": " ".join(tell) + " 'one word' $(two) ; three"}, "t", "b", about)
    assert seen(tmp_path)["argv"] == ["one word", "$(two)", ";", "three"]


@pytest.mark.parametrize(("code", "permanent"), [(1, False), (75, False), (127, True)])
def test_an_exit_code_other_than_0_is_a_failure(code: int, permanent: bool, about: dict[str, Any]) -> None:
    script = f"import sys; print('first'); print('hunter2 is no good', file=sys.stderr); sys.exit({code})"
    config = {"command": [sys.executable, "-c", script], "env": {"T": "hunter2"}}
    with pytest.raises(StepError, match=rf"exited with {code}: \*\*\* is no good") as failure:
        command.send(config, "t", "b", about)
    assert failure.value.permanent is permanent


def test_a_command_that_is_not_there_is_permanent(about: dict[str, Any]) -> None:
    commands: list[str | list[str]] = [["no-such-program"], "''", [], "'open"]
    for argv in commands:
        with pytest.raises(StepError, match="command") as failure:
            command.send({"command": argv}, "t", "b", about)
        assert failure.value.permanent


def test_a_command_that_does_not_read_its_stdin_is_fine(about: dict[str, Any]) -> None:
    command.send({"command": [sys.executable, "-c", "pass"]}, "t", "x" * 500_000, about)


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path, about: dict[str, Any]) -> None:
    script = f"sleep 300 & echo $! > '{tmp_path}/pid'; wait"
    with pytest.raises(StepError, match="did not end within 3 s") as failure:
        command.send({"command": ["sh", "-c", script], "timeout": 3}, "t", "b", about)
    assert not failure.value.permanent
    assert _gone(int((tmp_path / "pid").read_text()))


def test_what_a_command_leaves_in_the_background_does_not_hold_it_up(
    tmp_path: Path, about: dict[str, Any]
) -> None:
    script = f"sleep 300 & echo $! > '{tmp_path}/pid'; echo done"
    assert command.send({"command": ["sh", "-c", script]}, "t", "b", about)["output"] == "done\n"
    assert _gone(int((tmp_path / "pid").read_text()))


def _gone(pid: int) -> bool:
    import psutil

    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_secret_in_the_command_itself_is_refused_before_it_is_filled_in() -> None:
    with pytest.raises(ValueError, match="list of processes"):
        command.CommandParams.model_validate({"command": ["curl", "-H", "Authorization: ${TOKEN}"]})


@pytest.fixture
def fake_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Linux desktop whose notify-send writes its arguments to shown, and fails where `fail` says why."""
    program = tmp_path / "notify-send"
    program.write_text(
        f'#!/bin/sh\nif [ -f "{tmp_path}/fail" ]; then cat "{tmp_path}/fail" >&2; exit 1; fi\n'
        f'for word in "$@"; do printf "%s\\0" "$word"; done > "{tmp_path}/shown"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    return tmp_path


def test_a_message_is_shown_on_the_desktop(fake_desktop: Path, about: dict[str, Any]) -> None:
    result = desktop.send({"urgency": "critical"}, "--help me", "a < b & C:\\new\n<b>x</b>", about)
    assert result == {"by": "notify-send"}
    words = (fake_desktop / "shown").read_text().split("\0")[:-1]
    assert words == [
        "--app-name=rota",
        "--urgency=critical",
        "--",
        "--help me",
        "a &lt; b &amp; C:\\\\new\n&lt;b&gt;x&lt;/b&gt;",
    ]


def test_a_long_message_is_cut_for_the_desktop(fake_desktop: Path, about: dict[str, Any]) -> None:
    desktop.send({}, "", "ö" * 5_000, about)
    words = (fake_desktop / "shown").read_text().split("\0")
    assert words[3] == about["job"]
    assert words[4] == "ö" * 999 + "…"


def test_without_a_session_there_is_a_clear_permanent_error(
    fake_desktop: Path, about: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(fake_desktop))
    with pytest.raises(StepError, match="no desktop can be reached") as failure:
        desktop.send({}, "t", "b", about)
    assert failure.value.permanent
    assert failure.value.hint is not None
    assert "another channel" in failure.value.hint

    (fake_desktop / "bus").touch()  # a service without the variable finds the session's bus all the same
    assert desktop.send({}, "t", "b", about) == {"by": "notify-send"}


def test_a_session_without_notifications_is_permanent_too(fake_desktop: Path, about: dict[str, Any]) -> None:
    (fake_desktop / "fail").write_text("The name org.freedesktop.Notifications was not provided\n")
    with pytest.raises(StepError, match="was not provided") as failure:
        desktop.send({}, "t", "b", about)
    assert failure.value.permanent


def test_a_missing_notify_send_is_named(
    fake_desktop: Path, about: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(fake_desktop / "empty"))
    with pytest.raises(StepError, match="notify-send") as failure:
        desktop.send({}, "t", "b", about)
    assert failure.value.permanent


def test_macos_is_given_the_texts_as_arguments(
    fake_desktop: Path, about: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    program = fake_desktop / "osascript"
    program.write_text(
        f'#!/bin/sh\ncat > "{fake_desktop}/script"\nprintf "%s|" "$@" > "{fake_desktop}/shown"\n'
    )
    program.chmod(0o755)
    body = '" & (do shell script "touch evil") & "'
    assert desktop.send({}, "-e Titel", body, about) == {"by": "osascript"}
    assert (fake_desktop / "shown").read_text() == f"-|-e Titel|{body}|"
    assert "evil" not in (fake_desktop / "script").read_text()

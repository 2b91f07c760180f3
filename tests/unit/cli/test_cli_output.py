"""Tables, colours and errors as they are shown."""

from __future__ import annotations

import io
import os
import shutil

import click
import pytest
from tests.support.rota import run_here

from rota.cli import output
from rota.cli.errors import CONFLICT, FAILED, NOT_FOUND, exit_code, guarded, hint_of
from rota.cli.main import COMMANDS, rota
from rota.model.errors import ConflictError, NotFoundError, RotaError, SpecError


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """stdout from here on: a narrow terminal without colour."""
    made = Terminal()
    monkeypatch.setattr("sys.stdout", made)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))
    monkeypatch.setenv("NO_COLOR", "1")
    return made


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(["A", "LONG"], [["one", "x"], ["日本", "y"], ["e\u0301", "z"]])
    assert capsys.readouterr().out == "A     LONG\none   x\n日本  y\ne\u0301     z\n"


def test_nothing_is_cut_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(["A"], [["x" * 300]], flexible=(0,))
    assert "x" * 300 in capsys.readouterr().out


def test_a_row_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    output.print_table(["A", "B"], [["a" * 60, "short"], ["日" * 60, "line\nbreak"]], flexible=(0,))
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[1].endswith("…  short")
    assert lines[2].endswith("line break")
    assert all(output.width_of(line) <= 40 for line in lines)


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    assert output.paint("failed") == "failed"
    monkeypatch.delenv("NO_COLOR")
    assert output.paint("failed") == click.style("failed", fg="red")
    assert output.paint("failed 3 min ago") == click.style("failed 3 min ago", fg="red")
    assert output.paint("a-job") == "a-job"
    assert not output.coloured(io.StringIO())


def test_exit_codes() -> None:
    assert exit_code(NotFoundError("x")) == NOT_FOUND
    assert exit_code(ConflictError("x")) == CONFLICT
    assert exit_code(RotaError("x")) == FAILED
    assert guarded(lambda: None) == 0
    assert guarded(lambda: 1) == 1


def test_every_error_has_a_hint() -> None:
    assert hint_of(SpecError("x", hint="mine")) == "mine"
    assert "rota schema" in hint_of(SpecError("x"))
    assert "rota doctor" in hint_of(RotaError("x"))


def test_what_rota_did_not_foresee(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall() -> None:
        raise ZeroDivisionError("by zero")

    assert guarded(fall) == FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "rota: internal error: ZeroDivisionError: by zero"
    assert "ROTA_DEBUG" in said.err
    monkeypatch.setenv("ROTA_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        guarded(fall)


def test_a_file_that_cannot_be_opened(capsys: pytest.CaptureFixture[str]) -> None:
    def fall() -> None:
        raise PermissionError(13, "Permission denied", "/x/y")

    assert guarded(fall) == FAILED
    assert capsys.readouterr().err.startswith("rota: /x/y: Permission denied\nhint: ")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command(name: str) -> None:
    command = rota.get_command(click.Context(rota), name)
    assert command is not None
    assert command.help, name
    section = COMMANDS[name][1].rstrip(".").split()
    assert section[0].lower() == command.help.split()[0].lower(), "both help lines begin with the same verb"
    shown = run_here(name, "--help")
    assert shown.code == 0
    assert f"Usage: rota {name}" in shown.out

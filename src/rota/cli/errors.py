"""Errors as people and scripts get them: one line, a hint, an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from rota.model.errors import ConflictError, NotFoundError, RotaError

FAILED, USAGE, NOT_FOUND, CONFLICT = 1, 2, 3, 4
# For errors that come without a hint of their own: where to look next, by the error's code.
HINTS = {
    "bad_spec": "`rota schema` lists every key and its values; `rota check` checks the files again",
    "bad_template": "`rota test JOB` shows what every template gives",
    "store": "`rota doctor` looks for what is wrong with the state",
}


def exit_code(error: RotaError) -> int:
    """The exit code that an error ends the command with."""
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    return CONFLICT if isinstance(error, ConflictError) else FAILED


def report(error: RotaError) -> None:
    """The error and its hint, on stderr."""
    click.echo(f"rota: {error}", err=True)
    click.echo(f"hint: {hint_of(error)}", err=True)


def hint_of(error: RotaError) -> str:
    """The error's hint; a general one where it has none."""
    return error.hint or HINTS.get(error.code, "`rota doctor` looks for everything that can be wrong")


def guarded(command: Callable[[], Any]) -> int:
    """Run `command`; its exit code. No traceback reaches a person, unless ROTA_DEBUG is set."""
    try:
        result = command()
    except RotaError as error:
        report(error)
        return exit_code(error)
    except click.exceptions.Abort:
        click.echo("rota: interrupted", err=True)
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        _usage(error)
        return USAGE
    except BrokenPipeError:
        # The reader (head, less) has gone: that is its right. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if os.environ.get("ROTA_DEBUG"):
            raise
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"rota: {where}{error.strerror or error}", err=True)
        click.echo("hint: check the path and its permissions; ROTA_DEBUG=1 shows where it happened", err=True)
        return FAILED
    except Exception as error:
        if os.environ.get("ROTA_DEBUG"):
            raise
        click.echo(f"rota: internal error: {type(error).__name__}: {error}", err=True)
        click.echo("hint: this is a bug in rota; ROTA_DEBUG=1 shows where", err=True)
        return FAILED
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = error.format_message()
    click.echo(f"rota: {message}", err=True)
    if "hint:" not in message:
        name = context.command_path if context is not None else "rota"
        click.echo(f"hint: see `{name} --help`", err=True)

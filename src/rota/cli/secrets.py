"""Secrets: set, list, remove. Values are read from stdin or a prompt, and never shown."""

from __future__ import annotations

import sys

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import note, print_json
from rota.model.errors import NotFoundError, RotaError


@click.group("secret")
def secret_command() -> None:
    """Store the values that ${NAME} stands for in job files; they are masked wherever text is shown."""


@secret_command.command("set")
@click.argument("name")
def set_secret(name: str) -> None:
    """Store a secret; its value is asked for, or read from stdin."""
    if sys.stdin.isatty():
        value = click.prompt(f"Value of {name}", hide_input=True, err=True)
    else:
        value = sys.stdin.read().rstrip("\n")
    if not value:
        raise RotaError("an empty value was given", hint=f"printf %s VALUE | rota secret set {name}")
    with workspace(fresh=False) as app:
        app.secrets.set(name, value)
        note(f"Stored {name}. Use it as ${{{name}}}.")


@secret_command.command("list")
@json_option
def list_secrets(as_json: bool) -> None:
    """List the names (never the values)."""
    with workspace(fresh=False) as app:
        names = sorted(app.secrets.known())
        if as_json:
            print_json(names)
            return
        for name in names:
            click.echo(name)
        if not names:
            note("No secrets are stored. hint: rota secret set SLACK_WEBHOOK_URL")


@secret_command.command("rm")
@click.argument("name")
def remove_secret(name: str) -> None:
    """Forget a secret."""
    with workspace(fresh=False) as app:
        if not app.secrets.remove(name):
            raise NotFoundError(f"there is no secret {name}", hint="see `rota secret list`")
        note(f"Forgot {name}.")

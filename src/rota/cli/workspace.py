"""The workspace itself: init, doctor, completion."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import note, paint, print_json


@click.command("init")
@click.argument("path", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--template", type=click.Choice(["blank", "coding", "personal-os"]), default="blank", show_default=True,
    help="What to begin with.",
)  # fmt: skip
@click.option(
    "--tz", "timezone", metavar="ZONE", help="The workspace's time zone.  [default: this machine's]"
)
def init_command(path: Path, template: str, timezone: str | None) -> None:
    """Make a workspace here (or in PATH). Files that are there already stay as they are."""
    from rota.app.init import initialise

    made = initialise(path, template, timezone)
    note(f"Made a workspace in {made.root} ({made.timezone}).")
    if made.kept:
        note(f"Kept what was there: {', '.join(made.kept)}")
    go = "" if path.resolve() == Path.cwd().resolve() else f"cd {path} && "
    if template == "blank":
        note(f'hint: {go}rota add hello --schedule "every 1m" --run "echo hello" && rota up')
    else:
        note(f"hint: {go}rota list && rota up")


@click.command("doctor")
@click.option(
    "--probe-agents",
    is_flag=True,
    help="Ask each agent runner that is ready for one word, too. Costs a little.",
)
@json_option
def doctor_command(probe_agents: bool, as_json: bool) -> None:
    """Look for everything that can be wrong, and say how to mend it."""
    from rota.app.doctor import examine

    with workspace() as app:
        findings = examine(app)
        if probe_agents:
            from rota.app.probing import probe

            note("Asking the agent runners ...")
            findings += probe(app)
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{paint(f'{finding.level:<8}')} {finding.text}")
            if finding.hint:
                click.echo(f"         hint: {finding.hint}")
    if any(finding.level == "problem" for finding in findings):
        raise SystemExit(1)


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
def completion_command(shell: str | None) -> None:
    """Print the shell completion script: eval "$(rota completion bash)"."""
    from click.shell_completion import get_completion_class

    from rota.cli.main import rota

    shell = shell or Path(os.environ.get("SHELL", "bash")).name
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}\nhint: rota completion bash")
    click.echo(kind(rota, {}, "rota", "_ROTA_COMPLETE").source())

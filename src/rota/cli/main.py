"""The `rota` command. Commands are imported when they are called, so that `--help` is instant."""

from __future__ import annotations

import importlib
import sys
from typing import cast

import click

# name: (module in rota.cli, one line of help, section). The help lines stand here so that no module is
# imported to show them; a test compares them with the commands' own.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("workspace", "Make a workspace here (or in PATH).", "Start"),
    "up": ("daemon", "Run the daemon on this workspace.", "Start"),
    "down": ("daemon", "Stop the daemon.", "Start"),
    "status": ("daemon", "Show the workspace at a glance.", "Start"),
    "doctor": ("workspace", "Look for everything that can be wrong.", "Start"),
    "add": ("jobs", "Add a job: write its file.", "Jobs"),
    "list": ("jobs", "List the jobs, their last run and their next.", "Jobs"),
    "show": ("jobs", "Show one job in full.", "Jobs"),
    "edit": ("jobs", "Edit a job's file, or set keys in it.", "Jobs"),
    "pause": ("jobs", "Let no trigger of a job fire.", "Jobs"),
    "resume": ("jobs", "Let a paused job go on, from now.", "Jobs"),
    "remove": ("jobs", "Remove a job: delete its file.", "Jobs"),
    "check": ("check", "Check job files without running anything.", "Jobs"),
    "test": ("check", "Dry run: render everything, run nothing.", "Jobs"),
    "run": ("runs", "Start a job now.", "Runs"),
    "rerun": ("runs", "Run again what a run did.", "Runs"),
    "backfill": ("backfill", "Run a job for moments of the past.", "Runs"),
    "cancel": ("runs", "End a run, and everything it started.", "Runs"),
    "logs": ("runs", "Show what a run printed.", "Runs"),
    "history": ("runs", "List the runs of a job.", "Runs"),
    "why": ("ledger", "Explain what ran, what did not, and why.", "Runs"),
    "due": ("ledger", "List what is due now; run it with --run.", "Runs"),
    "tick": ("daemon", "One pass without a daemon: run what is due, then end.", "Runs"),
    "inbox": ("inbox", "List and answer what waits for a person or an agent.", "Runs"),
    "approve": ("approvals", "Approve what a run asks; the run goes on.", "Runs"),
    "deny": ("approvals", "Deny what a run asks.", "Runs"),
    "agents": ("agents", "List the agent runners and what each lacks.", "Runs"),
    "board": ("boards", "Show the board: the columns with their cards.", "Board"),
    "card": ("cards", "Put cards on the board, move, edit and discuss them.", "Board"),
    "index": ("search", "Bring the index of the workspace's files up to date.", "Files"),
    "search": ("search", "Find passages in the workspace's files.", "Files"),
    "context": (
        "search",
        "Gather what the files have about something, for a prompt.",
        "Files",
    ),
    "next": ("schedule", "Show when a schedule or a job fires next.", "Tools"),
    "hook": ("hooks", "List, look at and try the webhooks that start jobs.", "Tools"),
    "spend": ("spend", "Show what agents took.", "Runs"),
    "simulate": ("simulate", "Show the coming load as a timeline.", "Tools"),
    "schema": ("check", "Print the JSON Schema of job files.", "Tools"),
    "secret": ("secrets", "Store the values that ${NAME} stands for.", "Tools"),
    "source": ("sources", "List the sources that `pull:` can ask, or pull one now.", "Tools"),
    "mcp": ("mcp", "Serve rota's tools to an agent, over stdin and stdout.", "Tools"),
    "token": ("tokens", "Make, list and revoke the keys of agents that come by HTTP.", "Tools"),
    "completion": ("workspace", "Print the shell completion script.", "Tools"),
}


class LazyCommands(click.Group):
    """Commands by name, from COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that has the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"rota.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        return cast("click.Command", command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of that name; a guess where there is none."""
        name = args[0] if args else ""
        if name and name not in COMMANDS and not name.startswith("-"):
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f"did you mean `rota {close[0]}`?" if close else "see `rota --help`"
            ctx.fail(f"there is no command `{name}`\nhint: {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section."""
        for section in dict.fromkeys(entry[2] for entry in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl([(n, e[1]) for n, e in COMMANDS.items() if e[2] == section], col_max=12)


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done; 1 it failed, or found something; 2 wrong usage; 3 not found; 4 in conflict.",
)
@click.option(
    "-w", "--workspace", metavar="PATH", envvar="ROTA_WORKSPACE", default=".",
    help="The workspace, or a folder in it.  [default: here]",
)  # fmt: skip
@click.version_option(package_name="rota", message="rota %(version)s")
@click.pass_context
def rota(ctx: click.Context, workspace: str) -> None:
    """Cron for agents: runs the jobs of a workspace on time and once, and can say what ran and why."""
    ctx.obj = workspace


def main() -> int:
    """Run the command line. Errors are one line and a hint; the exit code says what kind."""
    from rota.cli.errors import guarded

    return guarded(lambda: rota.main(standalone_mode=False, prog_name="rota"))


if __name__ == "__main__":
    sys.exit(main())

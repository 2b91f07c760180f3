"""Tokens: the keys of agents that come by HTTP."""

from __future__ import annotations

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table


@click.group("token")
def token_command() -> None:
    """Make, list and revoke the keys of agents that come by HTTP (/mcp on the daemon's door)."""


@token_command.command("create")
@click.argument("name")
@click.option("--agent", metavar="NAME", help="Who comes with it.  [default: the token's name]")
@click.option(
    "--scopes", default="*", show_default=True, metavar="S,...",
    help="Which tools it is for: patterns such as job_*, or `look` for those that change nothing.",
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 3650), help="How long it is valid.  [default: until it is revoked]"
)
def create(name: str, agent: str | None, scopes: str, days: int | None) -> None:
    """Make a token and print it, once: what is kept does not open anything."""
    from rota.app.approvals import base_url
    from rota.app.tokens import create_token

    wanted = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
    with workspace(fresh=False) as app:
        token, key = create_token(app, name, agent=agent, scopes=wanted, days=days)
        base = base_url(app)
        click.echo(key)
        note(f"Made the token {token.name} for the agent {token.agent}. It is not shown again.")
        where = f"{base}/mcp" if base is not None else "/mcp on the door of `rota up`"
        note(f"It opens {where}, as `Authorization: Bearer ...`.")


@token_command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the tokens, never the keys themselves."""
    from rota.app.times import ago, local
    from rota.app.tokens import list_tokens

    with workspace(fresh=False) as app:
        tokens, now, zone = list_tokens(app), app.clock.now(), app.config.timezone
        if as_json:
            print_json(
                [
                    {
                        "name": token.name,
                        "agent": token.agent,
                        "scopes": list(token.scopes),
                        "created_at": iso(token.created_at, zone),
                        "expires_at": iso(token.expires_at, zone),
                        "used_at": iso(token.used_at, zone),
                    }
                    for token in tokens
                ]
            )
            return
        if not tokens:
            note("There are no tokens. hint: rota token create laptop-claude --agent claude")
            return
        rows = [
            [
                *(token.name, token.agent, ",".join(token.scopes)),
                "never" if token.used_at is None else ago(token.used_at, now),
                "" if token.expires_at is None else local(token.expires_at, zone),
            ]
            for token in tokens
        ]
        print_table(["TOKEN", "AGENT", "SCOPES", "USED", "EXPIRES"], rows, flexible=(2,))


@token_command.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke a token: its key opens nothing from now on."""
    from rota.app.tokens import revoke_token

    with workspace(fresh=False) as app:
        revoke_token(app, name)
        note(f"Revoked {name}.")

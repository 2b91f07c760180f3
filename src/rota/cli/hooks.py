"""Hooks: list, logs, test, replay, confirm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rota.cli.opening import json_option, workspace
from rota.cli.output import iso, note, print_json, print_table
from rota.model.errors import RotaError

if TYPE_CHECKING:
    from rota.app.wiring import App
    from rota.model.delivery import Delivery


@click.group("hook")
def hook_command() -> None:
    """List, look at and try the webhooks that start jobs."""


@hook_command.command("list")
@click.argument("name", required=False)
@json_option
def list_hooks_command(name: str | None, as_json: bool) -> None:
    """List the hooks: their URLs, what they ask for, and the tokens that rota made."""
    from rota.app.doorway import doorway
    from rota.app.hookcalls import pending
    from rota.app.hooks import find_hook, list_hooks

    with workspace() as app:
        hooks = [find_hook(app, name)] if name else list_hooks(app)
        door = doorway(app)
        base = door.url if door is not None and door.url is not None else ""
        counts = {count.hook: count for count in app.store.read(lambda tx: tx.deliveries.counts())}
        views = [_view(app, hook, base, counts) for hook in hooks]
        if as_json:
            print_json(views)
            return
        if views:
            rows = [
                [
                    v["name"],
                    v["job"],
                    v["status"],
                    v["verify"],
                    v["secret"],
                    f"{base}{v['path']}",
                    str(v["deliveries"]),
                ]
                for v in views
            ]
            print_table(["HOOK", "JOB", "STATUS", "VERIFY", "SECRET", "URL", "CAME"], rows, flexible=(4, 5))
        else:
            note("No hooks yet. hint: write .rota/hooks/NAME.yaml; its URL is /hooks/NAME")
        for hook, view in zip(hooks, views, strict=True):
            if view["problem"]:
                note(f"{hook.name}: {view['problem']}")
            token = pending(app, hook)
            if token is not None:
                note(f"{hook.name}: Notion sent the token {token}")
                note(f"hint: paste it into Notion's subscription, then `rota hook confirm {hook.name}`")
        if hooks and not base:
            why = "no daemon is running" if door is None else door.error or "the door is off"
            note(f"Nothing listens at present: {why}. hint: rota up")


def _view(app: App, hook: Any, base: str, counts: dict[str, Any]) -> dict[str, Any]:
    from rota.app.hookcalls import shown_secret
    from rota.app.hooks import problem_of

    problem, count = problem_of(app, hook), counts.get(hook.name)
    return {
        "name": hook.name,
        "job": hook.job.id,
        "trigger": hook.trigger.id,
        "status": "broken" if problem is not None else hook.record.status,
        "verify": hook.scheme,
        "secret": shown_secret(app, hook),
        "path": f"/hooks/{hook.name}",
        "url": f"{base}/hooks/{hook.name}" if base else None,
        "deliveries": 0 if count is None else count.count,
        "last_at": None if count is None else iso(count.last_at, app.config.timezone),
        "problem": None if problem is None else str(problem),
        "also_named_by": list(hook.others),
    }


@hook_command.command("logs")
@click.argument("name")
@click.option("--limit", "-n", default=20, show_default=True, help="How many.")
@json_option
def hook_logs(name: str, limit: int, as_json: bool) -> None:
    """Show what came for a hook, what became of it, and what was refused."""
    from rota.app.hookcalls import deliveries_of, refusals_of
    from rota.app.times import brief

    with workspace() as app:
        came, refused = deliveries_of(app, name, limit), refusals_of(app, name, limit)
        zone, now = app.config.timezone, app.clock.now()
        if as_json:
            print_json(
                {
                    "deliveries": [_delivery_json(one, zone) for one in came],
                    "refused": [{"at": one.at, "client": one.client, "why": one.why} for one in refused],
                }
            )
            return
        rows = [
            [
                one.id,
                brief(one.received_at, zone, now),
                one.client,
                f"{one.size} B",
                _became(one),
                one.run_id or "–",
            ]
            for one in came
        ]
        if rows:
            print_table(["DELIVERY", "CAME", "FROM", "SIZE", "BECAME", "RUN"], rows, flexible=(4,))
        else:
            note(f"Nothing has come for {name} yet. hint: rota hook test {name}")
        for one in reversed(refused):
            note(f"refused {one.at[:19]}Z from {one.client}: {one.why}")


def _became(one: Delivery) -> str:
    if one.outcome is None:
        return "–"
    return "ran" if one.outcome.value == "ran" else f"{one.outcome.value}: {one.reason}"


def _delivery_json(one: Delivery, zone: str) -> dict[str, Any]:
    from rota.model.delivery import as_row

    outcome = None if one.outcome is None else one.outcome.value
    return {
        **as_row(one),
        "received_at": iso(one.received_at, zone),
        "outcome": outcome,
        "reason": one.reason,
    }


@hook_command.command("test")
@click.argument("name")
@click.option(
    "--payload", type=click.Path(path_type=Path), help="A file with the body; `-`: stdin.  [default: {}]"
)
@click.option(
    "--type", "content_type", default="application/json", show_default=True, help="Its content type."
)
@json_option
def test_hook(name: str, payload: Path | None, content_type: str, as_json: bool) -> None:
    """Send a request to the running daemon, signed as the hook asks; the job runs."""
    from rota.app.hookcalls import send_test

    with workspace() as app:
        sent = send_test(app, name, _read(payload), content_type)
        if as_json:
            print_json({"url": sent.url, "status": sent.status, "answer": sent.answer})
        else:
            note(f"POST {sent.url}: {sent.status}")
            answer = sent.answer
            if isinstance(answer, dict) and answer.get("run"):
                click.echo(answer["run"])
                again = (
                    "the same came before, so nothing new was started; " if answer.get("duplicate") else ""
                )
                note(f"hint: {again}rota logs {answer['run']}")
            else:
                click.echo(answer if isinstance(answer, str) else _in_words(answer))
        if sent.status >= 300:
            raise SystemExit(1)


def _in_words(answer: Any) -> str:
    return ", ".join(f"{key}: {value}" for key, value in dict(answer).items())


def _read(payload: Path | None) -> bytes:
    if payload is None:
        return b"{}"
    if str(payload) == "-":
        return sys.stdin.buffer.read()
    try:
        return payload.read_bytes()
    except OSError as error:
        raise RotaError(
            f"cannot read {payload}: {error.strerror}", hint="name a file, or `-` for stdin"
        ) from None


@hook_command.command("replay")
@click.argument("delivery")
def replay_delivery(delivery: str) -> None:
    """Run a delivery once more, as if it had just come."""
    from rota.app.hookcalls import replay

    with workspace() as app:
        run = replay(app, delivery)
        click.echo(run.id)
        note(f"hint: rota logs {run.id}")


@hook_command.command("confirm")
@click.argument("name")
def confirm_hook(name: str) -> None:
    """Take the token that Notion sent as the hook's secret, once Notion has it from you."""
    from rota.app.hookcalls import confirm

    with workspace() as app:
        note(f"Stored as {confirm(app, name)}: what Notion signs with it is taken from now on.")

"""What `rota doctor` looks at of the HTTP door and the hooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rota.app.doorway import doorway
from rota.app.hooks import Hook, list_hooks, problem_of
from rota.app.wiring import App

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Finding:
    """`level`: ok, warning or problem. `hint`: how to mend it."""

    level: str
    text: str
    hint: str = ""


def look_at_hooks(app: App) -> Iterator[Finding]:
    """Findings about the door, and about each hook."""
    door, config = doorway(app), app.config.web
    if door is not None and door.state == "closed":
        yield Finding("problem", f"the HTTP door is closed: {door.error}", door.hint or "")
    elif door is not None and door.state == "open":
        yield Finding("ok", f"the HTTP door is open at {door.url}")
    if config.on and config.socket is None and config.host not in LOOPBACK:
        hint = "put a reverse proxy with TLS in front, or take `host:` of `web:` out"
        yield Finding(
            "warning", f"the HTTP door is open to other machines ({config.host}), without TLS", hint
        )
    if "*" in config.hosts:
        hint = "name the hosts in `hosts:` of `web:`"
        yield Finding("warning", "requests for any host are taken, so pages in a browser can send them", hint)
    for hook in list_hooks(app):
        yield from _hook(app, hook)


def _hook(app: App, hook: Hook) -> Iterator[Finding]:
    problem = problem_of(app, hook)
    if hook.scheme == "none":
        hint = "take `verify: none` out, and rota makes a token"
        yield Finding("warning", f"hook {hook.name} is open: whoever reaches it starts {hook.job.id}", hint)
    if problem is not None:
        hint = problem.hint or ""
        if hook.scheme == "notion":
            hint = f"create the subscription in Notion, then see `rota hook list {hook.name}`"
        yield Finding("problem", f"hook {hook.name} takes nothing: {problem}", hint)
    if hook.inline:
        hint = 'store it with `rota secret set NAME`, and write `secret: "${NAME}"`'
        yield Finding("warning", f"the secret of hook {hook.name} stands in its file", hint)
    if hook.others:
        others = ", ".join(f"`{other}`" for other in hook.others)
        hint = "give one of them another `name:`"
        yield Finding("problem", f"hook {hook.name} starts `{hook.job.id}` alone, not {others}", hint)

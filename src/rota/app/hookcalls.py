"""What a person does with hooks: look at what came, send a request that proves itself, do one again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rota.app.control import nudge
from rota.app.doorway import doorway
from rota.app.hooks import Hook, find_hook, pending_name, secrets_of, token_name
from rota.app.queries import find_job
from rota.app.wiring import App
from rota.engine.gathering import body_of
from rota.engine.queueing import Call, queue
from rota.model.delivery import Delivery
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.run import Reason, Run
from rota.ports.crash import crash_point
from rota.ports.payloads import payload_of
from rota.spec import from_json

_REFUSALS = frozenset({"webhook_refused", "webhook_put_off", "webhook_not_understood", "webhook_not_stored"})
_TAIL = 2_000_000  # bytes of the daemon's log that are looked through


@dataclass(frozen=True)
class Refusal:
    """A request that was not taken: when (ISO 8601), from whom, and why."""

    at: str
    client: str
    why: str


@dataclass(frozen=True)
class Sent:
    """What the door said to a request of `rota hook test`."""

    url: str
    status: int
    answer: Any


def deliveries_of(app: App, name: str, limit: int) -> list[Delivery]:
    """What came for a hook, latest first; also for one that is not there any more."""
    found = app.store.read(lambda tx: tx.deliveries.of_hook(name, limit))
    if not found:
        find_hook(app, name)
    return found


def refusals_of(app: App, name: str, limit: int) -> list[Refusal]:
    """What was not taken for it, latest first, as far as the daemon's log goes back."""
    found = [
        Refusal(
            str(line.get("timestamp", "")),
            str(line.get("client", "")),
            str(line.get("why") or line.get("error") or line.get("rate") or ""),
        )
        for line in _log_lines(app.layout.logs / "daemon.log")
        if line.get("hook") == name and line.get("event") in _REFUSALS
    ]
    return found[::-1][:limit]


def _log_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        if '"webhook_' in line:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def find_delivery(app: App, text: str) -> Delivery:
    """The delivery whose id starts or ends with `text`. Raises NotFoundError, ConflictError."""
    found = app.store.read(lambda tx: tx.deliveries.find(text)) if text.strip() else []
    if not found:
        raise NotFoundError(f"there is no delivery `{text}`", hint="see `rota hook logs NAME`")
    if len(found) > 1:
        raise ConflictError(f"several deliveries fit `{text}`", hint=", ".join(one.id for one in found))
    return found[0]


def replay(app: App, text: str) -> Run:
    """Run a delivery's job once more, by a person's wish: no filter and no pause is in the way.

    Raises NotFoundError, ConflictError; RotaError when its content is not kept any more.
    """
    delivery = find_delivery(app, text)
    record = find_job(app, delivery.job_id)
    if record.removed_at is not None:
        raise NotFoundError(f"the job `{record.id}` was removed", hint="see what there is: rota list")
    if delivery.size and not delivery.body:
        raise RotaError(
            f"what delivery {delivery.id} said is not kept any more",
            hint="`keep_days` of `limits:` says how long it is",
        )
    payload = payload_of(delivery.headers.get("content-type", ""), body_of(delivery))
    now = app.clock.now()
    call = Call(
        job=from_json(record.definition),
        definition=record.hash,
        trigger_id="manual",
        due_at=now,
        reason=Reason("replay", f"delivery {delivery.id} was replayed by hand"),
        inputs={"payload": payload, "headers": dict(delivery.headers), "query": dict(delivery.query)},
    )
    run, reason = app.store.write_now(partial(queue, call=call, now=now))
    crash_point("hooks.replayed")
    if run is None:
        raise ConflictError(f"not started: {reason.text}", hint="wait for it, or `rota cancel` it")
    nudge(app.layout)
    return run


def send_test(app: App, name: str, payload: bytes, content_type: str) -> Sent:
    """Send a request to the running door that proves itself as the hook asks. Raises RotaError."""
    from rota.triggers.sign import signed

    hook = find_hook(app, name)
    door = doorway(app)
    if door is None or door.url is None:
        why = "no daemon is running" if door is None else door.error or "its HTTP door is off"
        raise RotaError(f"there is nobody to send it to: {why}", hint="start it with `rota up`")
    secrets = secrets_of(app, hook)
    headers, body = signed(hook.options, secrets[0] if secrets else "", payload, app.clock.now() / 1_000_000)
    url = f"{door.url}/hooks/{name}"
    return _post(door.url, f"/hooks/{name}", {"Content-Type": content_type, **headers}, body, url)


def _post(base: str, path: str, headers: Mapping[str, str], body: bytes, shown: str) -> Sent:
    import http.client
    import socket
    from urllib.parse import quote, urlsplit

    if base.startswith("unix:"):
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(base.removeprefix("unix:"))
    else:
        place = urlsplit(base)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(place.hostname or "", place.hostname or "")  # noqa: S104 # where it listens
        connection = http.client.HTTPConnection(host, place.port, timeout=30)
    try:
        connection.request("POST", quote(path), body, dict(headers))
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise RotaError(f"{shown} did not answer: {error}", hint="see `rota status`") from None
    finally:
        connection.close()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = text
    return Sent(shown, response.status, answer)


def shown_secret(app: App, hook: Hook) -> str:
    """What a list shows as a hook's secret: rota's own token, which its sender needs; of others only the name."""
    if hook.scheme == "none":
        return "none: open to everybody"
    if hook.makes_token:
        return app.secrets.get(token_name(hook.name)) or "not made yet: `rota list` makes it"
    return ", ".join(text if "${" in text else "in the file" for text in hook.texts)


def pending(app: App, hook: Hook) -> str | None:
    """The token that a provider sent, and that no person has confirmed."""
    return app.secrets.known().get(pending_name(hook.name)) if hook.scheme == "notion" else None


def confirm(app: App, name: str) -> str:
    """Take the token that Notion sent as the hook's secret; the name that it is stored by. Raises RotaError."""
    from rota.templates import secret_names

    hook = find_hook(app, name)
    token = pending(app, hook)
    if token is None:
        raise NotFoundError(
            f"nothing waits to be confirmed for `{name}`",
            hint="Notion sends its token when you create the subscription",
        )
    names = [found for text in hook.texts for found in secret_names(text)]
    if not names:
        raise ConflictError(
            f"the secret of `{name}` stands in its file", hint="take it out, and confirm again"
        )
    app.secrets.set(names[0], token)
    app.secrets.remove(pending_name(name))
    nudge(app.layout)
    return names[0]

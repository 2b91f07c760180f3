"""A job's message, on its way to where people look: what they get, and what happens when it cannot get there."""

from __future__ import annotations

import importlib
import json
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from rota.channels.registry import CHANNELS
from rota.model.errors import StepError

TITLE = "Weekly plan"
BODY = "The draft is **ready**: 3 < 4 & 100% _done_ ☕"
ABOUT = {
    "job": "weekly-plan",
    "run": "261122-200000-x7k2q9wd",
    "key": "261122-200000-x7k2q9wd:notify:0",
    "workspace": "home",
}


def deliver(kind: str, config: Mapping[str, Any]) -> Any:
    """What the outbox does with a message: check its keys, and call the channel's target in a host."""
    channel = CHANNELS[kind]
    channel.params.model_validate(dict(config))
    module, _, function = channel.target.partition(":")
    return getattr(importlib.import_module(module), function)(dict(config), TITLE, BODY, dict(ABOUT))


class Elsewhere:
    """A server on this machine in place of Slack, Telegram and all others; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.got: list[tuple[str, dict[str, str], Any]] = []
        elsewhere = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                elsewhere.got.append((self.path, headers, body))
                self.send_response(elsewhere.status)
                for name, value in {"Content-Length": "2", **elsewhere.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """A running server."""
    there = Elsewhere()
    thread = threading.Thread(target=there.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield there
    there.server.shutdown()
    there.server.server_close()
    thread.join()


def test_a_slack_channel_reads_the_message(elsewhere: Elsewhere) -> None:
    deliver("slack", {"webhook": f"{elsewhere.url}/services/T0/B0/secret"})
    path, _, body = elsewhere.got[0]
    assert path == "/services/T0/B0/secret"
    assert body["text"] == "*Weekly plan*\nThe draft is **ready**: 3 &lt; 4 &amp; 100% _done_ ☕"


def test_a_telegram_chat_reads_the_message_word_for_word(elsewhere: Elsewhere) -> None:
    deliver("telegram", {"token": "1:secret", "chat": 42, "base_url": elsewhere.url})
    path, _, body = elsewhere.got[0]
    assert path == "/bot1:secret/sendMessage"
    assert body["chat_id"] == 42
    assert body["text"] == f"{TITLE}\n\n{BODY}"


def test_ones_own_service_can_tell_a_repeated_delivery(elsewhere: Elsewhere) -> None:
    for _ in range(2):
        deliver("webhook", {"url": f"{elsewhere.url}/rota", "headers": {"X-Token": "abc"}})
    (_, first, body), (_, again, _) = elsewhere.got
    assert first["idempotency-key"] == again["idempotency-key"] == ABOUT["key"]
    assert first["x-token"] == "abc"
    assert body == {"title": TITLE, "body": BODY, **ABOUT}


def test_a_mailbox_gets_a_mail_that_names_the_job() -> None:
    inbox: list[EmailMessage] = []

    class Mailbox:
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the hook's name
            assert isinstance(envelope.content, bytes)
            inbox.append(message_from_bytes(envelope.content, policy=policy.default))
            return "250 OK"

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(Mailbox(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        for _ in range(2):
            deliver(
                "email",
                {
                    "smtp": f"smtp://127.0.0.1:{port}",
                    "tls": "none",
                    "from": "rota@home.org",
                    "to": "ann@home.org",
                },
            )
    finally:
        server.stop()
    first, again = inbox
    assert first["Subject"] == TITLE
    assert first.get_content().strip() == BODY
    assert first["X-Rota-Job"] == "weekly-plan"
    assert first["Message-ID"] == again["Message-ID"]


def test_a_script_of_ones_own_reads_it_from_stdin(tmp_path: Path) -> None:
    script = tmp_path / "tell.py"
    script.write_text("import os, sys; print(os.environ['ROTA_JOB'], sys.stdin.buffer.read().decode() != '')")
    assert deliver("command", {"command": [sys.executable, str(script)]})["output"] == "weekly-plan True\n"


def test_any_service_of_apprise_is_a_url_away(elsewhere: Elsewhere) -> None:
    assert deliver("apprise", {"url": elsewhere.url.replace("http", "json", 1) + "/in"}) == {
        "service": "JSON"
    }
    assert elsewhere.got[0][2]["message"] == BODY


WAYS: dict[str, Any] = {
    "slack": lambda url: {"webhook": f"{url}/services/T0/hunter2"},
    "telegram": lambda url: {"token": "hunter2", "chat": 42, "base_url": url},
    "webhook": lambda url: {"url": f"{url}/hunter2"},
    "apprise": lambda url: {"url": url.replace("http://", "json://rota:hunter2@")},
}


@pytest.mark.parametrize("kind", WAYS)
def test_a_revoked_token_is_not_tried_forever(elsewhere: Elsewhere, kind: str) -> None:
    elsewhere.status = 403
    with pytest.raises(StepError, match="403") as failure:
        deliver(kind, WAYS[kind](elsewhere.url))
    assert failure.value.permanent
    assert failure.value.hint
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize("kind", WAYS)
def test_a_service_that_is_down_gets_the_message_later(elsewhere: Elsewhere, kind: str) -> None:
    elsewhere.status = 503
    with pytest.raises(StepError, match="503") as failure:
        deliver(kind, WAYS[kind](elsewhere.url))
    assert not failure.value.permanent


@pytest.mark.parametrize("kind", ["slack", "telegram", "webhook"])
def test_a_busy_service_says_when_to_come_back(elsewhere: Elsewhere, kind: str) -> None:
    elsewhere.status, elsewhere.headers = 429, {"Retry-After": "40"}
    with pytest.raises(StepError) as failure:
        deliver(kind, WAYS[kind](elsewhere.url))
    assert (failure.value.permanent, failure.value.retry_after) == (False, 40)


def test_a_machine_without_a_desktop_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(StepError, match="no desktop can be reached") as failure:
        deliver("desktop", {})
    assert failure.value.permanent
    assert failure.value.hint is not None
    assert "another channel" in failure.value.hint

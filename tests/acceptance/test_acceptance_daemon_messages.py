"""A message of a job arrives once, whatever happens on the way; how it fares is no part of the run."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.support.rota import Rota, eventually

from rota.model.message import Message
from rota.ports.store import Tx
from rota.store import open_store


class Hook:
    """A web server of somebody else. It answers `statuses` one by one, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook.got.append(json.loads(body))
                self.send_response(status)
                if status != 200:
                    self.send_header("Retry-After", "1")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Mailbox:
    """What a mail server was given."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 # theirs
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        body = mail.get_body(("plain",))
        self.got.append((str(mail["Subject"]), body.get_content() if body is not None else ""))
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def webhook(url: str) -> str:
    return f"steps:\n  - run: echo 42\nnotify:\n  - type: webhook\n    url: {url}\n    message: 'it is {{{{ steps.run.output }}}}'\n"


def message_states(rota: Rota, job_id: str) -> list[str]:
    return [m["state"] for m in rota.quick("logs", job_id, "--json").json["messages"]]


def test_a_webhook_gets_it_once(rota: Rota, hook: Hook) -> None:
    rota.job("tell", webhook(hook.url))
    rota.up()
    rota("run", "tell", "--wait")
    eventually(lambda: message_states(rota, "tell") == ["sent"], "it is delivered")
    rota("down")
    rota.up()
    rota("tick")
    assert len(hook.got) == 1
    assert "it is 42" in json.dumps(hook.got[0])


def _later(rota: Rota) -> None:
    """The time that a message waits for its next try passes at once."""
    store = open_store(rota.layout.state)
    for message in store.read(lambda tx: tx.outbox.recent()):
        store.write_now(partial(_due_now, message=message))
    store.close()


def _due_now(tx: Tx, message: Message) -> None:
    if tx.outbox.claim(message.key, message.not_before) is not None:
        tx.outbox.retry(message.key, message.error or "", 0)


def test_an_outage_is_sat_out_and_shown(rota: Rota, hook: Hook) -> None:
    hook.statuses = [503]
    rota.job("tell", webhook(hook.url))
    rota.up()
    assert "tell succeeded" in rota("run", "tell", "--wait").err
    eventually(lambda: "503" in rota.quick("status").out or hook.got, "the outage is shown")
    _later(rota)
    eventually(lambda: hook.got, "it arrives by itself")
    eventually(lambda: message_states(rota, "tell") == ["sent"])
    assert re.search(r"\b503\b", rota.quick("status").out) is None
    assert rota.runs("tell")[0]["state"] == "succeeded"
    assert len(hook.got) == 1


def test_nobody_listens(rota: Rota, hook: Hook) -> None:
    hook.server.shutdown()
    hook.server.server_close()
    rota.job("tell", webhook(hook.url))
    assert "tell succeeded" in rota("run", "tell").err
    status = rota.quick("status").out
    assert "message    webhook of tell (to be tried again): " in status
    assert "a webhook message of tell is not delivered yet" in rota.quick("doctor").out
    assert rota.quick("status", "--json").json["undelivered"][0]["job"] == "tell"
    assert rota.runs("tell")[0]["state"] == "succeeded"


def test_a_failure_is_mailed(rota: Rota, mail: tuple[Mailbox, int]) -> None:
    box, port = mail
    rota.write(
        ".rota/rota.yaml",
        "timezone: UTC\nnotify: [post]\nchannels:\n  post:\n    type: email\n    to: mara@example.org\n"
        f"    from: rota@example.org\n    host: 127.0.0.1\n    port: {port}\n    tls: none\n",
    )
    rota.job("bad", "steps:\n  - run: echo out of paper >&2; exit 1\n")
    rota("check")
    rota("run", "bad", code=1)
    assert len(box.got) == 1
    subject, body = box.got[0]
    assert "bad" in subject
    assert "out of paper" in body or "exit code 1" in body

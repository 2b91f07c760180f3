"""Real servers on this machine that receive what the channels send."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

ABOUT = {
    "job": "plan",
    "run": "261121-080000-x7k2q9wd",
    "key": "261121-080000-x7k2q9wd:done",
    "workspace": "home",
}


ACCOUNT = ("rota@example.org", "pass word/1")


@pytest.fixture
def about() -> dict[str, Any]:
    """What the outbox tells with every message."""
    return dict(ABOUT)


@dataclass
class Call:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Receiver:
    """An HTTP server: answers what is queued in `answers` (status, headers, text), then 200."""

    base: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    hang: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, status: int, text: str = "", **headers: str) -> None:
        """Queue an answer; header names with _ for -."""
        self.answers.append(
            (status, {name.replace("_", "-"): value for name, value in headers.items()}, text)
        )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running Receiver."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.calls.append(Call(self.command, self.path, headers, json.loads(body)))
            if state.hang:
                state.released.wait(60)
                return
            status, more, text = state.answers.pop(0) if state.answers else (200, {}, "ok")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text.encode())), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_PATCH = _take  # noqa: N815 - the names that the base class calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    state.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Mail:
    """One mail that arrived: the envelope's addresses, and the parsed message."""

    sender: str
    to: list[str]
    message: EmailMessage
    encrypted: bool
    authenticated: bool


@dataclass
class MailServer:
    """An SMTP server. `refuse`: what it answers to that recipient, or (for "DATA") to the mail."""

    port: int
    inbox: list[Mail] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)


class _Handler:
    def __init__(self, state: MailServer) -> None:
        self._state = state

    async def handle_RCPT(  # noqa: N802 - the hook's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self._state.refuse.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the hook's name
        if answer := self._state.refuse.get("DATA"):
            return answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        encrypted, known = session.ssl is not None, bool(session.authenticated)
        mail = Mail(envelope.mail_from or "", list(envelope.rcpt_tos), message, encrypted, known)
        self._state.inbox.append(mail)
        return "250 OK"


def _check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    # handled=False: aiosmtpd itself is to answer 535.
    return AuthResult(success=(data.login.decode(), data.password.decode()) == ACCOUNT, handled=False)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def closed_port() -> int:
    """A port where a connection is refused."""
    return free_port()


StartMailServer = Callable[..., MailServer]


@pytest.fixture
def start_mail_server() -> Iterator[StartMailServer]:
    """Starts a MailServer with the given options of aiosmtpd's Controller."""
    running: list[Controller] = []

    def start(**options: Any) -> MailServer:
        for _ in range(5):  # another process may take the port in between
            state = MailServer(free_port())
            controller = Controller(_Handler(state), hostname="127.0.0.1", port=state.port, **options)
            try:
                controller.start()
            except OSError:
                continue
            running.append(controller)
            return state
        raise AssertionError("no port could be had")

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture
def needs_account() -> dict[str, Any]:
    """Options of a server that takes mail of ACCOUNT alone."""
    return {"authenticator": _check, "auth_required": True, "auth_require_tls": False}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A self-made certificate for 127.0.0.1: its file, and a server's context with it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    made = subprocess.run(
        [
            *(
                openssl,
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
            ),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("this openssl cannot make the certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context

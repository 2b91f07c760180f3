"""A real IMAP server on this machine: Dovecot with a mailbox of its own. Tests without it are skipped by name."""

from __future__ import annotations

import contextlib
import getpass
import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "dana@example.org", 'pass word/"1"'

_SETTINGS = """
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login
mail_location = maildir:{home}/mail
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
{tls}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
"""


@dataclass
class Mailbox:
    """A running server. `log`: what it wrote."""

    port: int
    tls_port: int
    log: Path

    @property
    def config(self) -> dict[str, object]:
        """The keys of an `imap` source for it."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "user": USER,
            "password": PASSWORD,
        }

    @contextmanager
    def client(self) -> Iterator[imaplib.IMAP4]:
        """Another program that uses the mailbox."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        try:
            client.login(USER, PASSWORD)
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.logout()

    def deliver(self, *mails: bytes, folder: str = "INBOX") -> None:
        """Put mails into a folder."""
        with self.client() as client:
            for mail in mails:
                status, answer = client.append(folder, "", imaplib.Time2Internaldate(time.time()), mail)
                assert status == "OK", answer

    def flags(self, folder: str = "INBOX") -> list[str]:
        """The flags of each mail."""
        with self.client() as client:
            client.select(folder, readonly=True)
            _, data = client.fetch("1:*", "(FLAGS)")
            return [part.decode() for part in data if isinstance(part, bytes)]


def mail(
    subject: str, body: str = "Hello.", *, headers: str = "", sender: str = "Sam <sam@example.org>"
) -> bytes:
    """A plain mail as it travels."""
    lines = [
        f"From: {sender}",
        "To: Dana <dana@example.org>",
        f"Subject: {subject}",
        "Date: Mon, 23 Nov 2026 09:30:00 +0100",
        f"Message-ID: <{abs(hash((subject, body))):x}@example.org>",
        *([headers] if headers else ["Content-Type: text/plain; charset=utf-8"]),
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


@contextmanager
def mailbox(certificate: tuple[Path, Path] | None = None) -> Iterator[Mailbox]:
    """A server with an empty mailbox; `certificate`: its file and its key's, for TLS."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("dovecot (Debian: dovecot-imapd) is not installed")
    with tempfile.TemporaryDirectory(prefix="rota-mail-") as folder:
        home = Path(folder)
        process, state = _started(program, home, certificate)
        try:
            yield state
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _started(
    program: str, home: Path, certificate: tuple[Path, Path] | None
) -> tuple[subprocess.Popen[bytes], Mailbox]:
    # Dovecot refuses mail to root, and drops its own privileges: another user stands in.
    owner = pwd.getpwnam("nobody" if os.geteuid() == 0 else getpass.getuser())
    port, tls_port = _free_port(), _free_port() if certificate else 0
    tls = "ssl = no"
    if certificate:
        tls = f"ssl = yes\nssl_cert = <{certificate[0]}\nssl_key = <{certificate[1]}"
    (home / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
    (home / "dovecot.conf").write_text(
        _SETTINGS.format(
            home=home,
            user=owner.pw_name,
            group=grp.getgrgid(owner.pw_gid).gr_name,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            port=port,
            tls_port=tls_port,
            tls=tls,
        )
    )
    (home / "mail").mkdir()
    if os.geteuid() == 0:
        for path in (home, home / "mail", home / "users"):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    process = subprocess.Popen([program, "-F", "-c", str(home / "dovecot.conf")], stdout=subprocess.DEVNULL)
    state = Mailbox(port, tls_port, home / "log")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, imaplib.IMAP4.error), state.client():
            return process, state
        time.sleep(0.05)
    process.kill()
    process.wait()
    log = state.log.read_text() if state.log.exists() else ""
    pytest.skip(f"dovecot does not start here: {log[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

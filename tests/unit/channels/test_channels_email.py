"""Email, to a real SMTP server."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rota.channels import email
from rota.model.errors import StepError

if TYPE_CHECKING:
    from tests.unit.channels.conftest import MailServer, StartMailServer

TITLE = "Wochenplan für Zoë ☕\nBcc: evil@example.org"
BODY = "Grüße,\n\n.a line with a dot\n" + "lang " * 400 + "😀"
USER, PASSWORD = "rota@example.org", "pass word/1"


def plain(server: MailServer, **more: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "tls": "none",
        "from": "Röta <rota@example.org>",
        "to": "ann@example.org",
        **more,
    }


def failing(config: dict[str, Any], about: dict[str, Any], match: str) -> StepError:
    with pytest.raises(StepError, match=match) as failure:
        email.send(config, TITLE, BODY, about)
    assert "\n" not in str(failure.value)
    assert PASSWORD not in str(failure.value)
    return failure.value


def test_a_mail_arrives_as_it_was_written(start_mail_server: StartMailServer, about: dict[str, Any]) -> None:
    server = start_mail_server()
    email.send(plain(server, to=["ann@example.org", "Bob <bob@example.org>"]), TITLE, BODY, about)
    [mail] = server.inbox
    assert mail.to == ["ann@example.org", "bob@example.org"]
    assert mail.message["Subject"] == "Wochenplan für Zoë ☕ Bcc: evil@example.org"
    assert mail.message["From"] == "Röta <rota@example.org>"
    assert mail.message["Bcc"] is None
    assert mail.message.get_content().replace("\r\n", "\n").rstrip("\n") == BODY
    assert mail.message["X-Rota-Job"] == "plan"
    assert mail.message["Auto-Submitted"] == "auto-generated"


def test_a_second_delivery_can_be_told_by_its_message_id(
    start_mail_server: StartMailServer, about: dict[str, Any]
) -> None:
    server = start_mail_server()
    results = [email.send(plain(server), TITLE, BODY, about) for _ in range(2)]
    email.send(plain(server), TITLE, BODY, about | {"key": "another"})
    first, again, other = (mail.message["Message-ID"] for mail in server.inbox)
    assert first == again == results[0]["message_id"]
    assert first.endswith("@example.org>")
    assert other != first


def test_an_account_in_the_url_of_the_server(
    start_mail_server: StartMailServer, needs_account: dict[str, Any], about: dict[str, Any]
) -> None:
    server = start_mail_server(**needs_account)
    url = f"smtp://rota%40example.org:pass%20word%2F1@127.0.0.1:{server.port}"
    email.send({"smtp": url, "tls": "none", "to": "ann@example.org"}, TITLE, BODY, about)
    [mail] = server.inbox
    assert mail.authenticated
    assert mail.sender == USER


def test_a_wrong_password_is_permanent(
    start_mail_server: StartMailServer, needs_account: dict[str, Any], about: dict[str, Any]
) -> None:
    server = start_mail_server(**needs_account)
    error = failing(plain(server, user=USER, password="wrong"), about, "535")
    assert error.permanent
    assert error.hint is not None
    assert "password" in error.hint
    assert failing(plain(server), about, "530").permanent


def test_starttls_protects_account_and_mail(
    start_mail_server: StartMailServer,
    needs_account: dict[str, Any],
    certificate: tuple[Path, ssl.SSLContext],
    about: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = start_mail_server(**needs_account, tls_context=context, require_starttls=True)
    config = {**plain(server, user=USER, password=PASSWORD), "tls": None}
    email.send({key: value for key, value in config.items() if value is not None}, TITLE, BODY, about)
    [mail] = server.inbox
    assert mail.encrypted
    assert mail.authenticated


def test_tls_at_once(
    start_mail_server: StartMailServer,
    certificate: tuple[Path, ssl.SSLContext],
    about: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = start_mail_server(ssl_context=context)
    email.send({"smtp": f"smtps://127.0.0.1:{server.port}", "from": USER, "to": USER}, TITLE, BODY, about)
    assert len(server.inbox) == 1


def test_a_certificate_of_a_stranger_is_not_trusted(
    start_mail_server: StartMailServer, certificate: tuple[Path, ssl.SSLContext], about: dict[str, Any]
) -> None:
    server = start_mail_server(tls_context=certificate[1])
    error = failing(plain(server, tls="starttls", user=USER, password=PASSWORD), about, "CERTIFICATE")
    assert error.permanent
    assert server.inbox == []


def test_no_mail_goes_out_unprotected_unless_that_is_said(
    start_mail_server: StartMailServer, about: dict[str, Any]
) -> None:
    server = start_mail_server()
    error = failing(plain(server, tls="starttls"), about, "TLS")
    assert error.permanent
    assert error.hint is not None
    assert "tls: none" in error.hint
    assert failing(plain(server, tls="ssl"), about, "TLS").permanent
    assert server.inbox == []


@pytest.mark.parametrize(("answer", "permanent"), [("451 come back later", False), ("554 no spam", True)])
def test_the_servers_answer_decides(
    start_mail_server: StartMailServer, about: dict[str, Any], answer: str, permanent: bool
) -> None:
    server = start_mail_server()
    server.refuse["DATA"] = answer
    words = answer.replace(" ", ": ", 1)
    assert failing(plain(server), about, words).permanent is permanent
    server.refuse = {"ann@example.org": answer}
    assert failing(plain(server), about, words).permanent is permanent


def test_a_mail_that_some_have_is_not_sent_again(
    start_mail_server: StartMailServer, about: dict[str, Any]
) -> None:
    server = start_mail_server()
    server.refuse["bob@example.org"] = "450 mailbox busy"
    error = failing(plain(server, to="ann@example.org, bob@example.org"), about, "bob@example.org")
    assert error.permanent
    assert len(server.inbox) == 1


def test_a_refused_connection_may_be_tried_again(closed_port: int, about: dict[str, Any]) -> None:
    config = {"smtp": f"smtp://u:secret-part@127.0.0.1:{closed_port}", "from": USER, "to": USER}
    error = failing(config, about, "cannot be reached")
    assert not error.permanent
    assert "secret-part" not in str(error)


def test_a_server_that_hangs_is_given_up(about: dict[str, Any]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = {"host": "127.0.0.1", "port": port, "from": USER, "to": USER, "timeout": 0.3}
        error = failing(config, about, "no answer")
    assert not error.permanent


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"to": USER}, "mail server"),
        ({"host": "h", "smtp": "smtp://h", "to": USER}, "mail server"),
        ({"smtp": "http://h", "from": USER, "to": USER}, "smtp://"),
        ({"smtp": "smtp://", "from": USER, "to": USER}, "no name"),
        ({"smtp": "smtp://h", "port": 25, "from": USER, "to": USER}, "port"),
        ({"host": "h", "to": USER}, "`from` is missing"),
        ({"host": "h", "from": "a@b.org, c@d.org", "to": USER}, "`from`"),
        ({"host": "h", "from": USER, "to": []}, "`to`"),
        ({"host": "h", "from": USER, "to": "root"}, "`to`"),
        ({"host": "h", "from": USER, "to": "a@b.org\nBcc: x@y.org"}, "`to`"),
        ({"host": "h", "from": USER, "to": USER, "tls": "maybe"}, "`tls`"),
    ],
)
def test_wrong_settings_are_permanent(config: dict[str, Any], match: str, about: dict[str, Any]) -> None:
    assert failing(config, about, match).permanent

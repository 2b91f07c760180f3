"""Email by SMTP. smtplib rather than Apprise, which invents a Message-ID and hides the server's answer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, model_validator

from rota.channels._params import DEFAULT_TIMEOUT, ChannelParams, Timeout, filled, misconfigured
from rota.channels._text import clean, one_line

if TYPE_CHECKING:
    from email.headerregistry import Address
    from email.message import EmailMessage

    from rota.channels._smtp import Server

Tls = Literal["starttls", "ssl", "none"]
_PORTS: dict[Tls, int] = {"starttls": 587, "ssl": 465, "none": 25}


class EmailParams(ChannelParams):
    """Keys of `type: email`: `to`, and the server as `smtp` or as `host` and what belongs to it."""

    smtp: str | None = Field(
        default=None,
        description="The server in one: smtp://user:password@host:587, or smtps:// for TLS at once.",
    )
    host: str | None = Field(default=None, description="The mail server, instead of `smtp`.")
    port: int | None = Field(
        default=None, gt=0, lt=65_536, description="Its port; by default 587, 465 for ssl, 25 for none."
    )
    user: str | None = Field(default=None, description="The account, where the server asks for one.")
    password: str | None = Field(default=None, description="The account's password: ${SMTP_PASSWORD}.")
    sender: str | None = Field(
        default=None, alias="from", description="The sender's address; by default `user`, if that is one."
    )
    to: str | list[str] = Field(description="The address that it goes to, or several.")
    tls: Tls | None = Field(
        default=None,
        description="starttls, ssl (TLS at once) or none; by default ssl on port 465, else starttls.",
    )
    timeout: Timeout = DEFAULT_TIMEOUT

    @model_validator(mode="after")
    def _one_server(self) -> EmailParams:
        if (self.smtp is None) == (self.host is None):
            raise ValueError("give the mail server, either as `smtp` or as `host`")
        if self.smtp is not None and (self.port or self.user or self.password):
            raise ValueError("port, user and password belong into `smtp`, where that is given")
        return self


class Email:
    """Sends a plain-text mail. The Message-ID comes from the outbox key: a second delivery can be told."""

    key: ClassVar[str] = "email"
    params: ClassVar[type[BaseModel]] = EmailParams
    target: ClassVar[str] = "rota.channels.email:send"


def send(config: dict[str, Any], title: str, body: str, about: dict[str, Any]) -> dict[str, Any]:
    """Deliver one message; `{"message_id": ...}`. StepError says whether another try may help.

    When the server takes it for only some addresses, the error is permanent: those have it.
    """
    from rota.channels import _smtp

    params = filled(EmailParams, config, Email.key)
    server = _server(params)
    message = _message(params, server, title, body, about)
    _smtp.deliver(server, message, params.timeout)
    return {"message_id": message["Message-ID"]}


def _server(params: EmailParams) -> Server:
    from rota.channels._smtp import Server

    host, port, user, password = params.host or "", params.port, params.user or "", params.password or ""
    tls = params.tls
    if params.smtp is not None:
        try:
            url = urlsplit(params.smtp)
            host, port = url.hostname or "", url.port
        except ValueError:
            raise misconfigured(Email.key, "`smtp` is not an address") from None
        if url.scheme not in {"smtp", "smtps"}:
            raise misconfigured(Email.key, "`smtp` has to begin with smtp:// or smtps://")
        user, password = unquote(url.username or ""), unquote(url.password or "")
        tls = tls or ("ssl" if url.scheme == "smtps" else None)
    if not host:
        raise misconfigured(Email.key, "the mail server has no name")
    tls = tls or ("ssl" if port == 465 else "starttls")
    return Server(host, port or _PORTS[tls], tls, user, password)


def _message(
    params: EmailParams, server: Server, title: str, body: str, about: dict[str, Any]
) -> EmailMessage:
    from email.message import EmailMessage
    from email.utils import formatdate

    if params.sender is None and "@" not in server.user:
        raise misconfigured(Email.key, "`from` is missing")
    senders = _addresses("from", params.sender or server.user)
    if len(senders) != 1:
        raise misconfigured(Email.key, "`from` has to be one address")
    message = EmailMessage()
    message["Subject"] = one_line(title) or one_line(body, 78) or "rota"
    message["From"] = senders
    message["To"] = _addresses("to", params.to)
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = _message_id(about, senders[0].domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: keeps holiday replies away
    for name in ("job", "run"):
        if value := one_line(str(about.get(name) or "")):
            message[f"X-Rota-{name.title()}"] = value
    message.set_content(clean(body))
    return message


def _addresses(key: str, given: str | list[str]) -> tuple[Address, ...]:
    from email.errors import MessageError
    from email.headerregistry import Address
    from email.utils import getaddresses

    texts = [given] if isinstance(given, str) else given
    try:
        # A line break could begin another header, and smuggle in an address.
        pairs = getaddresses(texts) if all(text.isprintable() for text in texts) else []
        addresses = tuple(Address(name, addr_spec=address) for name, address in pairs)
    except (MessageError, ValueError, IndexError):
        addresses = ()
    if not addresses or not all(address.domain for address in addresses):
        raise misconfigured(Email.key, f"`{key}` has to be a mail address, or several")
    return addresses


def _message_id(about: dict[str, Any], domain: str) -> str:
    told = "\0".join(str(about.get(name) or "") for name in ("workspace", "key"))
    return f"<rota.{hashlib.sha256(told.encode()).hexdigest()[:32]}@{domain}>"

"""Handing a mail to a server, and what a failure means for the next try."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

from rota.channels._deadline import CONNECT, no_answer, within
from rota.channels._http import unreachable
from rota.channels._params import misconfigured
from rota.channels._text import masked, one_line
from rota.model.errors import StepError

_CHANNEL = "email"
# What smtplib would greet with needs name look-ups, which can take half a minute, and tells the machine's name.
_GREETING = "[127.0.0.1]"
_HINTS = {
    530: "it asks for an account: give `user` and `password`",
    535: "the account or its password is not accepted; many providers want an app password",
    550: "check the addresses in `to`",
}


@dataclass(frozen=True)
class Server:
    """Where and how a mail is handed over."""

    host: str
    port: int
    tls: Literal["starttls", "ssl", "none"]
    user: str = ""
    password: str = ""

    @property
    def place(self) -> str:
        """How errors call it."""
        return f"the mail server {self.host}:{self.port}"


def deliver(server: Server, message: EmailMessage, timeout: float) -> None:
    """Hand the mail over, within `timeout` seconds.

    StepError: permanent for a 5xx answer, missing TLS or an untrusted certificate; else transient. When
    some of the addresses were refused it is permanent too: the others have the mail.
    """
    refused = within(timeout, server.place, lambda: _hand_over(server, message, timeout))
    if refused:
        raise StepError(
            f"{server.place} took the mail, but not for {', '.join(sorted(refused))}",
            hint="check these addresses; the others have the mail, so it is not sent again",
            code="refused",
            permanent=True,
        )


def _hand_over(server: Server, message: EmailMessage, timeout: float) -> list[str]:
    """Addresses that were refused while others were not."""
    try:
        client = _connect(server, timeout)
        try:
            if server.user or server.password:
                client.login(server.user, server.password)
            return list(client.send_message(message))
        finally:
            # Whatever happens while leaving, the mail is delivered by now, or its error is on the way.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                client.quit()
            client.close()
    except TimeoutError:
        raise no_answer(server.place, timeout) from None
    except smtplib.SMTPException as error:
        raise _answered(server, error) from None
    except UnicodeError:
        raise misconfigured(
            _CHANNEL, "the account or an address has characters that it cannot take"
        ) from None
    except OSError as error:
        raise _broken_off(server, error) from None


def _connect(server: Server, timeout: float) -> smtplib.SMTP:
    connect = min(CONNECT, timeout)
    context = ssl.create_default_context()
    if server.tls == "ssl":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, _GREETING, timeout=connect, context=context
        )
    else:
        client = smtplib.SMTP(server.host, server.port, _GREETING, timeout=connect)
    if client.sock is not None:
        client.sock.settimeout(timeout)
    if server.tls == "starttls":
        try:
            client.starttls(context=context)
        except BaseException:
            client.close()
            raise
    return client


def _answered(server: Server, error: smtplib.SMTPException) -> StepError:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        missing = "TLS" if "STARTTLS" in str(error) else "what is asked of it"
        hint = (
            "`tls: none` sends without encryption, for a server on this machine" if missing == "TLS" else None
        )
        return StepError(
            f"{server.place} does not offer {missing}: {one_line(str(error))}",
            hint=hint,
            code="refused",
            permanent=True,
        )
    code, said = _code_and_words(error)
    permanent = code >= 500
    words = one_line(masked(said, [server.password] if server.password else []))
    return StepError(
        f"{server.place} answered {code}: {words}" if code else f"{server.place} broke off: {words}",
        hint=_HINTS.get(code),
        code="refused" if permanent else "unavailable",
        permanent=permanent,
    )


def _code_and_words(error: smtplib.SMTPException) -> tuple[int, str]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # One that may be taken later is enough for another try: nobody has the mail yet.
        code, reply = min(error.recipients.values())
        return int(code), reply.decode("utf-8", "replace")
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        return int(error.smtp_code), words.decode("utf-8", "replace") if isinstance(words, bytes) else str(
            words
        )
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return 0, str(error)
    return 500, str(error)  # no way to log in that both sides know


def _broken_off(server: Server, error: OSError) -> StepError:
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError):
        return StepError(
            f"{server.place} does not speak TLS like this: {one_line(str(error))}",
            hint="`tls: ssl` is for port 465, `tls: starttls` for 587",
            code="refused",
            permanent=True,
        )
    return unreachable(server.place, error)

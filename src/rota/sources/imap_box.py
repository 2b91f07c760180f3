"""A mailbox over IMAP, read only; its failures in words, with what may help."""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rota.model.errors import StepError
from rota.sources import imap_mail
from rota.sources._deadline import CONNECT, SILENCE
from rota.sources._text import masked, one_line
from rota.sources.imap_mail import Place

if TYPE_CHECKING:
    from imap_tools import BaseMailBox

_MOST_BYTES = 30_000_000
# Words of a server that will let us in later.
_LATER = re.compile(
    r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN|THROTTLED)\]|too many|try again|temporar|rate limit",
    re.IGNORECASE,
)
# How imaplib wraps what a server said.
_WRAPPED = re.compile(r"""^.* command error: \w+ \[b(['"])(.*)\1\]$""", re.DOTALL)
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


class Box:
    """A connection: a context that logs out. StepErrors are permanent where another try cannot help."""

    def __init__(self, host: str, port: int, security: str, timeout: float) -> None:
        self._host = host
        self._secrets: list[str] = []
        with self._words("could not be reached"):
            self._box = _connected(host, port, security, min(timeout, CONNECT))
            self._box.client.sock.settimeout(min(timeout, SILENCE))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was read is read: a server that hangs up first has done no harm.
        with contextlib.suppress(Exception):
            self._box.logout()

    def login(self, user: str, password: str, token: str) -> None:
        """By password, or by an OAuth token."""
        from imap_tools import MailboxLoginError

        self._secrets = [password, token]
        hint = "check `user` and `password`: many providers want an app password"
        if token:
            hint = "the token is not accepted or has expired: get a new one"
        try:
            with self._words("did not let us in", hint):
                if token:
                    self._box.xoauth2(user, token, None)
                elif (user + password).isascii():
                    self._box.login(user, password, None)
                else:
                    self._box.login_utf8(user, password, None)
        except MailboxLoginError as error:
            raise self._error("did not let us in", error, hint) from None

    def place(self, folder: str) -> Place:
        """Where the folder stands, without opening it."""
        with self._words(f"cannot say how {folder!r} stands", self._folders):
            status = self._box.folder.status(folder, ["UIDVALIDITY", "UIDNEXT"])
        return Place(status.get("UIDVALIDITY", 0), status.get("UIDNEXT", 0))

    def select(self, folder: str) -> None:
        """Open the folder, so that nothing in it can be changed."""
        with self._words(f"cannot open {folder!r}", self._folders):
            self._box.folder.set(folder, readonly=True)

    def search(self, criteria: str, since: int) -> list[int]:
        """The numbers of the mails that `criteria` names, from `since` on, in order."""
        words = criteria.strip() or "ALL"
        # `n:*` has the last mail in it, even when its number is below n.
        whole = f"UID {since}:* {words}" if since else words
        with self._words(
            "does not understand `search:`", 'it is written in IMAP\'s words: UNSEEN, FROM "dana"'
        ):
            # Some servers refuse to be told of a charset that they need not know.
            found = self._box.uids(whole, charset=None if whole.isascii() else "UTF-8")
        return sorted(uid for uid in map(int, found) if uid >= since)

    def mail(self, uid: int, validity: int) -> imap_mail.Mail | None:
        """One mail, not marked as read; None when it is gone by now. Of a huge one, the header alone."""
        with self._words(f"cannot give mail {uid}"):
            size = self._size(uid)
            too_big = size > _MOST_BYTES
            found = list(self._box.fetch(uid_list=[str(uid)], mark_seen=False, headers_only=too_big))
        if not found:
            return None
        note = f"mail {uid} has {size // 1_000_000} MB: only its header was read" if too_big else ""
        return imap_mail.read(found[0], f"{validity}-{uid}", note)

    def _size(self, uid: int) -> int:
        _, data = self._box.client.uid("fetch", str(uid), "(RFC822.SIZE)")
        match = _SIZE.search(b" ".join(part for part in data if isinstance(part, bytes)))
        return int(match[1]) if match else 0

    def _folders(self) -> str:
        try:
            names = [one.name for one in self._box.folder.list()]
        except Exception:  # noqa: BLE001 # it was only to help
            return "check `folder:`"
        return f"check `folder:`; there are {', '.join(names[:20])}"

    @contextlib.contextmanager
    def _words(self, what: str, hint: Any = None) -> Iterator[None]:
        """The library's errors as StepErrors."""
        from imap_tools import ImapToolsError

        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise StepError(
                f"the certificate of {self._host} is not trusted: {error.verify_message}",
                code="connection",
                permanent=True,
                hint="SSL_CERT_FILE names the file of another authority",
            ) from None
        except (imaplib.IMAP4.abort, OSError) as error:
            said = one_line(str(error)) or type(error).__name__
            raise StepError(
                f"{self._host} could not be reached, or hung up: {said}",
                code="connection",
                permanent=False,
                hint="check `host:`, `port:` and `security:`, and the network",
            ) from None
        except (imaplib.IMAP4.error, ImapToolsError) as error:
            raise self._error(what, error, hint() if callable(hint) else hint) from None

    def _error(self, what: str, error: Exception, hint: str | None) -> StepError:
        data = getattr(error, "command_result", None)
        said = _said(data[1]) if isinstance(data, tuple) and len(data) > 1 else str(error)
        said = _WRAPPED.sub(r"\2", said)
        later = _LATER.search(said) is not None
        words = one_line(masked(said, self._secrets))
        return StepError(
            f"{self._host} {what}" + (f": {words}" if words else ""),
            code="connection" if later else "refused",
            permanent=not later,
            hint="it may work later" if later else hint or "look at the folder with another mail program",
        )


def _said(data: Any) -> str:
    parts = data if isinstance(data, list) else [data]
    return " ".join(
        part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in parts
    )


def _connected(host: str, port: int, security: str, timeout: float) -> BaseMailBox:
    from imap_tools import MailBox, MailBoxStartTls, MailBoxUnencrypted

    if security == "none":
        return MailBoxUnencrypted(host, port, timeout)
    context = ssl.create_default_context()
    if security == "starttls":
        return MailBoxStartTls(host, port, timeout, context)
    return MailBox(host, port, timeout, ssl_context=context)

"""A mail as plain values: where it stands, addresses, date, body in Markdown, attachments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from rota.sources import _text

if TYPE_CHECKING:
    from imap_tools import MailMessage

_MOST_TEXT = 50_000
_MOST_ATTACHMENTS = 50


@dataclass(frozen=True)
class Place:
    """Where a folder stands: its numbering (UIDVALIDITY), and the number that the next mail will have."""

    validity: int
    next: int


@dataclass(frozen=True)
class Attachment:
    """One attachment; `name` is what the sender called it, and safe nowhere."""

    name: str
    type: str
    data: bytes


@dataclass(frozen=True)
class Mail:
    """One mail. `id`: the folder's numbering and the mail's number in it; `date`: ISO 8601 in UTC, or empty.

    `fingerprint` is the same when the folder is numbered anew. `note`: what of it was not read, if anything.
    """

    id: str
    fingerprint: str
    subject: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    date: str
    unread: bool
    message_id: str
    text: str
    attachments: tuple[Attachment, ...]
    note: str = ""


def read(message: MailMessage, identity: str, note: str = "") -> Mail:
    """What a person would see of a message, however broken it is."""
    subject = _text.one_line(message.subject, 300)
    message_id = _text.one_line(message.obj.get("Message-ID") or "", 500)
    sender = message.from_values
    date = _date(message)
    shown = _text.one_line(sender.full if sender else "", 300)
    attachments = [
        Attachment(
            _text.one_line(one.filename, 200),
            _text.one_line(one.content_type, 100),
            one.payload,
        )
        for one in message.attachments[:_MOST_ATTACHMENTS]
        # Pictures of an HTML body are named by it, and are no attachments to a person.
        if one.filename or one.content_disposition == "attachment" or one.content_type == "message/rfc822"
    ]
    return Mail(
        id=identity,
        fingerprint=_text.digest(message_id, subject, shown, date),
        subject=subject,
        sender=shown,
        to=_addresses(message.to_values),
        cc=_addresses(message.cc_values),
        date=date,
        unread="\\Seen" not in message.flags,
        message_id=message_id,
        text=_text.shortened(_body(message), _MOST_TEXT),
        attachments=tuple(attachments),
        note=note,
    )


def _addresses(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(_text.one_line(getattr(value, "full", ""), 300) for value in values[:50])


def _date(message: MailMessage) -> str:
    moment = message.date
    if moment.year < 1970:  # how the library says that there is none
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _body(message: MailMessage) -> str:
    plain = _text.tidy(message.text)
    # The text of a mail is what its sender wrote; the HTML is mostly what a program made of it.
    return plain or _text.markdown(message.html)

"""The imap source: new mail of a folder, without marking anything as read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, model_validator

from rota.sources import _text, imap_attachments
from rota.sources._deadline import within
from rota.sources._notes import KeepsNotes, Kept, front, keep
from rota.sources._params import Patience, checked
from rota.sources._seen import Item, fitted, knows, part, remembered
from rota.sources.imap_mail import Mail, Place
from rota.sources.note_text import Note

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_REMEMBERED = 500


class ImapParams(KeepsNotes):
    """What a `pull: imap` step may say."""

    host: str = Field(min_length=1, description="The mail server, such as imap.fastmail.com.")
    port: int | None = Field(
        default=None, ge=1, le=65_535, description="Its port; default: 993, or 143 without `tls`."
    )
    security: Literal["tls", "starttls", "none"] = Field(
        default="tls", description="How it is spoken to; `none` only on this machine."
    )
    user: str = Field(min_length=1, description="The account's name, most often the address.")
    password: str = Field(
        default="", description="The password, as `${MAIL_PASSWORD}`; with many providers an app password."
    )
    token: str = Field(
        default="", description="An OAuth 2.0 access token instead (XOAUTH2), as `${MAIL_TOKEN}`."
    )
    folder: str = Field(default="INBOX", min_length=1, description="The folder.")
    search: str = Field(
        default="",
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description='Which mails, in IMAP\'s words: `UNSEEN FROM "dana"`, `NOT SUBJECT "[ci]"`, `SINCE 1-Nov-2026`; '
        "default: all.",
    )
    first: int = Field(
        default=20, ge=0, le=500, description="How many of the latest mails the first look takes."
    )
    most: int = Field(
        default=50,
        ge=1,
        le=500,
        description="How many mails one look takes at most; the others come with the next.",
    )
    attachments: bool = Field(
        default=False, description="Save attachments, in a folder beside the mail's note."
    )
    attachment_mb: float = Field(
        default=10,
        gt=0,
        le=100,
        description="Attachments larger than this many megabytes are named, and not saved.",
    )
    give_up_after: Patience = 120.0

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if bool(self.password) == bool(self.token):
            raise ValueError("give either `password` or `token`")
        if self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError(
                "`security: none` would send the password in the clear: it is for this machine alone"
            )
        return self


class Imap:
    """Mail by IMAP: Gmail, Outlook, Fastmail, iCloud, and every other server."""

    key: ClassVar[str] = "imap"
    params: ClassVar[type[BaseModel]] = ImapParams
    target: ClassVar[str] = "rota.sources.imap:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")


def pull(
    config: dict[str, Any], workspace: str, cursor: Any = None, source: str = "imap", **_about: Any
) -> dict[str, Any]:
    """The mails that have come since `cursor`, oldest first; the first time, the latest `first` of them.

    Where the server has numbered the folder anew, those of the latest that were given before are left out.
    """
    params = checked(ImapParams, config, Imap.key)
    before = _place(cursor)
    known = part(cursor, "recent")
    mails, place, notes = within(params.give_up_after, params.host, lambda: _look(params, before, known))
    items, left = fitted([_item(mail) for mail in mails])
    if left:
        notes.append(f"{len(left)} more mails come with the next look: these are long")
        place = Place(place.validity, int(left[0]["id"].rpartition("-")[2]))
        mails = mails[: len(items)]
    kept = Kept()
    if params.notes and mails:
        kept = keep(workspace, source, params.into, (_note(source, item) for item in items))
        if params.attachments:
            imap_attachments.save(Path(workspace), mails, items, kept, params.attachment_mb)
    recent = remembered(known, [{"id": mail.fingerprint, "version": ""} for mail in mails], _REMEMBERED)
    return {
        "items": items,
        "text": _markdown(items),
        "cursor": {"validity": place.validity, "next": place.next, "recent": recent},
        "unchanged": place == before and not items,
        **kept.answer(notes),
    }


def _look(
    params: ImapParams, before: Place | None, known: Mapping[str, str]
) -> tuple[list[Mail], Place, list[str]]:
    from rota.sources.imap_box import Box

    with Box(params.host, _port(params), params.security, params.give_up_after) as box:
        box.login(params.user, params.password, params.token)
        place = box.place(params.folder)
        if place == before:
            return [], place, []
        notes: list[str] = []
        renumbered = before is not None and before.validity != place.validity
        since = before.next if before is not None and not renumbered else 0
        box.select(params.folder)
        uids = box.search(params.search, since)
        # Some servers do not say which number comes next.
        place = Place(place.validity, max(place.next, since, *(uid + 1 for uid in uids[-1:])))
        if before is None or renumbered:
            uids = uids[-params.first :] if params.first else []
        elif len(uids) > params.most:
            notes.append(f"{len(uids) - params.most} more mails (`most:`) come with the next look")
            uids = uids[: params.most]
            place = Place(place.validity, uids[-1] + 1)
        mails = [mail for uid in uids if (mail := box.mail(uid, place.validity)) is not None]
        if renumbered:
            notes.append("the server numbered the folder anew; mails that were known are left out")
            mails = [mail for mail in mails if not knows(known, mail.fingerprint)]
    notes += [mail.note for mail in mails if mail.note]
    return mails, place, notes


def _port(params: ImapParams) -> int:
    return params.port or (993 if params.security == "tls" else 143)


def _place(cursor: Any) -> Place | None:
    try:
        return Place(int(cursor["validity"]), int(cursor["next"]))
    except (TypeError, KeyError, ValueError):
        return None


def _item(mail: Mail) -> Item:
    return {
        "id": mail.id,
        "version": mail.fingerprint,
        "title": mail.subject or "(no subject)",
        "from": mail.sender,
        "to": list(mail.to),
        "cc": list(mail.cc),
        "date": mail.date,
        "unread": mail.unread,
        "message_id": mail.message_id,
        "text": mail.text,
        "attachments": [
            {"name": one.name, "type": one.type, "size": len(one.data)} for one in mail.attachments
        ],
    }


def _note(source: str, item: Item) -> Note:
    about = front(source, item, date=item["date"], participants=[item["from"], *item["to"], *item["cc"]])
    names = [f"- {one['name']} ({one['type']}, {one['size']:,} bytes)" for one in item["attachments"]]
    attached = "\n\n## Attachments\n\n" + "\n".join(names) if names else ""
    return Note(item["id"], item["title"], item["text"] + attached, about)


def _markdown(items: list[Item]) -> str:
    if not items:
        return "No new mail.\n"
    lines = []
    for item in items:
        lines.append(
            f"- {_text.link(item['title'], '')} (from {_text.link(item['from'], '')}, {item['date'][:16].replace('T', ' ')})"
        )
        if said := _text.one_line(item["text"], 300):
            lines.append(f"  {said}")
    return "\n".join(lines) + "\n"

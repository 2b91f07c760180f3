"""Attachments of mails, saved in a folder beside the mail's note, under names that are safe everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rota.model.errors import RotaError
from rota.ports.files import resolve_inside, write_atomic
from rota.sources._notes import Kept
from rota.sources._seen import Item
from rota.sources.imap_mail import Attachment, Mail
from rota.sources.note_text import slug


def save(workspace: Path, mails: Sequence[Mail], items: Sequence[Item], kept: Kept, megabytes: float) -> None:
    """Save what is not larger than `megabytes`; each item's attachments get their `path`, `kept` their files.

    What is too large is named in `kept.remarks`. A file that is there stays as it is.
    """
    for mail, item in zip(mails, items, strict=True):
        note = kept.paths.get(mail.id)
        if note is None:
            continue
        taken: set[str] = set()
        for attachment, told in zip(mail.attachments, item["attachments"], strict=True):
            if len(attachment.data) > megabytes * 1_000_000:
                size = len(attachment.data) / 1_000_000
                kept.remarks.append(
                    f"{attachment.name or 'an attachment'} ({size:.1f} MB) is not saved: it is too large"
                )
                continue
            name = _free(file_name(attachment), taken)
            place = str(PurePosixPath(note).with_suffix("") / name)
            try:
                if _put(workspace, place, attachment.data):
                    kept.files.append(place)
                told["path"] = place
            except (RotaError, OSError) as error:
                kept.remarks.append(f"{place} could not be written: {error}")


def file_name(attachment: Attachment) -> str:
    """The sender's name without anything that a file system or a shell could take for more than a name."""
    stem, dot, ending = attachment.name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    if not dot:
        stem, ending = ending, ""
    ending = re.sub(r"[^A-Za-z0-9]", "", ending)[:10].lower()
    if not ending and attachment.type == "message/rfc822":
        ending = "eml"
    return slug(stem, "attachment") + (f".{ending}" if ending else "")


def _free(name: str, taken: set[str]) -> str:
    stem, dot, ending = name.partition(".")
    number = 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{dot}{ending}"
    taken.add(name)
    return name


def _put(workspace: Path, place: str, data: bytes) -> bool:
    path = resolve_inside(workspace, place, purpose="attachment")
    if path.exists():
        return False
    write_atomic(path, data)
    return True

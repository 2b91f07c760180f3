"""From a file's bytes to its text: encodings, what is no text, what holds a key."""

from __future__ import annotations

import codecs
import re

_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_CONTROL = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27})
_LINE_END = re.compile(r"\r\n?")
_LOOKED_AT = 8192


def decode(data: bytes) -> str | None:
    """The text, with line ends as LF; None where it is none.

    UTF-8 and UTF-16 with their marks, UTF-8, else Windows' Latin-1. Where a UTF-8 text has some invalid bytes,
    those are replaced.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _LINE_END.sub("\n", data.decode("utf-16", "replace"))
    head = data[:_LOOKED_AT]
    if b"\0" in head or len(head.translate(None, _CONTROL)) < 0.97 * len(head):
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _broken(data)
    return _LINE_END.sub("\n", text) if "\r" in text else text


def _broken(data: bytes) -> str:
    """A text that is no UTF-8: one with a few bytes gone wrong, or one in an old encoding."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(not c.isascii() for c in text) - wrong
    return text if right >= wrong else data.decode("cp1252", "replace")


def holds_key(text: str) -> bool:
    """Whether there is a private key in it."""
    return "PRIVATE KEY" in text and _PRIVATE_KEY.search(text) is not None

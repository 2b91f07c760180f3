"""Texts as channels can carry them: cleaned, cut to length, with the secrets hidden."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, urlsplit

ELLIPSIS = "…"
HIDDEN = "***"
_NUMBERING = 12  # UTF-16 units kept free in each of several parts, for "(3/4)" and the ellipsis


def clean(text: str) -> str:
    """Without NULs and lone surrogates, which no channel can carry."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def one_line(text: str, limit: int = 200) -> str:
    """A text as a title: a single line of at most `limit` characters."""
    return shorten(" ".join(clean(text).split()), limit)


def joined(title: str, body: str) -> str:
    """Title and body as one text, for channels without titles; never empty, which they would refuse."""
    return "\n\n".join(part for part in (one_line(title), clean(body).strip()) if part) or "(no text)"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def split(text: str, limit: int, most: int) -> list[str]:
    """Numbered parts of at most `limit` UTF-16 units, cut at line ends and spaces where possible.

    What does not fit into `most` parts is dropped, with an ellipsis in its place.
    """
    rest = text.strip()
    if len(_first_units(rest, limit)) == len(rest):
        return [rest]
    parts: list[str] = []
    while rest and len(parts) < most:
        head = _first_units(rest, limit - _NUMBERING)
        if len(head) < len(rest):
            head = head[: _cut(head)]
        rest = rest[len(head) :].lstrip("\n")
        if kept := head.rstrip():
            parts.append(kept)
    if rest:
        parts[-1] += ELLIPSIS
    return [f"({number}/{len(parts)})\n{part}" for number, part in enumerate(parts, 1)]


def _first_units(text: str, units: int) -> str:
    # "ignore" drops the half of a surrogate pair that a cut may leave.
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")


def _cut(head: str) -> int:
    half = len(head) // 2
    return next((at for mark in ("\n", " ") if (at := head.rfind(mark)) > half), len(head))


def url_secrets(url: str) -> list[str]:
    """Everything in an address that may be a secret: user, password, path and query; not host and port."""
    try:
        split_url = urlsplit(url)
    except ValueError:
        return [url]
    account, _, _ = split_url.netloc.rpartition("@")
    raw = [*account.split(":", 1), *split_url.path.split("/"), split_url.path, *split_url.query.split("&")]
    values = [value for _, value in parse_qsl(split_url.query)]
    return [*raw, *(unquote(part) for part in raw), *values, url]


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret hidden; one of up to three letters only where it stands as a word."""
    for secret in sorted({secret for secret in secrets if secret.strip("/ ")}, key=len, reverse=True):
        pattern = re.escape(secret) if len(secret) > 3 else rf"\b{re.escape(secret)}\b"
        text = re.sub(pattern, HIDDEN, text)
    return text

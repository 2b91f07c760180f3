"""Texts from outside: HTML as Markdown, single lines, hashes, and words with the secrets hidden."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HIDDEN = "***"
_MOST_HTML = 1_000_000
_BLANKS = re.compile(r"\n{3,}")
# What a page has around its text, or what is no text.
_NO_TEXT = ("script", "style", "noscript", "template", "iframe", "object", "svg", "head")


def clean(text: str) -> str:
    """Without NULs and lone surrogates, with line ends as \\n."""
    return (
        text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    )


def one_line(text: object, limit: int = 200) -> str:
    """A single line of at most `limit` characters, the last an ellipsis where something was cut."""
    line = " ".join(clean(str(text)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, and said so where something was cut."""
    return text if len(text) <= limit else f"{text[:limit].rstrip()} …"


def link(title: str, url: str) -> str:
    """A Markdown link, or the title alone where there is no web address to go to."""
    shown = re.sub(r"([\[\]\\`*_<>])", r"\\\1", title)
    if not url.lower().startswith(("http://", "https://")):
        return shown
    return f"[{shown}](<{re.sub(r'[<> ]', lambda m: f'%{ord(m[0]):02X}', one_line(url, 4_000))}>)"


def markdown(html: str) -> str:
    """HTML as Markdown, without scripts, styles and frames; what nests too deeply comes as plain text."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(clean(html)[:_MOST_HTML], "html.parser")
    for tag in soup.find_all(_NO_TEXT):
        tag.decompose()
    try:
        text = MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(soup)
    except RecursionError:
        text = re.sub(r"<[^>]*>", " ", html)
    return tidy(str(text))


def tidy(text: str) -> str:
    """Without blanks at line ends and more than one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in clean(text).split("\n"))
    return _BLANKS.sub("\n\n", lines).strip()


def digest(*parts: Any) -> str:
    """A short hash of JSON-able values, the same in every process."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def url_secrets(url: str) -> list[str]:
    """Everything in an address that may be a secret: user, password, path and query; not host and port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    account, _, _ = parts.netloc.rpartition("@")
    raw = [*account.split(":", 1), *parts.path.split("/"), parts.path, *parts.query.split("&")]
    values = [value for _, value in parse_qsl(parts.query)]
    return [*raw, *(unquote(part) for part in raw), *values, url]


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret hidden; one of up to three letters only where it stands as a word."""
    for secret in sorted({secret for secret in secrets if secret.strip("/ ")}, key=len, reverse=True):
        pattern = re.escape(secret) if len(secret) > 3 else rf"\b{re.escape(secret)}\b"
        text = re.sub(pattern, HIDDEN, text)
    return text

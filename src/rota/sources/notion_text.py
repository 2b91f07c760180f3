"""Notion's rich text as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
_SPECIAL = re.compile(r"[\\`*]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|(?<=\])\(|~~")
_BLOCK_START = re.compile(r"^(\s*)([#>+-]|\d+[.)])(?=\s|$)", re.MULTILINE)
_RULE = re.compile(r"^(\s*)(-{3,}|={3,})\s*$", re.MULTILINE)
_EDGES = re.compile(r"^(\s*)(.*?)(\s*)$", re.DOTALL)
# From the outside in.
_MARKS = (
    ("bold", "**", "**"),
    ("italic", "_", "_"),
    ("strikethrough", "~~", "~~"),
    ("underline", "<u>", "</u>"),
)


def markdown(rich_text: Any) -> str:
    """The text with its annotations, links, mentions and equations; line breaks stay `\\n`."""
    parts = [part for part in rich_text or () if isinstance(part, Mapping)]
    return _at_line_starts("".join(_run(run) for run in _merged(parts)))


def one_line(rich_text: Any) -> str:
    """The same where Markdown takes no line breaks: headings, table cells, links."""
    return " ".join(markdown(rich_text).split())


def literal(rich_text: Any) -> str:
    """The characters alone: what stands in code."""
    return "".join(str(p.get("plain_text") or "") for p in rich_text or () if isinstance(p, Mapping))


def escaped(text: str) -> str:
    """Plain text so that Markdown shows it as it is."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", text)


def page_url(page_id: str, block_id: str = "") -> str:
    """The address of a page, or of a block in it."""
    anchor = f"#{block_id.replace('-', '')}" if block_id else ""
    return f"https://www.notion.so/{page_id.replace('-', '')}{anchor}"


def _merged(parts: Sequence[Json]) -> list[list[Json]]:
    """Neighbours that look alike, together: `**a****b**` would not be bold."""
    runs: list[list[Json]] = []
    for part in parts:
        if runs and _look(runs[-1][0]) == _look(part):
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _look(part: Json) -> tuple[Any, ...]:
    found = part.get("annotations") or {}
    marks = tuple(bool(found.get(name)) for name in ("bold", "italic", "strikethrough", "underline", "code"))
    alone = part.get("type") if part.get("type") in {"mention", "equation"} else None
    return (*marks, part.get("href"), alone if alone is None else id(part))


def _run(run: Sequence[Json]) -> str:
    first = run[0]
    kind, annotations = first.get("type"), first.get("annotations") or {}
    text = "".join(str(part.get("plain_text") or "") for part in run)
    if kind == "equation":
        return f"${(first.get('equation') or {}).get('expression') or text}$"
    edges = _EDGES.match(text)
    before, inner, after = edges.groups() if edges else ("", text, "")
    if not inner:
        return text
    if kind == "mention":
        inner = _mention(first, inner)
    elif annotations.get("code"):
        inner = _code(inner)
    else:
        inner = escaped(inner)
    href = first.get("href")
    if href and kind != "mention":
        inner = f"[{inner}]({address(str(href))})"
    for name, opening, closing in reversed(_MARKS):
        if annotations.get(name):
            inner = f"{opening}{inner}{closing}"
    return f"{before}{inner}{after}"


def _mention(part: Json, text: str) -> str:
    mention = part.get("mention") or {}
    kind = mention.get("type")
    about = mention.get(kind) or {} if kind else {}
    if kind in {"page", "database", "data_source"}:
        return f"[{escaped(text)}]({page_url(str(about.get('id') or ''))})"
    if kind == "date":
        return date_text(about) or escaped(text)
    if kind == "user":
        name = text.removeprefix("@")
        return f"@{escaped(name)}"
    href = part.get("href") or about.get("url") or about.get("href")
    return f"[{escaped(text)}]({address(str(href))})" if href else escaped(text)


def date_text(date: Json) -> str:
    """`2026-11-23`, `2026-11-23T09:00 → 10:00` as Notion has them."""
    return " → ".join(str(date[end]) for end in ("start", "end") if date.get(end))


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def address(url: str) -> str:
    """An address as Markdown's links take it; one that is relative to Notion whole."""
    full = f"https://www.notion.so{url}" if url.startswith("/") else url
    return full.replace(" ", "%20").replace("(", "%28").replace(")", "%29").replace("\n", "")


def _at_line_starts(text: str) -> str:
    """What would begin a heading, a list, a quote or a rule, escaped."""
    text = _BLOCK_START.sub(lambda m: f"{m[1]}{_broken(m[2])}", text)
    return _RULE.sub(lambda m: f"{m[1]}\\{m[2]}", text)


def _broken(marker: str) -> str:
    return f"{marker[:-1]}\\{marker[-1]}" if marker[0].isdigit() else f"\\{marker}"

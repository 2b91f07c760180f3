"""Notion's blocks as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rota.sources.notion_text import address, escaped, literal, markdown, one_line, page_url

Json = Mapping[str, Any]
Children = Callable[[str], Sequence[Json]]  # the blocks below a block, by its id

# Notion nests some dozens of levels at most; a copy of a block that holds itself would have no end.
_DEEPEST = 40
_FILES = {"image": "image", "video": "video", "audio": "audio", "file": "file", "pdf": "PDF"}
_LINKS = ("bookmark", "embed", "link_preview")
_LIST_ITEMS = ("bulleted_list_item", "numbered_list_item", "to_do", "toggle")
_NOTHING = ("breadcrumb", "table_of_contents", "button")
_HEADINGS = {"heading_1": "#", "heading_2": "##", "heading_3": "###", "heading_4": "####"}
_FENCE = re.compile(r"`{3,}")


class BlockReader:
    """Writes the blocks of one page. `children` is asked for those below a block that has some."""

    def __init__(self, page_id: str, children: Children) -> None:
        self._page_id = page_id
        self._children = children

    def page(self) -> str:
        """The whole page."""
        return self._blocks(self._children(self._page_id), 0)

    def _blocks(self, blocks: Sequence[Json], depth: int) -> str:
        """Blocks one after the other: items of a list close together, everything else with a line between."""
        text, number, before = "", 0, ""
        for block in blocks:
            kind = str(block.get("type"))
            number = (number or _first_number(block)) + 1 if kind == "numbered_list_item" else 0
            written = self._block(block, depth, number)
            if not written.strip():
                continue
            close = kind in _LIST_ITEMS and before in _LIST_ITEMS and _same_list(kind, before)
            text += ("" if not text else "\n" if close else "\n\n") + written
            before = kind
        return text

    def _block(self, block: Json, depth: int, number: int) -> str:
        kind = str(block.get("type"))
        about = block.get(kind) if isinstance(block.get(kind), Mapping) else {}
        assert isinstance(about, Mapping)  # noqa: S101 # the line above
        if kind in _LIST_ITEMS:
            return self._list_item(block, kind, about, depth, number)
        if kind in _HEADINGS:
            heading = f"{_HEADINGS[kind]} {one_line(about.get('rich_text'))}"
            return _joined(heading if one_line(about.get("rich_text")) else "", self._below(block, depth))
        if kind in {"quote", "callout"}:
            return self._quote(block, about, depth)
        if kind == "table":
            return self._table(block, about)
        if kind in _FILES:
            return self._file(block, kind, about)
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return simple(block, about)
        if kind in _NOTHING:
            return ""
        if kind == "paragraph":
            return _joined(_breaks(markdown(about.get("rich_text"))), self._below(block, depth))
        # columns, synced blocks, templates, and what there may be one day: what they hold
        return _joined(_breaks(markdown(about.get("rich_text"))), self._below(block, depth))

    def _below(self, block: Json, depth: int) -> str:
        """What a block holds."""
        if not block.get("has_children") or not block.get("id") or depth >= _DEEPEST:
            return ""
        return self._blocks(self._children(str(block["id"])), depth + 1)

    def _list_item(self, block: Json, kind: str, about: Json, depth: int, number: int) -> str:
        marker = f"{number}. " if kind == "numbered_list_item" else "- "
        text = _breaks(markdown(about.get("rich_text")))
        if kind == "to_do":
            text = f"[{'x' if about.get('checked') else ' '}] {text}"
        below = self._below(block, depth)
        # A list below an item stands close to it, anything else apart.
        gap = "\n" if re.match(r"- |\d+\. ", below) else "\n\n"
        whole = f"{text}{gap}{below}" if below else text
        return f"{marker}{_indented(whole, len(marker))}"

    def _quote(self, block: Json, about: Json, depth: int) -> str:
        icon = about.get("icon") or {}
        emoji = f"{icon['emoji']} " if isinstance(icon, Mapping) and icon.get("emoji") else ""
        text = _joined(
            f"{emoji}{_breaks(markdown(about.get('rich_text')))}".strip(), self._below(block, depth)
        )
        return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))

    def _table(self, block: Json, about: Json) -> str:
        rows = [
            [_cell(cell) for cell in (row.get("table_row") or {}).get("cells") or []]
            for row in self._children(str(block["id"]))
        ]
        width = max([int(about.get("table_width") or 0), *map(len, rows)])
        if not rows or not width:
            return ""
        rows = [[*row, *[""] * (width - len(row))] for row in rows]
        if about.get("has_row_header"):
            rows = [[f"**{row[0]}**" if row[0] else "", *row[1:]] for row in rows]
        # Markdown has no table without a head: an empty one is less wrong than a row that is none.
        head, body = (rows[0], rows[1:]) if about.get("has_column_header") else ([""] * width, rows)
        lines = [head, ["---"] * width, *body]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _file(self, block: Json, kind: str, about: Json) -> str:
        """A link; to the block in Notion where Notion keeps the file, whose own address is for an hour alone."""
        external = about.get("external")
        caption = one_line(about.get("caption"))
        name = caption or str(about.get("name") or "") or _FILES[kind]
        if isinstance(external, Mapping) and external.get("url"):
            return f"{'!' if kind == 'image' else ''}[{name}]({address(str(external['url']))})"
        return f"[{name}]({page_url(self._page_id, str(block.get('id') or ''))})"


def _code(_block: Json, about: Json) -> str:
    text = literal(about.get("rich_text"))
    longest = max((len(run) for run in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    language = str(about.get("language") or "").replace("plain text", "").replace(" ", "-")
    return _joined(f"{fence}{language}\n{text}\n{fence}", one_line(about.get("caption")))


def _equation(_block: Json, about: Json) -> str:
    return f"$$\n{about.get('expression') or ''}\n$$"


def _divider(_block: Json, _about: Json) -> str:
    return "---"


def _link(_block: Json, about: Json) -> str:
    url = str(about.get("url") or "")
    return f"[{one_line(about.get('caption')) or url}]({address(url)})" if url else ""


def _child_page(block: Json, about: Json) -> str:
    return f"[{escaped(str(about.get('title') or 'Untitled'))}]({page_url(str(block.get('id') or ''))})"


def _link_to_page(_block: Json, about: Json) -> str:
    target = str(about.get(str(about.get("type"))) or "")
    return f"[A page of Notion's]({page_url(target)})" if target else ""


def _unsupported(_block: Json, _about: Json) -> str:
    return "<!-- a block that Notion's API does not give -->"


_SIMPLE: Mapping[str, Callable[[Json, Json], str]] = {
    "code": _code,
    "equation": _equation,
    "divider": _divider,
    "child_page": _child_page,
    "child_database": _child_page,
    "link_to_page": _link_to_page,
    "unsupported": _unsupported,
    **dict.fromkeys(_LINKS, _link),
}


def _same_list(kind: str, before: str) -> bool:
    """Whether two kinds of items stand in one list: Markdown's bullets, or its numbers."""
    return (kind == "numbered_list_item") == (before == "numbered_list_item")


def _first_number(block: Json) -> int:
    """One before the number that a list begins with."""
    start = (block.get("numbered_list_item") or {}).get("list_start_index")
    return start - 1 if isinstance(start, int) and start > 0 else 0


def _breaks(text: str) -> str:
    """Line breaks inside a paragraph, as Markdown keeps them."""
    return "\\\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))


def _cell(rich_text: Any) -> str:
    return markdown(rich_text).replace("|", "\\|").replace("\n", "<br>").strip()


def _indented(text: str, width: int) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"{' ' * width}{line}" if line else "" for line in rest)])


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part.strip())

"""Blocks, rich text and properties of Notion as Markdown and YAML."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt
from tests.support.notion_server import block, mention, table, text, uid

from rota.sources.notion_blocks import BlockReader
from rota.sources.notion_properties import tags_of, title_of, value_of, values_of
from rota.sources.notion_text import markdown, one_line

PAGE = uid("page")


def written(*blocks: dict[str, Any]) -> str:
    """The Markdown of a page of these blocks."""
    below: dict[str, list[dict[str, Any]]] = {PAGE: list(blocks)}

    def keep(found: list[dict[str, Any]]) -> None:
        for one in found:
            below[one["id"]] = one["children"]
            keep(one["children"])

    keep(list(blocks))
    return BlockReader(PAGE, lambda block_id: below[block_id]).page()


def html(source: str) -> str:
    """What a Markdown reader makes of it."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(source)).strip()


def test_headings_paragraphs_and_dividers_stand_apart() -> None:
    assert written(
        block("heading_1", "Plan"), block("paragraph", "One."), block("paragraph", ""), block("heading_2", "Next"),
        block("heading_3", "Then"), block("divider"), block("paragraph", "Two\nlines."),
    ) == "# Plan\n\nOne.\n\n## Next\n\n### Then\n\n---\n\nTwo\\\nlines."  # fmt: skip


def test_lists_nest_and_numbers_count() -> None:
    inner = [block("bulleted_list_item", "b"), block("paragraph", "more")]
    assert written(
        block("bulleted_list_item", "a", children=inner),
        block("bulleted_list_item", "c"),
        block("numbered_list_item", "one"),
        block("numbered_list_item", "two", children=[block("to_do", "x", checked=True), block("to_do", "y")]),
        block("paragraph", "Then"),
        block("numbered_list_item", "again"),
    ) == (
        "- a\n  - b\n\n  more\n- c\n\n1. one\n2. two\n   - [x] x\n   - [ ] y\n\nThen\n\n1. again"
    )  # fmt: skip


def test_ten_and_more_numbers_indent_what_is_below_them() -> None:
    items = [block("numbered_list_item", str(n)) for n in range(9)]
    last = block("numbered_list_item", "ten", children=[block("bulleted_list_item", "below")])
    assert written(*items, last).endswith("10. ten\n    - below")
    assert "<li>below</li>" in html(written(*items, last))


def test_toggles_and_headings_that_fold_show_what_they_hold() -> None:
    assert written(
        block("toggle", "More", children=[block("paragraph", "Inside")]),
        block("heading_2", "Folded", children=[block("paragraph", "Below")], is_toggleable=True),
    ) == "- More\n\n  Inside\n\n## Folded\n\nBelow"  # fmt: skip


def test_code_is_kept_letter_by_letter() -> None:
    code = block("code", "a *b*\n```\nc", language="python", caption=[text("An example")])
    assert written(code) == "````python\na *b*\n```\nc\n````\n\nAn example"
    assert written(block("code", "x", language="plain text")) == "```\nx\n```"


def test_quotes_and_callouts_are_quoted_with_what_they_hold() -> None:
    below = [block("bulleted_list_item", "a"), block("bulleted_list_item", "b")]
    assert written(block("quote", "One\ntwo", children=below)) == "> One\\\n> two\n>\n> - a\n> - b"
    callout = block("callout", "Mind the gap", icon={"type": "emoji", "emoji": "💡"})
    assert written(callout) == "> 💡 Mind the gap"


def test_tables_have_a_head_and_cells_that_do_not_break_them() -> None:
    assert written(table(["a", "b|c"], ["1", "x\ny"], column_header=True)) == (
        "| a | b\\|c |\n| --- | --- |\n| 1 | x<br>y |"
    )
    assert written(table(["a", ""], row_header=True)) == "|  |  |\n| --- | --- |\n| **a** |  |"
    assert "<td>1</td>" in html(written(table(["a", "b"], ["1", "2"], column_header=True)))


def test_files_are_links_and_those_that_notion_keeps_lead_to_their_block() -> None:
    outside = block(
        "image", external={"url": "https://e.org/a (1).png"}, type="external", caption=[text("A cat")]
    )
    assert written(outside) == "![A cat](https://e.org/a%20%281%29.png)"
    signed = {
        "url": "https://s3.example/x.pdf?X-Amz-Signature=abc",
        "expiry_time": "2026-11-23T10:00:00.000Z",
    }
    kept = block("pdf", file=signed, type="file", caption=[])
    link = f"https://www.notion.so/{PAGE.replace('-', '')}#{kept['id'].replace('-', '')}"
    assert written(kept) == f"[PDF]({link})"
    named = block("file", file=signed, type="file", name="plan.docx")
    assert written(named).startswith("[plan.docx](https://www.notion.so/")


def test_links_pages_equations_and_columns() -> None:
    child = block("child_page", title="Below")
    columns = block("column_list", children=[
        block("column", children=[block("paragraph", "Left")], width_ratio=0.5),
        block("column", children=[block("paragraph", "Right")]),
    ])  # fmt: skip
    assert written(
        block("bookmark", url="https://e.org/x", caption=[]),
        block("embed", url="https://e.org/y", caption=[text("A map")]),
        block("equation", expression="e=mc^2"),
        child,
        block("link_to_page", type="page_id", page_id=PAGE),
        columns,
        block("synced_block", synced_from=None, children=[block("paragraph", "The same everywhere")]),
        block("table_of_contents"),
        block("unsupported"),
        block("something_new", "Its words", children=[block("paragraph", "and more")]),
    ) == (
        "[https://e.org/x](https://e.org/x)\n\n[A map](https://e.org/y)\n\n$$\ne=mc^2\n$$\n\n"
        f"[Below](https://www.notion.so/{child['id'].replace('-', '')})\n\n"
        f"[A page of Notion's](https://www.notion.so/{PAGE.replace('-', '')})\n\nLeft\n\nRight\n\n"
        "The same everywhere\n\n<!-- a block that Notion's API does not give -->\n\nIts words\n\nand more"
    )  # fmt: skip


def test_a_block_that_holds_itself_has_an_end() -> None:
    loop = block("synced_block", "again")
    loop["has_children"] = True
    assert BlockReader(PAGE, lambda _id: [loop]).page().count("again") < 100


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([text("a "), text("bold", bold=True), text(" c")], "a **bold** c"),
        ([text(" bold ", bold=True), text("x")], " **bold** x"),
        ([text("a", bold=True), text("b", bold=True)], "**ab**"),
        ([text("x", bold=True, italic=True)], "**_x_**"),
        ([text("x", strikethrough=True), text("y", underline=True)], "~~x~~<u>y</u>"),
        ([text("a`b", code=True)], "``a`b``"),
        ([text("e.org", href="https://e.org/a_b")], "[e.org](https://e.org/a_b)"),
        ([text("page", href="/1234")], "[page](https://www.notion.so/1234)"),
        ([text("2*3*4 <b> snake_case _x_ [a](b)")], r"2\*3\*4 \<b> snake_case \_x\_ [a]\(b)"),
        ([text("- no list\n# no heading\n1. nothing\n> none")], "\\- no list\n\\# no heading\n1\\. nothing\n\\> none"),
        ([{**text("x"), "type": "equation", "equation": {"expression": "a_1"}}], "$a_1$"),
        ([mention("user", {"id": "u", "name": "Mara"}, "@Mara")], "@Mara"),
        ([mention("page", {"id": PAGE}, "Plan")], f"[Plan](https://www.notion.so/{PAGE.replace('-', '')})"),
        ([mention("date", {"start": "2026-11-23", "end": "2026-11-24"}, "x")], "2026-11-23 → 2026-11-24"),
        ([mention("link_preview", {"url": "https://e.org"}, "A link")], "[A link](https://e.org)"),
        ([text("   ", bold=True)], "   "),
        ([], ""),
    ],
)  # fmt: skip
def test_rich_text(runs: list[dict[str, Any]], expected: str) -> None:
    assert markdown(runs) == expected


@pytest.mark.parametrize(
    "plain", ["a*b*c", "# x", "<script>alert(1)</script>", "[a](javascript:x)", "`x`", "~~no~~"]
)
def test_plain_text_is_shown_as_it_is(plain: str) -> None:
    shown = html(written(block("paragraph", plain)))
    assert shown == f"<p>{plain.replace('<', '&lt;').replace('>', '&gt;')}</p>"


def test_rich_text_on_one_line() -> None:
    assert one_line([text("a\nb  c")]) == "a b c"


@pytest.mark.parametrize(
    ("prop", "expected"),
    [
        ({"type": "rich_text", "rich_text": [text("a"), text("b", bold=True)]}, "ab"),
        ({"type": "number", "number": 2.5}, 2.5),
        ({"type": "number", "number": None}, None),
        ({"type": "select", "select": {"name": "High"}}, "High"),
        ({"type": "status", "status": None}, None),
        ({"type": "multi_select", "multi_select": [{"name": "a"}, {"name": "b"}]}, ["a", "b"]),
        ({"type": "date", "date": {"start": "2026-11-23", "end": None}}, "2026-11-23"),
        ({"type": "date", "date": {"start": "2026-11-23", "end": "2026-11-24"}}, {"start": "2026-11-23", "end": "2026-11-24"}),
        ({"type": "people", "people": [{"id": "1", "name": "Mara"}, {"id": "2"}]}, ["Mara", "2"]),
        ({"type": "people", "people": [{"id": "1", "person": {"email": "m@e.org"}}]}, ["m@e.org"]),
        ({"type": "files", "files": [{"name": "a.pdf", "file": {"url": "https://s3/?sig"}}, {"name": "b", "external": {"url": "https://e.org"}}]}, ["a.pdf", "https://e.org"]),
        ({"type": "checkbox", "checkbox": False}, False),
        ({"type": "url", "url": "https://e.org"}, "https://e.org"),
        ({"type": "email", "email": "m@e.org"}, "m@e.org"),
        ({"type": "phone_number", "phone_number": "1"}, "1"),
        ({"type": "formula", "formula": {"type": "number", "number": 3}}, 3),
        ({"type": "formula", "formula": {"type": "date", "date": {"start": "2026-11-23"}}}, "2026-11-23"),
        ({"type": "formula", "formula": {"type": "boolean", "boolean": True}}, True),
        ({"type": "relation", "relation": [{"id": "1"}]}, ["1"]),
        ({"type": "rollup", "rollup": {"type": "number", "number": 4, "function": "sum"}}, 4),
        ({"type": "rollup", "rollup": {"type": "array", "array": [{"type": "multi_select", "multi_select": [{"name": "x"}]}, {"type": "number", "number": 1}]}}, ["x", 1]),
        ({"type": "rollup", "rollup": {"type": "unsupported", "unsupported": {}}}, None),
        ({"type": "created_time", "created_time": "2026-11-01T09:00:00.000Z"}, "2026-11-01T09:00:00.000Z"),
        ({"type": "created_by", "created_by": {"object": "user", "id": "u"}}, "u"),
        ({"type": "unique_id", "unique_id": {"prefix": "TASK", "number": 7}}, "TASK-7"),
        ({"type": "unique_id", "unique_id": {"prefix": None, "number": 7}}, 7),
        ({"type": "verification", "verification": {"state": "verified"}}, "verified"),
        ({"type": "place", "place": {"name": "Home", "lat": 1}}, "Home"),
        ({"type": "button", "button": {}}, None),
        ({"type": "new_kind", "new_kind": "plain"}, "plain"),
        ({"type": "new_kind", "new_kind": {"deep": 1}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_properties_of_every_type_are_plain_values(prop: dict[str, Any], expected: object) -> None:
    assert value_of(prop) == expected


def test_a_pages_title_values_and_tags() -> None:
    page = {
        "properties": {
            "Labels": {"id": "l", "type": "multi_select", "multi_select": [{"name": "x"}]},
            "Name": {"id": "title", "type": "title", "title": [text(" Plan ")]},
            "Empty": {"id": "e", "type": "rich_text", "rich_text": []},
            "Done": {"id": "d", "type": "checkbox", "checkbox": False},
        }
    }
    values = values_of(page, lambda _id: [])
    assert title_of(page) == "Plan"
    assert values == {"Done": False, "Labels": ["x"]}
    assert tags_of(values) == ["x"]
    assert title_of({}) == ""

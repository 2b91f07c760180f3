"""What a YAML parser's complaint means, in words for the author of the file.

The mistakes behind it are few: a value that starts with a character that means something to YAML
(`{{ … }}`, a cron's `*`, `@daily`), a colon in a text, a tab, a quote in the middle.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rota.spec.document import Fault
from rota.spec.report import Path

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError

_ENTRY = re.compile(r"^(\s*(?:- +)*(?:[\w.\"'-]+\s*:\s+)?)(.*?)(?:\s+#.*)?$")
_TEMPLATE_IN_FLOW = re.compile(r"[\[{,:]\s*(\{\{|\{%)")
_ALIAS_IN_FLOW = re.compile(r"[\[{,:]\s*(\*(?!\w)[^\]},]*)")
_GOES_ON = re.compile(r"(\"[^\"]*\"|'[^']*')\s*\S")
_NAME_IN_FLOW = re.compile(r"[\[{,:]\s*\$\{")
_REASONS = {
    "{{": "a value that starts with `{{` must be quoted",
    "{%": "a value that starts with `{%` must be quoted",
    "@": "a value that starts with `@` must be quoted",
    "`": "a value that starts with a backtick must be quoted",
    "%": "a value that starts with `%` must be quoted",
    "*": "a value that starts with `*` must be quoted (to YAML it is an alias)",
    "&": "a value that starts with `&` must be quoted (to YAML it is an anchor)",
    "!": "a value that starts with `!` must be quoted (to YAML it is a tag)",
    "[": "a value that starts with `[` and goes on after `]` must be quoted",
    "|": "the text after `|` starts on the next line",
    ">": "the text after `>` starts on the next line",
}


def explain(error: MarkedYAMLError, text: str) -> Fault:
    """The fault behind a complaint: what, where and how to mend it."""
    lines = text.split("\n")
    mark = error.problem_mark or error.context_mark
    number = min(int(mark.line), len(lines) - 1) if mark is not None else 0
    problem = str(error.problem or error.context or error)
    context = int(error.context_mark.line) if error.context_mark is not None else number
    for at in dict.fromkeys((number, min(context, len(lines) - 1))):
        if fault := _start_of_value(lines, at, flow="{" in lines[at] or "[" in lines[at]):
            return fault
    if "'\\t'" in problem or lines[number].lstrip(" ").startswith("\t"):
        return _fatal("a tab in the indentation", number, "YAML indents with spaces: replace the tab")
    if "another document" in problem:
        return _fatal(
            "a second document starts here", number, "one file is one document: for several jobs write a list"
        )
    if problem.startswith("mapping values"):
        return _colon(lines, number)
    return _structure(error, lines, number, context)


def template_fault(text: str, number: int, path: Path) -> Fault:
    """An unquoted `{{ … }}` that YAML took for a mapping (`number`: its line from 0)."""
    line = text.split("\n")[number]
    entry = _ENTRY.match(line)
    whole = entry is not None and entry[2].startswith("{{")
    hint = _quoted(line) if whole else 'put it in quotes: "{{ … }}"'
    return Fault(_REASONS["{{"], number + 1, hint, path)


def _start_of_value(lines: list[str], number: int, *, flow: bool) -> Fault | None:
    line = lines[number]
    entry = _ENTRY.match(line)
    value = entry[2] if entry else ""
    for start in ("{{", "{%", "@", "`", "%", "*", "&", "!", "[", "|", ">"):
        if not value.startswith(start):
            continue
        if start == "[" and re.search(r"\][^\],}\s]*\s+\S", value) is None:
            continue
        if start in {"|", ">"}:
            if re.fullmatch(r"[|>][+-]?\d?[+-]?", value):
                continue
            return _fatal(_REASONS[start], number, f"or quote the value: {_quoted(line)}")
        if start in {"*", "&", "!", "%"} and re.fullmatch(r".[\w-]+", value):
            continue  # an alias, anchor or tag that may well be meant
        return _fatal(_REASONS[start], number, _quoted(line))
    if flow and (found := _TEMPLATE_IN_FLOW.search(line)):
        return _fatal(_REASONS[found[1]], number, 'put it in quotes: "{{ … }}"')
    if flow and (found := _ALIAS_IN_FLOW.search(line)):
        return _fatal(_REASONS["*"], number, f'put it in quotes: "{found[1]}"')
    if flow and _NAME_IN_FLOW.search(line):
        return _fatal("`${…}` inside `{ }` or `[ ]` must be quoted", number, 'put it in quotes: "${NAME}"')
    return None


def _colon(lines: list[str], number: int) -> Fault:
    entry = _ENTRY.match(lines[number])
    if entry and ": " in entry[2]:
        return _fatal("a text with `: ` in it must be quoted", number, _quoted(lines[number]))
    before = next((n for n in range(number - 1, -1, -1) if lines[n].strip()), None)
    if before is not None:
        previous = lines[before].strip()
        if ":" not in previous and not previous.startswith(("#", "-")):
            return _fatal(
                f"`{previous[:40]}` is neither a key nor a value", before, "is a `:` missing after the key?"
            )
        indent = len(lines[number]) - len(lines[number].lstrip())
        above = len(lines[before]) - len(lines[before].lstrip())
        if indent > above:
            return _fatal(
                "this line is indented more than the one above it",
                number,
                "keys of one mapping start in the same column",
            )
    return _fatal("a `:` where no key can be", number, "quote the text if the colon belongs to it")


def _structure(error: MarkedYAMLError, lines: list[str], number: int, context: int) -> Fault:
    problem, around = str(error.problem or ""), str(error.context or "")
    if "escape character" in problem:
        return _fatal(
            "a backslash escape that YAML does not know", number, "write `\\\\` for a backslash, or use '…'"
        )
    if "quoted scalar" in around:
        return _fatal("a quote that is opened here is never closed", context, "close it, or escape it")
    if "flow" in around:
        bracket = "]" if "sequence" in around else "}"
        return _fatal(
            f"a bracket that is opened here is not closed with `{bracket}`, or a comma is missing",
            context,
            "is a value in it to be quoted?",
        )
    entry = _ENTRY.match(lines[number])
    if entry and _GOES_ON.match(entry[2]):
        return _fatal(
            "text goes on after the closing quote",
            number,
            "quote the whole value (inside '…' a ' is written ''), or put the text below `|`",
        )
    if problem.startswith("sequence entries"):
        return _fatal("a list item where none can be", number, "put each `- ` on a line of its own")
    if "undefined alias" in problem:
        return _fatal(f"not valid YAML: {problem}", number, "quote the value if the `*` belongs to it")
    if problem.startswith("expected <block end>"):
        return _fatal(
            "this line does not fit the indentation of the lines above it",
            number,
            "keys of one mapping, and dashes of one list, start in the same column",
        )
    said = " ".join(f"{around} {problem}".split())
    return _fatal(f"not valid YAML: {said}", number)


def _quoted(line: str) -> str:
    """The line's entry with its value in quotes."""
    entry = _ENTRY.match(line)
    head, value = (entry[1].strip(), entry[2]) if entry else ("", line.strip())
    awkward = '"' in value or "\\" in value
    value = "'" + value.replace("'", "''") + "'" if awkward else f'"{value}"'
    return f"write `{head} {value}`" if head else f"write `{value}`"


def _fatal(message: str, number: int, hint: str | None = None) -> Fault:
    return Fault(message, number + 1, hint, fatal=True)

"""Changes of single keys in a file's text, which leave everything else as it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from rota.model.errors import SpecError
from rota.model.ids import slug
from rota.spec.document import Document
from rota.spec.reader import read, split_front_matter, suffix_of
from rota.spec.report import Path
from rota.spec.words import guess, shown

PROMPT = "prompt"


def set_keys(text: str, path: str, changes: Mapping[str, Any | None], *, job: str | None = None) -> str:
    """The text of a job file (or rota.yaml) with some keys set, or removed where the value is None.

    Keys are dotted (`on_error.notify`, `steps.0.timeout`); `prompt` of a Markdown file is its body.
    Comments, order, quotation marks and blank lines stay. `job`: the id of one in a file with a list of
    jobs. Raises SpecError for a text that is broken, and for a change that cannot be made safely.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    document = read(plain, path)
    if document.faults:
        raise document.report(path).errors[0]
    root = _root(document, path, job)
    data, body = copy.deepcopy(document.data), document.body
    changed = plain
    for key, value in changes.items():
        at = (*root, *(int(part) if part.isdigit() else part for part in key.split(".")))
        if body is not None and at == (PROMPT,):
            body = str(value or "").strip()
            changed = _with_body(changed, body)
            continue
        try:
            data = _changed(data, at, value)
        except LookupError as error:
            hint = "set what is around it as a whole"
            raise SpecError(
                str(error.args[0]), file=path, line=document.report(path).line(at), key=key, hint=hint
            ) from None
        changed = _edit(changed, path, at, value, data)
        after = read(changed, path)
        if after.faults or after.data != data or after.body != body:
            raise _unsafe(path, key, document.report(path).line(at))
    return mark + changed.replace("\n", newline)


def _root(document: Document, path: str, job: str | None) -> Path:
    """Where the job is in the file."""
    if not isinstance(document.data, list):
        return ()
    ids = [_id(item) for item in document.data]
    if job is None and len(ids) == 1:
        return (0,)
    if job is None:
        raise SpecError("the file has several jobs", file=path, hint="say which one is meant")
    if job not in ids:
        known = [name for name in ids if name]
        raise SpecError(f"there is no job `{job}` in this file", file=path, hint=guess(job, known))
    return (ids.index(job),)


def _id(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    return str(item.get("id") or slug(str(item.get("name", ""))))


def _changed(data: Any, at: Path, value: Any) -> Any:
    """The data with one change, for comparison with what the new text says. LookupError: there is no such place."""
    key, rest = at[0], at[1:]
    if isinstance(key, int) and isinstance(data, list):
        if key >= len(data) or (not rest and value is None):
            raise LookupError(f"there is no item {key} to change")
        data[key] = _changed(data[key], rest, value) if rest else value
        return data
    data = {} if data is None else data
    name = str(key)
    if type(data) is not dict:
        raise LookupError(f"`{key}` has no place in {shown(data)}")
    if rest and (value is not None or name in data):
        data[name] = _changed(data.get(name), rest, value)
    elif rest or value is None:
        data.pop(name, None)
    else:
        data[name] = value
    return data


def _edit(text: str, path: str, at: Path, value: Any, data: Any) -> str:
    from rota.spec.edit_yaml import Editor

    if suffix_of(path) == ".json":
        try:
            changed = Editor(text, as_json=True).change(at, value)
        except ValueError:  # JSON that is no YAML, such as one with tabs
            changed = ""
        if changed and (after := read(changed, path)).data == data and not after.faults:
            return changed
        return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    start, end = 0, len(text)
    if suffix_of(path) == ".md" and (parts := split_front_matter(text)) is not None:
        start, end, _ = parts
    try:
        return text[:start] + Editor(text[start:end]).change(at, value) + text[end:]
    except ValueError as error:
        raise _unsafe(path, ".".join(map(str, at)), None) from error


def _with_body(text: str, body: str) -> str:
    parts = split_front_matter(text)
    start = parts[2] if parts is not None else 0
    head = text[:start] if text[:start].endswith("\n") else f"{text[:start]}\n"
    blank = "\n" if text[start:].startswith("\n") else ""
    return f"{head}{blank}{body}\n"


def _unsafe(path: str, key: str, line: int | None) -> SpecError:
    return SpecError(
        "cannot be changed here without changing more",
        file=path,
        line=line,
        key=key,
        hint="edit the file by hand",
    )

"""The properties of Notion's pages as plain values for front matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rota.sources.notion_text import literal

Json = Mapping[str, Any]
More = Callable[[str], list[Json]]  # all values of a property by its id


def title_of(page: Json) -> str:
    """A page's title in characters; '' when it has none."""
    for found in (page.get("properties") or {}).values():
        if isinstance(found, Mapping) and found.get("type") == "title":
            return literal(found.get("title")).strip()
    return ""


def values_of(page: Json, more: More) -> dict[str, Any]:
    """Each property but the title by its name, in the order of their names: text, numbers, lists and such.

    Those without a value are left out. `more` is asked where the page shows the first 25 references alone.
    """
    found: dict[str, Any] = {}
    for name, prop in sorted((page.get("properties") or {}).items()):
        if not isinstance(prop, Mapping) or prop.get("type") == "title":
            continue
        if prop.get("has_more") and prop.get("id"):
            prop = _completed(prop, more)  # noqa: PLW2901 # the same property, whole
        value = value_of(prop)
        if value not in (None, "", [], {}):
            found[name] = value
    return found


def tags_of(values: Mapping[str, Any]) -> list[str]:
    """The values of a property that is called tags."""
    for name, value in values.items():
        if name.casefold() in {"tags", "tag", "labels"} and isinstance(value, list):
            return [str(tag) for tag in value]
    return []


def value_of(prop: Json) -> Any:
    """One property's value; of a type that is not known, what it holds if that is plain."""
    kind = str(prop.get("type"))
    value = prop.get(kind)
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(value)
    return value if isinstance(value, str | int | float | bool) else None


def _completed(prop: Json, more: More) -> Json:
    kind = str(prop.get("type"))
    return {**prop, kind: [item[kind] for item in more(str(prop["id"])) if item.get(kind)]}


def _name(value: Any) -> str | None:
    return str(value["name"]) if isinstance(value, Mapping) and value.get("name") is not None else None


def _names(value: Any) -> list[str]:
    return [name for item in _many(value) if (name := _name(item)) is not None]


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _date(value: Any) -> Any:
    if not isinstance(value, Mapping) or not value.get("start"):
        return None
    if not value.get("end"):
        return value["start"]
    return {"start": value["start"], "end": value["end"]}


def _person(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return None
    email = (value.get("person") or {}).get("email") if isinstance(value.get("person"), Mapping) else None
    return value.get("name") or email or value.get("id")


def _people(value: Any) -> list[str]:
    return [str(person) for item in _many(value) if (person := _person(item))]


def _file(value: Any) -> str | None:
    """An address that stays; those of files that Notion keeps are signed anew each time, so they have their name."""
    if not isinstance(value, Mapping):
        return None
    external = value.get("external")
    return external.get("url") if isinstance(external, Mapping) else value.get("name")


def _files(value: Any) -> list[str]:
    return [str(file) for item in _many(value) if (file := _file(item))]


def _ids(value: Any) -> list[str]:
    return [str(item["id"]) for item in _many(value) if isinstance(item, Mapping) and item.get("id")]


def _inner(value: Any) -> Any:
    """A formula's result, or one of a rollup's, which is a property of its own kind."""
    return value_of(value) if isinstance(value, Mapping) else None


def _rollup(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    if value.get("type") == "array":
        found = [value_of(item) for item in _many(value.get("array")) if isinstance(item, Mapping)]
        flat = [one for item in found for one in (item if isinstance(item, list) else [item])]
        return [item for item in flat if item not in (None, "")]
    return _inner(value)


def _unique_id(value: Any) -> Any:
    if not isinstance(value, Mapping) or value.get("number") is None:
        return None
    return f"{value['prefix']}-{value['number']}" if value.get("prefix") else value["number"]


def _verification(value: Any) -> Any:
    return value.get("state") if isinstance(value, Mapping) else None


def _place(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    return value.get("name") or value.get("address") or {k: value[k] for k in ("lat", "lon") if k in value}


def _title(value: Any) -> str:
    return literal(value).strip()


def _itself(value: Any) -> Any:
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "title": _title,
    "rich_text": _title,
    "number": _itself,
    "string": _itself,
    "boolean": _itself,
    "checkbox": _itself,
    "url": _itself,
    "email": _itself,
    "phone_number": _itself,
    "created_time": _itself,
    "last_edited_time": _itself,
    "select": _name,
    "status": _name,
    "multi_select": _names,
    "date": _date,
    "people": _people,
    "created_by": _person,
    "last_edited_by": _person,
    "files": _files,
    "relation": _ids,
    "formula": _inner,
    "rollup": _rollup,
    "unique_id": _unique_id,
    "verification": _verification,
    "place": _place,
    "button": lambda _value: None,
}

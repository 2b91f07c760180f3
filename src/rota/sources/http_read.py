"""What is in an HTTP answer: elements of JSON by JSONPath, the text of a page by CSS selector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rota.model.errors import StepError
from rota.sources import _text
from rota.sources._seen import Item
from rota.sources._web import Answer

_MOST_TEXT = 200_000
_TITLES = ("title", "name", "subject", "summary", "text", "full_name", "key")
_URLS = ("html_url", "web_url", "url", "link", "permalink")
_MARKUP = ("html", "xml")


def check_path(name: str, path: str | None) -> None:
    """ValueError for what is no JSONPath."""
    if path is None:
        return
    import jsonpath

    try:
        jsonpath.compile(path)
    except jsonpath.JSONPathError as error:
        raise ValueError(
            f"`{name}` is not a JSONPath: {_text.one_line(str(error).partition(chr(10))[0])}"
        ) from None


def check_selector(selector: str | None) -> None:
    """ValueError for what is no CSS selector."""
    if selector is None:
        return
    import soupsieve

    try:
        soupsieve.compile(selector)
    except soupsieve.SelectorSyntaxError as error:
        said = str(error).partition("\n")[0]
        raise ValueError(f"`select` is not a CSS selector: {_text.one_line(said)}") from None


def json_of(answer: Answer, host: str) -> Any:
    """The JSON value of an answer. StepError (permanent) where it holds none."""
    try:
        return json.loads(answer.text())
    except (ValueError, RecursionError):
        kind = answer.headers.get("content-type", "").partition(";")[0] or "something else"
        raise StepError(
            f"the answer of {host} is not JSON but {kind}",
            code="bad_answer",
            permanent=True,
            hint="`items:` is for JSON; without it the whole page is watched",
        ) from None


def elements(value: Any, path: str, host: str) -> list[Any]:
    """The elements of the list at `path`, or the values there. StepError (permanent) when nothing is there."""
    found = _find(value, path)
    if not found:
        keys = f"; its keys are {', '.join(list(map(str, value))[:12])}" if isinstance(value, Mapping) else ""
        raise StepError(
            f"the answer of {host} has nothing at `{path}`{keys}",
            code="bad_answer",
            permanent=True,
            hint="`items:` is a JSONPath to the list, such as $.data or $.results[*]; $ is the whole answer",
        )
    if len(found) == 1 and isinstance(found[0], list):
        return list(found[0])
    return [one for one in found if one is not None]


def first_text(value: Any, path: str) -> str:
    """The first value at `path` that is text or a number; empty when there is none."""
    for found in _find(value, path):
        if isinstance(found, str | int) and not isinstance(found, bool):
            return str(found)
    return ""


def _find(value: Any, path: str) -> list[Any]:
    import jsonpath

    try:
        return list(jsonpath.findall(path, value))
    except (jsonpath.JSONPathError, TypeError):  # a path that does not fit what is there
        return []


def element_item(element: Any, id_path: str | None, version_path: str | None, title_path: str | None) -> Item:
    """An item of an element; `data` is the element itself."""
    fields = element if isinstance(element, Mapping) else {}
    named = first_text(element, id_path) if id_path else _scalar(fields.get("id"))
    version = first_text(element, version_path) if version_path else ""
    title = first_text(element, title_path) if title_path else _first(fields, _TITLES)
    return {
        "id": named or _text.digest(element),
        "version": version or _text.digest(element),
        "title": _text.one_line(title or named or _scalar(element) or json.dumps(element, default=str), 200),
        "url": next(
            (url for url in (_first(fields, (name,)) for name in _URLS) if url.startswith("http")), ""
        ),
        "data": element,
    }


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := _scalar(fields.get(name)))), "")


def _scalar(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def page_item(answer: Answer, selector: str | None, form: str, title: str | None) -> Item:
    """One item for a whole answer: a page's text, or a JSON value as `data`."""
    kind = answer.headers.get("content-type", "").lower()
    item: Item = {"id": "page", "title": title or "", "url": ""}
    if form != "raw" and "json" in kind and selector is None:
        value = json_of(answer, "the server")
        text = f"```json\n{json.dumps(value, indent=1, ensure_ascii=False)[:_MOST_TEXT]}\n```\n"
        return {
            **item,
            "version": _text.digest(value),
            "title": title or "answer",
            "text": text,
            "data": value,
        }
    whole = answer.text()
    is_markup = any(word in kind for word in _MARKUP) or whole.lstrip()[:15].lower().startswith(
        ("<!doctype", "<html")
    )
    if form == "raw" or not (is_markup or selector):
        text = _text.clean(whole)
        name = title or _text.one_line(text, 80)
    else:
        name, text = _page(answer, selector, form)
        name = title or name
    version = _text.digest(text)
    return {**item, "version": version, "title": name or "page", "text": _text.shortened(text, _MOST_TEXT)}


def _page(answer: Answer, selector: str | None, form: str) -> tuple[str, str]:
    """A page's title, and its text or that of the parts which `selector` finds."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(answer.body, "html.parser", from_encoding=answer.charset)
    title = _text.one_line(soup.title.get_text() if soup.title else "")
    if selector is None:
        parts = [soup.body or soup]
    elif not (parts := soup.select(selector)):
        raise StepError(
            f"the page has nothing that `select: {selector}` finds",
            code="bad_answer",
            permanent=True,
            hint="look at the page's source: what a script adds later is not in it",
        )
    if form == "markdown":
        return title, "\n\n".join(_text.markdown(str(part)) for part in parts)
    for part in parts:
        for tag in part.find_all(["script", "style", "noscript", "template"]):
            tag.decompose()
    return title, "\n".join(_text.tidy(part.get_text("\n", strip=True)) for part in parts)


def text_of(items: list[Item]) -> str:
    """The items for people."""
    if not items:
        return "Nothing new.\n"
    if len(items) == 1 and items[0]["id"] == "page":
        return f"# {items[0]['title']}\n\n{items[0]['text'].strip()}\n"
    return "".join(f"- {_text.link(item['title'], item['url'])}\n" for item in items)

"""The http source: what is new in a JSON answer or on a web page."""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, model_validator

from rota.model.errors import StepError
from rota.sources import http_read
from rota.sources._notes import Kept, MayKeepNotes, data_note, front, keep
from rota.sources._params import Patience, checked
from rota.sources._seen import Item, fitted, fresh, part, remembered, word
from rota.sources._web import Answer, Request, fetch, host_of, same_origin
from rota.sources.note_text import Note

_Text = str | int | float | bool


class HttpParams(MayKeepNotes):
    """What a `pull: http` step may say."""

    url: str = Field(min_length=1, description="The address: http:// or https://. Redirects are followed.")
    method: str = Field(
        default="",
        pattern=r"^[A-Za-z]{0,20}$",
        description="The method; default: GET, or POST when there is a body.",
    )
    headers: dict[str, _Text] = Field(
        default={}, description="Headers, such as `Authorization: Bearer ${TOKEN}`."
    )
    query: dict[str, _Text | list[_Text]] = Field(
        default={}, description="Query parameters; they are encoded and added to those of the address."
    )
    json_: Any = Field(default=None, alias="json", description="A body that is sent as JSON.")
    body: str | None = Field(default=None, description="A body that is sent as it is (UTF-8).")
    items: str | None = Field(
        default=None,
        description="A JSONPath to the list in the answer, such as `$.data.issues`; `$` is the whole. With it the "
        "answer is JSON and each element an item; without it the whole answer is one.",
    )
    item_id: str | None = Field(
        default=None,
        description="The element's key (or a JSONPath in it) that names it for good; default: `id`, else its content.",
    )
    item_version: str | None = Field(
        default=None,
        description="The element's key (or a JSONPath in it) that changes when it does, such as `updated_at`; "
        "default: its content.",
    )
    item_title: str | None = Field(
        default=None,
        description="The element's key (or a JSONPath in it) to call it by; default: title, name or such.",
    )
    next: str | None = Field(
        default=None,
        description="A JSONPath to the next page's address in the answer, or to a token that `next_query` sends; "
        "default: the answer's `Link` header.",
    )
    next_query: str | None = Field(
        default=None, description="The query parameter that takes what `next` finds, such as `cursor`."
    )
    pages: int = Field(default=10, ge=1, le=200, description="How many pages one look reads at most.")
    select: str | None = Field(
        default=None, description="A CSS selector: the parts of a web page that count; default: all of it."
    )
    as_: Literal["markdown", "text", "raw"] = Field(
        default="markdown",
        alias="as",
        description="How a web page is read: as Markdown, as text alone, or as its bytes are.",
    )
    all: bool = Field(
        default=False, description="Everything that is there, every time; not only what is new or changed."
    )
    most: int = Field(default=500, ge=1, le=5000, description="How many items one look gives at most.")
    give_up_after: Patience = 60.0

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.json_ is not None and self.body is not None:
            raise ValueError("give either `json` or `body`")
        if self.items is None and (
            used := [n for n in ("item_id", "item_version", "next", "next_query") if getattr(self, n)]
        ):
            raise ValueError(f"`{used[0]}` needs `items`, the JSONPath to the list")
        if self.items is not None and self.select is not None:
            raise ValueError("`select` is for web pages, `items` for JSON: give one of them")
        if self.next_query and not self.next:
            raise ValueError("`next_query` needs `next`, which finds its value")
        for name in ("items", "next", "item_id", "item_version", "item_title"):
            http_read.check_path(name, getattr(self, name))
        http_read.check_selector(self.select)
        return self


class Http:
    """Any address: a JSON API's list, or a page whose content counts."""

    key: ClassVar[str] = "http"
    params: ClassVar[type[BaseModel]] = HttpParams
    target: ClassVar[str] = "rota.sources.http:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")


def pull(
    config: dict[str, Any], workspace: str, cursor: Any = None, source: str = "http", **_about: Any
) -> dict[str, Any]:
    """What is new or changed since `cursor`, in the answer's order; with `all`, everything.

    An element of a list is an item with `data`, the element as it is. A page is one item (`id`: page) with
    its `text`. What is as it was costs one conditional request.
    """
    params = checked(HttpParams, config, Http.key)
    request = Request(
        params.url,
        method=(params.method or ("GET" if params.json_ is None and params.body is None else "POST")).upper(),
        headers={name: str(text) for name, text in params.headers.items()},
        query=params.query,
        json=params.json_,
        body=params.body,
        etag="" if params.all else word(cursor, "etag"),
        modified="" if params.all else word(cursor, "modified"),
    )
    answer = fetch(request, timeout=params.give_up_after)
    if answer.unchanged:
        return {
            "items": [],
            "text": http_read.text_of([]),
            "cursor": cursor,
            "unchanged": True,
            **Kept().answer(),
        }
    seen = part(cursor, "seen")
    found, note, whole = _listed(answer, request, params) if params.items else _paged(answer, params)
    news = fresh(found, seen)
    # Validators of the first of several pages say nothing of the others.
    news, left = fitted(news)
    if left:
        note = "; ".join([*([note] if note else []), f"{len(left)} more items come with the next look"])
    kept = (
        keep(workspace, source, params.into, (_note(source, item) for item in news))
        if params.into
        else Kept()
    )
    again = kept.failed | {item["id"] for item in left}
    told = [item for item in found if item["id"] not in again]
    validators = answer.validators if whole and not again else {}
    items = fitted(found)[0] if params.all else news
    return {
        "items": items,
        "text": http_read.text_of(items),
        "cursor": {**validators, "seen": remembered(seen, told, 2 * params.most)},
        "unchanged": not news,
        **kept.answer([note]),
    }


def _note(source: str, item: Item) -> Note:
    if item["id"] != "page":
        return data_note(source, item, item["data"])
    return Note(source, item["title"], item["text"], front(source, item))


def _paged(answer: Answer, params: HttpParams) -> tuple[list[Item], str, bool]:
    return [http_read.page_item(answer, params.select, params.as_, params.item_title)], "", True


def _listed(answer: Answer, request: Request, params: HttpParams) -> tuple[list[Item], str, bool]:
    """The items of all pages, a note, and whether one page was the whole."""
    assert params.items is not None  # noqa: S101 - asked before
    host = host_of(request.url)
    found: list[Item] = []
    asked = {request.url}
    deadline = time.monotonic() + params.give_up_after
    for page in range(1, params.pages + 1):
        value = http_read.json_of(answer, host)
        elements = http_read.elements(value, params.items, host)
        found += [
            http_read.element_item(one, params.item_id, params.item_version, params.item_title)
            for one in elements
        ]
        following = _next(value, answer, request, params)
        if len(found) > params.most or (following is not None and page == params.pages):
            return found[: params.most], _rest(len(found), page, params), False
        if following is None:
            return found, "", page == 1
        key = json.dumps([following.url, following.query], sort_keys=True, default=str)
        if key in asked:
            return found, f"{host} leads from page to page in a circle; {page} pages were read", False
        asked.add(key)
        answer = fetch(following, timeout=max(0.1, deadline - time.monotonic()))
        request = following
    return found, "", False


def _rest(found: int, page: int, params: HttpParams) -> str:
    if found > params.most:
        return f"there are more than {params.most} items (`most:`); the others were left out"
    return f"there are more than {page} pages (`pages:`); the others were not read"


def _next(value: Any, answer: Answer, request: Request, params: HttpParams) -> Request | None:
    import httpx

    headers = request.headers or {}
    if params.next is None:
        link = httpx.Response(200, headers={"link": answer.headers.get("link", "")}).links.get("next", {})
        target = link.get("url", "")
    else:
        target = http_read.first_text(value, params.next)
    if not target:
        return None
    if params.next_query:
        query = {**(request.query or {}), params.next_query: target}
        return Request(request.url, request.method, headers, query, request.json, request.body)
    url = str(httpx.URL(answer.url).join(target))
    host_of(url)
    # An address from the answer may lead anywhere; the credentials are for the server that was named.
    if not same_origin(url, request.url):
        raise StepError(
            f"the next page is said to be at {host_of(url)}, another server",
            code="bad_answer",
            permanent=True,
            hint="only pages of the same server are read; `pages: 1` reads the first alone",
        )
    return Request(url, request.method, headers, None, request.json, request.body)

"""The builtin agent's HTTP: a page of an allowed host, each redirect judged anew. In hosts only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rota.model.agent import Denial
from rota.model.agent_policy import allows_host, is_public, only_by_star
from rota.model.errors import StepError
from rota.runners.builtin_tools import DeniedError, Did, Place, Tool

if TYPE_CHECKING:
    import httpx

_HOPS, _TIMEOUT, _BYTES = 5, 30.0, 2_000_000
_PORTS = {"http": 80, "https": 443}


def web_tools(place: Place) -> list[Tool]:
    """The tool `fetch`."""

    async def use(given: Mapping[str, Any]) -> Did:
        async with asyncio.timeout(_TIMEOUT):
            return await _fetch(place, given["url"])

    async def bounded(given: Mapping[str, Any]) -> Did:
        try:
            return await use(given)
        except TimeoutError:
            raise StepError(f"no answer within {_TIMEOUT:g} seconds") from None

    return [
        Tool(
            "fetch",
            "Get a web page or file by HTTP; a page comes as Markdown.",
            {
                "type": "object",
                "properties": {"url": {"type": "string", "description": "https://host/path"}},
                "required": ["url"],
                "additionalProperties": False,
            },
            bounded,
            looks=True,
            shown="url",
        )
    ]


async def _fetch(place: Place, url: str) -> Did:
    import httpx

    async with httpx.AsyncClient(timeout=_TIMEOUT, headers={"user-agent": "rota"}) as client:
        for _hop in range(_HOPS + 1):
            await _judge(place, url)
            try:
                async with client.stream("GET", url, follow_redirects=False) as response:
                    following = response.next_request
                    if following is None:
                        return await _page(response)
                    url = str(following.url)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                raise StepError(f"it could not be fetched: {str(error) or type(error).__name__}") from None
    raise StepError(f"it redirects more than {_HOPS} times")


async def _judge(place: Place, url: str) -> None:
    """Whether that address may be asked. Raises DeniedError, or StepError for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise StepError(f"{url[:200]!r} is no address", hint="it begins with http:// or https:// and a host")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    host = f"{name}:{port}"
    if not allows_host(place.permissions, host, place.grants):
        raise DeniedError(
            Denial("net", name if port in _PORTS.values() else host), f"asking {host} is not allowed"
        )
    if not only_by_star(place.permissions, host, place.grants):
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StepError(f"{parts.hostname} cannot be found: {error.strerror}") from None
    if not all(is_public(str(address[0])) for *_others, address in found):
        raise DeniedError(Denial("net", name), f"{name} leads into a private network")


async def _page(response: httpx.Response) -> Did:
    data = bytearray()
    async for chunk in response.aiter_bytes():  # counted after decompression
        data += chunk
        if len(data) > _BYTES:
            raise StepError(f"it is larger than {_BYTES // 1_000_000} MB")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = data.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        text = data.decode("utf-8", "replace")
    if "\0" in text:
        raise StepError(f"it is no text ({kind or 'of no kind that is said'})")
    note = f"{response.status_code}, {len(data):,} bytes"
    if kind in {"text/html", "application/xhtml+xml"}:
        text = await asyncio.to_thread(_markdown, text)
    if not response.is_success:
        raise StepError(f"{response.status_code} {response.reason_phrase}: {' '.join(text.split())[:500]}")
    return Did(text, note)


def _markdown(html: str) -> str:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(html, "html.parser")
    for part in soup(["script", "style", "noscript", "template", "svg"]):
        part.decompose()
    text: str = MarkdownConverter(heading_style="atx").convert_soup(soup)
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(line for at, line in enumerate(lines) if line or (at and lines[at - 1])).strip()

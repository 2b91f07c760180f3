"""Reads calendars from files, folders and addresses, with caps on size and time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rota.model.errors import StepError
from rota.sources.ics_cache import AnswerCache
from rota.sources.ics_text import decode

if TYPE_CHECKING:
    import httpx

DEFAULT_FOLDER = "calendar"
MAX_BYTES = 20_000_000
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 20.0
TOTAL_SECONDS = 60.0

_SCHEMES = ("http", "https", "webcal", "webcals")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Statuses below 500 after which the same request may work later.
_TRANSIENT = (408, 425, 429)
_NOT_MODIFIED = 304
CACHE = Path(".rota", "cache", "calendars")


@dataclass(frozen=True)
class Document:
    """One unfolded ICS text; `name` is what to call the calendar when it has no name of its own."""

    name: str
    text: str


def read(calendars: Sequence[str], workspace: Path) -> tuple[list[Document], list[StepError]]:
    """Every calendar that could be read, in the order given, and why the others could not.

    An empty `calendars` means the files in the workspace's calendar/ folder, which need not exist.
    """
    documents: list[Document] = []
    failures: list[StepError] = []
    cache = AnswerCache(workspace / CACHE if (workspace / ".rota").is_dir() else None)
    for place in calendars or _default(workspace):
        try:
            if _is_address(place):
                documents.append(_document(fetch(place, cache), _host(place), _host(place)))
            else:
                documents.extend(_from_path(place, workspace, failures))
        except StepError as error:
            failures.append(error)
    return documents, failures


def _default(workspace: Path) -> list[str]:
    return [DEFAULT_FOLDER] if (workspace / DEFAULT_FOLDER).is_dir() else []


def _from_path(place: str, workspace: Path, failures: list[StepError]) -> list[Document]:
    path = workspace / Path(place).expanduser()
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() == ".ics" and p.is_file())
    elif path.is_file():
        files = [path]
    else:
        raise StepError(
            f"there is no calendar at {place}",
            hint=f"give an .ics file, a folder of them or an address; {place} is looked for in the workspace",
            permanent=True,
        )
    documents = []
    for file in files:
        label = str(file.relative_to(workspace)) if file.is_relative_to(workspace) else str(file)
        try:
            documents.append(_document(_read_file(file, label), file.stem, label))
        except StepError as error:
            failures.append(error)
    return documents


def _read_file(file: Path, label: str) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise StepError(f"{label} cannot be read: {error.strerror}", permanent=True) from error
    if len(data) > MAX_BYTES:
        raise _too_big(label)
    return data


def fetch(url: str, cache: AnswerCache) -> bytes:
    """The body behind an address, that of last time where the server says that it is the same.

    Raises StepError, permanent where asking again cannot help.
    Addresses of private calendars are secrets: messages name the host alone.
    """
    import httpx

    host, deadline = _host(url), time.monotonic() + TOTAL_SECONDS
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    headers = {"accept": "text/calendar, */*;q=0.5", "user-agent": "rota"}
    known = cache.get(url)
    if known is not None:
        headers |= known[0]
    try:
        with (
            httpx.Client(timeout=timeout, headers=headers, follow_redirects=True, max_redirects=5) as client,
            client.stream("GET", _http(url)) as response,
        ):
            if response.status_code == _NOT_MODIFIED and known is not None:
                return known[1]
            _check_status(response, host)
            body = _body(response, host, deadline)
            _document(body, host, host)  # what is no calendar is not kept
            cache.put(url, response.headers, body)
            return body
    except httpx.TimeoutException:
        raise _too_slow(host) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
        raise StepError(f"the address at {host} cannot be used: {error}", permanent=True) from None
    except httpx.HTTPError as error:
        raise StepError(f"{host} could not be reached: {error}", hint="is the network up?") from None


def _check_status(response: httpx.Response, host: str) -> None:
    status = response.status_code
    if response.is_success:
        return
    words = f"{host} answered {status} {response.reason_phrase}".rstrip()
    if status >= 500 or status in _TRANSIENT:
        wait = response.headers.get("retry-after", "")
        raise StepError(words, retry_after=float(wait) if wait.isdecimal() else None)
    raise StepError(
        words, hint="copy the calendar's iCal address anew: it may have been reset", permanent=True
    )


def _body(response: httpx.Response, host: str, deadline: float) -> bytes:
    # Counted after decompression, so that a small answer cannot grow without bounds. Pieces of a given size
    # would be waited for, past the deadline.
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise _too_big(host)
        if time.monotonic() > deadline:
            raise _too_slow(host)
    return bytes(data)


def _document(data: bytes, name: str, label: str) -> Document:
    text = decode(data)
    if "BEGIN:VCALENDAR" not in text.upper():
        raise StepError(
            f"{label} is not an iCalendar file",
            hint="use the calendar's iCal address (.ics), not its web page"
            if "<html" in text.lower()
            else None,
            permanent=True,
        )
    return Document(name, text)


def _is_address(place: str) -> bool:
    return place.partition("://")[0].lower() in _SCHEMES and "://" in place


def _host(url: str) -> str:
    try:
        if host := urlsplit(url).hostname:
            return host
    except ValueError:
        pass
    raise StepError(
        "a calendar's address is no URL", hint="such as https://example.org/me.ics", permanent=True
    )


def _http(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("webcal", "webcals"):
        return url
    # webcal names no transport; a private address must not travel in the clear.
    plain = scheme.lower() == "webcal" and _host(url) in _LOOPBACK
    return f"{'http' if plain else 'https'}://{rest}"


def _too_big(label: str) -> StepError:
    return StepError(f"{label} is larger than {MAX_BYTES // 1_000_000} MB", permanent=True)


def _too_slow(host: str) -> StepError:
    return StepError(
        f"{host} took too long to answer", hint="it is tried again where the step has a `retry:`"
    )

"""One HTTP request of a source: bounded in size and time, conditional, and quiet about its secrets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rota.model.errors import StepError
from rota.sources._deadline import CONNECT, SILENCE, too_slow, within
from rota.sources._text import masked, one_line, url_secrets

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 20_000_000
_REDIRECTS = 10
# Statuses below 500 after which the same request may work later.
_TRANSIENT = frozenset({408, 425, 429})
# What a redirect to another server may still see of the headers; the others can be credentials.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_HINTS = {
    401: "the token or password is missing or not accepted: set it anew with `rota secret set`",
    403: "the other side does not allow it: check the token and what it may read",
    404: "nothing is there: check the address",
    410: "it is gone for good: look for its new address",
}


@dataclass(frozen=True)
class Request:
    """What is asked. `etag`, `modified`: validators of an earlier answer; with them it can be *unchanged*."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    query: Mapping[str, Any] | None = None
    json: Any = None
    body: str | None = None
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True)
class Answer:
    """A success, or `unchanged` (304, no body). Header names are in lower case; `url` is where it led."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    unchanged: bool = False

    @property
    def validators(self) -> dict[str, str]:
        """`etag` and `modified` for the next request, as far as the server gave them."""
        found = {"etag": self.headers.get("etag", ""), "modified": self.headers.get("last-modified", "")}
        return {name: text for name, text in found.items() if text}

    @property
    def charset(self) -> str | None:
        """The charset that the server named."""
        import email.message

        message = email.message.Message()
        message["content-type"] = self.headers.get("content-type", "")
        return message.get_content_charset()

    def text(self) -> str:
        """The body as text, in the charset that was named, else UTF-8."""
        try:
            return self.body.decode(self.charset or "utf-8-sig", "replace")
        except LookupError:
            return self.body.decode("utf-8-sig", "replace")


def host_of(url: str) -> str:
    """The host, which is all that messages say of an address. StepError (permanent) for what is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise StepError(
        "the address is not one of the form https://host/path",
        code="bad_address",
        permanent=True,
        hint="check `url:`",
    )


def fetch(request: Request, *, timeout: float, limit: int = MAX_BYTES) -> Answer:
    """The answer, redirects followed; StepError with the wait that was asked for, permanent where it is."""
    host = host_of(request.url)
    return within(timeout, host, lambda: _fetch(request, host, timeout, limit))


def _fetch(request: Request, host: str, timeout: float, limit: int) -> Answer:
    import httpx

    deadline = time.monotonic() + timeout
    wait = httpx.Timeout(min(timeout, SILENCE), connect=min(timeout, CONNECT))
    try:
        with httpx.Client(timeout=wait) as client:
            first = _built(client, request)
            response = _followed(client, first, {name.lower() for name in request.headers or {}} - _HARMLESS)
            try:
                return _answer(response, request, host, _Bounds(deadline, timeout, limit))
            finally:
                response.close()
    except httpx.TimeoutException:
        raise too_slow(host, timeout) from None
    except httpx.TooManyRedirects:
        raise StepError(
            f"{host} redirects more than {_REDIRECTS} times",
            code="http_error",
            permanent=True,
            hint="give the address that it finally leads to",
        ) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError, TypeError):
        # Not the error's own text: it can quote the address or a header.
        raise StepError(
            f"the request to {host} cannot be made: its address or one of its headers cannot be sent",
            code="bad_request",
            permanent=True,
            hint="headers are one line of ASCII; addresses begin with http:// or https://",
        ) from None
    except httpx.HTTPError as error:
        raise _unreachable(host, error, request) from None


def _built(client: httpx.Client, request: Request) -> httpx.Request:
    import httpx

    headers = {"user-agent": "rota", "accept": "*/*"}
    if request.etag:
        headers["if-none-match"] = request.etag
    if request.modified:
        headers["if-modified-since"] = request.modified
    headers |= {name.lower(): value for name, value in (request.headers or {}).items()}
    return client.build_request(
        request.method,
        httpx.URL(request.url).copy_merge_params(dict(request.query or {})),
        headers=headers,
        json=request.json,
        content=None if request.body is None else request.body.encode("utf-8", "replace"),
    )


def _followed(client: httpx.Client, request: httpx.Request, private: set[str]) -> httpx.Response:
    import httpx

    for _ in range(_REDIRECTS + 1):
        response = client.send(request, stream=True, follow_redirects=False)
        following = response.next_request
        if following is None:
            return response
        response.close()
        if not same_origin(str(following.url), str(request.url)):
            for name in private & set(following.headers):
                del following.headers[name]
        request = following
    raise httpx.TooManyRedirects("too many redirects", request=request)


def same_origin(one: str, other: str) -> bool:
    """Whether both addresses are of the same scheme, host and port."""
    import httpx

    first, second = httpx.URL(one), httpx.URL(other)
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)


@dataclass(frozen=True)
class _Bounds:
    deadline: float
    timeout: float
    limit: int


def _answer(response: httpx.Response, request: Request, host: str, bounds: _Bounds) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    url = str(response.url)
    if response.status_code == 304 and (request.etag or request.modified):
        return Answer(304, headers, b"", url, unchanged=True)
    if not response.is_success:
        raise _refused(response, request, host)
    # Counted after decompression, so that a small answer cannot grow without bounds.
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > bounds.limit:
            raise StepError(
                f"the answer of {host} is larger than {bounds.limit // 1_000_000} MB",
                code="too_long",
                permanent=True,
                hint="ask for less: by a filter in the address, or by smaller pages",
            )
        if time.monotonic() > bounds.deadline:
            raise too_slow(host, bounds.timeout)
    return Answer(response.status_code, headers, bytes(data), url)


def _refused(response: httpx.Response, request: Request, host: str) -> StepError:
    status = response.status_code
    transient = status in _TRANSIENT or status >= 500
    said = "" if "html" in response.headers.get("content-type", "") else _detail(response, request)
    phrase = f" {response.reason_phrase}" if response.reason_phrase else ""
    return StepError(
        f"{host} answered {status}{phrase}" + (f": {said}" if said else ""),
        code="http_status",
        permanent=not transient,
        retry_after=retry_after(response.headers.get("retry-after", "")) if transient else None,
        hint=_HINTS.get(status, "it may work later" if transient else "check the address and what is sent"),
    )


def _detail(response: httpx.Response, request: Request) -> str:
    import httpx

    said = b""
    try:
        for chunk in response.iter_bytes():
            said += chunk
            if len(said) > 2_000:
                break
    except httpx.HTTPError:
        return ""
    return one_line(masked(said[:2_000].decode("utf-8", "replace"), secrets_of(request)))


def secrets_of(request: Request) -> list[str]:
    """Everything of a request that no message may hold."""
    values = [str(value) for value in (request.headers or {}).values()]
    words = [word for value in values for word in value.split() if len(word) > 6]
    query = [str(value) for value in (request.query or {}).values()]
    return [*url_secrets(request.url), *values, *words, *query, *_texts(request.json), request.body or ""]


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def retry_after(text: str) -> float | None:
    """Seconds, from a header that gives seconds or a date."""
    from email.utils import parsedate_to_datetime

    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _unreachable(host: str, error: Exception, request: Request) -> StepError:
    untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
    said = one_line(masked(str(error), secrets_of(request))) or type(error).__name__
    return StepError(
        f"{host} could not be reached: {said}",
        code="connection",
        permanent=untrusted,
        hint="its certificate is not trusted: SSL_CERT_FILE names the file of another authority"
        if untrusted
        else "is the address right, and the network up?",
    )

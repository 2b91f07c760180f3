"""One HTTP call of a channel, and what its failure means for the next try."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rota.channels._deadline import CONNECT, no_answer, within
from rota.channels._params import misconfigured
from rota.channels._text import masked, one_line
from rota.model.errors import StepError

_TRANSIENT = frozenset({408, 425, 429})
_MOST_READ = 65_536
_HINTS = {
    401: "the token or password is not accepted: set it anew",
    403: "the other side does not allow it: check the token and what it may do",
    404: "nothing is there: check the address or the token",
    410: "it is gone: set up a new one",
}


@dataclass(frozen=True)
class Reply:
    """An answer of any status; `text` is cut at 64 KiB."""

    status: int
    text: str
    retry_after: float | None = None

    def json(self) -> dict[str, Any]:
        """The object that the text holds; empty when it does not hold one."""
        import json

        try:
            value = json.loads(self.text)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def call(
    url: str,
    json: Any,
    *,
    channel: str,
    service: str,
    timeout: float,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send `json`, and give the answer, whatever its status. Redirects are not followed.

    StepError: permanent for an impossible address, transient when there is no answer. Its text never
    holds the address, which may itself be the secret.
    """
    try:
        address = urlsplit(url)
        usable = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise misconfigured(channel, "its address is not one of the form https://host/path")
    return within(
        timeout,
        service,
        lambda: _exchange(method, url, json, headers, channel=channel, service=service, timeout=timeout),
    )


def _exchange(
    method: str,
    url: str,
    json: Any,
    headers: Mapping[str, str] | None,
    *,
    channel: str,
    service: str,
    timeout: float,
) -> Reply:
    import httpx

    limits = httpx.Timeout(timeout, connect=min(CONNECT, timeout))
    try:
        with (
            httpx.Client(timeout=limits, headers={"User-Agent": "rota"}) as client,
            client.stream(method, url, json=json, headers=headers) as response,
        ):
            return Reply(response.status_code, _start(response), _retry_after(response.headers))
    except httpx.TimeoutException:
        raise no_answer(service, timeout) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError, TypeError):
        raise misconfigured(channel, "its address or one of its headers cannot be sent") from None
    except httpx.TransportError as error:
        raise unreachable(service, error) from None


def _start(response: Any) -> str:
    import httpx

    received = b""
    # The status has decided by now: a text that breaks off must not make a delivery a failure.
    with contextlib.suppress(httpx.HTTPError):
        for chunk in response.iter_bytes():
            received += chunk
            if len(received) > _MOST_READ:
                break
    return received[:_MOST_READ].decode("utf-8", "replace")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    from email.utils import parsedate_to_datetime

    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def unreachable(service: str, error: Exception) -> StepError:
    """The error of a connection that failed: permanent only where the certificate is not trusted."""
    untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
    return StepError(
        f"{service} cannot be reached: {one_line(str(error)) or type(error).__name__}",
        hint="its certificate is not trusted: SSL_CERT_FILE names the file of another authority"
        if untrusted
        else "check the address and the network",
        code="unavailable",
        permanent=untrusted,
    )


def succeeded(status: int) -> bool:
    """Whether the other side took it."""
    return 200 <= status < 300


def refused(
    service: str,
    status: int,
    detail: str = "",
    *,
    retry_after: float | None = None,
    secrets: Iterable[str] = (),
    hint: str | None = None,
) -> StepError:
    """The error of a status that is not a success; `detail` is what the other side said."""
    transient = status in _TRANSIENT or status >= 500
    words = one_line(masked(detail, secrets))
    if 300 <= status < 400:
        words = "it points to another address"
        hint = hint or "give the address that it finally leads to"
    return StepError(
        f"{service} answered {status}" + (f": {words}" if words else ""),
        hint=hint or _HINTS.get(status),
        code="unavailable" if transient else "refused",
        permanent=not transient,
        retry_after=retry_after if transient else None,
    )

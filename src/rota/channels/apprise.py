"""Every service that Apprise knows, by its URL."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from rota.channels._params import DEFAULT_TIMEOUT, ChannelParams, Timeout, filled, misconfigured
from rota.channels._text import clean, masked, one_line, shorten, url_secrets
from rota.model.errors import StepError

_MOST_PARTS = 4
_SHORT_MESSAGES = 1_000  # characters: a service below it (SMS) is not split for, as every part may cost
_STATUS = re.compile(r"\berror=(\d{3})\b")


class AppriseParams(ChannelParams):
    """Keys of `type: apprise`."""

    url: str = Field(description="An Apprise URL, such as ntfy://topic, discord://... or json://host/path.")
    timeout: Timeout = DEFAULT_TIMEOUT


class Apprise:
    """Sends through Apprise, which tells only whether it worked: the reason comes from its log."""

    key: ClassVar[str] = "apprise"
    params: ClassVar[type[BaseModel]] = AppriseParams
    target: ClassVar[str] = "rota.channels.apprise:send"


def send(config: dict[str, Any], title: str, body: str, about: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - the signature of every channel
    """Deliver one message; `{"service": ...}`. StepError says whether another try may help."""
    import apprise

    from rota.channels import _http
    from rota.channels._deadline import within

    params = filled(AppriseParams, config, Apprise.key)
    scheme = params.url.partition("://")[0].lower()
    asset = apprise.AppriseAsset(app_id="rota", app_desc="rota", app_url="", secure_logging=True)
    with _log_lines() as lines:
        service = apprise.Apprise.instantiate(params.url, asset=asset)
        if service is None:
            raise _unusable(scheme)
        _tune(service, params.timeout)
        name = str(service.service_name)
        heading = one_line(title, service.title_maxlen or 200)
        text = _fitting(service, heading, clean(body).strip() or heading or "(no text)")
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        if within(params.timeout, name, lambda: bool(sender.notify(body=text, title=heading))):
            return {"service": name}
    reason = one_line(masked(" ".join(lines), _secrets(params.url, service)), 400)
    statuses = [int(status) for line in lines for status in _STATUS.findall(line)]
    if not statuses:
        raise StepError(
            f"{name} did not take the message: {reason or 'Apprise does not say why'}",
            hint=f"check the {scheme}:// URL and the network",
            code="unavailable",
            permanent=False,
        )
    # Of several recipients the one that may still take it decides.
    errors = [_http.refused(name, status, reason) for status in statuses]
    raise next((error for error in errors if not error.permanent), errors[0])


def _tune(service: Any, timeout: float) -> None:
    """Our limits, where the URL gives none of its own."""
    from apprise import OverflowMode, URLBase

    from rota.channels._deadline import CONNECT

    if service.socket_connect_timeout == URLBase.socket_connect_timeout:
        service.socket_connect_timeout = min(CONNECT, timeout)
    if service.socket_read_timeout == URLBase.socket_read_timeout:
        service.socket_read_timeout = timeout
    if service.overflow_mode == OverflowMode.UPSTREAM:
        service.overflow_mode = OverflowMode.SPLIT


def _fitting(service: Any, heading: str, text: str) -> str:
    parts = _MOST_PARTS if service.body_maxlen >= _SHORT_MESSAGES else 1
    return shorten(text, max(20, parts * (service.body_maxlen - len(heading) - 20)))


def _unusable(scheme: str) -> StepError:
    from apprise import Apprise as Library

    known = any(
        scheme in (*(entry.get("protocols") or ()), *(entry.get("secure_protocols") or ()))
        for entry in Library().details()["schemas"]
    )
    return misconfigured(
        Apprise.key,
        f"Apprise cannot read this {scheme}:// URL" if known else "Apprise knows no service of this URL",
        hint="https://appriseit.com lists the services and their URLs",
    )


def _secrets(url: str, service: Any) -> list[str]:
    """All that the URL is made of, but its scheme; the host only where Apprise itself hides it."""
    with contextlib.suppress(ValueError):
        host, shown = urlsplit(url).hostname or "", urlsplit(service.url(privacy=True)).hostname
        if host.lower() != shown:
            account_free = url.partition("://")[2].rpartition("@")[2]
            return [*url_secrets(url), host, re.split(r"[/?:#]", account_free)[0]]
    return url_secrets(url)


@contextlib.contextmanager
def _log_lines() -> Iterator[list[str]]:
    """What Apprise complains about meanwhile; nobody else sees it, since it may hold secrets."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.getLogger("apprise")
    collector, propagate = Collector(logging.WARNING), logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagate

"""Any HTTP address that takes JSON."""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, Field

from rota.channels._params import DEFAULT_TIMEOUT, ChannelParams, Timeout, filled
from rota.channels._text import clean, url_secrets


class WebhookParams(ChannelParams):
    """Keys of `type: webhook`."""

    url: str = Field(description="The address that receives the message.")
    method: Literal["POST", "PUT", "PATCH"] = Field(default="POST", description="The HTTP method.")
    headers: dict[str, str] = Field(
        default={}, description="Headers to send along, such as Authorization: Bearer ${TOKEN}."
    )
    timeout: Timeout = DEFAULT_TIMEOUT


class Webhook:
    """Sends {title, body, job, run, workspace, key} as JSON, with an Idempotency-Key header."""

    key: ClassVar[str] = "webhook"
    params: ClassVar[type[BaseModel]] = WebhookParams
    target: ClassVar[str] = "rota.channels.webhook:send"


def send(config: dict[str, Any], title: str, body: str, about: dict[str, Any]) -> dict[str, Any]:
    """Deliver one message; `{"status": ...}`. StepError says whether another try may help."""
    from rota.channels import _http

    params = filled(WebhookParams, config, Webhook.key)
    names = ("job", "run", "workspace", "key")
    payload = {"title": clean(title), "body": clean(body)} | {name: about.get(name) for name in names}
    # A key may hold any character, a header only these; quoting keeps different keys different.
    own = {"Idempotency-Key": quote(str(about.get("key") or ""), safe="!#$&'()*+,/:;=?@[]~ |{}")}
    own = {name: value for name, value in own.items() if not _given(name, params.headers)}
    service = f"the webhook at {_place(params.url)}"
    reply = _http.call(
        params.url,
        payload,
        channel=Webhook.key,
        service=service,
        timeout=params.timeout,
        method=params.method,
        headers=own | params.headers,
    )
    if not _http.succeeded(reply.status):
        secrets = [*url_secrets(params.url), *_header_secrets(params.headers)]
        raise _http.refused(service, reply.status, reply.text, retry_after=reply.retry_after, secrets=secrets)
    return {"status": reply.status}


def _given(name: str, headers: dict[str, str]) -> bool:
    return name.lower() in {given.lower() for given in headers}


def _header_secrets(headers: dict[str, str]) -> list[str]:
    # Of "Bearer TOKEN" the token alone, too: the other side may repeat just that.
    return [part for value in headers.values() for part in (value, *value.split())]


def _place(url: str) -> str:
    """Host and port: the part of an address that may be shown."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "(no host)"
    except ValueError:
        return "(no host)"

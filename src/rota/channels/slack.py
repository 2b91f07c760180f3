"""Slack: an incoming webhook, or a bot's token and a channel."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import BaseModel, Field, model_validator

from rota.channels._params import DEFAULT_TIMEOUT, ChannelParams, Timeout, filled
from rota.channels._text import ELLIPSIS, clean, one_line, url_secrets

_LIMIT = 40_000
_TRANSIENT = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)


class SlackParams(ChannelParams):
    """Keys of `type: slack`: `webhook`, or `token` and `channel`."""

    webhook: str | None = Field(
        default=None, description="Address of an incoming webhook: ${SLACK_WEBHOOK_URL}."
    )
    token: str | None = Field(default=None, description="A bot's token (xoxb-...), instead of a webhook.")
    channel: str | None = Field(
        default=None, description="Where the bot posts: a channel's id or #name, a user's id."
    )
    base_url: str = Field(default="https://slack.com/api", description="Where the bot's calls go.")
    timeout: Timeout = DEFAULT_TIMEOUT

    @model_validator(mode="after")
    def _one_way(self) -> SlackParams:
        if (self.webhook is None) == (self.token is None):
            raise ValueError("give either `webhook`, or `token` and `channel`")
        if (self.token is None) != (self.channel is None):
            raise ValueError("`token` and `channel` go together")
        return self


class Slack:
    """Posts to a Slack channel."""

    key: ClassVar[str] = "slack"
    params: ClassVar[type[BaseModel]] = SlackParams
    target: ClassVar[str] = "rota.channels.slack:send"


def send(config: dict[str, Any], title: str, body: str, about: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - the signature of every channel
    """Deliver one message; `{"status": ...}`, with `ts` for a bot's. StepError says whether another try may help."""
    params = filled(SlackParams, config, Slack.key)
    text = message_text(title, body)
    if params.webhook is not None:
        return _by_webhook(params.webhook, text, params.timeout)
    return _by_token(params, text)


def message_text(title: str, body: str) -> str:
    """Bold title and body, with what Slack would read as a mention or a link made harmless."""
    heading = one_line(title).replace("*", "∗")  # an asterisk would end the bold type
    parts = (f"*{_escaped(heading)}*" if heading else "", _escaped(clean(body).strip()))
    text = "\n".join(part for part in parts if part) or "(no text)"
    if len(text) <= _LIMIT:
        return text
    return re.sub(r"&[a-z]{0,3}$", "", text[: _LIMIT - 1]).rstrip() + ELLIPSIS


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _by_webhook(url: str, text: str, timeout: float) -> dict[str, Any]:
    from rota.channels import _http

    reply = _http.call(url, {"text": text}, channel=Slack.key, service="Slack", timeout=timeout)
    if not _http.succeeded(reply.status):
        raise _http.refused(
            "Slack", reply.status, reply.text, retry_after=reply.retry_after, secrets=url_secrets(url)
        )
    return {"status": reply.status}


def _by_token(params: SlackParams, text: str) -> dict[str, Any]:
    from rota.channels import _http
    from rota.model.errors import StepError

    token = params.token or ""
    reply = _http.call(
        f"{params.base_url.rstrip('/')}/chat.postMessage",
        {"channel": params.channel, "text": text},
        channel=Slack.key,
        service="Slack",
        timeout=params.timeout,
        headers={"Authorization": f"Bearer {token}"},
    )
    if not _http.succeeded(reply.status):
        raise _http.refused("Slack", reply.status, reply.text, retry_after=reply.retry_after, secrets=[token])
    answer = reply.json()
    if answer.get("ok") is not True:
        fault = str(answer.get("error") or "something that is no answer of Slack's API")
        raise StepError(
            f"Slack said {one_line(fault)}",
            hint="check the token's scopes (chat:write), and that the bot is in the channel",
            code="refused",
            permanent=fault not in _TRANSIENT,
            retry_after=reply.retry_after,
        )
    return {"status": reply.status, "ts": answer.get("ts")}

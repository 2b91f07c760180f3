"""Telegram, by a bot; also through a Bot API server of one's own."""

from __future__ import annotations

import time
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, Field

from rota.channels._params import DEFAULT_TIMEOUT, ChannelParams, Timeout, filled
from rota.channels._text import joined, split
from rota.model.errors import StepError

_LIMIT = 4_096
_MOST_PARTS = 4


class TelegramParams(ChannelParams):
    """Keys of `type: telegram`."""

    token: str = Field(min_length=1, description="The bot's token, as @BotFather gave it: ${TELEGRAM_TOKEN}.")
    chat: int | str = Field(description="The chat's number, or the @name of a public channel or group.")
    thread: int | None = Field(default=None, description="The topic's number, in a group with topics.")
    silent: bool = Field(default=False, description="Whether it arrives without a sound.")
    base_url: str = Field(default="https://api.telegram.org", description="The Bot API server.")
    timeout: Timeout = DEFAULT_TIMEOUT


class Telegram:
    """Sends plain text to a chat; a long one in up to four numbered parts."""

    key: ClassVar[str] = "telegram"
    params: ClassVar[type[BaseModel]] = TelegramParams
    target: ClassVar[str] = "rota.channels.telegram:send"


def send(config: dict[str, Any], title: str, body: str, about: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - the signature of every channel
    """Deliver one message; `{"message_ids": [...]}`. StepError says whether another try may help."""
    params = filled(TelegramParams, config, Telegram.key)
    until = time.monotonic() + params.timeout
    ids: list[Any] = []
    for part in split(joined(title, body), _LIMIT, _MOST_PARTS):
        try:
            ids.append(_send_part(params, part, until))
        except StepError as error:
            # Another try of the whole would repeat the parts that arrived: wait here, if there is time.
            if not ids or error.retry_after is None or time.monotonic() + error.retry_after >= until:
                raise
            time.sleep(error.retry_after)
            ids.append(_send_part(params, part, until))
    return {"message_ids": ids}


def _send_part(params: TelegramParams, text: str, until: float) -> Any:
    from rota.channels import _http

    # No parse_mode: in plain text there is nothing that Telegram could fail to parse.
    payload: dict[str, Any] = {"chat_id": params.chat, "text": text, "disable_notification": params.silent}
    if params.thread is not None:
        payload["message_thread_id"] = params.thread
    reply = _http.call(
        f"{params.base_url.rstrip('/')}/bot{quote(params.token, safe=':')}/sendMessage",
        payload,
        channel=Telegram.key,
        service="Telegram",
        timeout=max(0.1, until - time.monotonic()),
    )
    answer = reply.json()
    if not _http.succeeded(reply.status):
        raise _refused(params, reply, answer)
    return (answer.get("result") or {}).get("message_id")


def _refused(params: TelegramParams, reply: Any, answer: dict[str, Any]) -> StepError:
    from rota.channels import _http

    more = answer.get("parameters") or {}
    wait = more.get("retry_after", reply.retry_after)
    moved = more.get("migrate_to_chat_id")
    return _http.refused(
        "Telegram",
        reply.status,
        str(answer.get("description") or reply.text),
        retry_after=float(wait) if isinstance(wait, int | float) else None,
        secrets=[params.token],
        hint=f"the group has a new number: chat: {moved}" if moved else _HINTS.get(reply.status),
    )


_HINTS = {
    400: "check `chat`: its number, or an @name; somebody has to write to the bot first",
    401: "the bot's token is not accepted: ask @BotFather for it",
    404: "the bot's token is not one: ask @BotFather for it",
}

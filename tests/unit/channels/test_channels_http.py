"""The channels that speak HTTP: what arrives, and what a failure means for the next try."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from rota.channels import slack, telegram, webhook
from rota.model.errors import StepError

if TYPE_CHECKING:
    from tests.unit.channels.conftest import Receiver

TITLE = "Plan – fertig"
BODY = "# Plan\n*a* _b_ [c](d) `e` 1.5 <x> & \\ ünï 😀"
TOKEN = "123456:AAsecretAA"

Send = Callable[["Receiver"], dict[str, Any]]


@pytest.fixture(params=["webhook", "slack webhook", "slack token", "telegram"])
def send(request: pytest.FixtureRequest, about: dict[str, Any]) -> Send:
    """Delivers TITLE and BODY to a receiver, through each of the channels."""

    def through(receiver: Receiver) -> dict[str, Any]:
        secret = f"{receiver.base}/hooks/secret-part"
        if request.param == "webhook":
            return webhook.send({"url": secret, "timeout": "5s"}, TITLE, BODY, about)
        if request.param == "slack webhook":
            return slack.send({"webhook": secret, "timeout": "5s"}, TITLE, BODY, about)
        if request.param == "slack token":
            config = {"token": "secret-part", "channel": "#plan", "base_url": receiver.base, "timeout": "5s"}
            return slack.send(config, TITLE, BODY, about)
        bot: dict[str, Any] = {"token": "secret-part", "chat": 7, "base_url": receiver.base, "timeout": "5s"}
        return telegram.send(bot, TITLE, BODY, about)

    return through


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        *((status, True) for status in (301, 400, 401, 403, 404, 410)),
        *((status, False) for status in (408, 429, 500, 503)),
    ],
)
def test_the_status_decides_whether_it_is_tried_again(
    receiver: Receiver, send: Send, status: int, permanent: bool
) -> None:
    receiver.answer(status, "go away, /hooks/secret-part", Location="http://127.0.0.1:1/")
    with pytest.raises(StepError, match=str(status)) as failure:
        send(receiver)
    assert failure.value.permanent is permanent
    assert "secret-part" not in f"{failure.value} {failure.value.hint}"
    assert "\n" not in str(failure.value)
    assert len(receiver.calls) == 1


def test_the_wait_that_is_asked_for_is_passed_on(receiver: Receiver, send: Send) -> None:
    receiver.answer(429, Retry_After="17")
    receiver.answer(503, Retry_After=formatdate(time.time() + 100, usegmt=True))
    receiver.answer(503, Retry_After="soon")
    waits = []
    for _ in range(3):
        with pytest.raises(StepError) as failure:
            send(receiver)
        waits.append(failure.value.retry_after)
    assert waits[0] == 17
    assert waits[1] == pytest.approx(100, abs=20)
    assert waits[2] is None


def test_a_refused_connection_may_be_tried_again(receiver: Receiver, send: Send, closed_port: int) -> None:
    receiver.base = f"http://127.0.0.1:{closed_port}"
    with pytest.raises(StepError, match="cannot be reached") as failure:
        send(receiver)
    assert not failure.value.permanent
    assert "secret-part" not in str(failure.value)


def test_a_server_that_hangs_is_given_up(receiver: Receiver, about: dict[str, Any]) -> None:
    receiver.hang = True
    with pytest.raises(StepError, match=r"no answer within 0\.3 s") as failure:
        webhook.send({"url": receiver.base, "timeout": 0.3}, TITLE, BODY, about)
    assert not failure.value.permanent


def test_an_answer_that_breaks_off_is_a_delivery_all_the_same(
    receiver: Receiver, about: dict[str, Any]
) -> None:
    receiver.answer(200, "ok", Content_Length="4000", Connection="close")
    assert webhook.send({"url": receiver.base}, TITLE, BODY, about) == {"status": 200}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/secret-part",
        "secret-part",
        "http://",
        "http://host:99999/secret-part",
        "http://[::1/secret-part",
    ],
)
def test_an_impossible_address_is_permanent(url: str, about: dict[str, Any]) -> None:
    with pytest.raises(StepError, match="not set up right") as failure:
        webhook.send({"url": url}, TITLE, BODY, about)
    assert failure.value.permanent
    assert "secret-part" not in str(failure.value)


def test_a_webhook_gets_everything_as_json(receiver: Receiver, about: dict[str, Any]) -> None:
    config = {"url": f"{receiver.base}/in?x=1", "method": "PUT", "headers": {"Authorization": "Bearer abc"}}
    assert webhook.send(config, TITLE, BODY, about) == {"status": 200}
    call = receiver.calls[0]
    assert (call.method, call.path) == ("PUT", "/in?x=1")
    assert call.body == {"title": TITLE, "body": BODY, **about}
    assert call.headers["authorization"] == "Bearer abc"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["idempotency-key"] == about["key"]


def test_any_key_makes_a_header(receiver: Receiver, about: dict[str, Any]) -> None:
    webhook.send({"url": receiver.base}, TITLE, BODY, about | {"key": "zwölf\r\nX-Evil: 1"})
    call = receiver.calls[0]
    assert call.headers["idempotency-key"] == "zw%C3%B6lf%0D%0AX-Evil: 1"
    assert "x-evil" not in call.headers


@pytest.mark.parametrize("value", ["abc\r\nX-Evil: 1", "schlüssel"])
def test_a_header_that_cannot_be_sent_is_permanent(
    receiver: Receiver, about: dict[str, Any], value: str
) -> None:
    with pytest.raises(StepError, match="headers") as failure:
        webhook.send({"url": receiver.base, "headers": {"X-Token": value}}, TITLE, BODY, about)
    assert failure.value.permanent
    assert value not in str(failure.value)
    assert receiver.calls == []


def test_slack_gets_the_title_in_bold(receiver: Receiver, about: dict[str, Any]) -> None:
    slack.send({"webhook": receiver.base}, "Done", "2 < 3", about)
    assert receiver.calls[0].body == {"text": "*Done*\n2 &lt; 3"}


def test_a_slack_bot_posts_to_its_channel(receiver: Receiver, about: dict[str, Any]) -> None:
    receiver.answer(200, '{"ok": true, "ts": "1.2"}')
    config = {"token": "xoxb-1", "channel": "#plan", "base_url": receiver.base}
    assert slack.send(config, "", "hello", about) == {"status": 200, "ts": "1.2"}
    call = receiver.calls[0]
    assert call.path == "/chat.postMessage"
    assert call.headers["authorization"] == "Bearer xoxb-1"
    assert call.body == {"channel": "#plan", "text": "hello"}


@pytest.mark.parametrize(("error", "permanent"), [("channel_not_found", True), ("internal_error", False)])
def test_slack_says_no_with_a_200(
    receiver: Receiver, about: dict[str, Any], error: str, permanent: bool
) -> None:
    receiver.answer(200, json.dumps({"ok": False, "error": error}))
    with pytest.raises(StepError, match=error) as failure:
        slack.send({"token": "xoxb-1", "channel": "#no", "base_url": receiver.base}, TITLE, BODY, about)
    assert failure.value.permanent is permanent


@pytest.mark.parametrize(
    "config", [{}, {"token": "x"}, {"webhook": "http://x", "token": "x", "channel": "c"}]
)
def test_slack_wants_one_way_in(config: dict[str, Any], about: dict[str, Any]) -> None:
    with pytest.raises(StepError, match=r"webhook|channel") as failure:
        slack.send(config, TITLE, BODY, about)
    assert failure.value.permanent


def test_telegram_gets_plain_text(receiver: Receiver, about: dict[str, Any]) -> None:
    receiver.answer(200, '{"ok": true, "result": {"message_id": 5}}')
    config = {"token": TOKEN, "chat": "-1001", "thread": "3", "base_url": f"{receiver.base}/"}
    assert telegram.send(config, TITLE, BODY, about) == {"message_ids": [5]}
    call = receiver.calls[0]
    assert call.path == f"/bot{TOKEN}/sendMessage"
    assert "parse_mode" not in call.body
    assert call.body["text"] == f"{TITLE}\n\n{BODY}"
    assert (str(call.body["chat_id"]), call.body["message_thread_id"]) == ("-1001", 3)


def test_telegram_gets_a_long_text_in_parts(receiver: Receiver, about: dict[str, Any]) -> None:
    telegram.send({"token": TOKEN, "chat": 1, "base_url": receiver.base}, "", "wort 😀 " * 1000, about)
    texts = [call.body["text"] for call in receiver.calls]
    assert [text[:5] for text in texts] == ["(1/2)", "(2/2)"] or len(texts) == 3
    assert sum(text.count("😀") for text in texts) == 1000


def test_a_part_that_has_to_wait_does_not_repeat_the_first(receiver: Receiver, about: dict[str, Any]) -> None:
    receiver.answer(200, "{}")
    receiver.answer(429, '{"description": "slow down", "parameters": {"retry_after": 0.01}}')
    telegram.send({"token": TOKEN, "chat": 1, "base_url": receiver.base}, "", "x" * 5000, about)
    assert [call.body["text"][:5] for call in receiver.calls] == ["(1/2)", "(2/2)", "(2/2)"]


def test_telegrams_own_words_are_heard(receiver: Receiver, about: dict[str, Any]) -> None:
    receiver.answer(
        429, '{"ok": false, "description": "Too Many Requests", "parameters": {"retry_after": 33}}'
    )
    receiver.answer(
        400, '{"ok": false, "description": "group upgraded", "parameters": {"migrate_to_chat_id": -9}}'
    )
    config = {"token": TOKEN, "chat": 1, "base_url": receiver.base}
    with pytest.raises(StepError, match="Too Many Requests") as busy:
        telegram.send(config, TITLE, BODY, about)
    assert busy.value.retry_after == 33
    with pytest.raises(StepError, match="group upgraded") as moved:
        telegram.send(config, TITLE, BODY, about)
    assert moved.value.hint is not None
    assert "-9" in moved.value.hint

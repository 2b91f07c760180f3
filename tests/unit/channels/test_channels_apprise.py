"""Apprise: its yes or no, and the reason from its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rota.channels import apprise
from rota.channels._text import masked
from rota.model.errors import StepError

if TYPE_CHECKING:
    from tests.unit.channels.conftest import Receiver


def url_of(receiver: Receiver, rest: str) -> str:
    return receiver.base.replace("http://", "json://ann:hunter2@") + rest


def test_a_message_reaches_a_service_by_its_url(receiver: Receiver, about: dict[str, Any]) -> None:
    body = "# Plan\n*a* <b> & 😀\\n"
    assert apprise.send({"url": url_of(receiver, "/in")}, "Titel ü", body, about) == {"service": "JSON"}
    call = receiver.calls[0]
    assert call.path == "/in"
    assert (call.body["title"], call.body["message"]) == ("Titel ü", body)


@pytest.mark.parametrize(("status", "permanent"), [(404, True), (401, True), (429, False), (500, False)])
def test_the_status_in_its_log_decides(
    receiver: Receiver, about: dict[str, Any], status: int, permanent: bool
) -> None:
    receiver.answer(status)
    with pytest.raises(StepError, match=str(status)) as failure:
        apprise.send({"url": url_of(receiver, "/secret-part")}, "t", "b", about)
    assert failure.value.permanent is permanent
    assert "secret-part" not in str(failure.value)
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    "url", ["nosuchthing://secret-part", "discord://secret-part", "secret-part", "mailto://secret-part:"]
)
def test_a_url_that_is_none_is_permanent(
    url: str, about: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StepError, match="Apprise") as failure:
        apprise.send({"url": url}, "t", "b", about)
    assert failure.value.permanent
    assert failure.value.hint
    assert "secret-part" not in str(failure.value) + "".join(capfd.readouterr())


def test_a_service_that_is_not_there_may_be_tried_again(
    closed_port: int, about: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StepError, match=r"[Cc]onnection error") as failure:
        apprise.send({"url": f"json://ann:hunter2@127.0.0.1:{closed_port}/secret-part"}, "t", "b", about)
    assert not failure.value.permanent
    assert "127.0.0.1" in str(failure.value)
    heard = str(failure.value) + "".join(capfd.readouterr())
    assert "secret-part" not in heard
    assert "hunter2" not in heard


def test_a_service_that_hangs_is_given_up(receiver: Receiver, about: dict[str, Any]) -> None:
    receiver.hang = True
    with pytest.raises(StepError) as failure:
        apprise.send({"url": url_of(receiver, "/"), "timeout": 0.5}, "t", "b", about)
    assert not failure.value.permanent


def test_a_text_beyond_the_services_length_comes_in_a_few_parts(
    receiver: Receiver, about: dict[str, Any]
) -> None:
    apprise.send({"url": url_of(receiver, "/")}, "t", "word " * 50_000, about)
    texts = [call.body["message"] for call in receiver.calls]
    assert 2 <= len(texts) <= 5
    assert all(len(text) <= 32_768 for text in texts)
    assert "…" in texts[-1]


@pytest.mark.parametrize(
    "url",
    ["discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "tgram://123456789:abcdefg_hijklmnop/12315544/"],
)
def test_tokens_that_stand_where_a_host_would_are_hidden_too(url: str) -> None:
    from apprise import Apprise

    rest = url.partition("://")[2]
    said = masked(
        f"could not post to {rest} nor {rest.replace('/', ' ')}",
        apprise._secrets(url, Apprise.instantiate(url)),
    )
    assert said.startswith("could not post to ")
    assert not [part for part in rest.strip("/").split("/") if part in said]

"""What holds for every channel."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ValidationError

from rota.channels._params import ChannelParams, filled
from rota.channels.registry import CHANNELS, load_entry_points
from rota.model.errors import StepError

WORKING: dict[str, dict[str, Any]] = {
    "desktop": {"urgency": "low"},
    "slack": {"webhook": "${SLACK_WEBHOOK_URL}"},
    "telegram": {"token": "${TELEGRAM_TOKEN}", "chat": "${CHAT}", "silent": "${SILENT}"},
    "email": {"host": "${HOST}", "port": "${PORT}", "tls": "${TLS}", "from": "a@b.org", "to": ["c@d.org"]},
    "webhook": {"url": "${URL}", "headers": {"Authorization": "Bearer ${TOKEN}"}, "timeout": "${TIMEOUT}"},
    "command": {"command": ["./tell"], "env": {"TOKEN": "${TOKEN}"}},
    "apprise": {"url": "ntfy://${TOPIC}"},
}


def test_the_kinds_are_those_that_are_documented() -> None:
    assert sorted(CHANNELS) == sorted(WORKING)


@pytest.mark.parametrize("key", CHANNELS)
def test_a_channel_is_called_as_the_contract_says(key: str) -> None:
    kind = CHANNELS[key]
    assert kind.key == key
    module, _, name = kind.target.partition(":")
    send = getattr(importlib.import_module(module), name)
    assert list(inspect.signature(send).parameters) == ["config", "title", "body", "about"]
    assert not inspect.iscoroutinefunction(send)


@pytest.mark.parametrize("key", CHANNELS)
def test_every_key_of_a_channel_is_described_and_no_other_taken(key: str) -> None:
    params = CHANNELS[key].params
    described = params.model_json_schema()["properties"]
    assert all(field.get("description") for field in described.values()), described
    with pytest.raises(ValidationError, match="Extra inputs"):
        params.model_validate({**WORKING[key], "colour": "red"})


@pytest.mark.parametrize("key", CHANNELS)
def test_secrets_are_no_obstacle_before_they_are_filled_in(key: str) -> None:
    CHANNELS[key].params.model_validate(WORKING[key])


def test_the_registry_loads_no_library_that_only_a_delivery_needs() -> None:
    heavy = ["apprise", "httpx", "smtplib", "requests"]
    code = f"import sys, rota.channels.registry; print([m for m in {heavy} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


class _Timed(ChannelParams):
    timeout: float = 1.0
    secret: str = ""


def test_filled_keys_are_checked_without_showing_them() -> None:
    with pytest.raises(StepError, match="`timeout`") as failure:
        filled(_Timed, {"timeout": "hunter2", "secret": ["hunter3"]}, "timed")
    assert failure.value.permanent
    assert "`secret`" in str(failure.value)
    assert "hunter" not in str(failure.value)
    assert failure.value.hint


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), (2.5, 2.5), ("20", 20.0), ("500ms", 0.5)])
def test_a_timeout_is_a_number_of_seconds_or_a_length_of_time(text: Any, seconds: float) -> None:
    params = CHANNELS["webhook"].params.model_validate({"url": "http://x", "timeout": text})
    assert getattr(params, "timeout") == seconds  # noqa: B009 - a BaseModel has no such attribute for mypy


@pytest.mark.parametrize("text", ["0s", "soon", "2m", -1])
def test_a_timeout_that_the_outbox_would_not_wait_for_is_refused(text: Any) -> None:
    with pytest.raises(ValidationError, match="timeout"):
        CHANNELS["webhook"].params.model_validate({"url": "http://x", "timeout": text})


class Pager:
    """A channel of another package."""

    key: ClassVar[str] = "pager"
    params: ClassVar[type[BaseModel]] = ChannelParams
    target: ClassVar[str] = "pager:send"


class _Entry:
    def __init__(self, name: str, loaded: object) -> None:
        self.name, self.value, self._loaded = name, f"{name}:Channel", loaded

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def test_channels_of_other_packages_are_found_and_broken_ones_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Thief(Pager):
        key: ClassVar[str] = "slack"

    entries = [
        _Entry("broken", ImportError("no module named fax")),
        _Entry("pager", Pager),
        _Entry("thief", Thief),
    ]
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: entries if group == "rota.channels" else []
    )
    kinds, problems = load_entry_points()
    assert {key: kind.target for key, kind in kinds.items()} == {"pager": "pager:send"}
    assert [any(name in problem for problem in problems) for name in ("broken", "thief", "pager")] == [
        True,
        True,
        False,
    ]
    assert any("no module named fax" in problem for problem in problems)

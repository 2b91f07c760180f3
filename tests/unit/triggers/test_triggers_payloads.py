"""What bodies say."""

from __future__ import annotations

from typing import Any

import pytest

from rota.ports.payloads import FORM, BadBodyError, payload_of
from rota.triggers.masks import masked


@pytest.mark.parametrize(
    ("kind", "body", "payload"),
    [
        ("application/json", b'{"a": [1]}', {"a": [1]}),
        ("application/vnd.github+json; charset=utf-8", b"3", 3),
        ("application/json", b" ", None),
        (FORM, b"a=1&b=x%20y&b=2&c=", {"a": "1", "b": ["x y", "2"], "c": ""}),
        (FORM, b"payload=%7B%22a%22%3A1%7D", {"a": 1}),
        (FORM, b'{"a": 1}', {"a": 1}),
        ("", b'{"a": 1}', {"a": 1}),
        ("", b"{no", "{no"),
        ("text/plain", b"hello", "hello"),
        ("image/png", b"\x89PNG", "\ufffdPNG"),
        ("application/json", rb'{"a": "\ud800"}', {"a": "?"}),
    ],
)
def test_a_body_is_what_its_type_says(kind: str, body: bytes, payload: Any) -> None:
    assert payload_of(kind, body) == payload


@pytest.mark.parametrize(
    "body", [b"{", b"NaN", b"[" * 101 + b"]" * 101, b"[" * 1_000_000, b"1" * 5000, b"\xff"]
)
def test_json_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadBodyError):
        payload_of("application/json", body)


def test_secrets_are_masked() -> None:
    pairs = {
        "authorization": "a", "cookie": "b", "x-gitlab-token": "c", "x-api-key": "d", "x-own": "e",
        "idempotency-key": "f", "x-hub-signature-256": "g",
    }  # fmt: skip
    shown = masked(pairs, also="x-own")
    assert {name for name, value in shown.items() if value == "***"} == {
        "authorization", "cookie", "x-gitlab-token", "x-api-key", "x-own"
    }  # fmt: skip

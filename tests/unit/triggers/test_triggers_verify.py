"""Signatures, by the providers' published examples and their own libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from rota.triggers.requests import Refused, Request
from rota.triggers.sign import signed
from rota.triggers.verify import delivery_id, rule_of, verify

NOW = 1_800_000_000.0
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# Of the documentation of each provider: options, secret, body, headers, the moment.
PUBLISHED: dict[str, tuple[dict[str, Any], str, bytes, dict[str, str], float]] = {
    "github": (
        {"verify": "github"},
        "It's a Secret to Everybody",
        b"Hello, World!",
        {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        NOW,
    ),
    "slack": (
        {"verify": "slack"},
        "8f742231b10e8888abcd99yyyzzz85a5",
        (
            b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
            b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
            b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
            b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
        ),
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        1_531_420_620.0,
    ),
    "standard": (
        {"verify": "standard"},
        WHSEC,
        b'{"test": 2432232314}',
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        1_614_265_331.0,
    ),
}
SCHEMES = {
    "github": "s",
    "slack": "s",
    "stripe": "whsec_s",
    "standard": WHSEC,
    "notion": "secret_s",
    "linear": "lin_wh_s",
    "shopify": "shpss_s",
    "gitlab": WHSEC,
    "hmac": "hex:00ff",
}


def options(scheme: str) -> dict[str, Any]:
    generic = {"header": "x-sig", "algorithm": "sha512", "encoding": "base64", "timestamp_header": "x-at"}
    return {"verify": scheme, **(generic if scheme == "hmac" else {})}


def request(body: bytes, headers: Mapping[str, str], now: float = NOW) -> Request:
    lower = {name.lower(): value for name, value in headers.items()}
    return Request({"content-type": "application/json", **lower}, {}, body, now)


def why_not(scheme: Mapping[str, Any], secrets: list[str], sent: Request) -> str:
    with pytest.raises(Refused) as refused:
        verify(rule_of(scheme), secrets, sent)
    return refused.value.why


@pytest.mark.parametrize("provider", PUBLISHED)
def test_published_examples(provider: str) -> None:
    scheme, secret, body, headers, now = PUBLISHED[provider]
    verify(rule_of(scheme), [secret], request(body, headers, now))
    assert why_not(scheme, [secret], request(body + b"!", headers, now)) == "the signature is wrong"
    assert why_not(scheme, ["other"], request(body, headers, now)) == "the signature is wrong"
    if provider != "github":
        assert "s old" in why_not(scheme, [secret], request(body, headers, now + 301))
        assert "s ahead" in why_not(scheme, [secret], request(body, headers, now - 310))


def test_what_the_libraries_of_the_providers_sign_is_taken() -> None:
    body, stamp = b'{"id": "evt_1"}', str(int(NOW))
    slack = SignatureVerifier("sekrit").generate_signature(timestamp=stamp, body=body)
    assert slack is not None
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": slack}
    verify(rule_of({"verify": "slack"}), ["sekrit"], request(body, headers))
    ours = stripe.WebhookSignature._compute_signature(f"{stamp}.{body.decode()}", "whsec_1")
    headers = {"Stripe-Signature": f"t={stamp},v1={'0' * 64},v1={ours},v0=x"}
    verify(rule_of({"verify": "stripe"}), ["whsec_1"], request(body, headers))
    standard = Webhook(WHSEC).sign("msg_1", datetime.fromtimestamp(NOW, UTC), body.decode())
    headers = {"svix-id": "msg_1", "svix-timestamp": stamp, "svix-signature": f"v1,AAAA {standard}"}
    verify(rule_of({"verify": "standard"}), [WHSEC], request(body, headers))


def test_what_we_sign_the_libraries_of_the_providers_take() -> None:
    now = datetime.now(UTC).timestamp()
    headers, body = signed({"verify": "stripe"}, "whsec_1", b'{"type": "ping"}', now)
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_1")
    assert event["type"] == "ping"
    headers, body = signed({"verify": "slack"}, "sekrit", b"{}", now)
    assert SignatureVerifier("sekrit").is_valid_request(body, headers)
    headers, body = signed({"verify": "standard"}, WHSEC, b'{"a": 1}', now)
    assert Webhook(WHSEC).verify(body, headers) == {"a": 1}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_genuine_tampered_unsigned(scheme: str) -> None:
    secret, given = SCHEMES[scheme], options(scheme)
    headers, body = signed(given, secret, b'{"a": 1}', NOW)
    verify(rule_of(given), ["another", secret], request(body, headers))
    assert why_not(given, [secret], request(body.replace(b"1", b"2", 1), headers)) == "the signature is wrong"
    assert "is missing" in why_not(given, [secret], request(body, {}))
    for name in headers:
        spoilt = {**headers, name: headers[name][:-2] + "zz"}
        if "signature" in name.lower() or "hmac" in name.lower() or name == "x-sig":
            assert why_not(given, [secret], request(body, spoilt))


@pytest.mark.parametrize("scheme", ["slack", "stripe", "standard", "linear", "hmac"])
def test_stale_timestamps_are_refused(scheme: str) -> None:
    secret, given = SCHEMES[scheme], options(scheme)
    headers, body = signed(given, secret, b"{}", NOW)
    assert "s old" in why_not(given, [secret], request(body, headers, NOW + 301))
    verify(rule_of({**given, "tolerance": 400.0}), [secret], request(body, headers, NOW + 301))


def test_tokens() -> None:
    for scheme, header in (
        ("bearer", "Bearer s3"),
        ("basic", "Basic czM="),
        ("krisp", "s3"),
        ("krisp", "Bearer s3"),
    ):
        verify(rule_of({"verify": scheme}), ["s3"], request(b"", {"authorization": header}))
        assert why_not({"verify": scheme}, ["s4"], request(b"", {"authorization": header}))
        assert why_not({"verify": scheme}, ["s3"], request(b"", {}))
    verify(rule_of({"verify": "gitlab"}), ["s3"], request(b"", {"x-gitlab-token": "s3"}))
    assert why_not({"verify": "gitlab"}, ["s3"], request(b"", {"x-gitlab-token": "s3 "[:1]}))
    verify(rule_of({"verify": "none"}), [], request(b"", {}))


def test_a_secret_that_is_not_there_opens_nothing() -> None:
    for scheme in ("github", "bearer", "basic", "stripe", "standard"):
        assert why_not({"verify": scheme}, [], request(b"", {})) == "the hook has no secret"
        assert why_not({"verify": scheme}, [""], request(b"", {"authorization": "Bearer "}))


def test_whose_id_it_is() -> None:
    sent = request(b'{"id": "evt_1", "event_id": "Ev1"}', {"X-GitHub-Delivery": "g", "webhook-id": "w"})
    found = {s: delivery_id(rule_of({"verify": s}), sent) for s in ("github", "stripe", "slack", "standard")}
    assert found == {"github": "g", "stripe": "evt_1", "slack": "Ev1", "standard": "w"}
    assert delivery_id(rule_of({"verify": "bearer", "id_header": "x-own"}), sent) is None


@pytest.mark.parametrize("body", [b"[" * 200_000, b"{" * 200_000, json.dumps({"a": 1}).encode()])
def test_no_body_breaks_the_look_for_an_id(body: bytes) -> None:
    assert delivery_id(rule_of({"verify": "stripe"}), request(body, {})) is None

"""Whether a request proves where it comes from. Every comparison takes the same time, right or wrong."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rota.triggers.requests import Refused, Request

FIVE_MINUTES = 300.0


@dataclass(frozen=True)
class Rule:
    """How the requests of a hook prove themselves. Names of headers are lower-case.

    `signed`: what is signed, of `{timestamp}` and `{body}`. `tolerance`: seconds that a signed timestamp may be
    off. `id_headers`, `id_field`: where the sender's own id of a delivery stands.
    """

    scheme: str
    header: str = ""
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    timestamp_header: str = ""
    timestamp_field: str = ""
    signed: str = "{body}"
    tolerance: float = FIVE_MINUTES
    id_headers: tuple[str, ...] = ("idempotency-key", "webhook-id", "svix-id")
    id_field: str = ""

    @property
    def is_dated(self) -> bool:
        """Whether what is signed has a time in it, so that it cannot come again later."""
        return bool(self.timestamp_header or self.timestamp_field) or self.scheme in {"stripe", "standard"}

    @property
    def is_signed(self) -> bool:
        """Whether the content is proven; else whoever sends it knows the secret itself."""
        return self.scheme in {"hmac", "stripe", "standard"}


# What each provider does, by its own documentation.
PRESETS: Mapping[str, Rule] = {
    "github": Rule("hmac", header="x-hub-signature-256", prefix="sha256=", id_headers=("x-github-delivery",)),
    "slack": Rule(
        "hmac",
        header="x-slack-signature",
        prefix="v0=",
        timestamp_header="x-slack-request-timestamp",
        signed="v0:{timestamp}:{body}",
        id_headers=(),
        id_field="event_id",
    ),
    "notion": Rule("hmac", header="x-notion-signature", prefix="sha256=", id_headers=(), id_field="id"),
    # Milliseconds, in the body; Linear's own advice is to refuse what is older than a minute.
    "linear": Rule(
        "hmac",
        header="linear-signature",
        timestamp_field="webhookTimestamp",
        tolerance=60.0,
        id_headers=("linear-delivery",),
    ),
    "shopify": Rule(
        "hmac",
        header="x-shopify-hmac-sha256",
        encoding="base64",
        id_headers=("x-shopify-webhook-id", "shopify-webhook-id"),
    ),
    "stripe": Rule("stripe", header="stripe-signature", id_headers=(), id_field="id"),
    "standard": Rule("standard", header="webhook-signature", id_headers=("webhook-id", "svix-id")),
    # A secret in a header; with a signing token (`whsec_...`), Standard Webhooks.
    "gitlab": Rule("gitlab", header="x-gitlab-token", id_headers=("webhook-id", "idempotency-key")),
    # The value that was given to Krisp for the header; it is sent as it is.
    "krisp": Rule("token", header="authorization", id_field="id"),
    "bearer": Rule("bearer", header="authorization"),
    "basic": Rule("basic", header="authorization"),
    "none": Rule("none"),
}


def rule_of(options: Mapping[str, Any]) -> Rule:
    """The rule of a webhook trigger's options (spec.webhooks)."""
    scheme = str(options.get("verify", "bearer"))
    rule = PRESETS.get(scheme) or Rule("hmac")
    changes = {
        key: options[key]
        for key in ("header", "algorithm", "encoding", "prefix", "timestamp_header", "signed", "tolerance")
        if key in options
    }
    if scheme == "hmac" and "timestamp_header" in options and "signed" not in options:
        changes["signed"] = "{timestamp}.{body}"
    if "id_header" in options:
        changes |= {"id_headers": (options["id_header"],), "id_field": ""}
    return replace(rule, **changes)


def verify(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    """What the request proves: the bytes that its digest is made of. Raises Refused.

    `secrets`: any of them will do, so that one can be changed for another.
    """
    if rule.scheme == "none":
        return request.body
    if not secrets or not all(secrets):
        raise Refused("the hook has no secret", forbidden=True)
    return _SCHEMES[rule.scheme](rule, secrets, request)


def delivery_id(rule: Rule, request: Request) -> str | None:
    """The sender's own id of the delivery."""
    for name in rule.id_headers:
        if value := request.headers.get(name, "").strip():
            return value[:200]
    return (request.field(rule.id_field) or "")[:200] or None if rule.id_field else None


def key_of(secret: str) -> bytes:
    """The bytes of a secret: a text, or `hex:` or `base64:` and then some. Raises Refused."""
    try:
        if secret.startswith("hex:"):
            return bytes.fromhex(secret[4:])
        if secret.startswith("base64:"):
            return base64.b64decode(secret[7:], validate=True)
    except (ValueError, binascii.Error):
        raise Refused("the hook's secret is not what its prefix says", forbidden=True) from None
    return secret.encode()


def standard_key(secret: str) -> bytes:
    """The key of Standard Webhooks: base64 after `whsec_`."""
    if secret.startswith(("hex:", "base64:")):
        return key_of(secret)
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        return secret.encode()


def _hmac(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    given = _header(rule.header, request)
    if not given.startswith(rule.prefix):
        raise Refused(f"the header {rule.header} does not begin with {rule.prefix!r}")
    stamp = ""
    if rule.timestamp_header:
        stamp = _header(rule.timestamp_header, request)
        _fresh(stamp, rule.tolerance, request.now)
    content = _content(rule.signed, stamp, request.body)
    wanted = given.removeprefix(rule.prefix)
    if not _any_equal(
        wanted, (signature(key_of(s), content, rule.algorithm, rule.encoding) for s in secrets)
    ):
        raise Refused("the signature is wrong")
    if rule.timestamp_field:
        _fresh(request.field(rule.timestamp_field) or "", rule.tolerance, request.now, unit=0.001)
    return content


def _stripe(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    """`t=...,v1=...,v1=...`: the signature is of `t.body`; there are several while a secret is changed."""
    parts = [part.strip().partition("=") for part in _header(rule.header, request).split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    given = [value for name, _, value in parts if name == "v1"]
    if not given:
        raise Refused("the header stripe-signature has no v1")
    content = _content("{timestamp}.{body}", stamp, request.body)
    expected = [signature(key_of(secret), content) for secret in secrets]
    if True not in [_any_equal(one, expected) for one in given[:20]]:
        raise Refused("the signature is wrong")
    _fresh(stamp, rule.tolerance, request.now)
    return content


def _standard(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    """Standard Webhooks, also under Svix's older names: `v1,...` of `id.timestamp.body`, several by spaces."""
    kind = "svix" if "svix-signature" in request.headers else "webhook"
    identity = _header(f"{kind}-id", request)
    stamp = _header(f"{kind}-timestamp", request)
    signatures = _header(f"{kind}-signature", request)
    given = [part.removeprefix("v1,") for part in signatures.split() if part.startswith("v1,")]
    _fresh(stamp, rule.tolerance, request.now)
    content = f"{identity}.{stamp}.".encode("utf-8", "surrogatepass") + request.body
    expected = [signature(standard_key(s), content, encoding="base64") for s in secrets]
    if True not in [_any_equal(one, expected) for one in given[:20]]:
        raise Refused("the signature is wrong")
    return content


def _gitlab(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    if "webhook-signature" in request.headers and any(s.startswith("whsec_") for s in secrets):
        return _standard(rule, [s for s in secrets if s.startswith("whsec_")], request)
    return _token(rule, secrets, request)


def _token(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    """The secret itself in a header; `Bearer` before it makes no difference."""
    given = _header(rule.header, request)
    forms = (given, given.removeprefix("Bearer ").strip())
    if True not in [_any_equal(form, (key_of(s) for s in secrets)) for form in forms]:
        raise Refused("the token is wrong")
    return request.body


def _bearer(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    kind, _, token = _header(rule.header, request).partition(" ")
    if kind.lower() != "bearer":
        raise Refused("the header authorization is not of the kind Bearer")
    if not _any_equal(token.strip(), (key_of(secret) for secret in secrets)):
        raise Refused("the token is wrong")
    return request.body


def _basic(rule: Rule, secrets: Sequence[str], request: Request) -> bytes:
    kind, _, coded = _header(rule.header, request).partition(" ")
    try:
        given = base64.b64decode(coded.strip(), validate=True) if kind.lower() == "basic" else b""
    except (ValueError, binascii.Error):
        given = b""
    if not given:
        raise Refused("the header authorization is not of the kind Basic")
    if not _any_equal(given, (key_of(secret) for secret in secrets)):
        raise Refused("user or password is wrong")
    return request.body


_SCHEMES: Mapping[str, Callable[[Rule, Sequence[str], Request], bytes]] = {
    "hmac": _hmac,
    "stripe": _stripe,
    "standard": _standard,
    "gitlab": _gitlab,
    "token": _token,
    "bearer": _bearer,
    "basic": _basic,
}


def signature(key: bytes, content: bytes, algorithm: str = "sha256", encoding: str = "hex") -> str:
    """The HMAC as text."""
    made = hmac.new(key, content, getattr(hashlib, algorithm))
    return made.hexdigest() if encoding == "hex" else base64.b64encode(made.digest()).decode()


def _content(signed: str, stamp: str, body: bytes) -> bytes:
    before, _, after = signed.replace("{timestamp}", stamp).partition("{body}")
    return before.encode() + body + after.encode()


def _header(name: str, request: Request) -> str:
    # Shopify, for one, sends the same header with and without it.
    value = (request.headers.get(name) or request.headers.get(name.removeprefix("x-"), "")).strip()
    if not value:
        raise Refused(f"the header {name} is missing")
    return value


def _fresh(stamp: str, tolerance: float, now: float, *, unit: float = 1.0) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 20):
        raise Refused("the timestamp is missing or no number")
    off = int(stamp) * unit - now
    if abs(off) > tolerance:
        raise Refused(f"the timestamp is {abs(off):.0f} s {'ahead' if off > 0 else 'old'}")


def _any_equal(given: str | bytes, wanted: Any) -> bool:
    """Whether it is one of them; all are looked at, and each for as long, so that time tells nothing."""
    own = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    found = False
    for one in wanted:
        found |= hmac.compare_digest(own, one.encode() if isinstance(one, str) else one)
    return found

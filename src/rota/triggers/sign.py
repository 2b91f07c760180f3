"""Requests that prove themselves: what a provider would send, for `rota hook test`."""

from __future__ import annotations

import base64
import json
import secrets as random
from collections.abc import Mapping
from typing import Any

from rota.triggers.verify import key_of, rule_of, signature, standard_key


def signed(options: Mapping[str, Any], secret: str, body: bytes, now: float) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request to a hook with these options (spec.webhooks), as its sender would make them."""
    scheme, rule = str(options.get("verify", "bearer")), rule_of(options)
    stamp, identity = str(int(now)), f"test-{random.token_hex(8)}"
    if rule.is_signed and not rule.is_dated and body.strip()[:1] in {b"{", b"["}:
        body += _blanks()  # the same content is the same delivery, whatever its id
    if rule.id_field or rule.timestamp_field:
        body = _with_fields(body, rule.id_field, identity, rule.timestamp_field, int(now * 1000))
    headers = {name.title(): identity for name in rule.id_headers[:1]}
    if scheme == "github":
        headers["X-GitHub-Event"] = "push"
    if rule.scheme == "hmac":
        content = (
            rule.signed.replace("{timestamp}", stamp).encode().replace(b"{body}", body)
            if rule.signed != "{body}"
            else body
        )
        made = signature(key_of(secret), content, rule.algorithm, rule.encoding)
        headers[rule.header] = rule.prefix + made
        if rule.timestamp_header:
            headers[rule.timestamp_header] = stamp
    elif rule.scheme == "stripe":
        made = signature(key_of(secret), f"{stamp}.".encode() + body)
        headers["Stripe-Signature"] = f"t={stamp},v1={made}"
    elif rule.scheme == "standard" or (rule.scheme == "gitlab" and secret.startswith("whsec_")):
        content = f"{identity}.{stamp}.".encode() + body
        made = signature(standard_key(secret), content, encoding="base64")
        headers = {"webhook-id": identity, "webhook-timestamp": stamp, "webhook-signature": f"v1,{made}"}
    elif rule.scheme in {"token", "gitlab"}:
        headers[rule.header] = key_of(secret).decode("latin-1")
    elif rule.scheme == "bearer":
        headers["Authorization"] = f"Bearer {key_of(secret).decode('latin-1')}"
    elif rule.scheme == "basic":
        headers["Authorization"] = f"Basic {base64.b64encode(key_of(secret)).decode()}"
    return headers, body


def _blanks() -> bytes:
    """A tail that says nothing in JSON, and is another each time."""
    return bytes(b" \n\t\r"[byte & 3] for byte in random.token_bytes(20))


def _with_fields(body: bytes, id_field: str, identity: str, time_field: str, now: int) -> bytes:
    """The body with the sender's id and time in it, where it is an object that has none."""
    try:
        payload = json.loads(body or b"{}")
    except ValueError:
        return body
    if not isinstance(payload, dict):
        return body
    added = {id_field: identity} if id_field else {}
    payload = {**added, **payload} | ({time_field: now} if time_field else {})
    return json.dumps(payload, ensure_ascii=False).encode()

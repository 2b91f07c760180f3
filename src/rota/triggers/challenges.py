"""What providers ask of a URL before they send anything: answered without a run."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence

from rota.ports.payloads import BadBodyError
from rota.triggers.requests import Request
from rota.triggers.verify import key_of

# What is given back goes into no page and no header, and is short.
_ECHO = re.compile(r"[\w\-.:=+/ ]{1,512}", re.ASCII)
_NOTION = re.compile(r"[\w\-]{16,200}", re.ASCII)


def asked_by_get(query: Mapping[str, str], secrets: Sequence[str]) -> str | None:
    """The answer to a GET: WebSub's and Meta's `hub.challenge`, for whoever knows the secret; Dropbox's `challenge`."""
    if query.get("hub.mode") == "subscribe":
        token = query.get("hub.verify_token", "").encode()
        knows = [hmac.compare_digest(token, key_of(secret)) for secret in secrets]
        return _echo(query.get("hub.challenge")) if any(knows) else None
    return _echo(query.get("challenge"))


def asked_by_query(query: Mapping[str, str]) -> str | None:
    """The answer to a POST of Microsoft Graph, which carries nothing but a `validationToken`."""
    return _echo(query.get("validationToken"))


def asked_by_body(request: Request) -> str | None:
    """The answer to Slack's `url_verification`, and of those that do as Slack does; for a request that is verified."""
    return _echo(request.field("challenge")) if request.field("type") == "url_verification" else None


def is_ping(request: Request) -> bool:
    """GitHub's first word to a new hook."""
    return request.headers.get("x-github-event") == "ping"


def notion_token(request: Request) -> str | None:
    """The token that Notion sends, unsigned, to a new subscription's URL; a person puts it into Notion again."""
    try:
        payload = request.payload
    except BadBodyError:
        return None
    token = payload.get("verification_token") if isinstance(payload, Mapping) and len(payload) <= 2 else None
    return token if isinstance(token, str) and _NOTION.fullmatch(token) else None


def _echo(text: str | None) -> str | None:
    return text if text and _ECHO.fullmatch(text) else None

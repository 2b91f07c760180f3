"""Requests to the real door, as a provider sends them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.support.rota import WITHIN, Rota, eventually

from rota.app.hooks import token_name


@dataclass(frozen=True)
class Reply:
    """What the door said."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def run(self) -> str | None:
        """The run that the request started."""
        run: str | None = self.json["run"]
        return run


def url_of(rota: Rota) -> str:
    """Where the running daemon's door is."""

    def look() -> str | None:
        web = rota.quick("status", "--json").json["web"]
        return None if web is None else web["url"]

    return str(eventually(look, "the door is open"))


@dataclass
class Sender:
    """One client. `url`: of the door."""

    url: str

    def send(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A request on a connection of its own."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=WITHIN)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, text)
        finally:
            connection.close()

    def post(self, hook: str, body: bytes | str = b"{}", headers: Mapping[str, str] | None = None) -> Reply:
        """A delivery."""
        return self.send(
            "POST", f"/hooks/{hook}", body, {"Content-Type": "application/json", **(headers or {})}
        )


def token_of(rota: Rota, hook: str) -> str:
    """The token that rota made for a hook."""
    secrets = json.loads(rota.read(".rota/secrets.json"))
    return str(secrets[token_name(hook)])


def bearer(rota: Rota, hook: str) -> dict[str, str]:
    """The header that opens a hook without a secret of its own."""
    return {"Authorization": f"Bearer {token_of(rota, hook)}"}


def hook(rota: Rota, name: str, text: str) -> None:
    """A hook file."""
    rota.write(f".rota/hooks/{name}.yaml", text)


def finished(rota: Rota, run_id: str | None) -> str:
    """The state in which a run ended."""
    assert run_id is not None

    def look() -> str | None:
        state = rota.quick("logs", run_id, "--json").json["state"]
        return state if state in {"succeeded", "failed", "cancelled"} else None

    return str(eventually(look, f"run {run_id} ends"))

"""A request to a hook, as the door hands it on, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rota.ports.payloads import BadBodyError, payload_of


@dataclass(frozen=True)
class Request:
    """`headers`: by lower-case name. `now`: seconds. `body`: the bytes as they came, which is what was signed."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    now: float
    client: str = ""

    @cached_property
    def payload(self) -> Any:
        """What the body says (ports.payloads). Raises BadBodyError."""
        return payload_of(self.headers.get("content-type", ""), self.body)

    def field(self, name: str) -> str | None:
        """A text (or number) at the top of the payload, by name."""
        try:
            payload = self.payload
        except BadBodyError:
            return None
        value = payload.get(name) if isinstance(payload, Mapping) else None
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


class Refused(Exception):  # noqa: N818 # an answer, and no defect
    """The request proves nothing. `why`: for the log, never for the sender; `forbidden`: 403 rather than 401."""

    def __init__(self, why: str, *, forbidden: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.forbidden = forbidden

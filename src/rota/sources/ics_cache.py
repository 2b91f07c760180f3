"""What addresses answered last, so that a calendar which has not changed is not sent again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rota.model.errors import StepError
from rota.ports.files import write_atomic

_CONDITIONS = {"etag": "if-none-match", "last-modified": "if-modified-since"}


class AnswerCache:
    """A file for each address in `folder`, by a digest of it: the addresses of private calendars are secrets.

    None of it is needed: what cannot be read or written is asked for anew.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, url: str) -> tuple[dict[str, str], bytes] | None:
        """The headers that ask whether it has changed, and the body that stands where it has not."""
        path = self._path(url)
        if path is None:
            return None
        with suppress(OSError, ValueError, AttributeError):
            head, separator, body = path.read_bytes().partition(b"\n")
            kept = json.loads(head)
            headers = {ask: str(kept[name]) for name, ask in _CONDITIONS.items() if kept.get(name)}
            if separator and headers and kept.get("sha256") == _digest(body):
                return headers, body
        return None

    def put(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep an answer that can be asked about."""
        path = self._path(url)
        known = {name: headers[name] for name in _CONDITIONS if headers.get(name)}
        if path is None or not known:
            return
        head = json.dumps({**known, "sha256": _digest(body)}).encode()
        with suppress(StepError, OSError):
            write_atomic(path, head + b"\n" + body)

    def _path(self, url: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{_digest(url.encode())[:32]}.ics"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

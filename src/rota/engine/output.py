"""What a step prints: kept within a cap, with secrets masked, and readable as text whatever the bytes are."""

from __future__ import annotations

import base64
import codecs
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

_MASK = b"***"
_SHORTEST = 4  # shorter values are parts of ordinary words
_SHORTEST_LINE = 12
_RING = 256_000
_CONTINUATION = bytes(range(0x80, 0xC0))
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_BEGUN = re.compile(rb"\x1b(?:\[[0-9;?]*[ -/]*|\][^\x07\x1b]*)?$")
_LONGEST_ESCAPE = 256
_LINE_ENDS = re.compile(r"\r+\n?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Masker:
    """Puts *** in the place of secrets: as they are, in base64, in URLs, in JSON; each line of long ones.

    `secrets`: values by name; those of fewer than 4 characters are left alone.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        forms = {form.encode("utf-8", "replace") for value in secrets.values() for form in _forms(value)}
        self.forms = sorted(forms, key=len, reverse=True)  # the longest first: one may begin another
        self._pattern = re.compile(b"|".join(map(re.escape, self.forms))) if forms else None

    def mask(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        return data if self._pattern is None else self._pattern.sub(_MASK, data)

    def mask_text(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is None:
            return text
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def stream(self) -> MaskedStream:
        """A mask for bytes that come in pieces."""
        return MaskedStream(self)

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """The part that is certain, masked, and the rest: where a secret may have begun, whatever comes next."""
        if self._pattern is None:
            return data, b""
        safe = self._first_beginning(data, 0)
        pieces, at = [], 0
        for match in self._pattern.finditer(data):
            if match.start() >= safe:
                break
            if match.end() > safe:
                safe = self._first_beginning(data, match.end())
            pieces += [data[at : match.start()], _MASK]
            at = match.end()
        return b"".join([*pieces, data[at:safe]]), data[safe:]

    def _first_beginning(self, data: bytes, start: int) -> int:
        """The first place from which the rest of `data` is the beginning of a secret."""
        first = len(data)
        for form in self.forms:
            at = data.find(form[:1], max(start, len(data) - len(form) + 1))
            while 0 <= at < first:
                if form.startswith(data[at:]):
                    first = at
                at = data.find(form[:1], at + 1)
        return first


def masked_value(value: Any, masker: Masker) -> Any:
    """Something JSON-able without secrets."""
    if isinstance(value, str):
        return masker.mask_text(value)
    if isinstance(value, Mapping):
        return {masker.mask_text(key): masked_value(item, masker) for key, item in value.items()}
    if isinstance(value, list):
        return [masked_value(item, masker) for item in value]
    return value


class MaskedStream:
    """One stream under a mask; a secret that is cut by the end of a piece is found all the same."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown by now; the beginning of what may be a secret is held back."""
        certain, self._held = self._masker.split(self._held + data)
        return certain

    def flush(self) -> bytes:
        """What was held back: nothing more comes."""
        held, self._held = self._held, b""
        return self._masker.mask(held)


def _forms(value: str) -> Iterator[str]:
    if len(value) < _SHORTEST:
        return
    lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE]
    for text in {value, *lines}:
        data = text.encode("utf-8", "replace")
        yield text
        yield from (quote(data, safe=""), quote_plus(data))
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        for whole in (data, data + b"\n"):  # `echo $SECRET | base64` has the newline in it
            yield base64.b64encode(whole).decode().rstrip("=")
            yield base64.urlsafe_b64encode(whole).decode().rstrip("=")


def readable(data: bytes) -> str:
    """Bytes as text for people and JSON: no colours, no control characters but newline and tab."""
    text = _LINE_ENDS.sub("\n", _ESCAPES.sub("", data.decode("utf-8", "replace")))
    return _CONTROLS.sub("\ufffd", text)


def settled(data: bytes) -> bytes:
    """The part of `data` that is final whatever comes next: without half a character or half an escape at its end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    data = data[: len(data) - len(decoder.getstate()[0])]
    begun = _BEGUN.search(data, max(0, len(data) - _LONGEST_ESCAPE))
    return data if begun is None else data[: begun.start()]


class OutputLog:
    """The log of one attempt: a file from its first byte on, at most about `cap` bytes long.

    Of more than that the head and the tail are kept; of `excerpt` bytes likewise in memory. A disk
    that takes no more does not end the step: `error` says what happened, the excerpt goes on.
    `total`: bytes that came (before masking).
    """

    def __init__(self, path: str, cap: int, excerpt: int, masker: Masker) -> None:
        self._path = path
        self.total = 0
        self.error: str | None = None
        self._masker = masker
        self._streams: dict[str, MaskedStream] = {}
        self._kept = 0
        ring = min(cap // 4, _RING)
        self._room = cap - ring
        self._tail = _Ring(ring)
        self._head_excerpt = bytearray()
        self._tail_excerpt = _Ring(excerpt - excerpt // 2)
        self._excerpt_room = excerpt // 2
        self._fd: int | None = None
        self._line_open = False
        self._closed = False

    @property
    def path(self) -> Path:
        """Its file; made when it is asked for: most logs stay empty."""
        return Path(self._path)

    @property
    def truncated(self) -> bool:
        """Whether something was left out of the file."""
        return self._tail.lost > 0 or self.error is not None

    def write(self, stream: str, data: bytes) -> None:
        """Append what a stream printed; rota's own lines (stream `rota`) are marked as such."""
        if self._closed or not data:
            return
        self.total += len(data)
        if stream == "rota":
            for line in self._masker.mask(data).splitlines():
                self._keep((b"\n" if self._line_open else b"") + b"[rota] " + line + b"\n")
            return
        if stream not in self._streams:
            self._streams[stream] = self._masker.stream()
        self._keep(self._streams[stream].feed(data))

    def close(self) -> None:
        """Write what was held back, and the tail."""
        if self._closed:
            return
        for stream in self._streams.values():
            self._keep(stream.flush())
        self._closed = True
        if self._tail.lost:
            self._to_disk(_left_out(self._tail.lost))
        self._to_disk(self._tail.content())
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def excerpt(self) -> str:
        """Head and tail as text; all of it, when it is short."""
        head, tail = bytes(self._head_excerpt), self._tail_excerpt.content()
        if self._tail_excerpt.lost:
            head += _left_out(self._tail_excerpt.lost)
        text = readable(head + tail)
        if self.error is not None:
            text += f"\n[rota] {self.error}\n"
        return text

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._line_open = not data.endswith(b"\n")
        room = max(0, self._excerpt_room - len(self._head_excerpt))
        self._head_excerpt += data[:room]
        self._tail_excerpt.append(data[room:])
        room = max(0, self._room - self._kept)
        self._kept += len(data[:room])
        self._to_disk(data[:room])
        self._tail.append(data[room:])

    def _to_disk(self, data: bytes) -> None:
        if not data or self.error is not None:
            return
        try:
            if self._fd is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o600)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self.error = f"the log could not be written to {self._path}: {error.strerror or error}"


def _left_out(count: int) -> bytes:
    return f"\n[... {count:,} bytes left out ...]\n".encode()


class _Ring:
    """The last `size` bytes of what is appended. `lost`: how many came before them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._data = bytearray()
        self._came = 0

    @property
    def lost(self) -> int:
        """Bytes that are not among the content."""
        return self._came - len(self.content()) if self._came > self._size else 0

    def append(self, data: bytes) -> None:
        """Add, and now and then forget what is too old, so that each byte is moved but once."""
        self._came += len(data)
        self._data += data[-self._size :] if self._size else b""
        if len(self._data) > 2 * self._size:
            del self._data[: -self._size]

    def content(self) -> bytes:
        """The last bytes; a character that was cut is left out with what was lost."""
        if self._came <= self._size:
            return bytes(self._data)
        return bytes(self._data[-self._size :] if self._size else b"").lstrip(_CONTINUATION)

"""What crosses the socket between the daemon and a helper that starts its commands: messages, and descriptors."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Of a command, in the order in which their pipes are handed over.
STREAMS = ("stdout", "stderr")
CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_LENGTH = 4
_encode = json.JSONEncoder(separators=(",", ":")).encode


def own(fds: Sequence[int]) -> None:
    """Let no child inherit descriptors that came over a socket."""
    if not CLOEXEC:
        for fd in fds:
            os.set_inheritable(fd, False)  # noqa: FBT003 # the signature of os


def frame(message: Mapping[str, Any]) -> bytes:
    """A message as it crosses the socket: its length, then JSON."""
    data = _encode(message).encode()
    return len(data).to_bytes(_LENGTH, "big") + data


class Frames:
    """Takes bytes as they come, gives messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that are whole by now."""
        self._data += data
        while len(self._data) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._data[:_LENGTH], "big")
            if len(self._data) < end:
                return
            message = json.loads(self._data[_LENGTH:end])
            del self._data[:end]
            yield message

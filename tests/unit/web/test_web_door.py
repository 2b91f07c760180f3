"""Where the door listens, and how its connections are."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

from rota.model.config import WebConfig
from rota.web.door import listen


def test_an_answer_in_two_writes_waits_for_no_acknowledgement(tmp_path: Path) -> None:
    own, url = listen(WebConfig(port=0), tmp_path)
    with own, closing(socket.create_connection(own.getsockname())), closing(own.accept()[0]) as connection:
        assert url == f"http://127.0.0.1:{own.getsockname()[1]}"
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

"""Webhooks: how many requests a second are answered once they are on disk, and how late the answers are."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import percentiles
from bench.workspace import Bench, wait_until
from rota.app.doorway import doorway
from rota.app.hooks import token_name
from rota.app.sync import sync
from rota.app.wiring import App

CONNECTIONS, STEADY = 256, 64
RATE = 500
HOOK = "steps:\n  - python: work:noop\n"
PORT = "\nweb: {port: 0}\n"


class Client(asyncio.Protocol):
    """One connection that is kept; one request at a time, since its answer is short and comes in one piece."""

    def __init__(self) -> None:
        self._said = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """The answer, or the rest of it."""
        self._said += data
        if self._said.endswith(b"}") and self._answer is not None:
            said, self._said = self._said, b""
            self._answer.set_result(said)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody answers any more."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("it was closed"))

    async def send(self, request: bytes) -> None:
        """Send, and wait for the 202."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        said = await self._answer
        assert said.startswith(b"HTTP/1.1 202"), said


def hooks(count: int, seconds: float, folder: Path) -> dict[str, float]:
    """Requests as fast as they are answered, then at a steady rate."""
    bench = Bench(folder)
    with bench.layout.config.open("a") as config:
        config.write(PORT)
    bench.layout.hooks.mkdir()
    (bench.layout.hooks / "bench.yaml").write_text(HOOK)
    with bench.opened() as app:
        sync(app)
        with bench.daemon():
            wait_until(lambda: _url(app) is not None, 30)
            place = urlsplit(_url(app) or "")
            head = (
                f"POST /hooks/bench HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {app.secrets.known()[token_name('bench')]}\r\n"
            )
            figures = asyncio.run(_measure(place.hostname or "", place.port or 0, head, count, seconds))
        total = sum(one.count for one in app.store.read(lambda tx: tx.deliveries.counts()))
    assert total == count + int(RATE * seconds) + CONNECTIONS, "not every answer was for something on disk"
    return figures


def _url(app: App) -> str | None:
    found = doorway(app)
    return None if found is None else found.url


def _request(head: str, number: int) -> bytes:
    body = json.dumps({"action": "opened", "number": number, "title": "x" * 100})
    return f"{head}Idempotency-Key: n{number}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def _measure(host: str, port: int, head: str, count: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Client, host, port))[1] for _ in range(CONNECTIONS)]
    steady = int(RATE * seconds)
    requests = deque(_request(head, number) for number in range(count + steady + CONNECTIONS))
    await asyncio.gather(*(client.send(requests.popleft()) for client in clients))

    async def as_fast_as_possible(client: Client, share: deque[bytes]) -> None:
        while share:
            await client.send(share.popleft())

    fast = deque(requests.popleft() for _ in range(count))
    start = time.perf_counter()
    await asyncio.gather(*(as_fast_as_possible(client, fast) for client in clients))
    rate = count / (time.perf_counter() - start)
    p50, p99 = percentiles(await _steadily(clients[:STEADY], requests))
    return {"hook_posts": rate, "hook_p50": p50, "hook_p99": p99}


async def _steadily(clients: list[Client], requests: deque[bytes]) -> list[float]:
    """Milliseconds from the moment when each was to be sent to its answer."""
    free: asyncio.Queue[Client] = asyncio.Queue()
    for client in clients:
        free.put_nowait(client)
    late: list[float] = []
    begin = time.perf_counter() + 0.1

    async def one(due: float, request: bytes) -> None:
        client = await free.get()
        await client.send(request)
        late.append((time.perf_counter() - due) * 1000)
        free.put_nowait(client)

    tasks = []
    for number, request in enumerate(requests):
        due = begin + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due, request)))
    await asyncio.gather(*tasks)
    return late

"""Floods, kills, slow and endless clients, a taken port: what the HTTP door has to bear."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import threading
import time
import zlib
from contextlib import closing, suppress
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from tests.support.hooks import Sender, bearer, finished, hook, url_of
from tests.support.rota import WITHIN, Rota, eventually

from rota.triggers.sign import signed

# The full flood is 10,000; this many keep it under a minute on a slow machine.
FLOOD = int(os.environ.get("ROTA_FLOOD", "1500"))
SLOW = 300
MB = 1_000_000


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago; the same one after a restart."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


def asked(rota: Rota, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(rota.layout.state, timeout=60)) as db:
        return db.execute(sql).fetchall()


def connected(sender: Sender) -> socket.socket:
    """A bare connection to the door."""
    place = urlsplit(sender.url)
    return socket.create_connection((place.hostname or "", place.port or 0), timeout=WITHIN)


class Flood:
    """Senders that try each delivery again until it is taken, as providers do."""

    def __init__(self, port: int, headers: dict[str, str], count: int) -> None:
        self._port = port
        self._headers = headers
        self._todo: SimpleQueue[int] = SimpleQueue()
        for number in range(count):
            self._todo.put(number)
        self.taken: dict[int, str] = {}
        self.odd: list[int] = []
        self.threads = [threading.Thread(target=self._send, daemon=True) for _ in range(8)]

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WITHIN)
        with suppress(Empty):
            while True:
                number = self._todo.get_nowait()
                while number not in self.taken:
                    try:
                        connection.request(
                            "POST", "/hooks/flood", json.dumps({"n": number}),
                            {**self._headers, "Idempotency-Key": f"n{number}", "Content-Type": "application/json"},
                        )  # fmt: skip
                        response = connection.getresponse()
                        said = response.read()
                    except (OSError, http.client.HTTPException):
                        connection.close()
                        time.sleep(0.05)
                        continue
                    if response.status == 202:
                        self.taken[number] = json.loads(said)["delivery"]
                    elif response.status not in {429, 503}:
                        self.odd.append(response.status)
                        return


def test_a_flood_with_kill_9_in_the_middle_loses_and_doubles_nothing(rota: Rota, port: int) -> None:
    rota.env["ROTA_PORT"] = str(port)
    rota.write(".rota/rota.yaml", "timezone: UTC\nlimits: {keep_runs: 1000000}\n")
    hook(rota, "flood", "run: 'true'\n")
    rota.up()
    url_of(rota)
    flood = Flood(port, bearer(rota, "flood"), FLOOD)
    for thread in flood.threads:
        thread.start()
    eventually(lambda: len(flood.taken) > FLOOD // 3, "a third of it is taken")
    rota.kill_daemon()
    before = dict(flood.taken)
    stored = {name for (name,) in asked(rota, "SELECT id FROM deliveries")}
    assert set(before.values()) <= stored, "each 2xx is on disk"
    rota.up()
    for thread in flood.threads:
        thread.join(WITHIN)
    rota.kill_daemon()
    assert (flood.odd, len(flood.taken)) == ([], FLOOD)
    rows = asked(rota, "SELECT id, key, run_id FROM deliveries")
    assert len(rows) == FLOOD == len({key for _, key, _ in rows})
    assert {name for name, _, _ in rows} == set(flood.taken.values())
    assert {run for _, _, run in rows} == {run for (run,) in asked(rota, "SELECT id FROM runs")}
    assert asked(rota, "SELECT count(*) FROM occurrences WHERE job_id = 'flood'") == [(FLOOD,)]


def test_a_replay_is_known_after_a_crash(rota: Rota) -> None:
    hook(rota, "gh", "on: [{webhook: {verify: github, secret: s}}]\nrun: echo ran >> gh.txt\n")
    rota.up()
    headers, body = signed({"verify": "github"}, "s", b'{"a": 1}', 0.0)
    first = Sender(url_of(rota)).post("gh", body, headers)
    assert finished(rota, first.run) == "succeeded"
    rota.kill_daemon()
    rota.up()
    again = Sender(url_of(rota)).post("gh", body, {**headers, "X-GitHub-Delivery": "another"})
    assert (again.status, again.run) == (202, first.run)
    assert rota.lines("gh.txt") == ["ran"]


def test_a_burst_outlives_a_crash(rota: Rota) -> None:
    hook(rota, "burst", "on: [{webhook: {debounce: 3s}}]\nrun: echo {{ payloads | length }} >> burst.txt\n")
    rota.up()
    sender, header = Sender(url_of(rota)), bearer(rota, "burst")
    runs = [sender.post("burst", json.dumps({"n": n}), header).run for n in range(3)]
    rota.kill_daemon()
    rota.up()
    assert finished(rota, runs[0]) == "succeeded"
    assert rota.lines("burst.txt") == ["3"]


def test_slow_clients_do_not_keep_others_out(rota: Rota) -> None:
    """More of them than connections are let in, each with a word that never ends."""
    rota.write(".rota/rota.yaml", f"timezone: UTC\nweb: {{connections: {SLOW - 100}, patience: 5s}}\n")
    hook(rota, "h", "run: 'true'\n")
    rota.up()
    sender = Sender(url_of(rota))
    header = bearer(rota, "h")
    begun = f"POST /hooks/h HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header['Authorization']}\r\n"
    slow = []
    try:
        for number in range(SLOW):
            one = connected(sender)
            slow.append(one)
            half = "Content-Length: 100\r\n\r\n{" if number % 2 else "X-Slow: "
            with suppress(OSError):
                one.sendall((begun + half).encode())
        assert sender.send("GET", "/health").json == {"status": "ok"}
        assert sender.post("h", b"{}", header).status == 202
        ended = [one for one in slow if _is_over(one)]
        assert len(ended) == len(slow), "each is let go"
        assert sender.send("GET", "/health").status == 200
    finally:
        for one in slow:
            one.close()


def _is_over(one: socket.socket) -> bool:
    """Whether the other side closes it, within what is waited for."""
    try:
        while one.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_an_endless_body_takes_no_memory(rota: Rota, declared: bool) -> None:
    hook(rota, "h", "run: 'true'\n")
    pid = rota.up()
    sender = Sender(url_of(rota))
    sender.send("GET", "/health")
    before = psutil.Process(pid).memory_info().rss
    kind = "Content-Length: 2000000000" if declared else "Transfer-Encoding: chunked"
    head = f"POST /hooks/h HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n\r\n"
    piece = b"x" * 65536
    chunk = piece if declared else b"%x\r\n%b\r\n" % (len(piece), piece)
    sent = most = 0
    with suppress(OSError), closing(connected(sender)) as one:
        one.sendall(head.encode())
        while sent < 2_000 * MB:
            one.sendall(chunk)
            sent += len(piece)
            if sent % (4 * MB) < len(piece):
                most = max(most, psutil.Process(pid).memory_info().rss)
    assert sent < 200 * MB, "it is cut off long before its end"
    assert most - before < 60 * MB
    assert sender.send("GET", "/health").status == 200
    assert asked(rota, "SELECT count(*) FROM deliveries") == [(0,)]


def test_a_gzip_bomb_is_never_unpacked(rota: Rota) -> None:
    """Refused where it says what it is; elsewhere it is bytes like any other."""
    hook(rota, "h", "run: 'true'\n")
    pid = rota.up()
    sender, header = Sender(url_of(rota)), bearer(rota, "h")
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(10 * MB)) for _ in range(40)) + packer.flush()
    assert len(bomb) < MB, "it is not for its size that it is refused"
    sender.send("GET", "/health")
    before = psutil.Process(pid).memory_info().rss
    for encoding in ("gzip", "x-gzip", "deflate", "GZIP, identity"):
        reply = sender.post("h", bomb, {**header, "Content-Encoding": encoding})
        assert (reply.status, reply.headers["connection"]) == (415, "close")
    assert sender.post("h", bomb, header).status == 400, "it is no JSON"
    assert asked(rota, "SELECT count(*) FROM deliveries") == [(0,)]
    kept = sender.post("h", bomb, {**header, "Content-Type": "application/gzip"})
    assert kept.status == 202
    assert finished(rota, kept.run) == "succeeded"
    assert asked(rota, "SELECT size FROM deliveries") == [(len(bomb),)]
    assert psutil.Process(pid).memory_info().rss - before < 60 * MB


def test_endless_headers_are_cut_off(rota: Rota) -> None:
    rota.up()
    sender = Sender(url_of(rota))
    sent = 0
    with suppress(OSError), closing(connected(sender)) as one:
        one.sendall(b"GET /health HTTP/1.1\r\n")
        while sent < 50 * MB:
            one.sendall(b"X-More: " + b"y" * 8000 + b"\r\n")
            sent += 8000
    assert sent < 50 * MB
    assert sender.send("GET", "/health").status == 200


def test_a_taken_port_stops_nothing_else(rota: Rota, port: int) -> None:
    rota.env["ROTA_PORT"] = str(port)
    rota.job("ticks", "schedule: every 1s\nrun: echo t >> ticks.txt\n")
    with closing(socket.create_server(("127.0.0.1", port))):
        rota.up()
        web = rota.quick("status", "--json").json["web"]
        assert (web["state"], web["url"]) == ("closed", None)
        assert f"port {port}" in web["error"]
        assert f"port {port} of 127.0.0.1 is taken" in rota.quick("doctor", code=1).out
        eventually(lambda: rota.lines("ticks.txt"), "the schedule goes on")
    eventually(lambda: (rota.quick("status", "--json").json["web"] or {}).get("state") == "open", "it opens")
    assert Sender(url_of(rota)).send("GET", "/health").status == 200


def test_the_door_follows_the_settings(rota: Rota) -> None:
    rota.env["ROTA_PORT"] = ""  # as if nothing was said
    rota.write(".rota/rota.yaml", "timezone: UTC\nweb: {socket: .rota/web.sock}\n")
    hook(rota, "h", "run: 'true'\n")
    rota.up()
    assert url_of(rota) == f"unix:{rota.layout.root}/.rota/web.sock"
    assert (rota.layout.rota / "web.sock").stat().st_mode & 0o077 == 0
    assert rota.quick("hook", "test", "h", "--json").json["status"] == 202
    rota.write(".rota/rota.yaml", "timezone: UTC\nweb: off\n")
    eventually(lambda: rota.quick("status", "--json").json["web"]["state"] == "off", "it closes")
    assert not (rota.layout.rota / "web.sock").exists()
    rota.write(".rota/rota.yaml", "timezone: UTC\nweb: {port: 0}\n")
    eventually(lambda: rota.quick("status", "--json").json["web"]["state"] == "open", "it opens again")


def test_what_is_under_way_is_answered_at_the_end(rota: Rota) -> None:
    hook(rota, "h", "run: 'true'\n")
    rota.up()
    url, header = url_of(rota), bearer(rota, "h")
    replies: list[int] = []

    def send() -> None:
        with suppress(OSError, http.client.HTTPException):
            while True:
                body = json.dumps({"n": len(replies)})
                replies.append(Sender(url).post("h", body, header).status)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    eventually(lambda: len(replies) > 20, "they come")
    rota("down")
    thread.join(WITHIN)
    assert set(replies) == {202}
    ((stored,),) = asked(rota, "SELECT count(*) FROM deliveries")
    assert stored == len(replies)

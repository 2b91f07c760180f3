"""Secrets are used where they are named, and seen nowhere; the workspace's state is its owner's alone."""

from __future__ import annotations

import base64
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from tests.support.rota import Rota, eventually

TOKEN = "tok-3f9A_zz+Qq81/secret"


@pytest.fixture
def api() -> Iterator[tuple[str, list[str]]]:
    """A web service; the Authorization headers that it got."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(self.headers["Authorization"])
            self.send_response(200)
            body = f"you are {self.headers['Authorization']}".encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", got
    server.shutdown()
    server.server_close()


def bytes_of(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "secrets.json":
            yield path, path.read_bytes()


def test_a_secret_from_end_to_end(rota: Rota, api: tuple[str, list[str]]) -> None:
    url, got = api
    assert TOKEN not in rota("secret", "set", "API_TOKEN", stdin=f"{TOKEN}\n").err
    assert rota.quick("secret", "list").out == "API_TOKEN\n"
    rota.job(
        "use",
        "env: {TOKEN: '${API_TOKEN}'}\nsteps:\n"
        "  - id: show\n    run: |\n      echo length ${#TOKEN}\n      echo plain $TOKEN\n"
        '      printf %s "$TOKEN" | base64\n      echo to stderr $TOKEN >&2\n'
        "      echo $$ > pid.txt; until [ -e go ]; do sleep 0.1; done\n"
        f"  - id: ask\n    http: {url}\n    headers: {{Authorization: 'Bearer ${{API_TOKEN}}'}}\n"
        "  - id: last\n    run: exit 1\n",
    )
    rota.up()
    rota("run", "use")
    eventually(lambda: rota.read("pid.txt").strip(), "it runs")
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if TOKEN in command]
    rota.write("go", "")
    eventually(lambda: rota.runs("use")[0]["finished_at"], "it ends")
    assert got == [f"Bearer {TOKEN}"], "it was used"
    log = rota.quick("logs", "use").out
    assert f"length {len(TOKEN)}" in log
    assert "plain ***" in log
    hidden = [TOKEN.encode(), base64.b64encode(TOKEN.encode())]
    shown = [
        rota.quick(*words).out
        for words in (["logs", "use"], ["logs", "use", "--json"], ["why", "use", "--json"])
    ]
    shown.append(rota.quick("history", "use", "--json").out)
    for text in shown:
        assert not [value for value in hidden if value in text.encode()]
    found = [path for path, data in bytes_of(rota.root / ".rota") for value in hidden if value in data]
    assert found == [], "with the daemon running: the write-ahead log too"
    rota("down")
    assert [path for path, data in bytes_of(rota.root / ".rota") for value in hidden if value in data] == []


def test_a_secret_that_is_not_there(rota: Rota) -> None:
    rota.job("use", "env: {TOKEN: '${NO_SUCH_TOKEN}'}\nsteps:\n  - run: echo\n")
    said = rota("run", "use", code=1)
    assert "NO_SUCH_TOKEN" in said.err
    assert "rota secret set NO_SUCH_TOKEN" in said.err


def test_a_secret_is_forgotten(rota: Rota) -> None:
    rota.quick("secret", "set", "A", stdin="value-a")
    rota.quick("secret", "rm", "A")
    assert rota.quick("secret", "list", "--json").json == []
    assert "value-a" not in rota.read(".rota/secrets.json")


def test_the_state_is_its_owners_alone(rota: Rota) -> None:
    rota.quick("secret", "set", "A", stdin="value-a")
    rota.job("say", "steps:\n  - run: echo hello\n")
    rota.up()
    rota("run", "say", "--wait")

    def mode(path: str) -> int:
        return stat.S_IMODE((rota.root / path).stat().st_mode)

    assert mode(".rota") == 0o700
    for path in (".rota/state.db", ".rota/state.db-wal", ".rota/secrets.json", ".rota/daemon.lock"):
        assert mode(path) == 0o600, path
    ignored = rota.lines(".rota/.gitignore")
    assert {"state.db*", "secrets.json", "logs/"} <= set(ignored)
    assert "jobs/" not in ignored

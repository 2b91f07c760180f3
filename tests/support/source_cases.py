"""A case for every kind of source: something real to pull from, how it changes, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import krisp_server, notion_server
from tests.support.mailbox import PASSWORD, mail, mailbox
from tests.support.site import site

SECRET = "s3cret-c4nary-value"


@dataclass
class Case:
    """`config`: keys that work, with SECRET where they take one; `broken`: keys with which it fails.

    `change`: has something new there.
    `gives_all`: its items are all that there are, each time. `secrets`: what no answer and no error may hold.
    """

    config: dict[str, Any]
    broken: dict[str, Any]
    change: Callable[[], None]
    gives_all: bool = False
    secrets: tuple[str, ...] = (SECRET,)


_EVENT = "BEGIN:VEVENT\r\nUID:{n}\r\nDTSTAMP:20261120T080000Z\r\nDTSTART:20261123T{n}0000Z\r\nSUMMARY:S{n}\r\nEND:VEVENT\r\n"


@contextmanager
def _calendar(workspace: Path) -> Iterator[Case]:
    file = workspace / "work.ics"

    def put(*hours: int) -> None:
        events = "".join(_EVENT.format(n=hour) for hour in hours)
        file.write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}END:VCALENDAR\r\n")

    put(10)
    yield Case(
        {"calendar": "work.ics"}, {"calendar": "none.ics"}, lambda: put(10, 11), gives_all=True, secrets=()
    )


@contextmanager
def _rss(workspace: Path) -> Iterator[Case]:
    with site() as server:

        def put(*names: str) -> None:
            items = "".join(f"<item><title>{n}</title><guid>{n}</guid></item>" for n in names)
            server.put(
                "/feed", f'<rss version="2.0"><channel><title>T</title>{items}</channel></rss>', "text/xml"
            )

        put("one")
        keys = {"url": f"{server.base}/feed?token={SECRET}", "headers": {"Authorization": f"Bearer {SECRET}"}}
        broken = {**keys, "url": f"{server.base}/{SECRET}"}
        yield Case(keys, broken, lambda: put("two", "one"))


@contextmanager
def _http(workspace: Path) -> Iterator[Case]:
    with site() as server:

        def put(*names: str) -> None:
            server.put("/api", json.dumps({"data": [{"id": n, "name": n} for n in names]}))

        put("one")
        keys = {
            "url": f"{server.base}/api?token={SECRET}",
            "headers": {"Authorization": f"Bearer {SECRET}"},
            "items": "$.data",
        }
        yield Case(keys, {**keys, "url": f"{server.base}/{SECRET}"}, lambda: put("one", "two"))


def commit(repository: Path, name: str, text: str = "x", *more: str) -> str:
    """Commit a file; the commit's hash."""
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", f"Add {name}", *more)
    return git(repository, "rev-parse", "HEAD").strip()


def git(repository: Path, *arguments: str) -> str:
    """What git prints, as a person would have it who has set up nothing but a name."""
    env = {
        **{name: text for name, text in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Dana",
        "GIT_AUTHOR_EMAIL": "dana@example.org",
        "GIT_COMMITTER_NAME": "Dana",
        "GIT_COMMITTER_EMAIL": "dana@example.org",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=repository, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


def repository(folder: Path) -> Path:
    """An empty repository with a branch `main`."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


@contextmanager
def _git(workspace: Path) -> Iterator[Case]:
    there = repository(workspace / "app")
    commit(there, "one.txt")
    keys = {"repo": "app", "token": SECRET}
    yield Case(keys, {"repo": "nowhere", "token": SECRET}, lambda: void(commit(there, "two.txt")))


def void(_: object) -> None:
    """Nothing of it."""


@contextmanager
def _folder(workspace: Path) -> Iterator[Case]:
    (workspace / "in").mkdir()
    (workspace / "in/one.md").write_text("one")

    def change() -> None:
        (workspace / "in/two.md").write_text("two")

    yield Case({"path": "in", "settled": 0}, {"path": "out"}, change, secrets=())


@contextmanager
def _command(workspace: Path) -> Iterator[Case]:
    (workspace / "lines").write_text('{"id": "one"}\n')

    def change() -> None:
        (workspace / "lines").write_text('{"id": "one"}\n{"id": "two"}\n')

    keys = {"command": ["cat", "lines"], "env": {"TOKEN": SECRET}}
    broken = {"command": 'echo "not with $TOKEN" >&2; exit 3', "env": {"TOKEN": SECRET}}
    yield Case(keys, broken, change)


@contextmanager
def _imap(workspace: Path) -> Iterator[Case]:
    with mailbox() as box:
        box.deliver(mail("one"))
        broken = {**box.config, "password": SECRET}
        yield Case(box.config, broken, lambda: box.deliver(mail("two")), secrets=(PASSWORD, SECRET))


@contextmanager
def _notion(workspace: Path) -> Iterator[Case]:
    with notion_server.serving() as server:
        server.page("One", edited="2026-11-20T10:00:00.000Z")
        keys = {"token": notion_server.TOKEN, "base_url": server.url}
        yield Case(
            keys,
            {**keys, "token": SECRET},
            lambda: void(server.page("Two", edited="2026-11-21T10:00:00.000Z")),
            secrets=(notion_server.TOKEN, SECRET),
        )


@contextmanager
def _krisp(workspace: Path) -> Iterator[Case]:
    with krisp_server.serving() as server:
        server.meetings["m1"] = krisp_server.meeting("m1", "2026-11-20T10:00:00Z")

        def change() -> None:
            server.meetings["m2"] = krisp_server.meeting("m2", "2026-11-21T10:00:00Z")

        keys = {"token": krisp_server.KEY, "base_url": server.url}
        yield Case(keys, {**keys, "token": SECRET}, change, secrets=(krisp_server.KEY, SECRET))


CASES: Mapping[str, Callable[[Path], Any]] = {
    "calendar": _calendar,
    "command": _command,
    "folder": _folder,
    "git": _git,
    "http": _http,
    "imap": _imap,
    "krisp": _krisp,
    "notion": _notion,
    "rss": _rss,
}

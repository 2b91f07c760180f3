"""The machine's limits: what no scheduler on it can go beyond."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

TRUE = "/bin/true"


def commits(folder: Path, seconds: float = 1.5) -> dict[str, float]:
    """One-row commits a second, WAL and synchronous=FULL."""
    path = folder / "limit.db"
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT) STRICT")
        count, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds:
            db.execute("INSERT INTO t (x) VALUES ('a row of some forty bytes, as rows are')")
            count += 1
    finally:
        db.close()
        for file in folder.glob("limit.db*"):
            file.unlink()
    return {"commits_full": count / spent}


def spawns(_folder: Path, count: int = 2000) -> dict[str, float]:
    """`subprocess.run(capture_output=True)` in 2 threads, and `posix_spawn` with 2 in flight."""

    def loop(runs: int) -> None:
        for _ in range(runs):
            subprocess.run([TRUE], capture_output=True, check=True)

    start = time.perf_counter()
    threads = [threading.Thread(target=loop, args=(count // 2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    threaded = count / (time.perf_counter() - start)
    start = time.perf_counter()
    flying: deque[int] = deque()
    for _ in range(count):
        if len(flying) == 2:
            os.waitpid(flying.popleft(), 0)
        flying.append(os.posix_spawn(TRUE, [TRUE], os.environ))
    while flying:
        os.waitpid(flying.popleft(), 0)
    return {"spawn": threaded, "posix_spawn": count / (time.perf_counter() - start)}


def python_start(_folder: Path, count: int = 20) -> dict[str, float]:
    """Seconds of an interpreter that does nothing."""
    start = time.perf_counter()
    for _ in range(count):
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
    return {"python_start": (time.perf_counter() - start) / count}


SCENARIOS = {"commits": commits, "spawns": spawns, "start": python_start}

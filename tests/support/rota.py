"""A driver of the real command on a workspace of its own: what a person types, and what they get."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rota.app.control import running_daemon
from rota.workspace.layout import Layout

# Generous: what is waited for takes a second on a quiet machine.
WITHIN = 90.0
T = TypeVar("T")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The data on stdout, which is nothing but JSON."""
        return json.loads(self.out)

    @property
    def hint(self) -> str:
        """The first hint."""
        return next((line[6:] for line in self.err.splitlines() if line.startswith("hint: ")), "")


def eventually(look: Callable[[], T], what: str = "", within: float = WITHIN) -> T:
    """The first truthy answer of `look`, which is asked again and again, a quarter of the time at most."""
    deadline = time.monotonic() + within
    while True:
        begun = time.monotonic()
        if answer := look():
            return answer
        now = time.monotonic()
        assert now < deadline, f"never came true: {what or look}"
        time.sleep(min(max(0.05, 3 * (now - begun)), 0.5))


def alive(pid: int) -> bool:
    """Whether a process is there and is not a zombie."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def command_line(pid: int) -> str:
    """What a process was started with; empty when it has ended."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline())
    return ""


@dataclass
class Rota:
    """`rota` in one workspace. Whatever it started is ended by `close`."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(self.root.resolve())

    def environment(self) -> dict[str, str]:
        without = {"NO_COLOR", "PYTHONDONTWRITEBYTECODE"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ROTA_") and k not in without}
        return {**kept, "TZ": "UTC", "ROTA_PORT": "0", **self.env}

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "rota", "-w", str(self.root), *args]

    def __call__(
        self, *args: str, code: int = 0, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> Said:
        """Type a command, in a process of its own; its exit code has to be `code`."""
        done = subprocess.run(
            self.argv(*args), input=stdin, capture_output=True, text=True, check=False, timeout=WITHIN,
            env={**self.environment(), **(env or {})}, cwd=self.root,
        )  # fmt: skip
        said = Said(done.returncode, done.stdout, done.stderr)
        assert said.code == code, (args, said)
        return said

    def quick(self, *args: str, code: int = 0, stdin: str = "") -> Said:
        """The same in this process: quicker, for what starts nothing."""
        said = run_here("-w", str(self.root), *args, stdin=stdin)
        assert said.code == code, (args, said)
        return said

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """Type a command that goes on, in a process group of its own."""
        process = subprocess.Popen(
            self.argv(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.environment(), cwd=self.root, start_new_session=True, **options,
        )  # fmt: skip
        self._started.append(process)
        return process

    def up(self) -> int:
        """Start the daemon in the background; its pid."""
        self("up", "--background")
        return self.daemon_pid()

    def daemon_pid(self) -> int:
        info = running_daemon(self.layout)
        assert info is not None, "no daemon is running"
        return info.pid

    def kill_daemon(self) -> None:
        """What a crash does."""
        pid = self.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        # Its other threads may outlive the first for a moment, and hold the lock.
        eventually(lambda: not alive(pid) and running_daemon(self.layout) is None, "the daemon is dead")

    def write(self, path: str, text: str) -> Path:
        """A file of the workspace."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def job(self, job_id: str, text: str) -> Path:
        """A job file."""
        return self.write(f".rota/jobs/{job_id}.yaml", text)

    def read(self, path: str) -> str:
        """A file's text; empty while there is none."""
        with contextlib.suppress(FileNotFoundError):
            return (self.root / path).read_text()
        return ""

    def lines(self, path: str) -> list[str]:
        """Its lines."""
        return self.read(path).splitlines()

    def ids(self) -> list[str]:
        """The jobs that `rota list` lists."""
        return [job["id"] for job in self.quick("list", "--json").json]

    def runs(self, job_id: str) -> list[dict[str, Any]]:
        """The runs of a job, latest first."""
        found: list[dict[str, Any]] = self.quick("history", job_id, "--json").json
        return found

    def close(self) -> None:
        """End what was started here."""
        info = running_daemon(self.layout) if self.layout.rota.is_dir() else None
        if info is not None and info.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(info.pid, signal.SIGTERM)
                with contextlib.suppress(AssertionError):
                    eventually(lambda: not alive(info.pid), within=20)
                os.kill(info.pid, signal.SIGKILL)
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def children(self) -> list[int]:
        """Pids of the processes that steps of this workspace started."""
        import psutil

        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("ROTA_WORKSPACE") == str(self.root):
                    found.append(process.pid)
        return found


def run_here(*args: str, stdin: str = "") -> Said:
    """A command in this process."""
    from rota.cli.errors import guarded
    from rota.cli.main import rota

    out, err = io.StringIO(), io.StringIO()
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = guarded(lambda: rota.main(args=list(args), standalone_mode=False, prog_name="rota"))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdin = before
    return Said(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def new_workspace(root: Path, *options: str) -> Iterator[Rota]:
    """`rota init` in `root`, and the end of everything afterwards."""
    said = run_here("init", str(root), "--tz", "UTC", *options)
    assert said.code == 0, said
    rota = Rota(root.resolve())
    try:
        yield rota
    finally:
        rota.close()

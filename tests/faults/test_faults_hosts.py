"""Hosts: user code runs apart from the daemon, in its present version, and can neither end nor outlive it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.rota import alive

from rota.engine import process_table, processes
from rota.engine.hosts import HostPool
from rota.engine.process_tree import FAMILY, become_subreaper
from rota.model.errors import StepError
from rota.ports.processes import HostCall

PATH = os.environ.get("PATH", os.defpath)

JOBS = """
import asyncio, dataclasses, datetime, os, pathlib, subprocess, sys, threading, time

def add(a, b=1): return a + b
async def later(word): await asyncio.sleep(0); print("in the loop"); return word.upper()
def where(): return {"pid": os.getpid(), "cwd": os.getcwd(), "marker": os.environ.get("ROTA_RUN_ID"), "path": sys.path[0]}
def speak(): print("to stdout"); print("to stderr", file=sys.stderr); subprocess.run(["echo", "a child"]); print("end", end="")
def fail(): raise KeyError("the key")
def leave(code): sys.exit(code)
def interrupt(): raise KeyboardInterrupt
def crash(): print("last words"); sys.stdout.flush(); os._exit(9)
def killed(): os.kill(os.getpid(), 9)
def spin():
    print("spinning")
    while True: pass
def deaf():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 300"], start_new_session=True)
    print("spinning")
    while True: time.sleep(1)
def background(): return subprocess.Popen(["sleep", "300"], start_new_session=True).pid
def thread(): threading.Thread(target=time.sleep, args=(300,), daemon=True).start(); return os.getpid()
def vandal(): sys.stdout.close(); os.environ.clear(); sys.path.clear(); sys.meta_path.clear(); return os.getpid()
def fork():
    if os.fork() == 0: return "the child came back"
    os.wait()
    return "the parent"
@dataclasses.dataclass
class Point: x: int; at: datetime.date
def rich(): return {"path": pathlib.Path("/a"), "points": [Point(1, datetime.date(2026, 11, 21))], "set": {2, 1}, "s": "\\ud800"}
def strange(): return object()
def nan(): return float("nan")
def huge(): return "x" * 10_000_000
def refused():
    from rota.model.errors import StepError
    raise StepError("not now", hint="wait a little", code="rate_limited", permanent=True, retry_after=2.5)
def missing(): import no_such_library
def nap(): time.sleep(0.1); return os.getpid()
"""


@pytest.fixture(params=["subreaper", "portable"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    way = str(request.param)
    monkeypatch.setattr(FAMILY, "subreaper", become_subreaper() and way == "subreaper")
    if way == "portable":
        monkeypatch.setattr(process_table, "_has_proc", False)
        monkeypatch.setattr(process_table, "PIDFD", None)
        monkeypatch.setattr(processes, "PIDFD", None)
    return way


class Workspace:
    """A folder with jobs.py, and calls of its functions that print into `printed`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = uuid.uuid4().hex
        self.printed: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        (path / "jobs.py").write_text(JOBS)

    def call(self, target: str, **kwargs: Any) -> HostCall:
        env = {"ROTA_RUN_ID": self.run_id}
        return HostCall(target, kwargs, env, self.path, (self.path,), (self.path,))

    def on_output(self, stream: str, data: bytes) -> None:
        self.printed[stream] += data

    def survivors(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                mine = process.environ().get("ROTA_TEST") == str(self.path)
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    @asynccontextmanager
    async def pool(self, **options: Any) -> AsyncIterator[HostPool]:
        pool = HostPool({"PATH": PATH, "ROTA_TEST": str(self.path)}, **{"grace": 0.3, **options})
        try:
            yield pool
        finally:
            await pool.close()

    def ask(self, target: str, **kwargs: Any) -> Any:
        """One call in a pool of its own."""

        async def story() -> Any:
            async with self.pool() as pool:
                return await pool.call(self.call(target, **kwargs), self.on_output)

        return asyncio.run(story())


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path)
    yield workspace
    left = workspace.survivors()
    for process in left:
        process.kill()
    assert left == []


async def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def test_functions_get_arguments_by_name_and_give_results(workspace: Workspace) -> None:
    async def story() -> list[Any]:
        async with workspace.pool() as pool:
            calls = [
                workspace.call("jobs:add", a=1, b=2),
                workspace.call("jobs.py:add", a="x", b="y"),
                workspace.call("jobs:later", word="done"),
                workspace.call("jobs:leave", code=0),
                workspace.call("jobs:rich"),
                workspace.call("jobs:fork"),
            ]
            return [await pool.call(call, workspace.on_output) for call in calls]

    added, joined, awaited, nothing, rich, forked = asyncio.run(story())
    assert (added, joined, awaited, nothing) == (3, "xy", "DONE", None)
    assert rich == {"path": "/a", "points": [{"x": 1, "at": "2026-11-21"}], "set": [1, 2], "s": "?"}
    assert forked == "the parent"


def test_what_is_printed_belongs_to_the_call(workspace: Workspace) -> None:
    workspace.ask("jobs:speak")
    assert workspace.printed["stdout"] == b"to stdout\na child\nend"
    assert workspace.printed["stderr"] == b"to stderr\n"


def test_surroundings_are_those_of_the_call_and_are_put_back(workspace: Workspace) -> None:
    async def story() -> tuple[Any, Any]:
        async with workspace.pool(size=1) as pool:
            first = await pool.call(workspace.call("jobs:where"), workspace.on_output)
            bare = HostCall("jobs:where", paths=(workspace.path,), fresh=(workspace.path,))
            return first, await pool.call(bare, workspace.on_output)

    first, second = asyncio.run(story())
    assert (first["pid"], first["marker"], second["marker"]) == (second["pid"], workspace.run_id, None)
    assert (first["cwd"], second["cwd"]) == (str(workspace.path.resolve()), "/")
    assert first["path"] == str(workspace.path)


@pytest.mark.parametrize(
    ("target", "kwargs", "words", "permanent"),
    [
        ("jobs:fail", {}, ("KeyError: 'the key'",), False),
        ("jobs:leave", {"code": 3}, ("the function ended with sys.exit(3)",), False),
        ("jobs:interrupt", {}, ("KeyboardInterrupt",), False),
        ("jobs:refused", {}, ("not now", "wait a little"), True),
        ("jobs:ad", {}, ("`jobs` has no function `ad`", "did you mean `add`?"), True),
        ("job:add", {}, ("there is no module `job`", "did you mean `jobs`?"), True),
        ("jibs.py:add", {}, ("there is no file jibs.py", "did you mean `jobs.py`?"), True),
        ("broken.py:add", {}, ("SyntaxError",), True),
        ("jobs:add", {"c": 1}, ("unexpected keyword argument 'c'", "it is add(a, b=1)"), True),
        ("jobs:missing", {}, ("No module named 'no_such_library'", "not installed"), True),
        ("jobs:strange", {}, ("it contains a object", "return text"), True),
        ("jobs:nan", {}, ("cannot be passed on as JSON", "return text"), True),
        ("jobs:huge", {}, ("10,000,002 bytes", "write it into a file"), True),
        ("jobs", {}, ("does not name a function", "module:function"), True),
    ],
)
def test_errors_keep_their_own_words(
    workspace: Workspace, target: str, kwargs: dict[str, Any], words: tuple[str, ...], permanent: bool
) -> None:
    (workspace.path / "broken.py").write_text("def add(:\n")
    with pytest.raises(StepError) as caught:
        workspace.ask(target, **kwargs)
    message, *hints = words
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert all(hint in (caught.value.hint or "") for hint in hints)
    assert caught.value.permanent is permanent
    if target == "jobs:refused":
        assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 2.5)


def test_the_traceback_shows_user_code_only(workspace: Workspace) -> None:
    with pytest.raises(StepError):
        workspace.ask("jobs:fail")
    traceback = workspace.printed["stderr"].decode()
    assert "in fail" in traceback
    assert "KeyError: 'the key'" in traceback
    assert "host_c" not in traceback


@pytest.mark.parametrize(
    ("target", "words"), [("jobs:crash", "with exit code 9"), ("jobs:killed", "was ended by SIGKILL")]
)
def test_a_host_that_dies_is_an_error_of_that_call_alone(
    workspace: Workspace, target: str, words: str, system: str
) -> None:
    async def story() -> Any:
        async with workspace.pool(size=1) as pool:
            with pytest.raises(StepError, match=words) as caught:
                await pool.call(workspace.call(target), workspace.on_output)
            assert not caught.value.permanent
            return await pool.call(workspace.call("jobs:add", a=1), workspace.on_output)

    assert asyncio.run(story()) == 2
    if target == "jobs:crash":
        assert workspace.printed["stdout"] == b"last words\n"


def test_user_code_that_breaks_its_host_breaks_no_other_call(workspace: Workspace) -> None:
    async def story() -> None:
        async with workspace.pool(size=1) as pool:
            targets = ("jobs:vandal", "jobs:thread", "jobs:nap")
            pids = [await pool.call(workspace.call(target), workspace.on_output) for target in targets]
            assert len(set(pids)) == 3
            speaking = await pool.call(workspace.call("jobs:later", word="x"), workspace.on_output)
            assert speaking == "X"

    asyncio.run(story())
    assert workspace.printed["stdout"] == b"in the loop\n"


@pytest.mark.parametrize("target", ["jobs:spin", "jobs:deaf"])
def test_a_cancelled_call_is_ended_with_all_its_children(
    workspace: Workspace, target: str, system: str
) -> None:
    async def story() -> float:
        async with workspace.pool() as pool:
            call = asyncio.create_task(pool.call(workspace.call(target), workspace.on_output))
            await wait_for(lambda: b"spinning" in workspace.printed["stdout"])
            begun = time.monotonic()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            took = time.monotonic() - begun
            assert workspace.survivors() == []
            assert await pool.call(workspace.call("jobs:add", a=1), workspace.on_output) == 2
            return took

    assert asyncio.run(story()) < 5


def test_a_child_left_in_the_background_ends_with_the_call(workspace: Workspace, system: str) -> None:
    async def story() -> None:
        async with workspace.pool() as pool:
            pid = await pool.call(workspace.call("jobs:background"), workspace.on_output)
            assert not alive(pid)

    asyncio.run(story())


def test_an_edit_is_seen_by_the_next_call_however_quick_it_was(workspace: Workspace) -> None:
    helper, main = workspace.path / "helper.py", workspace.path / "main.py"
    main.write_text("import helper, os\ndef get(): return helper.VALUE, os.getpid()\n")

    async def story() -> None:
        async with workspace.pool(size=1) as pool:
            pids = set()
            for value in range(1, 4):
                helper.write_text(f"VALUE = {value}\n")  # the same size within the same second
                for target in ("main:get", "main.py:get", "main:get"):
                    seen, pid = await pool.call(workspace.call(target), workspace.on_output)
                    assert seen == value
                    pids.add(pid)
            assert len(pids) == 3  # replaced when something changed, warm otherwise

    asyncio.run(story())
    assert not (workspace.path / "__pycache__").exists()


def test_workspaces_do_not_see_each_others_modules(workspace: Workspace, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "same.py").write_text(f"def name(): return {folder.name!r}\n")

    async def story() -> list[Any]:
        async with workspace.pool(size=1) as pool:
            calls = [HostCall("same:name", paths=(folder,), fresh=(folder,)) for folder in folders * 2]
            return [await pool.call(call, workspace.on_output) for call in calls]

    assert asyncio.run(story()) == ["one", "two", "one", "two"]


def test_twenty_calls_share_two_hosts(workspace: Workspace, system: str) -> None:
    async def story() -> list[int]:
        async with workspace.pool(size=2) as pool:
            calls = [pool.call(workspace.call("jobs:nap"), workspace.on_output) for _ in range(20)]
            return list(await asyncio.gather(*calls))

    assert len(set(asyncio.run(story()))) == 2


def test_a_call_aside_waits_for_none_that_may_wait_for_it(workspace: Workspace) -> None:
    async def story() -> None:
        async with workspace.pool(size=1, most=lambda: 1) as pool:
            spinning = asyncio.create_task(pool.call(workspace.call("jobs:spin"), workspace.on_output))
            await wait_for(lambda: b"spinning" in workspace.printed["stdout"])
            aside = replace(workspace.call("jobs:add", a=1), aside=True)
            async with asyncio.timeout(60):
                assert await pool.call(aside, workspace.on_output) == 2
            spinning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await spinning

    asyncio.run(story())


def test_hosts_are_replaced_after_so_many_calls_and_when_they_are_large(workspace: Workspace) -> None:
    async def pids(**options: Any) -> list[int]:
        async with workspace.pool(size=1, **options) as pool:
            return [await pool.call(workspace.call("jobs:nap"), workspace.on_output) for _ in range(4)]

    assert len(set(asyncio.run(pids(calls=2)))) == 2
    assert len(set(asyncio.run(pids(memory=1)))) == 4
    assert len(set(asyncio.run(pids()))) == 1


def test_an_idle_host_ends(workspace: Workspace) -> None:
    async def story() -> None:
        async with workspace.pool(idle=0.1) as pool:
            pid = await pool.call(workspace.call("jobs:nap"), workspace.on_output)
            await wait_for(lambda: not psutil.pid_exists(pid))

    asyncio.run(story())


def test_a_host_that_cannot_start_says_why(workspace: Workspace) -> None:
    async def story(python: str) -> None:
        async with workspace.pool(python=python) as pool:
            await pool.call(workspace.call("jobs:add", a=1), workspace.on_output)

    with pytest.raises(StepError, match="there is no program `/no/python`"):
        asyncio.run(story("/no/python"))
    with pytest.raises(StepError, match="ended during the call, with exit code 1"):
        asyncio.run(story("/bin/false"))


def test_large_arguments_and_results_pass(workspace: Workspace) -> None:
    assert workspace.ask("jobs:add", a="x" * 3_000_000, b="€") == "x" * 3_000_000 + "€"


def test_the_death_of_the_daemon_ends_the_hosts_and_what_they_started(workspace: Workspace) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from rota.engine.hosts import HostPool
        from rota.ports.processes import HostCall

        async def main(path):
            pool = HostPool({"PATH": sys.argv[2], "ROTA_TEST": str(path)})
            call = lambda name: pool.call(HostCall(f"jobs:{name}", paths=(path,)), lambda s, d: print(d, flush=True))
            await asyncio.gather(call("nap"), call("nap"))  # one of the two hosts stays idle
            await asyncio.gather(call("deaf"), call("spin"), call("nap"))

        asyncio.run(main(Path(sys.argv[1])))
    """)
    argv = [sys.executable, "-c", program, str(workspace.path), PATH]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        said = 0
        while said < 2:
            line = daemon.stdout.readline()
            assert line
            said += line.count(b"spinning")
        assert len(workspace.survivors()) >= 4
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(10)
        asyncio.run(wait_for(lambda: not workspace.survivors()))


def test_no_descriptor_is_left_open(workspace: Workspace) -> None:
    me = psutil.Process()

    async def story() -> None:
        async with workspace.pool() as pool:
            for target in ("jobs:nap", "jobs:killed", "jobs:background"):
                with suppress(StepError):
                    await pool.call(workspace.call(target), workspace.on_output)

    asyncio.run(story())
    before = me.num_fds()
    asyncio.run(story())
    assert me.num_fds() <= before

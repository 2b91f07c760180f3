"""Commands: nothing that they start survives them, whatever it does to hide."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from rota.engine import process_table, spawner
from rota.engine.process_tree import FAMILY, become_subreaper
from rota.engine.spawner import Spawner
from rota.model.errors import StepError
from rota.ports.processes import Command, Exit, OnOutput

T = TypeVar("T")
PATH = os.environ.get("PATH", os.defpath)
# Seconds that tell an end from a wait for a `sleep 300`, on the slowest machine.
HUNG = 150.0

# Leaves its session, forks twice, ignores SIGTERM, keeps the pipes open.
ESCAPE = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(300)
    os._exit(0)
while not os.path.exists(sys.argv[1]) or not os.path.getsize(sys.argv[1]):
    time.sleep(0.01)
print("escaped", flush=True)
"""

# Helper processes on systems that lack something.
SCAN = "import rota.engine.spawner_child as child; child.become_subreaper = lambda: False"
PORTABLE = "from rota.engine import process_table as table; table._has_proc, table.PIDFD = False, None"
HELPERS = {"scan": f"{SCAN}; child.main()", "portable": f"{SCAN}; {PORTABLE}; child.main()"}


@pytest.fixture(params=["subreaper", "scan", "portable"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ways to find leftovers: as a subreaper, by /proc alone, and by psutil as on macOS."""
    way = str(request.param)
    if way == "subreaper" and not become_subreaper():
        pytest.skip("no subreapers on this system")
    monkeypatch.setattr(FAMILY, "subreaper", way == "subreaper")
    if way == "portable":
        monkeypatch.setattr(process_table, "_has_proc", False)
        monkeypatch.setattr(process_table, "PIDFD", None)
    if way in HELPERS:
        monkeypatch.setattr(spawner, "PROGRAM", (sys.executable, "-P", "-c", HELPERS[way]))
    return way


class Marked:
    """An environment of a step of its own, and who carries it."""

    def __init__(self) -> None:
        self.run = uuid.uuid4().hex
        self.env = {"PATH": PATH, "ROTA_RUN_ID": self.run, "ROTA_STEP": "a", "ROTA_ATTEMPT": "1"}

    def survivors(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if (
                    process.environ().get("ROTA_RUN_ID") == self.run
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
        return found


@pytest.fixture
def marked() -> Iterator[Marked]:
    marked = Marked()
    yield marked
    for process in marked.survivors():
        process.kill()


SPAWNERS: dict[float, Spawner] = {}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work with spawners of its own."""

    async def whole() -> T:
        try:
            return await work
        finally:
            while SPAWNERS:
                await SPAWNERS.popitem()[1].close()

    return asyncio.run(whole())


async def spawn(command: Command, on_output: OnOutput, grace: float = 2.0) -> Exit:
    if grace not in SPAWNERS:
        SPAWNERS[grace] = Spawner(grace=grace)
    return await SPAWNERS[grace].run(command, on_output)


def collect(into: dict[str, bytearray]) -> Callable[[str, bytes], None]:
    def on_output(stream: str, data: bytes) -> None:
        into.setdefault(stream, bytearray()).extend(data)

    return on_output


async def shell(marked: Marked, script: str, cwd: Path, **kwargs: Any) -> tuple[Exit, dict[str, bytearray]]:
    printed: dict[str, bytearray] = {}
    command = Command(["/bin/sh", "-c", script], cwd, marked.env, **kwargs)
    end = await spawn(command, collect(printed))
    return end, printed


def python(marked: Marked, program: str, cwd: Path, *args: str) -> Command:
    return Command([sys.executable, "-c", program, *args], cwd, marked.env)


async def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def cancel_after(command: Command, condition: Callable[[], object], grace: float) -> float:
    """Run, cancel when the condition holds; how long the cancellation took."""
    task = asyncio.create_task(spawn(command, lambda _s, _d: None, grace=grace))
    await wait_for(condition)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - begun


def test_exit_codes_signals_streams_and_stdin(tmp_path: Path, marked: Marked) -> None:
    end, printed = run(shell(marked, "cat; pwd >&2; exit 3", tmp_path, stdin=b"given" * 100_000))
    assert end == Exit(3)
    assert bytes(printed["stdout"]) == b"given" * 100_000
    assert bytes(printed["stderr"]).decode().strip() == str(tmp_path.resolve())
    end, _ = run(shell(marked, "kill -KILL $$", tmp_path))
    assert end == Exit(None, signal.SIGKILL)
    end, _ = run(shell(marked, "exit 0", tmp_path, stdin=b"nobody reads this" * 100_000))
    assert end == Exit(0)


def test_the_environment_is_the_given_one_and_stdin_is_empty(
    tmp_path: Path, marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "1")
    program = "import os, sys; print(sorted(os.environ)); print(repr(sys.stdin.read()))"
    printed: dict[str, bytearray] = {}
    run(spawn(python(marked, program, tmp_path), collect(printed)))
    names, stdin = printed["stdout"].decode().splitlines()
    assert set(marked.env) <= set(eval(names)) <= {*marked.env, "LC_CTYPE"}  # noqa: S307 # our own child's words
    assert stdin == "''"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["no-such-program-at-all"], "there is no program `no-such-program-at-all`"),
        (["./missing"], "there is no program `./missing`"),
        (["./plain.txt"], "`./plain.txt` may not be executed"),
        (["./no-shebang"], "is not a program that this system can run"),
        (["./lost-interpreter"], "names an interpreter that is not there"),
        (["/bin/echo", "nul\0"], "could not be started"),
        (["/bin/echo", "x" * 5_000_000], "too long"),
        ([], "no command"),
    ],
)
def test_what_cannot_start_says_why(tmp_path: Path, marked: Marked, argv: list[str], words: str) -> None:
    (tmp_path / "plain.txt").write_text("text")
    (tmp_path / "no-shebang").write_text("echo hello\n")
    (tmp_path / "no-shebang").chmod(0o755)
    (tmp_path / "lost-interpreter").write_text("#!/no/such/interpreter\n")
    (tmp_path / "lost-interpreter").chmod(0o755)
    with pytest.raises(StepError, match=re.escape(words)) as caught:
        run(spawn(Command(argv, tmp_path, marked.env), lambda _s, _d: None))
    assert caught.value.permanent
    assert "\n" not in caught.value.message


def test_a_missing_folder_says_so(tmp_path: Path, marked: Marked) -> None:
    with pytest.raises(StepError, match="folder to run in is not there"):
        run(shell(marked, "true", tmp_path / "gone"))


def test_a_setsid_double_fork_that_ignores_sigterm_does_not_outlive_its_step(
    tmp_path: Path, marked: Marked, system: str
) -> None:
    printed: dict[str, bytearray] = {}
    begun = time.monotonic()
    command = python(marked, ESCAPE, tmp_path, str(tmp_path / "pid"))
    end = run(spawn(command, collect(printed)))
    assert end == Exit(0)
    assert printed["stdout"] == b"escaped\n"
    assert marked.survivors() == []
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text())) or system != "subreaper"
    assert time.monotonic() - begun < HUNG


def test_nothing_survives_a_cancellation(tmp_path: Path, marked: Marked, system: str) -> None:
    program = f"{ESCAPE}\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.system('sleep 300')"
    command = python(marked, program, tmp_path, str(tmp_path / "pid"))
    took = run(cancel_after(command, lambda: len(marked.survivors()) >= 3, 0.3))
    assert marked.survivors() == []
    assert took < HUNG


def test_one_that_hides_its_environment_too_is_found_by_a_subreaper(tmp_path: Path, marked: Marked) -> None:
    if not become_subreaper():
        pytest.skip("no subreapers on this system")
    hidden = tmp_path / "pid"
    script = f"setsid env -i /bin/sh -c 'echo $$ > {hidden}; exec sleep 300' & while [ ! -s {hidden} ]; do sleep 0.02; done"
    end, _ = run(shell(marked, script, tmp_path))
    assert end == Exit(0)
    assert not psutil.pid_exists(int(hidden.read_text()))


def test_a_background_child_that_holds_the_pipe_does_not_hang_the_step(
    tmp_path: Path, marked: Marked, system: str
) -> None:
    begun = time.monotonic()
    end, printed = run(shell(marked, "sleep 300 & echo done", tmp_path))
    assert end == Exit(0)
    assert printed["stdout"] == b"done\n"
    assert time.monotonic() - begun < HUNG
    assert marked.survivors() == []


def test_a_process_that_ends_on_sigterm_may_have_its_last_words(tmp_path: Path, marked: Marked) -> None:
    async def story() -> bytes:
        printed: dict[str, bytearray] = {}
        script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
        command = Command(["/bin/sh", "-c", script], tmp_path, marked.env)
        task = asyncio.create_task(spawn(command, collect(printed), grace=10))
        await wait_for(lambda: printed)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return bytes(printed["stdout"])

    assert run(story()) == b"ready\nbye\n"


def test_a_second_cancellation_does_not_shorten_the_sweep(tmp_path: Path, marked: Marked) -> None:
    async def story() -> None:
        script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
        printed: dict[str, bytearray] = {}
        command = Command(["/bin/sh", "-c", script], tmp_path, marked.env)
        task = asyncio.create_task(spawn(command, collect(printed), grace=0.5))
        await wait_for(lambda: printed)
        for _ in range(5):
            task.cancel()
            await asyncio.sleep(0.02)
            assert not task.done()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(story())
    assert marked.survivors() == []


def test_a_loop_that_shuts_down_leaves_nothing_behind(tmp_path: Path, marked: Marked) -> None:
    async def story() -> None:
        script = "trap '' TERM; while :; do sleep 0.05; done"
        command = Command(["/bin/sh", "-c", script], tmp_path, marked.env)
        left = asyncio.create_task(Spawner(grace=0.2).run(command, lambda _s, _d: None))
        await wait_for(marked.survivors)
        assert not left.done()

    run(story())
    assert marked.survivors() == []


def test_processes_that_keep_replacing_themselves_are_ended(tmp_path: Path, marked: Marked) -> None:
    # A handful of lines of descent, each leaving its session and replacing itself; bounded in number and time.
    chain = """
import os, time
end = time.monotonic() + 20
for _ in range(5):
    if os.fork() == 0:
        break
else:
    time.sleep(20)
    os._exit(0)
while time.monotonic() < end:
    time.sleep(0.05)
    if os.fork():
        os._exit(0)
    os.setsid()
"""
    # Six, of which a slow look misses those that replace themselves meanwhile.
    run(cancel_after(python(marked, chain, tmp_path), lambda: len(marked.survivors()) > 3, 0.3))
    assert marked.survivors() == []


def test_200_mb_of_output_pass_in_bounded_memory(tmp_path: Path, marked: Marked) -> None:
    me = psutil.Process()
    seen = {"bytes": 0, "peak": 0}

    def on_output(_stream: str, data: bytes) -> None:
        before = seen["bytes"]
        seen["bytes"] += len(data)
        if before // 10_000_000 != seen["bytes"] // 10_000_000:
            seen["peak"] = max(seen["peak"], me.memory_info().rss)

    start = me.memory_info().rss
    command = Command(["/bin/sh", "-c", "head -c 200000000 /dev/zero"], tmp_path, marked.env)
    assert run(spawn(command, on_output)) == Exit(0)
    assert seen["bytes"] == 200_000_000
    assert seen["peak"] - start < 50_000_000


def test_an_error_in_the_consumer_ends_the_tree_and_is_raised(tmp_path: Path, marked: Marked) -> None:
    def broken(_stream: str, _data: bytes) -> None:
        raise ValueError("cannot take it")

    command = Command(["/bin/sh", "-c", "echo x; sleep 300"], tmp_path, marked.env)
    with pytest.raises(ValueError, match="cannot take it"):
        run(spawn(command, broken, grace=0.2))
    assert marked.survivors() == []


def test_many_at_once_each_with_its_own_end(tmp_path: Path, system: str) -> None:
    async def story() -> list[tuple[Exit, dict[str, bytearray]]]:
        return await asyncio.gather(*(shell(Marked(), f"echo {n}; exit {n}", tmp_path) for n in range(30)))

    for number, (end, printed) in enumerate(run(story())):
        assert end == Exit(number)
        assert printed["stdout"] == f"{number}\n".encode()


def test_the_end_of_one_step_does_not_touch_the_children_of_another(
    tmp_path: Path, marked: Marked, system: str
) -> None:
    other = Marked()

    async def story() -> None:
        script = f"{ESCAPE}\ntime.sleep(300)"
        long = asyncio.create_task(
            spawn(python(other, script, tmp_path, str(tmp_path / "pid")), lambda _s, _d: None, grace=0.2)
        )
        await wait_for(lambda: len(other.survivors()) == 2)
        short = Command(["/bin/sh", "-c", "sleep 300 & true"], tmp_path, marked.env)
        assert await spawn(short, lambda _s, _d: None, grace=0.2) == Exit(0)
        assert len(other.survivors()) == 2
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long

    run(story())
    assert other.survivors() == []


def test_other_code_of_this_process_keeps_its_children_and_their_ends(tmp_path: Path, marked: Marked) -> None:
    become_subreaper()
    mine = subprocess.Popen(["/bin/sh", "-c", "exit 7"], stdin=subprocess.DEVNULL)
    time.sleep(0.1)
    run(shell(marked, "sleep 300 & true", tmp_path))
    assert mine.wait(5) == 7


def test_a_sweep_ends_all_that_is_marked_and_nothing_else(
    tmp_path: Path, marked: Marked, system: str
) -> None:
    here, there = str(tmp_path), str(tmp_path / "other")
    sleeper = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    env = {**marked.env, "ROTA_WORKSPACE": here}
    lost = [subprocess.Popen(sleeper, env=env) for _ in range(2)]
    elsewhere = subprocess.Popen(sleeper, env={**env, "ROTA_WORKSPACE": there})
    longer_name = subprocess.Popen(sleeper, env={**env, "ROTA_WORKSPACE": f"{here}x"})
    try:
        swept = run(Spawner(grace=0.2).sweep({"ROTA_WORKSPACE": here, "ROTA_RUN_ID": marked.run}))
        assert swept >= 2
        assert [process.wait(5) for process in lost] == [-signal.SIGKILL] * 2
        assert elsewhere.poll() is None
        assert longer_name.poll() is None
        assert run(Spawner().sweep({})) == 0
    finally:
        for process in (*lost, elsewhere, longer_name):
            process.kill()
            process.wait()


def test_no_descriptor_is_left_open(tmp_path: Path, marked: Marked) -> None:
    me = psutil.Process()

    async def story() -> tuple[int, int]:
        await shell(marked, "echo warm", tmp_path, stdin=b"x")
        before = me.num_fds()
        for _ in range(5):
            await shell(marked, "sleep 300 & echo x", tmp_path, stdin=b"x")
            with pytest.raises(StepError):
                await spawn(Command(["nowhere"], tmp_path, marked.env), lambda _s, _d: None)
        return before, me.num_fds()

    before, after = run(story())
    assert after <= before

"""The spawner: whoever is killed, daemon or spawner or both, no command goes on."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.rota import alive
from tests.support.spawning import (
    LINUX,
    Scene,
    helper,
    helpers,
    nothing,
    start_stubborn,
    until,
    wait_for,
    with_spawner,
)

from rota.engine import spawner as spawner_module
from rota.engine.process_tree import FAMILY, become_subreaper
from rota.engine.spawner import Spawner
from rota.model.errors import StepError
from rota.ports.processes import Command, Exit

PUT = """
import os, time
every = bytes(range(256))
def put(fd, data):
    while data:
        data = data[os.write(fd, data):]
"""
# Seconds that tell an end from a wait for a `sleep 300`, on the slowest machine.
HUNG = 150.0


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    for process in scene.running():
        process.kill()


@pytest.fixture
def subreaper() -> Iterator[None]:
    """This process is one, as the daemon is."""
    before = FAMILY.subreaper
    become_subreaper()
    yield
    FAMILY.subreaper = before


def test_kill_9_of_the_daemon_ends_what_it_had_started(scene: Scene) -> None:
    daemon = start_stubborn(scene, hide=LINUX)
    spawner = daemon.spawner()
    daemon.kill()
    wait_for(lambda: not scene.running())
    wait_for(lambda: not alive(spawner.pid))


def test_kill_9_of_the_spawner_is_noticed_at_once_and_leaves_nothing(scene: Scene, subreaper: None) -> None:
    async def story(spawner: Spawner) -> tuple[list[Exit | BaseException], float, Exit]:
        commands = [scene.stubborn(number, hide=FAMILY.subreaper) for number in range(3)]
        runs = [asyncio.create_task(spawner.run(command, nothing)) for command in commands]
        await until(lambda: len(scene.pids()) == (12 if FAMILY.subreaper else 9))
        begun = time.monotonic()
        helper().kill()
        ends = await asyncio.gather(*runs, return_exceptions=True)
        took = time.monotonic() - begun
        assert scene.running() == []
        return ends, took, await spawner.run(scene.shell("exit 3"), nothing)

    ends, took, after = with_spawner(story)
    for end in ends:
        assert isinstance(end, StepError)
        assert (end.code, end.permanent) == ("spawner_ended", False)
        assert "the spawner ended" in end.message
    assert took < HUNG
    assert after == Exit(3)
    assert helpers(psutil.Process()) == []


def test_kill_9_of_both_leaves_what_the_next_start_finds(scene: Scene) -> None:
    daemon = start_stubborn(scene, hide=False)
    daemon.process.send_signal(signal.SIGSTOP)  # so that it cannot mend anything
    daemon.spawner().kill()
    daemon.kill()
    time.sleep(0.1)
    assert len(scene.running()) >= 9
    swept = asyncio.run(Spawner(grace=0.2).sweep({"ROTA_RUN_ID": scene.run_id}))
    assert swept >= 9
    assert scene.running() == []


def test_a_spawner_that_hangs_does_not_hang_a_cancellation(
    scene: Scene, subreaper: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.engine.spawner._PATIENCE", 0.5)

    async def story(spawner: Spawner) -> None:
        run = asyncio.create_task(spawner.run(scene.shell("trap '' TERM; sleep 300"), nothing))
        await until(scene.running)
        helper().suspend()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert scene.running() == []
        assert await spawner.run(scene.shell("true"), nothing) == Exit(0)

    with_spawner(story, grace=0.2)


@pytest.mark.parametrize("first", [True, False])
def test_what_is_killed_first_does_nothing_more_while_the_rest_gets_its_grace(
    scene: Scene, *, first: bool
) -> None:
    inner = "trap 'touch inner; exit' TERM; touch ready; while :; do sleep 0.05; done"
    outer = f"({inner}) & trap 'touch outer; exit' TERM; while :; do sleep 0.05; done"

    async def story(spawner: Spawner) -> None:
        run = asyncio.create_task(spawner.run(scene.shell(outer, kill_first=first), nothing))
        await until((scene.path / "ready").exists)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    with_spawner(story, grace=10.0)
    assert (scene.path / "inner").exists()
    assert (scene.path / "outer").exists() != first
    assert scene.running() == []


def test_signals_meant_for_the_daemon_neither_end_the_spawner_nor_deafen_commands(scene: Scene) -> None:
    async def story(spawner: Spawner) -> None:
        run = asyncio.create_task(spawner.run(scene.shell("sleep 0.5; kill -TERM $$"), nothing))
        await until(scene.running)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            helper().send_signal(number)
        assert await run == Exit(None, signal.SIGTERM)

    with_spawner(story)


def test_fifty_commands_at_once_by_one_spawner(scene: Scene) -> None:
    async def one(spawner: Spawner, number: int) -> None:
        printed = bytearray()

        def on_output(_stream: str, data: bytes) -> None:
            printed.extend(data)

        command = scene.shell(f"cat; sleep 0.2; exit {number}", stdin=f"given {number}".encode())
        assert await spawner.run(command, on_output) == Exit(number)
        assert printed == f"given {number}".encode()

    async def story(spawner: Spawner) -> None:
        await asyncio.gather(*(one(spawner, number) for number in range(50)))

    with_spawner(story)


def test_fifty_cancelled_at_once_by_one_spawner(scene: Scene) -> None:
    async def story(spawner: Spawner) -> None:
        command = scene.command("sleep", "300")
        runs = [asyncio.create_task(spawner.run(command, nothing)) for _ in range(50)]
        await until(lambda: len(scene.running()) == 50)
        for run in runs:
            run.cancel()
        await asyncio.wait(runs)
        assert all(run.cancelled() for run in runs)
        assert scene.running() == []

    with_spawner(story)


def test_200_mb_of_output_do_not_pass_through_the_spawner(scene: Scene) -> None:
    seen = 0

    def on_output(_stream: str, data: bytes) -> None:
        nonlocal seen
        seen += len(data)

    async def story(spawner: Spawner) -> int:
        await spawner.run(scene.shell("head -c 200000000 /dev/zero"), on_output)
        return int(helper().memory_info().rss)

    resident = with_spawner(story)
    assert seen == 200_000_000
    assert resident < 60_000_000  # 14 MB by itself; the margin is for what measures coverage


def test_a_spawner_that_cannot_start_says_so(scene: Scene) -> None:
    async def story(spawner: Spawner) -> None:
        await spawner.run(scene.shell("true"), nothing)

    with pytest.raises(StepError, match="the spawner could not be started"):
        with_spawner(story, program=["/no/python"])
    with pytest.raises(StepError, match="the spawner ended"):
        with_spawner(story, program=["/bin/false"])


def test_a_program_is_looked_for_as_a_shell_would(scene: Scene) -> None:
    """In the PATH of its own environment, from its own folder, past what cannot be executed."""
    for folder, text, mode in (("one", "no program", 0o644), ("two", "#!/bin/sh\necho two\nexit 3\n", 0o755)):
        (scene.path / folder).mkdir()
        (scene.path / folder / "tool").write_text(text)
        (scene.path / folder / "tool").chmod(mode)
    printed: list[bytes] = []

    async def story(spawner: Spawner) -> list[Exit | str]:
        found: list[Exit | str] = []
        for program, path in (
            ("tool", "none:one:two:/bin"),
            ("two/tool", ""),
            ("tool", "one"),
            ("tool", "none"),
        ):
            command = Command((program,), scene.path, {"PATH": path}, None)
            try:
                found.append(await spawner.run(command, lambda _stream, data: printed.append(data)))
            except StepError as error:
                found.append(error.message)
        return found

    assert with_spawner(story) == [
        Exit(3), Exit(3), "`tool` may not be executed", "there is no program `tool`",
    ]  # fmt: skip
    assert b"".join(printed) == b"two\ntwo\n"


@pytest.mark.parametrize(
    ("script", "stdout", "stderr"),
    [
        ("pass", 0, 0),
        ("put(1, every); put(2, every)", 1, 1),
        ("put(1, every * 60); put(2, every)", 60, 1),  # 15 KB: still part of the answer
        ("put(1, every * 70)", 70, 0),  # more than that, at once
        ("put(1, every * 250); put(2, every * 250)", 250, 250),  # as much as the pipes hold
        ("put(1, every * 4000)", 4000, 0),  # more: it waits until somebody reads
        ("put(1, every); time.sleep(0.1); put(1, every); put(2, every)", 2, 1),
        ("put(1, every); os.close(1); time.sleep(0.1); put(2, every)", 1, 1),
    ],
)
def test_what_a_command_prints_comes_whole_however_much_and_however_fast(
    scene: Scene, script: str, stdout: int, stderr: int
) -> None:
    every = bytes(range(256))
    came: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def on_output(stream: str, data: bytes) -> None:
        came[stream] += data

    async def story(spawner: Spawner) -> Exit:
        return await spawner.run(scene.python(PUT + script), on_output)

    assert with_spawner(story) == Exit(0)
    assert came == {"stdout": every * stdout, "stderr": every * stderr}


def test_what_outlives_a_quick_command_may_print_much_when_it_is_asked_to_end(scene: Scene) -> None:
    program = """
import signal
ready, go = os.pipe()
if os.fork():
    os.read(ready, 1)
    os._exit(0)
def last_words(*_):
    put(1, every * 1000)
    os._exit(0)
signal.signal(signal.SIGTERM, last_words)
os.write(go, b"x")
time.sleep(300)
"""
    came = bytearray()

    async def story(spawner: Spawner) -> Exit:
        return await spawner.run(scene.python(PUT + program), lambda _stream, data: came.extend(data))

    assert with_spawner(story, leftover_grace=30.0) == Exit(0)
    assert len(came) == 256_000


def test_where_no_more_files_can_be_opened_a_command_that_goes_on_is_ended_and_says_so(scene: Scene) -> None:
    async def story(spawner: Spawner) -> None:
        assert await spawner.run(scene.shell("exit 3"), nothing) == Exit(3)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(200)]  # no number below the highest is free
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
        try:
            with pytest.raises(StepError, match="too many files are open") as raised:
                await spawner.run(scene.shell("echo begun; sleep 300"), nothing)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in spare:
                os.close(fd)
        assert not raised.value.permanent
        assert scene.running() == []
        assert await spawner.run(scene.shell("sleep 0.05; exit 5"), nothing) == Exit(5)

    with_spawner(story)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with two processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_under_pressure_a_second_spawner_helps_and_the_death_of_one_is_not_the_others(
    scene: Scene, two: None
) -> None:
    async def story(spawner: Spawner) -> list[Exit | BaseException]:
        await spawner.run(scene.shell("true"), nothing)
        runs: list[asyncio.Task[Exit]] = []

        async def second_has_some() -> bool:
            runs.extend(
                asyncio.create_task(spawner.run(scene.shell("sleep 3; exit 3"), nothing)) for _ in range(10)
            )
            await asyncio.sleep(0.1)
            return len(helpers(psutil.Process())) == 2 and all(
                one.children() for one in helpers(psutil.Process())
            )

        for _ in range(100):
            if await second_has_some():
                break
        max(helpers(psutil.Process()), key=lambda one: one.create_time()).kill()
        done: list[Exit | BaseException] = list(await asyncio.gather(*runs, return_exceptions=True))
        assert scene.running() == []
        return done

    done = with_spawner(story)
    ends = [end for end in done if end == Exit(3)]
    lost = [end for end in done if isinstance(end, StepError) and end.code == "spawner_ended"]
    assert len(ends) + len(lost) == len(done)
    assert lost, "what it had started was ended"
    assert ends, "what the other had started goes on"


def test_a_second_spawner_that_nobody_needs_any_more_is_ended(
    scene: Scene, two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawner_module, "IDLE", 0.5)

    async def story(spawner: Spawner) -> None:
        await spawner.run(scene.shell("true"), nothing)
        runs = [asyncio.create_task(spawner.run(scene.shell("sleep 2"), nothing)) for _ in range(50)]
        await until(lambda: len(helpers(psutil.Process())) == 2)
        await asyncio.gather(*runs)
        await until(lambda: len(helpers(psutil.Process())) == 1)
        assert await spawner.run(scene.shell("exit 7"), nothing) == Exit(7)

    with_spawner(story)


def test_what_is_cancelled_before_it_was_started_is_not_started(scene: Scene) -> None:
    async def story(spawner: Spawner) -> None:
        assert await spawner.run(scene.shell("true"), nothing) == Exit(0)
        helper().suspend()  # it is busy with something else
        command = scene.shell("echo >> started; sleep 300")
        runs = [asyncio.create_task(spawner.run(command, nothing)) for _ in range(30)]
        await asyncio.sleep(0.01)
        for run in runs:
            run.cancel()
        await asyncio.sleep(0.01)
        helper().resume()
        await asyncio.wait(runs)
        assert all(run.cancelled() for run in runs)
        assert await spawner.run(scene.shell("exit 3"), nothing) == Exit(3)

    with_spawner(story)
    assert not (scene.path / "started").exists()

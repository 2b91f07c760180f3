"""Hosts under limits and under pressure: a call is ended for itself alone, and a slow one holds up no other."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from tests.support.rota import Rota
from tests.support.spawning import until, wait_for

from rota.engine.hosts import HostPool
from rota.model.errors import StepError
from rota.model.job import ProcessLimits
from rota.ports.processes import HostCall

T = TypeVar("T")
FUNCTIONS = """
import os, pathlib, resource, subprocess, sys, time

def add(a, b): return a + b
def hold(megabytes):
    child = f"import time; held = bytearray({megabytes} * 1_000_000); time.sleep(300)"
    subprocess.run([sys.executable, "-c", child])
def crowd():
    for _ in range(8): subprocess.Popen(["sleep", "300"], start_new_session=True)
    time.sleep(300)
def files(): return [*resource.getrlimit(resource.RLIMIT_NOFILE), os.getpid()]
def nap():
    with open("naps", "a") as file: file.write(f"{os.getpid()}\\n")
    while not pathlib.Path("release").exists(): time.sleep(0.05)
    return os.getpid()
"""


class Functions:
    """A folder of functions, and a pool that calls them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marker = uuid.uuid4().hex
        (path / "functions.py").write_text(FUNCTIONS)

    def call(self, name: str, limits: ProcessLimits | None = None, **kwargs: Any) -> HostCall:
        return HostCall(f"functions:{name}", kwargs, {}, self.path, (self.path,), (self.path,), limits)

    def tell(self, story: Callable[[HostPool], Coroutine[Any, Any, T]], **options: Any) -> T:
        async def all_of_it() -> T:
            env = {"PATH": os.environ.get("PATH", os.defpath), "ROTA_TEST": self.marker}
            pool = HostPool(env, grace=0.3, **options)
            try:
                return await story(pool)
            finally:
                await pool.close()

        return asyncio.run(all_of_it())

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("ROTA_TEST") == self.marker and process.status() != "zombie":
                    found.append(process)
        return found


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Functions]:
    functions = Functions(tmp_path)
    yield functions
    for process in functions.processes():
        process.kill()


def drop(_stream: str, _data: bytes) -> None:
    pass


@pytest.mark.parametrize(
    ("name", "kwargs", "words"),
    [
        ("hold", {"megabytes": 400}, "limit: out of memory (150 MB)"),
        ("crowd", {}, "limit: too many processes (more than 5)"),
    ],
)
def test_a_call_beyond_its_limits_is_ended_and_says_by_which(
    functions: Functions, name: str, kwargs: dict[str, int], words: str
) -> None:
    limits = ProcessLimits(memory=150_000_000, processes=5)

    async def story(pool: HostPool) -> None:
        other = asyncio.create_task(pool.call(functions.call("nap"), drop))
        with pytest.raises(StepError) as error:
            await pool.call(functions.call(name, limits, **kwargs), drop)
        assert (str(error.value), error.value.code) == (words, "limit")
        (functions.path / "release").touch()
        assert await other, "the others go on"
        assert await pool.call(functions.call("add", limits, a=1, b=2), drop) == 3

    functions.tell(story)
    wait_for(lambda: not functions.processes())


def test_open_files_are_limited_for_one_call_alone(functions: Functions) -> None:
    async def story(pool: HostPool) -> None:
        first, hard, host = await pool.call(functions.call("files"), drop)
        limited = await pool.call(functions.call("files", ProcessLimits(open_files=64)), drop)
        assert limited[:2] == [64, 64]
        assert await pool.call(functions.call("files"), drop) == [first, hard, host], (
            "the warm one is as it was"
        )
        assert limited[2] != host

    functions.tell(story)


def test_slow_calls_do_not_hold_up_the_others_and_their_hosts_go_again(functions: Functions) -> None:
    (functions.path / "naps").touch()

    async def story(pool: HostPool) -> None:
        naps = [asyncio.create_task(pool.call(functions.call("nap"), drop)) for _ in range(6)]
        assert await pool.call(functions.call("add", a=1, b=2), drop) == 3
        await until(lambda: len((functions.path / "naps").read_text().splitlines()) == 6)
        (functions.path / "release").touch()
        assert len(set(await asyncio.gather(*naps))) == 6
        await until(lambda: len(functions.processes()) <= 2)

    functions.tell(story, size=2, most=lambda: 10)


def test_the_limits_of_a_job_hold_for_its_functions(rota: Rota) -> None:
    rota.write("functions.py", FUNCTIONS)
    rota.job("greedy", "python: functions:hold\nargs: {megabytes: 400}\nlimits: {memory: 150MB}\n")
    rota("run", "greedy", "--wait", code=1)
    run = rota.runs("greedy")[0]
    assert run["state"] == "failed"
    assert "limit: out of memory (150 MB)" in run["reason"]["text"]
    assert rota.children() == []

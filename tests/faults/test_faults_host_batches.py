"""Batches: many calls in one host, of which each has its own output and error, and none pays for another."""

from __future__ import annotations

import asyncio
import os
import textwrap
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest
from tests.support.rota import alive

from rota.engine.host_batches import Printed
from rota.engine.hosts import HostPool
from rota.ports.batches import Answer, BatchCall, HostBatch

JOBS = """
import os, subprocess, sys, threading, time

def noop(): pass
def add(a, b): return a + b
def short(): time.sleep(0.04)
def say(n): print("out", n); os.write(2, b"err %d\\n" % n); print("no newline", end=""); return os.environ["ROTA_RUN_ID"]
def child(): subprocess.run(["echo", "from a child"])
def fail(): raise KeyError("the key")
def die(): print("last words", flush=True); os._exit(9)
def leave(): subprocess.Popen(["sleep", "300"], start_new_session=True)
def thread(): threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
def slow(): time.sleep(2); return "slow"
def forever(): subprocess.Popen(["sleep", "300"]); time.sleep(300)
def litter(): os.environ["LITTER"] = "1"; os.environ.pop("A"); sys.path.insert(0, "/"); os.chdir("/")
def look(): return [os.environ.get("LITTER"), os.environ.get("A"), sys.path[0] == "/", os.getcwd(), os.getpid()]
def fork():
    if os.fork() == 0: return "the child came back"
    os.wait()
    return "the parent"
def flood(): sys.stdout.write("x" * 3_000_000)
"""


@dataclass
class Told:
    """What the pool said about a batch."""

    answers: dict[int, Answer] = field(default_factory=dict)
    output: dict[int, bytes] = field(default_factory=dict)
    back: list[int] = field(default_factory=list)

    @property
    def results(self) -> list[Any]:
        return [self.answers[number].result for number in sorted(self.answers)]

    def error(self, number: int) -> str:
        error = self.answers[number].error
        return "" if error is None else str(error)


class Pool:
    """A pool on a folder with JOBS in it."""

    def __init__(self, root: Path) -> None:
        (root / "work.py").write_text(textwrap.dedent(JOBS))
        self.root = root
        self.pool = HostPool({"PATH": os.environ["PATH"], "A": "of the host"}, size=2, grace=0.5)

    async def __call__(self, *names: str, timeout: float = 60.0, **kwargs: Any) -> Told:  # noqa: ASYNC109 # a call's own
        told = Told()
        calls = [
            BatchCall(f"work:{name}", kwargs, {"ROTA_RUN_ID": f"run-{number}"}, timeout)
            for number, name in enumerate(names)
        ]

        def printed(number: int, stream: str, data: bytes) -> None:
            told.output[number] = told.output.get(number, b"") + data

        batch = HostBatch(
            calls, {"A": "1"}, self.root, [self.root], [self.root], printed, told.answers.__setitem__, told.back.append
        )  # fmt: skip
        await self.pool.call_many(batch)
        return told


def at_work() -> list[psutil.Process]:
    """Our descendants that have not ended; a zombie may be ours because another file's tests made us a subreaper."""
    return [child for child in psutil.Process().children(recursive=True) if alive(child.pid)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def story(root: Path, tell: Any, *, slow: float = 20.0) -> None:
    """`slow`: seconds; on a busy machine a quick call may take longer than rota would wait for it."""

    async def all_of_it() -> None:
        pool = Pool(root)
        try:
            async with asyncio.timeout(100):
                told: Coroutine[Any, Any, None] = tell(pool)
                await told
        finally:
            await pool.pool.close()

    with patch("rota.engine.host_batches.SLOW", slow):
        asyncio.run(all_of_it())


def test_each_call_has_its_own_answer_and_output(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        told = await pool("noop", "child", "noop")
        assert told.results == [None, None, None]
        assert told.output == {1: b"from a child\n"}
        told = await pool("say", "say", n=7)
        assert told.results == ["run-0", "run-1"]
        for number in (0, 1):
            assert all(
                told.output[number].count(part) == 1 for part in (b"out 7\n", b"err 7\n", b"no newline")
            )
        assert told.answers[1].started_at >= told.answers[0].finished_at
        told = await pool("flood")
        assert {number: len(data) for number, data in told.output.items()} == {0: 3_000_000}

    story(root, tell)


def test_a_call_that_fails_fails_alone(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        told = await pool("noop", "fail", "nothing_of_the_kind", "noop")
        assert [told.error(number) for number in range(4)] == [
            "", "KeyError: 'the key'", "`work` has no function `nothing_of_the_kind`", "",
        ]  # fmt: skip
        assert b"Traceback" in told.output[1]
        assert b"host_batch" not in told.output[1], "only the user's own frames"

    story(root, tell)


def test_a_call_that_ends_its_host_fails_alone(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        told = await pool("noop", "die", "noop")
        assert told.error(0) == ""
        assert "ended during the call, with exit code 9" in told.error(1)
        assert told.output[1] == b"last words\n"
        assert (2 in told.answers, told.back) == (False, [2])

    story(root, tell)


def test_a_slow_call_gives_the_others_back(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        await pool("noop")
        told = await pool("noop", "slow", "noop", "noop")
        assert told.results == [None, "slow"]
        assert told.back == [2]

    story(root, tell, slow=0.5)


def test_quick_calls_are_quick_however_long_all_of_them_take(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        await pool("noop")  # the host is there
        told = await pool(*["short"] * 40)
        assert sorted(told.answers) == list(range(40))
        assert told.back == []

    story(root, tell, slow=1.0)


def test_a_call_that_takes_too_long_ends_with_all_that_it_started(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        await pool("noop")
        told = await pool("noop", "forever", "noop", timeout=2.0)
        assert told.answers[1].error is not None
        assert told.answers[1].error.code == "timeout"
        assert told.back == [2]

    story(root, tell, slow=0.5)
    assert not [p for p in at_work() if "sleep" in p.name()]


@pytest.mark.parametrize("untidy", ["leave", "thread", "litter"])
def test_what_a_call_leaves_behind_meets_no_other(root: Path, untidy: str) -> None:
    async def tell(pool: Pool) -> None:
        told = await pool("look", untidy, "look")
        assert told.back == [2], "the next call does not begin there"
        before = told.results[0]
        after = (await pool("look")).results[0]
        assert after[:4] == before[:4] == [None, "1", False, str(root)]
        assert after[4] != before[4], "that host is gone"

    story(root, tell)
    assert not [p for p in at_work() if "sleep" in p.name()]


def test_a_child_that_comes_back_from_a_fork_says_nothing(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        told = await pool("fork", "noop")
        assert told.results == ["the parent", None]

    story(root, tell)


def test_code_that_was_edited_is_loaded_anew(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        assert (await pool("add", a=1, b=2)).results == [3]
        (root / "work.py").write_text(JOBS.replace("return a + b", "return a * b * 10"))
        assert (await pool("add", a=1, b=2)).results == [20]

    story(root, tell)


def test_cancelling_ends_the_host(root: Path) -> None:
    async def tell(pool: Pool) -> None:
        await pool("noop")
        task = asyncio.create_task(pool("forever", "noop"))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    story(root, tell)
    assert not at_work()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_output_is_told_apart_however_it_is_cut(size: int) -> None:
    mark = b"\x00mark\x00"
    data = b"one\x00" + mark + mark + b"\x00mar" + mark + b"last"
    got: dict[int, bytes] = {}
    printed = Printed(mark, lambda number, part: got.__setitem__(number, got.get(number, b"") + part))
    for at in range(0, len(data), size):
        printed.take(data[at : at + size])
    assert got == {0: b"one\x00", 2: b"\x00mar", 3: b"last"}

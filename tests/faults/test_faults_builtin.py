"""The builtin agent is cut off in the midst of it, and goes on where it stood: nothing is paid for or done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.builtin_agents import Bench, Purse, conversation
from tests.support.model_server import ModelServer, script, serving
from tests.support.rota import command_line

from rota.model.agent import Outcome, Permissions
from rota.ports.agents import AgentRequest, AgentResult

PATIENCE = 60.0
MAY = Permissions(run=("*",), write=("**",), net=("127.0.0.1",))


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path, server: ModelServer) -> Bench:
    return Bench(tmp_path.resolve(), server)


async def cut_off(bench: Bench, request: AgentRequest, when: Callable[[], Awaitable[Any]]) -> None:
    """Begin, and end it as a daemon that dies does: the host and all that it has started go."""
    task = asyncio.create_task(bench.ask(request))
    await when()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def goes_on(bench: Bench, request: AgentRequest) -> AgentResult:
    """The next try: it has the conversation that the state knows of."""
    return await bench.ask(replace(request, session=bench.shelf.kept["run:run-1:ask"]))


async def until(look: Callable[[], Any], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < give_up, f"never came: {what}"
        await asyncio.sleep(0.02)


def test_it_goes_on_at_the_last_finished_turn(bench: Bench) -> None:
    marker, server, purse = "cut-1", bench.server, Purse()
    prompt = script(
        {"calls": [{"name": "write", "args": {"path": "a.md", "content": "once"}}]},
        {"text": "Done.", "before": [{"hang": "headers"}]},
        marker=marker,
    )
    request = AgentRequest(prompt, account=purse, permissions=MAY)

    async def main() -> AgentResult:
        await cut_off(bench, request, lambda: asyncio.to_thread(server.wait_for, marker, turn=1))
        (bench.workspace / "a.md").write_text("changed since")
        return await goes_on(bench, request)

    result = conversation(bench, main())
    assert (result.outcome, result.text) == (Outcome.DONE, "Done.")
    assert [one.turn for one in server.requests_of(marker)] == [0, 1, 1]
    assert len({one.key for one in purse.told}) == 2
    assert (bench.workspace / "a.md").read_text() == "changed since"
    prompts = [part for part in server.requests_of(marker)[-1].body["messages"] if part["role"] == "user"]
    assert sum("STUB:" in str(part) for part in prompts) == 1
    assert "goes on where it was cut off" in bench.said


def test_a_command_whose_outcome_nobody_knows_is_not_run_again(bench: Bench) -> None:
    marker = "cut-2"
    line = "echo x >> ran; sleep 876.5"
    prompt = script({"calls": [{"name": "run", "args": {"command": line}}]}, "I looked.", marker=marker)
    request = AgentRequest(prompt, account=Purse(), permissions=MAY)

    async def main() -> AgentResult:
        await cut_off(bench, request, lambda: until((bench.workspace / "ran").exists, "the command"))
        assert not [one for one in psutil.process_iter(["cmdline"]) if "876.5" in (one.info["cmdline"] or [])]
        return await goes_on(bench, request)

    result = conversation(bench, main())
    assert result.outcome is Outcome.DONE
    assert (bench.workspace / "ran").read_text() == "x\n"
    last = bench.server.requests_of(marker)[-1]
    assert "its outcome is unknown, check before you repeat it" in last.text
    assert [one.turn for one in bench.server.requests_of(marker)] == [0, 1]


def test_what_only_looks_is_done_again(bench: Bench) -> None:
    marker = "cut-3"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        came = threading.Event()

        def answer() -> None:
            first, _ = listening.accept()
            came.set()
            second, _ = listening.accept()
            second.recv(10_000)
            second.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nagain")
            second.close()
            first.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        prompt = script({"calls": [{"name": "fetch", "args": {"url": url}}]}, "Read.", marker=marker)
        request = AgentRequest(prompt, permissions=MAY)

        async def main() -> AgentResult:
            await cut_off(bench, request, lambda: asyncio.to_thread(came.wait, PATIENCE))
            return await goes_on(bench, request)

        result = conversation(bench, main())
        thread.join(PATIENCE)
    assert result.outcome is Outcome.DONE
    assert "again" in bench.server.requests_of(marker)[-1].text


def test_a_response_that_was_kept_and_not_told_of_is_told_of_on_the_way_on(bench: Bench) -> None:
    marker = "cut-4"
    prompt = script({"calls": [{"name": "list", "args": {}}]}, "Done.", marker=marker)

    class Slow(Purse):
        async def paid(self, response: Any) -> str | None:
            if not self.told:
                self.told.append(response)
                await asyncio.sleep(PATIENCE)
            return await super().paid(response)

    purse = Slow()
    request = AgentRequest(prompt, account=purse)

    async def main() -> AgentResult:
        await cut_off(bench, request, lambda: until(lambda: purse.told, "the first response"))
        return await goes_on(bench, request)

    assert conversation(bench, main()).outcome is Outcome.DONE
    assert [one.turn for one in bench.server.requests_of(marker)] == [0, 1]
    keys = [one.key for one in purse.told]
    assert (len(keys), len(set(keys))) == (3, 2)


def test_a_host_that_is_killed_interrupts_the_try_which_can_go_on(bench: Bench) -> None:
    marker = "cut-5"
    prompt = script(
        {"calls": [{"name": "list", "args": {}}]},
        {"text": "Done.", "before": [{"hang": "headers"}]},
        marker=marker,
    )
    request = AgentRequest(prompt, account=Purse())

    async def main() -> tuple[AgentResult, AgentResult]:
        task = asyncio.create_task(bench.ask(request))
        await asyncio.to_thread(bench.server.wait_for, marker, turn=1)
        for child in psutil.Process().children(recursive=True):
            if "rota.engine.host_child" in command_line(child.pid):
                os.kill(child.pid, signal.SIGKILL)
        return await task, await goes_on(bench, request)

    killed, again = conversation(bench, main())
    assert (killed.outcome, killed.turns) == (Outcome.INTERRUPTED, 1)
    assert "SIGKILL" in killed.detail
    assert killed.session is not None
    assert killed.session.open
    assert again.outcome is Outcome.DONE
    assert [one.turn for one in bench.server.requests_of(marker)] == [0, 1, 1]

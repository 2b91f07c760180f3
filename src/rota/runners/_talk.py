"""One talk with a client: its process, its events line by line, every response told to who pays, and its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from rota.model.agent import NO_TOKENS, Outcome, Response, Usage
from rota.model.errors import StepError
from rota.ports.agents import Account, AgentRequest, AgentResult
from rota.ports.commands import Capture
from rota.ports.processes import Command, Exit
from rota.ports.steps import StepContext

_LONGEST_LINE = 32_000_000
_LOOK_EVERY = 0.25
_START = 60.0  # seconds more until a client's first word: node alone takes some on a busy machine
_LAST_WORDS = 20.0  # seconds for a client that has its answer and is over budget to end by itself
# What a shell says of a program that a signal ended, and node and Rust programs that heard of it in time.
_SIGNALLED = frozenset({128 + number for number in (1, 2, 9, 15)})


@dataclass(frozen=True)
class Opened:
    """The client's own id of the conversation."""

    session: str


@dataclass(frozen=True)
class Paid:
    """A response that has to be paid for. `final`: the client asks for no other unless it finds a reason to."""

    response: Response
    final: bool = False


@dataclass(frozen=True)
class Over:
    """Nothing good can come any more: the client is ended, and this is why."""

    result: AgentResult


Happening = str | Opened | Paid | Over


class Reader(Protocol):
    """Makes sense of one client's events."""

    @property
    def asking(self) -> bool:
        """Whether a model has been asked and has not answered to the end."""
        ...

    @property
    def result(self) -> AgentResult | None:
        """What the client says that it came to: outcome, text, detail; None while it has not said."""
        ...

    def read(self, event: Mapping[str, Any]) -> Iterable[Happening]:
        """What one event means; a text is a line for people."""
        ...

    def poll(self) -> Iterable[Happening]:
        """What is learned otherwise than from the stream."""
        ...

    def rest(self) -> Iterable[Paid]:
        """What was used and not told, when the client has ended."""
        ...


@dataclass
class Talk:
    """`patience`: seconds of silence of a model. `progress`: called when the session or its figures have changed."""

    ctx: StepContext
    reader: Reader
    account: Account | None
    patience: float
    progress: Callable[[str | None], Awaitable[None]]
    usage: Usage = NO_TOKENS
    client_usd: float | None = None
    model: str | None = None
    turns: int = 0
    exit: Exit | None = None
    _queue: asyncio.Queue[Happening] = field(default_factory=asyncio.Queue)
    _line: bytearray = field(default_factory=bytearray)
    _heard: float = 0.0
    _spoke: bool = False
    _words: str | None = None
    _words_at: float = 0.0
    _end: AgentResult | None = None
    _strange: bool = False

    async def hold(self, command: Command) -> AgentResult:
        """Run the client to its end, or to where it has to be ended; nothing of it is left then."""
        self._heard = asyncio.get_running_loop().time()
        tail = Capture(0, self._take)
        # Told to end, some clients take the end of a tool for its result, and ask their model once more.
        command = replace(command, kill_first=True)
        work = asyncio.ensure_future(self.ctx.services.processes.run(command, tail))
        try:
            lost = await self._attend(work)
        except asyncio.CancelledError:
            await _ended(work)
            await self._settle()  # what was used is paid for, also where nobody waits for the answer any more
            raise
        finally:
            await _ended(work)
        await self._settle()
        return self._concluded(lost, tail.last_line())

    async def _attend(self, work: asyncio.Future[Exit]) -> StepError | None:
        """Deal with what happens until the client has ended, or has to be."""
        while not work.done():
            getting = asyncio.ensure_future(self._queue.get())
            try:
                both: set[asyncio.Future[Any]] = {work, getting}
                await asyncio.wait(both, timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not getting.done():
                    getting.cancel()
            if getting.done() and not getting.cancelled():
                await self._deal(getting.result())
            for happening in self.reader.poll():
                self._heard = asyncio.get_running_loop().time()
                await self._deal(happening)
            self._watch()
            if self._end is not None:
                return None
        try:
            self.exit = work.result()
        except StepError as error:
            if error.code != "spawner_ended":
                raise
            return error
        return None

    def _watch(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._words is not None and now - self._words_at > _LAST_WORDS:
            self._end = self._over_budget()
        patience = self.patience if self._spoke else self.patience + _START
        if self.reader.asking and now - self._heard > patience and self._queue.empty():
            who = "model" if self._spoke else "client"
            detail = f"the {who} said nothing for {patience:g} s"
            self._end = self._end or AgentResult(Outcome.TIMEOUT, detail=detail)

    async def _settle(self) -> None:
        """What came at the end, and what the reader kept back."""
        ended = self._end
        left = [*self._drained(), *self.reader.poll(), *self.reader.rest()]
        for happening in left:
            await self._deal(happening)
        if self._end is not ended and self.reader.result is not None and self._words is not None:
            self._end = ended  # it was done before anybody could say that it must not go on

    def _drained(self) -> Iterable[Happening]:
        with suppress(asyncio.QueueEmpty):
            while True:
                yield self._queue.get_nowait()

    async def _deal(self, happening: Happening) -> None:
        match happening:
            case str():
                self._say(happening)
            case Opened(session):
                await self.progress(session)
            case Over(result):
                self._end = self._end or result
            case Paid(response, final):
                await self._pay(response, final=final)

    async def _pay(self, response: Response, *, final: bool) -> None:
        self.usage += response.usage
        self.turns += response.turns
        self.model = response.model if response.turns else self.model or response.model
        if response.client_usd is not None:
            self.client_usd = (self.client_usd or 0.0) + response.client_usd
        if response.turns:
            self._say(
                f"turn {self.turns}: {response.usage.total - response.usage.output:,} in, {response.usage.output:,} out"
            )
        words = None if self.account is None else await self.account.paid(response)
        await self.progress(None)
        if self._words is not None and response.turns:
            self._end = self._end or self._over_budget()
        elif words is not None and self._words is None:
            self._words, self._words_at = words, asyncio.get_running_loop().time()
            if not final:
                self._end = self._end or self._over_budget()

    def _over_budget(self) -> AgentResult:
        return AgentResult(Outcome.BUDGET, detail=self._words or "", retry=False)

    def _take(self, stream: str, data: bytes) -> None:
        """Output of the client as it comes: events on stdout, words on stderr."""
        self._spoke = True
        self._heard = asyncio.get_running_loop().time()
        if stream != "stdout":
            self.ctx.log(stream, data)
            return
        self._line += data
        if b"\n" not in data:
            if len(self._line) > _LONGEST_LINE:
                raise StepError("the client printed a line without end", code="agent_failed")
            return
        *lines, rest = bytes(self._line).split(b"\n")
        self._line = bytearray(rest)
        for line in lines:
            self._read(line)

    def _read(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.ctx.log("stdout", line + b"\n")
            return
        try:
            for happening in self.reader.read(event):
                self._queue.put_nowait(happening)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if not self._strange:
                self._strange = True
                kind = str(event.get("type"))[:60]
                self.ctx.say(
                    f"the client said something that is not understood: {kind} ({type(error).__name__})"
                )

    def _say(self, text: str) -> None:
        self.ctx.log("stdout", text.encode("utf-8", "replace") + b"\n")

    def _concluded(self, lost: StepError | None, last: str) -> AgentResult:
        found = self._end or self.reader.result or _without_words(self.exit, lost, last)
        return replace(
            found,
            usage=self.usage,
            client_usd=self.client_usd,
            model=self.model,
            turns=self.turns,
            exit_code=None if self.exit is None else self.exit.code,
        )


def _without_words(end: Exit | None, lost: StepError | None, last: str) -> AgentResult:
    """What it means that a client ended without having said what it came to."""
    if lost is not None:
        return AgentResult(Outcome.INTERRUPTED, detail=lost.message, code=lost.code)
    assert end is not None  # noqa: S101 # it ended, and nobody had a reason to end it
    if end.limit is not None:
        return AgentResult(
            Outcome.FAILED, detail=f"the client ran into its limit of {end.limit}", code="limit"
        )
    if end.code is None or end.code in _SIGNALLED:
        return AgentResult(Outcome.INTERRUPTED, detail="the client was ended from outside")
    words = f": {last}" if last else ""
    return AgentResult(Outcome.FAILED, detail=f"the client ended with exit code {end.code}{words}")


async def or_begun(
    request: AgentRequest, ctx: StepContext, once: Callable[[AgentRequest], Awaitable[AgentResult]]
) -> AgentResult:
    """Ask once; a conversation that its client does not know, and in which nothing was ever answered, is begun.

    Its try ended before the client had written it down. One in which something was said is not replaced by another.
    """
    result, session = await once(request), request.session
    if result.code != "session_gone" or session is None or any(session.totals.values()):
        return result
    ctx.say("nothing had been said in that conversation: it is begun anew")
    return await once(replace(request, session=replace(session, id="")))


async def _ended(work: asyncio.Future[Exit]) -> None:
    """End the process, if it has not ended, and wait until all of it is gone; a cancellation meanwhile goes on after."""
    if work.done():
        return
    work.cancel()
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            cancelled = True
    if not work.cancelled():
        work.exception()
    if cancelled:
        raise asyncio.CancelledError

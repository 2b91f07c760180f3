"""A workspace with a real state, a clock that stands still, and steps, processes and channels that are scripted."""

from __future__ import annotations

import asyncio
import inspect
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict
from tests.support.clock import FakeClock

from rota.app.triggers import put_job, remove_job, resume_job
from rota.engine.conversations import StoredHistory, StoredSessions
from rota.engine.core import Engine
from rota.engine.meter import StoredMeter
from rota.engine.notices import StepNotifier
from rota.engine.pausing import pause
from rota.engine.queueing import Call, default_params, queue
from rota.engine.source_states import StoredSourceStates
from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError, StoreError
from rota.model.globs import ignores, read_glob
from rota.model.instants import Micros
from rota.model.job import Job, OnInterrupt
from rota.model.ledger import JobRecord, Occurrence, TriggerRecord
from rota.model.looks import FileSign, FileWatch
from rota.model.message import Message
from rota.model.run import Attempt, Reason, Run, RunState, StepRun
from rota.ports.batches import Answer, BatchCall, HostBatch
from rota.ports.processes import Command, Exit, HostCall, OnOutput
from rota.ports.steps import ChannelKind, Done, Services, SourceKind, StepContext, StepKind, StepResult
from rota.ports.store import Store, Tx
from rota.spec import Catalog, digest, parse_file, to_json
from rota.steps.agent import AgentStep
from rota.steps.approve import ApproveStep
from rota.steps.notify import NotifyStep
from rota.steps.pull import PullStep
from rota.store import open_store

T = TypeVar("T")
Behaviour = Callable[[StepContext], StepResult | Awaitable[StepResult]]
PATIENCE = 10.0


class ActKeys(BaseModel):
    model_config = ConfigDict(extra="forbid")
    act: Any = ""
    count: int = 0


class Act:
    """The step kind `act: TEXT`: does what the world was told for its step id, else gives TEXT back."""

    key: ClassVar[str] = "act"
    params: ClassVar[type[BaseModel]] = ActKeys
    raw: ClassVar[frozenset[str]] = frozenset()
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, params: Any, ctx: StepContext) -> StepResult:
        self._world.began.append(Began(ctx.step.id, ctx.attempt, str(params.act), dict(ctx.env), ctx))
        behaviour = self._world.behaviours.get(ctx.step.id)
        if behaviour is None:
            return Done(str(params.act))
        result = behaviour(ctx)
        return await result if inspect.isawaitable(result) else result


class QuickKeys(BaseModel):
    model_config = ConfigDict(extra="forbid")
    quick: str = ""


class Quick:
    """The step kind `quick: TEXT`: one call in a host, which gives TEXT back unless the world's hosts were told else."""

    key: ClassVar[str] = "quick"
    params: ClassVar[type[BaseModel]] = QuickKeys
    raw: ClassVar[frozenset[str]] = frozenset()
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: Any, ctx: StepContext) -> StepResult:
        return self.done(await ctx.services.hosts.call(self.call(params, ctx), ctx.log), 1000)

    def call(self, params: Any, ctx: StepContext) -> HostCall:
        return HostCall(f"quick:{params.quick}", env=ctx.env, cwd=ctx.workspace)

    def done(self, returned: Any, limit: int) -> Done:
        return Done(str(returned)[:limit], {"said": returned})


class ChatKeys(BaseModel):
    model_config = ConfigDict(extra="forbid")
    to: str = ""


@dataclass(frozen=True)
class Channel:
    """A channel whose deliveries the world's hosts take."""

    key: str
    target: str = "nowhere:send"
    params: ClassVar[type[BaseModel]] = ChatKeys


@dataclass(frozen=True)
class Began:
    """One attempt that a step kind was asked for."""

    step: str
    attempt: int
    text: str
    env: Mapping[str, str]
    ctx: StepContext


class Processes:
    """Starts nothing; keeps what was to be swept."""

    def __init__(self) -> None:
        self.swept: list[Mapping[str, str]] = []

    async def run(self, command: Command, on_output: OnOutput) -> Exit:
        raise AssertionError("no step of these tests runs a command")

    async def sweep(self, markers: Mapping[str, str]) -> int:
        self.swept.append(markers)
        return 0

    async def close(self) -> None:
        return None


class Hosts:
    """Takes deliveries, for which `deliver` may raise or wait; calls rota's own functions right here."""

    def __init__(self) -> None:
        self.calls: list[HostCall] = []
        self.deliver: Callable[[HostCall], Awaitable[None] | None] = lambda _call: None
        self.batches: list[list[str]] = []  # run ids
        self.quick: Callable[[BatchCall], Any] = lambda call: call.target.partition(":")[2]

    async def call(self, call: HostCall, on_output: OnOutput) -> Any:
        module, _, function = call.target.partition(":")
        if module.startswith("rota.") or module in sys.modules:
            return getattr(import_module(module), function)(**call.kwargs)
        if module == "quick":
            return self.quick(BatchCall(call.target, call.kwargs, call.env, 1.0))
        self.calls.append(call)
        answer = self.deliver(call)
        if answer is not None:
            await answer
        return {}

    async def call_many(self, batch: HostBatch) -> None:
        """One after the other; what `quick` raises is the call's error, and it may wait."""
        self.batches.append([call.env["ROTA_RUN_ID"] for call in batch.calls])
        for number, call in enumerate(batch.calls):
            try:
                result = self.quick(call)
                if inspect.isawaitable(result):
                    batch.on_back(number + 1)
                    result = await result
                    batch.on_answer(number, Answer(7, 8, result))
                    return
                answer = Answer(7, 8, result)
            except StepError as error:
                batch.on_output(number, "stderr", b"a traceback\n")
                answer = Answer(7, 8, None, error)
            batch.on_answer(number, answer)

    async def close(self) -> None:
        return None

    @property
    def bodies(self) -> list[str]:
        """What was delivered, or tried to."""
        return [call.kwargs["body"] for call in self.calls]


@dataclass
class Secrets:
    stored: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        return self.stored.get(name)

    def known(self) -> Mapping[str, str]:
        return self.stored


class Files:
    """The files that triggers look at: as the test says. Their dates are the world's clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.signs: dict[str, FileSign] = {}
        self.texts: dict[str, str] = {}
        self.scans = 0
        self.digests = 0
        self.woken: asyncio.Event | None = None

    def write(self, path: str, text: str = "x") -> None:
        """Somebody writes a file, now."""
        now = self._clock.now()
        self.texts[path] = text
        self.signs[path] = FileSign(len(text), now, now)

    def remove(self, path: str) -> None:
        del self.texts[path], self.signs[path]

    def scan(self, watch: FileWatch) -> dict[str, FileSign]:
        self.scans += 1
        globs = [read_glob(pattern) for pattern in watch.patterns]
        return {
            path: sign
            for path, sign in self.signs.items()
            if any(glob.matches(path) for glob in globs) and not ignores(watch.ignore, path)
        }

    def digest(self, path: str, sign: FileSign) -> str | None:
        self.digests += 1
        return f"<{self.texts[path]}>" if self.signs.get(path) == sign else None

    async def wakes(self, watches: Callable[[], Collection[FileWatch]], wake: asyncio.Event) -> None:
        self.woken = wake
        await asyncio.Event().wait()


class FaultyStore:
    """A store that can be told to fail: `faults` are raised by the next writes, `dead` by every one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.faults: list[Exception] = []
        self.dead = False
        self.writes = 0

    async def write(self, work: Callable[[Tx], T]) -> T:
        self._check()
        return await self._store.write(work)

    def write_now(self, work: Callable[[Tx], T]) -> T:
        self._check()
        return self._store.write_now(work)

    def read(self, work: Callable[[Tx], T]) -> T:
        return self._store.read(work)

    def version(self) -> int:
        return self._store.version()

    def check(self) -> str | None:
        return self._store.check()

    def used(self) -> int:
        return self._store.used()

    async def shrink(self, spare: int) -> int:
        self._check()
        return await self._store.shrink(spare)

    def close(self) -> None:
        self._store.close()

    def _check(self) -> None:
        self.writes += 1
        if self.dead:
            raise StoreError("this process is dead", permanent=True)
        if self.faults:
            raise self.faults.pop(0)


class World:
    """One workspace. Jobs come from YAML; `pass_` is what the loops of the engine do, once."""

    def __init__(self, root: Path, config: WorkspaceConfig | None = None) -> None:
        self.root = root
        (root / ".rota" / "jobs").mkdir(parents=True, exist_ok=True)
        self.config = config or WorkspaceConfig(name="world")
        self.clock = FakeClock()
        self.real = open_store(root / ".rota" / "state.db")
        self.hosts, self.processes, self.secrets = Hosts(), Processes(), Secrets()
        self.files = Files(self.clock)
        self.behaviours: dict[str, Behaviour] = {}
        self.began: list[Began] = []
        self.channels = {key: Channel(key) for key in ("chat", "mail")}
        self.sources: dict[str, SourceKind] = {}
        self.runners: dict[str, Any] = {}  # ports.agents.Runner, also those whose key is each one's own
        self._lives = 0
        self.store = FaultyStore(self.real)
        self.engine = self.new_engine()

    def close(self) -> None:
        self.real.close()

    @property
    def catalog(self) -> Catalog:
        return Catalog(
            {
                "act": ActKeys,
                "quick": QuickKeys,
                "notify": NotifyStep.params,
                "pull": PullStep.params,
                "approve": ApproveStep.params,
                "agent": AgentStep.params,
            },
            dict.fromkeys(self.channels, ChatKeys),
            {key: kind.params for key, kind in self.sources.items()},
            {key: runner.params for key, runner in self.runners.items()},
        )

    def new_engine(self, *, only: str | None = None) -> Engine:
        """Another process on the same state; its owner's lock file is not held, as if it had died."""
        self._lives += 1
        self.store = FaultyStore(self.real)
        steps: dict[str, StepKind] = {
            "act": Act(self), "quick": Quick(), "notify": NotifyStep(), "pull": PullStep(),
            "approve": ApproveStep(), "agent": AgentStep(),
        }  # fmt: skip
        channels = cast("dict[str, ChannelKind]", dict(self.channels))  # one class, several keys
        services = Services(
            self.clock, self.processes, self.hosts, self.secrets, steps, self.sources, channels, self.runners,
            StepNotifier(self.store, self.clock), StoredSourceStates(self.store, self.clock, self.secrets), self.hosts,
            StoredMeter(self.store, self.clock),
            sessions=StoredSessions(self.store, self.clock, self.secrets), history=StoredHistory(self.store),
        )  # fmt: skip
        engine = Engine(
            self.store, self.clock, services, self.files, workspace=self.root, config=self.config,
            owner=f"{socket.gethostname()}-{self._lives}-test", owners=self.root / ".rota" / "owners", only=only,
        )  # fmt: skip
        engine.scheduler.starter = None  # each pass by itself, so that a test sees what it leaves
        return engine

    def settings(self, **changes: Any) -> None:
        """Change rota.yaml."""
        self.config = replace(self.config, **changes)
        self.engine.use(self.config)

    # Jobs

    def job(self, text: str, name: str = "j") -> Job:
        """Define (or change) a job by the text of its file."""
        parsed = parse_file(
            text, f".rota/jobs/{name}.yaml", self.catalog, channels=self.config.channels,
            timezone=self.config.timezone,
        )  # fmt: skip
        assert not parsed.errors, [str(error) for error in parsed.errors]
        job = parsed.jobs[0].job
        self.put(job)
        return job

    def put(self, job: Job) -> None:
        """Bring a job into the registry, as a sync does."""
        now, text = self.clock.now(), to_json(job)
        before = self.record(job.id)
        record = JobRecord(
            job.id, job.name, text, digest(text), "file", before.created_at if before else now, now,
            timezone=job.timezone or self.config.timezone, enabled=job.enabled, path=f".rota/jobs/{job.id}.yaml",
            paused_at=before.paused_at if before else None, paused_reason=before.paused_reason if before else None,
        )  # fmt: skip
        self.real.write_now(lambda tx: put_job(tx, record, job, now))

    def remove(self, job_id: str = "j") -> None:
        self.real.write_now(lambda tx: remove_job(tx, job_id, self.clock.now()))

    def pause(self, job_id: str = "j") -> None:
        self.real.write_now(lambda tx: pause(tx, job_id, "by hand", self.clock.now()))

    def resume(self, job_id: str = "j") -> None:
        self.real.write_now(lambda tx: resume_job(tx, job_id, self.clock.now()))

    def start(self, job_id: str = "j", **params: Any) -> Run:
        """Run a job by hand, a moment later, so that runs have an order."""
        self.clock.advance(1)
        record = self.record(job_id)
        assert record is not None
        job = self.engine.scheduler._definitions.get(record.hash)
        inputs = {"params": {**default_params(job), **params}, "payload": params.pop("payload", {})}
        call = Call(job, record.hash, "manual", self.clock.now(), Reason("manual", "by hand"), inputs=inputs)
        run, reason = self.real.write_now(lambda tx: queue(tx, call, self.clock.now()))
        assert run is not None, reason
        return run

    def on(self, step_id: str, behaviour: Behaviour | StepResult | list[StepResult]) -> None:
        """What the step does: a function of its context, one result, or one result after the other."""
        if isinstance(behaviour, list):
            results = iter(behaviour)
            self.behaviours[step_id] = lambda _ctx: next(results)
        elif callable(behaviour):
            self.behaviours[step_id] = behaviour
        else:
            self.behaviours[step_id] = lambda _ctx: behaviour

    def answer(self, run: Run, step_id: str, text: str) -> None:
        """A person answers the question of a run."""

        def work(tx: Tx) -> None:
            assert tx.approvals.answer(run.id, step_id, text, "sam", self.clock.now())
            step = next(s for s in tx.runs.steps(run.id) if s.step_id == step_id)
            assert tx.runs.answer_step(run.id, step, self.clock.now())

        self.real.write_now(work)

    # Passes

    async def pass_(self) -> None:
        """Scheduler, dispatcher, the runs to their end, outbox, deliveries to their end."""
        await self.engine.scheduler.run_once()
        await self.engine.dispatcher.run_once()
        await self.idle()
        await self.engine.outbox.run_once()
        await self.engine.outbox.drain(PATIENCE)

    async def settle(self, passes: int = 30) -> None:
        """Passes until none of them starts anything."""
        for _ in range(passes):
            before = self.store.writes
            await self.pass_()
            if self.store.writes == before:
                return
        raise AssertionError("the world does not come to rest")

    async def idle(self) -> None:
        """Until no run is being executed."""
        await self.until(lambda: not self.engine.work.active)

    async def until(self, condition: Callable[[], object]) -> None:
        """Until something has come true, in real time, but never for long."""
        give_up = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < give_up, "it never came true"
            await asyncio.sleep(0.002)

    async def kill(self) -> None:
        """kill -9: what runs ends without a word in the state. Another process takes its place."""
        self.store.dead = True
        await self.engine.work.drain(0.0)
        self.engine = self.new_engine()

    async def stop(self) -> None:
        """A shutdown in good order, and the next start."""
        await self.engine.work.drain(0.0)
        self.engine = self.new_engine()

    # What a user sees

    def record(self, job_id: str = "j") -> JobRecord | None:
        return self.real.read(lambda tx: tx.jobs.get(job_id))

    def run(self, job_id: str = "j") -> Run:
        """The job's latest run."""
        return self.runs(job_id)[0]

    def runs(self, job_id: str = "j") -> list[Run]:
        """Latest first."""
        return self.real.read(lambda tx: tx.runs.recent(job_id=job_id, limit=1000))

    def ledger(self, job_id: str = "j") -> list[Occurrence]:
        """Oldest first."""
        return self.real.read(lambda tx: tx.ledger.of(job_id, limit=1000))[::-1]

    def outcomes(self, job_id: str = "j") -> list[tuple[str, str]]:
        """Outcome and reason code of each occurrence, oldest first."""
        return [(row.outcome.value, row.reason.code) for row in self.ledger(job_id)]

    def steps(self, run: Run | None = None) -> dict[str, StepRun]:
        run_id = (run or self.run()).id
        return {step.step_id: step for step in self.real.read(lambda tx: tx.runs.steps(run_id))}

    def states(self, run: Run | None = None) -> dict[str, str]:
        return {name: step.state.value for name, step in self.steps(run).items()}

    def attempts(self, step_id: str, run: Run | None = None) -> list[Attempt]:
        run_id = (run or self.run()).id
        return self.real.read(lambda tx: tx.runs.attempts(run_id, step_id))

    def messages(self) -> list[Message]:
        """Oldest first."""
        return self.real.read(lambda tx: tx.outbox.recent(limit=1000))[::-1]

    def trigger(self, job_id: str = "j") -> TriggerRecord:
        return self.real.read(lambda tx: tx.triggers.of(job_id))[0]

    def state(self, job_id: str = "j") -> RunState:
        return self.run(job_id).state

    def at(self, instant: Micros) -> None:
        self.clock.set(instant)

"""A workspace in which one agent runner works against a stub of the models' APIs, under a real daemon."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
from tests.support.clients import SECRET, Client
from tests.support.model_server import KEY, Asked, ModelServer, script
from tests.support.rota import Rota, command_line, eventually, new_workspace

from rota.app.wiring import App, open_app
from rota.model.run import Run, StepRun
from rota.model.spend import Used

STEP = "ask"
OVER = frozenset({"succeeded", "failed", "cancelled", "interrupted"})


@dataclass(frozen=True)
class Going:
    """A run that was started. `marker`: of the script in its prompt."""

    id: str
    job: str
    marker: str


@dataclass(frozen=True)
class Ended:
    """What became of a run: as the state has it, with its last step. `requests`: what the stub was asked; `used`: what was paid for."""

    run: Run
    step: StepRun
    requests: list[Asked]
    used: Used

    @property
    def state(self) -> str:
        return self.run.state.value

    @property
    def code(self) -> str:
        """Why the step failed, in one word; empty when it did not."""
        return self.step.reason.code if self.step.reason is not None and self.state != "succeeded" else ""

    @property
    def why(self) -> str:
        return "" if self.step.reason is None else self.step.reason.text

    @property
    def text(self) -> str:
        """The answer."""
        return self.step.output.strip()

    @property
    def values(self) -> Mapping[str, Any]:
        return self.step.values

    @property
    def whole(self) -> int:
        """How many responses of the model came to their end."""
        return sum(1 for asked in self.requests if asked.whole)

    @property
    def begun(self) -> int:
        """How many were begun."""
        return sum(1 for asked in self.requests if asked.status == 200)


@dataclass
class Bench:
    """The workspace, its daemon, the stub, and the runner."""

    rota: Rota
    server: ModelServer
    client: Client
    _jobs: int = field(default=0)

    @cached_property
    def app(self) -> App:
        """The workspace, to look into its state."""
        return open_app(self.rota.root)

    def call_write(self, path: str, text: str) -> dict[str, Any]:
        """A call of the client's own tool that writes a file of the workspace."""
        return self.client.write(self.rota.root, path, text)

    def start(
        self, *turns: Any, marker: str = "", prompt: str = "Do it.", job: str = "", **keys: Any
    ) -> Going:
        """Start a run of a job whose only step asks the runner; `job`: one that is there is run again, with another prompt."""
        self._jobs += 1
        marker = marker or f"{self.client.name}-{uuid.uuid4().hex[:8]}"
        job = job or f"job-{self._jobs}"
        text = f"{prompt}\n{script(*turns, marker=marker)}" if turns else prompt
        step = {"id": STEP, "agent": text, "runner": self.client.runner, "model": self.client.model, **keys}
        self.rota.job(job, json.dumps({"steps": [step], "overlap": "allow", "retry": False}))
        return self.begin(job, marker)

    def begin(self, job: str, marker: str) -> Going:
        """Start a run of a job that is there, in whose prompt that script is."""
        said = self.rota.quick("run", job, "--json")
        return Going(said.json["id"], job, marker)

    def run(self, *turns: Any, **keys: Any) -> Ended:
        """Start one, and wait until it is over."""
        return self.ended(self.start(*turns, **keys))

    def ended(self, going: Going) -> Ended:
        """What became of it, when it is over."""
        eventually(lambda: self.state(going) in OVER, f"the end of {going}")
        return self.now(going)

    def now(self, going: Going) -> Ended:
        """As it stands."""
        read = self.app.store.read
        run = read(lambda tx: tx.runs.get(going.id))
        assert run is not None
        step = read(lambda tx: tx.runs.steps(going.id))[-1]
        used = read(lambda tx: tx.spend.of_run(going.id))
        return Ended(run, step, self.server.requests_of(going.marker), used)

    def state(self, going: Going) -> str:
        """The run's state."""
        run = self.app.store.read(lambda tx: tx.runs.get(going.id))
        return "" if run is None else run.state.value

    def until_waiting(self, going: Going) -> None:
        """Until it waits for a person; it must not be over before."""
        eventually(lambda: self.state(going) in {"waiting", *OVER}, f"{going} waits")
        assert self.state(going) == "waiting", self.now(going)

    def log(self, going: Going) -> str:
        """What `rota logs` shows of it."""
        return self.rota.quick("logs", going.id).out

    def processes(self, going: Going) -> list[psutil.Process]:
        """Those that the run started and that are alive."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                is_its = process.environ().get("ROTA_RUN_ID") == going.id
                if is_its and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def nothing_left(self, going: Going) -> None:
        """Every process of the run is gone, soon."""
        eventually(
            lambda: not self.processes(going), f"no process of {going} is left: {self.processes(going)}"
        )

    def spawner(self) -> int:
        """The pid of the daemon's spawner."""
        daemon = psutil.Process(self.rota.daemon_pid())
        return next(child.pid for child in daemon.children() if "spawner" in command_line(child.pid))

    def kill(self, pid: int) -> None:
        """kill -9."""
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def bench(
    root: Path, server: ModelServer, client: Client, *, patience: float, template: str = "blank", **agent: Any
) -> Iterator[Bench]:
    """`agent`: more keys of `agent:` in rota.yaml. Three runs at a time, so that a busy machine makes nobody impatient."""
    with new_workspace(root, "--template", template) as rota:
        keys = {"runner": client.runner, "model": client.model, **client.settings(server, patience), **agent}
        # A home of its own: clients' shells read what a person has in theirs, which may take them a minute.
        home = root.parent / "home"
        home.mkdir()
        rota.env["HOME"] = str(home)
        settings = rota.read(".rota/rota.yaml")
        more = f"agent: {json.dumps(keys)}\nlimits: {{runs: 3}}\n"
        rota.write(".rota/rota.yaml", f"{settings}\n{more}")
        rota.quick("secret", "set", SECRET, stdin=KEY)
        made = Bench(rota, server, client)
        rota.up()
        try:
            yield made
        finally:
            if "app" in made.__dict__:
                made.app.close()

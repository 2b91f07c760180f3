"""The check of a run's evidence (`success_if:`), after its last step and before its end is written.

It stands in the journal as a step of its own, so that logs show what it said. A check that a crash cut
off is made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from rota.engine import evidence_host
from rota.engine.attempt import Attempts, Try
from rota.engine.journal import Journal
from rota.engine.output import OutputLog
from rota.engine.patience import write_patiently
from rota.model.errors import RotaError
from rota.model.job import EVIDENCE_STEP, EVIDENCE_TIMEOUT, Evidence, Step
from rota.model.run import Attempt, Reason, Run, StepRun, StepState
from rota.planning.evidence import Finding, found, missing, of_file, verdict, words
from rota.ports.clock import Clock
from rota.ports.files import resolve_inside
from rota.ports.processes import HostCall, Hosts
from rota.ports.steps import Done, Failed
from rota.ports.store import Store, Tx
from rota.templates import render

_SHOWN = 60
log = structlog.get_logger("rota.evidence")


@dataclass(frozen=True)
class _Check:
    """One check under way. `values`: what templates see."""

    journal: Journal
    attempt: Attempt
    values: Mapping[str, Any]
    output: OutputLog

    @property
    def run(self) -> Run:
        return self.journal.run


class Examiner:
    """Looks for evidence in one workspace."""

    def __init__(
        self, store: Store, clock: Clock, attempts: Attempts, hosts: Hosts, *, workspace: Path
    ) -> None:
        self._store = store
        self._clock = clock
        self._attempts = attempts
        self._hosts = hosts
        self._workspace = workspace
        self._kinds: Mapping[str, Callable[[_Check, Evidence], Any]] = {
            "file": self._file,
            "command": self._command,
            "output": self._output,
            "schema": self._schema,
        }

    async def examine(self, journal: Journal, values: Mapping[str, Any]) -> Reason | None:
        """Look at everything that the job asks for; why the run does not count as succeeded (None: it does).

        Only cancellation (and a lost claim) is raised.
        """
        check = await self._begin(journal, values)
        try:
            findings = [await self._look(check, item) for item in journal.job.success_if]
        except asyncio.CancelledError:
            check.output.close()
            with contextlib.suppress(RotaError):
                await self._store.write(self._ended(check, StepState.INTERRUPTED, _CUT_OFF))
            raise
        reason = verdict(findings)
        check.output.close()
        state = StepState.SUCCEEDED if reason is None else StepState.FAILED
        await write_patiently(self._store, self._clock, self._ended(check, state, reason))
        return reason

    async def _begin(self, journal: Journal, values: Mapping[str, Any]) -> _Check:
        run, now = journal.run, self._clock.now()
        earlier = self._store.read(lambda tx: tx.runs.attempts(run.id, EVIDENCE_STEP))
        cut = [
            replace(one, state=StepState.INTERRUPTED, finished_at=now, reason=_CUT_OFF)
            for one in earlier
            if one.state is StepState.RUNNING
        ]
        attempt = Attempt(run.id, EVIDENCE_STEP, len(earlier) + 1, StepState.RUNNING, now)
        output = self._attempts.open_log(Try(journal.job, _step(), run, attempt.number, values))
        check = _Check(journal, attempt, values, output)
        begun = partial(_put, run=run, step=_row(check, StepState.RUNNING), attempts=[*cut, attempt])
        await write_patiently(self._store, self._clock, begun)
        return check

    def _ended(self, check: _Check, state: StepState, reason: Reason | None) -> Callable[[Tx], None]:
        now = self._clock.now()
        attempt = replace(check.attempt, state=state, finished_at=now, reason=reason)
        row = replace(_row(check, state), finished_at=now, reason=reason)
        return partial(_put, run=check.run, step=row, attempts=[self._attempts.kept(attempt, check.output)])

    async def _look(self, check: _Check, evidence: Evidence) -> Finding:
        """One look. Whatever it raises is evidence that is missing."""
        try:
            async with asyncio.timeout(None if evidence.kind == "command" else EVIDENCE_TIMEOUT):
                finding: Finding = await self._kinds[evidence.kind](check, evidence)
        except TimeoutError:
            finding = missing(f"{words(evidence)}: not judged within {EVIDENCE_TIMEOUT:g} s")
        except RotaError as error:
            hint = f" (hint: {error.hint})" if error.hint else ""
            finding = missing(f"{words(evidence)}: {error.message}{hint}")
        except Exception as error:  # noqa: BLE001 # a check that raises must not end the daemon
            log.error("evidence_raised", run=check.run.id, kind=evidence.kind, error=type(error).__name__)  # noqa: TRY400 # the text may hold a secret
            finding = missing(f"{words(evidence)}: {type(error).__name__}: {error}")
        line = f"{'found' if finding.met else 'missing'}: {finding.seen}"
        check.output.write("rota", line.encode("utf-8", "replace"))
        return finding

    async def _file(self, check: _Check, evidence: Evidence) -> Finding:
        name = render(evidence.text, check.values)
        path = resolve_inside(self._workspace, name, purpose="`file:`", reading=True)
        try:
            about = path.stat()
        except FileNotFoundError:
            return missing(f"{name} is not there")
        if not stat.S_ISREG(about.st_mode):
            return missing(f"{name} is no file")
        finding = of_file(
            evidence,
            name,
            written=about.st_mtime_ns // 1000,
            size=about.st_size,
            since=check.run.started_at or check.run.queued_at,
            now=self._clock.now(),
        )
        if not finding.met or evidence.contains is None:
            return finding
        if await self._ask(evidence_host.matches_file, path=str(path), pattern=evidence.contains):
            return found(f"{finding.seen}, and matches {evidence.contains!r}")
        return missing(f"{name} does not match {evidence.contains!r}")

    async def _command(self, check: _Check, evidence: Evidence) -> Finding:
        step = replace(_step(), config={"run": evidence.text}, timeout=evidence.timeout)
        trying = Try(check.journal.job, step, check.run, check.attempt.number, check.values)
        result = await self._attempts.probe(trying, check.output)
        shown = _brief(evidence.text)
        if isinstance(result, Done):
            return found(f"`{shown}` ended with exit code 0")
        why = result.reason.text if isinstance(result, Failed) else "it waits for an answer"
        return missing(f"`{shown}`: {why}")

    async def _output(self, check: _Check, evidence: Evidence) -> Finding:
        source = _source(check.journal, evidence)
        if isinstance(source, Finding):
            return source
        met = await self._ask(evidence_host.matches, text=source.output, pattern=evidence.text)
        name = f"the output of step `{source.step_id}`"
        if met:
            return found(f"{name} matches {evidence.text!r}")
        said = f"it begins {_brief(source.output)!r}" if source.output.strip() else "it is empty"
        return missing(f"{name} does not match {evidence.text!r}: {said}")

    async def _schema(self, check: _Check, evidence: Evidence) -> Finding:
        source = _source(check.journal, evidence)
        if isinstance(source, Finding):
            return source
        path = None
        if evidence.text:
            path = str(resolve_inside(self._workspace, evidence.text, purpose="`schema:`", reading=True))
        fault = await self._ask(
            evidence_host.fault_of, text=source.output, schema=dict(evidence.schema), path=path
        )
        name = f"the output of step `{source.step_id}`"
        return found(f"{name} meets the schema") if fault is None else missing(f"{name} {fault}")

    async def _ask(self, function: Callable[..., Any], **kwargs: Any) -> Any:
        """Call a function of `evidence_host` apart from the daemon."""
        target = f"{evidence_host.__name__}:{function.__name__}"
        return await self._hosts.call(HostCall(target, kwargs, cwd=self._workspace), lambda *_: None)


_CUT_OFF = Reason("interrupted", "the check was cut off")


def _step() -> Step:
    """What the check is, for those who know steps alone."""
    return Step(EVIDENCE_STEP, "run")


def _row(check: _Check, state: StepState) -> StepRun:
    index, attempt = len(check.journal.job.steps), check.attempt
    return StepRun(check.run.id, EVIDENCE_STEP, index, state, attempt.number, started_at=attempt.started_at)


def _put(tx: Tx, run: Run, step: StepRun, attempts: list[Attempt]) -> None:
    tx.runs.put_step(run, step)
    for attempt in attempts:
        tx.runs.put_attempt(run, attempt)


def _source(journal: Journal, evidence: Evidence) -> StepRun | Finding:
    """The step whose output is meant, or what is the matter with it."""
    if evidence.step is not None:
        step = journal.steps[evidence.step]
        if step.state is StepState.SUCCEEDED:
            return step
        return missing(f"step `{step.step_id}` has put out nothing: it is {step.state.value}")
    done = [s for s in journal.steps.values() if s.state is StepState.SUCCEEDED]
    if not done:
        return missing("no step has put out anything")
    return max(done, key=lambda s: s.index)


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"

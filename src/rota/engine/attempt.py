"""One try of a step: render its keys, run its kind under the deadline, keep what it printed."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rota.engine.environment import clean_environment, markers
from rota.engine.output import Masker, OutputLog, masked_value
from rota.model.config import WorkspaceConfig
from rota.model.errors import RotaError, StepError
from rota.model.job import DEFAULT_TIMEOUT, Job, Step
from rota.model.run import Attempt, Reason, Run
from rota.ports.batches import Answer
from rota.ports.files import resolve_inside, write_atomic
from rota.ports.logger import Logger
from rota.ports.processes import HostCall
from rota.ports.steps import Done, Failed, HostedKind, Services, StepContext, StepKind, StepResult, Waiting
from rota.templates import fill_secrets, render, render_value

log = Logger("rota.attempt")


@dataclass(frozen=True)
class Try:
    """What a try is made of. `number`: from 1. `values`: the names that templates see."""

    job: Job
    step: Step
    run: Run
    number: int
    values: Mapping[str, Any]


class Attempts:
    """Makes tries in one workspace."""

    def __init__(self, workspace: Path, config: Callable[[], WorkspaceConfig], services: Services) -> None:
        self._workspace = workspace
        self._config = config
        self._services = services
        self._masked: Mapping[str, str] = {}
        self._mask = Masker({})

    def open_log(self, attempt: Try) -> OutputLog:
        """Where the output of a try goes; no file before its first byte."""
        path = f"{self._workspace}/.rota/logs/runs/{attempt.run.id}/{attempt.step.id}.{attempt.number}.log"
        limits = self._config().limits
        return OutputLog(path, limits.output, limits.excerpt, self._masker())

    async def make(self, attempt: Try, output: OutputLog) -> StepResult:
        """Run the try to its end and close its log. Only cancellation is raised, after the children are gone."""
        try:
            result = await self._guarded(attempt, output)
            result = _storable(result, attempt.step.kind)
            if isinstance(result, Done):
                result = self.deliver(attempt, result)
            if not isinstance(result, Done) or result.output or result.values:
                result = _masked(result, self._masker())
            if isinstance(result, Failed):
                output.write("rota", f"{result.reason.text}\n".encode())
        finally:
            output.close()
        return result

    async def probe(self, attempt: Try, output: OutputLog) -> StepResult:
        """Run a try that is no step's own, into a log that stays open. Only cancellation is raised."""
        result = _storable(await self._guarded(attempt, output), attempt.step.kind)
        return _masked(result, self._masker())

    def prepared(self, kind: HostedKind, attempt: Try) -> HostCall:
        """The call that a try of such a kind is. Raises RotaError."""
        params = self._params(kind, attempt.step, attempt.values)
        return kind.call(params, self._context(attempt, lambda _stream, _data: None, 0.0))

    def received(self, kind: HostedKind, answer: Answer, timeout: float, output: OutputLog) -> Done | Failed:
        """What such a call's answer makes of the try; closes its log."""
        result: StepResult
        if answer.error is None:
            result = _storable(kind.done(answer.result, self._config().limits.value), kind.key)
        elif answer.error.code == "timeout":
            result = Failed(_timed_out(timeout))
        else:
            result = _failed(answer.error)
        result = _masked(result, self._masker())
        assert not isinstance(result, Waiting)  # noqa: S101 # neither of the two makes one
        if isinstance(result, Failed):
            output.write("rota", f"{result.reason.text}\n".encode())
        output.close()
        return result

    def kept(self, attempt: Attempt, output: OutputLog) -> Attempt:
        """The attempt with what is kept of its output."""
        return replace(
            attempt,
            excerpt=output.excerpt(),
            log=str(output.path.relative_to(self._workspace)) if output.total else None,
            output_bytes=output.total,
            truncated=output.truncated,
        )

    def _masker(self) -> Masker:
        secrets = self._services.secrets.known()
        if secrets is not self._masked:
            self._masked, self._mask = secrets, Masker(secrets)
        return self._mask

    async def _guarded(self, attempt: Try, output: OutputLog) -> StepResult:
        timeout = attempt.step.timeout or attempt.job.timeout or DEFAULT_TIMEOUT
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._run(attempt, output, seconds=timeout)
        except TimeoutError:
            if not deadline.expired():
                return Failed(Reason("error", "TimeoutError raised by the step"))
            return Failed(_timed_out(timeout))
        except StepError as error:
            return _failed(error)
        except RotaError as error:
            text = error.message + (f" (hint: {error.hint})" if error.hint else "")
            return Failed(Reason(error.code, text), retry=not error.permanent)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Failed(Reason("error", "CancelledError raised by the step"))
        except GeneratorExit:  # the loop has ended
            raise
        except BaseException as error:  # noqa: BLE001 # a raising step kind must not end the daemon
            # Into the step's own log, which is masked; the daemon's is not.
            output.write("rota", traceback.format_exc().encode("utf-8", "replace"))
            log.error("step_raised", run=attempt.run.id, step=attempt.step.id, error=type(error).__name__)  # noqa: TRY400
            return Failed(Reason("error", f"{type(error).__name__}: {error}"))

    async def _run(self, attempt: Try, output: OutputLog, *, seconds: float) -> StepResult:
        step = attempt.step
        kind = self._services.steps.get(step.kind)
        if kind is None:
            known = ", ".join(sorted(self._services.steps))
            return Failed(
                Reason("unknown_kind", f"no step kind `{step.kind}` is installed; there are: {known}"),
                retry=False,
            )
        params = self._params(kind, step, attempt.values)
        return await kind.run(params, self._context(attempt, output.write, seconds))

    def _context(self, attempt: Try, log: Callable[[str, bytes], None], seconds: float) -> StepContext:
        return StepContext(
            workspace=self._workspace,
            config=self._config(),
            job=attempt.job,
            step=attempt.step,
            run=attempt.run,
            attempt=attempt.number,
            values=attempt.values,
            env=self._environment(attempt),
            timeout=seconds,
            log=log,
            services=self._services,
        )

    def _params(self, kind: StepKind, step: Step, values: Mapping[str, Any]) -> BaseModel:
        rendered = {
            key: value if key in kind.raw else render_value(value, values)
            for key, value in step.config.items()
        }
        try:
            return kind.params.model_validate(rendered)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise StepError(
                f"step `{step.id}`: `{where}`: {first['msg']}, got {first['input']!r:.80}",
                hint="look at what the template in that key renders to",
                code="bad_value",
                permanent=True,
            ) from None

    def _environment(self, attempt: Try) -> dict[str, str]:
        env = clean_environment(self._config())
        for layer in (self._config().env, attempt.job.env, attempt.step.env):
            for name, text in layer.items():
                env[name] = fill_secrets(
                    render(text, attempt.values, fill_later=True), self._services.secrets.get
                )
        env.update(markers(self._workspace, attempt.run, attempt.step, attempt.number))
        return env

    def deliver(self, attempt: Try, result: Done) -> Done | Failed:
        """Write the step's output file, when it names one."""
        target = attempt.step.output
        if target is None or not names_file(target):
            return result
        try:
            name = render(target, attempt.values)
            path = resolve_inside(self._workspace, name, purpose="output")
            text = result.output
            write_atomic(path, (text + "\n" if text and not text.endswith("\n") else text).encode())
        except (RotaError, OSError) as error:
            return Failed(
                Reason("output", f"could not write `{target}`: {error}"), retry=False, output=result.output
            )
        return result


def names_file(output: str) -> bool:
    """Whether an `output:` names a file rather than a channel: it has a slash or an extension."""
    return "/" in output or "." in output


def _timed_out(timeout: float) -> Reason:
    return Reason("timeout", f"timed out after {timeout:g} s; everything it started was ended")


def _failed(error: StepError) -> Failed:
    text = error.message + (f" (hint: {error.hint})" if error.hint else "")
    return Failed(Reason(error.code, text), retry=not error.permanent, retry_after=error.retry_after)


def _storable(result: Any, kind: str) -> StepResult:
    """The result, if a state can hold it; a failure where a step kind gave something else."""
    if not isinstance(result, Done | Failed | Waiting):
        return Failed(
            Reason("bad_result", f"the step kind `{kind}` gave a {type(result).__name__}"), retry=False
        )
    if isinstance(result, Waiting):
        return result
    output: Any = result.output
    if not isinstance(output, str):
        words = f"the step kind `{kind}` gave an output that is no text but a {type(output).__name__}"
        return Failed(Reason("bad_result", words), retry=False)
    if output.isascii() and result.values == {} and not (isinstance(result, Done) and result.kept):
        return result  # as most are
    try:
        values = json.loads(json.dumps(dict(result.values), allow_nan=False))
        json.dumps(dict(result.kept) if isinstance(result, Done) else None)
    except (TypeError, ValueError) as error:
        return Failed(
            Reason("bad_result", f"the step kind `{kind}` gave values that are not JSON: {error}"),
            retry=False,
        )
    return replace(result, output=_whole(result.output), values=values)


def _whole(text: str) -> str:
    """Text without lone surrogates, which no file and no state takes."""
    return text.encode("utf-8", "replace").decode()


def _masked(result: StepResult, masker: Masker) -> StepResult:
    """The result as it may be stored and shown: without secrets."""
    if isinstance(result, Waiting):
        return replace(
            result,
            question=masker.mask_text(_whole(result.question)),
            preview=None if result.preview is None else masker.mask_text(_whole(result.preview)),
            reason=Reason(result.reason.code, masker.mask_text(_whole(result.reason.text))[:500]),
        )
    output, values = masker.mask_text(result.output), masked_value(result.values, masker)
    if isinstance(result, Done):
        return replace(result, output=output, values=values)
    reason = Reason(result.reason.code, masker.mask_text(_whole(result.reason.text))[:500])
    return replace(result, reason=reason, output=output, values=values)

"""The one error type of rota and its subclasses.

Every error carries a `code` (stable, for machines), a `hint` (what to do next, shown after
`hint:`) and `permanent` (True: trying again unchanged cannot help).
"""

from __future__ import annotations


class RotaError(Exception):
    """Something that a user has to hear about, in one clear line.

    `message` says what is wrong; `hint` how to mend it; `code` is stable across versions;
    `permanent` is False where a retry may help.
    """

    code = "error"
    permanent = True

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        permanent: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code
        if permanent is not None:
            self.permanent = permanent

    def __str__(self) -> str:
        return self.message


class ScheduleError(RotaError):
    """A schedule text that cannot be read, or that can never fire."""

    code = "bad_schedule"


class ZoneError(ScheduleError):
    """A time zone that does not exist."""

    code = "bad_timezone"


class SpecError(RotaError):
    """A job file (or workspace configuration) that is not what it should be.

    `file`, `line` (1-based) and `key` (dotted path) say where.
    """

    code = "bad_spec"

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        key: str | None = None,
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.file = file
        self.line = line
        self.key = key

    def __str__(self) -> str:
        place = ":".join(str(p) for p in (self.file, self.line) if p is not None)
        key = f"`{self.key}`: " if self.key else ""
        return f"{place}: {key}{self.message}" if place else f"{key}{self.message}"


class TemplateError(RotaError):
    """A template or condition that cannot be read, or that names something that is not there."""

    code = "bad_template"


class WorkspaceError(RotaError):
    """A folder that is not a workspace, or one that cannot be used."""

    code = "bad_workspace"


class NotFoundError(RotaError):
    """A job, run, channel or file that does not exist."""

    code = "not_found"


class ConflictError(RotaError):
    """What is asked for clashes with what is there (a second daemon, a job that exists)."""

    code = "conflict"


class PathError(RotaError):
    """A path that leads out of where it may lead."""

    code = "bad_path"


class StoreError(RotaError):
    """The state could not be read or written."""

    code = "store"
    permanent = False


class LostClaimError(StoreError):
    """Another process owns this run now: what was to be written was not."""

    code = "lost_claim"
    permanent = True


class StepError(RotaError):
    """A step that could not do its work.

    `retry_after` (seconds) is the wait that the other side asked for, if it did.
    """

    code = "step_failed"
    permanent = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        permanent: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code, permanent=permanent)
        self.retry_after = retry_after

"""The `write` step: a file of the workspace, replaced in one piece or added to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rota.model.job import OnInterrupt
from rota.ports.files import append, read_text, resolve_inside, write_atomic
from rota.ports.steps import Done, StepContext, StepResult
from rota.templates import render

_TEMPLATE_LIMIT = 1_000_000


class WriteParams(BaseModel):
    """The keys of a `write` step."""

    model_config = ConfigDict(extra="forbid")

    write: str = Field(
        min_length=1, description="The file's path in the workspace; folders that are missing are created."
    )
    content: str | None = Field(
        default=None,
        description="The text, a template. `${NAME}` in it is text: secrets are not written to files.",
    )
    template: str | None = Field(
        default=None, description="Instead of `content`: the path of a template file in the workspace."
    )
    append: bool = Field(
        default=False, description="Add to the file, on a new line, instead of replacing its content."
    )

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.content is None) == (self.template is None):
            raise ValueError("give either `content` or `template`")
        return self


class WriteStep:
    """Writes a file in the workspace."""

    key: ClassVar[str] = "write"
    params: ClassVar[type[BaseModel]] = WriteParams
    raw: ClassVar[frozenset[str]] = frozenset({"content"})
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: WriteParams, ctx: StepContext) -> StepResult:
        """Write it, unless the file has this content already."""
        path = resolve_inside(ctx.workspace, params.write, purpose="`write:`")
        data = render(_text(params, ctx), ctx.values).encode("utf-8", "replace")
        changed = await asyncio.to_thread(_put, path, data, params.append)
        shown = path.relative_to(ctx.workspace.resolve()).as_posix()
        ctx.say(f"{shown}: {len(data)} bytes {'written' if changed else 'already there'}")
        return Done(shown, {"path": shown, "bytes": len(data), "changed": changed})


def _text(params: WriteParams, ctx: StepContext) -> str:
    if params.template is None:
        return params.content or ""
    path = resolve_inside(ctx.workspace, params.template, purpose="`template:`", reading=True)
    return read_text(path, _TEMPLATE_LIMIT, purpose="`template:`")


def _put(path: Path, data: bytes, adding: bool) -> bool:
    if adding:
        if data:
            append(path, data)
        return bool(data)
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return False
    write_atomic(path, data)
    return True

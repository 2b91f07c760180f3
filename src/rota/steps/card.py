"""The `card` step: a card on the workspace's board."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rota.model.card import Author, AuthorKind
from rota.model.errors import StepError
from rota.model.job import OnInterrupt
from rota.planning.retry import attempt_of
from rota.ports.cards import NewCard
from rota.ports.steps import Done, StepContext, StepResult


class CardParams(BaseModel):
    """The keys of a `card` step."""

    model_config = ConfigDict(extra="forbid")

    card: str = Field(min_length=1, description="The title, a template: one line, up to 200 characters.")
    body: str = Field(
        default="", description="What it is about, Markdown; a template. Up to 100,000 characters."
    )
    column: str | None = Field(default=None, description="The column that it comes into; the board's first.")
    tags: str | list[str] = Field(default=[], description="Its tags, a list (or one of them).")
    due: str | None = Field(
        default=None,
        description="When it is due, on the job's clocks: `2026-12-01`, `2026-12-01T09:00`, `today`, `tomorrow`, "
        "`3d`, `2w`.",
    )
    assignee: str | None = Field(default=None, description="Whose it is: a person or an agent, by name.")
    key: str | None = Field(
        default=None,
        description="What makes it once: while a card was ever made with this key, no second one is. Without it each "
        "run makes a card, a run that is tried again none but the first.",
    )


class CardStep:
    """Puts a card on the board, once."""

    key: ClassVar[str] = "card"
    params: ClassVar[type[BaseModel]] = CardParams
    raw: ClassVar[frozenset[str]] = frozenset()
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: CardParams, ctx: StepContext) -> StepResult:
        """Make it, unless the one with its key was made before, wherever that is by now."""
        board = ctx.services.board
        if board is None:
            raise StepError("there is no board here", code="no_board", permanent=True)
        tags = [params.tags] if isinstance(params.tags, str) else params.tags
        key = params.key or f"run:{attempt_of(ctx.run)[0]}:{ctx.step.id}"
        new = NewCard(params.card, params.body, params.column, tags, params.due, params.assignee, key)
        by = Author(ctx.job.id, AuthorKind.JOB, ctx.run.id, ctx.job.id, ctx.step.id)
        zone = str(ctx.values.get("timezone") or ctx.config.timezone)
        card, created = await board.create(new, by, ctx.config, zone)
        where = (
            "was removed"
            if card.removed_at
            else "is in the archive"
            if card.archived_at
            else f"in {card.column}"
        )
        ctx.say(f"{card.id} {where if created else f'is there already ({where})'}: {card.title}".rstrip(": "))
        return Done(card.id, {"card": card.id, "created": created, "column": card.column})

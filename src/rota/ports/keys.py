"""The keys of a kind that has none."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class NoKeys(BaseModel):
    """The settings of a runner that has none."""

    model_config = ConfigDict(extra="forbid")

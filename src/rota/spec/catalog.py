"""The kinds of steps, channels and sources that this installation knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Catalog:
    """Kinds by key, each with the model of its keys; of an agent runner, those of its settings in rota.yaml (no runners: any name is accepted).

    A step kind's model has a field named like its key. Common keys of steps (`id`, `if`, `timeout`, ...)
    and of notifications (`type`, `message`, ...) belong to the file format, not to the models. `forgetful`: agent
    runners that keep no conversation, wherever they are.
    """

    steps: Mapping[str, type[BaseModel]]
    channels: Mapping[str, type[BaseModel]]
    sources: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    runners: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    forgetful: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Setting:
    """What a job is read against: the catalog, and the workspace's channels, sources and zone.

    `channels`, `sources`: names of rota.yaml to their kinds, None where the kind is not known. `servers`: names of its
    MCP servers (None: they are not known).
    """

    catalog: Catalog
    channels: Mapping[str, str | None] = field(default_factory=dict)
    sources: Mapping[str, str | None] = field(default_factory=dict)
    timezone: str = "UTC"
    servers: Collection[str] | None = None

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        channels: Collection[str],
        sources: Collection[str],
        timezone: str,
        servers: Collection[str] | None = None,
    ) -> Setting:
        """`channels`, `sources`: names, or those parts of rota.yaml whole, which also give the kinds."""
        return cls(catalog, _kinds(channels), _kinds(sources), timezone, servers)

    def channel_names(self) -> set[str]:
        """Everything that a notification's `type:` may be."""
        return {*self.catalog.channels, *self.channels}

    def source_names(self) -> set[str]:
        """Everything that a pull may name."""
        return {*self.catalog.sources, *self.sources}


def _kinds(names: Collection[str]) -> dict[str, str | None]:
    kinds: dict[str, str | None] = dict.fromkeys(names)
    if isinstance(names, Mapping):
        for name, config in names.items():
            kinds[name] = str(config.get("type", name)) if isinstance(config, Mapping) else None
    return kinds

"""The kinds of steps, sources, channels and runners in this installation, rota's own and others'."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeVar

from rota.ports.agents import Runner
from rota.ports.steps import ChannelKind, SourceKind, StepKind
from rota.spec import Catalog

T = TypeVar("T")


@dataclass(frozen=True)
class Kinds:
    """By key. `problems`: a line about each third-party kind that cannot be used."""

    steps: Mapping[str, StepKind]
    sources: Mapping[str, SourceKind]
    channels: Mapping[str, ChannelKind]
    runners: Mapping[str, Runner]
    problems: tuple[str, ...]

    @property
    def catalog(self) -> Catalog:
        """What `rota.spec` needs to read job files."""
        return Catalog(
            steps={key: kind.params for key, kind in self.steps.items()},
            channels={key: kind.params for key, kind in self.channels.items()},
            sources={key: kind.params for key, kind in self.sources.items()},
            runners={key: runner.params for key, runner in self.runners.items()},
            forgetful=frozenset(
                key for key, runner in self.runners.items() if getattr(runner, "continues", True) is False
            ),
        )


@lru_cache(maxsize=1)
def kinds() -> Kinds:
    """All of them; loaded once, on first use."""
    from rota.channels import registry as channels
    from rota.runners import registry as runners
    from rota.sources import registry as sources
    from rota.steps import registry as steps

    more_steps, bad_steps = steps.load_entry_points()
    more_sources, bad_sources = sources.load_entry_points()
    more_channels, bad_channels = channels.load_entry_points()
    more_runners, bad_runners = runners.load_entry_points()
    return Kinds(
        steps={**steps.STEPS, **more_steps},
        sources={**sources.SOURCES, **more_sources},
        channels={**channels.CHANNELS, **more_channels},
        runners={**runners.RUNNERS, **more_runners},
        problems=(*bad_steps, *bad_sources, *bad_channels, *bad_runners),
    )


def late_catalog(find: Callable[[], Kinds]) -> Catalog:
    """The catalog of kinds that are only loaded when one is looked up: most settings name none."""
    return Catalog(
        steps=_Late(lambda: find().catalog.steps),
        channels=_Late(lambda: find().catalog.channels),
        sources=_Late(lambda: find().catalog.sources),
        runners=_Late(lambda: find().catalog.runners),
    )


class _Late(Mapping[str, T]):
    """A mapping that is made when it is first looked into."""

    def __init__(self, make: Callable[[], Mapping[str, T]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, T]:
        return self._make()

    def __getitem__(self, key: str) -> T:
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

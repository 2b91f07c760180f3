"""Wiring: the one place that names the adapters behind the ports."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from rota.ports.clock import Clock, SystemClock
from rota.workspace.layout import Layout

if TYPE_CHECKING:
    from rota.app.kinds import Kinds
    from rota.app.settings import Settings
    from rota.engine.core import Engine
    from rota.model.config import WorkspaceConfig
    from rota.model.message import Message
    from rota.ports.steps import Services
    from rota.ports.store import Store
    from rota.workspace.secrets import Secrets


@dataclass
class App:
    """One workspace, opened. Parts are made when they are first asked for, so that reads stay quick."""

    layout: Layout
    clock: Clock

    @cached_property
    def store(self) -> Store:
        """The state."""
        from rota.store import open_store

        return open_store(self.layout.state, cache=self.layout.cache)

    @cached_property
    def kinds(self) -> Kinds:
        """The kinds in this installation."""
        from rota.app.kinds import kinds

        return kinds()

    @cached_property
    def settings(self) -> Settings:
        """rota.yaml, and what is wrong with it."""
        from rota.app.settings import settings_in_force

        return settings_in_force(self)

    @property
    def config(self) -> WorkspaceConfig:
        """The settings in force."""
        return self.settings.config

    @cached_property
    def secrets(self) -> Secrets:
        """The stored secrets."""
        from rota.workspace.secrets import Secrets

        return Secrets(self.layout.secrets)

    def use(self, settings: Settings) -> None:
        """Replace the settings in force."""
        self.__dict__["settings"] = settings

    def close(self) -> None:
        """Flush and close what was opened."""
        if "store" in self.__dict__:
            self.store.close()
            del self.__dict__["store"]


def open_app(root: Path, clock: Clock | None = None) -> App:
    """The workspace that `root` is in. Raises WorkspaceError."""
    from rota.workspace.layout import find

    return App(find(root), clock or SystemClock())


def build_services(app: App) -> Services:
    """The real processes, hosts and kinds."""
    from rota.app.desk import HostedDesk
    from rota.engine.board import StoredBoard
    from rota.engine.conversations import StoredHistory, StoredSessions
    from rota.engine.environment import clean_environment
    from rota.engine.hosts import HostPool
    from rota.engine.meter import StoredMeter
    from rota.engine.notices import StepNotifier
    from rota.engine.source_states import StoredSourceStates
    from rota.engine.spawner import Spawner
    from rota.ports.steps import Services

    config = app.config
    hosts = HostPool(
        python=sys.executable,
        env={**clean_environment(config), "ROTA_WORKSPACE": str(app.layout.root)},
        most=lambda: app.config.limits.runs,
    )
    return Services(
        clock=app.clock,
        processes=Spawner(),
        hosts=hosts,
        batches=hosts,
        secrets=app.secrets,
        steps=app.kinds.steps,
        sources=app.kinds.sources,
        channels=app.kinds.channels,
        runners=app.kinds.runners,
        notify=StepNotifier(app.store, app.clock),
        states=StoredSourceStates(app.store, app.clock, app.secrets),
        sessions=StoredSessions(app.store, app.clock, app.secrets),
        history=StoredHistory(app.store),
        meter=StoredMeter(app.store, app.clock),
        desk=HostedDesk(hosts, app.layout.root),
        board=StoredBoard(app.store, app.clock, app.secrets),
        link=partial(_link, app),
    )


def _link(app: App, message: Message) -> str | None:
    from rota.app.approvals import link_for

    return link_for(app, message)


def build_engine(app: App, owner: str, *, only: str | None = None) -> Engine:
    """The engine over the real processes, hosts and kinds."""
    from rota.engine.core import Engine
    from rota.triggers.files import WorkspaceFiles

    return Engine(
        app.store,
        app.clock,
        build_services(app),
        WorkspaceFiles(app.layout.root),
        workspace=app.layout.root,
        config=app.config,
        owner=owner,
        owners=app.layout.owners,
        only=only,
    )

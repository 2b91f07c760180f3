"""rota.yaml, read: what is in force, and what is wrong with the file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rota.app.kinds import late_catalog
from rota.model.config import WorkspaceConfig
from rota.model.errors import SpecError
from rota.workspace.layout import Layout

if TYPE_CHECKING:
    from rota.app.wiring import App
    from rota.spec import Catalog

# The text of the settings that were last good, in the state: a process that starts while the file is
# broken goes by it, as one that has been running does. Else every job would move to another time zone.
LAST_GOOD = "settings"


@dataclass(frozen=True)
class Settings:
    """`config` is the last good one (or the defaults) where the file cannot be used; `errors` then say so.

    `text`: the file, where `config` is what it says.
    """

    config: WorkspaceConfig
    errors: tuple[SpecError, ...] = ()
    warnings: tuple[str, ...] = ()
    text: str | None = None


def read_settings(layout: Layout, catalog: Catalog) -> Settings:
    """Read the workspace's rota.yaml; the defaults where it is missing or cannot be used."""
    shown = layout.relative(layout.config)
    defaults = _defaults(layout)
    try:
        text = layout.config.read_text("utf-8-sig", "replace")
    except FileNotFoundError:
        return Settings(defaults, text="")
    except OSError as error:
        problem = SpecError(f"cannot be read: {error.strerror}", file=shown, hint="check its permissions")
        return Settings(defaults, (problem,))
    return _parse(text, layout, catalog)


def settings_in_force(app: App) -> Settings:
    """rota.yaml as it is, or while it is broken the last that was good; a good one is remembered."""
    catalog = late_catalog(lambda: app.kinds)
    found = read_settings(app.layout, catalog)
    known = app.store.read(lambda tx: tx.cursors.get(LAST_GOOD))
    if found.text is not None:
        if found.text != known:
            app.store.write_now(lambda tx: tx.cursors.put(LAST_GOOD, found.text, app.clock.now()))
        return found
    good = _parse(known or "", app.layout, catalog)
    return found if good.errors else replace(found, config=good.config)


def _parse(text: str, layout: Layout, catalog: Catalog) -> Settings:
    from rota.spec import parse_config

    result = parse_config(text, layout.relative(layout.config), catalog)
    warnings = tuple(result.warnings)
    if result.config is None:
        return Settings(_defaults(layout), tuple(result.errors), warnings)
    config = replace(result.config, name=result.config.name or layout.root.name, root=str(layout.root))
    return Settings(config, (), warnings, text)


def _defaults(layout: Layout) -> WorkspaceConfig:
    return WorkspaceConfig(name=layout.root.name, root=str(layout.root))

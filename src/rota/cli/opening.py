"""From the command line to an open workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rota.app.wiring import App


@contextmanager
def workspace(*, fresh: bool = True) -> Iterator[App]:
    """The workspace that --workspace names, closed afterwards. `fresh`: job files are read first if they changed."""
    from rota.app.wiring import open_app

    app = open_app(Path(click.get_current_context().find_root().obj))
    try:
        if fresh:
            from rota.app.stamps import is_current

            if not is_current(app):
                from rota.app.sync import sync

                sync(app)
        yield app
    finally:
        app.close()


def complete_job(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Shell completion of job ids."""
    from rota.app.queries import list_jobs
    from rota.app.wiring import open_app
    from rota.model.errors import RotaError

    try:
        app = open_app(Path(_ctx.find_root().params.get("workspace") or "."))
        try:
            return [view.record.id for view in list_jobs(app) if view.record.id.startswith(incomplete)]
        finally:
            app.close()
    except RotaError:
        return []


job_argument = click.argument("job", shell_complete=complete_job)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON for machines.")

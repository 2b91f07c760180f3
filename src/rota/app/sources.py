"""Sources as a person sees them: what there is, what it needs, how the latest pull went; and one pull by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rota.app.here import services_here
from rota.app.wiring import App
from rota.engine.environment import clean_environment, workspace_value
from rota.engine.output import Masker
from rota.model.errors import NotFoundError, RotaError, StepError
from rota.model.instants import Micros
from rota.ports.processes import OnOutput
from rota.ports.pulling import Asked, kind_of, pull
from rota.ports.sources import Pulled, report_of
from rota.ports.steps import SourceKind
from rota.schedule import local_time
from rota.templates import secret_names

CONSUMER = "command line"


@dataclass(frozen=True)
class SourceView:
    """A kind of source, or one that rota.yaml names (`configured`).

    `keys`: the secrets that it reads, and whether each is there. `pulled_at`, `items`, `new`: of the last pull that
    worked, whoever asked; `failed_at`, `error`: of one after it that did not. `polled_by`: jobs that poll it. `problem`: why it cannot be used.
    """

    name: str
    kind: str
    configured: bool
    keys: Mapping[str, bool] = field(default_factory=dict)
    problem: str | None = None
    pulled_at: Micros | None = None
    items: int | None = None
    new: int | None = None
    failed_at: Micros | None = None
    error: str | None = None
    polled_by: tuple[str, ...] = ()


def list_sources(app: App) -> list[SourceView]:
    """Those of rota.yaml in its order, then the kinds that it does not name."""
    configured = app.config.sources
    names = [*configured, *(key for key in app.kinds.sources if key not in configured)]
    reports = app.store.read(lambda tx: tx.cursors.get_many([report_of(name) for name in names]))
    polled: dict[str, list[str]] = {}
    for look in app.store.read(lambda tx: tx.looks.all()):
        if look.kind == "poll" and look.job_id not in polled.setdefault(look.text, []):
            polled[look.text].append(look.job_id)
    views = [_view(app, name, reports.get(report_of(name)) or {}) for name in names]
    return [replace(view, polled_by=tuple(polled.get(view.name, ()))) for view in views]


def _view(app: App, name: str, report: Mapping[str, Any]) -> SourceView:
    settings = app.config.sources.get(name, {})
    view = SourceView(
        name,
        str(settings.get("type", name)),
        name in app.config.sources,
        pulled_at=report.get("pulled_at"),
        items=report.get("items"),
        new=report.get("new"),
        failed_at=report.get("failed_at"),
        error=report.get("error"),
    )
    try:
        kind = kind_of(name, app.config, app.kinds.sources)
    except StepError as error:
        return replace(view, problem=error.message)
    keys = {**getattr(kind, "defaults", {}), **settings}
    wanted = sorted(secret_names(json.dumps(keys, default=str)))
    return replace(
        view,
        keys={secret: app.secrets.get(secret) is not None for secret in wanted},
        problem=_missing(kind, keys),
    )


def _missing(kind: SourceKind, keys: Mapping[str, Any]) -> str | None:
    """Which keys a pull would have to add."""
    fields = kind.params.model_fields.items()
    lacking = [f.alias or name for name, f in fields if f.is_required() and (f.alias or name) not in keys]
    return f"needs {', '.join(f'`{key}`' for key in lacking)}" if lacking else None


async def pull_here(app: App, name: str, keys: Mapping[str, Any], log: OnOutput) -> Pulled:
    """Pull a source in this process and store the command line's place in it; without secrets.

    `log` gets what the source prints. Raises NotFoundError for a source that there is not; StepError.
    """
    masker = Masker(app.secrets.known())
    timezone = app.config.timezone
    now = local_time(app.clock.now(), timezone)
    asked = Asked(
        name=name,
        workspace=app.layout.root,
        timezone=timezone,
        consumer=CONSUMER,
        keys=keys,
        values={
            "now": now,
            "today": now.date(),
            "timezone": timezone,
            "workspace": workspace_value(app.layout.root, app.config),
        },
        env={**clean_environment(app.config), "ROTA_WORKSPACE": str(app.layout.root)},
    )
    try:
        async with services_here(app) as services:
            pulled = await pull(
                asked, services, app.config, lambda stream, data: log(stream, masker.mask(data))
            )
            await services.states.put(pulled.kept)
    except RotaError as error:
        raise _masked_error(error, masker) from None
    return _masked(pulled, masker)


def _masked(pulled: Pulled, masker: Masker) -> Pulled:
    seen = json.loads(
        masker.mask_text(json.dumps([list(pulled.items), list(pulled.new)], ensure_ascii=False))
    )
    return replace(
        pulled,
        items=seen[0],
        new=seen[1],
        text=masker.mask_text(pulled.text),
        note=masker.mask_text(pulled.note),
    )


def _masked_error(error: RotaError, masker: Masker) -> RotaError:
    message = masker.mask_text(error.message)
    if error.code == "unknown_source":
        return NotFoundError(message, hint=error.hint, code=error.code)
    return RotaError(message, hint=error.hint, code=error.code, permanent=error.permanent)

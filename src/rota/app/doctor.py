"""`rota doctor`: looks at everything that can be wrong, and says how to mend it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator

from rota.app.agents import AUTO, lacks
from rota.app.control import running_daemon
from rota.app.doctor_hooks import Finding, look_at_hooks
from rota.app.places import misplaced
from rota.app.queries import broken_files, failing_polls, list_jobs
from rota.app.search import index_problem
from rota.app.times import ago
from rota.app.wiring import App
from rota.engine.caps import CUT_SHORT
from rota.model.errors import RotaError
from rota.model.instants import DAY, Micros, from_micros
from rota.model.job import Step
from rota.model.ledger import JobRecord
from rota.spec import from_json

_AGENT_STEPS = ("agent", "skill")
LOW_SPACE = 200_000_000
CUT_IS_NEWS: Micros = 7 * DAY


def examine(app: App) -> list[Finding]:
    """Every finding, in the order in which a person would look."""
    parts = (
        *(_folder, _settings, _prices, _state, _index, _jobs, _sources, _agents, _daemon),
        *(look_at_hooks, _messages),
    )
    return [finding for part in parts for finding in part(app)]


def _folder(app: App) -> Iterator[Finding]:
    mode = stat.S_IMODE(app.layout.rota.stat().st_mode)
    if mode & 0o077:
        yield Finding("warning", f".rota is open to others (mode {mode:o})", f"chmod 700 {app.layout.rota}")
    else:
        yield Finding("ok", f"workspace {app.layout.root}, private to its owner")
    free = shutil.disk_usage(app.layout.rota).free
    if free < LOW_SPACE:
        yield Finding("problem", f"only {free // 1_000_000} MB of disk space are left", "free some space")
    if app.layout.secrets.exists() and stat.S_IMODE(app.layout.secrets.stat().st_mode) & 0o077:
        yield Finding(
            "problem", "the stored secrets are readable by others", f"chmod 600 {app.layout.secrets}"
        )


def _settings(app: App) -> Iterator[Finding]:
    for error in app.settings.errors:
        yield Finding("problem", str(error), error.hint or "")
    for warning in app.settings.warnings:
        yield Finding("warning", warning)
    if not app.settings.errors:
        yield Finding("ok", f"settings read; time zone {app.config.timezone}")
    for problem in app.kinds.problems:
        yield Finding("warning", problem)


def _prices(app: App) -> Iterator[Finding]:
    path = app.layout.rota / "prices.yaml"
    if path.exists():
        from rota.spec.prices import parse_prices

        for error in parse_prices(path.read_text("utf-8", "replace"), ".rota/prices.yaml").errors:
            yield Finding("problem", str(error), error.hint or "no agent step runs until it is mended")


def _state(app: App) -> Iterator[Finding]:
    try:
        result = app.store.check()
    except RotaError as error:
        yield Finding("problem", str(error), error.hint or "")
        return
    if result:
        yield Finding("problem", f"the state is damaged: {result}", "restore .rota/state.db from a backup")
    else:
        yield Finding("ok", "the state is whole")
        yield from _size(app)


def _size(app: App) -> Iterator[Finding]:
    """Whether the state is, or was of late, larger than it may be."""
    limit, now = app.config.limits.state, app.clock.now()
    hint = "raise `limits: state:` in rota.yaml, or keep less: `keep_runs`, `keep_days`, `keep_ledger_days`"
    cut = app.store.read(lambda tx: tx.cursors.get(CUT_SHORT))
    if app.store.used() > limit:
        yield Finding("warning", f"the state holds more than its limit of {limit / 1e6:g} MB", hint)
    if cut is not None and now - cut["at"] < CUT_IS_NEWS:
        since = from_micros(cut["since"])
        text = f"history before {since:%Y-%m-%d %H:%M} UTC was given up {ago(cut['at'], now)}: the state was too large"
        yield Finding("warning", text, hint)


def _index(app: App) -> Iterator[Finding]:
    problem = index_problem(app)
    if problem is not None:
        yield Finding("warning", problem.message, problem.hint or "")


def _jobs(app: App) -> Iterator[Finding]:
    views = list_jobs(app)
    broken = broken_files(app)
    for file in broken:
        place = file.path + (f":{file.line}" if file.line else "")
        yield Finding("problem", f"{place}: {file.error}", file.hint or f"rota check {file.path}")
    shown = {file.path for file in broken}
    for view in views:
        record = view.record
        if record.error is not None and record.path not in shown:
            yield Finding("problem", f"{record.id}: {record.error}")
        for error in misplaced(app, from_json(record.definition), record.path or record.id):
            yield Finding("problem", str(error), error.hint or "")
        for warning in record.warnings:
            yield Finding("warning", f"{record.id}: {warning}")
        if record.paused_at is not None:
            yield Finding(
                "warning", f"{record.id} is paused ({record.paused_reason})", f"rota resume {record.id}"
            )
    if not broken:
        yield Finding("ok", f"{len(views)} job{'' if len(views) == 1 else 's'}, no broken files")


def _sources(app: App) -> Iterator[Finding]:
    for look in app.store.read(lambda tx: failing_polls(tx, app.clock.now())):
        record = look.record
        text = f"{record.job_id} cannot poll {record.text}: {record.error}"
        yield Finding("problem", text, f"it is asked again by itself; `rota why {record.job_id}` says when")


def _agents(app: App) -> Iterator[Finding]:
    """Runners that somebody has named and that are not there: no other takes their place."""
    pinned, usual = app.config.agent.runner, app.config.agent.model
    # That rota.yaml names no model is no fault of its own: each step may.
    wanted: dict[tuple[str, str | None], list[str]] = {(pinned, usual or "any"): ["rota.yaml"]}
    for view in list_jobs(app):
        for step in _agent_steps(view.record):
            runner = str(step.config.get("runner", AUTO))
            asked = (pinned if runner == AUTO else runner, step.config.get("model"))
            wanted.setdefault(asked, []).append(view.record.id)
    said: dict[tuple[str, str], list[str]] = {}
    for asked, missing in lacks(app, [one for one in wanted if one[0] in app.kinds.runners]).items():
        said.setdefault((asked[0], missing), []).extend(wanted[asked])
    for (runner, missing), whose in said.items():
        who = ", ".join(dict.fromkeys(whose))
        text = f"the agent runner {runner}, which {who} asks for, is not ready: {missing}"
        yield Finding("problem", text, "rota agents")


def _agent_steps(record: JobRecord) -> list[Step]:
    if not any(f'"{kind}"' in record.definition for kind in _AGENT_STEPS):
        return []
    return [step for step in from_json(record.definition).steps if step.kind in _AGENT_STEPS]


def _daemon(app: App) -> Iterator[Finding]:
    running = running_daemon(app.layout)
    if running is not None:
        yield Finding("ok", f"the daemon is running (pid {running.pid})")
        return
    lives = app.store.read(lambda tx: tx.daemons.recent(1))
    now = app.clock.now()
    when = f"; one was last seen {ago(lives[0].stopped_at or lives[0].seen_at, now)}" if lives else ""
    yield Finding("warning", f"no daemon is running{when}", "rota up --background")


def _messages(app: App) -> Iterator[Finding]:
    for message in app.store.read(lambda tx: tx.outbox.recent(limit=200)):
        if message.error is not None and message.state.value in {"pending", "failed"}:
            verb = "was given up" if message.state.value == "failed" else "is not delivered yet"
            yield Finding(
                "warning", f"a {message.channel} message of {message.job_id} {verb}: {message.error}"
            )

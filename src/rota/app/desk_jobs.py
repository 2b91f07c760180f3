"""The desk's tools for jobs: list, show, explain, next fires, check; create, change, pause, resume, run, test, remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.app.desk_tools import acts, looks
from rota.app.desk_words import JOB, WHY, at, count, outcome, say, takes, text
from rota.model.agent import Actor

if TYPE_CHECKING:
    from rota.app.wiring import App

Given = Mapping[str, Any]
_FILE = "The whole job file: YAML, or Markdown with the job as front matter and the prompt as body."


def _list(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.queries import broken_files, list_jobs

    views = list_jobs(app)
    wanted = str(given.get("query", "")).lower()
    rows = [
        {
            "id": view.record.id,
            "status": view.record.status,
            "schedule": view.record.schedule or "manual",
            "description": view.record.description[:200],
            "next": at(view.next_due, view.record.timezone),
            "last_run": None if view.last_run is None else view.last_run.state.value,
            "paused": view.record.paused_reason,
            "made_by_agent": view.record.created_by is not None or None,
        }
        for view in views
        if wanted in f"{view.record.id} {view.record.name} {view.record.description}".lower()
    ]
    limit = int(given["limit"])
    more = f"\n({len(rows) - limit} more: give a query)" if len(rows) > limit else ""
    broken = "".join(f"\nbroken file: {file.path}: {file.error}" for file in broken_files(app))
    return (say(rows[:limit]) if rows else "There are no such jobs.") + more + broken


def _show(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.deeds import text_of
    from rota.app.hands import hand_of
    from rota.app.queries import find_job, job_view, schedules

    record = find_job(app, str(given["job"]))
    view = job_view(app, record)
    made, changed = hand_of(app, record.created_by), hand_of(app, record.changed_by)
    about = {
        "id": record.id,
        "name": record.name if record.name != record.id else None,
        "status": record.status,
        "schedule": [{"text": words, "means": said} for words, said, _ in schedules(app, record, 1)],
        "timezone": record.timezone,
        "next": at(view.next_due, record.timezone),
        "paused": record.paused_reason,
        "error": record.error,
        "warnings": list(record.warnings),
        "last_run": None if view.last_run is None else [view.last_run.id, view.last_run.state.value],
        "made_by": None if made is None else f"{made.actor.name} ({made.id})",
        "changed_by": None if changed is None else f"{changed.actor.name} ({changed.id})",
        "file": record.path,
    }
    file = None if record.path is None or record.removed_at else text_of(app.layout.root / record.path)
    return say(about) + (f"\n\n{record.path}:\n{file}" if file is not None else "")


def _why(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.why import moment_of, why

    job = str(given["job"])
    moment = moment_of(app, job, str(given["at"])) if "at" in given else None
    return "\n".join(why(app, job, at=moment, limit=int(given["limit"])).words)


def _next(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.queries import find_job, fires

    record = find_job(app, str(given["job"]))
    times = fires(app, record, app.clock.now(), int(given["count"]))
    rest = "" if record.status == "active" else f" It is {record.status}: it does not fire."
    if not times:
        return f"Nothing starts `{record.id}` by the clock ({record.schedule or 'manual'}).{rest}"
    return "\n".join(str(at(moment, record.timezone)) for moment in times) + rest


def _check(app: App, given: Given, actor: Actor) -> str:
    from rota.app.desk_wishes import to_create

    wish = to_create(app, actor, {"id": given["id"], "text": given["text"]})
    fires = [str(at(moment, app.config.timezone)) for moment in wish.detail["fires"]]
    return (
        f"It is right. It would be {wish.path}; next: {', '.join(fires) or 'nothing starts it by the clock'}."
    )


def _test(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.dryrun import dry_run

    params = {str(k): str(v) for k, v in dict(given.get("params") or {}).items()}
    steps = dry_run(app, str(given["job"]), params)
    return say([dict(vars(step)) for step in steps])


def _create(app: App, given: Given, actor: Actor) -> str:
    from rota.app.desk_wishes import to_create
    from rota.app.proposing import submit

    return outcome(submit(app, to_create(app, actor, given)))


def _change(app: App, given: Given, actor: Actor) -> str:
    from rota.app.desk_wishes import to_change
    from rota.app.proposing import submit

    return outcome(submit(app, to_change(app, actor, given)))


def _remove(app: App, given: Given, actor: Actor) -> str:
    from rota.app.desk_wishes import to_remove
    from rota.app.proposing import submit

    return outcome(submit(app, to_remove(app, actor, given)))


def _pause(app: App, given: Given, actor: Actor) -> str:
    from rota.app.desk_wishes import to_do
    from rota.app.proposing import submit
    from rota.model.proposal import Deed

    return outcome(submit(app, to_do(app, actor, Deed.PAUSE, given)))


def _resume(app: App, given: Given, actor: Actor) -> str:
    from rota.app.desk_wishes import to_do
    from rota.app.proposing import submit
    from rota.model.proposal import Deed

    return outcome(submit(app, to_do(app, actor, Deed.RESUME, given)))


def _run(app: App, given: Given, actor: Actor) -> str:
    from rota.app.commands import typed_params
    from rota.app.desk_wishes import to_do
    from rota.app.proposing import depth_of, submit
    from rota.app.queries import find_job
    from rota.model.proposal import Deed
    from rota.spec import from_json

    params = {str(k): str(v) for k, v in dict(given.get("params") or {}).items()}
    depth = app.store.read(lambda tx: depth_of(tx, actor))
    wish = to_do(app, actor, Deed.RUN, given, params=params, depth=depth)
    typed_params(from_json(find_job(app, str(given["job"])).definition), params)
    return outcome(submit(app, wish))


TOOLS = (
    looks(
        "job_list",
        "List the workspace's jobs: id, status, schedule, next fire, last run.",
        takes(query=text("Only those with this in id, name or description."), limit=count("How many.", 100, 500)),
        _list,
    ),
    looks("job_show", "Show one job: its state, who made it, and the text of its file.", takes("job", job=JOB), _show),
    looks(
        "job_why",
        "Explain in words what a job did and did not do, why, and what happens next. Ask this before you guess.",
        takes(
            "job",
            job=JOB,
            at=text("Only about this moment: 2026-11-21T08:00, 08:00, `yesterday 08:00`."),
            limit=count("How many moments.", 10, 100),
        ),
        _why,
    ),
    looks("job_next", "When a job fires next.", takes("job", job=JOB, count=count("How many.", 5, 50)), _next),
    looks(
        "job_check",
        "Check the text of a new job file without making anything: errors with line and key, or its next fires.",
        takes("id", "text", id=text("The id that it is to have."), text=text(_FILE)),
        _check,
    ),
    looks(
        "job_test",
        "Dry run of a job: what its steps would do, rendered; nothing is run.",
        takes("job", job=JOB, params={"type": "object", "description": "Parameters by name."}),
        _test,
    ),
    acts(
        "job_create",
        "Make a new job. By the workspace's policy this may become a proposal that a person decides about. Give `run` or "
        "`prompt` with a `schedule`, more in `keys`; or the whole file as `text`.",
        takes(
            "id",
            id=text("Lower-case letters, digits and hyphens: nightly-backup."),
            schedule=text('When: "0 8 * * 1-5", "every 4h", daily, "at 2026-12-01T09:00", manual.'),
            run=text("A shell command."),
            prompt=text("A prompt for an agent."),
            description=text("What it is for."),
            keys={"type": "object", "description": "Other keys of a job file: timezone, steps, timeout, notify, budget."},
            text=text(_FILE),
            why=WHY,
        ),
        _create,
    ),
    acts(
        "job_change",
        "Change a job's file, keeping its comments. May become a proposal.",
        takes(
            "job",
            job=JOB,
            set={"type": "object", "description": "Dotted keys with new values; null takes a key out."},
            text=text("Instead: the whole new text of the file."),
            why=WHY,
        ),
        _change,
    ),
    acts("job_pause", "Let no trigger of a job fire until it is resumed. May become a proposal.",
         takes("job", job=JOB, why=WHY), _pause),
    acts("job_resume", "Let a paused job go on. May become a proposal: a person may have paused it on purpose.",
         takes("job", job=JOB, why=WHY), _resume),
    acts(
        "job_run",
        "Start a job now; answers with the run's id at once, see run_show for what came of it. Never your own job.",
        takes("job", job=JOB, params={"type": "object", "description": "Parameters by name."}, why=WHY),
        _run,
    ),
    acts("job_remove", "Remove a job: delete its file; its history stays. May become a proposal.",
         takes("job", job=JOB, why=WHY), _remove),
)  # fmt: skip

"""Looking at job files without running anything: check, test, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from rota.cli.errors import hint_of
from rota.cli.opening import job_argument, json_option, workspace
from rota.cli.output import note, print_json


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
def check_command(files: tuple[Path, ...], as_json: bool) -> None:
    """Check job files (all of the workspace's by default) without running anything."""
    from rota.app.jobedit import check_files

    with workspace(fresh=False) as app:
        results = check_files(app, list(files))
        settings = app.settings
    errors = sum(len(result.errors) for _, result in results) + len(settings.errors)
    if as_json:
        print_json(
            [
                {
                    "file": path,
                    "jobs": [job.job.id for job in result.jobs],
                    "errors": [
                        {"line": e.line, "key": e.key, "message": e.message, "hint": e.hint}
                        for e in result.errors
                    ],
                    "warnings": [w for job in result.jobs for w in job.warnings],
                }
                for path, result in results
            ]
        )
        raise SystemExit(1 if errors else 0)
    for error in (*settings.errors, *(e for _, result in results for e in result.errors)):
        click.echo(f"error: {error}")
        click.echo(f"hint: {hint_of(error)}")
    for path, result in results:
        for job in result.jobs:
            for warning in job.warnings:
                click.echo(f"warning: {path}: {job.job.id}: {warning}")
    jobs = sum(len(result.jobs) for _, result in results)
    note(f"{_count(len(results), 'file')}, {_count(jobs, 'job')}, {_count(errors, 'error')}.")
    if errors:
        raise SystemExit(1)


def _shown(value: Any) -> str:
    """A value as a job file would have it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


@click.command("test")
@job_argument
@click.option("--param", "-p", "params", multiple=True, metavar="K=V", help="A parameter of the job.")
@json_option
def test_command(job: str, params: tuple[str, ...], as_json: bool) -> None:
    """Dry run: render everything, run nothing."""
    from rota.app.dryrun import dry_run

    given = dict(item.partition("=")[::2] for item in params)
    with workspace() as app:
        steps = dry_run(app, job, given)
    if as_json:
        print_json([step.__dict__ for step in steps])
    else:
        for step in steps:
            click.echo(f"── {step.id} ({step.kind})" + (f"  if: {step.condition}" if step.condition else ""))
            for key, value in step.config.items():
                click.echo(f"{key}: {_shown(value)}")
            for problem in step.problems:
                click.echo(f"problem: {problem}")
    if any(step.problems for step in steps):
        raise SystemExit(1)


@click.command("schema")
@click.option("--config", is_flag=True, help="The schema of rota.yaml instead.")
def schema_command(config: bool) -> None:
    """Print the JSON Schema of job files, which editors use for completion and checks."""
    from rota.app.kinds import kinds
    from rota.spec import config_schema, json_schema

    catalog = kinds().catalog
    print_json(config_schema(catalog) if config else json_schema(catalog))

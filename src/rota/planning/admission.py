"""Which of the runs that could start do start, under the limits on what runs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rota.model.run import Run


def choose(
    candidates: Sequence[Run],
    *,
    free: int,
    running_by_job: Mapping[str, int],
    running_by_group: Mapping[str, int],
    job_limits: Mapping[str, int],
    group_limits: Mapping[str, int],
) -> list[Run]:
    """The runs to claim now, in the order given; a job or group at its limit holds up no other.

    A job or group without a limit in the mappings has none.
    """
    by_job = dict(running_by_job)
    by_group = dict(running_by_group)
    chosen: list[Run] = []
    for run in candidates:
        if len(chosen) >= free:
            break
        if _full(run.job_id, by_job, job_limits) or (
            run.group is not None and _full(run.group, by_group, group_limits)
        ):
            continue
        by_job[run.job_id] = by_job.get(run.job_id, 0) + 1
        if run.group is not None:
            by_group[run.group] = by_group.get(run.group, 0) + 1
        chosen.append(run)
    return chosen


def _full(name: str, running: Mapping[str, int], limits: Mapping[str, int]) -> bool:
    limit = limits.get(name)
    return limit is not None and running.get(name, 0) >= limit

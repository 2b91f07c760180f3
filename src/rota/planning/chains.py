"""Who starts after whom: circles of jobs, which would never come to an end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rota.model.job import Job

# So many runs may start each other, one after the other.
MAX_DEPTH = 50

Follows = Mapping[str, Collection[str]]


def upstreams(job: Job) -> frozenset[str]:
    """The jobs that it starts after."""
    return frozenset(trigger.text for trigger in job.triggers if trigger.kind == "job")


def circle(follows: Follows, job_id: str) -> tuple[str, ...] | None:
    """The shortest way from a job back to itself, in the order in which they start each other: (a, b, a).

    `follows`: the jobs that each starts after; one that is not a key starts after none.
    """
    towards: dict[str, str] = {}  # the job that each one starts, on the way to `job_id`
    edge = [job_id]
    while edge:
        reached: list[str] = []
        for job in edge:
            for upstream in sorted(follows.get(job, ())):
                if upstream == job_id:
                    return _way(towards, job, job_id)
                if upstream not in towards:
                    towards[upstream] = job
                    reached.append(upstream)
        edge = reached
    return None


def _way(towards: Mapping[str, str], first: str, job_id: str) -> tuple[str, ...]:
    way = [job_id, first]
    while way[-1] != job_id:
        way.append(towards[way[-1]])
    return tuple(way)


def refused(in_force: Follows, wanted: Follows) -> dict[str, tuple[str, ...]]:
    """The wanted jobs that are not to come into force, each with the circle that it would close.

    What is refused stays as it is in force (or away), so that no circle goes through a wanted change.
    Of several changes that make a circle together the last one of `wanted` is refused.
    """
    follows = {**in_force, **wanted}
    changed = [job for job in wanted if set(wanted[job]) != set(in_force.get(job, ()))]
    found: dict[str, tuple[str, ...]] = {}
    while True:
        suspects = _endless(follows)
        ways = ((job, circle(follows, job)) for job in reversed(changed) if job in suspects)
        last = next(((job, way) for job, way in ways if way is not None), None)
        if last is None:
            return found
        job, found[job] = last
        changed.remove(job)
        follows[job] = in_force.get(job, ())


def _endless(follows: Follows) -> set[str]:
    """The jobs in circles and those that follow from them: what is left when all that has a beginning is taken."""
    open_ends = {job: sum(upstream in follows for upstream in set(ups)) for job, ups in follows.items()}
    started_by: dict[str, list[str]] = {}
    for job, ups in follows.items():
        for upstream in set(ups):
            started_by.setdefault(upstream, []).append(job)
    ready = [job for job, count in open_ends.items() if count == 0]
    while ready:
        begun = ready.pop()
        del open_ends[begun]
        for job in started_by.get(begun, ()):
            open_ends[job] -= 1
            if open_ends[job] == 0:
                ready.append(job)
    return set(open_ends)

"""The coming load, as a person sees it: `rota simulate`."""

from __future__ import annotations

from tests.support.rota import Rota

RUN = "steps:\n  - run: 'true'\n"
FROM = ("--from", "2027-03-27T00:00")


def test_the_coming_load(rota: Rota) -> None:
    rota.job("report", f"schedule: '0 9 * * *'\ntimezone: Europe/London\n{RUN}")
    rota.job("ping", f"schedule: '*/5 * * * *'\n{RUN}")
    rota.job("night", f"schedule: '30 1 * * *'\ntimezone: Europe/London\n{RUN}")
    rota.job("late", f"schedule: '0 6 * * *'\nwindow: '07:00-08:00'\n{RUN}")
    rota.job("asleep", f"schedule: daily\n{RUN}")
    rota.job("wrong", "schedule: sometimes\n")
    rota.quick("pause", "asleep", "--reason", "on holiday")
    rota("run", "ping")
    said = rota.quick("simulate", "--days", "2", *FROM).out
    lines = said.splitlines()
    assert lines[0].startswith("Sat 27 Mar 2027 00:00 to Mon 29 Mar 00:00 UTC: 582 runs, ")
    assert "ping  every 5 minutes  288 times a day, usual 0." in said
    assert "Sat 27 Mar  291 runs, " in said
    assert "  01:30  night   no runs yet" in lines
    assert "! London clocks go forward from 01:00 to 02:00; night: `30 1 * * *` runs at" in said
    assert "  01:00  night   no runs yet" in lines, "which is 02:00 in London"
    assert "late: 2 of 2 runs are put off by its window" in said
    assert "asleep: paused (on holiday)" in said
    assert "wrong: broken, and never was good" in said
    assert max(map(len, lines)) <= 80
    assert not rota.runs("report"), "nothing was run"


def test_as_json(rota: Rota) -> None:
    for number in range(3):
        rota.job(f"j{number}", f"schedule: '0 9 * * *'\nconcurrency: {{group: gpu, limit: 2}}\n{RUN}")
    rota.job("slow", f"schedule: '0 9 * * *'\njitter: 10m\n{RUN}")
    found = rota.quick("simulate", "--days", "1", "--json", *FROM).json
    (day,) = found["days"]
    assert (found["runs"], day["runs"], day["date"]) == (4, 4, "2027-03-27")
    assert (day["peak"]["runs"], day["peak"]["at"]) == (3, "2027-03-27T09:00:00+00:00")
    assert [(group["group"], group["runs"], group["limit"]) for group in day["groups"]] == [("gpu", 3, 2)]
    (spread,) = [moment for moment in day["moments"] if moment["job"] == "slow"]
    assert spread["reason"]["code"] == "jitter"
    assert {job["id"]: job["usual_seconds"] for job in found["jobs"]}["slow"] is None
    assert found["not_counted"] == []


def test_more_at_once_than_the_limit(rota: Rota) -> None:
    rota.write(".rota/rota.yaml", "timezone: UTC\nlimits: {runs: 4}\n")
    for number in range(6):
        rota.job(f"j{number}", f"schedule: '0 9 * * *'\n{RUN}")
    said = rota.quick("simulate", "--days", "1", *FROM).out
    assert "Sat 27 Mar  6 runs, 6 at once at 09:00, limit 4: 2 wait" in said
    assert "  09:00  6 jobs: j0, j1, j2 and 3 more" in said


def test_what_cannot_be_asked(rota: Rota) -> None:
    assert "there is no job `nothing`" in rota.quick("simulate", "--job", "nothing", code=3).err
    assert "cannot read the time" in rota.quick("simulate", "--from", "soonish", code=1).err
    assert "there are no jobs yet" in rota.quick("simulate").err

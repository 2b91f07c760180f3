"""A job that fails again and again, as the person sees it who comes to look."""

from __future__ import annotations

from tests.support.rota import Rota


def test_a_job_that_keeps_failing_is_paused_and_list_and_why_say_so(rota: Rota) -> None:
    tell = "notify: {type: command, command: [sh, -c, 'cat >> told.txt']}\n"
    rota.job("flaky", f"max_failures: 2\n{tell}steps:\n  - run: exit 7\n")
    for _ in range(2):
        rota("run", "flaky", "--wait", code=1)
    assert "2 runs in a row failed" in rota.quick("list").out
    (job,) = [job for job in rota.quick("list", "--json").json if job["id"] == "flaky"]
    assert (job["status"], job["paused_reason"]) == ("paused", "2 runs in a row failed")
    why = rota.quick("why", "flaky").out
    assert "It is paused since" in why
    assert "(2 runs in a row failed)" in why
    assert "rota resume flaky" in why
    assert "`flaky` is paused: 2 runs in a row failed" in rota.read("told.txt")
    rota.quick("resume", "flaky")
    rota("run", "flaky", "--wait", code=1)
    assert "paused" not in rota.quick("why", "flaky").out

"""Success that has to be shown, and what is tried again, as a person sees them."""

from __future__ import annotations

import json
import os
import time

import pytest
from tests.support.rota import Rota, eventually

PLAN = """\
steps:
  - id: plan
    run: {run}
success_if:
  - file: now/plan.md
    contains: "^# Plan"
  - command: test "$(wc -l < now/plan.md)" -ge {{{{ steps.plan.count }}}}
  - output: count
  - schema: plan.schema.json
    step: plan
"""
WRITES = "mkdir -p now; echo '# Plan' > now/plan.md; echo '{\"count\": 1}'"


def test_a_run_that_shows_what_it_did_has_succeeded(rota: Rota) -> None:
    rota.write("plan.schema.json", json.dumps({"required": ["count"]}))
    rota.job("plan", PLAN.format(run=json.dumps(WRITES)))
    assert rota.quick("check").code == 0
    said = rota("run", "plan")
    assert "plan succeeded" in said.err
    lines = rota.quick("logs", "plan").out
    assert "[rota] found: now/plan.md was written by the run, 7 bytes, and matches '^# Plan'" in lines
    assert "[rota] found: `test" in lines
    assert "[rota] found: the output of step `plan` matches 'count'" in lines
    assert "[rota] found: the output of step `plan` meets the schema" in lines
    assert [step["id"] for step in rota.quick("logs", "plan", "--json").json["steps"]] == [
        "plan",
        "success_if",
    ]


def test_a_run_that_did_nothing_has_not(rota: Rota) -> None:
    old = rota.write("now/plan.md", "# Plan of last week\n")
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    rota.write("plan.schema.json", json.dumps({"required": ["count"]}))
    rota.job("plan", PLAN.format(run='"echo \'{\\"count\\": 2}\'"'))
    said = rota("run", "plan", code=1)
    missing = "success_if: now/plan.md was last written 3 days ago, before the run (2 of 4 are missing)"
    assert "plan failed in" in said.err
    assert missing in said.err
    assert rota.runs("plan")[0]["reason"] == {"code": "unverified", "text": missing}
    assert missing in rota.quick("why", "plan").out
    lines = rota.quick("logs", "plan").out
    assert "[rota] missing: now/plan.md was last written" in lines
    assert "[rota] missing: `test" in lines
    assert "exit code 1" in lines
    assert "[rota] found: the output of step `plan` matches 'count'" in lines


def test_a_value_reaches_the_command_as_data(rota: Rota) -> None:
    rota.job(
        "j",
        "params: {who: {required: true}}\nsteps:\n  - run: 'true'\n"
        "success_if:\n  - command: printf %s {{ params.who }} > who.txt; echo seen >> seen.txt\n",
    )
    rota("run", "j", "--param", "who=$(touch made); touch made")
    assert rota.read("who.txt") == "$(touch made); touch made"
    assert not (rota.root / "made").exists()
    assert rota.lines("seen.txt") == ["seen"]


def test_a_pattern_that_would_take_for_ever_holds_up_nobody(rota: Rota) -> None:
    rota.job("slow", "run: printf %040d! 0\nsuccess_if: {output: '^(0+)+$'}\n")
    rota.job("quick", "run: echo x\n")
    rota.up()
    rota("run", "slow")
    eventually(
        lambda: rota.quick("logs", "slow", "--json").json["steps"][-1]["id"] == "success_if", "it looks"
    )
    rota("run", "quick", "--wait")
    assert rota.runs("slow")[0]["state"] == "running"
    rota("cancel", "slow")
    eventually(lambda: rota.runs("slow")[0]["state"] == "cancelled", "the look is ended")


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            "schema: bad.json",
            ":3: `success_if.0.schema`: bad.json is no valid JSON Schema: `type`: 'nope' is not",
        ),
        ("schema: none.json", ":3: `success_if.0.schema`: `schema:` 'none.json' is not a file"),
        ("schema: {type: nope}", ":3: `success_if.0.schema.type`: no valid JSON Schema"),
        ("file: ../x", ":3: `success_if.0.file`: `file:` '../x' leads out of the workspace"),
    ],
)
def test_check_and_test_find_what_cannot_be_looked_at(rota: Rota, item: str, said: str) -> None:
    rota.write("bad.json", '{"type": "nope"}')
    rota.job("j", f"run: echo x\nsuccess_if:\n  - {item}\n")
    assert said in rota.quick("check", code=1).out
    if "{" not in item:  # else there is no such job
        assert "problem: " in rota.quick("test", "j", code=1).out


def test_show_and_test_say_what_is_asked_for(rota: Rota) -> None:
    rota.job(
        "j",
        "run: echo x\nsuccess_if:\n  - now/{{ today }}.md\n  - command: test -s {{ job.id }}.md\n"
        "retry_run: {attempts: 2, on: unverified}\n",
    )
    shown = rota.quick("show", "j").out
    assert "success_if a fresh now/{{ today }}.md" in shown
    assert "success_if exit code 0 of: test -s {{ job.id }}.md" in shown
    assert "retry_run 2 attempts, 10 s apart at first; on unverified" in shown
    tested = rota.quick("test", "j").out
    assert "── success_if (file)\nfile: now/20" in tested
    assert tested.endswith('── success_if (command)\ncommand: test -s "${ROTA_V1}".md\n$ROTA_V1: j\n')


def test_a_failed_run_is_made_again_by_the_daemon(rota: Rota) -> None:
    rota.job(
        "flaky",
        "run: echo x >> tries.txt; test $(wc -l < tries.txt) -ge 3 || exit 75\n"
        "retry_run: {attempts: 3, first: 1s, on: [75]}\non_error: {notify: false}\n",
    )
    said = rota("run", "flaky", code=1)
    assert "attempt 2 of 3 after run" in said.err
    assert "hint: rota up, or rota tick then" in said.err
    rota.up()
    eventually(lambda: rota.runs("flaky")[0]["state"] == "succeeded", "the third attempt succeeds")
    third, second, first = rota.runs("flaky")
    assert [run["trigger"] for run in (first, second, third)] == ["manual", "retry", "retry"]
    assert len(rota.lines("tries.txt")) == 3
    why = rota.quick("why", "flaky").out
    assert f"attempt 2 of 3 after run {first['id']} failed (step `run`: exit code 75)" in why
    assert f"attempt 3 of 3 after run {second['id']} failed (step `run`: exit code 75)" in why

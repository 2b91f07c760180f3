"""Budgets, as somebody meets them who has agents at work: what it cost, what is left, what is refused and why."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.test_acceptance_docs import ROOT, here, run
from tests.support import paying
from tests.support.rota import Rota

PAGE = (ROOT / "docs/budgets.md").read_text("utf-8")


@pytest.fixture
def paid(rota: Rota, tmp_path: Path) -> Rota:
    """A workspace with a runner that costs $0.10 a response."""
    rota.env["PYTHONPATH"] = paying.install(tmp_path / "packages")
    rota.write(".rota/rota.yaml", "timezone: UTC\nagent: {runner: paying, model: gpt-5}\n")
    return rota


def asks(rota: Rota, job_id: str, keys: str = "", responses: int = 1, **more: object) -> None:
    prompt = json.dumps(json.dumps({"responses": responses, **more}))
    rota.job(job_id, f"{keys}\nsteps: [{{id: ask, agent: {prompt}}}]\n")


def test_the_guide_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a runner that costs $0.10, in place of one that asks a model."""
    monkeypatch.setenv("PYTHONPATH", paying.install(tmp_path / "packages"))
    work = tmp_path / "work"
    assert here(f"rota init {work}")[0] == 0
    files = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    files[".rota/rota.yaml"] = files[".rota/rota.yaml"].replace("{model:", "{runner: paying, model:")
    for name, text in files.items():
        (work / name).write_text(text)
    run("docs/budgets.md", work, monkeypatch)
    code, said = here(f"rota -w {work} spend --json")
    assert code == 0
    found = json.loads(said)
    assert (found["total"]["usd"], found["total"]["turns"]) == (0.1, 1)
    shown = re.search(r"^```\n(JOB .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown is not None
    code, said = here(f"rota -w {work} spend")
    assert re.sub(r"\d\.\d s", "4.2 s", said).replace(" \n", "\n") == shown[1], (
        "the page shows what is printed"
    )
    paying.forget()


def test_a_cap_ends_the_run_with_its_reason_and_one_message(paid: Rota) -> None:
    asks(
        paid, "digest", "budget: {usd: 0.2, per: day}\nnotify: [{type: command, command: tee -a told.txt}]", 9
    )
    said = paid("run", "digest", "--wait", code=1)
    assert "the job's budget of a day, $0.20, is used up ($0.20 by now); the next begins" in said.err
    assert "response 2" not in paid("logs", "digest").out, "nothing was asked for beyond the cap"
    again = paid("run", "digest", "--wait", code=1)
    assert "is used up ($0.20 by now)" in again.err
    told = paid.read("told.txt")
    assert told.count("The job's budget of a day, $0.20, is used up") == 1
    assert "Failed" not in told
    for command in ("show", "why"):
        assert "used up" in paid.quick(command, "digest").out
    assert "digest: $0.20 of $0.20 today, used up" in paid.quick("spend").out


def test_what_was_taken_by_job_model_day_and_runner(paid: Rota) -> None:
    asks(paid, "one", "budget: {tokens: 100000}", 2, client_usd=0.07)
    asks(paid, "two", "budget: {tokens: 100000}", 1, model="homemade-1")
    paid.job("free", "run: echo hello\n")
    for job_id in ("one", "two", "free"):
        paid("run", job_id, "--wait")
    by = {
        what: paid.quick("spend", "--by", what, "--json").json for what in ("job", "model", "day", "runner")
    }
    assert {row["job"]: (row["usd"], row["unpriced_responses"]) for row in by["job"]["rows"]} == {
        "one": (0.2, 0),
        "two": (0.0, 1),
    }, "what asks no model is not in it"
    assert {row["model"]: row["turns"] for row in by["model"]["rows"]} == {"gpt-5": 2, "homemade-1": 1}
    assert [row["usd"] for row in by["day"]["rows"]] == [0.2]
    assert [row["runner"] for row in by["runner"]["rows"]] == ["paying"]
    assert {found["total"]["client_usd"] for found in by.values()} == {0.14}
    table = paid.quick("spend")
    assert "CLIENT SAYS" in table.out
    assert re.search(r"^two +no price", table.out, re.MULTILINE)
    assert "prices.yaml" in table.err


def test_status_and_simulate_know_the_budget(paid: Rota) -> None:
    paid.write(
        ".rota/rota.yaml",
        "timezone: UTC\nagent: {runner: paying, model: gpt-5}\nbudget: {usd: 1, per: day, month: {turns: 4}}\n",
    )
    asks(paid, "hourly", "schedule: every 1h", 2)
    asks(paid, "never", "schedule: every 1h")
    paid("run", "hourly", "--wait")
    assert "budget     $0.20 of $1.00 today\nbudget     2 of 4 turns this month" in paid.quick("status").out
    assert paid.quick("status", "--json").json["budgets"][0]["used"] == 0.2
    found = paid.quick("simulate", "--days", "2", "--json").json["cost"]
    assert found["jobs"] == [{"id": "hourly", "usd": 9.6, "tokens": 960_000, "usual_usd": 0.2}]
    assert found["unknown"] == ["never"]
    assert {(hit["job"], hit["per"], hit["unit"]) for hit in found["used_up"]} == {
        (None, "day", "usd"),
        (None, "month", "turns"),
    }
    said = paid.quick("simulate", "--days", "2").out
    assert "hourly: about $9.60, 960,000 tokens (usually $0.20 a run)" in said
    assert "not known yet, since no agent was asked so far: never" in said


def test_prices_of_ones_own_and_what_is_wrong_with_them(paid: Rota) -> None:
    asks(paid, "digest")
    paid.write(".rota/prices.yaml", "gpt-*:\n  input: 1\n  outptu: 5\n")
    said = paid("run", "digest", "--wait", code=1)
    assert ".rota/prices.yaml:1: `gpt-*`: `output` is missing" in said.err
    assert ".rota/prices.yaml:3" in paid("doctor", code=1).out
    paid.write(".rota/prices.yaml", "gpt-*: {input: 1, output: 5}\n")
    paid("run", "digest", "--wait")
    assert paid.quick("spend", "--json").json["total"]["usd"] == 0.05


def test_a_model_without_a_price_is_refused_with_what_to_do(paid: Rota) -> None:
    paid.job("digest", "steps: [{agent: Hello, model: homemade-1}]\n")
    said = paid("run", "digest", "--wait", code=1)
    assert "the model `homemade-1` has no price" in said.err
    assert "prices.yaml (0 if it costs nothing)" in said.err


def test_an_idle_command_needs_no_price_table(paid: Rota) -> None:
    """`rota spend` and the daemon's own process load no library of prices or models."""
    code = (
        "import sys; from pathlib import Path; from rota.app.wiring import open_app, build_engine; "
        "app = open_app(Path(sys.argv[1])); build_engine(app, 'x'); from rota.app.spend import spend; "
        "spend(app, by='job', days=1); app.close(); "
        "print([name for name in sys.modules if name.startswith(('genai_prices', 'pydantic_ai', 'openai', 'anthropic'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(paid.root)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"

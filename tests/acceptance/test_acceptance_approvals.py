"""A run that asks a person: what that person gets, and the ways to answer. Reads as a tutorial."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from tests.support.hooks import Reply, Sender
from tests.support.rota import Rota, eventually, new_workspace

ASKS = """
steps:
  - run: echo "Dear all, <b>Monday</b>." | tee plan.md
  - id: ok
    approve: Send the plan?
    preview: plan.md
    expires: {expires}
  - run: echo {{{{ steps.ok.answer }}}} by {{{{ steps.ok.by }}}} {{{{ steps.ok.reason }}}} >> sent.txt
"""
# A channel that anybody has: each message goes to a file.
SETTINGS = """
name: desk
timezone: UTC
channels: {paper: {type: command, command: tee -a messages.txt}}
notify: [paper]
"""


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with new_workspace(tmp_path / "desk") as rota:
        rota.write(".rota/rota.yaml", SETTINGS)
        rota.job("plan", ASKS.format(expires="24h"))
        yield rota


def waiting(rota: Rota) -> str:
    """The run that waits, when one does."""
    return str(eventually(lambda: rota.quick("inbox", "--json").json, "it asks")[0]["run"])


def ended(rota: Rota, run: str) -> str:
    """The state that a run ends in."""

    def look() -> str | None:
        states = {one["id"]: one["state"] for one in rota.runs("plan")}
        return states[run] if states[run] in {"succeeded", "failed", "cancelled"} else None

    return str(eventually(look, "the run ends"))


def link(rota: Rota) -> str:
    """The link in the latest message."""
    found = eventually(
        lambda: re.findall(r"^Or open: (\S+)$", rota.read("messages.txt"), re.MULTILINE), "a link"
    )
    return str(found[-1])


def answer(url: str, **fields: str) -> Reply:
    place = urlsplit(url)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Sender(f"http://{place.netloc}").send("POST", place.path, urlencode(fields), headers)


def look(url: str, method: str = "GET") -> Reply:
    place = urlsplit(url)
    return Sender(f"http://{place.netloc}").send(method, place.path)


def test_without_a_daemon_the_command_that_answers_runs_the_rest(rota: Rota) -> None:
    said = rota("run", "plan")
    assert "plan waiting: step `ok`: waits for an answer: Send the plan?" in said.err
    run = waiting(rota)
    assert f"hint: rota approve {run}, or rota deny {run} --reason ..." in said.err

    # Every place where one looks says what it waits for.
    asked = rota.quick("inbox", "--json").json[0]
    assert asked["question"] == "Send the plan?"
    assert asked["preview"] == "Dear all, <b>Monday</b>.\n"
    assert (asked["choices"], asked["default"], asked["on_deny"]) == (["approve", "deny"], None, "fail")
    shown = rota.quick("inbox", "show", "plan")
    assert shown.out == "Send the plan?\n\nDear all, <b>Monday</b>.\n\n"
    assert "without an answer by then the run fails" in shown.err
    assert f"Hint: rota approve {run}" in rota.quick("why", "plan").out
    assert "Send the plan?" in rota.quick("show", "plan").out
    assert "Send the plan?" in rota.quick("history", "plan").out
    assert "waiting for an answer" in rota.quick("list").out
    assert "waits for an answer: Send the plan?" in rota.quick("status").out

    said = rota("approve", "plan", "--reason", "Reads well.")
    assert f"Approved. Run {run} of plan goes on." in said.err
    assert ended(rota, run) == "succeeded"
    assert re.fullmatch(r"approve by \S+ Reads well\.", rota.lines("sent.txt")[0])

    # The first answer counts, and whoever comes second is told of it.
    late = rota("deny", run, "--reason", "no", code=4)
    assert "it was answered with approve by" in late.err


def test_a_denial_needs_a_reason_and_fails_the_run_with_it(rota: Rota) -> None:
    rota("run", "plan")
    run = waiting(rota)
    assert "--reason" in rota("deny", "plan", code=2).err
    assert f"Denied. Run {run} of plan fails." in rota("deny", "plan", "--reason", "Not this week.").err
    assert ended(rota, run) == "failed"
    assert re.search(r"denied by \S+: Not this week\.", rota.quick("history", "plan").out)
    assert rota.lines("sent.txt") == []
    assert rota("approve", "nothing", code=3).hint
    assert "'maybe' is not one of the choices" in _asked_again(rota, "--choice", "maybe")


def _asked_again(rota: Rota, *options: str) -> str:
    rota("run", "plan")
    waiting(rota)
    return rota("approve", "plan", *options, code=1).err


def test_a_link_in_the_message_answers_from_a_phone(rota: Rota) -> None:
    loud = """, loud: {type: command, command: "sh -c 'cat >&2; exit 3'"}}\nnotify: [paper, loud]\n"""
    rota.write(".rota/rota.yaml", SETTINGS.replace("}\nnotify: [paper]\n", loud))
    rota.up()
    rota.quick("run", "plan")
    run, url = waiting(rota), link(rota)
    message = rota.read("messages.txt")
    assert message.startswith("Send the plan?\n\nDear all, <b>Monday</b>.\n\nAnswer:\n  rota approve ")

    # Nothing that is kept or shown can answer, not even what a channel quotes as it fails: the link was made
    # for the message alone.
    lost = eventually(lambda: rota.quick("status", "--json").json["undelivered"], "one fails")
    assert lost[0]["error"].endswith("Or open: ***")
    token = url.rpartition("/")[2]
    assert token not in rota.quick("logs", run, "--json").out
    kept = [*rota.layout.rota.glob("state.db*"), *rota.layout.logs.rglob("*")]
    assert not any(token.encode() in path.read_bytes() for path in kept if path.is_file())

    # A program that previews links opens it, and a person: it shows the question, and changes nothing.
    for method in ("HEAD", "GET", "GET"):
        page = look(url, method)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "Send the plan?" in page.text
    assert html.escape("Dear all, <b>Monday</b>.") in page.text
    assert waiting(rota) == run

    # A daemon that is killed meanwhile forgets nothing.
    rota.kill_daemon()
    rota.up()
    assert waiting(rota) == run
    door = rota.quick("status", "--json").json["web"]["url"]
    url = f"{door}/approvals/{token}"  # the port of these tests is any that is free

    assert answer(f"{url[:-2]}xx", choice="approve").status == 404
    assert look(f"{door}/approvals/", "GET").status == 404
    assert look(url, "PUT").status == 405
    done = answer(url, choice="approve", reason="Fine, $(touch pwned) '; \"")
    assert (done.status, "Approved" in done.text) == (200, True)
    assert ended(rota, run) == "succeeded"
    assert rota.lines("sent.txt") == ["approve by the link Fine, $(touch pwned) '; \""]
    assert not (rota.root / "pwned").exists()
    over = answer(url, choice="deny")
    assert (over.status, "Send the plan?" in over.text) == (410, False)


def test_a_question_that_ran_out_while_nothing_ran_is_over_at_the_next_start(rota: Rota) -> None:
    rota.job("plan", ASKS.format(expires="1s"))
    rota("run", "plan")
    run = str(rota.runs("plan")[0]["id"])
    eventually(lambda: rota("approve", run, code=4) if _is_late(rota) else None, "its second is over")
    rota.up()
    assert ended(rota, run) == "failed"
    assert "nobody answered in time: Send the plan?" in rota.quick("history", "plan").out


def _is_late(rota: Rota) -> bool:
    asked = rota.quick("inbox", "--json").json
    from datetime import UTC, datetime

    return bool(asked) and datetime.fromisoformat(asked[0]["expires_at"]) < datetime.now(UTC)

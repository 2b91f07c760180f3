"""Files, items and inputs that start work: the examples of docs/polling.md, as a user lives them."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.rota import Rota, eventually

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "polling.md").read_text("utf-8")


def example(name: str) -> str:
    """The job file of that name on the page."""
    found = re.search(rf"```yaml\n# \.rota/jobs/{name}\.yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


def meeting(rota: Rota, *titles: str) -> None:
    """The calendar has these meetings, tomorrow."""
    day = datetime.now().astimezone() + timedelta(days=1)
    events = "".join(
        f"BEGIN:VEVENT\nUID:{title}\nDTSTART:{day:%Y%m%d}T100000\nDTEND:{day:%Y%m%d}T110000\n"
        f"SUMMARY:{title}\nEND:VEVENT\n"
        for title in titles
    )
    rota.write("calendar/work.ics", f"BEGIN:VCALENDAR\n{events}END:VCALENDAR\n")


def test_a_run_for_each_file(rota: Rota) -> None:
    rota.write("inbox/old.md", "was here before\n")
    time.sleep(0.05)
    rota.job("inbox", example("inbox"))
    assert rota("list").out.splitlines()[1].split()[:3] == ["inbox", "active", "files"]
    rota.write("inbox/deep/note.md", "three more words\n")
    rota.write("inbox/note.txt", "not meant\n")
    said = rota("tick")
    assert said.out.startswith("inbox succeeded")
    assert "3 inbox/deep/note.md" in rota("logs", "inbox").out
    assert "Nothing was due." in rota("tick").err
    why = rota("why", "inbox").out
    assert "ran: inbox/deep/note.md was added; run" in why
    assert "It watches files inbox/**/*.md: 2 files known; last found" in why


def test_a_file_that_a_running_daemon_sees(rota: Rota) -> None:
    rota.job("inbox", example("inbox"))
    rota.up()
    for name in ("a", "b"):
        rota.write(f"inbox/{name}.tmp", "text\n").rename(rota.root / f"inbox/{name}.md")
    eventually(lambda: len(rota.runs("inbox")) == 2, "each has its run")
    assert {run["state"] for run in eventually(lambda: finished(rota, "inbox"))} == {"succeeded"}


def finished(rota: Rota, job_id: str) -> list[dict[str, object]]:
    runs = rota.runs(job_id)
    return runs if all(run["state"] in {"succeeded", "failed"} for run in runs) else []


def test_one_run_for_many_files(rota: Rota) -> None:
    rota.job("photos", example("photos").replace("10s", "1s"))
    rota("list")
    for number in range(30):
        rota.write(f"photos/{number}.jpg", f"photo {number}")
    rota("tick")
    assert len(rota.runs("photos")) == 1
    assert len(rota.lines("photos/list.txt")) == 30


def test_a_run_for_each_item(rota: Rota) -> None:
    rota.job("meetings", example("meetings").replace("every: 15m", "every: 1s"))
    meeting(rota, "Standup")
    assert "Nothing was due." in rota("tick").err
    assert "cannot be judged" not in rota("why", "meetings").out, "`item` is there when an item is"
    meeting(rota, "Standup", "Retro")
    time.sleep(1.1)
    rota("tick")
    assert "New in the calendar -- Retro" in rota("logs", "meetings").out
    assert "polled by meetings" in rota("source", "list").out
    why = rota("why", "meetings").out
    assert "ran: calendar: Retro is new; run" in why
    assert "Next poll:" in why


def test_a_source_that_fails_is_shown_everywhere(rota: Rota) -> None:
    rota.job("meetings", example("meetings") + "notify: [{type: command, command: cat >> told.txt}]\n")
    rota.write(".rota/rota.yaml", "sources: {calendar: {calendar: calendar/team.ics}}\n")
    rota("tick")
    assert "Polling calendar failed once" in rota("why", "meetings").out
    assert "team.ics" in rota("status").out
    (listed,) = rota("list", "--json").json
    assert listed["looks"][0]["failures"] == 1
    assert "calendar fails:" in rota("list").out


def test_a_step_only_when_its_inputs_changed(rota: Rota) -> None:
    rota.job("report", example("report"))
    rota.write("data/a.csv", "b\na\n")
    assert "The report is new" in rota("run", "report", "--wait").out + rota("logs", "report").out
    assert rota.lines("reports/sorted.csv") == ["a", "b"]
    rota("run", "report", "--wait")
    latest = rota.runs("report")[0]
    assert latest["state"] == "succeeded"
    assert (
        "report was skipped: what it works on is as it was when it last succeeded"
        in rota("logs", "report").err
    )
    rota.write("data/b.csv", "c\n")
    rota("run", "report", "--wait")
    assert rota.lines("reports/sorted.csv") == ["a", "b", "c"]


def test_a_pattern_that_leads_out_is_named_with_its_line(rota: Rota) -> None:
    rota.job("bad", "name: bad\non:\n  - files: ../elsewhere/*.md\nrun: x\n")
    said = rota("check", code=1)
    assert "bad.yaml:3" in said.out + said.err
    assert "`../elsewhere/*.md` leads out of the workspace" in said.out + said.err
    assert "hint:" in said.out + said.err

"""The examples of docs/sources.md do what the page says, with servers of this machine in the place of example.org."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from tests.support.mailbox import PASSWORD, USER, mail, mailbox
from tests.support.rota import Rota
from tests.support.site import site
from tests.support.source_cases import commit, repository

PAGE = Path(__file__).resolve().parents[2] / "docs/sources.md"
CHANNEL = "channels:\n  paper: {type: command, command: [tee, told.txt]}\nnotify: [paper]\n"
FEED = "<rss version='2.0'><channel><title>{0}</title><item><title>{0} 1</title></item></channel></rss>"


def examples(kind: str) -> list[str]:
    """The YAML examples of a source's section."""
    text = PAGE.read_text("utf-8")
    section = text.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found, kind
    return found


def done(rota: Rota, job: str) -> str:
    """Run a job to its end, and have its messages delivered; what was told."""
    rota.write(".rota/rota.yaml", CHANNEL)
    rota.job("example", job)
    assert rota("check").code == 0
    rota("run", "example", "--wait")
    rota("tick")
    return rota.read("told.txt")


def test_feeds(rota: Rota) -> None:
    (job,) = examples("rss")
    with site() as server:
        server.put("/blog/feed.xml", FEED.format("Blog"), "text/xml")
        server.put("/releases.atom", FEED.format("Releases"), "text/xml")
        done(rota, job.replace("https://example.org", server.base))
        assert sorted(rota.lines("now/reading.md")) == ["- Blog 1 (Blog)", "- Releases 1 (Releases)"]


def test_a_list_of_an_api(rota: Rota) -> None:
    with site() as server:
        server.put(
            "/api/issues", json.dumps({"data": [{"number": 7, "title": "Crash", "updated_at": "now"}]})
        )
        rota("secret", "set", "ISSUES_TOKEN", stdin="t0ken\n")
        told = done(rota, examples("http")[0].replace("https://example.org", server.base))
        assert "- Crash" in told
        assert server.asked[0].query == {"state": ["open"]}
        assert server.asked[0].headers["authorization"] == "Bearer t0ken"


def test_a_page(rota: Rota) -> None:
    job = examples("http")[1].replace("type: desktop", "type: paper")
    with site() as server:
        server.put("/status.html", "<main><p class=status>Fine</p></main><p>Ad</p>", "text/html")
        told = done(rota, job.replace("https://example.org", server.base))
        assert "The status page says something else" in told
        server.put("/status.html", "<main><p class=status>Fine</p></main><p>Another ad</p>", "text/html")
        rota("run", "example", "--wait")
        rota("tick")
        assert rota.read("told.txt") == told, "what is around it does not count"


def test_a_repository(rota: Rota, tmp_path: Path) -> None:
    (job,) = examples("git")
    app = repository(tmp_path / "app")
    commit(app, "src/main.py")
    commit(app, "tests/test_main.py")
    rota("secret", "set", "GIT_TOKEN", stdin="t0ken\n")
    done(rota, job.replace("https://example.org/team/app.git", str(app)))
    text = rota.read("now/commits.md")
    assert "Add src/main.py" in text
    assert "Add tests" not in text


def test_a_folder(rota: Rota, tmp_path: Path) -> None:
    (job,) = examples("folder")
    scans = tmp_path / "home/Scans"
    scans.mkdir(parents=True)
    for name in ("bill.pdf", "note.txt"):
        (scans / name).write_text("x")
        os.utime(scans / name, (1, 1))
    told = done(rota, job.replace("~/Scans", str(scans)))
    assert "bill.pdf" in told
    assert "note.txt" not in told


def test_a_command(rota: Rota) -> None:
    if shutil.which("jq") is None:
        pytest.skip("the example needs jq")
    (job,) = examples("command")
    rota.write("src/main.py", "x = 1 # TODO: two\n")
    assert "src/main.py:1:x = 1 # TODO: two" in done(rota, job)


def test_mail(rota: Rota) -> None:
    (config,) = examples("imap")
    with mailbox() as box:
        box.deliver(mail("Plans"), mail("Sale", sender="noreply@example.org"))
        here = f"host: 127.0.0.1\n    port: {box.port}\n    security: none"
        config = config.replace("host: imap.example.org", here).replace(
            "user: dana@example.org", f"user: {USER}"
        )
        rota.write(".rota/rota.yaml", config)
        rota("secret", "set", "MAIL_PASSWORD", stdin=f"{PASSWORD}\n")
        said = rota("source", "pull", "mail").out
        assert "Plans" in said
        assert "Sale" not in said
        assert len(list((rota.root / "resources/mail").iterdir())) == 1

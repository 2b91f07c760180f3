"""Sources as a person uses them: named in rota.yaml, pulled by hand and by jobs, each with its own place."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.mailbox import PASSWORD, USER, mail, mailbox
from tests.support.rota import Rota, alive, eventually
from tests.support.site import Site, site
from tests.support.source_cases import commit, repository

TOKEN = "s3cret-c4nary-t0ken"
FEED = '<rss version="2.0"><channel><title>News</title>{}</channel></rss>'
ITEM = (
    "<item><title>{0}</title><guid isPermaLink='false'>{0}</guid><description>About {0}.</description></item>"
)


@pytest.fixture
def server() -> Iterator[Site]:
    with site() as running:
        yield running


def feed(*names: str) -> str:
    return FEED.format("".join(ITEM.format(name) for name in names))


def shown(rota: Rota) -> str:
    """Everything that the workspace keeps, but for the file of secrets."""
    files = (path for path in rota.root.rglob("*") if path.is_file() and path.name != "secrets.json")
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in files)


def test_the_news_of_several_sources_in_one_morning(rota: Rota, server: Site, tmp_path: Path) -> None:
    server.put("/feed", feed("one"), "text/xml")
    server.put("/api/issues", json.dumps({"data": [{"id": 7, "title": "Crash"}]}))
    app = repository(tmp_path / "app")
    commit(app, "readme.md")
    (rota.root / "inbox").mkdir()
    rota.write("inbox/scan.txt", "x")
    os.utime(rota.root / "inbox/scan.txt", (1, 1))
    rota("secret", "set", "ISSUES_TOKEN", stdin=f"{TOKEN}\n")
    rota.write(
        ".rota/rota.yaml",
        f"""\
sources:
  news: {{type: rss, url: "{server.base}/feed"}}
  issues:
    type: http
    url: {server.base}/api/issues
    headers: {{Authorization: "Bearer ${{ISSUES_TOKEN}}"}}
    items: $.data
  app: {{type: git, repo: {app}}}
  inbox: {{type: folder, path: inbox}}
""",
    )
    rota.job(
        "morning",
        """\
schedule: manual
steps:
  - {id: news, pull: news}
  - {id: issues, pull: issues}
  - {id: app, pull: app}
  - {id: inbox, pull: inbox}
  - write: now/morning.md
    content: |
      {{ steps.news.new_items + steps.issues.new_items + steps.app.new_items + steps.inbox.new_items }} new
      {{ steps.news.output }}{{ steps.issues.output }}{{ steps.app.output }}{{ steps.inbox.output }}
""",
    )
    rota("run", "morning", "--wait")
    text = rota.read("now/morning.md")
    assert text.startswith("4 new\n- one (News)\n  About one.\n- Crash\n- `")
    assert "Add readme.md (Dana, " in text
    assert "- new: inbox/scan.txt" in text
    assert server.asked[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert [path.name.startswith("one-") for path in (rota.root / "resources/news/news").iterdir()] == [True]
    rota("run", "morning", "--wait")
    assert rota.read("now/morning.md").startswith("0 new\nNothing new.\n")
    commit(app, "more.md")
    server.put("/feed", feed("two", "one"), "text/xml")
    by_hand = rota("source", "pull", "news").out
    assert "two" in by_hand
    rota("run", "morning", "--wait")
    text = rota.read("now/morning.md")
    assert text.startswith("2 new\n- two (News)")
    assert "Add more.md" in text
    assert TOKEN not in shown(rota)


def test_what_fails_says_so_and_the_news_come_with_the_next_run(rota: Rota, server: Site) -> None:
    server.put("/feed", feed("one"), "text/xml", status=503, headers={"Retry-After": "9"})
    rota.job("news", f"schedule: manual\nsteps:\n  - pull: rss\n    url: {server.base}/feed\n")
    rota("run", "news", "--wait", code=1)
    assert "127.0.0.1 answered 503" in rota("why", "news").out
    server.put("/feed", feed("one"), "text/xml")
    rota("run", "news", "--wait")
    assert "rss: 1 item, 1 new" in rota("logs", "news").out


def test_values_reach_a_command_as_data_and_secrets_in_its_environment(rota: Rota) -> None:
    rota("secret", "set", "CLI_TOKEN", stdin=f"{TOKEN}\n")
    rota.write("cli.py", "import json, os, sys\nprint(json.dumps({'id': '1', 'said': sys.argv[1:],"
               " 'length': len(os.environ.get('CLI_TOKEN', ''))}))\n")  # fmt: skip
    value = "$(touch evil) `id` '\"; touch evil; ${CLI_TOKEN} $CLI_TOKEN"
    job = """\
schedule: manual
params: {words: {type: string}}
steps:
  - id: shell
    pull: command
    command: |
      : $CLI_TOKEN
      python3 cli.py {{ params.words }} "quoted: {{ params.words }}"
  - id: list
    pull: command
    command: [python3, cli.py, "{{ params.words }}", "${CLI_TOKEN}"]
  - write: said.json
    content: "{{ [steps.shell['items'][0], steps.list['items'][0]] | tojson }}"
"""
    rota.job("cli", job)
    rota("run", "cli", "--param", f"words={value}", "--wait")
    shell, plain = json.loads(rota.read("said.json"))
    assert shell["said"] == [value, f"quoted: {value}"]
    assert plain["said"] == [value, "${CLI_TOKEN}"], "a command line is no place for a secret"
    assert (shell["length"], plain["length"]) == (len(TOKEN), len(TOKEN))
    assert not (rota.root / "evil").exists()
    assert TOKEN not in shown(rota)


def test_nothing_that_a_command_started_is_left(rota: Rota) -> None:
    command = (
        "setsid sh -c 'echo $$ > pid; exec sleep 600' >/dev/null 2>&1 & until [ -s pid ]; do sleep 0.05; done"
    )
    rota.job("cli", f"schedule: manual\nsteps:\n  - pull: command\n    command: \"{command}; echo '{{}}'\"\n")
    rota("run", "cli", "--wait")
    pid = int(rota.read("pid"))
    eventually(lambda: not alive(pid), "the command's child is ended")


def test_a_token_of_git_is_in_no_command_line(rota: Rota, server: Site) -> None:
    rota("secret", "set", "GIT_TOKEN", stdin=f"{TOKEN}\n")
    server.hang.add("/app.git/info/refs")
    address = server.base.replace("http://", "http://dana:${GIT_TOKEN}@")
    rota.job(
        "git",
        f"schedule: manual\nsteps:\n  - pull: git\n    repo: {address}/app.git\n    give_up_after: 8s\n",
    )
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for process in psutil.process_iter():
                try:
                    seen.append(" ".join(process.cmdline()))
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    rota("run", "git", "--wait", code=1)
    over.set()
    watcher.join()
    assert server.asked[0].headers["authorization"].startswith("Basic ")
    assert any("remote-http" in line for line in seen), "it was looked at while git ran"
    assert not any(TOKEN in line for line in seen)
    assert TOKEN not in shown(rota) + rota("logs", "git").out


def test_mail_becomes_notes_that_a_person_may_edit(rota: Rota) -> None:
    with mailbox() as box:
        box.deliver(mail("Plans", "Shall we meet?"))
        rota("secret", "set", "MAIL_PASSWORD", stdin=f"{PASSWORD}\n")
        rota.write(
            ".rota/rota.yaml",
            f"""\
sources:
  mail:
    type: imap
    host: 127.0.0.1
    port: {box.port}
    security: none
    user: {USER}
    password: ${{MAIL_PASSWORD}}
""",
        )
        assert "Plans" in rota("source", "pull", "mail").out
        (note,) = (rota.root / "resources/mail").iterdir()
        assert "Shall we meet?" in note.read_text()
        note.write_text(note.read_text() + "\nYes!\n")
        rota("source", "pull", "mail")
        assert note.read_text().endswith("Yes!\n")
        assert "\\Seen" not in box.flags()[0]
        assert PASSWORD not in shown(rota)


def test_a_source_that_hangs_holds_up_nothing_else(rota: Rota, server: Site) -> None:
    server.hang.add("/slow")
    rota.job(
        "slow",
        f"schedule: manual\nsteps:\n  - pull: rss\n    url: {server.base}/slow\n    give_up_after: 5s\n",
    )
    rota.job("quick", "schedule: manual\nrun: echo quick > quick.txt\n")
    rota.up()
    rota("run", "slow")
    eventually(lambda: server.asked, "it is asked")
    rota("run", "quick", "--wait")
    assert rota.read("quick.txt") == "quick\n"
    run = eventually(
        lambda: next((r for r in rota.runs("slow") if r["state"] == "failed"), None), "it is given up"
    )
    assert "did not answer in full within 5 s" in json.dumps(run)

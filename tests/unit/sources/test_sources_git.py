"""The git source: new commits of real repositories, whatever happened to their history."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support.source_cases import commit, git, repository

from rota.model.errors import StepError
from rota.sources import git as source

TOKEN = "s3cret-c4nary"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "ws/.rota").mkdir(parents=True)
    return tmp_path / "ws"


@pytest.fixture
def app(workspace: Path) -> Path:
    return repository(workspace / "app")


def pull(workspace: Path, cursor: Any = None, **config: Any) -> dict[str, Any]:
    return source.pull({"repo": "app", **config}, str(workspace), cursor, "app")


def titles(answer: dict[str, Any]) -> list[str]:
    return [one["title"] for one in answer["items"]]


def test_a_commit_is_an_item(workspace: Path, app: Path) -> None:
    commit(app, "one.txt")
    (app / "one.txt").unlink()
    made = commit(
        app, "docs/zwei ü.txt", "x", "-m", "Why: because.\n\nMore.", "--author=Sam <sam@example.org>"
    )
    item = pull(workspace)["items"][-1]
    assert (item["id"], item["version"], item["hash"]) == (made, made, made)
    assert (item["title"], item["body"]) == ("Add docs/zwei ü.txt", "Why: because.\n\nMore.")
    assert (item["author"], item["email"], item["merge"]) == ("Sam", "sam@example.org", False)
    assert sorted((one["path"], one["change"]) for one in item["files"]) == [
        ("docs/zwei ü.txt", "added"),
        ("one.txt", "removed"),
    ]


def test_the_first_look_takes_the_latest_few(workspace: Path, app: Path) -> None:
    for number in range(6):
        commit(app, f"{number}.txt")
    answer = pull(workspace, first=3)
    assert titles(answer) == ["Add 3.txt", "Add 4.txt", "Add 5.txt"]
    assert [len(one["files"]) for one in answer["items"]] == [1, 1, 1]
    assert (
        answer["text"].splitlines()[0].startswith(f"- `{answer['items'][-1]['hash'][:10]}` Add 5.txt (Dana, ")
    )


def test_the_first_look_may_take_none(workspace: Path, app: Path) -> None:
    commit(app, "old.txt")
    first = pull(workspace, first=0)
    assert first["items"] == []
    commit(app, "new.txt")
    assert titles(pull(workspace, first["cursor"], first=0)) == ["Add new.txt"]


def test_later_looks_take_what_is_new_oldest_first(workspace: Path, app: Path) -> None:
    commit(app, "0.txt")
    first = pull(workspace)
    for number in (1, 2, 3):
        commit(app, f"{number}.txt")
    assert titles(pull(workspace, first["cursor"])) == ["Add 1.txt", "Add 2.txt", "Add 3.txt"]
    bounded = pull(workspace, first["cursor"], most=2)
    assert titles(bounded) == ["Add 2.txt", "Add 3.txt"]
    assert "only the latest 2 commits" in bounded["note"]


def test_only_commits_that_touch_the_paths(workspace: Path, app: Path) -> None:
    commit(app, "docs/a.md")
    commit(app, "src/a.py")
    first = pull(workspace, paths=["docs"])
    assert titles(first) == ["Add docs/a.md"]
    commit(app, "src/b.py")
    second = pull(workspace, first["cursor"], paths=["docs"])
    assert (second["items"], second["unchanged"]) == ([], False)
    commit(app, "docs/b.md")
    assert titles(pull(workspace, second["cursor"], paths="docs/")) == ["Add docs/b.md"]


def test_a_branch(workspace: Path, app: Path) -> None:
    commit(app, "main.txt")
    git(app, "checkout", "-q", "-b", "feature/x")
    commit(app, "feature.txt")
    git(app, "checkout", "-q", "main")
    assert titles(pull(workspace)) == ["Add main.txt"]
    assert titles(pull(workspace, branch="feature/x")) == ["Add main.txt", "Add feature.txt"]
    with pytest.raises(StepError, match="couldn't find remote ref") as failure:
        pull(workspace, branch="gone")
    assert failure.value.permanent
    assert "branch" in (failure.value.hint or "")


def test_a_merge_has_the_files_that_it_brought(workspace: Path, app: Path) -> None:
    commit(app, "main.txt")
    git(app, "checkout", "-q", "-b", "side")
    commit(app, "side.txt")
    git(app, "checkout", "-q", "main")
    commit(app, "more.txt")
    git(app, "merge", "-q", "--no-edit", "side")
    item = pull(workspace)["items"][-1]
    assert item["merge"] is True
    assert item["files"] == [{"path": "side.txt", "change": "added"}]


def test_after_a_forced_push_what_was_not_there_before_comes(workspace: Path, app: Path) -> None:
    commit(app, "0.txt")
    commit(app, "1.txt")
    first = pull(workspace)
    git(app, "reset", "-q", "--hard", "HEAD~1")
    commit(app, "2.txt")
    answer = pull(workspace, first["cursor"])
    assert titles(answer) == ["Add 2.txt"]
    assert "history was rewritten" in answer["note"]
    assert pull(workspace, answer["cursor"])["unchanged"] is True


def test_after_everything_was_rewritten_the_latest_come(workspace: Path, app: Path) -> None:
    commit(app, "0.txt")
    first = pull(workspace)
    shutil.rmtree(app)
    shutil.rmtree(workspace / ".rota/cache")
    repository(app)
    commit(app, "new.txt")
    answer = pull(workspace, first["cursor"])
    assert titles(answer) == ["Add new.txt"]
    assert "what was seen last is gone" in answer["note"]


def test_the_cache_may_be_deleted(workspace: Path, app: Path) -> None:
    commit(app, "0.txt")
    first = pull(workspace)
    commit(app, "1.txt")
    shutil.rmtree(workspace / ".rota/cache")
    assert titles(pull(workspace, first["cursor"])) == ["Add 1.txt"]


def test_a_cache_that_was_half_made_is_made_anew(workspace: Path, app: Path) -> None:
    commit(app, "0.txt")
    pull(workspace)
    (mirror,) = [path for path in (workspace / ".rota/cache/git").iterdir() if path.is_dir()]
    (mirror / "HEAD").unlink()
    assert titles(pull(workspace)) == ["Add 0.txt"]


def test_what_a_repository_says_of_itself_is_not_run(
    workspace: Path, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks, filters, pagers and programs in anybody's configuration are not started."""
    ran = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {ran}\n")
    trap.chmod(0o755)
    old, new = commit(app, "0.txt"), commit(app, "1.txt")
    git(app, "update-ref", "refs/heads/main", old)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "gpg.program",
        "diff.external",
        "core.sshCommand",
        "core.askPass",
    ):
        git(app, "config", key, str(trap))
    git(app, "config", "log.showSignature", "true")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[core]\n\tfsmonitor = {trap}\n\thooksPath = {tmp_path}\n[url "x"]\n\tinsteadOf = file\n'
    )
    for name in ("reference-transaction", "post-checkout", "post-merge"):
        (tmp_path / name).symlink_to(trap)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    first = pull(workspace)
    git(app, "update-ref", "refs/heads/main", new)
    assert titles(pull(workspace, first["cursor"])) == ["Add 1.txt"]
    assert not ran.exists()


def test_a_commit_cannot_look_like_several(workspace: Path, app: Path) -> None:
    subject = "One\x1e\x1f \x01 `code` [x](y) <b>"
    commit(app, "a\tb\nc.txt", "x")
    git(app, "commit", "-q", "--allow-empty", "-m", subject)
    first, second = pull(workspace)["items"]
    assert first["files"] == [{"path": "a\tb\nc.txt", "change": "added"}]
    assert second["title"].startswith("One")
    assert second["files"] == []


def test_the_workspace_itself_may_be_the_repository(workspace: Path) -> None:
    repository(workspace)
    commit(workspace, "notes.md")
    assert titles(pull(workspace, repo=".")) == ["Add notes.md"]


def test_no_repository_is_said(workspace: Path) -> None:
    (workspace / "plain").mkdir()
    for repo in ("plain", "nowhere"):
        with pytest.raises(StepError, match=f"git cannot read {repo}: ") as failure:
            pull(workspace, repo=repo)
        assert failure.value.permanent
        assert "repo" in (failure.value.hint or "")


def test_an_empty_repository_has_no_such_branch(workspace: Path, app: Path) -> None:
    with pytest.raises(StepError, match="couldn't find remote ref") as failure:
        pull(workspace)
    assert failure.value.permanent


@pytest.mark.parametrize("repo", ["ext::sh -c 'touch /tmp/never'", "--upload-pack=touch", "-x"])
def test_an_address_cannot_be_a_command(workspace: Path, repo: str) -> None:
    with pytest.raises(StepError):
        pull(workspace, repo=repo)


@pytest.mark.parametrize("branch", ["--upload-pack=x", "a..b", "a b", "x:y", "-d"])
def test_a_branch_cannot_be_an_option(workspace: Path, app: Path, branch: str) -> None:
    with pytest.raises(StepError) as failure:
        pull(workspace, branch=branch)
    assert failure.value.code == "bad_value"


def test_nobody_is_asked_for_a_password(workspace: Path) -> None:
    from tests.support.site import site

    with site() as server:
        server.put("/app.git/info/refs", "", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        with pytest.raises(StepError, match="git cannot read") as failure:
            pull(workspace, repo=f"{server.base}/app.git", give_up_after=30)
        assert failure.value.permanent
        assert "token" in (failure.value.hint or "")


def test_a_token_is_sent_and_shown_nowhere(workspace: Path) -> None:
    from tests.support.site import site

    with site() as server:
        bare = server.base.removeprefix("http://")
        for repo, config in (
            (f"{server.base}/app.git", {"token": TOKEN}),
            (f"http://{TOKEN}@{bare}/app.git", {}),
        ):
            with pytest.raises(StepError) as failure:
                pull(workspace, repo=repo, give_up_after=30, **config)
            assert server.last().headers["authorization"].startswith("Basic ")
            assert TOKEN not in f"{failure.value} {failure.value.hint}"
    kept = "".join(p.read_text("utf-8", "replace") for p in workspace.rglob("*") if p.is_file())
    assert TOKEN not in kept


def test_a_server_that_hangs_is_given_up(workspace: Path) -> None:
    from tests.support.site import site

    with site() as server:
        server.hang.add("/app.git/info/refs")
        with pytest.raises(StepError, match="did not end within") as failure:
            pull(workspace, repo=f"{server.base}/app.git", give_up_after=0.5)
        assert not failure.value.permanent


def test_notes_where_it_is_said(workspace: Path, app: Path) -> None:
    made = commit(app, "one.txt")
    (path,) = pull(workspace, into="notes/commits")["files"]
    text = (workspace / path).read_text()
    assert f"source_id: {made}" in text
    assert "- added: `one.txt`" in text


def test_git_that_is_not_there_is_said(workspace: Path, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(StepError, match="git cannot be started") as failure:
        pull(workspace)
    assert failure.value.permanent

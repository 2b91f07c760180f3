"""The folder source: what was put into a folder, edited and taken out."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rota.model.errors import StepError
from rota.sources import folder, folder_walk

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def put(file: Path, text: str = "x", ago: float = 60) -> Path:
    """A file that was written some seconds ago."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    moment = int((NOW.timestamp() - ago) * 1e9)
    os.utime(file, ns=(moment, moment))
    return file


def pull(workspace: Path, cursor: Any = None, **config: Any) -> dict[str, Any]:
    return folder.pull({"path": "inbox", **config}, str(workspace), NOW.isoformat(), cursor, "inbox")


def changes(answer: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["change"] for one in answer["items"]}


def test_new_changed_and_removed(tmp_path: Path, inbox: Path) -> None:
    put(inbox / "a.md")
    put(inbox / "sub/b.md")
    first = pull(tmp_path)
    assert changes(first) == {"a.md": "new", "sub/b.md": "new"}
    (item, _) = first["items"]
    assert (item["path"], item["title"], item["size"]) == ("inbox/a.md", "a.md", 1)
    assert item["modified"] == "2026-11-23T07:59:00+00:00"
    put(inbox / "a.md", "another text")
    (inbox / "sub/b.md").unlink()
    put(inbox / "c.md")
    second = pull(tmp_path, first["cursor"])
    assert changes(second) == {"a.md": "changed", "c.md": "new", "sub/b.md": "removed"}
    assert "- removed: inbox/sub/b.md" in second["text"]
    assert pull(tmp_path, second["cursor"])["unchanged"] is True


def test_a_file_that_was_only_touched_is_as_it_was(tmp_path: Path, inbox: Path) -> None:
    put(inbox / "a.md", ago=60)
    first = pull(tmp_path)
    put(inbox / "a.md", ago=30)
    second = pull(tmp_path, first["cursor"])
    assert second["unchanged"] is True
    assert second["cursor"] != first["cursor"], "it need not be read again"


def test_a_file_is_read_only_when_its_time_or_size_changed(
    tmp_path: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox / "a.md")
    first = pull(tmp_path)
    read: list[str] = []
    whole = folder_walk.content_hash

    def listen(path: Path, found: folder_walk.Found) -> str | None:
        read.append(path.name)
        return whole(path, found)

    monkeypatch.setattr(folder, "content_hash", listen)
    put(inbox / "b.md")
    pull(tmp_path, first["cursor"])
    assert read == ["b.md"]


def test_a_file_that_is_being_written_waits(tmp_path: Path, inbox: Path) -> None:
    put(inbox / "half.md", ago=1)
    first = pull(tmp_path, settled="10s")
    assert (first["items"], first["unchanged"]) == ([], False)
    assert first["note"] == "1 file still being written: next time"
    put(inbox / "half.md", "whole", ago=11)
    assert changes(pull(tmp_path, first["cursor"], settled="10s")) == {"half.md": "new"}


def test_a_time_in_the_future_waits_for_nothing(tmp_path: Path, inbox: Path) -> None:
    put(inbox / "a.md", ago=-86_400)
    assert changes(pull(tmp_path)) == {"a.md": "new"}


def test_patterns_choose(tmp_path: Path, inbox: Path) -> None:
    for name in ("a.pdf", "sub/b.pdf", "sub/c.md", "old/d.pdf", ".hidden.pdf", ".git/e.pdf", ".rota/f.pdf"):
        put(inbox / name)
    assert set(changes(pull(tmp_path, match="*.pdf", ignore="old/"))) == {"a.pdf", "sub/b.pdf"}
    assert set(changes(pull(tmp_path, match=["sub/*.md", "/a.pdf"]))) == {"a.pdf", "sub/c.md"}
    assert ".hidden.pdf" in changes(pull(tmp_path, hidden=True))
    assert not {".git/e.pdf", ".rota/f.pdf"} & set(changes(pull(tmp_path, hidden=True)))


def test_it_ignores_what_git_ignores(tmp_path: Path, inbox: Path) -> None:
    for name in (
        "keep.txt",
        "a.log",
        "important.log",
        "build/x",
        "sub/a.log",
        "sub/deep/k.tmp",
        "sub/deep/keep.tmp",
    ):
        put(inbox / name)
    put(inbox / ".gitignore", "*.log\n!important.log\n/build/\n")
    put(inbox / "sub/.gitignore", "!a.log\n")
    put(inbox / "sub/deep/.gitignore", "*.tmp\n!keep.tmp\n")
    found = set(changes(pull(tmp_path, gitignore=True)))
    subprocess.run(["git", "init", "-q"], cwd=inbox, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-o", "--exclude-standard"], cwd=inbox, check=True, capture_output=True, text=True
    )
    assert found == {name for name in listed.stdout.split() if not name.endswith(".gitignore")}


def test_links_are_not_followed(tmp_path: Path, inbox: Path) -> None:
    put(tmp_path / "secret.txt")
    put(tmp_path / "other/x.txt")
    (inbox / "link.txt").symlink_to(tmp_path / "secret.txt")
    (inbox / "linked").symlink_to(tmp_path / "other")
    (inbox / "loop").symlink_to(inbox)
    os.mkfifo(inbox / "pipe")
    put(inbox / "a.txt")
    assert set(changes(pull(tmp_path))) == {"a.txt"}


def test_the_newest_are_watched_where_there_are_too_many(tmp_path: Path, inbox: Path) -> None:
    for number in range(5):
        put(inbox / f"{number}.txt", ago=1000 - number)
    first = pull(tmp_path, most=2)
    assert set(changes(first)) == {"3.txt", "4.txt"}
    assert "5 files match; the newest 2" in first["note"]
    put(inbox / "new.txt", ago=10)
    second = pull(tmp_path, first["cursor"], most=2)
    assert changes(second) == {"new.txt": "new"}, "what is there and not watched any more is not removed"


def test_names_that_are_no_text_are_left_out(tmp_path: Path, inbox: Path) -> None:
    put(inbox / "a.txt")
    Path(os.fsdecode(os.fsencode(inbox) + b"/\xff.txt")).touch()
    assert set(changes(pull(tmp_path))) == {"a.txt"}


def test_all_gives_everything(tmp_path: Path, inbox: Path) -> None:
    put(inbox / "a.txt")
    first = pull(tmp_path)
    put(inbox / "b.txt")
    answer = pull(tmp_path, first["cursor"], all=True)
    assert changes(answer) == {"a.txt": "unchanged", "b.txt": "new"}
    assert pull(tmp_path, answer["cursor"], all=True)["unchanged"] is True


def test_a_folder_anywhere(tmp_path: Path) -> None:
    outside = put(tmp_path / "downloads/a.pdf").parent
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (item,) = pull(workspace, path=str(outside))["items"]
    assert item["path"] == str(outside / "a.pdf")
    with pytest.raises(StepError, match="there is no folder nowhere") as failure:
        pull(workspace, path="nowhere")
    assert failure.value.permanent


def test_what_is_rotas_own_is_not_watched(tmp_path: Path) -> None:
    put(tmp_path / ".rota/secrets.json")
    put(tmp_path / ".rota/jobs/output/report.md")
    (tmp_path / "way-in").symlink_to(tmp_path / ".rota")
    for path in (".rota", ".rota/jobs", "way-in"):
        with pytest.raises(StepError, match="rota's own folder"):
            pull(tmp_path, path=path, hidden=True)
    assert set(changes(pull(tmp_path, path=".rota/jobs/output"))) == {"report.md"}
    assert changes(pull(tmp_path, path=".", hidden=True)) == {}


def test_notes_of_texts_and_of_other_files(tmp_path: Path, inbox: Path) -> None:
    put(inbox / "a.md", "# Title\n")
    (put(inbox / "b.bin")).write_bytes(b"\xff\xfe\x00")
    os.utime(inbox / "b.bin", (1, 1))
    first = pull(tmp_path, into="notes")
    one, two = sorted(first["files"])
    assert (tmp_path / one).read_text().endswith("---\n\n# Title\n")
    assert (tmp_path / two).read_text().endswith("---\n\n`inbox/b.bin`\n")
    (inbox / "a.md").unlink()
    (path,) = pull(tmp_path, first["cursor"], into="notes")["files"]
    assert "deleted: true" in (tmp_path / path).read_text()

"""The writer of notes: one file a thing, a person's edits are safe, and so is everything when rota is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rota.model.errors import PathError
from rota.sources import notes as module
from rota.sources.note_journal import NoteJournal
from rota.sources.note_text import Note, front_matter, marked, slug
from rota.sources.notes import Notes


class KilledError(BaseException):
    """The process ends here."""


def note(body: str = "Hello.", title: str = "Weekly sync", note_id: str = "a", **more: Any) -> Note:
    return Note(note_id, title, body, {"source": "notion", "source_id": note_id}, **more)


def write(workspace: Path, *written: Note, into: str | None = None) -> Notes:
    with Notes(workspace, "notion", into) as notes:
        for one in written:
            notes.write(one)
    return notes


def files(workspace: Path) -> list[str]:
    """Every note, relative to the folder of the source."""
    folder = workspace / "resources/notion"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def only(workspace: Path) -> Path:
    (name,) = files(workspace)
    return workspace / "resources/notion" / name


def test_a_note_is_one_file_with_front_matter(tmp_path: Path) -> None:
    written = write(tmp_path, note("# Agenda\n\nOne."))
    path = only(tmp_path)
    assert path.read_text() == (
        "---\ntitle: Weekly sync\nsource: notion\nsource_id: a\n---\n\n# Agenda\n\nOne.\n"
    )
    assert written.files == [str(path.relative_to(tmp_path))]
    assert path.name.startswith("weekly-sync-")
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_note_that_says_the_same_is_not_written_again(tmp_path: Path) -> None:
    write(tmp_path, note())
    before = only(tmp_path).stat()
    again = write(tmp_path, note())
    after = only(tmp_path).stat()
    assert again.files == []
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_change_of_one_note_touches_that_file_alone(tmp_path: Path) -> None:
    write(tmp_path, *(note(note_id=f"n{n}", title=f"Page {n}") for n in range(5)))
    stamps = {name: (tmp_path / "resources/notion" / name).stat().st_ino for name in files(tmp_path)}
    again = write(tmp_path, *(note("New." if n == 3 else "Hello.", f"Page {n}", f"n{n}") for n in range(5)))
    changed = [
        name
        for name in files(tmp_path)
        if (tmp_path / "resources/notion" / name).stat().st_ino != stamps[name]
    ]
    assert [name.rpartition("-")[0] for name in changed] == ["page-3"]
    assert again.files == [f"resources/notion/{changed[0]}"]


def test_a_new_title_moves_the_file_and_equal_titles_do_not_collide(tmp_path: Path) -> None:
    write(tmp_path, note(), note(note_id="b"))
    first, second = files(tmp_path)
    assert first != second
    write(tmp_path, note(title="Monthly sync"))
    names = files(tmp_path)
    assert len(names) == 2
    assert sorted(name.rpartition("-")[0] for name in names) == ["monthly-sync", "weekly-sync"]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("Q3: plans/ideas?", "q3-plans-ideas"),
        ("", "untitled"),
        ("...", "untitled"),
        ("Café ☕ übung", "café-übung"),
        ("週次ミーティング", "週次ミーティング"),
        ("CON", "con"),
        ("a\0b\nc", "a-b-c"),
        ("-rf", "rf"),
    ],
)
def test_titles_make_safe_names(tmp_path: Path, title: str, name: str) -> None:
    write(tmp_path, note(title=title))
    assert only(tmp_path).name.rpartition("-")[0] == name


def test_a_long_title_makes_a_name_that_every_disk_takes(tmp_path: Path) -> None:
    write(tmp_path, note(title="長" * 500))
    assert len(only(tmp_path).name.encode()) < 120


def test_folders_come_from_names_and_stay_below_the_sources(tmp_path: Path) -> None:
    write(tmp_path, note(folder=("../Projects", "..")))
    assert [name.rpartition("-")[0] for name in files(tmp_path)] == ["projects/untitled/weekly-sync"]


@pytest.mark.parametrize("into", ["../out", "/tmp/out", ".git/x", ".rota/jobs", "~/x"])
def test_notes_go_nowhere_else(tmp_path: Path, into: str) -> None:
    with pytest.raises(PathError, match="`into:`"):
        write(tmp_path, note(), into=into)


def test_a_link_that_leads_out_is_not_followed_and_the_rest_is_written(tmp_path: Path) -> None:
    workspace, outside = tmp_path / "workspace", tmp_path / "outside"
    outside.mkdir()
    (workspace / "resources/notion").mkdir(parents=True)
    (workspace / "resources/notion/secret").symlink_to(outside)
    done = write(workspace, note(folder=("secret",)), note(note_id="b", title="Other"))
    assert list(outside.iterdir()) == []
    assert done.failed == ["a"]
    assert "leads out of the workspace" in done.remarks[0]
    assert [path.rpartition("-")[0] for path in done.files] == ["resources/notion/other"]


# --- a person's edits ----------------------------------------------------------------------------


def test_a_file_that_a_person_changed_is_left_and_the_news_is_beside_it(tmp_path: Path) -> None:
    write(tmp_path, note())
    mine = only(tmp_path)
    mine.write_text("my own words")
    done = write(tmp_path, note("News."))
    beside = mine.with_name(f"{mine.stem}.from-notion.md")
    assert mine.read_text() == "my own words"
    assert beside.read_text().endswith("News.\n")
    assert [(c["path"], c["beside"]) for c in done.conflicts] == [
        (str(mine.relative_to(tmp_path)), str(beside.relative_to(tmp_path)))
    ]


def test_a_persons_edit_without_news_is_no_conflict(tmp_path: Path) -> None:
    write(tmp_path, note())
    only(tmp_path).write_text("my own words")
    done = write(tmp_path, note())
    assert (done.files, done.conflicts) == ([], [])
    assert only(tmp_path).read_text() == "my own words"


def test_a_person_who_wrote_what_the_source_now_says_has_no_conflict(tmp_path: Path) -> None:
    write(tmp_path, note())
    only(tmp_path).write_text(note("News.").text())
    done = write(tmp_path, note("News."))
    assert (done.files, done.conflicts) == ([], [])
    assert write(tmp_path, note("More.")).conflicts == []  # it is the source's again
    assert only(tmp_path).read_text().endswith("More.\n")


def conflicting(tmp_path: Path) -> tuple[Path, Path]:
    write(tmp_path, note())
    mine = only(tmp_path)
    mine.write_text("my own words")
    write(tmp_path, note("News."))
    return mine, mine.with_name(f"{mine.stem}.from-notion.md")


def test_a_conflict_is_reported_until_it_is_settled_and_has_one_version(tmp_path: Path) -> None:
    _mine, beside = conflicting(tmp_path)
    first, second = (write(tmp_path, note("News.")).conflicts for _ in range(2))
    assert first == second != []
    beside.unlink()
    assert write(tmp_path, note("News.")).conflicts == []
    assert not beside.exists()


def test_a_person_who_takes_the_sources_version_follows_the_source_again(tmp_path: Path) -> None:
    mine, beside = conflicting(tmp_path)
    beside.replace(mine)
    done = write(tmp_path, note("More."))
    assert (done.conflicts, mine.read_text().endswith("More.\n"), beside.exists()) == ([], True, False)


def test_later_news_replaces_what_is_beside_unless_that_was_changed_too(tmp_path: Path) -> None:
    mine, beside = conflicting(tmp_path)
    write(tmp_path, note("More."))
    assert beside.read_text().endswith("More.\n")
    beside.write_text("notes on it")
    done = write(tmp_path, note("Even more."))
    third = mine.with_name(f"{mine.stem}.from-notion-2.md")
    assert (beside.read_text(), mine.read_text()) == ("notes on it", "my own words")
    assert third.read_text().endswith("Even more.\n")
    assert done.conflicts[0]["beside"].endswith("-2.md")


def test_a_changed_file_is_not_moved_when_the_title_changes(tmp_path: Path) -> None:
    write(tmp_path, note())
    mine = only(tmp_path)
    mine.write_text("my own words")
    write(tmp_path, note(title="Monthly sync"))
    assert mine.read_text() == "my own words"
    assert len(files(tmp_path)) == 2


def test_a_deleted_file_comes_back_with_news_alone(tmp_path: Path) -> None:
    write(tmp_path, note())
    only(tmp_path).unlink()
    assert write(tmp_path, note()).files == []
    assert len(write(tmp_path, note("News.")).files) == 1


def test_a_file_that_was_there_before_is_a_persons(tmp_path: Path) -> None:
    name = only_name(tmp_path)
    workspace = tmp_path / "other"
    path = workspace / "resources/notion" / name
    path.parent.mkdir(parents=True)
    path.write_text("somebody's")
    done = write(workspace, note())
    assert path.read_text() == "somebody's"
    assert len(done.conflicts) == 1


def only_name(tmp_path: Path) -> str:
    write(tmp_path / "first", note())
    return only(tmp_path / "first").name


def test_what_the_source_deleted_is_marked_where_nobody_changed_it(tmp_path: Path) -> None:
    write(tmp_path, note(), note(note_id="b", title="Mine"))
    mine = next(path for path in (tmp_path / "resources/notion").iterdir() if path.name.startswith("mine"))
    mine.write_text("my own words")
    with Notes(tmp_path, "notion") as notes:
        notes.mark("a")
        notes.mark("b")
        notes.mark("never-written")
    (other,) = (path for path in (tmp_path / "resources/notion").iterdir() if path != mine)
    assert "\ndeleted: true\n---\n" in other.read_text()
    assert mine.read_text() == "my own words"
    assert "your own version stays" in notes.remarks[0]
    with Notes(tmp_path, "notion") as notes:
        notes.mark("a")
    assert notes.files == []
    assert write(tmp_path, note()).conflicts == []  # it came back
    assert "deleted" not in other.read_text()


# --- crashes -------------------------------------------------------------------------------------


def before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_path: Path, _data: bytes) -> None:
        raise KilledError

    monkeypatch.setattr(module, "write_atomic", killed)


def after_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(NoteJournal, "end", killed)


@pytest.mark.parametrize("death", [before_the_file, after_the_file])
@pytest.mark.parametrize("title", ["Weekly sync", "Monthly sync"])
def test_a_death_between_the_two_writes_makes_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, death: Callable[[pytest.MonkeyPatch], None], title: str
) -> None:
    write(tmp_path, note())
    for body in ("News.", "More."):
        with monkeypatch.context() as patched:
            death(patched)
            with pytest.raises(KilledError):
                write(tmp_path, note(body, title))
    done = write(tmp_path, note("More.", title))
    assert done.conflicts == []
    assert only(tmp_path).read_text() == note("More.", title).text()
    assert write(tmp_path, note("Again.", title)).conflicts == []


def test_an_edit_after_such_a_death_is_still_a_persons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, note())
    with monkeypatch.context() as patched:
        after_the_file(patched)
        with pytest.raises(KilledError):
            write(tmp_path, note("News."))
    only(tmp_path).write_text("my own words")
    assert len(write(tmp_path, note("More.")).conflicts) == 1


def test_a_journal_that_was_cut_off_or_has_grown_is_read(tmp_path: Path) -> None:
    for n in range(250):
        write(tmp_path, note(f"Version {n}."))
    journal = tmp_path / ".rota/notes/notion.jsonl"
    assert len(journal.read_text().splitlines()) < 300
    with journal.open("a") as file:
        file.write('["begin", "a", "reso')
    assert write(tmp_path, note("Version 249.")).files == []
    assert write(tmp_path, note("Version 250.")).conflicts == []
    assert only(tmp_path).read_text().endswith("Version 250.\n")


# --- texts ---------------------------------------------------------------------------------------


def test_front_matter_is_yaml_whatever_the_values_are() -> None:
    from ruamel.yaml import YAML

    values = {
        "title": 'a: "b" # c', "tags": ["x", "- y", "no"], "when": "2026-11-23T09:00:00Z", "count": 3,
        "lines": "one\ntwo", "bad": "a\0\ud800b", "done": False, "nothing": None, "empty": [], "ids": {"a": "1"},
    }  # fmt: skip
    text = front_matter(values)
    read = YAML(typ="safe").load(text.removeprefix("---\n").removesuffix("---\n"))
    assert read == {
        "title": 'a: "b" # c', "tags": ["x", "- y", "no"], "when": "2026-11-23T09:00:00Z", "count": 3,
        "lines": "one\ntwo", "bad": "ab", "done": False, "ids": {"a": "1"},
    }  # fmt: skip


def test_a_mark_goes_into_the_front_matter_once() -> None:
    text = note().text()
    assert marked(marked(text, "deleted"), "deleted") == text.replace("---\n\n", "deleted: true\n---\n\n")
    assert marked("no front matter", "deleted") == "no front matter"
    assert slug("", "x") == "x"

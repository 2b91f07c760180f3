"""What is indexed, what is not, and how the index follows the files."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from tests.unit.workspace.conftest import Notes

from rota.model.errors import RotaError
from rota.workspace.index import db
from rota.workspace.index.ask import inside
from rota.workspace.index.update import update


def indexed(notes: Notes) -> set[str]:
    """The files that can be found."""
    con = sqlite3.connect(db.index_path(notes.layout))
    try:
        return {row[0] for row in con.execute("SELECT path FROM files WHERE left_out IS NULL")}
    finally:
        con.close()


def whole(notes: Notes) -> bool:
    """Whether the index's own check finds nothing, and every word leads to a passage."""
    con = sqlite3.connect(db.index_path(notes.layout))
    try:
        assert con.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert con.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = con.execute("SELECT rowid FROM words WHERE rowid NOT IN (SELECT id FROM passages)").fetchall()
        count = con.execute("SELECT count(*) FROM words").fetchone()
        return rows == [] and count == con.execute("SELECT count(*) FROM passages").fetchone()
    finally:
        con.close()


# --- following the files -------------------------------------------------------------------------


def test_what_is_new_changed_and_gone(notes: Notes) -> None:
    notes.write("a.md", "# Apples\n\nred ones")
    notes.write("b/c.txt", "pears")
    first = notes.index()
    assert (first.files, first.added, first.changed, first.removed) == (2, 2, 0, 0)
    assert first.began_anew == "there is none yet"
    again = notes.index()
    assert again.quiet
    assert again.files == 2
    assert again.began_anew is None

    notes.write("a.md", "# Apples\n\ngreen ones", day="2026-11-21")
    notes.write("d.md", "plums")
    (notes.root / "b/c.txt").unlink()
    report = notes.index()
    assert (report.files, report.added, report.changed, report.removed) == (2, 1, 1, 1)
    assert notes.paths("green") == ["a.md"]
    assert notes.paths("red") == []
    assert notes.paths("pears") == []
    assert whole(notes)


def test_a_file_that_is_only_touched_is_not_indexed_again_but_is_as_old_as_it_says(notes: Notes) -> None:
    notes.write("a.md", "apples", day="2026-10-01")
    notes.index()
    assert notes.paths("apples", since="7d") == []
    notes.write("a.md", "apples", day="2026-11-22")
    assert notes.index().quiet
    assert notes.paths("apples", since="7d") == ["a.md"]


def test_a_change_in_the_same_tick_of_the_clock_is_seen(notes: Notes) -> None:
    """Same size, same time of change: only what was written well before it was read is taken for unchanged."""
    file = notes.root / "a.md"
    file.write_text("apples")
    status = file.stat()
    notes.index()
    file.write_text("orange")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert notes.index().changed == 1
    assert notes.paths("orange") == ["a.md"]


def test_some_paths_alone(notes: Notes) -> None:
    for path in ("a/one.md", "ab/two.md", "b/three.md"):
        notes.write(path, "fruit")
    notes.index()
    for path in ("a/one.md", "b/three.md"):
        (notes.root / path).unlink()
    notes.write("a/four.md", "fruit")
    notes.write("b/five.md", "fruit")
    report = notes.index(only=("a",))
    assert (report.added, report.removed) == (1, 1)
    assert indexed(notes) == {"a/four.md", "ab/two.md", "b/three.md"}


def test_other_settings_take_files_in_and_out(notes: Notes) -> None:
    notes.write("a.md", "x" * 3000)
    notes.write("b.csv", "x,y")
    notes.index()
    notes.settings(max_file=1000, exclude=("*.csv",))
    report = notes.index()
    assert (report.files, report.left_out) == (0, {"too large": 1})
    notes.settings(max_file=10_000, exclude=())
    assert notes.index().files == 2
    assert whole(notes)


# --- an index that cannot be used ----------------------------------------------------------------


@pytest.mark.parametrize("damage", ["no database", "cut short", "empty", "another version", "overwritten"])
def test_a_damaged_index_is_made_anew(notes: Notes, damage: str) -> None:
    for number in range(50):
        notes.write(f"{number}.md", f"# Note {number}\n\nfruit number {number}\n" * 20)
    notes.index()
    path = db.index_path(notes.layout)
    if damage == "no database":
        path.write_bytes(b"This is no database, but long enough to look like one. " * 100)
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "overwritten":
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * (size - 8192))
    else:
        con = sqlite3.connect(path)
        con.execute("PRAGMA user_version = 99")
        con.close()
    assert "7.md" in notes.paths("number 7", limit=1000)
    assert indexed(notes) == {f"{number}.md" for number in range(50)}
    assert whole(notes)


def test_a_search_that_may_not_index_says_what_is_wrong(notes: Notes) -> None:
    notes.write("a.md", "fruit")
    with pytest.raises(RotaError, match="no index that can be used: there is none yet") as told:
        notes.search("fruit", fresh=False)
    assert "rota index" in (told.value.hint or "")
    notes.index()
    notes.write("b.md", "fruit")
    assert [hit.path for hit in notes.search("fruit", fresh=False).hits] == ["a.md"]


def test_rebuild_begins_from_nothing(notes: Notes) -> None:
    notes.write("a.md", "fruit")
    notes.index()
    report = notes.index(rebuild=True)
    assert (report.added, report.files) == (1, 1)
    assert whole(notes)


def test_two_indexers_at_once_do_no_harm(notes: Notes) -> None:
    for number in range(60):
        notes.write(f"{number}.md", f"fruit {number}")
    failed: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(3):
                notes.index()
        except Exception as error:  # noqa: BLE001 # a thread's failure is this test's
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(indexed(notes)) == 60
    assert whole(notes)


def test_who_does_not_want_to_wait_leaves_it_to_the_other(notes: Notes) -> None:
    notes.write("a.md", "fruit")
    with db.only_one(db.index_path(notes.layout), 0.0) as mine:
        assert mine
        assert update(notes.layout, notes.config, wait=0.0).busy
    assert not update(notes.layout, notes.config, wait=0.0).busy


def test_it_is_no_part_of_the_state_and_for_its_owner_alone(notes: Notes) -> None:
    notes.write("a.md", "fruit")
    notes.index()
    path = db.index_path(notes.layout)
    assert path.parent == notes.layout.cache
    assert path.stat().st_mode & 0o077 == 0


# --- which files ---------------------------------------------------------------------------------


def test_what_git_ignores_is_left_out(notes: Notes) -> None:
    notes.write(".gitignore", "build/\n*.log\n!keep.log\n/top.md\n\\#odd.md\n# a comment\n[bad\n")
    notes.write("docs/.gitignore", "drafts\n!drafts/\n*.tmp.md\n")
    notes.write(".git/info/exclude", "private.md\n")
    notes.write(".git/config", "fruit")
    kept = ["a.md", "keep.log", "docs/top.md", "docs/sub/deep.md", "docs/other.log.md"]
    gone = [
        "build/a.md",
        "docs/build/b.md",
        "x.log",
        "top.md",
        "#odd.md",
        "docs/x.tmp.md",
        "docs/sub/y.tmp.md",
        "private.md",
    ]
    for path in (*kept, *gone):
        notes.write(path, "fruit")
    notes.index()
    assert indexed(notes) == set(kept)


def test_rotas_own_folder_and_what_tools_leave_is_left_out(notes: Notes) -> None:
    for path in (".rota/jobs/a.yaml", ".rota/skills/x/SKILL.md", "sub/.rota/jobs/b.yaml", "node_modules/x/readme.md",
                 "web/node_modules/y.js", ".venv/lib/z.py", "a/__pycache__/b.txt", "poetry.lock"):  # fmt: skip
        notes.write(path, "fruit")
    notes.write("a.md", "fruit")
    notes.write(".github/workflow.yml", "fruit")
    notes.index()
    assert indexed(notes) == {"a.md", ".github/workflow.yml"}


def test_settings_go_before_git(notes: Notes) -> None:
    notes.write(".gitignore", "now/*\n")
    for path in ("now/plan.md", "notes/a.md", "notes/drafts/b.md", "data.csv", "venv/readme.md"):
        notes.write(path, "fruit")
    notes.settings(exclude=("!now/", "drafts/", "!venv/"))
    notes.index()
    assert indexed(notes) == {"now/plan.md", "notes/a.md", "data.csv", "venv/readme.md"}
    notes.settings(include=("*.md",))
    notes.index()
    assert indexed(notes) == {"now/plan.md", "notes/a.md", "venv/readme.md"}


SECRET = (
    ".env", ".env.local", "prod.env", ".envrc", "secrets.yaml", "secret.txt", "my-secrets.json", "credentials.json",
    "id_rsa", "id_ed25519", "server.pem", "tls.key", "store.p12", "passwords.kdbx", ".netrc", ".npmrc", ".pypirc",
    ".git-credentials", ".pgpass", "service-account-prod.json", ".ssh/config", ".aws/credentials",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_what_looks_like_a_secret_is_never_indexed(notes: Notes, name: str) -> None:
    notes.settings(exclude=(f"!{name}", f"!deep/{name}"))
    notes.write(name, "TOKEN=hunter2")
    notes.write(f"deep/{name}", "TOKEN=hunter2")
    notes.write("secretary.md", "the secretary's keynote on tokens")
    notes.index()
    assert indexed(notes) == {"secretary.md"}
    assert b"hunter2" not in b"".join(file.read_bytes() for file in notes.layout.cache.iterdir())


def test_a_note_that_holds_a_private_key_is_not_indexed(notes: Notes) -> None:
    notes.write("server.md", "# Server\n\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n")
    notes.write("about.md", "A file begins with BEGIN PRIVATE KEY")
    assert notes.index().left_out == {"secret": 1}
    assert indexed(notes) == {"about.md"}


def test_stored_secrets_are_not_indexed(notes: Notes) -> None:
    notes.write(".rota/secrets.json", '{"TOKEN": "hunter2"}')
    notes.write("a.md", "fruit")
    notes.index()
    assert notes.paths("hunter2") == []


def test_what_is_no_text_or_too_large_is_counted(notes: Notes) -> None:
    notes.settings(max_file=1000)
    notes.write("photo.png", b"\x89PNG")
    notes.write("blob.dat", b"abc\0def" * 10)
    notes.write("control.txt", bytes(range(1, 32)) * 5)
    notes.write("long.md", "x" * 1001)
    notes.write("a.md", "fruit")
    report = notes.index()
    assert report.files == 1
    assert report.left_out == {"binary": 3, "too large": 1}
    assert notes.index().quiet


def test_links_are_not_followed(notes: Notes, tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text("fruit")
    notes.write("a/real.md", "fruit")
    (notes.root / "link.md").symlink_to(tmp_path / "outside.md")
    (notes.root / "a" / "loop").symlink_to(notes.root / "a")
    (notes.root / "dangling.md").symlink_to("nowhere")
    notes.index()
    assert indexed(notes) == {"a/real.md"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_said_and_harms_no_other(notes: Notes) -> None:
    notes.write("a.md", "fruit")
    notes.write("locked.md", "fruit").chmod(0)
    folder = notes.write("shut/b.md", "fruit").parent
    folder.chmod(0)
    try:
        report = notes.index()
    finally:
        folder.chmod(0o700)
    assert indexed(notes) == {"a.md"}
    assert sorted(problem.partition(":")[0] for problem in report.problems) == ["locked.md", "shut"]


def test_a_name_that_is_no_text_is_said(notes: Notes) -> None:
    notes.write("a.md", "fruit")
    try:
        Path(os.fsdecode(os.fsencode(notes.root) + b"/bad\xff.md")).write_text("fruit")
    except OSError:
        pytest.skip("this file system takes no such names")
    report = notes.index()
    assert indexed(notes) == {"a.md"}
    assert any("no UTF-8" in problem for problem in report.problems)


# --- all sorts of texts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "Grüße aus Köln".encode(),
        b"\xef\xbb\xbf" + "Grüße aus Köln".encode(),
        "Grüße aus Köln".encode("latin-1"),
        "Grüße aus Köln".encode("utf-16"),
        "Grüße\r\naus\rKöln\r\n".encode(),
        "Grüße – über aller Höhen – aus Köln \xff".encode("utf-8", "surrogateescape") + b"\xff\xfe",
        "Grüße aus Köln\u2028\x0c\x1b[0m".encode(),
    ],
    ids=["UTF-8", "BOM", "Latin-1", "UTF-16", "CRLF", "invalid bytes", "odd signs"],
)
def test_encodings(notes: Notes, data: bytes) -> None:
    notes.write("a.txt", data)
    assert notes.paths("köln") == ["a.txt"]
    assert notes.paths("KOLN") == ["a.txt"]
    assert notes.paths("gruße") == ["a.txt"]


def test_lines_without_end_are_taken_apart(notes: Notes) -> None:
    notes.write("one.json", '{"words": "' + "lorem ipsum " * 20_000 + 'needle"}')
    notes.write("blob.txt", "x" * 300_000 + " needle")
    notes.write("empty.md", "")
    notes.write("newlines.md", "\n" * 50_000 + "needle\n")
    assert set(notes.paths("needle")) == {"one.json", "blob.txt", "newlines.md"}
    by_path = {hit.path: hit for hit in notes.hits("needle")}
    assert (by_path["one.json"].line, by_path["newlines.md"].line) == (1, 50_001)
    assert all(len(hit.snippet.text) < 300 for hit in by_path.values())


def test_files_of_every_kind_are_text(notes: Notes) -> None:
    for name in (
        "a.py",
        "b.csv",
        "c.json",
        "d.ics",
        "e.org",
        "f.rst",
        "g.html",
        "Makefile",
        "h.yaml",
        "i.TXT",
    ):
        notes.write(name, "one needle\n")
    notes.index()
    assert len(notes.paths("needle", limit=50)) == 10


def test_paths_are_those_of_the_workspace(notes: Notes) -> None:
    notes.write("notes/a.md", "x")
    assert inside(notes.layout, "./notes/") == "notes"
    assert inside(notes.layout, str(notes.root / "notes")) == "notes"
    assert inside(notes.layout, ".") == ""
    for bad in ("../x", "/etc", "", "nowhere", "notes/../.."):
        with pytest.raises(RotaError):
            inside(notes.layout, bad)

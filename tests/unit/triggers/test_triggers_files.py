"""The real files of a workspace: what patterns mean, what never counts, and word of changes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from rota.model.errors import PathError
from rota.model.globs import TEMPORARY, ignores, is_one_value, read_glob
from rota.model.looks import FileWatch
from rota.ports import tree
from rota.ports.tree import digest_of, sign_of, walk
from rota.triggers.files import WorkspaceFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    place.mkdir()
    return place.resolve()


def put(root: Path, *paths: str, text: str = "x") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def found(root: Path, *patterns: str, ignore: tuple[str, ...] = ()) -> list[str]:
    return sorted(path for path, _ in walk(root, patterns, ignore))


@pytest.mark.parametrize(
    ("pattern", "meant", "others"),
    [
        (
            "inbox/**/*.md",
            ["inbox/a.md", "inbox/x/y/a.md"],
            ["a.md", "inbox/a.txt", "inbox/.a.md", "inbox/.x/a.md"],
        ),
        ("*.md", ["a.md"], ["inbox/a.md", ".a.md"]),
        ("inbox/", ["inbox/a", "inbox/x/a"], ["a", "inbox/.a"]),
        ("inbox/**", ["inbox/a", "inbox/x/a"], ["a"]),
        ("data/{a,b}?.csv", ["data/a1.csv", "data/b2.csv"], ["data/c1.csv", "data/a.csv"]),
        ("[0-9]*", ["1a"], ["a1"]),
        ("[!0-9]*", ["a1"], ["1a", ".a"]),
        ("./a.md", ["a.md"], ["b.md"]),
        ("a/.env*", ["a/.env", "a/.env.x"], ["a/env"]),
        ("a/**/b/c", ["a/b/c", "a/x/b/c"], ["a/c"]),
        ("a[b.md", ["a[b.md"], ["ab.md"]),
        ("Inbox/*", ["Inbox/a"], ["inbox/a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("weird ($name)/*", ["weird ($name)/x\ny"], ["weird"]),
    ],
)
def test_what_a_pattern_means(pattern: str, meant: list[str], others: list[str]) -> None:
    glob = read_glob(pattern)
    assert [path for path in meant if not glob.matches(path)] == []
    assert [path for path in others if glob.matches(path)] == []


@pytest.mark.parametrize(
    "pattern", ["", "/etc/*", "../x", "a/../b", "~/x", "a\0b", ".git/*", "x/.ROTA/y", "a\\b", "[z-a]"]
)
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(PathError):
        read_glob(pattern)


def test_what_is_ignored() -> None:
    assert ignores(TEMPORARY, "inbox/a.md~")
    assert ignores(["node_modules"], "a/node_modules/b/c.md")
    assert ignores(["inbox/drafts/"], "inbox/drafts/x/y.md")
    assert not ignores(["drafts/*"], "inbox/drafts/x.md")
    assert not ignores([*TEMPORARY, "x"], "inbox/a.md")


def test_one_value_or_a_pattern() -> None:
    assert is_one_value(" {{ steps.a.output }} ")
    assert not is_one_value("{{ a }}/{{ b }}")
    assert not is_one_value("data/{{ day }}.csv")


def test_files_are_found_once_and_rotas_own_never(root: Path) -> None:
    put(
        root,
        "a.md",
        "inbox/a.md",
        "inbox/x/b.md",
        ".rota/jobs/j.md",
        ".git/c.md",
        "inbox/.GIT/d.md",
        "inbox/.e.md",
    )
    assert found(root, "**/*.md", "inbox/*.md", "inbox/**/*.md") == ["a.md", "inbox/a.md", "inbox/x/b.md"]
    assert found(root, "inbox/*.md") == ["inbox/a.md"]
    assert found(root, "inbox/**", ignore=("x/",)) == ["inbox/a.md"]
    assert found(root, "nowhere/*") == []


def test_links_that_lead_out_and_links_to_folders_are_not_followed(root: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "secret.md")
    put(root, "inbox/a.md", "notes/b.md", ".rota/state.md")
    (root / "inbox/out.md").symlink_to(tmp_path / "elsewhere/secret.md")
    (root / "inbox/folder").symlink_to(tmp_path / "elsewhere")
    (root / "inbox/loop").symlink_to(root / "inbox")
    (root / "inbox/inside.md").symlink_to(root / "notes/b.md")
    (root / "inbox/own.md").symlink_to(root / ".rota/state.md")
    (root / "inbox/nowhere.md").symlink_to(root / "gone.md")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    assert found(root, "inbox/**/*.md", "linked/*.md") == ["inbox/a.md", "inbox/inside.md"]


def test_what_is_no_regular_file_is_left_out(root: Path) -> None:
    put(root, "inbox/a.md")
    os.mkfifo(root / "inbox/pipe.md")
    (root / "inbox/folder.md").mkdir()
    assert found(root, "inbox/*.md") == ["inbox/a.md"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_hides_only_itself(root: Path) -> None:
    put(root, "inbox/a.md", "inbox/closed/b.md")
    (root / "inbox/closed").chmod(0)
    assert found(root, "inbox/**/*.md") == ["inbox/a.md"]
    (root / "inbox/closed").chmod(0o700)


def test_a_digest_is_of_the_content_and_of_no_other_file(root: Path) -> None:
    put(root, "a", "b", text="same")
    put(root, "c", text="other")
    signs = {path: sign_of(root, path) for path in "abc"}
    digests = {path: digest_of(root, path, sign) for path, sign in signs.items() if sign is not None}
    assert digests["a"] == digests["b"] != digests["c"]
    sign = signs["a"]
    assert sign is not None
    put(root, "a", text="meanwhile")
    assert digest_of(root, "a", sign) is None
    (root / "b").unlink()
    assert signs["b"] is not None
    assert digest_of(root, "b", signs["b"]) is None


def test_a_very_long_file_is_known_by_its_size_and_date(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_READ", 3)
    put(root, "a", text="long")
    sign = sign_of(root, "a")
    assert sign is not None
    first = digest_of(root, "a", sign)
    put(root, "a", text="longer")
    again = sign_of(root, "a")
    assert again is not None
    assert digest_of(root, "a", again) != first


def test_a_copy_with_its_old_date_is_new_all_the_same(root: Path) -> None:
    put(root, "a")
    os.utime(root / "a", (1, 1))
    sign = sign_of(root, "a")
    assert sign is not None
    assert sign.modified == 1_000_000
    assert sign.moved > 1_000_000_000_000_000


def test_word_of_a_change_comes_by_itself(root: Path) -> None:
    put(root, "inbox/a.md", "top/b.md")
    files = WorkspaceFiles(root)
    watches = [FileWatch(("inbox/*.md",)), FileWatch(("**/*.txt",)), FileWatch(("not/yet/*.md",))]

    async def work() -> None:
        wake = asyncio.Event()
        watching = asyncio.create_task(files.wakes(lambda: watches, wake))
        for number, path in enumerate(("inbox/new.md", "top/deep/new.txt", "not/yet/new.md")):
            for attempt in range(100):  # a watch begins in its own time
                put(root, path, text=f"{number} {attempt}")
                try:
                    await asyncio.wait_for(wake.wait(), 1)
                    break
                except TimeoutError:
                    continue
            assert wake.is_set(), path
            wake.clear()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(work())


def test_what_came_before_a_watch_began_is_told_of_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.triggers.files.LOOK_AGAIN", 0.2)
    files = WorkspaceFiles(root)
    watches: list[FileWatch] = []

    async def work() -> None:
        wake = asyncio.Event()
        watching = asyncio.create_task(files.wakes(lambda: watches, wake))
        await asyncio.sleep(0)
        put(root, "inbox/a.md")
        watches.append(FileWatch(("inbox/*.md",)))  # a job that was just added
        await asyncio.wait_for(wake.wait(), 60)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(work())


def test_the_state_is_never_watched(root: Path) -> None:
    put(root, ".rota/state.db", ".git/HEAD", "inbox/a.md", "notes/b.md")
    files = WorkspaceFiles(root)
    folders = files._folders([FileWatch(("**/*.md",)), FileWatch(("inbox/*",)), FileWatch(("gone/x/*",))])
    assert folders == {(root, False), (root / "inbox", True), (root / "notes", True)}

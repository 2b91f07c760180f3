"""How a workspace is found, and what its folder is made of."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rota.model.errors import WorkspaceError
from rota.workspace.jobfiles import MAX_BYTES, read, scan, stamp_of
from rota.workspace.layout import Layout, find, make_private


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "work")
    make_private(made)
    return made


def test_it_is_found_from_inside(layout: Layout, tmp_path: Path) -> None:
    deep = layout.root / "a" / "b"
    deep.mkdir(parents=True)
    assert find(deep) == layout
    link = tmp_path / "link"
    link.symlink_to(layout.root)
    assert find(link / "a") == layout
    with pytest.raises(WorkspaceError, match="not a rota workspace"):
        find(tmp_path)
    with pytest.raises(WorkspaceError, match="there is no folder"):
        find(tmp_path / "nowhere")


def test_it_is_private(layout: Layout) -> None:
    assert stat.S_IMODE(layout.rota.stat().st_mode) == 0o700
    layout.rota.chmod(0o755)
    (layout.rota / ".gitignore").write_text("mine\n")
    make_private(layout)
    assert stat.S_IMODE(layout.rota.stat().st_mode) == 0o700
    assert (layout.rota / ".gitignore").read_text() == "mine\n"


def test_a_place_where_none_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError):
        make_private(Layout(tmp_path / "file"))


def test_which_files_are_job_files(layout: Layout) -> None:
    for name in ("b.yaml", "a.md", "c.json", "d.py", "e.YML"):
        (layout.jobs / name).write_text("x")
    for name in (".b.yaml.swp", "#b.yaml#", "b.yaml~", "_shared.py", "notes.txt", ".hidden.yaml", "4913"):
        (layout.jobs / name).write_text("x")
    (layout.jobs / "folder.yaml").mkdir()
    (layout.jobs / "dangling.yaml").symlink_to("nowhere")
    (layout.jobs / "output").mkdir()
    (layout.jobs / "output" / "x.md").write_text("x")
    layout.hooks.mkdir()
    (layout.hooks / "push.yaml").write_text("x")
    (layout.hooks / "code.py").write_text("x")
    found = scan(layout)
    assert [(file.path, file.hook) for file in found] == [
        (".rota/hooks/push.yaml", True),
        (".rota/jobs/a.md", False),
        (".rota/jobs/b.yaml", False),
        (".rota/jobs/c.json", False),
        (".rota/jobs/d.py", False),
        (".rota/jobs/dangling.yaml", False),
        (".rota/jobs/e.YML", False),
        (".rota/jobs/folder.yaml", False),
    ]
    # What cannot be a job file is listed all the same: reading it says why.
    for file in found:
        if file.path.endswith(("dangling.yaml", "folder.yaml")):
            with pytest.raises(OSError, match=r"No such file|it is a folder"):
                read(layout, file)


def test_a_stamp_changes_with_the_content(layout: Layout) -> None:
    path = layout.jobs / "a.yaml"
    assert stamp_of(path) == ""
    path.write_text("one")
    first = stamp_of(path)
    replacement = layout.jobs / ".a.tmp"
    replacement.write_text("two")
    replacement.replace(path)
    assert stamp_of(path) != first, "same size, another file"


def test_reading_is_forgiving_and_bounded(layout: Layout) -> None:
    (layout.jobs / "a.yaml").write_bytes(b"\xef\xbb\xbfname: caf\xe9\n")
    assert read(layout, scan(layout)[0]) == "name: caf\ufffd\n"
    (layout.jobs / "a.yaml").write_bytes(b"x" * (2 * MAX_BYTES))
    assert len(read(layout, scan(layout)[0])) == MAX_BYTES + 1


def test_there_may_be_no_folder_yet(tmp_path: Path) -> None:
    assert scan(Layout(tmp_path)) == []

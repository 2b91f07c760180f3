"""Compiled statements are kept between processes, and never when they might be of another time."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rota.store import open_store, statements
from rota.store.statements import Sql, Statement, TextFile, compile_all, queries

STORE = Path(statements.__file__).parent
USE = """
import sys
from pathlib import Path
from rota.store import open_store
store = open_store(Path(sys.argv[1]), cache=Path(sys.argv[2]), read_only="read" in sys.argv)
print(store.read(lambda tx: len(tx.jobs.all())), "sqlalchemy" in sys.modules)
store.close()
"""
Use = Callable[..., str]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def use(path: Path, cache: Path) -> Use:
    """A process of its own that reads the jobs; says how many, and whether it imported SQLAlchemy.

    It leaves nothing beside the code unless `environment` lets it.
    """

    def run(*more: str, environment: dict[str, str] | None = None, at: Path = path.parent) -> str:
        open_store(at / path.name).close()
        command = [sys.executable, "-c", USE, str(at / path.name), str(at / cache.name), *more]
        env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | (environment or {})
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=60)
        assert ended.stderr == ""
        return ended.stdout.strip()

    return run


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources, somewhere else."""
    found = tmp_path / "copy" / "rota"
    shutil.copytree(STORE.parent, found, ignore=shutil.ignore_patterns("__pycache__"))
    return found


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has just started, and that leaves nothing beside the code."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(statements, "_known", {})


def test_the_second_process_does_without_sqlalchemy(use: Use, cache: Path) -> None:
    assert use() == "0 True"
    assert use() == "0 False"
    assert [stat.S_IMODE(at.stat().st_mode) for at in (cache, *cache.iterdir())] == [0o700, 0o600]


def test_a_reader_leaves_no_file(use: Use, cache: Path) -> None:
    assert use("read") == "0 True"
    assert not cache.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\xff\x00garbage", id="garbage"),
        pytest.param(lambda kept: kept[: len(kept) // 2], id="half of it"),
        pytest.param(lambda kept: kept.replace(b"FROM jobs", b"FROM sobj"), id="a changed text"),
    ],
)
def test_a_file_that_is_damaged_is_replaced(use: Use, cache: Path, content: Callable[[bytes], bytes]) -> None:
    use()
    file = cache / "statements"
    kept = file.read_bytes()
    assert content(kept) != kept
    file.write_bytes(content(kept))
    assert use() == "0 True"
    assert file.read_bytes() == kept
    assert use() == "0 False"


def test_a_folder_in_its_place_does_no_harm(use: Use, cache: Path) -> None:
    (cache / "statements").mkdir(parents=True)
    assert [use(), use()] == ["0 True"] * 2
    assert [file.name for file in cache.iterdir()] == ["statements"]


def test_a_file_where_the_cache_should_be_does_no_harm(use: Use, cache: Path) -> None:
    cache.write_text("")
    assert [use(), use()] == ["0 True"] * 2


def test_they_are_kept_beside_the_code_for_every_workspace(use: Use, copy: Path, tmp_path: Path) -> None:
    there = {"PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": ""}
    works = [tmp_path / name for name in ("one", "two", "three")]
    for work in works:
        work.mkdir()
    assert [use(environment=there, at=work) for work in works[:2]] == ["0 True", "0 False"]
    assert not any((work / "cache").exists() for work in works)
    shutil.rmtree(copy / "store/__pycache__")
    (copy / "store/__pycache__").write_text("here nobody may write")
    assert [use(environment=there, at=works[2]) for _ in range(2)] == ["0 True", "0 False"]
    assert (works[2] / "cache/statements").is_file()


@pytest.mark.parametrize("changed", ["store/job_queries.py", "model/run.py"])
def test_a_change_of_the_sources_makes_it_stale(use: Use, copy: Path, changed: str) -> None:
    there = {"PYTHONPATH": str(copy.parent)}
    use()
    assert use(environment=there) == "0 True", "made by another installation"
    assert use(environment=there) == "0 False"
    at = (copy / changed).stat()
    os.utime(copy / changed, ns=(at.st_atime_ns, at.st_mtime_ns))  # as old and as long as before, and yet
    assert use(environment=there) == "0 True"


def test_what_is_kept_is_what_would_be_compiled(cache: Path, nothing_known: None) -> None:
    text = statements.queries("job_queries").GET.text
    TextFile(cache).keep()
    statements._known.clear()
    TextFile(cache).load()
    assert statements._known == compile_all()
    assert statements._known["job_queries.GET"].text == text


def test_every_module_of_statements_is_part_of_it() -> None:
    kept = {name.partition(".")[0] for name in compile_all()}
    assert kept == {file.stem for file in STORE.glob("*_queries.py")}


def test_every_statement_that_a_verb_names_is_there() -> None:
    every = compile_all()
    named = {
        f"{room.group(1)}.{name}"
        for file in STORE.glob("*.py")
        if (room := re.search(r'queries\("(\w+)"\)', text := file.read_text()))
        for name in re.findall(r"\bq\.(\w+)", text)
    }
    assert named == set(every)


def test_a_statement_is_compiled_once(nothing_known: None) -> None:
    compiled: list[int] = []

    def compile_() -> Sql:
        compiled.append(1)
        return Sql("SELECT :a", {"a": 1})

    statement = Statement(compile_)
    assert [statement.text, statement.constants, statement.text] == ["SELECT :a", {"a": 1}, "SELECT :a"]
    assert len(compiled) == 1
    named = queries("job_queries")
    assert named.GET is named.GET

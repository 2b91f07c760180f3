"""What the pages on reliability name as proof is there, and no fault is tested without being named."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RELIABILITY = (ROOT / "docs/reliability.md").read_text("utf-8")
PITFALLS = (ROOT / "docs/pitfalls.md").read_text("utf-8")
NAMED_FILES = sorted(
    set(re.findall(r"`(test_\w+)\.py`", RELIABILITY) + re.findall(r"`(test_\w+)`", PITFALLS))
)
NAMED_TESTS = sorted(set(re.findall(r"`(test_\w+)::(test_\w+)`", PITFALLS)))


@cache
def modules() -> dict[str, Path]:
    """Every test module by its name, which is unique."""
    return {path.stem: path for path in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("name", NAMED_FILES)
def test_every_file_that_is_named_is_there(name: str) -> None:
    assert name in modules()


def test_every_file_of_the_faults_is_named() -> None:
    there = {path.stem for path in (ROOT / "tests/faults").glob("test_*.py")}
    assert there - set(NAMED_FILES) == set()


@pytest.mark.parametrize(("module", "name"), NAMED_TESTS, ids=lambda text: text)
def test_every_test_that_is_named_is_there(module: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", modules()[module].read_text("utf-8"), re.MULTILINE)


def test_every_pitfall_has_a_test() -> None:
    rows = [line for line in PITFALLS.splitlines() if line.startswith("| ") and "what happened" not in line]
    assert len(rows) > 20
    assert [row for row in rows if "`test_" not in row.rsplit("|", 2)[1]] == []


def test_every_promise_has_its_limits_and_its_tests() -> None:
    parts = re.split(r"^## ", RELIABILITY, flags=re.MULTILINE)
    promises = {part[0]: part for part in parts if re.match(r"\d\. ", part)}
    assert list(promises) == list("123456789")
    held = {
        number
        for row in re.findall(r"^\| ([\d, ]+) \|", RELIABILITY, re.MULTILINE)
        for number in row.split(", ")
    }
    assert set(promises) - held == set()
    assert [number for number, text in promises.items() if "Limits:" not in text and number != "3"] == []

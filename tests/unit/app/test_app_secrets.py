"""The stored secrets: private, read anew when they change, the environment standing in."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rota.model.errors import RotaError
from rota.workspace.secrets import Secrets


def test_a_secret_is_stored_privately(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    secrets = Secrets(path)
    assert dict(secrets.known()) == {}
    secrets.set("TOKEN", 'väl"ue')
    assert secrets.get("TOKEN") == 'väl"ue'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Secrets(path).get("TOKEN") == 'väl"ue'


def test_another_process_changes_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    mine, theirs = Secrets(path), Secrets(path)
    mine.set("A", "1")
    assert theirs.get("A") == "1"
    mine.set("A", "other")
    assert theirs.get("A") == "other"
    assert mine.remove("A")
    assert theirs.get("A") is None
    assert not theirs.remove("A")


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    mine, theirs = Secrets(path), Secrets(path)
    for value in ("aaaa", "bbbb", "cccc"):
        mine.set("A", value)
        assert theirs.get("A") == value


def test_the_environment_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTA_TEST_TOKEN", "of the environment")
    secrets = Secrets(tmp_path / "secrets.json")
    assert secrets.get("ROTA_TEST_TOKEN") == "of the environment"
    secrets.set("ROTA_TEST_TOKEN", "stored")
    assert secrets.get("ROTA_TEST_TOKEN") == "stored"


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "Ä", "A\n"])
def test_a_name_that_no_template_could_hold(tmp_path: Path, name: str) -> None:
    with pytest.raises(RotaError, match="cannot name a secret"):
        Secrets(tmp_path / "secrets.json").set(name, "x")


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(RotaError, match="cannot read") as caught:
        Secrets(path).known()
    assert caught.value.hint

"""A new workspace, and the settings that it goes by."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from tests.support.opened import Opened

from rota.app.init import initialise, local_timezone
from rota.app.settings import settings_in_force
from rota.app.wiring import open_app
from rota.cli.main import COMMANDS
from rota.model.errors import ConflictError, WorkspaceError, ZoneError


def test_a_blank_workspace(tmp_path: Path) -> None:
    made = initialise(tmp_path / "a" / "b", "blank", "Asia/Tokyo")
    assert made.root == (tmp_path / "a" / "b").resolve()
    assert (made.timezone, made.kept) == ("Asia/Tokyo", ())
    assert stat.S_IMODE((made.root / ".rota").stat().st_mode) == 0o700
    for name in ("job", "config"):
        assert json.loads((made.root / ".rota" / "schema" / f"{name}.json").read_text())["$schema"]
    app = open_app(made.root)
    assert (app.settings.errors, app.settings.warnings) == ((), ())
    app.close()


def test_a_workspace_has_a_skill_that_teaches_agents_to_use_rota(tmp_path: Path) -> None:
    own = tmp_path / "other" / ".rota" / "skills" / "rota" / "SKILL.md"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    for name in ("new", "other"):
        initialise(tmp_path / name, "blank", "UTC")
    text = (tmp_path / "new" / ".rota" / "skills" / "rota" / "SKILL.md").read_text()
    front = text.split("---")[1].splitlines()
    assert "name: rota" in front
    about = next(line for line in front if line.startswith("description: "))
    assert 20 < len(about) < 1024
    commands = set(re.findall(r"`rota (\w+)", text)) - {"JOB"}
    assert {"list", "why", "add"} <= commands <= set(COMMANDS)
    assert own.read_text() == "mine"


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text("mine")
    made = initialise(tmp_path, "personal-os", None)
    assert made.kept == ("tasks.md",)
    assert (tmp_path / "tasks.md").read_text() == "mine"
    assert made.timezone == "Europe/London", "the starter's, unless one is named"


def test_a_zone_that_is_named_wins_and_comments_stay(tmp_path: Path) -> None:
    made = initialise(tmp_path, "personal-os", "Asia/Tokyo")
    assert made.timezone == "Asia/Tokyo"
    assert "# Where messages go." in (tmp_path / ".rota" / "rota.yaml").read_text()


def test_where_none_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="is not a folder"):
        initialise(tmp_path / "file", "blank", None)
    with pytest.raises(ZoneError):
        initialise(tmp_path / "x", "blank", "Nowhere")
    assert not (tmp_path / "x").exists()
    initialise(tmp_path / "x", "blank", "UTC")
    app = open_app(tmp_path / "x")
    assert app.store.read(lambda tx: tx.jobs.all()) == []
    app.close()
    with pytest.raises(ConflictError):
        initialise(tmp_path / "x", "blank", "UTC")


def test_the_zone_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Europe/Paris")
    assert local_timezone() == "Europe/Paris"
    monkeypatch.setenv("TZ", "not a zone")
    assert local_timezone()


def test_broken_settings_leave_the_last_good_ones_in_force(opened: Opened) -> None:
    path = opened.file(".rota/rota.yaml", "timezone: Asia/Tokyo\n")
    assert settings_in_force(opened.app).config.timezone == "Asia/Tokyo"
    path.write_text("timezone: [\n")
    later = open_app(opened.root)
    assert later.config.timezone == "Asia/Tokyo", "in a process that never saw the good ones"
    assert later.settings.errors
    assert later.config.name == "work"
    later.close()
    path.unlink()
    assert settings_in_force(opened.app).config.timezone == "UTC"


def test_settings_that_cannot_be_read(opened: Opened) -> None:
    path = opened.file(".rota/rota.yaml", "timezone: Asia/Tokyo\n")
    settings_in_force(opened.app)
    path.unlink()
    os.mkdir(path)  # noqa: PTH102 # a folder where a file should be
    found = settings_in_force(opened.app)
    assert found.config.timezone == "Asia/Tokyo"
    assert "cannot be read" in str(found.errors[0])

"""Every version of the state is kept as a fixture, so that the next one is tried on it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.states import STATES

from rota.store import migrate


def test_every_revision_has_a_fixture() -> None:
    """`python -m scripts.keep_state` makes it."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", migrate.SCRIPTS)
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert migrate.HEAD in revisions
    for suffix in (".sql", ".json"):
        assert {path.stem for path in STATES.glob(f"*{suffix}")} == {f"r{revision}" for revision in revisions}


def test_a_fixture_holds_the_revision_in_its_name_and_rows_in_every_table(tmp_path: Path) -> None:
    """The ones that are kept, and one that is made now: what makes them works when it is needed."""
    argv = [sys.executable, "-m", "scripts.keep_state", str(tmp_path)]
    subprocess.run(argv, check=True, capture_output=True, cwd=STATES.parents[2], timeout=120)
    made = sorted(tmp_path.glob("*.sql"))
    assert [path.stem for path in made] == [f"r{migrate.HEAD}"]
    for path in [*STATES.glob("*.sql"), *made]:
        text = path.read_text("utf-8")
        assert f"""INSERT INTO "alembic_version" VALUES('{path.stem.removeprefix("r")}')""" in text
        tables = set(re.findall(r"^CREATE TABLE (\w+)", text, re.MULTILINE))
        filled = set(re.findall(r'^INSERT INTO "(\w+)"', text, re.MULTILINE))
        assert tables - filled == set()

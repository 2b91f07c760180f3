"""What is made ready before a first start is ready: the daemon itself imports nothing of what that takes."""

from __future__ import annotations

from pathlib import Path

from rota.app.ready import make_ready
from rota.store import is_ready
from rota.workspace.layout import Layout


def test_the_state_and_its_statements_are_made_in_a_process_of_their_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.rota.mkdir()
    assert not is_ready(layout.state, layout.cache)
    make_ready(layout)
    assert is_ready(layout.state, layout.cache)


def test_what_cannot_be_made_is_left_to_the_daemon_to_tell(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "nowhere")
    make_ready(layout)
    assert not layout.state.exists()

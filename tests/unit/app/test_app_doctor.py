"""`rota doctor` finds what is wrong, and says how to mend it."""

from __future__ import annotations

from tests.support.opened import Opened

from rota.app.commands import pause_job
from rota.app.doctor import examine
from rota.app.doctor_hooks import Finding
from rota.app.settings import settings_in_force
from rota.model.message import Message


def problems(opened: Opened, level: str = "problem") -> list[Finding]:
    return [finding for finding in examine(opened.app) if finding.level == level]


def test_a_healthy_workspace(opened: Opened) -> None:
    opened.job("a", "steps:\n  - run: echo\n")
    assert problems(opened) == []
    assert [f.text for f in problems(opened, "warning")] == ["no daemon is running"]


def test_everything_that_can_be_wrong(opened: Opened) -> None:
    opened.job("good", "steps:\n  - run: echo\n")
    pause_job(opened.app, "good", "on holiday")
    opened.job("bad", "steps: 3\n")
    opened.job("away", "steps:\n  - script: scripts/none.sh\n")
    opened.app.secrets.set("A", "1")
    opened.app.layout.secrets.chmod(0o644)
    opened.app.layout.rota.chmod(0o755)
    lost = Message("k", "slack", "x", 1, job_id="good", attempts=1, error="connection refused")
    opened.app.store.write_now(lambda tx: tx.outbox.add(lost))
    opened.app.store.write_now(lambda tx: tx.outbox.claim("k", 2))
    opened.app.store.write_now(lambda tx: tx.outbox.retry("k", "connection refused", 3))
    opened.file(".rota/rota.yaml", "timezone: Nowhere\n")
    opened.app.use(settings_in_force(opened.app))
    found = {finding.text: finding for finding in examine(opened.app) if finding.level != "ok"}
    for part in (
        ".rota is open to others",
        "the stored secrets are readable by others",
        "`Nowhere` is not a time zone",
        ".rota/jobs/bad.yaml:1",
        "there is no script 'scripts/none.sh'",
        "good is paused (on holiday)",
        "no daemon is running",
        "a slack message of good is not delivered yet: connection refused",
    ):
        assert [text for text in found if part in text], part
    assert not [f for f in found.values() if f.level == "problem" and not f.hint], "a hint to every problem"


def test_a_state_that_is_too_large_and_one_that_was(opened: Opened) -> None:
    opened.file(".rota/rota.yaml", "timezone: UTC\nlimits: {state: 1KB}\n")
    opened.app.use(settings_in_force(opened.app))
    now = opened.app.clock.now()
    cut = {"at": now - 3600 * 1_000_000, "since": now - 86_400 * 1_000_000}
    opened.app.store.write_now(lambda tx: tx.cursors.put("history_cut_short", cut, now))
    found = {finding.text: finding.hint for finding in problems(opened, "warning")}
    assert "limits: state:" in found["the state holds more than its limit of 0.001 MB"]
    assert "history before 2026-11-17 11:06 UTC was given up 1 h ago: the state was too large" in found
    opened.clock.advance(8 * 86_400)
    assert not [f for f in problems(opened, "warning") if "given up" in f.text], "it is no news any more"


def test_a_model_for_searches_that_cannot_be_used(opened: Opened) -> None:
    opened.file(".rota/rota.yaml", "timezone: UTC\nindex: {embeddings: models/nowhere}\n")
    opened.app.use(settings_in_force(opened.app))
    found = {finding.text: finding.hint for finding in problems(opened, "warning")}
    (text,) = [text for text in found if "`index.embeddings`" in text]
    assert "there is no folder" in text
    assert "model2vec" in found[text]

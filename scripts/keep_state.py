"""Keep a state of the present schema as a fixture: `python -m scripts.keep_state [FOLDER]` after a new migration.

The code of today makes it, on a clock of its own: jobs, a ledger with every outcome, runs in every state,
one of them and a message under way, as kill -9 would leave them. The fixture is then never changed, so that
every later version is tried on it (tests/faults/test_faults_upgrade.py).
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.support.clock import FakeClock
from tests.support.opened import Opened
from tests.support.states import STATES, furnish, seen

from rota.app import cards, inbox
from rota.app.answers import answer
from rota.app.cancelling import cancel_run
from rota.app.commands import pause_job, run_job
from rota.app.sync import sync
from rota.app.wiring import App, build_engine
from rota.engine.core import Engine
from rota.engine.process_tree import become_subreaper
from rota.model.agent import Actor, AgentSession, Denial, Usage, run_key
from rota.model.card import Author, AuthorKind
from rota.model.delivery import Delivery
from rota.model.instants import DAY, HOUR, MINUTE, Micros
from rota.model.ledger import DaemonRecord
from rota.model.proposal import POLICY, AgentToken, Deed, Proposal, ProposalState
from rota.model.run import StepRun, StepState
from rota.model.spend import OpenAccount, Spend, Used
from rota.ports.cards import NewCard
from rota.ports.store import Tx
from rota.store.migrate import HEAD

BEGIN: Micros = 1_740_992_400_000_000  # 2025-03-03T09:00:00Z, a Monday
OWNER = "elsewhere-4711-0badc0de"  # of another machine: that its lease is over is all that is known of it
SCRIPTS = {"tell.sh": "exit 0\n", "post.sh": "sleep 300\n", "fragile.sh": "echo it broke; exit 3\n"}


async def story(opened: Opened, folder: Path) -> None:
    """Some days of a workspace; at the end a run and a message are under way."""
    engine = build_engine(opened.app, OWNER)
    try:
        await _days(opened, engine)
        await _end(opened, engine)
        _keep(opened, folder)
    finally:
        await engine.executor.drain(0.0)
        await engine.outbox.drain(0.0)
        await engine.services.hosts.close()


async def _days(opened: Opened, engine: Engine) -> None:
    app, clock = opened.app, opened.clock
    stopped = DaemonRecord("daemon-1", 4242, "elsewhere", BEGIN, BEGIN + HOUR, BEGIN + HOUR)
    crashed = DaemonRecord("daemon-2", 4711, "elsewhere", BEGIN + DAY, BEGIN + DAY + HOUR)
    app.store.write_now(lambda tx: tx.cursors.put("feed", {"etag": "x", "seen": ["a", "b"]}, BEGIN))
    run_job(app, "gone")
    await _pass(engine)
    opened.file("inbox/letter.md", "Dear Ana\n")
    opened.job("inbox", "on: [{files: inbox/*.md}]\nscript: tell.sh\n")
    await engine.files.settle(30.0)
    for life in (stopped, crashed):
        app.store.write_now(partial(_live, life=life))
    (opened.root / ".rota/jobs/gone.yaml").unlink()
    sync(app)
    for moment in (DAY, DAY + 5 * MINUTE, 4 * DAY):  # the days between are missed
        clock.set(BEGIN + moment)
        await _pass(engine)
    standup = opened.root / ".rota/jobs/standup.yaml"
    standup.write_text(standup.read_text().replace("Morning,", "Good morning,"))
    sync(app)
    cancel_run(app, run_job(app, "resting").id)
    pause_job(app, "resting", "holidays")
    clock.advance(HOUR / 1_000_000)
    planned = run_job(app, "plan")
    app.store.write_now(partial(_came, run_id=planned.id, at=clock.now()))
    app.store.write_now(partial(_paid, run_id=planned.id, at=clock.now()))
    app.store.write_now(partial(_talked, run_id=planned.id, at=clock.now()))
    await _pass(engine)
    answer(app, "plan", "1. Rest", by="sam")
    await _pass(engine)
    app.store.write_now(partial(_agents_came, at=clock.now()))


async def _end(opened: Opened, engine: Engine) -> None:
    app, clock = opened.app, opened.clock
    (opened.root / "tell.sh").write_text("echo nobody there >&2; exit 1\n")
    clock.advance(60)
    run_job(app, "standup", {"who": "Ana"})
    run_job(app, "plan")
    await _pass(engine)  # its message fails, and waits for another try; the plan waits for an answer
    inbox.take(app, "plan", "claude")
    _use_the_board(app)
    run_job(app, "fragile", force=True)
    run_job(app, "slow-post")
    await _pass(engine, to_the_end=False)  # its message is under way
    clock.advance(60)
    run_id = run_job(app, "long").id
    await engine.dispatcher.run_once()
    while not _second_step_runs(app.store.read(lambda tx: tx.runs.steps(run_id))):  # noqa: ASYNC110 # steps tell nobody
        await asyncio.sleep(0.05)
    clock.advance(60)
    run_job(app, "standup")


def _use_the_board(app: App) -> None:
    ana = Author("ana")
    for title in ("Attic", "Call Priya", "Old"):
        cards.create(app, NewCard(title, "About *it*.", tags=["home"], due="2025-04-01", key=title), ana)
    cards.move(app, "c2", "doing", Author("claude", AuthorKind.AGENT, run="r1", job="plan", step="agent"))
    cards.comment(app, "c2", "She is away.", ana)
    cards.archive(app, ["c3"], ana)


def _came(tx: Tx, run_id: str, at: Micros) -> None:
    headers = {"content-type": "application/json", "authorization": "***"}
    body = '{"action": "opened"}'
    one = Delivery(
        "d250307-090000-0badc0de", "plan", "plan", "webhook", "72d3162e", "c0ffee", at, "127.0.0.1",
        headers, {"source": "test"}, body, binary=False, size=len(body), run_id=run_id,
    )  # fmt: skip
    tx.deliveries.add([one])


def _agents_came(tx: Tx, at: Micros) -> None:
    claude = Actor("claude", run="r-1", job="plan", step="plan")
    wish = Proposal(
        Deed.CREATE, claude, "create the job `brief`", at, job_id="brief", why="Ana asked for it",
        path=".rota/jobs/brief.yaml", after="schedule: daily\nrun: 'true'\n", hash="0badc0de",
        detail={"fires": [at + DAY]}, expires_at=at + 14 * DAY,
    )  # fmt: skip
    tx.proposals.add(wish)
    done = replace(wish, deed=Deed.RUN, job_id="plan", state=ProposalState.APPLIED, path=None, after=None)
    tx.proposals.add(replace(done, decided_at=at, decided_by=POLICY, result="run r-2"))
    tx.tokens.add(AgentToken("laptop", "c0ffee" * 10, "claude", ("look", "job_*"), at, at + DAY, at))


def _paid(tx: Tx, run_id: str, at: Micros) -> None:
    account = OpenAccount(
        run_id, "plan", 1, "plan", 1, "builtin", "gpt-5", at, Used(usd=0.01, tokens=2000, turns=1)
    )
    tx.spend.open(account)
    response = Spend(
        run_id,
        "plan",
        "resp_1",
        "plan",
        1,
        at,
        "builtin",
        "gpt-5",
        Usage(800, 120, 300, 40),
        0.0025,
        0.003,
        turns=1,
    )
    tx.spend.add(response)
    tx.spend.add(replace(response, key="resp_2", model="homemade", usd=None, client_usd=None))
    tx.spend.note_over(
        run_id, "plan", 1, f"job:plan:run:{run_id}:turns the job's budget of a run, 2 turns, is used up"
    )


def _talked(tx: Tx, run_id: str, at: Micros) -> None:
    push = (Denial("run", "git push"),)
    one = AgentSession(
        run_key(run_id, "plan"), "claude", "c0ffee", "opus", {"usd": 0.25}, push, said="You may."
    )
    for session in (one, replace(one, key="name:plans", refused=push, asked=push, open=False)):
        tx.sessions.put(replace(session, updated_at=at))


def _live(tx: Tx, life: DaemonRecord) -> None:
    tx.daemons.put(life)


def _second_step_runs(steps: list[StepRun]) -> bool:
    return [step.state for step in steps] == [StepState.SUCCEEDED, StepState.RUNNING]


async def _pass(engine: Engine, *, to_the_end: bool = True) -> None:
    """What the daemon does, once."""
    await engine.scheduler.run_once()
    await engine.dispatcher.run_once()
    await engine.executor.drain(30.0)
    await engine.outbox.run_once()
    if to_the_end:
        await engine.outbox.drain(30.0)


def _keep(opened: Opened, folder: Path) -> None:
    tables = opened.app.store.read(seen)
    told = "{\n" + ",\n".join(f"{_line(name)}: {_rows(rows)}" for name, rows in tables.items()) + "\n}"
    with sqlite3.connect(opened.app.layout.state) as connection:
        dump = "\n".join(connection.iterdump())
    for name, text in (("sql", dump), ("json", told)):
        home = text.replace(str(opened.root), "/home/ana/work")
        (folder / f"r{HEAD}.{name}").write_text(home + "\n", "utf-8")


def _rows(rows: dict[str, object]) -> str:
    """One row, one line: what has changed in such a file should be easy to see."""
    return "{\n" + ",\n".join(f"  {_line(key)}: {_line(row)}" for key, row in rows.items()) + "\n}"


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def main() -> None:
    """Make the fixture, unless there is one."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else STATES
    if (target / f"r{HEAD}.sql").exists():
        raise SystemExit(f"there is a fixture of revision {HEAD} in {target}; it is not to change")
    os.environ["TZ"] = "UTC"
    become_subreaper()
    with tempfile.TemporaryDirectory() as folder:
        opened = Opened(Path(folder))
        opened.clock = FakeClock(BEGIN)
        opened.app = replace(opened.app, clock=opened.clock)
        furnish(opened.root)
        for name, script in SCRIPTS.items():
            opened.file(name, script)
        sync(opened.app)
        asyncio.run(story(opened, target))
        opened.app.close()


if __name__ == "__main__":
    main()

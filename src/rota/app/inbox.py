"""The inbox for interactive agents and people: take a prompt, so that nobody else works on it, and hand in the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from shlex import quote

from rota.app.answer_checks import check_answer
from rota.app.answers import latest, open_question, outcome
from rota.app.control import nudge
from rota.app.times import local
from rota.app.wiring import App
from rota.engine import questions
from rota.model.card import NAME_LIMIT, line
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import DAY, HOUR, Micros
from rota.model.ledger import Event
from rota.model.message import PROMPT, Approval, Take
from rota.ports.crash import crash_point
from rota.ports.store import Tx
from rota.schedule import parse_duration

LEASE: Micros = HOUR
LONGEST_LEASE: Micros = 7 * DAY
_SCHEMA_LIMIT = 1_000_000


@dataclass(frozen=True)
class Item:
    """A question of the inbox. `take`: who works on it, while that is so."""

    question: Approval
    take: Take | None


def items(app: App) -> list[Item]:
    """What waits, oldest first."""
    now = app.clock.now()

    def look(tx: Tx) -> list[Item]:
        takes = {(take.run_id, take.step_id): take for take in tx.takes.all()}
        return [
            Item(question, _live(question, takes.get(_key(question)), now))
            for question in tx.approvals.open()
        ]

    return app.store.read(look)


def lease_of(text: str) -> Micros:
    """How long something is taken. Raises ScheduleError; RotaError for more than a week."""
    span = parse_duration(text) // timedelta(microseconds=1)
    if not 0 < span <= LONGEST_LEASE:
        raise RotaError(f"{text} is too long", hint="a prompt can be taken for up to 7d at a time")
    return span


def take(
    app: App,
    text: str | None,
    by: str,
    *,
    step: str | None = None,
    span: Micros = LEASE,
    again: bool = False,
) -> Item:
    """Take a prompt for a while: the oldest that nobody has taken; of a run, or of a job's runs, where `text` says so.

    `again`: one that `by` has already, for another while. Raises NotFoundError where none waits; ConflictError where
    they are taken, or the run asks something else.
    """
    named = None if text is None else _named(app, text, step)
    now, who = app.clock.now(), line(by, NAME_LIMIT, "the name of who takes it")
    found = app.store.write_now(
        partial(_take, named=named, step=step, who=who, now=now, until=now + span, again=again)
    )
    if isinstance(found, Item):
        crash_point("inbox.taken")
        return found
    raise _nothing_to_take(app, found, who, again=again)


def _take(
    tx: Tx,
    *,
    named: frozenset[str] | None,
    step: str | None,
    who: str,
    now: Micros,
    until: Micros,
    again: bool,
) -> Item | list[Take]:
    """The prompt that is taken now; else the takes that are in the way."""
    in_the_way: list[Take] = []
    for question in _prompts(tx, named, step, now):
        live = _live(question, tx.takes.of(*_key(question)), now)
        free = live is None if not again else live is not None and live.by == who
        if not free:
            in_the_way += [live] if live is not None else []
            continue
        taken = Take(question.run_id, question.step_id, question.asked_at, who, now, until)
        tx.takes.put(taken)
        data = {"step": question.step_id, "by": who, "until": until}
        tx.events.append(Event("prompt_taken", now, question.job_id, question.run_id, data))
        return Item(question, taken)
    return in_the_way


def release(app: App, text: str | None, by: str, *, step: str | None = None) -> list[Take]:
    """Give back what was taken: by whomever where `text` names a run or a job, else all that `by` has.

    Raises NotFoundError where nothing is taken.
    """
    named = None if text is None else _named(app, text, step)
    now = app.clock.now()

    def work(tx: Tx) -> list[Take]:
        freed = []
        for question in _prompts(tx, named, step, now):
            live = _live(question, tx.takes.of(*_key(question)), now)
            if live is not None and (named is not None or live.by == by):
                tx.takes.drop(*_key(question))
                data = {"step": question.step_id, "by": by, "from": live.by}
                tx.events.append(Event("prompt_released", now, question.job_id, question.run_id, data))
                freed.append(live)
        return freed

    found = app.store.write_now(work)
    if not found:
        what = f"nobody has taken {text}" if text is not None else f"{by} has taken nothing"
        raise NotFoundError(what, hint="see `rota inbox`")
    return found


def done(app: App, text: str, reply: str, by: str, *, step: str | None = None) -> Approval:
    """Hand in the answer to a prompt; its run goes on. Raises NotFoundError, ConflictError; RotaError for no answer.

    ConflictError where somebody else works on it. What the step's `schema:` refuses is not taken.
    """
    question = open_question(app, text, step, only={PROMPT})
    if not reply.strip():
        raise RotaError(
            "the answer is empty",
            hint=f"rota inbox done {question.run_id} --output FILE",
            code="empty_answer",
        )
    check_answer(app, question, reply)
    now = app.clock.now()

    def work(tx: Tx) -> bool | Take:
        live = _live(question, tx.takes.of(*_key(question)), now)
        if live is not None and live.by != by:
            return live
        return questions.answer(tx, question, reply, by, now)

    ended = app.store.write_now(work)
    if isinstance(ended, Take):
        raise ConflictError(
            f"run {ended.run_id}: {_taken(app, ended)}, not by {by}; the answer was not used",
            hint=f"name yourself with --agent; or `rota inbox answer {ended.run_id}` answers all the same",
            code="taken",
        )
    if not ended:
        raise ConflictError(
            f"run {question.run_id}: {outcome(app, latest(app, question))}",
            hint=f"see `rota why {question.job_id}`",
        )
    crash_point("inbox.done")
    nudge(app.layout)
    return question


def _named(app: App, text: str, step: str | None) -> frozenset[str]:
    """The runs that `text` means: of a job all that wait for a prompt's answer, else one."""
    asked = app.store.read(lambda tx: tx.approvals.open())
    of_job = frozenset(q.run_id for q in asked if q.job_id == text and q.kind == PROMPT)
    return of_job or frozenset({open_question(app, text, step, only={PROMPT}).run_id})


def _prompts(tx: Tx, named: frozenset[str] | None, step: str | None, now: Micros) -> Iterable[Approval]:
    """The prompts that wait and are meant, oldest first."""
    for question in tx.approvals.open():
        if question.kind != PROMPT or (named is not None and question.run_id not in named):
            continue
        over = question.expires_at is not None and question.expires_at <= now
        run = tx.runs.get(question.run_id)
        if step in {None, question.step_id} and not over and run is not None and not run.cancel_requested:
            yield question


def _live(question: Approval, taken: Take | None, now: Micros) -> Take | None:
    return taken if taken is not None and taken.holds(question, now) else None


def _key(question: Approval) -> tuple[str, str]:
    return question.run_id, question.step_id


def _taken(app: App, taken: Take) -> str:
    return f"taken by {taken.by} until {local(taken.until, app.config.timezone)}"


def _nothing_to_take(app: App, in_the_way: list[Take], who: str, *, again: bool) -> RotaError:
    if again:
        return NotFoundError(
            f"{who} has taken none of it", hint="`rota inbox` shows what waits; `rota inbox take` takes it"
        )
    if not in_the_way:
        return NotFoundError("no prompt waits in the inbox", hint="see `rota inbox` for all that waits")
    first = in_the_way[0]
    if len(in_the_way) == 1:
        words = f"run {first.run_id} was {_taken(app, first)}"
    else:
        words = f"all {len(in_the_way)} prompts are taken; the first, run {first.run_id}, was {_taken(app, first)}"
    mine = (
        f"go on with it: rota inbox take {first.run_id} --agent {quote(who)} --again"
        if first.by == who
        else f"`rota inbox take {first.run_id} --release` gives it back to everybody"
    )
    return ConflictError(words, hint=mine, code="taken")

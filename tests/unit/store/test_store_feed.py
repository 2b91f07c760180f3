from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rota.model.ledger import DaemonRecord, Event
from rota.model.message import Approval, ApprovalState, Message, MessageState
from rota.model.run import Run, RunState
from rota.ports.store import Store, Tx


def message(key: str, created: int, **changes: object) -> Message:
    return replace(Message(key, "slack", "done", created, config={"webhook": "${SLACK}"}), **changes)  # type: ignore[arg-type]


def post(store: Store, *messages: Message) -> list[bool]:
    return store.write_now(lambda tx: [tx.outbox.add(one) for one in messages])


def keys(messages: list[Message]) -> list[str]:
    return [one.key for one in messages]


def test_a_message_is_written_once(store: Store) -> None:
    one = message("a", 1, title="T", job_id="j", run_id="r1", not_before=7)
    assert post(store, one) == [True]
    assert post(store, replace(one, body="again")) == [False]
    assert store.read(lambda tx: tx.outbox.recent()) == [one]


def test_due_messages_are_oldest_first(store: Store) -> None:
    post(store, message("b", 2), message("a", 1, not_before=50), message("c", 3))
    assert keys(store.read(lambda tx: tx.outbox.due(49, 10))) == ["b", "c"]
    assert keys(store.read(lambda tx: tx.outbox.due(50, 2))) == ["a", "b"]
    assert store.read(lambda tx: tx.outbox.next_due()) == 0


def test_of_two_stores_one_delivers(open_one: Callable[..., Store], store: Store) -> None:
    post(store, message("a", 1))
    taken = store.write_now(lambda tx: tx.outbox.claim("a", 10))
    assert taken == message("a", 1, state=MessageState.SENDING, attempts=1)
    assert open_one().write_now(lambda tx: tx.outbox.claim("a", 10)) is None
    store.write_now(lambda tx: tx.outbox.retry("a", "429", 60))
    assert store.read(lambda tx: tx.outbox.next_due()) == 60
    again = store.write_now(lambda tx: tx.outbox.claim("a", 60))
    assert again is not None
    assert (again.attempts, again.error) == (2, "429")
    store.write_now(lambda tx: tx.outbox.sent("a", 61))
    (sent,) = store.read(lambda tx: tx.outbox.recent())
    assert (sent.state, sent.sent_at, sent.error) == (MessageState.SENT, 61, None)
    store.write_now(lambda tx: tx.outbox.retry("a", "late news", 62))
    store.write_now(lambda tx: tx.outbox.failed("a", "late news", 62))
    assert store.read(lambda tx: tx.outbox.recent()) == [sent]
    assert store.read(lambda tx: tx.outbox.next_due()) is None


def test_giving_up_and_reopening(store: Store) -> None:
    post(store, message("a", 1, run_id="r1"), message("b", 2))
    store.write_now(lambda tx: [tx.outbox.claim(key, now) for key, now in (("a", 10), ("b", 20))])
    assert store.write_now(lambda tx: tx.outbox.reopen(30, 15)) == 1
    assert keys(store.read(lambda tx: tx.outbox.due(30, 10))) == ["a"]
    store.write_now(lambda tx: tx.outbox.failed("b", "gone", 31))
    latest = store.read(lambda tx: tx.outbox.recent())
    assert [(one.key, one.state, one.error) for one in latest] == [
        ("b", MessageState.FAILED, "gone"),
        ("a", MessageState.PENDING, None),
    ]
    assert keys(store.read(lambda tx: tx.outbox.recent(run_id="r1"))) == ["a"]
    assert keys(store.read(lambda tx: tx.outbox.recent(limit=1))) == ["b"]
    assert store.write_now(lambda tx: tx.outbox.prune(100, 10)) == 1
    assert keys(store.read(lambda tx: tx.outbox.recent())) == ["a"]


def test_a_question_is_asked_answered_and_asked_again(store: Store) -> None:
    def ask(*questions: Approval) -> None:
        def work(tx: Tx) -> None:
            for question in questions:
                tx.approvals.ask(question)

        store.write_now(work)

    def answer(text: str) -> bool:
        return store.write_now(lambda tx: tx.approvals.answer("r1", "s", text, "anna", 30))

    store.write_now(lambda tx: tx.runs.add(Run("r1", "j", RunState.QUEUED, "h", 1)))
    store.write_now(lambda tx: tx.runs.add(Run("r2", "j", RunState.QUEUED, "h", 2)))
    late = Approval("r1", "s", "approval", "Send it?", 20, "j", ("yes", "no"))
    early = Approval("r2", "s", "prompt", "What now?", 10, "j")
    ask(late, early)
    assert store.read(lambda tx: tx.approvals.open()) == [early, late]
    assert answer("yes")
    assert not answer("no")
    answered = replace(late, state=ApprovalState.ANSWERED, answer="yes", answered_at=30, answered_by="anna")
    assert store.read(lambda tx: tx.approvals.of("r1")) == [answered]
    ask(replace(answered, asked_at=40))
    assert store.read(lambda tx: tx.approvals.of("r1")) == [replace(late, asked_at=40)]
    store.write_now(lambda tx: tx.approvals.withdraw("r1", 50))
    assert [one.state for one in store.read(lambda tx: tx.approvals.of("r1"))] == [ApprovalState.CANCELLED]
    assert store.read(lambda tx: tx.approvals.open()) == [early]


def test_the_feed_grows_and_never_reuses_an_id(store: Store) -> None:
    about_j = Event("run_started", 5, "j", "r1", {"token": 1})
    first, second = store.write_now(
        lambda tx: [tx.events.append(e) for e in (about_j, Event("daemon_started", 6))]
    )
    assert second > first
    assert store.read(lambda tx: tx.events.after(0)) == [
        replace(about_j, id=first),
        Event("daemon_started", 6, id=second),
    ]
    assert [e.id for e in store.read(lambda tx: tx.events.after(0, job_id="j"))] == [first]
    assert [e.id for e in store.read(lambda tx: tx.events.after(first))] == [second]
    assert [e.id for e in store.read(lambda tx: tx.events.after(0, 1))] == [first]
    assert store.write_now(lambda tx: tx.events.prune(6, 10)) == 1
    assert store.write_now(lambda tx: tx.events.prune(100, 10)) == 1
    assert store.write_now(lambda tx: tx.events.append(about_j)) > second


def test_the_lives_of_daemons(store: Store) -> None:
    one, two = DaemonRecord("d1", 11, "here", 1, 1), DaemonRecord("d2", 12, "here", 2, 2)
    store.write_now(lambda tx: tx.daemons.put(one))
    store.write_now(lambda tx: tx.daemons.put(two))
    store.write_now(lambda tx: tx.daemons.seen("d1", 9))
    store.write_now(lambda tx: tx.daemons.put(replace(two, stopped_at=8)))
    assert store.read(lambda tx: tx.daemons.recent()) == [replace(two, stopped_at=8), replace(one, seen_at=9)]
    assert store.read(lambda tx: tx.daemons.recent(1)) == [replace(two, stopped_at=8)]


def test_cursors_hold_any_json(store: Store) -> None:
    assert store.read(lambda tx: tx.cursors.get("rss")) is None
    values = [{"etag": "x", "seen": [1, "two"]}, "text", 7, None]
    for value in values:
        store.write_now(partial(_put_cursor, value=value))
        assert store.read(lambda tx: tx.cursors.get("rss")) == value


def _put_cursor(tx: Tx, value: object) -> None:
    tx.cursors.put("rss", value, 1)

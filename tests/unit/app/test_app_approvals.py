"""Answers from the command line and by link, at a clock that stands still."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from tests.support.opened import Opened

from rota.app.answers import approve
from rota.app.approvals import KEY, Approvals, Refusal, Shown, link_for, read_token, sign
from rota.app.commands import run_job
from rota.engine.core import Engine
from rota.model.config import WebConfig
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import HOUR, SECOND, Micros
from rota.model.message import Approval, ApprovalState, Message, OnDeny
from rota.model.run import Reason, Run, RunState, StepRun, StepState
from rota.ports.store import Tx
from rota.spec import parse_config
from rota.web.approvals import FORM, show, take

JOB = "steps: [{id: ok, approve: x}]\n"
EVIL = "<script>alert(1)</script>"


class Nudged:
    """The engine, as far as answers reach it."""

    times = 0

    def nudge(self) -> None:
        self.times += 1


@pytest.fixture
def engine() -> Nudged:
    return Nudged()


@pytest.fixture
def approvals(opened: Opened, engine: Nudged) -> Approvals:
    opened.job("plan", JOB)
    return Approvals(opened.app, cast("Engine", engine))


def _wait(tx: Tx, run: Run, now: Micros, question: Approval) -> None:
    claimed = tx.runs.claim(run.id, "me", now, now + HOUR)
    assert claimed is not None
    tx.runs.put_step(claimed, StepRun(run.id, question.step_id, 0, StepState.WAITING, attempts=1))
    tx.approvals.ask(question)
    tx.runs.release(claimed, now, Reason("approval", "waits"), state=RunState.WAITING)


def ask(opened: Opened, *, force: bool = False, kind: str = "approval", **more: Any) -> Approval:
    """A run of `plan` that waits for an approval (or something of its kind), for an hour."""
    run, now = run_job(opened.app, "plan", force=force), opened.clock.now()
    keys = {"choices": ("approve", "deny"), "expires_at": now + HOUR, "on_deny": OnDeny.FAIL, **more}
    question = Approval(run.id, "ok", kind, "Send it?", now, "plan", **keys)
    opened.app.store.write_now(partial(_wait, run=run, now=now, question=question))
    return question


def stored(opened: Opened, question: Approval) -> Approval:
    return opened.app.store.read(lambda tx: tx.approvals.of(question.run_id))[0]


def message(question: Approval, channel: str = "0") -> Message:
    return Message(f"{question.run_id}:question:ok.1:{channel}", "chat", "x", 0, run_id=question.run_id)


def token_of(opened: Opened, question: Approval) -> str:
    opened.app.use(parse_settings(opened, "web: {url: https://rota.example.com/x/}"))
    link = link_for(opened.app, message(question))
    assert link is not None
    base, _, token = link.rpartition("/")
    assert base == "https://rota.example.com/x/approvals"
    return token


def parse_settings(opened: Opened, text: str) -> Any:
    from dataclasses import replace

    parsed = parse_config(text, ".rota/rota.yaml", opened.app.kinds.catalog)
    assert parsed.config is not None, parsed.errors
    return replace(opened.app.settings, config=parsed.config)


def test_a_job_names_its_run_while_one_waits(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened)
    found, reply = approve(opened.app, "plan", reason="  looks\n good ", by="ana")
    assert (found.run_id, reply) == (question.run_id, "approve")
    answered = stored(opened, question)
    assert (answered.answer, answered.answered_by, answered.reason) == ("approve", "ana", "looks good")
    run = opened.app.store.read(lambda tx: tx.runs.get(question.run_id))
    assert run is not None
    assert run.state is RunState.QUEUED


def test_of_several_that_wait_one_has_to_be_named(opened: Opened, approvals: Approvals) -> None:
    one, other = ask(opened), ask(opened, force=True)
    with pytest.raises(ConflictError, match="2 runs of `plan`") as caught:
        approve(opened.app, "plan", by="ana")
    assert one.run_id in (caught.value.hint or "")
    approve(opened.app, other.run_id, by="ana")
    assert stored(opened, one).state is ApprovalState.OPEN


def test_who_comes_second_is_told_what_the_first_said(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened)
    approve(opened.app, question.run_id, "deny", reason="no", by="ana")
    with pytest.raises(ConflictError, match="answered with deny by ana already"):
        approve(opened.app, question.run_id, by="ben")
    assert stored(opened, question).answered_by == "ana"


def test_after_its_time_it_takes_no_answer(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened)
    opened.clock.advance(3600)
    with pytest.raises(ConflictError, match="nobody answered in time"):
        approve(opened.app, question.run_id, by="ana")


def test_only_what_it_offers(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened, choices=("today", "tomorrow"))
    with pytest.raises(RotaError, match="which of its choices") as caught:
        approve(opened.app, "plan", by="ana")
    assert "--choice 'today'" in (caught.value.hint or "")
    with pytest.raises(RotaError, match="'deny' is not one of the choices") as caught:
        approve(opened.app, "plan", "deny", by="ana")
    assert f"rota cancel {question.run_id}" in (caught.value.hint or "")
    assert approve(opened.app, "plan", "tomorrow", by="ana")[1] == "tomorrow"


def test_a_run_that_asks_nothing(opened: Opened, approvals: Approvals) -> None:
    with pytest.raises(NotFoundError):
        approve(opened.app, "nothing", by="ana")
    run = run_job(opened.app, "plan")
    with pytest.raises(ConflictError, match="waits for no answer"):
        approve(opened.app, run.id, by="ana")


def test_what_an_agent_wants_is_allowed_like_an_approval_at_the_command_line_and_by_link(
    opened: Opened, approvals: Approvals
) -> None:
    first = ask(opened, kind="permission")
    assert approve(opened.app, "plan", by="ana")[1] == "approve"
    assert stored(opened, first).answer == "approve"
    second = ask(opened, kind="permission", force=True, fallback="deny", on_deny=OnDeny.CONTINUE)
    token = token_of(opened, second)
    shown = show(approvals, token)
    assert shown.status == 200
    assert isinstance(shown.body, str)
    assert "it is denied, and the agent goes on without it" in shown.body
    assert post(approvals, token, choice="deny", reason="no").status == 200
    assert (stored(opened, second).answer, stored(opened, second).reason) == ("deny", "no")


def test_prompts_are_not_approved(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened)
    opened.app.store.write_now(
        lambda tx: tx.approvals.ask(Approval(question.run_id, "ok", "prompt", "What?", 1, "plan"))
    )
    with pytest.raises(ConflictError, match="of another kind") as caught:
        approve(opened.app, question.run_id, by="ana")
    assert "rota inbox answer" in (caught.value.hint or "")


def test_a_token_opens_one_question_until_its_end(opened: Opened) -> None:
    token = sign("key", "run-1", "ok", 100 * SECOND)
    assert read_token("key", token, 99 * SECOND) == ("run-1", "ok")
    assert read_token("key", token, 100 * SECOND) is Refusal.EXPIRED
    assert read_token("other", token, 0) is Refusal.INVALID
    content, _, proof = token.partition(".")
    other = sign("key", "run-2", "ok", 100 * SECOND).partition(".")[0]
    for text in (
        f"{other}.{proof}",
        content,
        f"{content}.",
        f".{proof}",
        f"{token}=",
        f"{token}.x",
        "",
        "ü",
        "a b",
    ):
        assert read_token("key", text, 0) is Refusal.INVALID, text
    flipped = [f"{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}" for at in range(len(token))]
    assert {read_token("key", text, 0) for text in flipped} == {Refusal.INVALID}


def test_links_are_for_messages_about_open_questions(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened)
    assert token_of(opened, question)
    other = Message(f"{question.run_id}:step:ok:chat", "chat", "x", 0, run_id=question.run_id)
    assert link_for(opened.app, other) is None
    approve(opened.app, "plan", by="ana")
    assert link_for(opened.app, message(question)) is None


def test_no_link_where_the_door_is_closed(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened)
    assert link_for(opened.app, message(question)) is None  # no daemon, so no door
    assert KEY not in opened.app.secrets.known()


def test_looking_changes_nothing_and_shows_values_as_text(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened, preview=f"{EVIL}\n\"'&", choices=(f"a{EVIL[:20]}", "deny"))
    token = token_of(opened, question)
    for _ in range(2):
        answer = show(approvals, token)
    assert answer.status == 200
    assert isinstance(answer.body, str)
    assert "<script" not in answer.body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.body
    assert stored(opened, question).state is ApprovalState.OPEN


def test_the_page_may_be_framed_by_nobody_and_loads_nothing(opened: Opened, approvals: Approvals) -> None:
    answer = show(approvals, token_of(opened, ask(opened)))
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert part in policy
    assert "unsafe" not in policy


def post(approvals: Approvals, token: str, content_type: str = FORM, **fields: str) -> Any:
    return asyncio.run(take(approvals, token, content_type, urlencode(fields).encode()))


def test_a_button_answers_once(opened: Opened, approvals: Approvals, engine: Nudged) -> None:
    question = ask(opened)
    token = token_of(opened, question)
    first = post(approvals, token, choice="deny", reason="not\r\nnow")
    assert (first.status, engine.times) == (200, 1)
    assert "<h1>Denied</h1>" in first.body
    answered = stored(opened, question)
    assert (answered.answer, answered.answered_by, answered.reason) == ("deny", "the link", "not now")
    for second in (post(approvals, token, choice="approve"), show(approvals, token)):
        assert second.status == 410
        assert "There is nothing to answer" in second.body
        assert "Send it?" not in second.body
        assert "plan" not in second.body
    assert stored(opened, question) == answered


@pytest.mark.parametrize(
    ("content_type", "fields", "status"),
    [
        (FORM, {}, 400),
        (FORM, {"choice": "maybe"}, 400),
        (FORM, {"choice": "approve", "reason": "x" * 20_000}, 413),
        (FORM, {str(n): "x" for n in range(20)}, 400),
        ("text/plain", {"choice": "approve"}, 415),
        ("multipart/form-data; boundary=x", {"choice": "approve"}, 415),
        ("application/json", {"choice": "approve"}, 415),
    ],
)
def test_what_is_no_form_of_ours_answers_nothing(
    opened: Opened, approvals: Approvals, content_type: str, fields: dict[str, str], status: int
) -> None:
    question = ask(opened)
    token = token_of(opened, question)
    assert post(approvals, token, content_type, **fields).status == status
    assert stored(opened, question).state is ApprovalState.OPEN


def test_links_that_are_over_or_changed_say_nothing(opened: Opened, approvals: Approvals) -> None:
    question = ask(opened)
    token = token_of(opened, question)
    assert isinstance(approvals.look(token), Shown)
    changed = post(approvals, token[:-1], choice="approve")
    assert (changed.status, "This link is not valid" in changed.body) == (404, True)
    opened.clock.advance(3600)
    for late in (show(approvals, token), post(approvals, token, choice="approve")):
        assert late.status == 410
        assert "expired" in late.body
        assert "Send it?" not in late.body
    assert stored(opened, question).state is ApprovalState.OPEN


def test_a_new_key_makes_old_links_worthless(opened: Opened, approvals: Approvals) -> None:
    token = token_of(opened, ask(opened))
    assert opened.app.secrets.remove(KEY)
    assert show(approvals, token).status == 404
    opened.app.secrets.make(KEY)
    assert show(approvals, token).status == 404


@pytest.mark.parametrize(
    ("url", "is_right"),
    [
        ("https://rota.example.com", True),
        ("http://[::1]:8765/a/b/", True),
        ("rota.example.com", False),
        ("ftp://rota.example.com", False),
        ("https://rota.example.com/?a=1", False),
        ("https://user:pw@rota.example.com", False),
        ("https://rota.example.com:x", False),
        ("javascript:alert(1)", False),
    ],
)
def test_the_address_of_the_door(opened: Opened, url: str, is_right: bool) -> None:
    parsed = parse_config(f'web: {{url: "{url}"}}', ".rota/rota.yaml", opened.app.kinds.catalog)
    assert bool(parsed.errors) is not is_right
    if parsed.config is not None:
        web: WebConfig = parsed.config.web
        assert web.url == url.rstrip("/")
        assert web.hosts in {("rota.example.com",), ("::1",)}

"""Approvals as others reach them: the link in a message, what it shows, and the answer that comes by it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from rota.app.answers import LONGEST_REASON
from rota.app.doorway import doorway
from rota.app.times import local
from rota.app.wiring import App
from rota.engine import questions
from rota.model.instants import SECOND
from rota.model.message import DECIDED, Approval, ApprovalState, Message

if TYPE_CHECKING:
    from rota.engine.core import Engine

KEY = "ROTA_APPROVALS_KEY"
BY_LINK = "the link"
_PURPOSE = b"rota approval 1\n"
_LONGEST_TOKEN = 600
_ANYWHERE = ("http://0.0.0.0", "http://[::]")


class Refusal(Enum):
    """Why a link shows no question."""

    INVALID = "invalid"  # not one of ours, or changed
    EXPIRED = "expired"
    OVER = "over"  # answered, or not asked any more
    NO_CHOICE = "no choice"  # the answer is none that the question offers


@dataclass(frozen=True)
class Shown:
    """A question as its page shows it; `until` in words."""

    job: str
    run: str
    step: str
    question: str
    preview: str | None
    choices: tuple[str, ...]
    until: str | None
    then: str


def sign(key: str, run_id: str, step_id: str, expires_at: int) -> str:
    """A token for the question of one step of one run, until `expires_at` (microseconds)."""
    content = f"{run_id}/{step_id}/{expires_at // SECOND}".encode()
    return f"{_text(content)}.{_text(_proof(key, content))}"


def read_token(key: str, token: str, now: int) -> tuple[str, str] | Refusal:
    """The run and the step that a token is for."""
    content = token.partition(".")[0]
    try:
        raw = _bytes(content)
    except (ValueError, binascii.Error):
        return Refusal.INVALID
    # The texts, not their bytes: base64 has several texts for the same bytes.
    if not hmac.compare_digest(
        f"{_text(raw)}.{_text(_proof(key, raw))}".encode(), token.encode("utf-8", "replace")
    ):
        return Refusal.INVALID
    run_id, step_id, until = raw.decode().rsplit("/", 2)
    return Refusal.EXPIRED if int(until) * SECOND <= now else (run_id, step_id)


def _proof(key: str, content: bytes) -> bytes:
    return hmac.digest(key.encode(), _PURPOSE + content, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("not base64")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def link_for(app: App, message: Message) -> str | None:
    """The link that a message about an approval ends with; None for other messages, and where no door is open.

    It is made when the message is sent, so that nothing in the state can answer.
    """
    step_id = questions.step_asked(message)
    base = None if step_id is None else base_url(app)
    if step_id is None or base is None or message.run_id is None:
        return None
    asked = app.store.read(lambda tx: tx.approvals.of(message.run_id or ""))
    question = next((a for a in asked if a.step_id == step_id), None)
    if question is None or question.state is not ApprovalState.OPEN or question.expires_at is None:
        return None
    token = sign(app.secrets.make(KEY), question.run_id, question.step_id, question.expires_at)
    return f"{base}/approvals/{token}"


def base_url(app: App) -> str | None:
    """Where people reach the HTTP door: what `web: {url: ...}` says, else where the door is."""
    web = app.config.web
    if not web.on or web.url is not None:
        return web.url if web.on else None
    door = doorway(app)
    url = None if door is None or door.state != "open" else door.url
    return url if url is not None and url.startswith("http") and not url.startswith(_ANYWHERE) else None


class Approvals:
    """What the HTTP door asks, by token."""

    def __init__(self, app: App, engine: Engine) -> None:
        self._app = app
        self._engine = engine

    def look(self, token: str) -> Shown | Refusal:
        """What the link asks. It changes nothing: programs open links, too."""
        question = self._question(token)
        if isinstance(question, Refusal):
            return question
        app = self._app
        record = app.store.read(lambda tx: tx.jobs.get(question.job_id))
        zone = record.timezone if record is not None else app.config.timezone
        until = question.expires_at
        return Shown(
            record.name if record is not None else question.job_id,
            question.run_id,
            question.step_id,
            question.question,
            question.preview,
            question.choices,
            None if until is None else local(until, zone),
            questions.then(question),
        )

    async def answer(self, token: str, choice: str, reason: str) -> Shown | Refusal:
        """Answer it; the question that was answered."""
        shown, question = self.look(token), self._question(token)
        if isinstance(shown, Refusal) or isinstance(question, Refusal):
            return shown if isinstance(shown, Refusal) else Refusal.OVER
        if choice not in question.choices:
            return Refusal.NO_CHOICE
        words = " ".join(reason.split())[:LONGEST_REASON] or None
        now = self._app.clock.now()
        write = partial(questions.answer, question=question, reply=choice, by=BY_LINK, now=now, reason=words)
        if not await self._app.store.write(write):
            return Refusal.OVER
        self._engine.nudge()
        return shown

    def _question(self, token: str) -> Approval | Refusal:
        key = self._app.secrets.get(KEY) if len(token) <= _LONGEST_TOKEN else None
        if not key:
            return Refusal.INVALID
        now = self._app.clock.now()
        place = read_token(key, token, now)
        if isinstance(place, Refusal):
            return place
        run_id, step_id = place
        asked = self._app.store.read(lambda tx: tx.approvals.of(run_id))
        question = next((a for a in asked if a.step_id == step_id and a.kind in DECIDED), None)
        if question is None:
            return Refusal.INVALID
        if question.state is not ApprovalState.OPEN:
            return Refusal.EXPIRED if question.state is ApprovalState.EXPIRED else Refusal.OVER
        late = question.expires_at is not None and question.expires_at <= now
        return Refusal.EXPIRED if late else question

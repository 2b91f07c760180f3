"""The page behind the link of an approval: it shows the question, and takes the answer.

The token in the address is all the authority there is: no cookie, so no other site can use one; and looking
changes nothing, since programs that preview or check links open them, too.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from rota.app.answer import Answer
from rota.app.approvals import Approvals, Refusal, Shown
from rota.model.errors import RotaError
from rota.model.message import DENY
from rota.ports.logger import Logger
from rota.web.page import POLICY, page

FORM = "application/x-www-form-urlencoded"
LONGEST_FORM = 16_000
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",  # the address is the key
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
}
_REFUSALS = {
    Refusal.INVALID: (404, "This link is not valid", "Open it from the message once more, in one piece."),
    Refusal.EXPIRED: (410, "This link has expired", "The time for an answer is over."),
    Refusal.OVER: (410, "There is nothing to answer", "It was answered already, or is not asked any more."),
    Refusal.NO_CHOICE: (400, "That is none of the choices", "Go back, and choose again."),
}
log = Logger("rota.web")


def show(approvals: Approvals, token: str) -> Answer:
    """The answer to a GET."""
    return _guarded(lambda: _shown(approvals.look(token)))


async def take(approvals: Approvals, token: str, content_type: str, body: bytes) -> Answer:
    """The answer to a POST of the page's form."""
    if content_type.partition(";")[0].strip().lower() != FORM:
        return _said(415, "That is no form", "Use the buttons of the page.")
    if len(body) > LONGEST_FORM:
        return _said(413, "That is too long", "Go back, and give a shorter reason.")
    try:
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=8))
        choice = fields.get("choice", "")
        result = await approvals.answer(token, choice, fields.get("reason", ""))
    except ValueError:
        return _said(400, "That is no form", "Use the buttons of the page.")
    except RotaError as error:
        return _not_usable(error)
    if isinstance(result, Refusal):
        return _shown(result)
    log.info("approval_answered", run=result.run, step=result.step)
    title = "Denied" if choice == DENY else "Approved" if choice == "approve" else f"Answered: {choice}"
    return _said(200, title, "Thank you. rota goes on from here; you can close this page.", result)


def _guarded(make: Callable[[], Answer]) -> Answer:
    try:
        return make()
    except RotaError as error:
        return _not_usable(error)


def _not_usable(error: RotaError) -> Answer:
    log.warning("approval_not_usable", error=str(error), hint=error.hint)
    return _said(503, "Not just now", "rota cannot read its state at present. Try again in a minute.")


def _shown(found: Shown | Refusal) -> Answer:
    if isinstance(found, Refusal):
        status, title, text = _REFUSALS[found]
        return _said(status, title, text)
    return Answer(200, page("question", shown=found, deny=DENY), _HEADERS)


def _said(status: int, title: str, text: str, shown: Shown | None = None) -> Answer:
    return Answer(status, page("said", title=title, text=text, shown=shown), _HEADERS)

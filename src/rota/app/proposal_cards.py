"""A proposal on the board: a card while it waits for a person, put away when it is decided."""

from __future__ import annotations

from rota.app.times import local
from rota.app.wiring import App
from rota.engine import board
from rota.engine.board import Doing
from rota.model.card import BODY_LIMIT, TITLE_LIMIT, Author, CardKind, Links
from rota.model.errors import RotaError
from rota.model.instants import Micros
from rota.model.proposal import Proposal
from rota.ports.cards import NewCard
from rota.ports.logger import Logger
from rota.ports.store import Tx

_ROOM = 1_000  # for what stands around the diff
log = Logger("rota.proposals")


def put_card(tx: Tx, app: App, proposal: Proposal, diff: str) -> None:
    """Put it on the board. A board that is full keeps nobody from proposing: it is in the inbox in any case."""
    title = f"{proposal.id}: {proposal.title}"
    title = title if len(title) <= TITLE_LIMIT else f"{title[: TITLE_LIMIT - 1]}…"
    new = NewCard(title, _body(app, proposal, diff), key=_key(proposal))
    links = Links(run=proposal.actor.run, step=proposal.actor.step, proposal=proposal.id)
    doing = Doing.at(Author.of(proposal.actor), proposal.asked_at, app.config)
    try:
        board.create(tx, new, doing, kind=CardKind.PROPOSAL, links=links)
    except RotaError as error:
        log.warning("proposal_has_no_card", proposal=proposal.id, error=str(error))


def put_away(tx: Tx, app: App, proposal: Proposal, by: str, now: Micros) -> None:
    """It is decided."""
    card = tx.cards.with_key(_key(proposal))
    if card is not None and card.archived_at is None and card.removed_at is None:
        board.archive(tx, card.number, Doing.at(Author(by), now, app.config))


def _key(proposal: Proposal) -> str:
    return f"proposal:{proposal.number}"


def _body(app: App, proposal: Proposal, diff: str) -> str:
    zone = app.config.timezone
    fires = [local(int(moment), zone) for moment in proposal.detail.get("fires", ())]
    choices = proposal.detail.get("choices") or ()
    room = BODY_LIMIT - _ROOM - len(proposal.why)
    shown = diff if len(diff) <= room else f"{diff[:room]}\n..."
    fence = "`" * 3
    while fence in shown:
        fence += "`"
    parts = [
        proposal.why,
        str(proposal.detail.get("note") or ""),
        f"{fence}diff\n{shown}\n{fence}" if diff else "",
        "Would run next:\n" + "\n".join(f"- {moment}" for moment in fires[:3]) if fires else "",
        f"Choices: {', '.join(choices)}" if choices else "",
        f"`rota approve {proposal.id}`, or `rota deny {proposal.id} --reason ...`",
    ]
    return "\n\n".join(part for part in parts if part)

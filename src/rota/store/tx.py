"""One transaction's worth of verbs, by noun."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rota.store.approvals import Approvals
from rota.store.bulk import Bulk
from rota.store.cards import Cards
from rota.store.cursors import Cursors
from rota.store.daemons import Daemons
from rota.store.deliveries import Deliveries
from rota.store.events import Events
from rota.store.jobs import Jobs
from rota.store.ledger import Ledger
from rota.store.looks import Looks
from rota.store.outbox import Outbox
from rota.store.proposals import Proposals
from rota.store.runs import Runs
from rota.store.sessions import Sessions
from rota.store.spend import Spending
from rota.store.sql import Session
from rota.store.takes import Takes
from rota.store.tokens import Tokens
from rota.store.triggers import Triggers


class SqlTx:
    """The `ports.store.Tx` of one connection; it lives as long as the connection does."""

    def __init__(self, connection: sqlite3.Connection, workspace_id: str, path: Path) -> None:
        self.connection = connection
        session = Session(connection, workspace_id, path)
        self.jobs = Jobs(session)
        self.triggers = Triggers(session)
        self.ledger = Ledger(session)
        self.runs = Runs(session)
        self.outbox = Outbox(session)
        self.approvals = Approvals(session)
        self.events = Events(session)
        self.daemons = Daemons(session)
        self.cursors = Cursors(session)
        self.deliveries = Deliveries(session)
        self.looks = Looks(session)
        self.sessions = Sessions(session)
        self.spend = Spending(session)
        self.proposals = Proposals(session)
        self.tokens = Tokens(session)
        self.cards = Cards(session)
        self.takes = Takes(session)
        self.bulk = Bulk(session)

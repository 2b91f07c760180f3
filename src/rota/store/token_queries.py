"""The statements of `tokens.py`."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from rota.store.core import columns, here, insert_new, param, statement
from rota.store.schema_agents import agent_tokens

_t = agent_tokens.c
_THIS = _t.name == param("token_name")

ALL = statement(lambda: select(*columns(agent_tokens)).where(here(agent_tokens)).order_by(_t.name))
ADD = statement(lambda: insert_new(agent_tokens))
REMOVE = statement(lambda: delete(agent_tokens).where(here(agent_tokens), _THIS))
USED = statement(lambda: update(agent_tokens).where(here(agent_tokens), _THIS).values(used_at=param("now")))

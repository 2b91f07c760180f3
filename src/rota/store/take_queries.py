"""The statements of `takes.py`."""

from __future__ import annotations

from sqlalchemy import delete, select

from rota.store.core import columns, here, param, statement, upsert
from rota.store.schema_board import takes

_t = takes.c
_OF = (here(takes), _t.run_id == param("run_id"), _t.step_id == param("step_id"))
_SELECT = select(*columns(takes))

PUT = statement(lambda: upsert(takes))
OF = statement(lambda: _SELECT.where(*_OF))
ALL = statement(lambda: _SELECT.where(here(takes)).order_by(_t.taken_at, _t.run_id, _t.step_id))
DROP = statement(lambda: delete(takes).where(*_OF))

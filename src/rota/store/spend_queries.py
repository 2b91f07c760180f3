"""The statements of `spend.py`."""

from __future__ import annotations

from sqlalchemy import func, select, text

from rota.store.core import here, insert_new, param, statement, upsert
from rota.store.schema_agents import accounts, spend

_s, _a = spend.c, accounts.c

ADD = statement(lambda: insert_new(spend))

_TOKENS = _s.input + _s.output + _s.cache_read + _s.cache_write
_USED = (
    func.coalesce(func.sum(_s.nano_usd), 0),
    func.coalesce(func.sum(_TOKENS), 0),
    func.coalesce(func.sum(_s.turns), 0),
    func.coalesce(func.sum(_s.worked), 0),
    func.count().filter(_s.nano_usd.is_(None)),
)
_OF_RUN = _s.run_id == param("run_id")
_OF_STEP = _s.step_id == param("step_id")
_SINCE = _s.at >= param("since")
USED_OF_RUN = statement(lambda: select(*_USED).where(here(spend), _OF_RUN))
USED_OF_STEP = statement(lambda: select(*_USED).where(here(spend), _OF_RUN, _OF_STEP))
USED_OF_ATTEMPT = statement(
    lambda: select(*_USED).where(here(spend), _OF_RUN, _OF_STEP, _s.attempt == param("attempt"))
)
LAST_AT = statement(
    lambda: select(func.max(_s.at)).where(here(spend), _OF_RUN, _OF_STEP, _s.attempt == param("attempt"))
)
USED_OF_JOB = statement(lambda: select(*_USED).where(here(spend), _s.job_id == param("job_id"), _SINCE))
USED_OF_ALL = statement(lambda: select(*_USED).where(here(spend), _SINCE))

OPEN = statement(lambda: upsert(accounts))
_OF_TRY = (
    here(accounts),
    _a.run_id == param("run_id"),
    _a.step_id == param("step_id"),
    _a.attempt == param("attempt"),
)
CLOSE = statement(
    lambda: (
        accounts.update()
        .where(*_OF_TRY, _a.closed_at.is_(None))
        .values(
            closed_at=param("now"),
            nano_usd=param("usd"),
            tokens=param("tokens"),
            turns=param("turns"),
            worked=param("worked"),
        )
    )
)
NOTE_OVER = statement(lambda: accounts.update().where(*_OF_TRY).values(over=param("name")))
OVERS = statement(
    lambda: (
        select(_a.over)
        .where(here(accounts), _a.run_id == param("run_id"), _a.over.is_not(None))
        .order_by(_a.opened_at)
    )
)
_ACCOUNT = (
    "a.run_id, a.step_id, a.attempt, a.job_id, a.token, a.runner, a.model, a.opened_at, a.nano_usd, a.tokens, a.turns, "
    "a.worked, coalesce(sum(s.nano_usd), 0), coalesce(sum(s.input + s.output + s.cache_read + s.cache_write), 0), "
    "coalesce(sum(s.turns), 0), coalesce(sum(s.worked), 0) "
)
_ITS_SPEND = (
    "LEFT JOIN spend s ON s.workspace_id = a.workspace_id AND s.run_id = a.run_id AND s.step_id = a.step_id "
    "AND s.attempt = a.attempt "
)
_BY_TRY = "GROUP BY a.run_id, a.step_id, a.attempt"
# A claim that is no more sets nothing aside: who died in the midst of it needs nobody to clean up.
AT_WORK = statement(
    lambda: text(
        f"SELECT {_ACCOUNT} FROM accounts a "  # noqa: S608 # our own names
        "JOIN runs r ON r.workspace_id = a.workspace_id AND r.id = a.run_id AND r.state = 'running' "
        f"AND r.token = a.token {_ITS_SPEND} WHERE a.workspace_id = :workspace_id AND a.closed_at IS NULL {_BY_TRY}"
    )
)
LEFT_OPEN = statement(
    lambda: text(
        f"SELECT {_ACCOUNT} FROM accounts a {_ITS_SPEND}"  # noqa: S608 # our own names
        f"WHERE a.workspace_id = :workspace_id AND a.run_id = :run_id AND a.closed_at IS NULL {_BY_TRY}"
    )
)
# What was refused took nothing, and says nothing of what is usual.
_TOOK = (_a.tokens + _a.turns + _a.worked) > 0
USUAL = statement(
    lambda: (
        select(_a.nano_usd, _a.tokens, _a.turns, _a.worked)
        .where(
            here(accounts),
            _a.job_id == param("job_id"),
            _a.step_id == param("step_id"),
            _a.closed_at.is_not(None),
            _TOOK,
        )
        .order_by(_a.opened_at.desc())
        .limit(param("limit"))
    )
)
USUAL_OF_RUNS = statement(
    lambda: (
        select(func.sum(_a.nano_usd), func.sum(_a.tokens), func.sum(_a.turns), func.sum(_a.worked))
        .where(here(accounts), _a.job_id == param("job_id"), _a.closed_at.is_not(None), _TOOK)
        .group_by(_a.run_id)
        .order_by(func.max(_a.opened_at).desc())
        .limit(param("limit"))
    )
)

_SUMS = (
    func.sum(_s.input),
    func.sum(_s.output),
    func.sum(_s.cache_read),
    func.sum(_s.cache_write),
    func.coalesce(func.sum(_s.nano_usd), 0),
    func.sum(_s.client_nano_usd),
    func.sum(_s.turns),
    func.sum(_s.worked),
    func.count().filter(_s.nano_usd.is_(None)),
)
_DEAREST = func.sum(_s.nano_usd).desc()
BY_JOB = statement(
    lambda: (
        select(_s.job_id, *_SUMS).where(here(spend), _SINCE).group_by(_s.job_id).order_by(_DEAREST, _s.job_id)
    )
)
BY_MODEL = statement(
    lambda: (
        select(_s.model, *_SUMS).where(here(spend), _SINCE).group_by(_s.model).order_by(_DEAREST, _s.model)
    )
)
BY_RUNNER = statement(
    lambda: (
        select(_s.runner, *_SUMS).where(here(spend), _SINCE).group_by(_s.runner).order_by(_DEAREST, _s.runner)
    )
)
BY_QUARTER = statement(
    lambda: text(
        "SELECT at / 900000000 * 900000000, sum(input), sum(output), sum(cache_read), sum(cache_write), "
        "coalesce(sum(nano_usd), 0), sum(client_nano_usd), sum(turns), sum(worked), "
        "count(*) FILTER (WHERE nano_usd IS NULL) FROM spend WHERE workspace_id = :workspace_id AND at >= :since "
        "GROUP BY 1 ORDER BY 1"
    )
)
FIRST_AT = statement(lambda: select(func.min(_s.at)).where(here(spend)))
PRUNE = statement(
    lambda: text(
        "DELETE FROM spend WHERE rowid IN (SELECT rowid FROM spend WHERE workspace_id = :workspace_id "
        "AND at < :older_than ORDER BY at LIMIT :limit)"
    )
)

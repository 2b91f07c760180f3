"""Which fields of many rows a statement takes, and how they get there: as one list of values, under one `VALUES`.

A statement over a hundred rows is one call of the driver, as `executemany` is not: between two of its rows the
writer's thread would give up the interpreter's lock, and wait for it. Rows as JSON text, which SQLite takes apart
with a function for each value, cost three times as much: 4.5 µs a row and table against 1.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from rota.ports.bulk import NewRun, PlainEnd

# Texts of so many rows are kept compiled; what is between them is filled up with rows that are left out.
_SIZES = tuple(2**power for power in range(3, 10))
MOST = _SIZES[-1]


class Columns:
    """Fields of such named tuples, by name. The first of them is no empty text in any row."""

    def __init__(self, rows: type[tuple[Any, ...]], names: str) -> None:
        self.names = names.split()
        fields: tuple[str, ...] = rows._fields  # type: ignore[attr-defined] # a NamedTuple
        self._pick = itemgetter(*(fields.index(name) for name in self.names))
        self._none = ("", *(0 for _ in self.names[1:]))

    @property
    def listed(self) -> str:
        """The names as SQL."""
        return ", ".join(self.names)

    @property
    def table(self) -> str:
        """The beginning of a statement: `j`, a table of these columns with the rows, and `here`, the workspace."""
        columns = ", ".join(f"column{place} AS {name}" for place, name in enumerate(self.names, 1))
        return (
            "WITH here (id) AS (SELECT :workspace_id), "
            f"j AS MATERIALIZED (SELECT {columns} FROM (VALUES :rows) WHERE column1 <> '') "
        )

    def values(self, rows: Sequence[tuple[Any, ...]]) -> tuple[int, Iterable[Any]]:
        """For how many rows the text has to be (at least `len(rows)`, which is at most `MOST`), and its values."""
        size = next(size for size in _SIZES if size >= len(rows))
        return size, chain(chain.from_iterable(map(self._pick, rows)), self._none * (size - len(rows)))

    @cache  # noqa: B019 # there is a handful of them, for good
    def text(self, statement: str, size: int) -> str:
        """The statement's text for so many rows; the first of its values is the workspace."""
        row = f"({', '.join('?' * len(self.names))})"
        return statement.replace(":workspace_id", "?", 1).replace(":rows", ", ".join([row] * size), 1)


OCCURRENCE = Columns(
    NewRun, "run_id job_id trigger_id key due_at noticed_at outcome reason_code reason_text until moments"
)
RUN = Columns(
    NewRun,
    "run_id job_id state definition queued_at trigger_id key due_at run_reason_code run_reason_text inputs "
    "concurrency_group priority not_before",
)
QUEUED = Columns(NewRun, "run_id job_id queued_at key")
ENDED_RUN = Columns(PlainEnd, "run_id token finished_at run_outputs")
ENDED_STEP = Columns(PlainEnd, "run_id step_id started_at finished_at output outputs")
ENDED_ATTEMPT = Columns(
    PlainEnd, "run_id step_id started_at finished_at exit_code excerpt log output_bytes truncated"
)
SUCCEEDED = Columns(PlainEnd, "run_id job_id finished_at")

"""Pure time: what a schedule's text means, and when it calls next.

`parse` turns a text into a `Schedule`; `Schedule.next(after)` is all that the rest of rota asks of it.
Nothing here reads a clock or keeps state: the same question has the same answer after a restart.
"""

from rota.schedule.base import Kind, Schedule
from rota.schedule.clocks import local_time
from rota.schedule.durations import format_duration, parse_duration
from rota.schedule.parse import parse
from rota.schedule.windows import Gate, Span, read_span, read_spans
from rota.schedule.zones import zone

__all__ = [
    "Gate",
    "Kind",
    "Schedule",
    "Span",
    "format_duration",
    "local_time",
    "parse",
    "parse_duration",
    "read_span",
    "read_spans",
    "zone",
]

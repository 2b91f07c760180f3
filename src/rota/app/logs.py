"""The daemon's own log: JSON lines in .rota/logs/daemon.log, rotated; in the foreground short lines too."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from collections import deque
from pathlib import Path

import structlog

from rota.workspace.layout import Layout

KEEP = 3
LATE = 1000


class PatientFile(logging.handlers.RotatingFileHandler):
    """What a full disk does not take waits (the latest LATE lines), and is written once there is room."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path, maxBytes=size, backupCount=KEEP, encoding="utf-8")
        self._late: deque[bytes] = deque(maxlen=LATE)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, after those that wait."""
        try:
            self._late.append(f"{self.format(record)}\n".encode("utf-8", "replace"))
            if self.shouldRollover(record):
                self.doRollover()
            while self._late:
                self._put(self._late[0])
                self._late.popleft()
        except OSError:
            return  # with the next line
        except Exception:  # noqa: BLE001 # as the library's own handlers do
            self.handleError(record)

    def _put(self, line: bytes) -> None:
        """All of the line, or nothing."""
        self.stream = self.stream or self._open()
        fd = self.stream.fileno()
        size, rest = os.fstat(fd).st_size, memoryview(line)
        try:
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError:
            os.ftruncate(fd, size)
            raise


def set_up_logging(layout: Layout, size: int, *, echo: bool) -> None:
    """Log to the file (at most `size` bytes, KEEP older ones), and to stderr with `echo`."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    file = PatientFile(layout.logs / "daemon.log", size)
    file.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
            foreign_pre_chain=shared,
        )
    )
    handlers: list[logging.Handler] = [file]
    if echo:
        handlers.append(_console())
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


def quiet_logging() -> None:
    """For the command line: warnings and worse, as plain lines on stderr."""
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.dev.ConsoleRenderer(colors=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _console() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _short],
        )
    )
    return handler


def _short(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    """`08:00:01 run_ended job=x state=succeeded`: what a person at a terminal wants."""
    stamp = str(event.pop("timestamp", ""))[11:19]
    name = event.pop("event", "")
    for key in ("logger", "level"):
        event.pop(key, None)
    trace = event.pop("exception", None)
    said = " ".join(f"{key}={value}" for key, value in event.items())
    return f"{stamp} {name} {said}".rstrip() + (f"\n{trace}" if trace else "")

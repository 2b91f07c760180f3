"""Loggers for code that a command may go through without a word: structlog is imported with the first one."""

from __future__ import annotations

from typing import Any


class Logger:
    """structlog's logger of that name, as it is configured when it is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        import structlog

        return getattr(structlog.get_logger(self._name), method)

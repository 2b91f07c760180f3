"""Which rota this is."""

from __future__ import annotations


def version() -> str:
    """The distribution's version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as of

    try:
        return of("rota")
    except PackageNotFoundError:
        return "unknown"

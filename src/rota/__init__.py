"""rota: cron for agents. `job` makes a job of a Python function in `.rota/jobs/*.py`."""

from rota.authoring import job

__all__ = ["job"]

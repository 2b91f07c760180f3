"""Which names `${NAME}` has a value for in a workspace, without reading one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rota.model.config import WorkspaceConfig


def known_names(config: WorkspaceConfig) -> frozenset[str]:
    """Of stored secrets and of variables that are not empty."""
    return frozenset({*_stored(config.root), *(name for name, value in os.environ.items() if value)})


def _stored(root: str) -> list[str]:
    """None where the secrets cannot be read, which is said where one is used."""
    if not root:
        return []
    try:
        found: Any = json.loads(Path(root, ".rota", "secrets.json").read_bytes())
    except (OSError, ValueError):
        return []
    return list(found) if isinstance(found, dict) else []

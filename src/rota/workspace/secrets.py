"""Secrets: a private file beside the state; the environment stands in for what it does not have."""

from __future__ import annotations

import json
import os
import re
import secrets as random
from collections.abc import Mapping
from pathlib import Path

from rota.model.errors import RotaError
from rota.ports.files import write_atomic

NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class Secrets:
    """ports.steps.SecretSource over `.rota/secrets.json` (mode 0600). Read anew when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._known: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """The secret, else the environment variable, of that name."""
        return self.known().get(name, os.environ.get(name))

    def known(self) -> Mapping[str, str]:
        """The stored secrets."""
        try:
            # Asked several times for each run, mostly of no file: an exception takes three times as long as this look.
            status = os.stat(self._path) if os.access(self._path, os.F_OK) else None  # noqa: PTH116
        except FileNotFoundError:
            status = None
        if status is None:
            if self._stamp is not None:
                self._stamp, self._known = None, {}
            return self._known
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            try:
                loaded = json.loads(self._path.read_text() or "{}")
                self._known = {str(k): str(v) for k, v in loaded.items()}
            except (ValueError, AttributeError, OSError) as error:
                raise RotaError(
                    f"cannot read {self._path}: {error}", hint="set the secrets again with `rota secret set`"
                ) from None
            self._stamp = stamp
        return self._known

    def set(self, name: str, value: str) -> None:
        """Store one. Raises RotaError for a name that `${...}` could not hold."""
        if not NAME.fullmatch(name):
            raise RotaError(
                f"`{name}` cannot name a secret", hint="use letters, digits and _, as in SLACK_TOKEN"
            )
        self._save({**self.known(), name: value})

    def make(self, name: str) -> str:
        """The secret of that name; a random one is stored where there is none."""
        self._stamp = None  # another process may just have made it
        found = self.get(name)
        if found is None:
            found = random.token_urlsafe(32)
            self.set(name, found)
        return found

    def remove(self, name: str) -> bool:
        """Forget one; False when there is none of that name."""
        known = dict(self.known())
        if known.pop(name, None) is None:
            return False
        self._save(known)
        return True

    def _save(self, secrets: Mapping[str, str]) -> None:
        if not self._path.exists():
            self._path.touch(mode=0o600)
        write_atomic(self._path, json.dumps(dict(sorted(secrets.items())), indent=1).encode())
        self._path.chmod(0o600)
        self._stamp = None

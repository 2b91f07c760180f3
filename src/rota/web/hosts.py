"""For whom requests may be: a page in a browser must not reach this machine under a name of its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit


def is_allowed(header: str, names: Sequence[str]) -> bool:
    """Whether a `Host` header names this machine, or one of `names` (`*.x`: below x; `*`: any).

    An address is always allowed: a foreign page that leads here does so by a name (DNS rebinding).
    """
    host = header.rpartition("@")[2].lower()
    host = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    if any(_matches(host, name) for name in names):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_own_origin(header: str, names: Sequence[str]) -> bool:
    """Whether an `Origin` header names a page of this machine, or of one of `names`."""
    try:
        host = (urlsplit(header).hostname or "").lower().rstrip(".")
    except ValueError:
        return False
    own = is_loopback(host) or host.endswith(".localhost")
    return own or any(_matches(host, name) for name in names)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _matches(host: str, name: str) -> bool:
    return name in {"*", host} or (name.startswith("*.") and host.endswith(name[1:]))

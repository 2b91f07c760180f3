"""What an agent may do: commands, paths, hosts and rota's tools against `Permissions` and what a person allowed besides.

Whatever is not clear is not allowed. Paths are judged as texts here: who opens one looks where its links lead, and asks
again about that place.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rota.model.agent import Denial, Permissions
from rota.model.errors import PathError
from rota.model.globs import read_glob, read_ignored
from rota.model.shell_lines import Line, UnclearError, take_apart

EVERYTHING = "*"
# In `.rota`: what an agent may look at, and the one folder that it can be allowed to write to.
_OPEN = frozenset({"jobs", "hooks", "skills", "notes", "schema", "logs"})
_OUTPUT = (".rota", "jobs", "output")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>\d{1,5}))?")
_HERE = re.compile(r"(?:.+\.)?(?:localhost|local|internal|localdomain)|[^.]+")


def allows_command(permissions: Permissions, line: str, grants: Sequence[Denial] = ()) -> bool:
    """Whether a command line may be run: each of its commands by itself, or the very line that a person allowed."""
    return command_refusal(permissions, line, grants) is None


def command_refusal(permissions: Permissions, line: str, grants: Sequence[Denial] = ()) -> str | None:
    """Why a command line may not be run, in words for the agent; None where it may.

    The pattern `*` allows everything, also what cannot be taken apart.
    """
    said = line.strip()
    if not said or "\0" in said:
        return "there is no command"
    granted = {grant.what.strip() for grant in grants if grant.tool == "run"}
    if said in granted or EVERYTHING in permissions.run:
        return None
    try:
        found = take_apart(said)
    except UnclearError as error:
        return f"the line cannot be taken apart: {error}; give one plain command at a time"
    for part in found.parts:
        if part.text in granted or any(_means(pattern, part.words) for pattern in permissions.run):
            continue
        return f"`{part.text}` is not among the commands that are allowed"
    return None


def plain_argv(line: str) -> tuple[str, ...] | None:
    """The argv of a line that needs no shell; None for one that does."""
    try:
        found: Line = take_apart(line.strip())
    except UnclearError:
        return None
    words = found.parts[0].words
    return words if found.plain and not _ASSIGNMENT.match(words[0]) else None


def allows_write(permissions: Permissions, path: str, grants: Sequence[Denial] = ()) -> bool:
    """Whether a file may be written, created or deleted; `path` is relative to the workspace, with `/`."""
    parts = path_parts(path)
    if not parts or path.endswith("/") or _is_rotas_own(parts):
        return False
    text = "/".join(parts)
    if any(grant.tool == "write" and path_parts(grant.what) == parts for grant in grants):
        return True
    return any(_path_pattern(pattern).fullmatch(text) is not None for pattern in permissions.write)


def allows_read(path: str) -> bool:
    """Whether a file or folder may be read: all of the workspace, but for rota's secrets, settings and state."""
    parts = path_parts(path)
    if parts is None:
        return False
    return not any(_is_closed(rest) for rest in _inside_rota(parts))


def allows_host(permissions: Permissions, host: str, grants: Sequence[Denial] = ()) -> bool:
    """Whether a host (`name`, or `name:port`) may be asked.

    `*.example.com` means every name below it, `*` every public one: this machine and private networks have to be
    named, since nobody means them by it.
    """
    said = _read_host(host)
    if said is None:
        return False
    allowed = [*permissions.net, *(grant.what for grant in grants if grant.tool == "net")]
    return any(_is_host(pattern, said) for pattern in allowed)


def only_by_star(permissions: Permissions, host: str, grants: Sequence[Denial] = ()) -> bool:
    """Whether nothing but `*` allows a host, so that where its name leads has to be public."""
    others = Permissions(net=tuple(pattern for pattern in permissions.net if pattern.strip() != EVERYTHING))
    return not allows_host(others, host, [grant for grant in grants if grant.what.strip() != EVERYTHING])


def allows_tool(permissions: Permissions, name: str, *, looks: bool, grants: Sequence[Denial] = ()) -> bool:
    """Whether one of rota's own tools may be used; those that only `looks` always, None leaves it to the workspace."""
    if looks or permissions.rota is None or any(grant.tool == name for grant in grants):
        return True
    return any(_wild(pattern).fullmatch(name) is not None for pattern in permissions.rota)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network; False for what is no address."""
    try:
        found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if inner:
            return found.is_global and inner.is_global
    return found.is_global and not found.is_multicast


def path_parts(path: str) -> tuple[str, ...] | None:
    """The names of a path in the workspace, without `.`; None for one that leads out, or that is unclear."""
    if not path.strip() or path.startswith(("/", "~")) or any(char in path for char in "\0\\\n\r"):
        return None
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    return None if ".." in parts else parts


def _means(pattern: str, words: Sequence[str]) -> bool:
    """Whether a pattern means a command; an assignment before the program only where it writes that, too."""
    assigned = _ASSIGNMENT.match(words[0])
    if assigned is not None and not pattern.strip().startswith(assigned[0]):
        return False
    text = " ".join(_shown(word) for word in words)
    return _command_pattern(pattern).fullmatch(text) is not None


def _shown(word: str) -> str:
    """A word so that its end is seen: else one that holds a space could pass for two."""
    return shlex.quote(word) if not word or any(char in word for char in " \t\n'\"") else word


@lru_cache(maxsize=512)
def _command_pattern(pattern: str) -> re.Pattern[str]:
    said = pattern.strip()
    if any(quote in said for quote in "'\""):
        try:
            said = " ".join(_shown(word) for word in shlex.split(said))
        except ValueError:
            return re.compile(r"(?!)")
    if said.endswith(" *"):  # `git *` is `git`, too, and never `gitk`
        return re.compile(f"{_wild_text(said[:-2])}(?: .*)?", re.DOTALL)
    return _wild(said)


@lru_cache(maxsize=512)
def _wild(pattern: str) -> re.Pattern[str]:
    return re.compile(_wild_text(pattern.strip()), re.DOTALL)


def _wild_text(pattern: str) -> str:
    return ".*".join(re.escape(piece) for piece in pattern.split("*"))


@lru_cache(maxsize=512)
def _path_pattern(pattern: str) -> re.Pattern[str]:
    """As in triggers (see `globs`); the one folder of `.rota` that can be written to may be meant besides."""
    said = pattern.strip().removeprefix("./")
    try:
        if tuple(said.split("/")[:3]) == _OUTPUT and path_parts(said) is not None:
            return read_ignored(f"{said}**" if said.endswith("/") else said)
        return read_glob(said).regex
    except PathError:
        return re.compile(r"(?!)")


def _is_rotas_own(parts: Sequence[str]) -> bool:
    """What makes programs of files: `.git`, and `.rota` but for the output of jobs."""
    folded = [part.casefold() for part in parts]  # macOS takes `.GIT` for `.git`
    if ".git" in folded:
        return True
    return any(rest[:2] != _OUTPUT[1:] or len(rest) < 3 for rest in _inside_rota(parts))


def _is_closed(rest: Sequence[str]) -> bool:
    """Whether what is in `.rota` is not for agents to see: all but known folders and texts beside them."""
    if not rest or rest[0] in _OPEN:
        return False
    return len(rest) > 1 or not rest[0].endswith(".md")


def _inside_rota(parts: Iterable[str]) -> list[tuple[str, ...]]:
    folded = tuple(part.casefold() for part in parts)
    return [folded[index + 1 :] for index, part in enumerate(folded) if part == ".rota"]


def _read_host(host: str) -> tuple[str, str | None] | None:
    found = _HOST.fullmatch(host.strip().casefold())
    if found is None:
        return None
    return found["name"].rstrip("."), found["port"]


def _is_host(pattern: str, said: tuple[str, str | None]) -> bool:
    wanted = pattern.strip().casefold()
    name, port = said
    if wanted == EVERYTHING:
        return not _is_near(name)
    below = wanted.startswith("*.")
    found = _read_host(wanted[2:] if below else wanted)
    if found is None or (found[1] is not None and found[1] != port):
        return False
    return name.endswith(f".{found[0]}") if below else name == found[0]


def _is_near(name: str) -> bool:
    """Whether a host is, or may be, this machine or one of a private network."""
    if re.fullmatch(r"[0-9a-fx.]*\d|\[.*\]", name):  # an address, in whatever way it is written
        return not is_public(name)
    return _HERE.fullmatch(name) is not None

"""Command lines that do nothing but read files of the workspace, which an agent may always do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rota.model.agent_policy import allows_read, path_parts
from rota.model.shell_lines import UnclearError, take_apart

# Programs by the letters of their options that take no file and start nothing. Long options are not among them: `--files0-from`,
# `--pre`, `--compress-program` and the like read, write or run what the line does not show.
_PROGRAMS: Mapping[str, str] = {
    "pwd": "", "true": "", "echo": "neE", "cat": "nbAeEtTsuv", "head": "ncqv", "tail": "ncqv", "wc": "clmwL",
    "ls": "1aAlhtrSdFp", "nl": "ba", "stat": "c", "file": "b", "sed": "n",
}  # fmt: skip
_NUMBERED = {"head": "nc", "tail": "nc"}


def only_reads(line: str, root: Path, cwd: Path) -> bool:
    """Whether each command of a line only reads, and only what is the workspace's and not rota's own."""
    try:
        found = take_apart(line.strip())
    except UnclearError:
        return False
    return bool(found.parts) and all(_reads(part.words, root, cwd) for part in found.parts)


def _reads(words: Sequence[str], root: Path, cwd: Path) -> bool:
    program, given = words[0], list(words[1:])
    if program not in _PROGRAMS:
        return False
    if program == "sed":  # `sed -n 10,20p FILE...`: any other script of sed's may write, or run a program
        if given[:1] != ["-n"] or len(given) < 2 or not _is_range(given[1]):
            return False
        given = given[2:]
    letters, files = _PROGRAMS[program], []
    for word in given:
        if word.startswith("-") and word != "-":
            body = word[1:]
            if word.startswith("--") or not all(letter in letters or letter.isdigit() for letter in body):
                return False
        else:
            files.append(word)
    if program in {"echo", "true", "pwd"}:
        return True
    return all(_may_read(name, root, cwd) for name in files if not (program in _NUMBERED and name.isdigit()))


def _is_range(script: str) -> bool:
    body = script.removesuffix("p").replace("$", "0")
    return script.endswith("p") and all(number.isdigit() for number in body.split(","))


def _may_read(named: str, root: Path, cwd: Path) -> bool:
    if any(char in named for char in "*?[{"):
        return False  # what the shell makes of it is not known here
    path = inside(root, cwd, named)
    return path is not None and (path == "." or (path_parts(path) is not None and allows_read(path)))


def inside(root: Path, cwd: Path, named: str) -> str | None:
    """A path, links followed, relative to the workspace; None for one that leads out, or cannot be followed."""
    if not named or "\0" in named:
        return None
    try:
        found = (cwd / Path(named).expanduser()).resolve()
        relative = found.relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return None
    return relative.as_posix()

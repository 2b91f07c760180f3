"""A lint for shell texts: values that an inner interpreter would read as code.

The shell that rota starts cannot be injected. `sh -c "... {{ x }}"` is another matter: its argument
is a program, and whoever chooses `x` writes a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rota.model.errors import TemplateError
from rota.templates.messages import quote
from rota.templates.quoting import Command, Site
from rota.templates.shell import scan

_SHELLS = frozenset(["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "su"])
# Programs and the options whose argument is code.
_CODE_OPTIONS = {
    "python": ("-c",),
    "perl": ("-e", "-E"),
    "ruby": ("-e",),
    "node": ("-e", "-p", "--eval", "--print"),
    "php": ("-r",),
    "osascript": ("-e",),
    "psql": ("-c", "--command"),
    "mysql": ("-e", "--execute"),
}
_CODE_OPERAND = {"awk": 0, "gawk": 0, "mawk": 0, "sed": 0, "sqlite3": 1}  # number of the operand that is code
_DATABASES = frozenset(["psql", "mysql", "sqlite3"])
_NAMING = frozenset(
    ["declare", "typeset", "local", "export", "readonly", "unset", "read"]
)  # bash runs `a[$(...)]`
_ALL_CODE = frozenset(["eval", "let", "trap", "source", "."])
_WRAPPERS = frozenset((
    "sudo", "env", "exec", "command", "builtin", "nohup", "nice", "xargs", "time",
    "if", "then", "else", "elif", "while", "until", "do", "!", "{",
))  # fmt: skip
_SSH_VALUED = frozenset("BbcDEeFIiJLlmOopQRSWw")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)


def warn_nested(text: str) -> list[str]:
    """Warnings about values given to an inner interpreter (`sh -c`, `eval`, `ssh`, `python -c`, ...), a line each.

    Nothing for a text that `render_shell` would refuse: see `shell_problems`.
    """
    try:
        sites = scan(text)[1] if "{" in text else {}
    except TemplateError:
        return []
    warnings = []
    for site in sites.values():
        name = _reader(site)
        if name is not None:
            warnings.append(
                f"{quote(site.source)} becomes part of a program that `{name}` reads, so that its text can be run as "
                f"code (let that program read it from an argument, as in: sh -c 'echo \"$1\"' sh {site.source})"
            )
    return warnings


def _reader(site: Site) -> str | None:
    """The interpreter that would read the value as code."""
    if site.heredoc is not None:
        return _reads_stdin(site.heredoc.command)
    if site.command is None:
        return None
    at = site.word
    words = site.command.words + ["\0"] * (at + 1 - len(site.command.words))  # a fork can cut a word off
    if at and words[at - 1] == "<<<":
        return _reads_stdin(Command(words[: at - 1]))
    for index, word in enumerate(words[:at]):
        if _is_code(_program(word), words[index + 1 :], at - index - 1):
            return _program(word)
    start = _start(words)
    if start < at and _is_code_of_first(_program(words[start]), words[start + 1 :], at - start - 1):
        return _program(words[start])
    return _reads_stdin(site.command.feeds) if site.command.feeds else None


def _program(word: str) -> str:
    name = word.rsplit("/", 1)[-1]
    return "python" if re.fullmatch(r"python[\d.]*", name) else name


def _start(words: Sequence[str]) -> int:
    """The index of the command's own name, behind assignments, keywords, `sudo` and the like."""
    wrapped = False
    for index, word in enumerate(words):
        if _program(word) in _WRAPPERS:
            wrapped = True
        elif not _ASSIGNMENT.match(word) and not (wrapped and word.startswith("-")):
            return index
    return len(words)


def _is_code(name: str, arguments: Sequence[str], at: int) -> bool:
    """Whether argument `at` of a program, wherever it stands in a command, is code by an option."""
    if name in _SHELLS:
        return at == _shell_code(arguments)
    options = _CODE_OPTIONS.get(name, ())
    if name not in _DATABASES and arguments and not arguments[0].startswith("-"):
        return False  # it runs a file, and what follows is for that
    before = arguments[at - 1] if at else ""
    return before in options or any(arguments[at].startswith(f"{o}=") for o in options if o.startswith("--"))


def _shell_code(arguments: Sequence[str]) -> int | None:
    """The index of the program in `sh -e -c PROGRAM name arguments`."""
    code = valued = False
    for index, word in enumerate(arguments):
        if valued:
            valued = False
        elif not word.startswith(("-", "+")) or word == "-":
            return index if code else None
        else:
            letters = "" if word.startswith("--") else word[1:]
            code = code or "c" in letters or word == "--command"
            valued = letters.endswith(("o", "O"))  # -o pipefail
    return None


def _is_code_of_first(name: str, arguments: Sequence[str], at: int) -> bool:
    """Whether argument `at` of a command is code by its place."""
    if name in _ALL_CODE:
        return at == 0 or name in ("eval", "let")
    if name in _NAMING:
        integer = any(word.startswith("-") and "i" in word for word in arguments)
        return integer or "\0" in arguments[at].split("=")[0]
    if name == "ssh":
        operands = list(_operands(arguments, _SSH_VALUED))
        return at in operands[1:]
    if name in _CODE_OPERAND:
        operands = list(_operands(arguments, frozenset("vF")))
        number = _CODE_OPERAND[name]
        return arguments[at - 1 : at] == ["-e"] or (len(operands) > number and operands[number] == at)
    return False


def _operands(arguments: Sequence[str], valued: frozenset[str]) -> Iterator[int]:
    """Indexes of the arguments that are neither options nor the values of the `valued` one-letter ones."""
    skip = options_over = False
    for index, word in enumerate(arguments):
        if skip:
            skip = False
        elif not options_over and len(word) > 1 and word.startswith("-"):
            skip = len(word) == 2 and word[1] in valued
        else:
            options_over = True
            yield index


def _reads_stdin(command: Command) -> str | None:
    """The interpreter of a command that takes its program from what it is fed."""
    words = command.words
    start = _start(words)
    if start >= len(words):
        return None
    name, arguments = _program(words[start]), words[start + 1 :]
    if name in _DATABASES:
        return name
    if name == "ssh":
        operands = list(_operands(arguments, _SSH_VALUED))
        inner = _program(arguments[operands[1]]) if len(operands) > 1 else "sh"
        return name if inner in _SHELLS else None
    if name not in _SHELLS and name not in _CODE_OPTIONS:
        return None
    given = [word for word in arguments if word != "-" and not word.startswith("-s")]
    has_program = any(not word.startswith("-") for word in given) or any(
        word in _CODE_OPTIONS.get(name, ("-c",)) for word in given
    )
    return None if has_program and "-s" not in arguments else name

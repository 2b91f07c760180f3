"""A part of a repository below .rota/cache: fetched without prompts, hooks or anybody's configuration."""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from rota.model.errors import StepError
from rota.sources._process import Ended, run_program
from rota.sources._text import digest, masked, one_line

CACHE = ".rota/cache/git"
TIP = "refs/rota/tip"
_FETCH = ("fetch", "--quiet", "--no-tags", "--force", "--no-write-fetch-head", "--update-shallow")
_MOST_OUTPUT = 20_000_000
# What git says when asking again cannot help, and what helps then.
_PERMANENT = (
    ("couldn't find remote ref", "the repository has no such branch: check `branch:`"),
    ("authentication failed", "check `token:`, or the key that ssh uses"),
    ("could not read username", "the repository is private or not there: give `token:`"),
    ("terminal prompts disabled", "the repository is private or not there: give `token:`"),
    ("permission denied", "check the key that ssh uses, or `token:`"),
    ("host key verification failed", "connect once by hand with ssh, so that the host's key is known"),
    ("not found", "check `repo:`, and that `token:` may read it"),
    ("does not appear to be a git repository", "check `repo:`: a folder with a repository, or its address"),
    ("dubious ownership", "the repository belongs to another user: run rota as that user, or clone it"),
    ("not supported", "give an address that begins with https://, ssh:// or git://, or a folder"),
    ("not allowed", "give an address that begins with https://, ssh:// or git://, or a folder"),
)


@dataclass(frozen=True)
class Account:
    """What an https:// address asks for; an empty token asks for nothing."""

    user: str
    token: str


class Mirror:
    """One branch of one repository. `timeout`: seconds for everything that is asked of git together."""

    def __init__(self, workspace: Path, address: str, branch: str, timeout: float, account: Account) -> None:
        self._address, named = _without_account(address)
        self._user, self._token = (account.user, account.token) if account.token else named
        self._branch = branch
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._name = _shown(self._address, workspace)
        self.folder = workspace / CACHE / digest(self._address, branch)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the mirror: two jobs may look at the same repository at a time."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f"{self.folder.name}.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > self._deadline:
                        raise StepError(
                            f"another look at {self._name} is still under way",
                            code="timeout",
                            permanent=False,
                            hint="looks at large repositories should not overlap",
                        ) from None
                    time.sleep(0.05)
            yield

    def fetch(self, depth: int, known: str) -> str:
        """Fetch what is new; the hash of the branch's tip. Without `known` in the mirror, only `depth` commits."""
        if self.folder.is_dir() and not self._is_whole():
            shutil.rmtree(self.folder)  # a crash while it was made
        if not self.folder.is_dir():
            self._create()
        ref = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        options = [] if known and self.has(known) else [f"--depth={depth}"]
        fetched = self._run([*_FETCH, *options, "origin", f"+{ref}:{TIP}"])
        if fetched.code != 0:
            raise self._failed(fetched)
        return self.git(["rev-parse", "--verify", TIP]).strip()

    def has(self, commit: str) -> bool:
        """Whether the mirror has that commit."""
        return self._run(["cat-file", "-e", f"{commit}^{{commit}}"]).code == 0

    def succeeds(self, arguments: Sequence[str]) -> bool:
        """Whether git answers yes."""
        return self._run(arguments).code == 0

    def git(self, arguments: Sequence[str], stdin: bytes = b"") -> str:
        """What git prints. StepError when it fails."""
        ended = self._run(arguments, stdin)
        if ended.code != 0 or ended.too_long:
            raise self._failed(ended)
        return ended.output.decode("utf-8", "replace")

    def _is_whole(self) -> bool:
        return (self.folder / "HEAD").is_file() and self._run(["rev-parse", "--git-dir"]).code == 0

    def _create(self) -> None:
        made = self._run(["init", "--quiet", "--bare", "--template=", str(self.folder)], inside=False)
        if made.code != 0:
            raise self._failed(made)

    def _run(self, arguments: Sequence[str], stdin: bytes = b"", *, inside: bool = True) -> Ended:
        place = [f"--git-dir={self.folder}"] if inside else []
        return run_program(
            ["git", *place, *arguments],
            what="git",
            cwd=self.folder.parent,
            env=self._environment(),
            timeout=max(0.1, self._deadline - time.monotonic()),
            limit=_MOST_OUTPUT,
            stdin=stdin,
        )

    def _environment(self) -> dict[str, str]:
        """Settings travel in the environment: command lines are for everybody to see."""
        settings = [
            ("remote.origin.url", self._address),
            ("core.hooksPath", os.devnull),
            ("core.fsmonitor", "false"),
            ("gc.autoDetach", "false"),
            ("maintenance.autoDetach", "false"),
            ("credential.helper", ""),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "30"),
            ("i18n.logOutputEncoding", "UTF-8"),
            ("log.showSignature", "false"),
        ]
        if self._token:
            basic = base64.b64encode(f"{self._user}:{self._token}".encode()).decode()
            settings.append((f"http.{_origin(self._address)}.extraHeader", f"Authorization: Basic {basic}"))
        env = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
        env |= {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for index, (key, value) in enumerate(settings):
            env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
        return env

    def _failed(self, ended: Ended) -> StepError:
        said = ended.errors.lower()
        hint = next((hint for words, hint in _PERMANENT if words in said), None)
        lines = [
            line for line in ended.errors.splitlines() if line.startswith(("fatal:", "error:", "remote:"))
        ]
        words = one_line(masked(lines[0].partition(":")[2] if lines else ended.complaint, [self._token]))
        return StepError(
            f"git cannot read {self._name}: {words or f'it ended with {ended.code}'}",
            code="bad_request" if hint else "connection",
            permanent=hint is not None,
            hint=hint or "is the address right, and the network up?",
        )


def _without_account(address: str) -> tuple[str, tuple[str, str]]:
    """The address without its user and password, which git's helpers would show in their command lines."""
    if not address.lower().startswith(("http://", "https://")):
        return address, ("", "")
    parts = urlsplit(address)
    account, _, host = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    # A token alone stands where the user's name would.
    found = (unquote(user), unquote(password)) if password else ("x-access-token", unquote(user))
    return urlunsplit(parts._replace(netloc=host)), found


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"


def _shown(address: str, workspace: Path) -> str:
    """The repository in messages: the path as a person would write it."""
    if not address.startswith("file://"):
        return address
    path = Path(unquote(urlsplit(address).path))
    if path == workspace.resolve():
        return "the workspace's repository"
    return (
        str(path.relative_to(workspace.resolve())) if path.is_relative_to(workspace.resolve()) else str(path)
    )

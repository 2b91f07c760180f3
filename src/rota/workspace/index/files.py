"""Which files are indexed: those that git would not ignore, that are no secrets, and that the settings do not leave out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rota.model.config import IndexConfig

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# A workspace that holds more is no folder of notes; what comes after these is left out, and that is said.
MOST_FILES = 200_000
# The jobs and skills in .rota are left out too: "weekly planning" should find meetings, not the job weekly-plan.
_NEVER = frozenset({".git", ".hg", ".svn", ".jj", ".rota", ".ssh", ".gnupg", ".aws"})
# Where nothing ignores them. `exclude: ["!venv/"]` brings one back.
_USUALLY = (
    *("node_modules/", ".venv/", "venv/", "__pycache__/", ".tox/", ".nox/", ".mypy_cache/", ".pytest_cache/"),
    *(
        ".ruff_cache/",
        ".cache/",
        ".trash/",
        ".obsidian/",
        ".DS_Store",
        "*.min.js",
        "*.min.css",
        "*.map",
        "*~",
    ),
    *("*.swp", "*.lock", "package-lock.json", "pnpm-lock.yaml"),
)
_SECRET = re.compile(
    r"\.env(\..+|rc)?|.+\.env|secrets?(\.[a-z0-9]+)?|.*[._-]secrets?\.[a-z0-9]+|credentials?(\.[a-z0-9]+)?|id_(rsa|dsa|ecdsa|ed25519)"
    r"(_sk)?|.*\.(pem|key|p12|pfx|p8|jks|keystore|kdbx?|ovpn|gpg|pgp|asc|age)|\.(netrc|npmrc|pypirc|pgpass|my\.cnf"
    r"|git-credentials|htpasswd|dockercfg)|_netrc|service[-_]account.*\.json|client_secret.*\.json",
    re.IGNORECASE,
)
_BINARY_NAMES = (
    ".png .jpg .jpeg .gif .webp .heic .tif .tiff .bmp .ico .icns .psd .pdf .doc .docx .xls .xlsx .ppt .pptx .odt .ods"
    " .odp .pages .numbers .keynote .zip .gz .tgz .bz2 .xz .zst .7z .rar .tar .dmg .iso .jar .whl .mp3 .m4a .wav .flac"
    " .ogg .opus .aac .mp4 .mov .mkv .avi .webm .m4v .db .sqlite .sqlite3 .db-wal .db-shm .parquet .npy .npz .bin .exe"
    " .dll .so .dylib .o .a .pyc .class .wasm .ttf .otf .woff .woff2 .safetensors .gguf .pt .onnx"
)
_BINARY = frozenset(_BINARY_NAMES.split())

_Specs = tuple[tuple[int, "GitIgnoreSpec"], ...]


@dataclass(frozen=True)
class Found:
    """A file that may be indexed: its path from the root, and what changes when its content does."""

    path: str
    mtime: int
    size: int


@dataclass
class Scan:
    """One walk through the workspace. What it could not read, and which folders it saw, is known when it is over."""

    root: Path
    config: IndexConfig
    problems: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def files(self, only: Sequence[str] = ()) -> Iterator[Found]:
        """Every file, folder by folder, by name. `only`: those at or below these paths."""
        from pathspec import GitIgnoreSpec

        own = GitIgnoreSpec.from_lines([*_USUALLY, *_good(self.config.exclude)])
        include = GitIgnoreSpec.from_lines(_good(self.config.include)) if self.config.include else None
        count = 0
        for found in self._folder("", self._outer(), own, [path.rstrip("/") for path in only]):
            if include is not None and not include.match_file(found.path):
                continue
            if count == MOST_FILES:
                self.problems.append(f"only the first {MOST_FILES:,} files are indexed")
                return
            count += 1
            yield found

    def _outer(self) -> _Specs:
        spec = _spec(self.root / ".git" / "info" / "exclude")
        return () if spec is None else ((0, spec),)

    def _folder(self, folder: str, specs: _Specs, own: GitIgnoreSpec, only: Sequence[str]) -> Iterator[Found]:
        pending = [(folder, specs)]
        while pending:
            here, specs = pending.pop()
            try:
                with os.scandir(self.root / here) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                if here:
                    self.problems.append(f"{here}: {error.strerror}")
                continue
            self.folders.append(here)
            prefix = f"{here}/" if here else ""
            if any(entry.name == ".gitignore" for entry in entries):
                spec = _spec(self.root / here / ".gitignore")
                specs = specs if spec is None else (*specs, (len(prefix), spec))
            below = []
            for entry in entries:
                path = prefix + entry.name
                if _apart(path, only):
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _NEVER and not _ignored(f"{path}/", specs, own):
                            below.append((path, specs))
                    elif entry.is_file(follow_symlinks=False) and self._may(path, entry.name, specs, own):
                        status = entry.stat(follow_symlinks=False)
                        yield Found(path, status.st_mtime_ns, status.st_size)
                except OSError as error:  # gone, or not for us
                    if not isinstance(error, FileNotFoundError):
                        self.problems.append(f"{path}: {error.strerror}")
            pending.extend(reversed(below))

    def _may(self, path: str, name: str, specs: _Specs, own: GitIgnoreSpec) -> bool:
        if name == ".gitignore" or _ignored(path, specs, own):
            return False
        if _SECRET.fullmatch(name):
            self._count("secret")
        elif os.path.splitext(name)[1].lower() in _BINARY:  # noqa: PTH122 # a Path for each file takes longer than the rest
            self._count("binary")
        elif not _is_text(path):
            self.problems.append(f"{path!a}: its name is no UTF-8")
        else:
            return True
        return False

    def _count(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def _apart(path: str, only: Sequence[str]) -> bool:
    """Whether a path is neither on the way to one that is wanted, nor at or below it."""
    return bool(only) and not any(
        not one or path == one or path.startswith(f"{one}/") or one.startswith(f"{path}/") for one in only
    )


def _ignored(path: str, specs: _Specs, own: GitIgnoreSpec) -> bool:
    """The settings go before git's files, and among those the innermost that names the path decides."""
    said = own.check_file(path).include
    if said is not None:
        return said
    for skip, spec in reversed(specs):
        said = spec.check_file(path[skip:]).include
        if said is not None:
            return said
    return False


def _spec(file: Path) -> GitIgnoreSpec | None:
    from pathspec import GitIgnoreSpec

    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    good = list(_good(lines))
    return GitIgnoreSpec.from_lines(good) if good else None


def _good(lines: Iterable[str]) -> Iterator[str]:
    """The lines that are patterns; git passes over those that it cannot read, too."""
    from pathspec import GitIgnoreSpec

    for line in lines:
        if line.strip() and not line.startswith("#"):
            try:
                GitIgnoreSpec.from_lines([line])
            except ValueError:
                continue
            yield line


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True

"""The git source: new commits of a repository, local or remote."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field, field_validator

from rota.sources import _text
from rota.sources._notes import Kept, MayKeepNotes, front, keep
from rota.sources._params import Patience, Texts, checked
from rota.sources._seen import Item, fitted, word
from rota.sources.git_log import Commit, Range, commits
from rota.sources.git_mirror import Account, Mirror
from rota.sources.note_text import Note

_REMOTES = ("https://", "http://", "ssh://", "git://", "file://")


class GitParams(MayKeepNotes):
    """What a `pull: git` step may say."""

    repo: str = Field(
        default=".",
        min_length=1,
        description="The repository: a folder, relative to the workspace, or an address such as "
        "https://example.org/team/app.git or git@example.org:team/app.git.",
    )
    branch: str = Field(
        default="",
        pattern=r"^[^\s:^~?*\[\\]*$",
        description="The branch; default: the repository's own (HEAD).",
    )
    paths: Texts = Field(
        default=[], description="Only commits that touch these files or folders of the repository."
    )
    token: str = Field(
        default="",
        description="A token for an https:// address, as `${GIT_TOKEN}`; it is in no command line.",
    )
    user: str = Field(
        default="x-access-token", description="The user that the token belongs to, where that matters."
    )
    first: int = Field(
        default=20, ge=0, le=1000, description="How many of the latest commits the first look takes at most."
    )
    most: int = Field(
        default=200, ge=1, le=1000, description="How many new commits one look gives at most: the latest."
    )
    give_up_after: Patience = 120.0

    @field_validator("branch")
    @classmethod
    def _a_branch(cls, value: str) -> str:
        if ".." in value or value.startswith(("/", "-")) or value.endswith(("/", ".lock")):
            raise ValueError("it is not the name of a branch")
        return value


class Git:
    """Commits of a Git repository: what a team has done since the last look."""

    key: ClassVar[str] = "git"
    params: ClassVar[type[BaseModel]] = GitParams
    target: ClassVar[str] = "rota.sources.git:pull"
    wants: ClassVar[tuple[str, ...]] = ("cursor", "source")


def pull(
    config: dict[str, Any], workspace: str, cursor: Any = None, source: str = "git", **_about: Any
) -> dict[str, Any]:
    """The commits that are new since `cursor`, oldest first; the first time, the latest `first` of them.

    Each look asks the repository once where its branch is. After a forced push, `items` are the commits that
    were not there before, and the note says so.
    """
    params = checked(GitParams, config, Git.key)
    root = Path(workspace)
    before = word(cursor, "tip")
    account = Account(params.user, params.token)
    mirror = Mirror(root, _address(params.repo, root), params.branch, params.give_up_after, account)
    with mirror.locked():
        tip = mirror.fetch(depth=_depth(params, before), known=before)
        found: list[Commit] = []
        note = ""
        if tip != before:
            found, note = commits(mirror, Range(before, tip, params.paths, params.first, params.most))
    items = [_item(commit) for commit in found]
    if fitted(items)[1]:
        items = [_brief(item) for item in items]
        note = "; ".join(
            [*([note] if note else []), "so many changes that only the first files of each are named"]
        )
    kept = (
        keep(workspace, source, params.into, (_note(source, item) for item in items))
        if params.into
        else Kept()
    )
    return {
        "items": items,
        "text": _markdown(items),
        "cursor": {"tip": tip},
        "unchanged": tip == before,
        **kept.answer([note]),
    }


def _depth(params: GitParams, before: str) -> int:
    # One more than is shown: of the oldest, the parent is needed to tell what it changed.
    return 1 + (max(params.first, params.most) if before else params.first)


def _brief(item: Item) -> Item:
    files, body = item["files"], _text.shortened(item["body"], 500)
    return {**item, "body": body, "files": files[:5], "more_files": item["more_files"] + len(files[5:])}


def _note(source: str, item: Item) -> Note:
    files = "".join(f"- {file['change']}: `{file['path']}`\n" for file in item["files"])
    about = front(source, item, author=item["author"], date=item["date"])
    return Note(item["id"], item["title"], f"{item['body']}\n\n{files}", about)


def _address(repo: str, workspace: Path) -> str:
    """What git is to fetch from. A folder becomes a file:// address, from which git takes a part alone, too."""
    if repo.startswith(_REMOTES) or (":" in repo.partition("/")[0] and not repo.startswith(("/", ".", "~"))):
        return repo
    return (workspace / Path(repo).expanduser()).resolve().as_uri()


def _item(commit: Commit) -> Item:
    return {
        "id": commit.hash,
        "version": commit.hash,
        "title": commit.subject or commit.hash[:10],
        "hash": commit.hash,
        "author": commit.author,
        "email": commit.email,
        "date": commit.date,
        "body": commit.body,
        "merge": commit.parents > 1,
        "files": [{"path": path, "change": change} for path, change in commit.files],
        "more_files": commit.more_files,
    }


def _markdown(items: list[Item]) -> str:
    if not items:
        return "No new commits.\n"
    lines = []
    for item in reversed(items):
        title = _text.link(item["title"], "")
        lines.append(
            f"- `{item['hash'][:10]}` {title} ({item['author']}, {item['date'][:16].replace('T', ' ')})"
        )
        names = [f"`{file['path']}`" for file in item["files"][:8]]
        rest = len(item["files"]) - len(names) + item["more_files"]
        if names:
            lines.append(f"  {', '.join(names)}" + (f" and {rest} more" if rest else ""))
    return "\n".join(lines) + "\n"

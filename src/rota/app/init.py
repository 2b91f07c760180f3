"""`rota init`: a new workspace, from a starter."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import rota
from rota.app.desk_guide import SKILL
from rota.app.kinds import kinds
from rota.app.settings import read_settings
from rota.model.errors import ConflictError, WorkspaceError, ZoneError
from rota.schedule import zone
from rota.spec import config_schema, json_schema
from rota.workspace.layout import Layout, make_private

SETTINGS = """\
# yaml-language-server: $schema=schema/config.json
# Settings of this workspace. Every key: docs/configuration.md, or `rota schema --config`.
timezone: {timezone}

# Where messages go that name no channel (failures too):
# notify: [desktop]
# channels:
#   team: {{type: slack, webhook: "${{SLACK_WEBHOOK_URL}}"}}
# agent:
#   command: claude -p        # the prompt comes on stdin; without it prompts wait in `rota inbox`
"""


@dataclass(frozen=True)
class Made:
    """`kept`: files that were there already, and stayed as they were."""

    root: Path
    timezone: str
    kept: tuple[str, ...]


def initialise(path: Path, template: str, timezone: str | None) -> Made:
    """Make the folder a workspace. Raises WorkspaceError, ConflictError, ZoneError."""
    name = timezone or local_timezone()
    zone(name)
    if path.exists() and not path.is_dir():
        raise WorkspaceError(f"{path} is not a folder", hint="name a folder")
    layout = Layout(path.resolve())
    if layout.state.exists():
        raise ConflictError(f"{layout.root} is a workspace already", hint="see `rota status`")
    make_private(layout)
    kept = _copy(_starter(template), layout.root) if template != "blank" else ()
    if not layout.config.exists():
        layout.config.write_text(SETTINGS.format(timezone=name))
    elif timezone is not None:
        from rota.spec import set_keys

        shown = layout.relative(layout.config)
        layout.config.write_text(set_keys(layout.config.read_text(), shown, {"timezone": name}))
    write_schemas(layout)
    write_skill(layout)
    settings = read_settings(layout, kinds().catalog)
    return Made(layout.root, settings.config.timezone, kept)


def write_schemas(layout: Layout) -> None:
    """The JSON Schemas that the first line of job files refers to."""
    layout.schema.mkdir(exist_ok=True)
    catalog = kinds().catalog
    for file, schema in (("job.json", json_schema(catalog)), ("config.json", config_schema(catalog))):
        (layout.schema / file).write_text(json.dumps(schema, indent=1) + "\n")


def write_skill(layout: Layout) -> None:
    """The skill that teaches an agent to use rota; one that is there stays as it is."""
    path = layout.rota / "skills" / "rota" / "SKILL.md"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SKILL)


def local_timezone() -> str:
    """This machine's IANA zone: TZ, /etc/timezone, where /etc/localtime leads; else UTC."""
    candidates = [os.environ.get("TZ", "").lstrip(":")]
    with contextlib.suppress(OSError):
        candidates.append(Path("/etc/timezone").read_text().strip())
    target = os.path.realpath("/etc/localtime")
    if "/zoneinfo/" in target:
        candidates.append(target.split("/zoneinfo/", 1)[1].removeprefix("posix/"))
    for name in candidates:
        if name and name not in {"localtime", "Etc/UTC"}:
            with contextlib.suppress(ZoneError):
                return zone(name).key or name
    return "UTC"


def _starter(template: str) -> Path:
    """The starter's folder: in the package, or in the checkout that the package is run from."""
    package = Path(rota.__file__).parent
    for folder in (package / "starters" / template, package.parent.parent / "examples" / template):
        if folder.is_dir():
            return folder
    raise WorkspaceError(
        f"the starter {template!r} is missing from this installation", hint="install rota again"
    )


def _copy(source: Path, target: Path) -> tuple[str, ...]:
    """Copy what is not there yet; what is there stays, and is named."""
    kept: list[str] = []
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if "__pycache__" in relative.parts:
            continue
        place = target / relative
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif place.exists():
            kept.append(str(relative))
        else:
            shutil.copy2(path, place)
    return tuple(kept)

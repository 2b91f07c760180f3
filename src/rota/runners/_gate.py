"""The gate before claude's tools: a hook that lets through what the policy allows, and refuses everything else.

Run by the client as `python -IS _gate.py FILE`; FILE holds workspace, permissions and grants as the runner wrote them. Reads the
hook's JSON on stdin and prints the decision. Whatever goes wrong is a refusal: by exit code 2, or, should even that
not be heard, by the client's own mode, in which nothing is allowed that this program did not allow.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # isolated from the client's environment, so from the path to rota as well
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rota.model.agent import Denial, OnDenied, Permissions
from rota.model.agent_policy import allows_host, allows_read, allows_write, command_refusal
from rota.runners._reading import inside, only_reads

_HARMLESS = frozenset({"StructuredOutput", "TodoWrite", "ListMcpResourcesTool", "ReadMcpResourceTool"})
_READING = frozenset({"Read", "Glob", "Grep", "LS", "NotebookRead"})
_WRITING = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit"})
REFUSED_WORDS = "denied by rota: "
_PATCHING = frozenset({"apply_patch"})
_PATCH = re.compile(r"^\s*\*\*\*\s*(?:(?:Add|Update|Delete) File|Move to): (.+)$", re.MULTILINE)
_PATCH_BEGINS = re.compile(r"""apply_patch\s+<<\s*(['"])(\w+)\1""")
_ASKED = "it is put before a person. End your turn now; the work goes on when they have decided."
_DENIED = "find another way with what you may do, or say in your answer what you could not do."


def main() -> int:
    """Decide about one use of a tool."""
    try:
        rules = json.loads(Path(sys.argv[1]).read_bytes())
        asked = json.load(sys.stdin)
        refusal = refusal_of(asked["tool_name"], asked.get("tool_input") or {}, rules, Path(asked["cwd"]))
    except Exception as error:  # noqa: BLE001 # a gate that fails stays shut
        sys.stderr.write(f"{REFUSED_WORDS}the gate failed ({type(error).__name__}: {error})\n")
        return 2
    decision: dict[str, Any] = {"hookEventName": "PreToolUse", "permissionDecision": "allow"}
    if refusal is not None:
        after = _ASKED if rules.get("on_denied") == OnDenied.ASK else _DENIED
        words = f"{REFUSED_WORDS}{refusal}; {after}"
        decision |= {"permissionDecision": "deny", "permissionDecisionReason": words}
        if "told" in rules:
            _tell(Path(rules["told"]), asked, rules["workspace"])
    if refusal is not None or not rules.get("silent"):
        sys.stdout.write(json.dumps({"hookSpecificOutput": decision}))
    return 0


def _tell(file: Path, asked: Mapping[str, Any], root: str) -> None:
    """Write down what was refused, for a runner whose client does not say it."""
    given = asked.get("tool_input") or {}
    text = str(given.get("command") or given.get("input") or "")
    denials = [denial_of(asked["tool_name"], given, root)]
    if _is_patch(asked["tool_name"], text):
        denials = [Denial("write", path) for path in patched(text)] or denials
    with file.open("a") as out:
        out.writelines(f"{json.dumps([denial.tool, denial.what])}\n" for denial in denials)


def denials_in(file: Path | None) -> list[Denial]:
    """What the gate has written down so far."""
    if file is None or not file.exists():
        return []
    return [Denial(*json.loads(line)) for line in file.read_text().splitlines() if line.endswith("]")]


def _is_patch(tool: str, text: str) -> bool:
    """Whether a use of a tool is one patch and nothing else. In a shell: a here-document that is not expanded, to its one end."""
    lines = text.strip().split("\n")
    begins = _PATCH_BEGINS.fullmatch(lines[0].strip())
    if tool in _PATCHING or begins is None:
        return tool in _PATCHING
    return tool == "Bash" and lines[-1] == begins[2] and begins[2] not in lines[1:-1]


def patched(text: str) -> list[str]:
    """The files that a patch in codex's format adds, changes, moves or deletes."""
    return [found[1].strip() for found in _PATCH.finditer(text)]


def rules_of(
    workspace: Path,
    permissions: Permissions,
    grants: tuple[Denial, ...],
    servers: tuple[str, ...],
    **more: str | bool,
) -> dict[str, Any]:
    """What the gate has to know, JSON-able. `more`: `told`, a file to write refusals to; `silent`: say nothing of what is allowed."""
    return {
        **more,
        "workspace": str(workspace),
        "run": permissions.run,
        "write": permissions.write,
        "net": permissions.net,
        "on_denied": permissions.on_denied.value,
        "grants": [[grant.tool, grant.what] for grant in grants],
        "servers": servers,
    }


def refusal_of(tool: str, given: Mapping[str, Any], rules: Mapping[str, Any], cwd: Path) -> str | None:
    """Why a tool may not be used like that; None where it may."""
    permissions = Permissions(tuple(rules["run"]), tuple(rules["write"]), tuple(rules["net"]))
    grants = tuple(Denial(kind, what) for kind, what in rules["grants"])
    root = Path(rules["workspace"])
    text = str(given.get("command") or given.get("input") or "")
    if _is_patch(tool, text):
        return _patch_refusal(text, permissions, grants, root, cwd)
    if tool == "Bash":
        if only_reads(text, root, cwd):
            return None
        return command_refusal(permissions, text, grants)
    if tool in _WRITING:
        path = inside(root, cwd, str(given.get("file_path") or given.get("notebook_path") or ""))
        if path is not None and allows_write(permissions, path, grants):
            return None
        return f"`{path or given.get('file_path')}` is not among the files that may be written"
    if tool in _READING:
        named = str(given.get("file_path") or given.get("path") or given.get("notebook_path") or ".")
        path = inside(root, cwd, named)
        granted = any(grant.tool == "read" and grant.what == named for grant in grants)
        if granted or (path is not None and (path == "." or allows_read(path))):
            return None
        return f"`{named}` is not in the workspace, or is rota's own"
    if tool == "WebFetch":
        host = host_of(str(given.get("url", "")))
        return None if allows_host(permissions, host, grants) else f"`{host}` is not among the hosts allowed"
    if tool == "WebSearch":
        return None if "*" in permissions.net else "the web may not be searched (`net` allows no `*`)"
    server = tool.split("__")[1] if tool.startswith("mcp__") and tool.count("__") >= 2 else None
    if tool in _HARMLESS or server in rules["servers"] or any(grant.tool == tool for grant in grants):
        return None
    return f"the tool {tool} is not among those of this job"


def _patch_refusal(
    text: str, permissions: Permissions, grants: tuple[Denial, ...], root: Path, cwd: Path
) -> str | None:
    paths = patched(text)
    for named in paths:
        path = inside(root, cwd, named)
        if path is None or not allows_write(permissions, path, grants):
            return f"`{path or named}` is not among the files that may be written"
    return None if paths else "the patch names no file"


def denial_of(tool: str, given: Mapping[str, Any], root: str = "") -> Denial:
    """What the client wanted, in the words that permissions are written in."""
    match tool:
        case "Bash":
            return Denial("run", str(given.get("command", "")))
        case "Write" | "Edit" | "NotebookEdit":
            named = str(given.get("file_path") or given.get("notebook_path") or "")
            return Denial("write", named.removeprefix(f"{root}/") if root else named)
        case "WebFetch":
            return Denial("net", host_of(str(given.get("url", ""))))
        case "Read" | "Glob" | "Grep":
            return Denial("read", str(given.get("file_path") or given.get("path") or "."))
        case _:
            return Denial(tool, json.dumps(given, ensure_ascii=False))


def host_of(url: str) -> str:
    """The host of a URL, with its port where it names one; the text itself where it is none."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        port = parts.port
    except ValueError:
        return url
    name = parts.hostname or url
    return name if port is None else f"{name}:{port}"


if __name__ == "__main__":
    sys.exit(main())

"""The builtin agent's commands: judged here, run by the daemon, so that they end with all that they start. In hosts only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rota.model.agent import Denial
from rota.model.agent_policy import command_refusal
from rota.runners._words import counted_lines
from rota.runners.builtin_tools import DeniedError, Did, Place, Tool

_USUAL, _MOST = 120.0, 3600.0


def command_tools(place: Place) -> list[Tool]:
    """The tool `run`."""

    async def use(given: Mapping[str, Any]) -> Did:
        line = given["command"].strip()
        refusal = command_refusal(place.permissions, line, place.grants)
        if refusal is not None:
            raise DeniedError(Denial("run", line), refusal)
        done = await place.line.ask("run", command=line, timeout=float(given.get("timeout", _USUAL)))
        text, end = done["text"], done["end"]
        count = len(text.splitlines())
        return Did(
            f"{text}\n[{end}]" if text else f"[{end}, nothing printed]", f"{end}, {counted_lines(count)}"
        )

    return [
        Tool(
            "run",
            "Run a command in the workspace's folder, without a terminal; what it prints comes back. Nothing that it "
            "starts goes on afterwards. One plain command at a time is best.",
            {
                "type": "object",
                "properties": {
                    "command": {"type": "string", "minLength": 1},
                    "timeout": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "maximum": _MOST,
                        "description": f"Seconds; {_USUAL:g} unless said.",
                    },
                },
                "required": ["command"],
                "additionalProperties": False,
            },
            use,
            shown="command",
        )
    ]

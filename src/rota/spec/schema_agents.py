"""JSON Schema of what rota.yaml says about all agents."""

from __future__ import annotations

from rota.spec.agent_keys import PermissionKeys, ServerKeys
from rota.spec.schema_kinds import Schema, closed, properties


def agent_settings(defs: Schema) -> Schema:
    """`system`, `mcp` and `permissions` below `agent:`."""
    server = {
        "type": "object",
        "properties": properties(ServerKeys, "agent-server", defs),
        **closed(ServerKeys),
    }
    allowed = properties(PermissionKeys, "agent-permissions", defs)
    return {
        "system": {
            "type": "string",
            "pattern": r"\S",
            "description": "The file that is every agent's system prompt; .rota/persona.md unless said.",
        },
        "mcp": {
            "type": "object",
            "additionalProperties": server,
            "description": "MCP servers by name, for `mcp:` of a step.",
        },
        "permissions": {
            "type": "object",
            "properties": allowed,
            **closed(PermissionKeys),
            "description": "What agents may do whose step says nothing of its own; nothing unless said.",
        },
    }

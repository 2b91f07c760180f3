"""What runners tell an agent that knows nothing of rota."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def with_schema(prompt: str, schema: Mapping[str, Any] | None) -> str:
    """The prompt, and what the answer has to look like."""
    if schema is None:
        return prompt
    text = json.dumps(schema, ensure_ascii=False, indent=2)
    return (
        f"{prompt.rstrip()}\n\n## The answer\n\nAnswer with JSON alone, which has to fit this JSON Schema:"
        f"\n\n```json\n{text}\n```\n"
    )


def counted_lines(count: int) -> str:
    """How many lines, in words."""
    return "1 line" if count == 1 else f"{count} lines"

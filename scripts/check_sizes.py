"""Fail when a module of src/ has over 400 lines or a function over 60 (the limits of CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
MODULE_LINES = 400
FUNCTION_LINES = 60


def main() -> int:
    """Print each breach; 1 when there is one."""
    breaches: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        name = path.relative_to(SOURCE.parent)
        if (lines := text.count("\n")) > MODULE_LINES:
            breaches.append(f"{name}: {lines} lines (at most {MODULE_LINES}): split it by meaning")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    breaches.append(
                        f"{name}:{node.lineno}: {node.name}: {lines} lines (at most {FUNCTION_LINES})"
                    )
    print("\n".join(breaches) or "Sizes: every module and function within its limit.")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

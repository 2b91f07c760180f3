"""What can be said about a template without its values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from rota.model.errors import TemplateError
from rota.templates.guards import MAPPING_METHODS
from rota.templates.messages import line_of, offer, quote
from rota.templates.shell import scan
from rota.templates.values import spoken

if TYPE_CHECKING:
    from jinja2 import nodes

    from rota.templates.program import Program


def problems(
    text: str, known: Collection[str], steps: Collection[str], *, expression: bool = False
) -> list[str]:
    """What is wrong with a template (`expression`: a condition, with or without braces), a line each; [] is well.

    `known`: the names that values will have; `steps`: the ids that `steps.X` may name. A name that a
    `default(...)` or `is defined` guards may be missing.
    """
    braces = any(sign in text for sign in ("{{", "{%", "{#"))
    if not braces and not expression:
        return []
    if not text.strip():
        return ["the condition is empty (write an expression such as `steps.pull.count > 0`)"]
    from rota.templates.program import compile_text

    try:
        program = compile_text(text.strip() if expression else text, expression=not braces)
    except TemplateError as error:
        return [line_of(error)]
    return list(_unknown_names(program, known)) + list(_unknown_steps(program, steps))


def shell_problems(text: str) -> list[str]:
    """What `render_shell` would refuse whatever the values are, a line each."""
    try:
        scan(text)
    except TemplateError as error:
        return [line_of(error)]
    return []


def _unknown_names(program: Program, known: Collection[str]) -> Iterator[str]:
    from jinja2.meta import find_undeclared_variables

    for name in sorted(find_undeclared_variables(program.tree) - set(known)):
        for source, expression in program.expressions:
            if any(node.name == name for node in _unguarded(expression)):
                yield f"{quote(source)}: `{name}` is not defined ({offer(name, known, 'known here')})"
                break


def _unguarded(expression: nodes.Node) -> Iterator[nodes.Name]:
    from jinja2 import nodes

    from rota.templates.program import find_all

    guards = (
        node.node
        for node in find_all(expression, (nodes.Filter, nodes.Test))
        if isinstance(node, (nodes.Filter, nodes.Test))
        and node.name in ("d", "default", "defined", "undefined")
    )
    guarded = {id(node) for node in guards}
    return (node for node in find_all(expression, nodes.Name) if id(node) not in guarded)


def _unknown_steps(program: Program, steps: Collection[str]) -> Iterator[str]:
    from jinja2 import nodes

    from rota.templates.program import lookups

    allowed = {*steps, *map(spoken, steps), *MAPPING_METHODS}
    for source, expression in program.expressions:
        for owner, key in lookups(expression):
            if isinstance(owner, nodes.Name) and owner.name == "steps" and key not in allowed:
                yield f"{quote(source)}: there is no step `{key}` ({offer(str(key), steps, 'steps')})"

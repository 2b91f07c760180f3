"""A template, read and compiled once: where its values go (`flow`), and how to run it into a sink.

Every text uses the same few statements: `if`, `for`, `set x = ...`, `with`, `raw` and comments. All
output, the author's text and the results of `{{ }}`, reaches a sink piece by piece, marked as what
it is; nothing is ever joined before the sink has decided what a value becomes.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeVar

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from rota.model.errors import TemplateError
from rota.templates.messages import LITERAL_HINT, TYPES_HINT, located, offer, quote
from rota.templates.sandbox import FAILURES, IS_TOP, STATE_KEY, MissingNameError, Rendering, Sandbox, Sink
from rota.templates.values import StepsView, StepView

# `${#name}` is a length in a shell, where Jinja would see a comment begin. NUL is in no text.
_LENGTH, _STAND_IN = "${#", "$\0"
_STATEMENTS = (nodes.Output, nodes.If, nodes.For, nodes.Assign, nodes.With)
_N = TypeVar("_N", bound=nodes.Node)


@dataclass(frozen=True)
class Data:
    """Text that the author wrote."""

    text: str


@dataclass(frozen=True)
class Hole:
    """A `{{ }}`; `index` is its place in `Program.expressions`."""

    index: int


@dataclass(frozen=True)
class Fork:
    """An `if` or (`repeats`: its first path) a `for`. One of the paths is taken; the last may be empty."""

    source: str
    paths: tuple[Flow, ...]
    repeats: bool


Flow = tuple[Data | Hole | Fork, ...]


@dataclass(frozen=True)
class Program:
    """`expressions`: source and syntax tree of every hole and statement, in order of the text."""

    template: Template
    tree: nodes.Template
    flow: Flow
    expressions: Sequence[tuple[str, nodes.Node]]

    def source(self, index: int) -> str:
        """An expression as the author wrote it, with its braces."""
        return self.expressions[index][0] if self.expressions else ""


@cache
def sandbox() -> Sandbox:
    """The one environment; it holds no state of a rendering."""
    return Sandbox()


@lru_cache(maxsize=1024)
def compile_text(text: str, *, expression: bool = False) -> Program:
    """The program of a template, or of an expression without braces. Raises TemplateError."""
    if "\0" in text:
        raise TemplateError("the template has a NUL byte in it", hint="take it out")
    environment = sandbox()
    source = text.replace(_LENGTH, _STAND_IN)
    try:
        tree = _parse_expression(environment, source) if expression else environment.parse(source)
        marker = _Marker(
            _Sources.of_expression(text) if expression else _Sources.of_text(environment, source)
        )
        marker.visit(tree)
        tree.set_lineno(1)
        tree.set_environment(environment)
        template = environment.from_string(tree)
    except TemplateSyntaxError as error:
        raise _syntax_error(text, error) from None
    except (SyntaxError, RecursionError):
        raise TemplateError(f"{quote(text)}: too many levels of nesting", hint=LITERAL_HINT) from None
    return Program(template, tree, tuple(marker.flow), tuple(marker.expressions))


def run(program: Program, values: Mapping[str, Any], sink: Sink) -> None:
    """Run a program over values, into a sink. Raises TemplateError that quotes the expression at fault."""
    state = Rendering(sink)
    try:
        for _ in program.template.generate({**values, STATE_KEY: state}):
            pass
    except TemplateError as error:
        raise located(error, program.source(state.at)) from None
    except MissingNameError as error:
        raise _missing_error(error, program, state.at, values) from None
    except FAILURES as error:
        text = "too deep" if isinstance(error, RecursionError) else str(error) or type(error).__name__
        message = f"{quote(program.source(state.at))}: {' '.join(text.split())}"
        hint = "templates see data, not what is behind it" if isinstance(error, SecurityError) else TYPES_HINT
        raise TemplateError(message, hint=hint) from None


def _parse_expression(environment: Sandbox, source: str) -> nodes.Template:
    parser = Parser(environment, source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError("the expression should end earlier", 1)
    return nodes.Template([nodes.Output([expression], lineno=1)], lineno=1)


def _syntax_error(text: str, error: TemplateSyntaxError) -> TemplateError:
    rows = text.splitlines() or [""]
    row = rows[min(error.lineno, len(rows)) - 1]
    tags = re.findall(r"\{[{%].*?(?:[%}]\}|$)", row)
    said = " ".join((error.message or "cannot be read").split()).rstrip(".")
    return TemplateError(
        f"{quote(tags[0] if len(tags) == 1 else row)}: {said[:1].lower()}{said[1:]}", hint=LITERAL_HINT
    )


def _missing_error(
    error: MissingNameError, program: Program, at: int, values: Mapping[str, Any]
) -> TemplateError:
    source, expression = program.expressions[at]
    name, owner = error.name, error.owner
    if owner is IS_TOP:
        return TemplateError(
            f"{quote(source)}: `{name}` is not defined", hint=offer(str(name), values, "known here")
        )
    if isinstance(owner, StepsView):
        return TemplateError(
            f"{quote(source)}: there is no step `{name}`",
            hint=offer(str(name), owner, "steps before this one"),
        )
    place = next((spell(node) for node, key in lookups(expression) if key == name), None)
    label = f"`{place}`" if place else "what is before it"
    if isinstance(owner, Mapping):
        kind = "the step has" if isinstance(owner, StepView) else "it has"
        return TemplateError(f"{quote(source)}: {label} has no `{name}`", hint=offer(str(name), owner, kind))
    size = f" with {len(owner)} items" if isinstance(owner, (list, tuple)) else ""
    said = f"{label} is a {type(owner).__name__}{size} and has no `{name}`"
    return TemplateError(f"{quote(source)}: {said}", hint="look at its value, or give a `default(...)`")


def lookups(expression: nodes.Node) -> Iterator[tuple[nodes.Node, Any]]:
    """Every `owner.key` and `owner['key']` of an expression, as (owner, key)."""
    for node in find_all(expression, (nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Getattr):
            yield node.node, node.attr
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            yield node.node, node.arg.value


def find_all(expression: nodes.Node, kinds: tuple[type[_N], ...] | type[_N]) -> Iterator[_N]:
    """The nodes of these kinds in an expression, itself included."""
    if isinstance(expression, kinds):
        yield expression
    yield from expression.find_all(kinds)


def spell(node: nodes.Node) -> str | None:
    """A chain of names as text, `payload.items`; None for anything else."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, (nodes.Getattr, nodes.Getitem)):
        owner = spell(node.node)
        if owner and isinstance(node, nodes.Getattr):
            return f"{owner}.{node.attr}"
        if owner and isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            return f"{owner}[{node.arg.value!r}]"
    return None


class _Sources:
    """The tags of a text as they are written, by kind, in order: what the syntax tree does not keep."""

    def __init__(self) -> None:
        self._tags: dict[str, deque[str]] = defaultdict(deque)

    @classmethod
    def of_expression(cls, text: str) -> _Sources:
        sources = cls()
        sources._tags["{{"].append(text)
        return sources

    @classmethod
    def of_text(cls, environment: Sandbox, text: str) -> _Sources:
        sources = cls()
        tag: list[str] = []
        kind = ""
        for _, mark, piece in environment.lex(text):
            if mark in ("variable_begin", "block_begin"):
                tag, kind = [], "{{" if mark == "variable_begin" else ""
            elif not kind and mark == "name":
                kind = "{{" if piece == "print" else piece
            tag.append(piece)
            if mark in ("variable_end", "block_end"):
                sources._tags[kind].append("".join(tag).strip().replace(_STAND_IN, _LENGTH))
        return sources

    def next(self, kind: str) -> str:
        tags = self._tags[kind]
        return tags.popleft() if tags else kind


class _Marker(NodeTransformer):
    """Rewrites a syntax tree so that it feeds a sink, and notes its flow and its expressions."""

    def __init__(self, sources: _Sources) -> None:
        self.flow: list[Data | Hole | Fork] = []
        self.expressions: list[tuple[str, nodes.Node]] = []
        self._sources = sources
        self._keyword = "if"

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Visit; a statement that is not one of the few is refused."""
        if isinstance(node, nodes.Stmt) and not isinstance(node, _STATEMENTS):
            name = type(node).__name__
            known = {
                "AssignBlock": "set ... endset",
                "CallBlock": "call",
                "FilterBlock": "filter",
                "Scope": "autoescape",
            }
            word = known.get(name, name.lower())
            raise TemplateError(
                f"`{{% {word} %}}` is not part of rota's templates",
                hint="there are `if`, `for`, `set name = value`, `with` and `raw`",
            )
        return super().visit(node, *args, **kwargs)

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802  (Jinja's naming)
        parts: list[nodes.Expr] = []
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                text = child.data.replace(_STAND_IN, _LENGTH)
                self._add_data(text)
                parts.append(_call("put_data", nodes.ContextReference(), nodes.Const(text)))
            else:
                index = self._note("{{", child)
                self.flow.append(Hole(index))
                parts.append(_call("put_value", nodes.ContextReference(), _at(index), self.visit(child)))
        node.nodes = parts
        return node

    def visit_If(self, node: nodes.If) -> nodes.If:  # noqa: N802
        keyword, self._keyword = self._keyword, "if"
        index = self._note(keyword, node.test)
        node.test = _call("keep", _at(index), self.visit(node.test))
        source = self.expressions[index][0]
        paths = [self._path(node.body)]
        for other in node.elif_:
            self._keyword = "elif"
            paths.append(self._path([other]))
        paths.append(self._path(node.else_))
        self.flow.append(Fork(source, tuple(paths), repeats=False))
        return node

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802
        if node.recursive:
            raise TemplateError(
                "`recursive` loops are not part of rota's templates", hint="use a plain `for`"
            )
        index = self._note("for", node.iter)
        node.iter = _call("loop", nodes.ContextReference(), _at(index), self.visit(node.iter))
        if node.test is not None:
            node.test = self.visit(node.test)
        paths = (self._path(node.body), self._path(node.else_))
        self.flow.append(Fork(self.expressions[index][0], paths, repeats=True))
        return node

    def visit_Assign(self, node: nodes.Assign) -> nodes.Assign:  # noqa: N802
        index = self._note("set", node.node)
        node.node = _call("keep", _at(index), self.visit(node.node))
        return node

    def visit_With(self, node: nodes.With) -> nodes.With:  # noqa: N802
        index = self._note("with", nodes.List(list(node.values)))
        node.values = [_call("keep", _at(index), self.visit(value)) for value in node.values]
        node.body = [self.visit(child) for child in node.body]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _call("concat_text", nodes.List(node.nodes))

    def visit_Name(self, node: nodes.Name) -> nodes.Name:  # noqa: N802
        if node.name in ("self", "super"):  # Jinja's own objects, of use to blocks only
            raise TemplateError(f"`{node.name}` is not part of rota's templates", hint=LITERAL_HINT)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        if node.expr2 is None:
            node.expr2 = nodes.Const(None)  # Jinja's own answer passes for a value that is there
        return self.generic_visit(node)

    def visit_Const(self, node: nodes.Const) -> nodes.Const:  # noqa: N802
        if isinstance(node.value, str):
            node.value = node.value.replace(_STAND_IN, _LENGTH)
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        self._check("filter", node.name, sandbox().filters)
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        self._check("test", node.name, sandbox().tests)
        return self.generic_visit(node)

    def _add_data(self, text: str) -> None:
        # Pieces that only a comment or a `set` keeps apart are one text to whoever reads the result.
        last = self.flow[-1] if self.flow else None
        if isinstance(last, Data):
            self.flow[-1] = Data(last.text + text)
        else:
            self.flow.append(Data(text))

    def _note(self, kind: str, expression: nodes.Node) -> int:
        self.expressions.append((self._sources.next(kind), expression))
        return len(self.expressions) - 1

    def _check(self, kind: str, name: str, known: Mapping[str, Any]) -> None:
        if name not in known:
            error = TemplateError(f"there is no {kind} `{name}`", hint=offer(name, known, f"{kind}s"))
            raise located(error, self.expressions[-1][0])

    def _path(self, body: list[Any]) -> Flow:
        outer, self.flow = self.flow, []
        body[:] = [self.visit(child) for child in body]
        path, self.flow = tuple(self.flow), outer
        return path


def _call(method: str, *arguments: nodes.Expr) -> nodes.Call:
    """A call of one of the sandbox's own methods; no template text can spell it."""
    return nodes.Call(nodes.EnvironmentAttribute(method), list(arguments), [], None, None)


def _at(index: int) -> nodes.Call:
    return _call("at", nodes.ContextReference(), nodes.Const(index))

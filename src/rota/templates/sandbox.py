"""The Jinja2 environment of every template: what an expression may reach, and how far it may go.

Templates are the author's; values come from outside. Neither reaches Python's insides: attributes
are a positive list by type, and a mapping's keys come before its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from typing import Any, Final, Protocol

from jinja2 import Undefined, pass_context
from jinja2.exceptions import SecurityError, TemplateRuntimeError, UndefinedError
from jinja2.runtime import Context, LoopContext, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Joiner, Namespace, missing

from rota.templates import guards
from rota.templates.filters import all_filters
from rota.templates.values import text_of

STATE_KEY: Final = "state of this rendering"  # not an identifier, so no template can name it


class Sink(Protocol):
    """Where the pieces of a rendering go, in order."""

    def data(self, text: str) -> None:
        """Text that the author wrote."""
        ...

    def value(self, index: int, value: Any) -> int:
        """The result of hole number `index`; gives the size of the text that it made."""
        ...


class Rendering:
    """One rendering: where it is (`at`: index of the expression being worked out), and what it used up."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.at = 0
        self._size = 0
        self._rounds = 0

    def grow(self, size: int) -> None:
        """Count rendered characters."""
        self._size += size
        guards.refuse_over(self._size, guards.MAX_SIZE, "the rendered text")

    def turn(self, rounds: int = 1) -> None:
        """Count turns of loops."""
        self._rounds += rounds
        guards.refuse_over(self._rounds, guards.MAX_ROUNDS, "the number of loop rounds in one template")


class MissingNameError(UndefinedError):
    """A name that is not there: `name` was looked up in `owner` (`missing`: among the values)."""

    def __init__(self, owner: Any, name: Any) -> None:
        super().__init__(f"`{name}` is not there")
        self.owner = owner
        self.name = name


class Missing(StrictUndefined):
    """An undefined value that, when used, says where it was looked for."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        # Read by Jinja at the moment of failing: the place to raise an error that carries the facts.
        if self._undefined_hint is None and issubclass(self._undefined_exception, UndefinedError):
            raise MissingNameError(self._undefined_obj, self._undefined_name)
        return super()._undefined_message


@pass_context
def _range(context: Context, *bounds: int) -> range:
    numbers = range(*bounds)
    guards.refuse_over(len(numbers), guards.MAX_ITEMS, "the range")
    _state(context).turn(len(numbers))
    return numbers


def _state(context: Context) -> Rendering:
    state: Rendering = context[STATE_KEY]
    return state


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment. The methods from `at` on are called by compiled templates only (see `program`)."""

    intercepted_binops = frozenset({"*", "+", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing, autoescape=False, keep_trailing_newline=True, cache_size=0)
        self.filters = all_filters()
        self.globals = {"range": _range, "dict": dict, "namespace": Namespace, "joiner": Joiner}
        self.binop_table |= {
            "*": guards.multiply,
            "+": guards.add,
            "**": guards.power,
            "%": guards.modulo,
        }

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: a mapping's item before its method."""
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except (LookupError, TypeError):
                if attribute not in guards.MAPPING_METHODS:
                    return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: an item only, never an attribute."""
        try:
            return obj[argument]
        except (LookupError, TypeError, AttributeError):
            return self.undefined(obj=obj, name=argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """What may be reached: a positive list by type."""
        if not super().is_safe_attribute(obj, attr, value):
            return False
        if isinstance(obj, str):
            return attr in guards.STR_METHODS
        if isinstance(obj, Mapping):
            return attr in guards.MAPPING_METHODS
        if isinstance(obj, (list, tuple)):
            return attr in guards.LIST_METHODS
        return isinstance(obj, (date, time, timedelta, LoopContext, Namespace))

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """What an attribute that may not be reached is: an error when used."""
        return self.undefined(
            f"templates may not use `{attribute}` of a {type(obj).__name__}",
            name=attribute,
            obj=obj,
            exc=SecurityError,
        )

    def call(
        __self,  # noqa: N805  (as in Jinja: `self` may be a named argument of the call)
        __context: Context,
        __obj: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """A call in a template."""
        return super().call(__context, __obj, *guards.checked_call(__obj, args), **kwargs)

    def at(self, context: Context, index: int) -> int:
        """Note which expression is about to be worked out."""
        _state(context).at = index
        return index

    def keep(self, index: int, value: Any) -> Any:  # noqa: ARG002  (worked out for its effect, before `value`)
        """The value of a statement's expression, as it is."""
        return value

    def loop(self, context: Context, index: int, items: Iterable[Any]) -> Iterator[Any]:  # noqa: ARG002  (as `keep`)
        """The items of a `for`, counted."""
        state = _state(context)
        for item in items:
            state.turn()
            yield item

    def put_data(self, context: Context, text: str) -> str:
        """Hand the author's text to the sink."""
        state = _state(context)
        state.grow(len(text))
        state.sink.data(text)
        return ""

    def put_value(self, context: Context, index: int, value: Any) -> str:
        """Hand an expression's result to the sink."""
        _use(value)
        state = _state(context)
        state.grow(state.sink.value(index, value))
        return ""

    def concat_text(self, values: list[Any]) -> str:
        """`a ~ b`, bounded."""
        return guards.joined([text_of(value) for value in values])


def _use(value: Any) -> None:
    """Fail here and now when the value is undefined."""
    if isinstance(value, Undefined):
        str(value)


FAILURES = (
    TemplateRuntimeError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RuntimeError,
    MemoryError,
)
IS_TOP = missing  # the owner of a MissingNameError whose name is not among the values

"""A template reaches data only, and cannot run away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rota.model.errors import TemplateError
from rota.templates import render, render_shell

VALUES: dict[str, Any] = {
    "payload": {"text": "abc", "list": [1], "big": "x" * 100_000},
    "now": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__",
        "''['__class__']",
        "payload.__class__",
        "payload['__class__'].__init__",
        "payload.text.__len__()",
        "().__class__.__bases__[0].__subclasses__()",
        "now.__class__.__init__.__globals__",
        "now.__reduce__()",
        "range.__globals__",
        "namespace.__init__.__globals__",
        "dict.fromkeys",
        "dict.mro()",
        "joiner.__init__",
        "self",
        "self._TemplateReference__context",
        "self.__init__.__globals__",
        "loop",
        "context",
        "environment",
        "lipsum.__globals__",
        "cycler.__init__.__globals__",
        "config",
        "'{0.__class__}'.format(payload)",
        "'{a.__class__.__mro__}'.format(a=1)",
        "'{0.__class__}'.format_map({'0': 1})",
        "'%s' | format(payload.__class__)",
        "payload | attr('__class__')",
        "[payload] | map(attribute='__class__') | list",
        "[''] | map('attr', '__class__') | list",
        "[payload] | groupby('__class__')",
        "payload.list.append(1)",
        "payload.update({'a': 1})",
        "payload.clear()",
        "payload.pop('text')",
        "payload.text.encode().__class__",
        "'a'.translate({97: 'b'})",
        "(1).to_bytes(10, 'big')",
        "(1).__class__",
        "1.0.hex()",
        "payload.text.upper.__self__",
        "payload.items.__func__",
    ],
)
def test_nothing_but_data_is_reached(expression: str) -> None:
    for text in (f"{{{{ {expression} }}}}", f"{{% set x = {expression} %}}{{{{ x }}}}"):
        with pytest.raises(TemplateError) as caught:
            render(text, VALUES)
        assert caught.value.hint
        assert "object at 0x" not in str(caught.value)
    assert VALUES["payload"]["list"] == [1]
    assert set(VALUES["payload"]) == {"text", "list", "big"}


@pytest.mark.parametrize(
    "text",
    [
        "{{ range(10**9) | list }}",
        "{% for i in range(100001) %}{% endfor %}",
        "{% for i in range(900) %}{% for j in range(900) %}{% endfor %}{% endfor %}",
        "{% set a = 'x' * 1000 %}{% for i in a %}{% for j in a %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * 'x' }}",
        "{{ [1] * 10**9 }}",
        "{{ [[1] * 1000] * 10**8 }}",
        "{{ 9 ** 9999999 }}",
        "{{ 2 ** -99999999 }}",
        "{% set ns = namespace(n=3) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% for i in range(99999) %}{{ payload.big }}{% endfor %}",
        "{% for i in range(99999) %}" + "static text " * 100 + "{% endfor %}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{{ ('%(a)s' * 1000) % {'a': payload.big} }}",
        "{{ ('{0}' * 1000).format(payload.big) }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x'.center(999999999) }}",
        "{{ '1'.zfill(999999999) }}",
        "{{ payload.big.replace('x', payload.big) }}",
        "{{ payload.big | replace('', payload.big) }}",
        "{{ payload.big.join(['a'] * 1000) }}",
        "{{ ['a'] * 1000 | join(payload.big) }}",
        "{{ (['a'] * 1000) | join(payload.big) }}",
        "{{ 'a\nb' | indent(999999999) }}",
        "{{ [1] | tojson(indent=999999999) }}",
        "{{ 1.5 | round(999999999) }}",
        "{{ [[1]] | sum(start=[]) }}",
        "{{ now.strftime('%999999999Y') }}",
        "{{ now | date('%999999999Y') }}",
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{% for a in 'x' %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_nothing_runs_away(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, VALUES)
    assert "\n" not in str(caught.value)


def test_ordinary_sizes_pass() -> None:
    assert len(render("{{ payload.big * 40 }}", VALUES)) == 4_000_000
    assert len(render("{% for i in range(9999) %}{{ i }}\n{% endfor %}", VALUES)) == 48_885
    assert (
        render("{{ 2 ** 64 }} {{ '%05.1f' % 2.25 }} {{ '{:>5}'.format('a') }}", {}) == f"{2**64} 002.2     a"
    )
    assert render("{{ ', '.join(['a', 'b'] | map('upper')) }} {{ 'ab'.replace('a', 'c') }}", {}) == "A, B cb"
    assert render("{{ '%Y in 2026: %s' | replace('%Y', 'x') }}", {}) == "x in 2026: %s"


@pytest.mark.parametrize(
    "text",
    [
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(payload.text) }}",
        "{% filter upper %}{{ payload.text }}{% endfilter %}",
        "{% filter safe %}echo {{ payload.text }}{% endfilter %}",
        "{% call m() %}{{ payload.text }}{% endcall %}",
        "{% set x %}{{ payload.text }}{% endset %}echo {{ x }}",
        "{% autoescape false %}{{ payload.text }}{% endautoescape %}",
        "{% autoescape true %}{{ payload.text | safe }}{% endautoescape %}",
        "{% include payload.text %}",
        "{% import payload.text as x %}",
        "{% from 'x' import y %}",
        "{% extends payload.text %}",
        "{% block b %}{{ payload.text }}{% endblock %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% do payload.clear() %}",
        "{% trans %}{{ payload.text }}{% endtrans %}",
        "{% debug %}",
    ],
)
def test_statements_that_would_gather_output_are_refused_everywhere(text: str) -> None:
    for reader in (render, render_shell):
        with pytest.raises(TemplateError) as caught:
            reader(text, VALUES)
        assert caught.value.hint

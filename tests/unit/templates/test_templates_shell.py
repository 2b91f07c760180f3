"""How values come to stand in a shell text, and where they cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rota.model.errors import TemplateError
from rota.templates import ShellText, StepsView, render_shell


def refusal(text: str, **values: Any) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render_shell(text, values)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_value_becomes_a_reference_in_the_quoting_of_its_place() -> None:
    assert render_shell("echo {{ a }} \"{{ a }}\" '{{ a }}' # {{ b }}", {"a": "$(x)", "b": "y"}) == ShellText(
        'echo "${ROTA_V1}" "${ROTA_V1}" \'\'"${ROTA_V1}"\'\' # ${ROTA_V2}',
        {"ROTA_V1": "$(x)", "ROTA_V2": "y"},
    )


def test_a_text_without_values_stays_as_it_is() -> None:
    for text in ("", "echo $HOME `date` $(( 1 << 2 )) ${x#y} {a,b}", "echo ${#x} ${x:1:2} a[1]=2 '"):
        assert render_shell(text, {}) == ShellText(text)


def test_values_are_written_as_data() -> None:
    values = {"x": [None, True, False, 7, 1.5, {"a": ["é", None]}, datetime(2026, 1, 2, tzinfo=UTC)]}
    text = render_shell("{% for v in x %}{{ v }}\n{% endfor %}", values)
    assert list(text.env.values()) == [
        "",
        "true",
        "false",
        "7",
        "1.5",
        '{"a":["é",null]}',
        "2026-01-02T00:00:00+00:00",
    ]


def test_each_round_of_a_loop_has_its_value_and_equal_ones_share() -> None:
    text = render_shell("{% for f in files %}rm -- {{ f }}\n{% endfor %}", {"files": ["a", "b", "a"]})
    assert text.script == 'rm -- "${ROTA_V1}"\nrm -- "${ROTA_V2}"\nrm -- "${ROTA_V1}"\n'
    assert text.env == {"ROTA_V1": "a", "ROTA_V2": "b"}


@pytest.mark.parametrize(
    "text",
    [
        "echo {{ v | safe }}",
        "echo {{ v | e }}",
        "echo {% print v %}",
        "echo {{ v | replace('x', 'y') }}",
        "echo {{ [v] | join(' ') }}",
        "echo {{ v ~ v }}",
        "{% set w = v %}echo {{ w }}",
        "{% set w = v | safe %}echo {{ w | safe }}",
        "{% with w = v %}echo {{ w }}{% endwith %}",
        "{% for w in [v] %}echo {{ w }}{% endfor %}",
        "{% for w in v %}{{ w }}{% endfor %}",
        "echo {{ '%s' | format(v) }} {{ '{}'.format(v) }}",
        "echo {{ v if true else '' }} {{ missing | default(v) }}",
        "echo {{ {'a': v} }} {{ [v] }}",
        "{% raw %}echo{% endraw %} {{ v }} {# {{ v }} #}",
        "echo {{- v -}} x",
        "echo {{ steps.pull.output }} {{ steps.pull }}",
    ],
)
def test_no_filter_and_no_statement_gets_a_value_into_the_script(text: str) -> None:
    value = "xx$(touch pwned)xx"
    result = render_shell(text, {"v": value, "steps": StepsView({"pull": {"output": value}})})
    assert "touch" not in result.script
    assert "touch" in "".join(result.env.values()) or "{{ w }}" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat <<'END'\n{{ v }}\nEND", "here-document whose delimiter is quoted"),
        ("cat <<\\END\n{{ v }}\nEND", "here-document whose delimiter is quoted"),
        ('cat <<-"END"\n\t{{ v }}\n\tEND', "here-document whose delimiter is quoted"),
        ("cat << {{ v }}\nx\n", "cannot end a here-document"),
        ("cat <<E{{ v }}\nx\n", "cannot end a here-document"),
        ("echo \\{{ v }}", "backslash right before"),
        ('echo "a\\{{ v }}"', "backslash right before"),
        ("echo ${{ v }}", "`$` right before"),
        ('echo "${{ v }}"', "`$` right before"),
        ("echo $'{{ v }}'", "inside $'...'"),
        ("echo $(( {{ v }} + 1 ))", "only a whole number"),
        ("echo $(( $(cat {{ v }}) + 1 ))", "only a whole number"),
        ("echo $[ {{ v }} ]", "only a whole number"),
        ("(( {{ v }} > 1 ))", "only a whole number"),
        ("for ((i=0; i<{{ v }}; i++)); do :; done", "only a whole number"),
        ("a[{{ v }}]=1", "only a whole number"),
        ("a=([{{ v }}]=1)", "only a whole number"),
        ('echo "${a[{{ v }}]}"', "only a whole number"),
        ("echo ${a:{{ v }}}", "only a whole number"),
        ("[[ {{ v }} -eq 1 ]]", "only a whole number"),
        ("[[ 1 -lt {{ v }} ]]", "only a whole number"),
        ("if [ {{ v }} -gt 1 ]; then :; fi", "only a whole number"),
        ("test -v {{ v }}", "only a whole number"),
        ("[[ -n x && 1 -lt '{{ v }}' ]]", "only a whole number"),
        ("[[ <((( {{ v }} ))) != x ]]", "only a whole number"),
        ("$({# #}( {{ v }} ))", "only a whole number"),
        ("$({% if v %}({% endif %} {{ v }} ))", "right before a tag"),
        ("[{% if v %}[ {{ v }} -eq 1 ]]{% endif %}", "right before a tag"),
        ("[[ {% if v %}{{ v }}{% endif %} -eq 1 ]]", "cannot be put together"),
        ("{% if v %}arr{% else %}x.{% endif %}[{{ v }}]=1", "only a whole number"),
        ("{% if v %}'{% endif %}{{ v }}'", "do not end where they begin"),
        ('{% for x in [1] %}"{% endfor %}{{ v }}', "do not end where they begin"),
        ("{% if v %}echo {% endif %}\\{% if v %}x{% endif %}{{ v }}", "do not end where they begin"),
        ("echo x{% if v %} {% endif %}#{{ v }}", "`#` right after a tag"),
        ("echo {{ nope }}", "`nope` is not defined"),
    ],
)
def test_where_a_value_cannot_stand(text: str, said: str) -> None:
    assert said in refusal(text, v="x$(touch pwned)").message


def test_a_refusal_quotes_the_expression() -> None:
    assert refusal("echo {{ ok }} $(( {{ v }} ))", ok=1, v="x").message.startswith("`{{ v }}`: ")
    assert refusal("cat <<'E'\n{{ payload.x }}\nE").message.startswith("`{{ payload.x }}`: ")


@pytest.mark.parametrize("number", [5, -3, "12", 0])
def test_whole_numbers_may_stand_in_arithmetic(number: object) -> None:
    text = "echo $(( {{ v }} + 1 )); a[{{ v }}]=1; [[ {{ v }} -gt 1 && {{ s }} == x ]]; [ {{ v }} -lt 1 ]; [ {{ s }} = x ]; echo ${a:{{ v }}}"
    script = render_shell(text, {"v": number, "s": "any $(text)"}).script
    assert script.startswith("echo $(( ${ROTA_V1} + 1 )); a[${ROTA_V1}]=1;")


@pytest.mark.parametrize("number", [True, 1.5, "1+1", "1\n2", "", "١", "9" * 19])
def test_nothing_else_may(number: object) -> None:
    refusal("echo $(( {{ v }} ))", v=number)


def test_what_no_command_can_be_given_is_refused_with_a_way_out() -> None:
    for value, said in [
        ("a\0b", "NUL"),
        ("x" * 131_072, "too long"),
        ("é" * 70_000, "too long"),
        ("\ud800", "Unicode"),
    ]:
        error = refusal("echo {{ v }}", v=value)
        assert said in error.message
        assert "`write:` step" in (error.hint or "")
    many = [f"{n}" + "x" * 100_000 for n in range(9)]
    assert "together" in refusal("{% for v in many %}echo {{ v }}\n{% endfor %}", many=many).message
    assert render_shell("echo {{ v }}", {"v": "x" * 130_000}).env == {"ROTA_V1": "x" * 130_000}

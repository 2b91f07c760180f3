"""`${NAME}` reads a secret; a value from outside cannot ask for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.model.errors import TemplateError
from rota.templates import fill_secrets, fill_secrets_in, render, render_value, secret_names

SECRETS = {"TOKEN": "s3cret", "_a1": "${TOKEN}", "EMPTY": ""}


def test_names_are_found_and_filled_once() -> None:
    text = "Bearer ${TOKEN}, ${_a1}${EMPTY} $TOKEN ${1x} ${a-b} {TOKEN} $${TOKEN}"
    assert secret_names(text) == {"TOKEN", "_a1", "EMPTY"}
    assert fill_secrets(text, SECRETS.get) == "Bearer s3cret, ${TOKEN} $TOKEN ${1x} ${a-b} {TOKEN} ${TOKEN}"


def test_a_missing_one_is_an_error_that_helps() -> None:
    with pytest.raises(TemplateError) as caught:
        fill_secrets("x ${SLACK_URL}", SECRETS.get)
    assert "`${SLACK_URL}`" in str(caught.value)
    assert "rota secret set SLACK_URL" in (caught.value.hint or "")


def test_every_string_of_a_value_is_filled_but_no_key() -> None:
    value = {"${TOKEN}": ["${TOKEN}", ("a${TOKEN}", 1)], "n": None}
    assert fill_secrets_in(value, SECRETS.get) == {"${TOKEN}": ["s3cret", ["as3cret", 1]], "n": None}


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("${TOKEN} {{ a }}", {"a": "${TOKEN}"}, "s3cret ${TOKEN}"),
        ("${{ a }}", {"a": "{TOKEN}"}, "${TOKEN}"),
        ("{{ a }}{TOKEN}", {"a": "$"}, "${TOKEN}"),
        ("${{ '{' }}{{ a }}", {"a": "TOKEN}"}, "${TOKEN}"),
        ("{{ a }}{{ b }}", {"a": "$", "b": "{TOKEN}"}, "${TOKEN}"),
        ("{{ a }}", {"a": "$${TOKEN} $$${TOKEN}"}, "$${TOKEN} $$${TOKEN}"),
        ("$${TOKEN} {{ a }}${TOKEN}", {"a": "x"}, "${TOKEN} xs3cret"),
        (
            "{% for x in a %}{{ x }}=${TOKEN} {% endfor %}",
            {"a": ["${TOKEN}", "b"]},
            "${TOKEN}=s3cret b=s3cret ",
        ),
    ],
)
def test_a_value_cannot_ask_for_a_secret(text: str, values: dict[str, object], expected: str) -> None:
    assert fill_secrets(render(text, values, fill_later=True), SECRETS.get) == expected


def test_nor_can_a_value_that_keeps_its_type() -> None:
    value = {"url": "${TOKEN}", "body": "{{ payload }}", "text": "{{ payload.a }}!"}
    rendered = render_value(value, {"payload": {"a": "${TOKEN}", "b": [1]}}, fill_later=True)
    assert fill_secrets_in(rendered, SECRETS.get) == {
        "url": "s3cret",
        "body": {"a": "${TOKEN}", "b": [1]},
        "text": "${TOKEN}!",
    }


@given(st.text(alphabet="${}TOKEN_x ", max_size=30), st.text(alphabet="${}TOKEN ", max_size=12))
def test_whatever_the_pieces_are_a_value_stays_as_it_is(value: str, more: str) -> None:
    text = "{{ a }}|{{ b }}{{ a }}"
    rendered = render(text, {"a": value, "b": more}, fill_later=True)
    assert fill_secrets(rendered, lambda name: f"<{name}>") == f"{value}|{more}{value}"

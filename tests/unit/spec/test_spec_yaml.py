"""Texts that are no YAML, or not the YAML that their author thinks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rota.model.errors import SpecError
from rota.spec import FileResult
from rota.spec.reader import read

Parse = Callable[..., FileResult]
Bad = Callable[..., SpecError]


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        (
            "run: x\nnotify:\n  - type: desktop\n    message: {{ steps.x.output }}\n",
            4,
            "a value that starts with `{{` must be quoted",
            'write `message: "{{ steps.x.output }}"`',
        ),
        ("run: {{ payload.x }} now\n", 1, "starts with `{{`", 'write `run: "{{ payload.x }} now"`'),
        ('run: {{ x | default("a") }}\n', 1, "starts with `{{`", "write `run: '{{ x | default(\"a\") }}'`"),
        ("run:\n  - {{ today }}\n", 2, "starts with `{{`", 'write `- "{{ today }}"`'),
        ("run: x\nenv: {A: {{ now }}}\n", 2, "starts with `{{`", "put it in quotes"),
        ("run: {% if x %}a{% endif %}\n", 1, "starts with `{%`", "write"),
        ("run: x\nnotify: {type: slack, webhook: ${URL}}\n", 2, "`${…}` inside", '"${NAME}"'),
        ("schedule: * * * * *\nrun: x\n", 1, "starts with `*`", 'write `schedule: "* * * * *"`'),
        ("schedule: */5 * * * *\nrun: x\n", 1, "starts with `*`", 'write `schedule: "*/5 * * * *"`'),
        ("on: [{cron: * * * * *}]\nrun: x\n", 1, "starts with `*`", 'put it in quotes: "* * * * *"'),
        ("schedule: @daily\nrun: x\n", 1, "starts with `@`", 'write `schedule: "@daily"`'),
        ("run: `date`\n", 1, "starts with a backtick", "write"),
        ("run: x\n\ttimeout: 5m\n", 2, "a tab in the indentation", "replace the tab"),
        ("description: Note: this\nrun: x\n", 1, "a text with `: ` in it must be quoted", '"Note: this"'),
        ("name weekly\nrun: x\n", 1, "`name weekly` is neither a key nor a value", "is a `:` missing"),
        ("name: x\n  run: y\n", 2, "this line is indented more", "same column"),
        ("steps:\n  - run: a\n   timeout: 4m\n", 3, "does not fit the indentation", "same column"),
        ('run: "a" b\n', 1, "text goes on after the closing quote", "below `|`"),
        ('name: "x\nrun: y\n', 1, "a quote that is opened here is never closed", None),
        ('run: "a\\qb"\n', 1, "a backslash escape", "write `\\\\`"),
        ("run: [ -f x ] && echo\n", 1, "goes on after `]`", 'write `run: "[ -f x ] && echo"`'),
        ("steps: [{run: a\n", 1, "a bracket that is opened here", None),
        ("run: x\nenv: - a\n", 2, "a list item where none can be", None),
        ("run: | grep x\n", 1, "the text after `|` starts on the next line", 'write `run: "| grep x"`'),
        ("run: x\n---\nrun: y\n", 2, "a second document starts here", "write a list"),
        ("run: a\nname: x\nrun: b\n", 3, "the key is there twice: first on line 1", None),
        ("run: !sh x\n", 1, "`!sh` is a YAML tag", "put it in quotes"),
        ("run: x\n? [a]\n: b\n", 2, "a key must be text", None),
        ('run: "a\\0b"\n', 1, "a NUL character", None),
        ('run: "a\\ud800b"\n', 1, "half of a character", None),
        ("run: \x07\n", 1, "a control character (U+0007)", "take it out"),
        ("run: x\nname: a\0b\n", 2, "the file holds a NUL character", "UTF-8"),
        ("run: x\nname: a\ufffdb\n", 2, "not valid UTF-8", "save the file as UTF-8"),
        ("", None, "the file is empty", None),
        ("# nothing yet\n", None, "nothing but comments", None),
        ("run: " + "[" * 600, None, "nested too deeply", None),
        ("a: &a [*a]\n", 1, "an alias that holds itself", None),
    ],
)
def test_yaml_that_is_wrong(
    error_of: Bad, text: str, line: int | None, message: str, hint: str | None
) -> None:
    error = error_of(text)
    assert message in error.message
    assert error.line == line
    assert "\n" not in str(error)
    if hint is not None:
        assert hint in (error.hint or "")


def test_aliases_of_aliases_do_not_explode(error_of: Bad) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert error_of("\n".join(lines)).message == "aliases grow without end"


def test_a_file_that_is_far_too_long(error_of: Bad) -> None:
    assert error_of("run: x\n" + "#" * 1_000_000).message == "the file has more than 1,000,000 characters"


def test_an_unquoted_template_does_not_hide_other_errors(parse: Parse) -> None:
    result = parse("run: x\nnotify: [{type: desktop, message: {{ a }}}]\ntimeout: x\n")
    assert [error.line for error in result.errors] == [2, 3]


def test_values_are_read_as_yaml_1_2_reads_them() -> None:
    text = "on: yes\noctal: 017\nhex: 0x1f\nhalf: 0.5\nday: 2026-01-01\nnan: .nan\nquoted: '5'\n5: x\n~: y\n"
    assert read(text, "a.yaml").data == {
        "on": "yes",
        "octal": 17,
        "hex": 31,
        "half": 0.5,
        "day": "2026-01-01",
        "nan": ".nan",
        "quoted": "5",
        "5": "x",
        "~": "y",
    }


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('{"run": "x",}', 1, "not valid JSON", "take out the comma"),
        ('{"steps": [\n  {"run": "x"},\n]}', 3, "not valid JSON", "take out the comma"),
        ("{'run': 'x'}", 1, "not valid JSON", 'JSON quotes with "'),
        ('{\n// fetch\n"run": "x"}', 2, "not valid JSON", "JSON has no comments"),
        ('{"run": "x"\n "name": "y"}', 2, "not valid JSON", "is a comma"),
        ('{"run": "x", "priority": NaN}', None, "NaN is no JSON number", None),
        ('{"run": "x", "priority": ' + "1" * 5000 + "}", None, "not valid JSON", None),
        ('{"run": "x",\n "run": "y"}', 2, "the key is there twice: first on line 1", None),
        ('{"run": "\\ud800"}', 1, "half of a character", None),
        ("[" * 100_000, None, "nested too deeply", None),
        ('"run"', 1, "expected a job, or a list of jobs", None),
    ],
)
def test_json_that_is_wrong(
    error_of: Bad, text: str, line: int | None, message: str, hint: str | None
) -> None:
    error = error_of(text, "a.json")
    assert message in error.message
    assert error.line == line
    if hint is not None:
        assert hint in (error.hint or "")


def test_lines_of_json(parse: Parse) -> None:
    result = parse(
        '[\n  {"id": "a",\n\t"run": "x",\n   "timeout": "x"},\n  {"id": "b", "run": "y"}\n]\n', "jobs.json"
    )
    assert [(error.line, error.key) for error in result.errors] == [(4, "timeout")]
    assert [(found.job.id, found.line) for found in result.jobs] == [("b", 5)]


@pytest.mark.parametrize("path", ["a.yaml", "a.json", "a.md"])
def test_no_text_raises(parse: Parse, path: str, design_job: str, design_prompt: str) -> None:
    for whole in (
        design_job,
        design_prompt,
        '[{"id": "a", "steps": [{"run": "x"}], "on": {"cron": "* * * * *"}}]',
    ):
        for cut in range(0, len(whole), 3):
            for text in (whole[:cut], whole[cut:], whole[:cut] + "{{: [*&\t" + whole[cut:]):
                result = parse(text, path)
                assert result.jobs or result.errors

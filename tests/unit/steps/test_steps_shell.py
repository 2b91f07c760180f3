from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from rota.model.config import Limits
from rota.model.errors import PathError, RotaError, StepError

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench

HOSTILE = [
    "$(touch hacked)",
    "`touch hacked`",
    "; touch hacked #",
    "' || touch hacked || '",
    '" && touch hacked && "',
    "a\nb\n\n",
    "{{7*7}} {% raw %} ${HOME} $HOME",
    "-rf --help",
    "*?[a-z]~ \\ \t !! %s",
    "naïve ☃ \u202e \U0001f4a9",
    "",
]
SHOW = "import json, sys; print(json.dumps({'argv': sys.argv[1:]}))"


@pytest.mark.parametrize("payload", HOSTILE)
def test_a_value_reaches_a_program_byte_for_byte(bench: Bench, payload: str) -> None:
    as_list = bench.done(
        {"run": [sys.executable, "-c", SHOW, "{{ payload.x }}", "<{{payload.x}}>"]},
        values={"payload": {"x": payload}},
    )
    assert as_list.values["argv"] == [payload, f"<{payload}>"]

    bench.file("show.py", SHOW)
    as_text = bench.done(
        {"run": f"{sys.executable} show.py {{{{ payload.x }}}}"}, values={"payload": {"x": payload}}
    )
    assert as_text.values["argv"] == [payload]
    assert not (bench.workspace / "hacked").exists()


def test_the_output_is_stdout_without_its_last_newline(bench: Bench) -> None:
    result = bench.done({"run": "echo one; echo two; echo noise >&2"})
    assert result.output == "one\ntwo"
    assert result.exit_code == 0
    assert b"noise" in bench.log


def test_a_text_of_several_lines_stops_at_the_first_that_fails(bench: Bench) -> None:
    result = bench.failed({"run": "echo before\nfalse\ntouch after"})
    assert result.output == "before"
    assert not (bench.workspace / "after").exists()


def test_with_bash_a_failing_part_of_a_pipe_fails(bench: Bench) -> None:
    assert bench.failed({"run": "false | cat", "shell": "bash"}).exit_code == 1
    assert bench.done({"run": "false | cat"}).exit_code == 0


def test_a_failure_ends_with_the_last_words_of_stderr(bench: Bench) -> None:
    result = bench.failed(
        {"run": "echo out; echo first >&2; printf '\\033[31mno such table\\033[0m\\n\\n' >&2; exit 3"}
    )
    assert (result.reason.code, result.reason.text) == ("exit_nonzero", "exit code 3: no such table")
    assert (result.exit_code, result.retry) == (3, True)


def test_other_exit_codes_can_be_success(bench: Bench) -> None:
    assert bench.done({"run": "exit 1", "ok_codes": [0, 1]}).exit_code == 1
    assert bench.failed({"run": "exit 0", "ok_codes": [1]}).exit_code == 0


def test_a_signal_is_told_from_an_exit_code(bench: Bench) -> None:
    result = bench.failed({"run": [sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"]})
    assert (result.reason.code, result.reason.text) == ("killed", "ended by SIGTERM")
    assert result.exit_code is None


def test_names_come_from_the_output_file(bench: Bench) -> None:
    result = bench.done(
        {"run": "echo '{\"ignored\": 1}'\n"
         "printf 'new_items=3\\ntitle=A = b\\nflags={\"a\": [1]}\\nzip=007\\nbig=1e999\\n\\nnot a pair\\n' >> $ROTA_OUTPUT"}
    )  # fmt: skip
    assert result.values == {
        "new_items": 3,
        "title": "A = b",
        "flags": {"a": [1]},
        "zip": "007",
        "big": "1e999",
    }
    assert b"not a line `name=value`: 'not a pair'" in bench.log


def test_a_json_object_on_stdout_puts_out_its_keys(bench: Bench) -> None:
    assert bench.done({"run": "echo '{\"new_recordings\": 2}'"}).values == {"new_recordings": 2}
    assert bench.done({"run": "echo '[1]'"}).values == {}
    assert bench.done({"run": "echo '{\"cut\": '"}).values == {}


def test_output_beyond_the_cap_is_cut_and_says_so(bench: Bench) -> None:
    bench.settings(limits=replace(Limits(), value=10))
    result = bench.done({"run": 'printf \'{"aé": "ééé"}\''})
    assert result.output.startswith('{"aé": "')
    assert result.output.endswith("more bytes left out]")
    assert result.values == {}
    assert b"more than 10 bytes were printed" in bench.log


def test_bytes_that_are_no_text_do_not_fail_a_step(bench: Bench) -> None:
    assert bench.done({"run": "printf 'a\\377b'"}).output == "a\ufffdb"


def test_a_stored_secret_is_in_the_environment_of_the_command_that_names_it(bench: Bench) -> None:
    bench.secrets.stored = {"TOKEN": "s3cret", "OTHER": "x"}
    result = bench.done(
        {"run": 'echo "${TOKEN} $OTHER_ ${OTHER:-none}" {{ payload.x }}'}, values={"payload": {"x": "$TOKEN"}}
    )
    assert result.output == "s3cret  x $TOKEN"
    command = bench.processes.commands[0]
    assert "s3cret" not in " ".join(command.argv)
    bench.done({"run": "true {{ payload.x }}"}, values={"payload": {"x": "${TOKEN}"}})
    assert "TOKEN" not in bench.processes.commands[1].env


def test_a_secret_is_never_put_into_an_argument(bench: Bench) -> None:
    bench.secrets.stored = {"TOKEN": "s3cret"}
    result = bench.done({"run": ["sh", "-c", 'echo "$TOKEN"; echo $1', "-", "${TOKEN}"]})
    assert result.output == "s3cret\n${TOKEN}"
    assert b"TOKEN: in the command's environment" in bench.log


def test_stdin_is_rendered_and_stored_secrets_are_filled_in(bench: Bench) -> None:
    bench.secrets.stored = {"TOKEN": "s3cret"}
    result = bench.done(
        {"run": "cat", "stdin": "{{ payload.x }} ${TOKEN} ${HOME}"},
        values={"payload": {"x": "a\0b ${TOKEN}"}},
    )
    assert result.output == "a\0b ${TOKEN} s3cret ${HOME}"


def test_a_command_without_stdin_reads_nothing(bench: Bench) -> None:
    assert bench.done({"run": "cat"}).output == ""


def test_cwd_is_a_folder_of_the_workspace(bench: Bench) -> None:
    (bench.workspace / "sub").mkdir()
    assert bench.done({"run": "pwd", "cwd": "sub"}).output.endswith("/workspace/sub")
    for bad in ("../", "/tmp", "missing"):
        with pytest.raises(PathError):
            bench.run({"run": "pwd", "cwd": bad})


@pytest.mark.parametrize(
    ("value", "words"), [("a\0b", "NUL"), ("\ud800", "surrogate|Unicode"), ("x" * 200_000, "too long")]
)
def test_what_no_program_can_be_given_is_a_clear_failure(bench: Bench, value: str, words: str) -> None:
    for run in (["echo", "{{ payload.x }}"], "echo {{ payload.x }}"):
        with pytest.raises(RotaError, match=words) as caught:
            bench.run({"run": run}, values={"payload": {"x": value}})
        assert caught.value.permanent


def test_a_list_takes_numbers_and_refuses_what_is_no_argument(bench: Bench) -> None:
    assert bench.done({"run": ["echo", 5, 1.5]}).output == "5 1.5"
    for bad in ([], [True], [None], [["a"]], "", "  \n", None, {"a": 1}):
        with pytest.raises(ValidationError):
            bench.run({"run": bad})
    with pytest.raises(StepError, match="empty"):
        bench.run({"run": ["{{ payload.x }}"]}, values={"payload": {"x": ""}})


def test_the_file_for_names_is_gone_afterwards(bench: Bench) -> None:
    path = json.loads(bench.done({"run": 'echo "\\"$ROTA_OUTPUT\\""'}).output)
    assert bench.done({"run": ["test", "!", "-e", path]}).exit_code == 0

"""The command source: programs that print lines of JSON, and programs that do not."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.rota import alive

from rota.model.errors import StepError
from rota.sources import command


def pull(workspace: Path, run: str | list[str], cursor: Any = None, **config: Any) -> dict[str, Any]:
    return command.pull({"command": run, **config}, str(workspace), cursor, "cli")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_each_line_is_an_item(tmp_path: Path) -> None:
    lines = '{"id": 7, "version": 2, "title": "One", "url": "https://h/7", "more": [1]}\n\n{"name": "Two"}\n'
    (tmp_path / "lines").write_text(lines)
    answer = pull(tmp_path, ["cat", "lines"])
    one, two = answer["items"]
    assert one == {
        "id": "7",
        "version": "2",
        "title": "One",
        "url": "https://h/7",
        "more": [1],
        "change": "new",
    }
    assert (two["title"], len(two["id"]), two["id"] == two["version"]) == ("Two", 20, True)
    assert answer["text"] == "- [One](<https://h/7>)\n- Two\n"


def test_a_list_is_read_like_lines(tmp_path: Path) -> None:
    answer = pull(tmp_path, ["echo", '[\n {"id": "a"},\n {"id": "b"}\n]'])
    assert [one["id"] for one in answer["items"]] == ["a", "b"]


def test_only_what_is_new_or_changed_comes_again(tmp_path: Path) -> None:
    first = pull(tmp_path, ["echo", '{"id": "a", "n": 1}\n{"id": "b"}'])
    second = pull(tmp_path, ["echo", '{"id": "a", "n": 2}\n{"id": "b"}'], first["cursor"])
    assert [(one["id"], one["change"]) for one in second["items"]] == [("a", "changed")]
    assert len(pull(tmp_path, ["echo", '{"id": "a", "n": 2}'], second["cursor"], all=True)["items"]) == 1


def test_a_program_may_keep_its_own_place(tmp_path: Path) -> None:
    script = 'echo "{\\"was\\": \\"$ROTA_CURSOR\\", \\"id\\": \\"x$ROTA_CURSOR\\"}"; echo "{\\"cursor\\": 5}"'
    first = pull(tmp_path, script)
    assert first["items"][0]["was"] == ""
    second = pull(tmp_path, script, first["cursor"])
    assert second["items"][0]["was"] == "5"


def test_more_than_the_most_waits_for_the_next_look(tmp_path: Path) -> None:
    lines = "".join(f'{{"id": "{n}"}}\n' for n in range(5))
    (tmp_path / "lines").write_text(lines)
    first = pull(tmp_path, ["cat", "lines"], most=3)
    assert "2 more items" in first["note"]
    second = pull(tmp_path, ["cat", "lines"], first["cursor"], most=3)
    assert [one["id"] for one in [*first["items"], *second["items"]]] == ["0", "1", "2", "3", "4"]


def test_bad_lines_are_named_and_the_others_count(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text('{"id": "a"}\nWarning: x\n[1]\n{"id": "b"}\n')
    answer = pull(tmp_path, ["cat", "lines"])
    assert [one["id"] for one in answer["items"]] == ["a", "b"]
    assert answer["note"] == "line 2 is not JSON: Warning: x; line 3 is not a JSON object: [1]"
    assert answer["unchanged"] is False


def test_no_good_line_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="line 1 is not JSON: usage: x") as failure:
        pull(tmp_path, ["echo", "usage: x"])
    assert failure.value.permanent


def test_nothing_printed_is_nothing_new(tmp_path: Path) -> None:
    answer = pull(tmp_path, "true")
    assert (answer["items"], answer["unchanged"]) == ([], True)


def test_output_that_is_not_text(tmp_path: Path) -> None:
    answer = pull(
        tmp_path, python('import sys; sys.stdout.buffer.write(b\'{"id": "\\xff\\x00"}\\n{"id": "b"}\\n\')')
    )
    assert answer["items"][-1]["id"] == "b"


def test_the_exit_code_and_the_complaint_are_told(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="the command of 'cli' exited with 3: no t0ken") as failure:
        pull(tmp_path, "echo first >&2; echo 'no t0ken' >&2; exit 3")
    assert (failure.value.code, failure.value.permanent) == ("exit_nonzero", False)
    assert pull(tmp_path, 'echo "{}"; exit 3', ok_codes=[0, 3])["items"]
    with pytest.raises(StepError, match="was ended by signal 15"):
        pull(tmp_path, "kill $$")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="cannot be started") as failure:
        pull(tmp_path, ["no-such-program"])
    assert (failure.value.code, failure.value.permanent) == ("not_started", True)
    with pytest.raises(StepError, match="exited with 127") as failure:
        pull(tmp_path, "no-such-program")
    assert failure.value.permanent


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"{sys.executable} -c 'import time; time.sleep(600)' & echo $! > child; wait"
    with pytest.raises(StepError, match="did not end within 1 s") as failure:
        pull(tmp_path, script, give_up_after=1)
    assert (failure.value.code, failure.value.permanent) == ("timeout", False)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 30
    while alive(child):
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.02)


def test_a_child_that_holds_the_output_does_not_hold_the_look(tmp_path: Path) -> None:
    assert pull(tmp_path, 'sleep 600 & echo \'{"id": "a"}\'')["items"][0]["id"] == "a"


def test_a_program_that_prints_for_ever_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="printed more than 10 MB") as failure:
        pull(tmp_path, ["yes", '{"id": "a"}'])
    assert failure.value.code == "too_long"


def test_it_runs_where_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    answer = pull(tmp_path, 'printf \'{"id": "%s"}\' "$PWD"', cwd="sub")
    assert answer["items"][0]["id"] == str(tmp_path / "sub")
    for folder in ("none", "../..", "/"):
        with pytest.raises(StepError, match="is not a folder of the workspace"):
            pull(tmp_path, "true", cwd=folder)


def test_secrets_in_its_environment_are_not_in_its_complaint(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"bad token \*\*\*") as failure:
        pull(tmp_path, 'echo "bad token $TOKEN" >&2; exit 1', env={"TOKEN": "s3cret-c4nary"})
    assert "s3cret" not in str(failure.value)


def test_notes_where_it_is_said(tmp_path: Path) -> None:
    (path,) = pull(tmp_path, ["echo", '{"id": "a", "title": "A", "text": "# Hi"}'], into="notes")["files"]
    assert (tmp_path / path).read_text() == "---\ntitle: A\nsource: cli\nsource_id: a\n---\n\n# Hi\n"


def test_what_is_too_much_for_one_answer_comes_in_several(tmp_path: Path) -> None:
    code = "import json\nfor n in range(40): print(json.dumps({'id': str(n), 'text': 'x' * 200_000}))\nprint('{\"cursor\": 1}')"
    cursor, found = None, []
    for _ in range(10):
        answer = pull(tmp_path, python(code), cursor)
        cursor = answer["cursor"]
        assert len(json.dumps(answer)) < 4_000_000
        found += [one["id"] for one in answer["items"]]
        if not answer["note"]:
            break
        assert cursor["program"] is None, "its place stays until all is told"
    assert found == [str(n) for n in range(40)]
    assert cursor is not None
    assert cursor["program"] == 1


def test_one_item_that_is_too_much_is_cut(tmp_path: Path) -> None:
    code = "import json\nprint(json.dumps({'id': 'a', 'text': 'x' * 5_000_000, 'more': {'b': ['y' * 100]}}))"
    (one,) = pull(tmp_path, python(code))["items"]
    assert len(one["text"]) < 11_000
    assert one["more"] == {"b": ["y" * 100]}
    code = "import json\nprint(json.dumps({'id': 'a', 'text': 'x', 'more': list(range(900_000))}))"
    (one,) = pull(tmp_path, python(code))["items"]
    assert "more" not in one
    assert one["text"] == "x"

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rota.model.errors import PathError, StepError

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


def test_the_extension_says_what_runs_a_script(bench: Bench) -> None:
    bench.file("scripts/a.py", "import sys; print('py', *sys.argv[1:])")
    bench.file(".rota/scripts/b.sh", 'echo sh "$@"')
    assert bench.done({"script": "scripts/a.py", "args": ["x y", 2]}).output == "py x y 2"
    assert bench.done({"script": ".rota/scripts/b.sh", "args": ["$(id)"]}).output == "sh $(id)"


def test_a_script_runs_in_the_workspace_and_puts_out_names(bench: Bench) -> None:
    bench.file("scripts/a.sh", "pwd; echo count=2 >> $ROTA_OUTPUT")
    result = bench.done({"script": "scripts/a.sh"})
    assert result.output == str(bench.workspace)
    assert result.values == {"count": 2}


@pytest.mark.parametrize("first", ["#!/bin/sh", "#!/usr/bin/env sh", "#! /bin/sh -u", "#!/usr/bin/env sh\r"])
@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_shebang_goes_before_the_extension(bench: Bench, first: str, mode: int) -> None:
    bench.file("scripts/a.py", f"{first}\necho from a shell\n", mode)
    assert bench.done({"script": "scripts/a.py"}).output == "from a shell"


def test_an_interpreter_that_is_missing_is_named(bench: Bench) -> None:
    bench.file("scripts/a", "#!/usr/bin/env no-such-thing\n", 0o755)
    with pytest.raises(StepError, match="run by no-such-thing, which is not installed") as caught:
        bench.run({"script": "scripts/a"})
    assert caught.value.permanent
    bench.file("scripts/b.ts", "console.log(1)")
    bench.env["PATH"] = "/nonexistent"
    with pytest.raises(StepError, match="nothing that runs TypeScript"):
        bench.run({"script": "scripts/b.ts"})


def test_a_file_that_nothing_runs_says_what_to_do(bench: Bench) -> None:
    bench.file("scripts/notes.txt", "hello")
    with pytest.raises(StepError, match="nothing says what runs it"):
        bench.run({"script": "scripts/notes.txt"})


def fake_program(bench: Bench, name: str, text: str) -> None:
    bench.file(f"bin/{name}", f"#!/bin/sh\n{text}\n", 0o755)
    bench.env["PATH"] = str(bench.workspace / "bin")


def test_typescript_takes_the_first_program_that_can(bench: Bench) -> None:
    bench.file("scripts/a.ts", "")
    fake_program(bench, "deno", 'echo deno "$1" "$2"')
    assert bench.done({"script": "scripts/a.ts"}).output == "deno run -A"
    fake_program(bench, "bun", "echo bun")
    assert bench.done({"script": "scripts/a.ts"}).output == "bun"
    fake_program(bench, "node", 'if [ "$1" = --version ]; then echo v22.5.1; fi')
    assert bench.done({"script": "scripts/a.ts"}).output == "bun"
    fake_program(bench, "node", 'if [ "$1" = --version ]; then echo v22.6.0; else echo node $1; fi')
    assert bench.done({"script": "scripts/a.ts"}).output == "node --experimental-strip-types"
    fake_program(bench, "tsx", "echo tsx")
    assert bench.done({"script": "scripts/a.ts"}).output == "tsx"
    bench.file("node_modules/.bin/tsx", "#!/bin/sh\necho own tsx\n", 0o755)
    assert bench.done({"script": "scripts/a.ts"}).output == "own tsx"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_runs_with_node(bench: Bench) -> None:
    bench.file("scripts/a.mjs", "console.log('js', process.argv[2])")
    assert bench.done({"script": "scripts/a.mjs", "args": ["x"]}).output == "js x"


@pytest.mark.parametrize(
    "path",
    [
        "../outside.sh",
        "scripts/../secret.sh",
        "scripts/../../outside.sh",
        "/bin/sh",
        "~/x.sh",
        "other/x.sh",
        "scripts",
        "scripts/link.sh",
        "scripts/linked/outside.sh",
        "scripts/a\0.sh",
        ".rota/jobs/x.sh",
        "scripts/loop.sh",
        "scripts/" + "x" * 5000,
    ],
)
def test_a_script_outside_the_script_folders_is_refused(bench: Bench, path: str) -> None:
    (bench.workspace.parent / "outside.sh").write_text("touch hacked")
    for name in ("secret.sh", "other/x.sh", ".rota/jobs/x.sh", "scripts/ok.sh"):
        bench.file(name, "touch hacked")
    (bench.workspace / "scripts" / "link.sh").symlink_to(bench.workspace.parent / "outside.sh")
    (bench.workspace / "scripts" / "linked").symlink_to(bench.workspace.parent)
    (bench.workspace / "scripts" / "loop.sh").symlink_to("loop.sh")
    with pytest.raises(PathError) as caught:
        bench.run({"script": path})
    assert caught.value.hint
    assert not (bench.workspace / "hacked").exists()


def test_the_refusal_names_the_folders(bench: Bench) -> None:
    bench.settings(script_folders=("tools",))
    bench.file("scripts/a.sh")
    with pytest.raises(PathError) as caught:
        bench.run({"script": "scripts/a.sh"})
    assert "tools/" in (caught.value.hint or "")


def test_a_script_folder_that_leads_out_allows_nothing(bench: Bench) -> None:
    (bench.workspace.parent / "x.sh").write_text("touch hacked")
    bench.settings(script_folders=("..", "/"))
    with pytest.raises(PathError):
        bench.run({"script": "../x.sh"})


def test_a_missing_script_offers_one_that_is_there(bench: Bench) -> None:
    bench.file("scripts/deep/clean_tmp.py")
    with pytest.raises(PathError, match="there is no script") as caught:
        bench.run({"script": "scripts/clean-tmp.py"})
    assert caught.value.hint == "did you mean scripts/deep/clean_tmp.py?"


def test_a_link_inside_the_script_folders_is_followed(bench: Bench) -> None:
    bench.file("scripts/real.sh", "echo real")
    (bench.workspace / "scripts" / "alias.sh").symlink_to("real.sh")
    assert bench.done({"script": "scripts/alias.sh"}).output == "real"

"""The builtin agent without a model: its settings, its files, its pages, its conversation on disk."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart

from rota.model.agent import Denial, Permissions
from rota.model.config import AgentConfig, WorkspaceConfig
from rota.model.errors import RotaError, StepError
from rota.ports.agents import RunnerContext
from rota.runners.builtin import BuiltinRunner
from rota.runners.builtin_answers import fault_of
from rota.runners.builtin_keys import BuiltinKeys, choose
from rota.runners.builtin_line import Line, open_line
from rota.runners.builtin_talk import NOT_BEGUN, UNKNOWN, Talk, prune
from rota.runners.builtin_tools import DeniedError, Did, Place, Tool
from rota.runners.builtin_tools_files import file_tools
from rota.runners.builtin_tools_web import web_tools


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def config(root: Path | str = "", **settings: Any) -> WorkspaceConfig:
    return WorkspaceConfig(agent=AgentConfig(settings={"builtin": settings}), root=str(root))


@pytest.mark.parametrize(
    ("settings", "model", "known", "expected"),
    [
        ({}, "claude-sonnet-5-5", (), "anthropic:claude-sonnet-5-5"),
        ({}, "gpt-6", (), "openai-responses:gpt-6"),
        ({}, "openai:gpt-6", (), "openai:gpt-6"),
        ({}, "o3", ("ANTHROPIC_API_KEY",), "openai-responses:o3"),
        ({}, "mystery", ("ANTHROPIC_API_KEY",), "anthropic:mystery"),
        ({"base_url": "http://127.0.0.1:11434/v1"}, "llama3:8b", ("ANTHROPIC_API_KEY",), "openai:llama3:8b"),
        ({"provider": "anthropic"}, "mystery", ("OPENAI_API_KEY",), "anthropic:mystery"),
        ({"model": "anthropic:claude-x"}, None, (), "anthropic:claude-x"),
        ({"model": "claude-x"}, "gpt-6", (), "openai-responses:gpt-6"),
    ],
)
def test_which_api_and_model_are_asked(
    settings: dict[str, Any], model: str | None, known: tuple[str, ...], expected: str
) -> None:
    choice = choose(BuiltinKeys(**settings), model, known)
    assert f"{choice.provider}:{choice.model}" == expected


def test_a_model_of_another_api_does_not_get_the_settings_key_and_address() -> None:
    keys = BuiltinKeys(provider="openai", base_url="http://127.0.0.1/v1", key="${MINE}")
    assert choose(keys, "openai:x", ()).own
    assert not choose(keys, "anthropic:claude-x", ()).own


def test_it_is_set_up_where_a_key_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = BuiltinRunner()
    assert not runner.configured(config())
    assert runner.configured(config(base_url="http://127.0.0.1:11434/v1"))
    assert not runner.configured(config(key="${MINE}"))
    (tmp_path / ".rota").mkdir()
    (tmp_path / ".rota/secrets.json").write_text('{"ANTHROPIC_API_KEY": "x"}')
    assert runner.configured(config(tmp_path))
    assert not runner.configured(config(tmp_path, provider="openai"))
    (tmp_path / ".rota/secrets.json").write_text("[broken")
    assert not runner.configured(config(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert runner.configured(config())
    monkeypatch.setattr("rota.runners.builtin.find_spec", lambda _name: None)
    assert not runner.configured(config())


def test_what_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def state(*secrets: str) -> Any:
        return asyncio.run(BuiltinRunner().state(RunnerContext(config(model="m"), {}, frozenset(secrets))))

    there = state("ANTHROPIC_API_KEY")
    assert (there.found, there.model, there.key, there.missing) == (True, "m", True, None)
    assert there.version
    assert "rota secret set ANTHROPIC_API_KEY" in state().missing
    monkeypatch.setattr("rota.runners.builtin.find_spec", lambda _name: None)
    assert (state().found, "pip install" in state().missing) == (False, True)


def test_the_daemon_imports_no_library_for_models() -> None:
    program = (
        "import sys, rota.runners.registry as r, rota.app.daemon\n"
        "from rota.model.config import WorkspaceConfig\n"
        "[runner.configured(WorkspaceConfig()) for runner in r.RUNNERS.values()]\n"
        "heavy = {'pydantic_ai', 'anthropic', 'openai', 'mcp', 'fastmcp', 'httpx2', 'genai_prices'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def place(root: Path, **permissions: tuple[str, ...]) -> Place:
    return Place(root, Permissions(**cast("Any", permissions)), (), cast("Line", None), {})


def use(tools: list[Tool], name: str, **given: Any) -> Did:
    tool = next(tool for tool in tools if tool.name == name)

    async def call() -> Did:
        return await tool.use(given)

    return asyncio.run(call())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = (tmp_path / "work").resolve()
    (found / ".rota/jobs").mkdir(parents=True)
    (found / "notes").mkdir()
    (found / "notes/a.md").write_text("one\ntwo\nthree\n")
    (found / ".rota/secrets.json").write_text("{}")
    (tmp_path / "outside.md").write_text("secret")
    return found


def test_files_are_read_in_pieces(root: Path) -> None:
    tools = file_tools(place(root))
    assert use(tools, "read", path="notes/a.md").text == "one\ntwo\nthree\n"
    assert (
        use(tools, "read", path=f"{root}/notes/a.md", first=2, lines=1).text == "two\n\n[lines 2 to 2 of 3]"
    )
    (root / "picture.png").write_bytes(b"\x89PNG\0\0")
    with pytest.raises(StepError, match="is no text"):
        use(tools, "read", path="picture.png")
    with pytest.raises(StepError, match="there is no other"):
        use(tools, "read", path="other")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.md",
        "/etc/passwd",
        "~/x",
        "link.md",
        "door/secrets.json",
        ".rota/secrets.json",
        ".rota/rota.yaml",
    ],
)
def test_nothing_outside_and_nothing_of_rotas_is_read(root: Path, path: str) -> None:
    (root / "link.md").symlink_to(root.parent / "outside.md")
    (root / "door").symlink_to(root / ".rota")
    with pytest.raises(StepError):
        use(file_tools(place(root)), "read", path=path)


def test_what_is_written_is_allowed_wherever_its_links_lead(root: Path) -> None:
    tools = file_tools(place(root, write=("now/**", "door/**", "alias/**")))
    assert use(tools, "write", path="now/deep/x.md", content="a\nb\n").note == "2 lines written"
    assert (root / "now/deep/x.md").read_text() == "a\nb\n"
    (root / "alias").symlink_to(root / "notes")
    (root / "door").symlink_to(root / ".rota/jobs")
    with pytest.raises(DeniedError) as raised:
        use(tools, "write", path="alias/a.md", content="x")
    assert raised.value.denial == Denial("write", "notes/a.md")
    with pytest.raises(StepError, match="not for agents to write"):
        use(tools, "write", path="door/new.yaml", content="x")
    with pytest.raises(DeniedError):
        use(tools, "write", path="notes/a.md", content="x")
    assert (root / "notes/a.md").read_text() == "one\ntwo\nthree\n"


def test_an_edit_replaces_what_stands_there_once(root: Path) -> None:
    tools = file_tools(place(root, write=("notes/*",)))
    use(tools, "edit", path="notes/a.md", old="two", new="2")
    assert (root / "notes/a.md").read_text() == "one\n2\nthree\n"
    with pytest.raises(StepError, match="3 times"):
        use(tools, "edit", path="notes/a.md", old="e", new="E")
    with pytest.raises(StepError, match="does not stand in"):
        use(tools, "edit", path="notes/a.md", old="four", new="4")
    use(tools, "edit", path="notes/a.md", old="e", new="E", all=True)
    assert (root / "notes/a.md").read_text() == "onE\n2\nthrEE\n"


def test_folders_are_listed_without_what_is_rotas_own(root: Path) -> None:
    tools = file_tools(place(root))
    assert use(tools, "list").text == ".rota/\nnotes/"
    assert use(tools, "list", path=".rota").text == ".rota/jobs/"
    assert use(tools, "list", pattern="**/*.md").text == "notes/a.md"
    with pytest.raises(RotaError):
        use(tools, "list", pattern="../*")


class Pages(BaseHTTPRequestHandler):
    pages: Mapping[str, tuple[int, dict[str, str], bytes]] = {}

    def do_GET(self) -> None:
        status, headers, body = self.pages.get(self.path, (404, {}, b"nothing"))
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name in the base class
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    port = server.server_address[1]
    Pages.pages = {
        "/page": (
            200,
            {"content-type": "text/html"},
            b"<h1>Title</h1><script>x()</script><p>Some <b>words</b></p>",
        ),
        "/away": (302, {"location": f"http://localhost:{port}/page"}, b""),
        "/round": (302, {"location": "/round"}, b""),
        "/large": (200, {"content-type": "text/plain"}, b"x" * 2_000_001),
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_of_an_allowed_host_comes_as_markdown(root: Path, site: str) -> None:
    tools = web_tools(place(root, net=("127.0.0.1",)))
    assert use(tools, "fetch", url=f"{site}/page").text == "# Title\n\nSome **words**"
    with pytest.raises(StepError, match="404 Not Found: nothing"):
        use(tools, "fetch", url=f"{site}/missing")
    with pytest.raises(StepError, match="larger than 2 MB"):
        use(tools, "fetch", url=f"{site}/large")
    with pytest.raises(StepError, match="redirects more than"):
        use(tools, "fetch", url=f"{site}/round")


def test_each_redirect_is_judged_anew(root: Path, site: str) -> None:
    tools = web_tools(place(root, net=("127.0.0.1",)))
    with pytest.raises(DeniedError) as raised:
        use(tools, "fetch", url=f"{site}/away")
    assert raised.value.denial.what == site.replace("http://127.0.0.1", "localhost")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/x", "http://", "127.0.0.1", "http://u:p@127.0.0.1/", "http://[/x"]
)
def test_what_is_no_address(root: Path, url: str) -> None:
    with pytest.raises(StepError, match="is no address"):
        use(web_tools(place(root, net=("127.0.0.1",))), "fetch", url=url)


def test_a_star_does_not_mean_this_machine(root: Path, site: str) -> None:
    with pytest.raises(DeniedError):
        use(web_tools(place(root, net=("*",))), "fetch", url=f"{site}/page")


def test_a_public_name_that_leads_home_is_denied(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_args: Any, **_kwargs: Any) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    with pytest.raises(DeniedError, match="leads into a private network"):
        use(web_tools(place(root, net=("*",))), "fetch", url="http://rebound.example.com/")


def response(*calls: str) -> ModelResponse:
    return ModelResponse(
        [TextPart("I will."), *(ToolCallPart("run", {"command": name}, name) for name in calls)]
    )


def test_a_conversation_is_on_disk_after_each_change(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    talk = Talk.load(path, "r:s")
    assert not talk.goes_on("r:s")
    talk.begin("r:s", "Do it. \ud800", "Be brief.")
    talk.answered(response("a", "b"))
    talk.note_begun(talk.open_calls()[0])
    again = Talk.load(path, "other")
    assert again.goes_on("r:s")
    assert not again.goes_on("r2:s")
    first, second = again.open_calls()
    assert (again.has_begun(first), again.has_begun(second), again.told) == (True, False, False)
    again.settle(first, "done", "success")
    assert [call.tool_call_id for call in Talk.load(path, "").open_calls()] == ["b"]


def test_another_prompt_closes_what_was_left_open(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    talk = Talk.load(path, "r:s")
    talk.begin("r:s", "Do it.", "")
    talk.answered(response("a", "b"))
    talk.note_begun(talk.open_calls()[0])
    again = Talk.load(path, "")
    again.begin("r2:s", "Another thing.", "")
    told = [getattr(part, "content", None) for part in again.last.parts]
    assert told == [UNKNOWN, NOT_BEGUN, "Another thing."]
    assert (again.denied, again.calls, again.over) == ([], 0, False)


def test_a_prompt_of_another_step_that_got_no_answer_is_not_asked_again(tmp_path: Path) -> None:
    talk = Talk.load(tmp_path / "talk.json", "r:s")
    talk.begin("r:s", "Pay the bill.", "")
    talk.begin("r2:s", "Say hello.", "")
    assert [getattr(part, "content", None) for part in talk.last.parts] == ["Say hello."]
    assert len(talk.messages) == 1


def test_conversations_that_nobody_goes_on_with_go_after_a_while(tmp_path: Path) -> None:
    for name in ("old", "new"):
        Talk.load(tmp_path / f"{name}.json", "r:s").save()
    os.utime(tmp_path / "old.json", (1, 1))
    prune(tmp_path, 86_400.0)
    assert [path.name for path in tmp_path.iterdir()] == ["new.json"]


@pytest.mark.parametrize("text", ["", "[1]", '{"messages": 3}', '{"messages": [], "unknown": 1}'])
def test_a_file_that_is_no_conversation(tmp_path: Path, text: str) -> None:
    path = tmp_path / "talk.json"
    path.write_text(text)
    with pytest.raises(StepError, match="cannot be read") as raised:
        Talk.load(path, "")
    assert "session: fresh" in str(raised.value.hint)


def test_an_answer_is_held_against_the_schema() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert fault_of("[1, 2]", schema) == ([1, 2], None)
    assert fault_of("```json\n[1]\n```", schema) == ([1], None)
    assert fault_of("", schema)[1] == "the answer is empty"
    assert fault_of('[1, "x"]', schema)[1] == "`$[1]` does not fit the schema: 'x' is not of type 'integer'"
    with pytest.raises(StepError, match="is no JSON Schema"):
        fault_of("1", {"type": "number-like"})


def test_the_line_is_private_and_carries_errors() -> None:
    async def refuse(_told: Mapping[str, Any]) -> None:
        raise StepError("not today", code="denied", hint="tomorrow", permanent=True)

    async def double(told: Mapping[str, Any]) -> int:
        return int(told["number"]) * 2

    async def main() -> None:
        async with open_line({"double": double, "refuse": refuse}) as path:
            folder = Path(path).parent
            assert folder.stat().st_mode & 0o777 == 0o700
            async with Line.open(path) as line:
                assert await line.ask("double", number=21) == 42
                with pytest.raises(StepError, match="not today") as raised:
                    await line.ask("refuse")
                assert (raised.value.code, raised.value.hint) == ("denied", "tomorrow")
        assert not folder.exists()

    asyncio.run(main())


def test_lines_that_a_killed_daemon_left_go_and_deep_folders_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look() -> Path:
        async with open_line({}) as path:
            return Path(path)

    left = tmp_path / "rota-line-left"
    left.mkdir()
    os.utime(left, (1, 1))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asyncio.run(look())
    assert not left.exists() or len(str(tmp_path)) > 75
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("deep" * 30)))
    assert asyncio.run(look()).is_relative_to("/tmp")

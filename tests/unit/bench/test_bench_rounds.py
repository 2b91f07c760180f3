"""Who is measured and when, who is left out and why; nothing is timed here."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from bench import envs, ours
from bench.__main__ import main
from bench.entrants import PEERS, Entrant, LeftOutError, Peer, PeerSize, Scenario, peer, rota
from bench.figures import BY_NAME, percentiles, summaries
from bench.rounds import QUICK_TURNS, Rounds

BENCH = Path(envs.__file__).parent


def loaded(path: Path) -> ModuleType:
    """A script of the peers, which are no package."""
    spec = importlib.util.spec_from_file_location("bench_peer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_peer"] = module
    spec.loader.exec_module(module)
    return module


def entrant(name: str, said: list[str], *scenarios: str) -> Entrant:
    def made(scenario: str) -> Scenario:
        def measure(_folder: Path) -> Mapping[str, float]:
            said.append(f"{name} {scenario}")
            return {scenario: float(len(said))}

        return measure

    return Entrant(name, durable=True, scenarios={scenario: made(scenario) for scenario in scenarios})


def rounds(entrants: Sequence[Entrant], work: Path, **turns: int) -> Rounds:
    return Rounds(entrants, {}, lambda _line: None, work=work, turns=turns)


# Percentiles


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0], (5.0, 5.0)),
        ([3.0, 1.0, 2.0], (2.0, 3.0)),
        ([float(n) for n in range(100)], (50.0, 99.0)),
        ([float(n) for n in range(1000)], (500.0, 990.0)),
    ],
)
def test_percentiles_are_the_same_for_rota_and_its_peers(
    values: list[float], expected: tuple[float, float]
) -> None:
    assert percentiles(values) == expected
    assert loaded(BENCH / "peers" / "peer.py").percentiles(values) == expected


def test_a_summary_is_of_the_rounds_that_have_the_figure() -> None:
    found = summaries([{"python": 3.0}, {"python": 1.0, "shell": 7.0}, {"python": 2.0}])
    assert (found["python"].low, found["python"].median, found["python"].high) == (1.0, 2.0, 3.0)
    assert found["shell"].values == (7.0,)


# Turns


def test_each_scenario_goes_round_before_the_next_one(tmp_path: Path) -> None:
    said: list[str] = []
    both = [
        entrant("limits", said, "spawns"),
        entrant("rota", said, "python", "idle"),
        entrant("huey", said, "python"),
    ]
    reports = list(rounds(both, tmp_path, idle=1).run(2))
    once = ["limits spawns", "rota python", "huey python"]
    assert said == [*once, "rota idle", *once]
    assert len(reports) == 2
    assert len(reports[-1].of("rota")["python"].values) == 2
    assert len(reports[-1].of("rota")["idle"].values) == 1


def test_who_fails_a_scenario_goes_on_with_the_others(tmp_path: Path) -> None:
    said: list[str] = []
    broken = entrant("rota", said, "python", "shell")

    def fails(_folder: Path) -> Mapping[str, float]:
        said.append("broken")
        raise RuntimeError("not every run succeeded")

    broken.scenarios = {**broken.scenarios, "python": fails}
    *_, report = rounds([broken, entrant("huey", said, "python")], tmp_path).run(2)
    assert report.failed == {"rota python": "RuntimeError: not every run succeeded"}
    assert said == ["broken", "huey python", "rota shell", "huey python", "rota shell"]


def test_who_cannot_run_here_is_left_out_by_name_and_reason(tmp_path: Path) -> None:
    def absent(_folder: Path) -> Mapping[str, float]:
        raise LeftOutError("no redis-server")

    celery = Entrant("celery", durable=True, scenarios={"python": absent, "shell": absent})
    *_, report = rounds([celery], tmp_path).run(3)
    assert report.left_out == {"celery": "no redis-server"}
    assert (report.subjects, report.failed) == ((), {})


def test_quick_turns_are_of_scenarios_that_there_are() -> None:
    assert QUICK_TURNS.keys() <= rota(ours.QUICK).scenarios.keys()


def test_an_unknown_name_is_refused_with_those_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "rota,hurry"]) == 2
    said = capsys.readouterr().err
    assert "bench: no hurry" in said
    assert "hint: of apscheduler3," in said


# The scripts of the peers


@pytest.mark.parametrize("one", PEERS, ids=lambda one: one.name)
def test_every_peer_has_its_script_and_pinned_hashed_requirements(one: Peer) -> None:
    assert (BENCH / "peers" / one.script).exists()
    text = (BENCH / "requirements" / f"{one.env}.txt").read_text()
    pins = [line for line in text.splitlines() if line[:1].isalpha()]
    assert pins
    assert all("==" in pin for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def script(folder: Path, text: str) -> Entrant:
    """A peer whose script is `text`."""
    path = folder / "script.py"
    path.write_text(text)
    return peer(Peer("made", "made", str(path), "fast"), Path(sys.executable), PeerSize(python=7))


def test_a_peers_script_is_asked_for_a_scenario_and_its_last_line_is_taken(tmp_path: Path) -> None:
    figures = {"python": 8.5, "settings": "as it comes", "version": "Made 1"}
    made = script(
        tmp_path,
        f"import sys\nprint('hello')\nprint({json.dumps(figures)!r})\nopen('{tmp_path}/argv', 'w').write(' '.join(sys.argv[1:]))\n",
    )
    assert made.scenarios["python"](tmp_path / "work") == {"python": 8.5}
    assert (made.version, made.settings) == ("Made 1", "as it comes")
    asked = (tmp_path / "argv").read_text()
    assert asked == f"python --count 7 --variant fast --dir {tmp_path}/work/state"
    assert not (tmp_path / "work").exists()


def test_a_peers_script_that_fails_tells_its_last_line(tmp_path: Path) -> None:
    made = script(tmp_path, "raise TimeoutError('not done within 60 s')\n")
    with pytest.raises(RuntimeError, match="TimeoutError: not done within 60 s"):
        made.scenarios["burst"](tmp_path / "work")


def test_a_peers_script_may_leave_itself_out(tmp_path: Path) -> None:
    made = script(tmp_path, """print('{"left_out": "no server"}')\n""")
    with pytest.raises(LeftOutError, match="no server"):
        made.scenarios["burst"](tmp_path / "work")


def test_peers_measure_only_figures_of_the_table() -> None:
    known = loaded(BENCH / "peers" / "peer.py").SCENARIOS.keys()
    for one in PEERS:
        asked = peer(one, Path(sys.executable), PeerSize()).scenarios.keys()
        assert asked <= known
        assert {name for name in asked if name in {"python", "shell"}} <= BY_NAME.keys()


# Environments


def test_what_cannot_be_installed_is_left_out_and_the_others_are_built_once(tmp_path: Path) -> None:
    requirements, venvs = tmp_path / "requirements", tmp_path / "venvs"
    requirements.mkdir()
    for name in ("good", "bad"):
        (requirements / f"{name}.txt").write_text(f"{name}==1\n")
    ran: list[str] = []

    def run(argv: Sequence[str]) -> None:
        ran.append(" ".join(argv))
        if argv[-1].endswith("bad.txt"):
            raise RuntimeError("No matching distribution found for bad==1")
        if "venv" in argv:
            Path(argv[-1]).mkdir(parents=True, exist_ok=True)

    built = envs.build(("good", "bad", "absent"), venvs=venvs, requirements=requirements, run=run)
    assert built.pythons == {"good": venvs / "good" / "bin" / "python"}
    first, *_ = built.report().splitlines()
    assert first.startswith("left out: absent: ")
    assert "left out: bad: No matching distribution found for bad==1" in built.report()
    assert any("--require-hashes" in line for line in ran)

    ran.clear()
    envs.build(["good"], venvs=venvs, requirements=requirements, run=run)
    assert ran == []
    (requirements / "good.txt").write_text("good==2\n")
    envs.build(["good"], venvs=venvs, requirements=requirements, run=run)
    assert len(ran) == 2


def test_a_command_that_fails_tells_its_last_line() -> None:
    fails = "import sys; print('first', file=sys.stderr); sys.exit('ERROR: no such thing')"
    with pytest.raises(RuntimeError, match=r"^no such thing$"):
        envs.run([sys.executable, "-c", fails])

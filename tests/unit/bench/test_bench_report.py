"""What a reader of the benchmark sees: the table, the chart, and what compare finds worse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from bench import compare
from bench.chart import chart
from bench.figures import FIGURES, Summary
from bench.goals import GOALS, met
from bench.report import LIMITS, ROTA, Report, Subject, from_json, machine, to_json
from bench.table import number, table

SVG = "{http://www.w3.org/2000/svg}"


def subject(name: str, figures: Mapping[str, tuple[float, ...]], *, durable: bool = True) -> Subject:
    made = {figure: Summary(values) for figure, values in figures.items()}
    return Subject(name, durable, f"{name} 1.0", "as it comes", made)


def report(*subjects: Subject, **more: dict[str, str]) -> Report:
    return Report({"cores": "2", "kernel": "Linux 6"}, subjects, **more)


MEASURED = report(
    subject(
        ROTA,
        {
            "python": (12_000.0, 12_345.0, 13_000.0),
            "shell": (2_000.0,),
            "second_p50": (1.4,),
            "burst_started": (300.0,),
        },
    ),
    subject("slow & <sure>", {"python": (1_000.0,), "shell": (900.0,), "second_p50": (400.0,)}),
    subject("fast", {"python": (9_000.0,), "shell": (1_500.0,)}, durable=False),
    subject(LIMITS, {"commits_full": (4_500.0,), "spawn": (2_600.0,), "python_start": (0.01,)}),
    left_out={"absent": "no server"},
    failed={"fast spread": "TimeoutError: not done"},
)


def row(text: str, title: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {title} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_range_goal_peers_and_limit() -> None:
    cells = row(table(MEASURED), "no-op Python function")
    assert cells == [
        "no-op Python function", "runs/s", "12,345 (12,000–13,000)", "≥ 6 × the fastest durable peer ✓",
        "1,000", "9,000", "4,500",
    ]  # fmt: skip


def test_a_missed_goal_is_marked_and_what_nobody_measured_has_no_row() -> None:
    text = table(MEASURED)
    assert "≤ 240 ms ✗" in row(text, "1,000 at once: last one started")
    assert "spread" not in text.split("\n\n", maxsplit=1)[0]


def test_below_the_table_stand_settings_reasons_and_machine() -> None:
    text = table(MEASURED)
    assert "- rota: rota 1.0: as it comes." in text
    assert "- fast: fast 1.0: as it comes. Not durable" in text
    assert "- left out: absent: no server" in text
    assert "- failed: fast spread: TimeoutError: not done" in text
    assert text.endswith("Machine: cores 2, kernel Linux 6.")


def test_every_line_of_the_table_is_as_long_as_its_head() -> None:
    lines = table(MEASURED).split("\n\n", maxsplit=1)[0].splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}


@pytest.mark.parametrize(
    ("value", "said"),
    [(12_345.6, "12,346"), (99.94, "99.9"), (1.456, "1.46"), (0.0123, "0.0123"), (0.0, "0")],
)
def test_numbers_have_three_digits(value: float, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("name", "own", "reached"),
    [
        ("python", 6_000.0, True),
        ("python", 5_999.0, False),
        ("shell", 1_950.0, True),
        ("shell", 1_949.0, False),  # above 1.8 peers, below 75 % of the bare loop
        ("second_p99", 4.0, True),
        ("second_p99", 4.1, False),
    ],
)
def test_goals_are_measured_by_durable_peers_and_the_machine(name: str, own: float, reached: bool) -> None:
    assert met(report(subject(ROTA, {name: (own,)}), *MEASURED.subjects[1:]), name) is reached


def test_shell_must_also_beat_the_fastest_peer() -> None:
    peer, limit = subject("peer", {"shell": (1_500.0,)}), subject(LIMITS, {"spawn": (2_600.0,)})
    assert met(report(subject(ROTA, {"shell": (2_600.0,)}), peer, limit), "shell") is False
    assert met(report(subject(ROTA, {"shell": (2_700.0,)}), peer, limit), "shell") is True


def test_a_goal_without_what_it_is_measured_by_is_open() -> None:
    alone = report(subject(ROTA, {"python": (12_000.0,)}))
    assert met(alone, "python") is None
    assert "≥ 6 × the fastest durable peer ?" in row(table(alone), "no-op Python function")


def test_growth_is_measured_against_the_small_state() -> None:
    grown = subject(
        ROTA, {"growth_1k_python": (1_000.0,), "growth_1M_python": (899.0,), "growth_1k_p50": (2.0,)}
    )
    assert met(report(grown), "growth_1M_python") is False
    better = subject(
        ROTA, {"growth_1k_python": (1_000.0,), "growth_1M_python": (901.0,), "growth_1k_p50": (2.0,)}
    )
    assert met(report(better), "growth_1M_python") is True


def test_goals_are_of_figures_that_are_measured() -> None:
    assert GOALS.keys() <= {figure.name for figure in FIGURES}


def test_the_chart_is_xml_with_a_bar_for_each_that_was_measured() -> None:
    root = ET.fromstring(chart(MEASURED))  # noqa: S314 # our own text
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts.count("slow & <sure>") == 3  # python, shell, second_p50
    assert LIMITS not in texts
    rows = [(bar.get("class"), float(bar.get("width", "0"))) for bar in root.iter(f"{SVG}rect")]
    assert [kind for kind, _ in rows[:3]] == ["rota", "bar", "bar"]  # more is better: rota at the top
    python = [width for _, width in rows[:3]]
    assert python[1] / python[0] == pytest.approx(9_000 / 12_345, abs=0.01)
    late = [(kind, width) for kind, width in rows[6:8]]
    assert late[0][0] == "rota"  # less is better: rota at the top again
    assert late[0][1] < late[1][1]


def test_the_chart_has_colours_for_dark_ground_and_nothing_beyond_its_edges() -> None:
    text = chart(MEASURED)
    assert "prefers-color-scheme: dark" in text
    root = ET.fromstring(text)  # noqa: S314 # our own text
    for bar in root.iter(f"{SVG}rect"):
        assert float(bar.get("x", "0")) + float(bar.get("width", "0")) <= float(root.get("width", "0"))
        assert float(bar.get("y", "0")) + float(bar.get("height", "0")) <= float(root.get("height", "0"))


def test_a_chart_of_nothing_is_xml_too() -> None:
    assert ET.fromstring(chart(report())).tag == f"{SVG}svg"  # noqa: S314 # our own text


def test_a_report_comes_back_from_its_file() -> None:
    assert from_json(json.loads(json.dumps(to_json(MEASURED)))) == MEASURED


def test_the_machine_is_told(tmp_path: Path) -> None:
    told = machine(tmp_path)
    assert told.keys() == {"date", "cores", "CPU", "kernel", "Python", "SQLite", "filesystem"}
    assert all(told.values())


@pytest.mark.parametrize(
    ("old", "new", "more", "found"),
    [
        ((100, 105, 110), (80, 85, 89), True, True),
        ((100, 105, 110), (98, 99, 99), True, False),  # outside, but within 10 %
        ((80, 105, 110), (82, 85, 89), True, False),  # 19 % less, but seen before
        ((100, 105, 110), (80, 85, 106), True, False),  # the old one is still seen
        ((100, 105, 110), (150, 160, 170), True, False),  # better
        ((1.0, 1.1, 1.2), (1.4, 1.5, 1.6), False, True),
        ((1.0, 1.1, 1.2), (0.4, 0.5, 0.6), False, False),
    ],
)
def test_worse_means_by_more_than_noise(
    old: tuple[float, ...], new: tuple[float, ...], more: bool, found: bool
) -> None:
    assert compare.worse(Summary(old), Summary(new), more=more) is found


def test_compare_names_what_became_worse_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, python in (("old", 10_000.0), ("new", 5_000.0)):
        one = report(subject(ROTA, {"python": (python,), "second_p50": (1.0,)}))
        (tmp_path / f"{name}.json").write_text(json.dumps(to_json(one)))
    old, new = str(tmp_path / "old.json"), str(tmp_path / "new.json")
    assert compare.main([old, new]) == 1
    assert capsys.readouterr().out == "no-op Python function: 10,000 → 5,000 runs/s\n"
    assert compare.main([new, old]) == 0
    assert compare.main([old, old]) == 0


def test_compare_says_when_the_machine_is_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, cores in (("old", "2"), ("new", "8")):
        one = Report({"cores": cores, "date": name}, (subject(ROTA, {"python": (1.0,)}),))
        (tmp_path / name).write_text(json.dumps(to_json(one)))
    assert compare.main([str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    assert capsys.readouterr().err == "note: not the same cores: 2, now 8\n"

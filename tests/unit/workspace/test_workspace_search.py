"""What a person types, and what is found."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.workspace.conftest import Notes

from rota.model.errors import RotaError
from rota.workspace.index.query import parse_query

SIGNS = (
    '"', '""', '"a', 'a"', '"a" "', "*", "a*", "*a", "^a", "a^2", "(", ")", "()", "(a", "a)", "AND", "OR", "NOT", "a AND",
    "NOT a", "NEAR(a b)", "NEAR/2", "a:b", "title:a", "path:", "tag:", "-", "--", "-a", "a -", "{a}", "[a]", "a+b", "'", "';--",
    "a;b", "\\", "a\0b", "%", "_", "😀", "…", "a" * 5000, "a " * 2000, "-a -b", "path:../.. a", "path:/etc a", 'tag:"x y" a',
    "\ud800", "a\nb", "\u200b", "path:a* x", 'a"b"c', "text : a", "+a", "#a", "@a", "a,b", "<a>", "a=1",
)  # fmt: skip


@pytest.fixture
def meetings(notes: Notes) -> Notes:
    notes.write("meetings/halden.md", "# Halden\n\n## Decisions\n\nThe consent screen is a step of its own.\n\n"
                "## Actions\n\nBoth variants of the consent screen for Dana.\n", day="2026-11-17")  # fmt: skip
    notes.write("meetings/old.md", "# Halden\n\nThe consent screen was discussed.\n", day="2025-03-01")
    notes.write(
        "journal.md", "---\ntags: [home, work/halden]\n---\n# Sunday\n\nScreen time for the children.\n"
    )
    notes.write("plans/week.md", "# The week\n\nPlan the planning of plans. A planet is no plan.\n")
    return notes


@pytest.mark.parametrize("text", SIGNS)
def test_no_sign_is_an_error_of_the_index(meetings: Notes, text: str) -> None:
    refused: list[str] = []
    for asked in (text, f"consent {text}", f"{text} consent"):
        for ask in (meetings.search, meetings.context):
            try:
                ask(asked)
            except RotaError as error:
                refused.append(error.message)
    assert all("no word to look for" in message for message in refused)
    assert len(refused) <= 2, "there is a word in the others"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_words(meetings: Notes, text: str) -> None:
    meetings.search(f"consent {text}")


def test_hits_say_where_they_are_and_mark_the_words(meetings: Notes) -> None:
    hit = meetings.hits("variants")[0]
    assert (hit.path, hit.title, hit.heading, hit.line) == (
        "meetings/halden.md",
        "Halden",
        "Halden › Actions",
        9,
    )
    assert hit.snippet.marked("[", "]") == "Both [variants] of the consent screen for Dana."


def test_all_words_have_to_be_there_else_some_and_that_is_said(meetings: Notes) -> None:
    assert meetings.paths("consent Dana") == ["meetings/halden.md"]
    assert not meetings.search("consent Dana").partly
    some = meetings.search("consent unicorn")
    assert some.partly
    assert {hit.path for hit in some.hits} == {"meetings/halden.md", "meetings/old.md"}
    assert meetings.search("unicorn").hits == ()
    assert not meetings.search("unicorn").partly


def test_words_of_title_heading_and_path_count(meetings: Notes) -> None:
    assert meetings.paths("halden actions") == ["meetings/halden.md"]
    assert set(meetings.paths("meetings consent")) == {"meetings/halden.md", "meetings/old.md"}


def test_phrases_exclusions_beginnings(meetings: Notes) -> None:
    assert meetings.paths('"screen time"') == ["journal.md"]
    assert meetings.paths('"time screen"') == []
    assert meetings.paths('screen -"consent screen"') == ["journal.md"]
    assert meetings.paths("screen -consent") == ["journal.md"]
    assert meetings.paths("disc*") == ["meetings/old.md"]
    assert meetings.paths("disc") == ["meetings/old.md"], "a word that is none is taken for a beginning"


def test_forms_of_a_word_are_found_and_marked(meetings: Notes) -> None:
    hit = meetings.hits("planned")[0]
    assert hit.snippet.marked("[", "]") == "[Plan] the [planning] of [plans]. A planet is no [plan]."


def test_filters(meetings: Notes) -> None:
    assert meetings.paths("screen path:meetings") == ["meetings/halden.md", "meetings/old.md"]
    assert meetings.paths("screen path:meet") == []
    assert meetings.paths("consent path:halden.md") == ["meetings/halden.md"]
    assert meetings.paths("screen path:meetings", paths=("journal.md",)) == []
    assert meetings.paths("screen path:meetings path:journal.md -consent") == ["journal.md"]
    assert meetings.paths("screen", paths=("journal.md",)) == ["journal.md"]
    assert meetings.paths("screen tag:work") == ["journal.md"]
    assert meetings.paths("screen tag:work/halden tag:home") == ["journal.md"]
    assert meetings.paths("screen tag:wor") == []
    assert meetings.paths("tag:home") == ["journal.md"]
    assert meetings.paths("path:plans") == ["plans/week.md"]


def test_since(meetings: Notes) -> None:
    assert meetings.paths("consent", since="7d") == ["meetings/halden.md"]
    assert meetings.paths("consent", since="2026-11-18") == []
    assert meetings.paths("consent", since="2025-01-01") == ["meetings/halden.md", "meetings/old.md"]
    with pytest.raises(RotaError, match="cannot read since when"):
        meetings.search("consent", since="last week")


def test_the_newer_of_two_equal_notes_comes_first(notes: Notes) -> None:
    for month in ("06", "11", "01"):
        notes.write(f"{month}.md", "The roof window quote.", day=f"2026-{month}-10")
    assert notes.paths("roof window") == ["11.md", "06.md", "01.md"]


def test_a_better_old_note_beats_a_worse_new_one(notes: Notes) -> None:
    notes.write("roof.md", "# Roof window\n\nQuote for the roof window, roof and window.", day="2024-01-10")
    notes.write(
        "new.md",
        "Many other things were said, and among them the roof; nothing about a window, which stays as it is.\n"
        + "Other words. " * 20,
    )
    assert notes.paths("roof window")[0] == "roof.md"


def test_three_passages_of_a_file_at_most_unless_it_alone_is_asked_about(notes: Notes) -> None:
    notes.write("long.md", "\n".join(f"## Part {n}\n\nneedle {n}\n" for n in range(10)))
    notes.write("other.md", "needle")
    notes.write("needle.md", "\n".join(f"## Part {n}\n\nhay {n}\n" for n in range(10)))
    assert sorted(hit.path for hit in notes.hits("needle")) == ["long.md"] * 3 + ["needle.md", "other.md"]
    assert len(notes.hits("needle", paths=("long.md",), limit=50)) == 10


@pytest.mark.parametrize(
    ("text", "asked", "marked"),
    [
        ("来週の会議は火曜日です。", "会議", "来週の[会議]は火曜日です。"),
        ("来週の会議は火曜日です。", "火", "来週の会議は[火]曜日です。"),
        ("下周的会议改到星期二", "会议 星期二", "下周的[会议]改到[星期二]"),
        ("회의를 화요일로 옮겼다", "회의", "[회의]를 화요일로 옮겼다"),
        ("Встреча перенесена", "ВСТРЕЧА", "[Встреча] перенесена"),
        ("Réunion déplacée à mardi", "reunion deplacee", "[Réunion] [déplacée] à mardi"),
        ("ประชุมวันอังคาร", "ประชุม", "[ประชุม]วันอังคาร"),
    ],
)
def test_words_of_every_script(notes: Notes, text: str, asked: str, marked: str) -> None:
    notes.write("a.md", text)
    notes.write("b.md", "something else, 别的, 別の")
    assert [hit.snippet.marked("[", "]") for hit in notes.hits(asked)] == [marked]


def test_a_long_passage_is_shown_where_its_words_are(notes: Notes) -> None:
    notes.write("a.md", "word " * 150 + "\nthen the needle in\nthe haystack " + "word " * 100)
    hit = notes.hits("needle haystack")[0]
    assert (hit.line, hit.snippet.marked("[", "]")[:40]) == (2, "then the [needle] in the [haystack] word")
    assert hit.snippet.text.endswith(" …")


def test_words_that_are_everywhere_are_passed_over_beside_others(meetings: Notes) -> None:
    found = meetings.search("what is the consent screen")
    assert not found.partly
    assert "[is]" not in found.hits[0].snippet.marked("[", "]")
    assert set(meetings.paths("the is")) == {"plans/week.md", "meetings/halden.md"}, (
        "where there are no others they are words as any"
    )


def test_a_query_is_read_as_a_person_means_it() -> None:
    query = parse_query('consent "test round" -draft plan* path:notes/ tag:#Work -"old one" well-known')
    assert [(term.words, term.prefix) for term in query.wanted] == [
        (("consent",), False), (("test", "round"), False), (("plan",), True), (("well", "known"), False),
    ]  # fmt: skip
    assert [term.words for term in query.unwanted] == [("draft",), ("old", "one")]
    assert (query.paths, query.tags) == (("notes",), ("work",))

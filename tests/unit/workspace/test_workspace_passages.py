"""How a file is taken apart: headings, lines, front matter, days; and what a word is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.model.instants import from_micros
from rota.workspace.index.passages import LONGEST, read_note
from rota.workspace.index.words import estimate, fold, stem, tokens

MEETING = """\
---
title: "Halden, weekly"
tags: [client, Halden]
date: 2026-11-17
owner: Mara
---
Dana and Marcus.

# Call

## Decisions

They like B. #design/hero

```python
# no heading
x = 1  # nor a tag: #nope
```

### Open

- The hero

Actions
-------

- promised Dana

## Empty
"""


def shown(text: str, path: str = "a.md") -> list[tuple[str, int, int, str]]:
    return [(p.heading, p.line, p.last, p.text) for p in read_note(path, text).passages]


def test_a_note_has_a_title_tags_a_day_and_passages_with_headings_and_lines() -> None:
    note = read_note("meetings/halden.md", MEETING)
    assert note.title == "Halden, weekly"
    assert note.tags == ("client", "halden", "design/hero", "nope")
    assert note.moment is not None
    assert from_micros(note.moment) == datetime(2026, 11, 17, 12, tzinfo=UTC)
    lines = MEETING.split("\n")
    assert [(p.heading, p.line) for p in note.passages] == [
        ("", 2), ("", 7), ("Call › Decisions", 13), ("Call › Decisions › Open", 22), ("Call › Actions", 27),
        ("Call › Empty", 29),
    ]  # fmt: skip
    for passage in note.passages[:-1]:
        assert passage.text == "\n".join(lines[passage.line - 1 : passage.last])
    assert note.passages[2].text.startswith("They like B.")
    assert "# no heading" in note.passages[2].text
    assert note.passages[-1].text == ""


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# A\ntext\n# B #\ntext", ["A", "B"]),
        ("#no heading\n\n#\n\ntext", [""]),
        ("A\n===\ntext\nB\n---\ntext", ["A", "A › B"]),
        ("- item\n---\ntext", [""]),
        ("text\n\n---\n\nmore", [""]),
        ("~~~~\n# A\n~~~\n# B\n~~~~\n# C\ntext", ["", "C"]),
        ("```\n# never closed", [""]),
        ("    # code\ntext", [""]),
        ("### Deep\ntext\n# Top\ntext\n## Below\ntext", ["Deep", "Top", "Top › Below"]),
        ("", []),
        ("\n\n", []),
        ("# A", ["A"]),
        ("# A\n## B", ["A › B"]),
    ],
)
def test_headings(text: str, headings: list[str]) -> None:
    assert list(dict.fromkeys(heading for heading, *_ in shown(text))) == headings


def test_a_long_section_is_divided_between_paragraphs() -> None:
    text = "# A\n\n" + "\n\n".join(f"Paragraph {n}. " + "word " * 60 for n in range(20))
    found = shown(text)
    assert len(found) > 3
    assert all(heading == "A" and part.startswith("Paragraph") for heading, _, _, part in found)
    assert all(len(part) <= LONGEST for *_, part in found)


@pytest.mark.parametrize(
    ("path", "text", "day"),
    [
        ("notes/2026-11-17-halden.md", "", "2026-11-17"),
        ("notes/20261117.txt", "", "2026-11-17"),
        ("2026/11/17/standup.md", "", "2026-11-17"),
        ("weeks/2026-W47.md", "", "2026-11-20"),
        ("2026-11-17.md", "---\ndate: 2026-11-18T09:00\n---\n", "2026-11-18"),
        ("2026-11-17.md", "---\ncreated: 2025-01-02\nupdated: 2026-01-02\n---\n", "2025-01-02"),
        ("2026-13-45.md", "", None),
        ("2026-02-30.md", "", None),
        ("call-442012345678.md", "", None),
        ("a.md", "2026-11-17 is in the text", None),
    ],
)
def test_the_day_that_a_file_is_about(path: str, text: str, day: str | None) -> None:
    moment = read_note(path, text).moment
    assert (None if moment is None else str(from_micros(moment).date())) == day


@pytest.mark.parametrize(
    ("front", "title", "tags"),
    [
        ("title: Plain # a comment\ntags: one, two three", "Plain", ("one", "two", "three")),
        ("title: 'Quoted: yes'\ntags:\n  - one\n  - '#two'", "Quoted: yes", ("one", "two")),
        ("title: [broken\n  : yaml: {{\ntags: [one", "broken", ("one",)),
        ("\t\x00: :::\n- - -\n'", "body", ()),
        ("title:\ntag: one", "body", ("one",)),
    ],
)
def test_front_matter_of_every_quality(front: str, title: str, tags: tuple[str, ...]) -> None:
    note = read_note("a.md", f"---\n{front}\n---\n# body\n\nneedle\n")
    assert (note.title, note.tags) == (title, tags)
    assert note.passages[-1].text == "needle"


def test_a_rule_at_the_top_is_no_front_matter() -> None:
    assert shown("---\n\ntext without an end")[0][3].endswith("text without an end")


@given(
    st.text(alphabet=st.sampled_from("#-=`~ \n\tab日*>|:[]\"'"), max_size=300),
    st.sampled_from(["a.md", "a.txt"]),
)
def test_no_text_is_lost_and_every_line_is_the_right_one(text: str, path: str) -> None:
    lines = text.split("\n")
    note = read_note(path, text)
    for passage in note.passages:
        assert 1 <= passage.line <= passage.last <= len(lines)
        if passage.text:
            assert passage.text == "\n".join(lines[passage.line - 1 : passage.last])
    everything = "\n".join(f"{p.heading}\n{p.text}" for p in note.passages)
    for line in lines:
        for word in line.split():
            if word.isalpha():
                assert word in everything


def test_words_are_folded_and_found_where_they_stand() -> None:
    assert [word for word, _, _ in tokens("Crème-brûlée, it's 2026_x")] == [
        "creme",
        "brulee",
        "it",
        "s",
        "2026",
        "x",
    ]
    assert [word for word, _, _ in tokens("会議メモ abc")] == ["会", "議", "メ", "モ", "abc"]
    text = "naïve CAFÉ"
    assert [text[b:e] for _, b, e in tokens(text)] == ["naïve", "CAFÉ"]
    assert fold("ÀÉÎ") == "aei"


@pytest.mark.parametrize(
    "forms",
    [
        ("plan", "plans", "planned", "planning"),
        ("meeting", "meetings", "meet"),
        ("company", "companies"),
        ("decide", "decided", "decides", "deciding"),
        ("promise", "promises", "promised"),
        ("box", "boxes"),
        ("note", "notes", "noted"),
    ],
)
def test_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(
    "words", [("plan", "planet"), ("plan", "plant"), ("test", "taste"), ("bus", "business"), ("sing", "s")]
)
def test_other_words_have_another(words: tuple[str, str]) -> None:
    assert stem(words[0]) != stem(words[1])


def test_tokens_are_estimated_rather_too_many() -> None:
    assert estimate("") == 0
    assert estimate("Draft the weekly plan from the calendar.") == 9
    assert estimate("会議メモ") == 4
    assert estimate("2026-11-23") == 6
    assert estimate("a\n\nb") == 4
    assert estimate("x" * 700) == 100

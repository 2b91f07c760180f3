"""A small desk of realistic notes, and what a person who asks has to find among the first hits.

The figures are those of the whole set, so that a change of the ranking that helps one question and harms three is seen.
"""

from __future__ import annotations

import pytest
from tests.unit.workspace.conftest import Notes

DESK: dict[str, str] = {
    "meetings/2026-11-17-halden.md": """\
# Halden & Co, weekly call

Dana, Marcus; Sam for us.

- They like direction B. The hero is too quiet for Marcus, just right for Dana.
- Legal wants the consent screen as a step of its own. We show both variants next week.
- Statement of work for phase two is with their finance.

## Actions

- promised Dana: both variants of the consent screen by Friday
- waiting for Marcus: numbers on how many people leave at consent
""",
    "meetings/2026-11-19-priya-1-1.md": """\
# 1:1 with Priya

- Phase two is settings first, then onboarding. Film only if Halden pays for it.
- She is worried about Tom's workload; I take the icon review off his list.
- Talked about the four-day week. She asks in the board meeting in December.
- Salary review in January: I bring three examples of impact.
""",
    "meetings/2026-11-20-design-review.md": """\
# Design review: settings

Tom, Ines, Sam.

- Settings flow tested with five people; two did not find how to delete an account.
- Decision: account deletion moves to the first level, with a confirmation by mail.
- Empty states are missing. Tom draws them until Wednesday.
""",
    "meetings/2026-10-06-halden-kickoff.md": """\
# Halden, kick-off

- Goals: fewer people who give up during sign-up; a brand that feels less like a bank.
- Budget 48,000 for phase one. Invoice monthly, 30 days.
- Contact for contracts: Renate in procurement.
""",
    "meetings/2026-03-12-halden-pitch.md": """\
# Halden pitch

We showed three directions. They asked about accessibility, and about the price.
""",
    "journal/2026-11-22.md": """\
# Sunday

Slept badly. Theo has a cough; kept him home. We baked the Christmas biscuits.
Thinking about running again: two mornings a week, nothing heroic.
""",
    "journal/2026-11-15.md": """\
# Sunday

The attic is cold. We measured it again: 4.20 by 6.10. The window comes first.
Booked the sleeper to Fort William for the 28th of December.
""",
    "journal/2026-02-08.md": """\
# Sunday

First run in months, five kilometres along the canal. Knees complain.
""",
    "projects/attic.md": """\
---
tags: [home, building]
---
# The attic

A room for guests and for work.

## Quotes

- Kelly, roof window: 3,900, waiting for the written quote since the 10th
- Insulation by Brandt: 6,200 with plasterboard

## Permission

The council says no permission is needed for a window of under 0.8 square metres.
""",
    "projects/settings-redesign.md": """\
---
tags: [work/halden]
---
# Settings redesign

## Why

People cannot find how to change their address, and call support.

## Plan

1. Card sort with ten people
2. Two rounds of tests
3. Build with Sam in December
""",
    "projects/onboarding-film.md": """\
# Onboarding film

A film of 60 seconds that shows the first week of a customer. Storyboard first. Only if the client pays.
""",
    "people/dana-whitlock.md": "# Dana Whitlock\n\nHead of product at Halden. Direct, quick; likes to see variants. Vegetarian.\n",
    "people/marcus-reyes.md": "# Marcus Reyes\n\nBrand at Halden. Wants everything louder. Plays the cello.\n",
    "people/kelly-roofing.md": "# Kelly Roofing\n\nRoof windows. Number on the fridge. Recommended by Jon next door.\n",
    "plans/2026-W47.md": """\
# Week 47

## Outcomes

- Settings flow tested with five people
- Halden has both variants of the consent screen
- Roof window ordered

## Look back

Two of three. The window waits for the quote.
""",
    "plans/2026-W46.md": "# Week 46\n\n## Outcomes\n\n- October invoice sent\n- Icons reviewed\n\n## Look back\n\nA week of meetings.\n",
    "resources/weekly-planning.md": "# How I plan a week\n\nSunday evening, tea. Calendar, promises, at most three outcomes.\n",
    "resources/recipes/biscuits.md": "# Spiced biscuits\n\n250 g flour, 125 g butter, cinnamon, cardamom. 12 minutes at 180.\n",
    "finance/2026-invoices.csv": "number,client,amount,sent,paid\n2026-31,Halden,12000,2026-10-31,\n2026-30,Aoi Works,3400,2026-10-15,2026-11-02\n",
    "health/doctors.md": "# Doctors\n\nPaediatrician: Dr Lindqvist, mornings. Dentist: check-up due in March.\n",
    "tasks.md": "# Tasks\n\n- [ ] Send Halden the October invoice\n- [ ] Order Theo's birthday cake\n- [ ] Reply to the letting agent about the boiler\n",
}  # fmt: skip

# The question, and the file that answers it.
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("consent screen variants", "meetings/2026-11-17-halden.md"),
    ("what did we decide about deleting accounts", "meetings/2026-11-20-design-review.md"),
    ("account deletion", "meetings/2026-11-20-design-review.md"),
    ("four day week", "meetings/2026-11-19-priya-1-1.md"),
    ("salary", "meetings/2026-11-19-priya-1-1.md"),
    ("Tom's workload", "meetings/2026-11-19-priya-1-1.md"),
    ("Halden budget", "meetings/2026-10-06-halden-kickoff.md"),
    ("procurement contact", "meetings/2026-10-06-halden-kickoff.md"),
    ("pitch directions", "meetings/2026-03-12-halden-pitch.md"),
    ("roof window quote", "projects/attic.md"),
    ("attic measurements", "journal/2026-11-15.md"),
    ("planning permission window", "projects/attic.md"),
    ("insulation", "projects/attic.md"),
    ("Fort William sleeper", "journal/2026-11-15.md"),
    ("running", "journal/2026-11-22.md"),
    ("christmas biscuits", "journal/2026-11-22.md"),
    ("biscuit recipe", "resources/recipes/biscuits.md"),
    ("card sort", "projects/settings-redesign.md"),
    ("storyboard", "projects/onboarding-film.md"),
    ("who is Dana", "people/dana-whitlock.md"),
    ("Marcus", "people/marcus-reyes.md"),
    ("Kelly", "people/kelly-roofing.md"),
    ("week 47", "plans/2026-W47.md"),
    ("how do I plan a week", "resources/weekly-planning.md"),
    ("October invoice", "tasks.md"),
    ("unpaid invoices Halden", "finance/2026-invoices.csv"),
    ("dentist", "health/doctors.md"),
    ("paediatrician", "health/doctors.md"),
    ("birthday cake", "tasks.md"),
    ("boiler letting agent", "tasks.md"),
    ("empty states", "meetings/2026-11-20-design-review.md"),
    ("statement of work", "meetings/2026-11-17-halden.md"),
)


@pytest.fixture
def desk(notes: Notes) -> Notes:
    for path, text in DESK.items():
        notes.write(path, text, day="2026-11-01")
    return notes


def test_what_is_asked_for_is_among_the_first_hits(desk: Notes) -> None:
    ranks = {}
    for question, answer in QUESTIONS:
        found = desk.paths(question, limit=20)
        ranks[question] = found.index(answer) + 1 if answer in found else None
    beyond = {question: rank for question, rank in ranks.items() if rank is None or rank > 3}
    mean = sum(1 / rank for rank in ranks.values() if rank) / len(ranks)
    first = sum(rank == 1 for rank in ranks.values()) / len(ranks)
    assert not beyond
    assert mean >= 0.9, ranks
    assert first >= 0.85, ranks


def test_the_context_of_a_week_has_its_meetings_its_plan_and_how_to_plan(desk: Notes) -> None:
    found = desk.context("weekly planning", budget=1500)
    assert "resources/weekly-planning.md" in found.paths[:3]
    assert "plans/2026-W47.md" in found.paths
    week = desk.context("weekly planning", paths=("meetings", "plans", "journal"), since="7d", budget=1500)
    assert {path for path in week.paths if path.startswith("meetings")} == {
        "meetings/2026-11-17-halden.md", "meetings/2026-11-19-priya-1-1.md", "meetings/2026-11-20-design-review.md",
    }  # fmt: skip
    assert not any("2026-10" in path or "2026-03" in path for path in week.paths)


def test_the_context_of_a_client_is_about_that_client(desk: Notes) -> None:
    found = desk.context("prepare the call with Halden: consent screen, direction B", budget=600)
    assert found.paths[0] == "meetings/2026-11-17-halden.md"
    assert not any(path.startswith(("health", "resources/recipes", "journal")) for path in found.paths)

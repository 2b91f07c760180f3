"""Triggers that look at files: one run for each version of a file, once it is settled, and none for what was there."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.engine.core import Engine
from rota.model.instants import MINUTE, Micros
from rota.model.run import RunState
from rota.ports.steps import Done

WATCH = "on: [{files: inbox/**/*.md}]\nact: '{{ file.event }} {{ file.path }}'\n"


def once(world: World, engine: Engine | None = None) -> Micros | None:
    """One look."""
    looks = (engine or world.engine).files
    looks.something_changed()
    return asyncio.run(looks.run_once())


def look(world: World, seconds: float = 3.0) -> None:
    """Two looks, with time between them; then what they call for, to its end."""
    once(world)
    world.clock.advance(seconds)
    once(world)
    asyncio.run(world.settle())


def done(world: World) -> list[str]:
    """What the runs did, oldest first."""
    return [began.text for began in world.began]


def test_a_new_file_starts_a_run_once_it_is_settled(world: World) -> None:
    world.job(WATCH)
    look(world)
    world.files.write("inbox/a.md")
    once(world)
    asyncio.run(world.settle())
    assert done(world) == [], "it may still be written"
    look(world)
    assert done(world) == ["added inbox/a.md"]
    look(world)
    assert done(world) == ["added inbox/a.md"]
    (row,) = world.ledger()
    assert (row.outcome.value, row.reason.code, row.reason.text) == ("ran", "files", "inbox/a.md was added")


def test_a_file_that_keeps_growing_starts_nothing(world: World) -> None:
    world.job(WATCH)
    look(world)
    for size in range(5):
        world.files.write("inbox/a.md", "x" * size)
        look(world, 1.0)
    assert done(world) == []
    look(world)
    assert done(world) == ["added inbox/a.md"]


def test_what_was_there_before_the_job_is_where_it_begins(world: World) -> None:
    world.files.write("inbox/old.md")
    world.clock.advance(1)
    world.job(WATCH)
    world.clock.advance(1)
    world.files.write("inbox/since.md")  # before anybody looked
    look(world)
    assert done(world) == ["added inbox/since.md"]
    world.files.write("inbox/old.md", "another text")
    look(world)
    assert done(world)[1:] == ["changed inbox/old.md"]


def test_initial_takes_what_is_there(world: World) -> None:
    world.files.write("inbox/a.md")
    world.files.write("inbox/b.md")
    world.job(
        "on: [{files: inbox/*.md, initial: true}]\nact: '{{ file.name }} {{ file.stem }} {{ file.suffix }}'\n"
    )
    look(world)
    assert sorted(done(world)) == ["a.md a .md", "b.md b .md"]


def test_the_same_text_written_again_is_no_change(world: World) -> None:
    world.job(WATCH)
    look(world)
    world.files.write("inbox/a.md", "text")
    look(world)
    world.files.write("inbox/a.md", "text")
    look(world)
    world.files.write("inbox/a.md", "other")
    look(world)
    assert done(world) == ["added inbox/a.md", "changed inbox/a.md"]


def test_events_that_nobody_asked_for_are_taken_note_of(world: World) -> None:
    world.job("on: [{files: inbox/*, events: [removed]}]\nact: '{{ file.event }} {{ file.path }}'\n")
    look(world)
    world.files.write("inbox/a")
    look(world)
    assert done(world) == []
    world.files.remove("inbox/a")
    look(world)
    assert done(world) == ["removed inbox/a"]


def test_an_editor_that_removes_and_writes_anew_is_one_change(world: World) -> None:
    world.job("on: [{files: inbox/*, events: [added, changed, removed]}]\nact: '{{ file.event }}'\n")
    look(world)
    world.files.write("inbox/a")
    look(world)
    world.files.remove("inbox/a")
    once(world)
    world.clock.advance(1)
    world.files.write("inbox/a", "new text")
    look(world)
    assert done(world) == ["added", "changed"]


def test_a_file_that_goes_and_comes_back_is_new_again(world: World) -> None:
    world.job(WATCH)
    look(world)
    world.files.write("inbox/a.md")
    look(world)
    world.files.remove("inbox/a.md")
    look(world)
    world.files.write("inbox/a.md")
    look(world)
    assert done(world) == ["added inbox/a.md"] * 2


def test_nothing_is_missed_or_doubled_by_the_death_of_the_daemon(world: World) -> None:
    world.job(WATCH)
    look(world)
    world.files.write("inbox/a.md")
    world.files.write("inbox/b.md")
    once(world)
    asyncio.run(world.kill())
    world.clock.advance(3600)
    world.files.write("inbox/c.md")
    look(world)
    assert sorted(done(world)) == [f"added inbox/{name}.md" for name in "abc"]
    asyncio.run(world.kill())
    look(world)
    assert len(world.runs()) == 3


def test_two_that_look_at_the_same_time_start_one_run(world: World) -> None:
    world.job(WATCH)
    look(world)
    world.files.write("inbox/a.md")
    first = world.engine
    second = world.new_engine()
    for engine in (first, second):
        once(world, engine)
    world.clock.advance(3)
    for engine in (first, second):
        once(world, engine)
    assert len(world.runs()) == len(world.ledger()) == 1


def test_a_burst_is_one_run_with_all_its_files(world: World) -> None:
    world.job("on: [{files: inbox/*, batch: true}]\nact: '{{ files | length }} {{ file.path }}'\n")
    look(world)
    for number in range(20):
        world.files.write(f"inbox/{number:02}")
        world.clock.advance(0.5)
        once(world)
    assert world.runs() == []
    look(world)
    assert done(world) == ["20 inbox/19"]
    (row,) = world.ledger()
    assert row.reason.text == "20 files were found: inbox/00, inbox/01, inbox/02 and 17 more"


def test_a_burst_that_does_not_end_is_not_waited_for_for_ever(world: World) -> None:
    world.job("on: [{files: inbox/*, batch: true}]\nact: '{{ files | length }}'\n")
    look(world)
    for number in range(80):
        world.files.write(f"inbox/{number:02}")
        world.clock.advance(1)
        once(world)
    look(world)
    assert len(world.runs()) == 2
    assert sum(map(int, done(world))) == 80


def test_thousands_of_files_at_once_are_all_run_and_the_queue_stays_short(world: World) -> None:
    world.job(WATCH)
    look(world)
    for number in range(1000):
        world.files.write(f"inbox/{number:04}.md")
    world.clock.advance(3)
    longest = 0
    for _ in range(40):
        once(world)
        longest = max(longest, len([run for run in world.runs() if run.state is RunState.QUEUED]))
        asyncio.run(world.settle(200))
    assert longest <= 101
    assert sorted(done(world)) == [f"added inbox/{number:04}.md" for number in range(1000)]
    assert {row.outcome.value for row in world.ledger()} == {"ran"}


def test_a_look_that_finds_nothing_writes_nothing(world: World) -> None:
    world.job(WATCH)
    world.files.write("inbox/a.md")
    look(world)
    before = world.store.writes
    for _ in range(10):
        look(world)
    assert world.store.writes == before


def test_a_run_that_changes_its_own_file_comes_to_rest(world: World) -> None:
    world.job("on: [{files: inbox/*}]\nact: x\n")
    look(world)

    def edit(_ctx: object) -> Done:
        world.clock.advance(1)
        world.files.write("inbox/a", f"edit {len(world.began)}")
        world.clock.advance(2)
        return Done("")

    world.on("act", edit)
    world.files.write("inbox/a")
    for _ in range(6):
        look(world)
    assert len(world.runs()) == 2, "once more, since it may have been a person's edit; then never again"
    assert world.outcomes()[-1] == ("skipped", "own_change")
    world.clock.advance(3600)
    world.on("act", Done(""))
    world.files.write("inbox/a", "a person's edit")
    look(world)
    assert len(world.runs()) == 3


def test_what_the_job_writes_by_its_own_word_does_not_start_it(world: World) -> None:
    world.job("on: [{files: notes/*.md}]\nsteps: [{act: x, output: notes/summary.md}]\n")
    look(world)
    world.files.write("notes/summary.md")
    look(world)
    assert world.runs() == []
    world.files.write("notes/a.md")
    look(world)
    assert len(world.runs()) == 1


def test_a_pause_puts_off_what_comes_meanwhile(world: World) -> None:
    world.job(WATCH)
    look(world)
    world.pause()
    world.files.write("inbox/a.md")
    look(world)
    assert world.runs() == []
    world.resume()
    look(world)
    assert done(world) == ["added inbox/a.md"]


def test_files_queue_unless_the_job_says_what_overlaps_do(world: World) -> None:
    for name, more in (("queues", ""), ("skips", "overlap: skip\n")):
        world.job(f"on: [{{files: inbox/*}}]\n{more}act: '{{{{ file.path }}}}'\n", name)
    look(world)
    world.files.write("inbox/a")
    world.files.write("inbox/b")
    world.clock.advance(3)
    once(world)
    assert world.outcomes("queues") == [("ran", "files")] * 2
    assert sorted(world.outcomes("skips")) == [("ran", "files"), ("skipped", "overlap")]


def test_a_condition_sees_the_file(world: World) -> None:
    world.job("on: [{files: inbox/*}]\nif: file.suffix == '.md'\nact: '{{ file.path }}'\n")
    look(world)
    world.files.write("inbox/a.txt")
    world.files.write("inbox/b.md")
    look(world)
    assert done(world) == ["inbox/b.md"]
    assert sorted(world.outcomes()) == [("ran", "files"), ("skipped", "condition")]


def test_started_by_hand_there_is_no_file(world: World) -> None:
    world.job("on: [{files: inbox/*}]\nact: '{{ file.path | default(\"none\") }} {{ files | length }}'\n")
    world.start()
    asyncio.run(world.settle())
    assert done(world) == ["none 0"]


def test_other_patterns_begin_anew_with_what_they_mean_besides(world: World) -> None:
    world.job(WATCH)
    look(world)
    world.files.write("inbox/a.md")
    world.files.write("notes/b.md")
    look(world)
    world.clock.advance(60)
    world.job("on: [{files: ['inbox/**/*.md', 'notes/*.md']}]\nact: '{{ file.event }} {{ file.path }}'\n")
    look(world)
    world.files.write("notes/b.md", "changed")
    world.files.write("inbox/a.md", "changed")
    look(world)
    assert sorted(done(world)) == ["added inbox/a.md", "changed inbox/a.md", "changed notes/b.md"]


def test_one_folder_that_cannot_be_looked_at_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job("on: [{files: broken/*}]\nact: x\n", "broken")
    world.job(WATCH)
    scan = world.files.scan

    def failing(watch: object) -> object:
        if "broken/*" in str(watch):
            raise OSError("input/output error")
        return scan(watch)  # type: ignore[arg-type]

    monkeypatch.setattr(world.files, "scan", failing)
    look(world)
    world.files.write("inbox/a.md")
    look(world)
    assert done(world) == ["added inbox/a.md"]


def test_when_it_looks_again(world: World) -> None:
    assert once(world) is None
    world.job(WATCH)
    rescan = once(world)
    assert rescan is not None
    assert world.clock.now() < rescan <= world.clock.now() + MINUTE
    world.files.write("inbox/a.md")
    soon = once(world)
    assert soon is not None
    assert soon <= world.clock.now() + 3_000_000

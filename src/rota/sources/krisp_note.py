"""A recording as a note: the same whether a webhook brought it or a poll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rota.sources.note_text import Note

Json = Mapping[str, Any]


def note_of(recording: Json, source: str, home: ZoneInfo) -> Note:
    """The note. Times are those of `home`."""
    started, ended = _local(recording.get("started"), home), _local(recording.get("ended"), home)
    day = f"{started:%Y-%m-%d}" if started else ""
    title = recording.get("title") or f"Recording {day}".strip()
    minutes = round(recording["seconds"] / 60) if recording.get("seconds") else None
    participants = recording.get("participants", [])
    parts = [
        f"# {title}",
        _when(started, ended, minutes, participants),
        _section("Summary", recording.get("summary", "")),
        _section("Key points", "\n".join(f"- {text}" for text in recording.get("key_points", []))),
        _section("Action items", "\n".join(_action(item) for item in recording.get("action_items", []))),
        _section("Notes", recording.get("notes", "")),
        _section("Outline", recording.get("outline", "")),
        _section("Transcript", _transcript(recording.get("transcript", []))),
    ]
    return Note(
        id=str(recording["id"]),
        title=title,
        body="\n\n".join(part for part in parts if part),
        front={
            "source": source,
            "source_id": str(recording["id"]),
            "url": recording.get("url"),
            "date": started.isoformat() if started else None,
            "ended": ended.isoformat() if ended else None,
            "minutes": minutes,
            "participants": participants,
            "tags": recording.get("tags"),
            "updated": next(
                (recording[k] for k in ("updated", "ended", "started") if recording.get(k)), None
            ),
        },
    )


def is_whole(recording: Json) -> bool:
    """Whether what Krisp makes of a recording is there: its transcript, and something made of it."""
    made = ("notes", "summary", "key_points", "action_items", "outline")
    return bool(recording.get("transcript")) and any(recording.get(name) for name in made)


def _local(moment: Any, home: ZoneInfo) -> datetime | None:
    """A moment on the clocks of `home`; one without an offset is taken for one of theirs."""
    if not moment:
        return None
    found = datetime.fromisoformat(str(moment))
    return found.replace(tzinfo=home) if found.tzinfo is None else found.astimezone(home)


def _when(
    started: datetime | None, ended: datetime | None, minutes: int | None, participants: Sequence[str]
) -> str:
    times = f"{started:%Y-%m-%d %H:%M}" if started else ""
    if started and ended:
        times += f"–{ended:%H:%M}"
    parts = [times, f"{minutes} min" if minutes else "", ", ".join(participants)]
    return " · ".join(part for part in parts if part)


def _section(heading: str, text: str) -> str:
    return f"## {heading}\n\n{text.strip()}" if text.strip() else ""


def _action(item: Json) -> str:
    about = [item["who"]] if item.get("who") else []
    about += [f"due {item['due']}"] if item.get("due") else []
    rest = f" ({', '.join(about)})" if about else ""
    return f"- [{'x' if item.get('done') else ' '}] {item['text']}{rest}"


def _transcript(lines: Sequence[Json]) -> str:
    """What was said; lines of one speaker in a row stay together."""
    texts: list[str] = []
    before: str | None = None
    for line in lines:
        who, at = line.get("speaker") or "", line.get("at")
        if texts and who == before and who:
            texts[-1] += f" {line['text']}"
            continue
        stamp = f"[{_clock(at)}] " if at is not None else ""
        texts.append(f"{stamp}**{who}:** {line['text']}" if who else f"{stamp}{line['text']}")
        before = who
    return "\n\n".join(texts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"

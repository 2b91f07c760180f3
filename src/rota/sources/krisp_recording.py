"""A recording of Krisp's, whatever it came in: a webhook's payload, the answer of the API, something flat.

Krisp says of its webhooks what they hold, not each field's exact name, and sends one for each part of a recording
(transcript, notes, key points, action items). So every part may be missing, and several names are looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rota.sources.note_text import short

Json = Mapping[str, Any]
_MARK = re.compile(r"\s*\{\{\d{1,2}:\d{2}(?::\d{2})?\}\}")  # a moment of the recording, in the API's notes
_TEXTS = ("text", "description", "content", "title", "task", "name", "words", "value")
_STARTS = (
    "start_date",
    "started_at",
    "start_time",
    "startedAt",
    "startTime",
    "start",
    "meeting_date",
    "date",
)
_ENDS = ("end_date", "ended_at", "end_time", "endedAt", "endTime", "end")
_MOMENTS = ("start", "start_time", "startTime", "start_timestamp", "timestamp", "time", "at", "offset")
_MILLISECONDS = 1e11  # as seconds, far in the future


def recording_of(payload: Json) -> dict[str, Any]:
    """The parts that a payload has, as plain JSON; a part that it does not speak of is not there.

    id, title, url, started, ended (ISO 8601), seconds, participants (names), transcript (a list of {speaker, at,
    text}, `at` in seconds or None), summary, notes, outline (Markdown), key_points (texts), action_items (a list of
    {text, done, who, due}), tags.
    """
    data = _inner(payload, "data", "payload")
    meeting = {**data, **_inner(data, "meeting", "recording", "call", otherwise={})}
    event = str(payload.get("event") or payload.get("event_type") or payload.get("type") or "").lower()
    started, ended = _moment(meeting, _STARTS), _moment(meeting, _ENDS)
    speakers = _speakers(meeting, data)
    found = {
        "id": _identity(data, meeting),
        "title": _text(meeting, "title", "meeting_title", "name", "topic"),
        "url": _text(meeting, "url", "link", "meeting_url", "share_url", "recording_url"),
        "started": started,
        "ended": ended,
        "seconds": _seconds(meeting, started, ended),
        "participants": _participants(meeting, speakers),
        "updated": _moment(meeting, ("updated_at", "updatedAt")),
        "tags": [str(tag) for tag in _list(meeting.get("tags"))],
        **_contents(data, event, speakers),
    }
    return {name: part for name, part in found.items() if part not in (None, "", [], {})}


def merged(known: Json, fresh: Json) -> dict[str, Any]:
    """What is known of a recording, with the parts that came now in the place of older ones."""
    people = [*known.get("participants", []), *fresh.get("participants", [])]
    whole = {**known, **fresh}
    return {**whole, "participants": list(dict.fromkeys(people))} if people else whole


def _contents(data: Json, event: str, speakers: Mapping[str, str]) -> dict[str, Any]:
    notes = data.get("notes", data.get("meeting_notes"))
    blocks = notes.get("blocks") if isinstance(notes, Mapping) else notes if isinstance(notes, list) else None
    found: dict[str, Any] = {
        "transcript": _transcript(data.get("transcript", data.get("segments")), speakers),
        "summary": _markdown(data.get("summary", data.get("detailed_summary"))),
        "notes": _block_text(blocks) if isinstance(blocks, list) else _markdown(notes),
        "outline": _markdown(data.get("outline")),
        "key_points": _texts(data.get("key_points", data.get("highlights"))),
        "action_items": [
            *_actions(data.get("action_items", data.get("actionItems"))),
            *_block_actions(blocks),
        ],
    }
    content, raw = data.get("content"), _clean(str(data.get("raw_content") or data.get("rawContent") or ""))
    kind = next((kind for word, kind in _EVENTS if word in event), "notes")
    if (content or raw) and not found[kind]:
        found[kind] = _read_as(kind, content, raw, speakers)
    return found


_EVENTS = (
    ("transcript", "transcript"),
    ("key_point", "key_points"),
    ("action", "action_items"),
    ("outline", "outline"),
    ("summar", "summary"),
    ("note", "notes"),
)


def _read_as(kind: str, content: Any, raw: str, speakers: Mapping[str, str]) -> Any:
    """The content of an event of one kind; its rendered text where the content cannot be read."""
    if kind == "transcript":
        return _transcript(content, speakers) or _transcript(raw, speakers)
    if kind == "action_items":
        return _actions(content) or _actions([line.lstrip("-*• ") for line in raw.splitlines()])
    if kind == "key_points":
        return _texts(content) or _texts([line.lstrip("-*• ") for line in raw.splitlines()])
    return raw or _markdown(content)


def _inner(value: Json, *names: str, otherwise: Json | None = None) -> Json:
    found = next((value[name] for name in names if isinstance(value.get(name), Mapping)), None)
    return found if found is not None else value if otherwise is None else otherwise


def _identity(data: Json, meeting: Json) -> str:
    """The meeting's id, which all that is sent of it has; a payload with `data` has one of its own delivery besides."""
    own = _text(data, "meeting_id", "meetingId", "recording_id", "recordingId", "transcript_id")
    if own:
        return own
    if any(isinstance(data.get(name), Mapping) for name in ("meeting", "recording", "call")):
        own = _text(_inner(data, "meeting", "recording", "call"), "id", "uuid")
    return own or _text(data, "id", "uuid") or short(repr(sorted(meeting.items(), key=str)), 16)


def _text(value: Json, *names: str) -> str:
    for name in names:
        if isinstance(value.get(name), str | int) and str(value[name]).strip():
            return " ".join(_clean(str(value[name])).split())
    return ""


def _clean(text: str) -> str:
    return _MARK.sub("", text).strip()


def _moment(value: Json, names: Sequence[str]) -> str:
    """The first of them that is a moment, as ISO 8601: a text, or seconds or milliseconds since 1970."""
    for name in names:
        found = value.get(name)
        try:
            if isinstance(found, str):
                return datetime.fromisoformat(found.strip()).isoformat()
            if isinstance(found, int | float) and not isinstance(found, bool) and found > 0:
                return datetime.fromtimestamp(found / (1000 if found > _MILLISECONDS else 1), UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            continue
    return ""


def _seconds(meeting: Json, started: str, ended: str) -> int | None:
    for name, unit in (
        ("duration", 1),
        ("duration_seconds", 1),
        ("durationSeconds", 1),
        ("duration_minutes", 60),
    ):
        found = meeting.get(name)
        if isinstance(found, int | float) and found > 0:
            return int(found * unit)
    try:
        return (
            int((datetime.fromisoformat(ended) - datetime.fromisoformat(started)) / timedelta(seconds=1))
            or None
        )
    except (ValueError, TypeError):
        return None


def person(value: Any) -> str:
    """A participant in words: the name, else the address."""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, Mapping):
        return ""
    full = " ".join(str(value[name]).strip() for name in ("first_name", "last_name") if value.get(name))
    return full or _text(value, "name", "display_name", "email", "id")


def _participants(meeting: Json, speakers: Mapping[str, str]) -> list[str]:
    names = [person(one) for one in _list(meeting.get("participants", meeting.get("attendees")))]
    return [name for name in dict.fromkeys([*names, *speakers.values()]) if name]


def _speakers(*places: Json) -> dict[str, str]:
    """Names by number, as segments of a transcript refer to them."""
    found: dict[str, str] = {}
    for place in places:
        transcript = place.get("transcript")
        for speakers in (
            place.get("speakers"),
            transcript.get("speakers") if isinstance(transcript, Mapping) else None,
        ):
            if isinstance(speakers, Mapping):
                found |= {str(number): person(one) for number, one in speakers.items() if person(one)}
            for number, one in enumerate(_list(speakers) if not isinstance(speakers, Mapping) else []):
                index = one.get("index", number) if isinstance(one, Mapping) else number
                if name := person(one):
                    found[str(index)] = name
    return found


def _transcript(value: Any, speakers: Mapping[str, str]) -> list[dict[str, Any]]:
    if isinstance(value, Mapping):
        inner = next(
            (value[name] for name in ("segments", "utterances", "content", "text") if value.get(name)), None
        )
        return _transcript(inner, speakers)
    if isinstance(value, str):
        return [{"speaker": "", "at": None, "text": _clean(value)}] if value.strip() else []
    return [line for one in _list(value) if (line := _line(one, speakers))["text"]]


def _line(value: Any, speakers: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {"speaker": "", "at": None, "text": _clean(str(value or ""))}
    who = value.get(
        "speaker", value.get("speaker_name", value.get("speaker_index", value.get("speakerIndex")))
    )
    name = person(who) if isinstance(who, Mapping) else "" if who is None else str(who)
    if name.isdecimal():
        name = speakers.get(name, f"Speaker {name}")
    text = next(
        (
            str(value[key])
            for key in ("text", "content", "words", "speech")
            if isinstance(value.get(key), str)
        ),
        "",
    )
    return {"speaker": name, "at": _at(value), "text": " ".join(_clean(text).split())}


def _at(value: Json) -> float | None:
    """Seconds since the recording began."""
    for name in _MOMENTS:
        found = value.get(name)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return float(found)
        if isinstance(found, str) and re.fullmatch(r"(\d+:)?\d{1,2}:\d{2}(\.\d+)?", found):
            seconds = 0.0
            for part in found.split(":"):
                seconds = seconds * 60 + float(part)
            return seconds
    return None


def _actions(value: Any) -> list[dict[str, Any]]:
    return [item for one in _list(value) if (item := _action(one))["text"]]


def _action(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {"text": _clean(str(value or "")), "done": False, "who": "", "due": ""}
    return {
        "text": _text(value, *_TEXTS),
        "done": bool(value.get("completed", value.get("done", value.get("is_completed")))),
        "who": person(value.get("assignee", value.get("owner"))),
        "due": _text(value, "due_date", "due", "dueDate"),
    }


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        value = [line.lstrip("-*• ") for line in value.splitlines()]
    texts = [
        _text(one, *_TEXTS) if isinstance(one, Mapping) else _clean(str(one or "")) for one in _list(value)
    ]
    return [text for text in texts if text]


def _markdown(value: Any) -> str:
    """A text as it is; of a list, its items."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, Mapping):
        return _markdown(
            next((value[name] for name in ("markdown", "text", "content") if value.get(name)), None)
        )
    return "\n".join(f"- {text}" for text in _texts(value))


def _blocks(blocks: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Json, tuple[str, ...]]]:
    """The blocks of the API's notes with the types of those that they are in."""
    for block in _list(blocks):
        if isinstance(block, Mapping) and len(path) < 10:
            yield block, path
            yield from _blocks(block.get("children"), (*path, str(block.get("type") or "")))


def _block_text(blocks: Any) -> str:
    lines: list[str] = []
    for block, path in _blocks(blocks):
        kind, text = str(block.get("type") or ""), _text(block, "text", "title")
        if kind == "action_item" or "action_items" in {kind, *path}:
            continue
        if not path:
            lines.append(
                f"\n### {text or kind.replace('_', ' ').capitalize()}\n"
                if block.get("children")
                else f"- {text}"
            )
        elif text:
            lines.append(f"\n#### {text}\n" if kind == "heading" else f"{'  ' * (len(path) - 1)}- {text}")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _block_actions(blocks: Any) -> list[dict[str, Any]]:
    return [
        item
        for block, _ in _blocks(blocks)
        if block.get("type") == "action_item" and (item := _action(block))["text"]
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

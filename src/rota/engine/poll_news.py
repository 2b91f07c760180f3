"""What a poll makes of what its source gave, and of its failures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rota.engine.news import Finding, Looked, Watching, call_for
from rota.engine.notices import channel_of
from rota.engine.output import Masker, masked_value
from rota.engine.queueing import Call
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Notify
from rota.model.looks import ADDED, CHANGED, LookRecord, News
from rota.model.message import Message
from rota.planning.looks import MOST_IN_BATCH, batch_of, short_key
from rota.planning.polls import FIRST, PollOptions, works_again_words
from rota.ports.pulling import known_as
from rota.ports.sources import Pulled, report_of

# A text of an item is cut at this length: it is kept with each run.
LONGEST_TEXT = 64_000
_TITLE = 80


def place_in(pulled: Pulled, source: str) -> str:
    """The name under which the pull's place is kept: it changes with the source's configuration."""
    return next((name for name in pulled.kept if name != report_of(source)), "")


def looked(
    of: Watching,
    pulled: Pulled,
    *,
    before: Mapping[str, str],
    partly: Mapping[str, str],
    config: WorkspaceConfig,
    masker: Masker,
    screened: Callable[[Call], Call],
    now: Micros,
) -> Looked:
    """One poll that worked. `before`: versions by id that the place knew; `partly`: those called since."""
    options, record = PollOptions.of(of.trigger), of.look
    place = place_in(pulled, options.source)
    first = record.fingerprint != place
    news = [] if pulled.unchanged else [news_of(item, options.source, before, partly) for item in pulled.new]
    fresh = [one for one in news if partly.get(known_as(one.value)[0]) != known_as(one.value)[1]]
    wanted = [] if first and not options.initial else [one for one in fresh if one.event in options.events]
    groups = [[one] for one in wanted]
    if options.batch:
        groups = [wanted[i : i + MOST_IN_BATCH] for i in range(0, len(wanted), MOST_IN_BATCH)]
    found = FIRST if first and not wanted else batch_of(wanted, "items").words if wanted else record.found
    state = replace(
        record,
        fingerprint=place,
        partial=False,
        looked_at=now,
        news_at=now if wanted else record.news_at,
        found="" if found == FIRST and not first else found,
        failures=0,
        failing_since=None,
        error=None,
        told=False,
        not_before=None,
    )
    words = works_again_words(record, now)
    return Looked(
        record=state,
        short=replace(state, partial=True, fingerprint=place if not first else record.fingerprint),
        definition=of.record.hash,
        findings=[_finding(of, group, masker, screened, now) for group in groups],
        anew=True,
        kept=pulled.kept,
        messages=messages(of, "recovered", words, config, now) if record.told else (),
    )


def news_of(
    item: Mapping[str, Any], source: str, before: Mapping[str, str], partly: Mapping[str, str]
) -> News:
    """What happened to an item: it is new, or another version of one that was seen."""
    known, _ = known_as(item)
    event = CHANGED if known in before or known in partly else ADDED
    identity, version = (_short(item.get(key), item) for key in ("id", "version"))
    title = str(item.get("title") or identity)[:_TITLE]
    what = "is new" if event == ADDED else "changed"
    return News(title, event, version, short_key(identity, version), f"{source}: {title} {what}", item)


def _short(value: Any, item: Mapping[str, Any]) -> str:
    if value not in (None, ""):
        return str(value)
    text = json.dumps(item, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _finding(
    of: Watching, group: Sequence[News], masker: Masker, screened: Callable[[Call], Call], now: Micros
) -> Finding:
    values = [{"event": one.event, **_kept(one.value, masker)} for one in group]
    news = batch_of(list(group), "items")
    words = masker.mask_text(news.words)
    call = call_for(of, replace(news, words=words), {"item": values[-1], "items": values}, now, now)
    return Finding(screened(call), dict(known_as(one.value) for one in group))


def _kept(item: Mapping[str, Any], masker: Masker) -> dict[str, Any]:
    """An item as runs keep it: without secrets, and without endless texts."""
    cut = {key: value[:LONGEST_TEXT] if isinstance(value, str) else value for key, value in item.items()}
    return dict(masked_value(cut, masker))


def messages(of: Watching, about: str, text: str, config: WorkspaceConfig, now: Micros) -> list[Message]:
    """One message to each channel that the job's errors go to; none where it is to keep quiet about errors."""
    job, look = of.job, of.look
    if not job.on_error.notify:
        return []
    places: dict[str, Notify] = {
        f"{one.type}:{sorted(one.config.items(), key=str)}": one
        for one in job.on_error.channels or job.notify or config.notify
    }
    found = []
    for index, notify in enumerate(places.values()):
        kind, settings = channel_of(notify, config)
        since = look.failing_since or now
        found.append(
            Message(
                key=f"poll:{look.job_id}:{look.trigger_id}:{since}:{about}:{index}",
                channel=kind,
                title=job.name,
                body=text,
                config=settings,
                created_at=now,
                not_before=now,
                job_id=look.job_id,
            )
        )
    return found


def failed(record: LookRecord, error: str, wait: Micros, now: Micros) -> LookRecord:
    """The trigger after a poll that did not work."""
    return replace(
        record,
        looked_at=now,
        failures=record.failures + 1,
        failing_since=record.failing_since or now,
        error=error[:500],
        not_before=now + wait,
    )

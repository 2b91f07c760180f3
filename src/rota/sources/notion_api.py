"""Notion's API as this source needs it: pages of answers, limits that are kept, errors in plain words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from rota.model.errors import StepError

if TYPE_CHECKING:
    import httpx

VERSION = "2025-09-03"
BASE_URL = "https://api.notion.com"
PAGE_SIZE = 100
SECONDS = 60.0  # Notion ends a request after as long
MOST_WAITED = 60.0  # for all the 429s of a pull together: beyond that, the step is tried again later
_FIRST_PAUSE = 0.5
_TRIES = 3
_TOO_MANY = 429
_SHORTEST_WAIT = 0.05  # a server that says 0 is not asked as fast as it answers

Json = Mapping[str, Any]


class NotionApi:
    """A client. `now`: Notion's own clock by its latest answer, else `now` as given. Every method raises StepError."""

    def __init__(self, token: str, base_url: str, now: datetime) -> None:
        import httpx
        from notion_client import Client

        self.now = now
        self._waited = 0.0
        http = httpx.Client(event_hooks={"response": [self._look_at_the_clock]})
        quiet = logging.getLogger("rota.notion")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        # Tried again here, not by the library: that would wait less than Notion asks for.
        self._client = Client(
            auth=token,
            base_url=base_url.rstrip("/"),
            notion_version=VERSION,
            timeout_ms=int(SECONDS * 1_000),
            retry=False,
            logger=quiet,
            client=http,
        )

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def sources_of(self, database: str) -> list[tuple[str, str]]:
        """Id and name of each data source of a database, or of the one data source that has that id."""
        try:
            found = self._call(self._client.databases.retrieve, database)
        except StepError as error:
            if error.code != "notion_not_found":
                raise
            return [self._source(database, error)]
        title = plain(found.get("title"))
        sources = found.get("data_sources") or []
        names = [str(source.get("name") or title) for source in sources]
        return [(str(source["id"]), name or title) for source, name in zip(sources, names, strict=True)]

    def name_of(self, data_source: str) -> str:
        """What a data source is called."""
        return plain(self._call(self._client.data_sources.retrieve, data_source).get("title"))

    def rows(self, data_source: str, since: str | None) -> Iterator[Json]:
        """Its pages that were edited in the minute of `since` or later, the longest ago first."""
        asked: dict[str, Any] = {"sorts": [{"timestamp": "last_edited_time", "direction": "ascending"}]}
        if since is not None:
            asked["filter"] = {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": since}}
        return self._all(self._client.data_sources.query, data_source, **asked)

    def everything(self, since: str | None) -> list[Json]:
        """All pages that the integration may see and that were edited since, the longest ago first."""
        found: list[Json] = []
        asked = {
            "filter": {"property": "object", "value": "page"},
            "sort": {"timestamp": "last_edited_time", "direction": "descending"},
        }
        for page in self._all(self._client.search, **asked):
            if since is not None and page["last_edited_time"] < since:
                break
            found.append(page)
        return found[::-1]

    def page(self, page_id: str) -> Json:
        """One page."""
        return self._call(self._client.pages.retrieve, page_id)

    def children(self, block_id: str) -> list[Json]:
        """The blocks directly below a block or a page."""
        return list(self._all(self._client.blocks.children.list, block_id))

    def property_values(self, page_id: str, property_id: str) -> list[Json]:
        """All values of a property of which a page shows the first 25 alone."""
        return list(self._all(self._client.pages.properties.retrieve, page_id, property_id))

    def _source(self, data_source: str, otherwise: StepError) -> tuple[str, str]:
        try:
            return data_source, self.name_of(data_source)
        except StepError as error:
            raise (otherwise if error.code == "notion_not_found" else error) from None

    def _all(self, function: Callable[..., Any], *args: str, **asked: Any) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            more = {} if cursor is None else {"start_cursor": cursor}
            answer = self._call(function, *args, page_size=PAGE_SIZE, **asked, **more)
            yield from answer.get("results") or []
            cursor = answer.get("next_cursor")
            if not answer.get("has_more") or cursor is None:
                return

    def _call(self, function: Callable[..., Any], *args: str, **asked: Any) -> Json:
        import httpx
        from notion_client import errors

        pause, failures = _FIRST_PAUSE, 0
        while True:
            try:
                answer = function(*args, **asked)
            except errors.HTTPResponseError as error:
                if error.status == _TOO_MANY:
                    self._wait(_retry_after(error.headers))
                    continue
                failure = _said(error)
            except (errors.RequestTimeoutError, httpx.TransportError) as error:
                words = f"Notion could not be reached: {str(error) or type(error).__name__}"
                failure = StepError(words, hint="is the network up?")
            except errors.InvalidPathParameterError as error:
                raise StepError(f"not an id of Notion's: {error}", permanent=True) from None
            except ValueError:
                failure = StepError("Notion answered something that is no JSON")
            else:
                if isinstance(answer, Mapping):
                    return answer
                failure = StepError("Notion answered something else than an object")
            failures += 1
            if failure.permanent or failures >= _TRIES:
                raise failure from None
            time.sleep(pause)
            pause *= 2

    def _wait(self, seconds: float) -> None:
        """As long as Notion asks for, within what a pull may wait in all."""
        if self._waited + seconds > MOST_WAITED:
            raise StepError(
                f"Notion limits the rate of requests; it asks to wait {seconds:g} s",
                code="rate_limited",
                hint="the step is tried again after that where it has a `retry:`; pull less often, or fewer databases",
                retry_after=seconds,
            )
        seconds = max(seconds, _SHORTEST_WAIT)
        self._waited += seconds
        time.sleep(seconds)

    def _look_at_the_clock(self, response: httpx.Response) -> None:
        date = response.headers.get("date")
        if date:
            try:
                self.now = parsedate_to_datetime(date).astimezone(UTC)
            except ValueError:
                return  # the clock of this machine will do


def plain(rich_text: Any) -> str:
    """The characters of a rich text."""
    parts = rich_text if isinstance(rich_text, list) else []
    return "".join(str(part.get("plain_text") or "") for part in parts if isinstance(part, Mapping))


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 1.0


def _said(error: Any) -> StepError:
    """An answer of 4xx or 5xx in words; the token is in none of them."""
    code = str(getattr(error.code, "value", error.code))
    words = f"Notion answered {error.status} ({code}): {error}"
    if code == "unauthorized":
        return StepError(
            "Notion does not take the token",
            code="notion_unauthorized",
            hint="set it anew: `rota secret set NOTION_TOKEN` (notion.so/my-integrations shows it)",
            permanent=True,
        )
    if code in {"object_not_found", "restricted_resource"}:
        return StepError(
            words,
            code="notion_not_found",
            hint="share the page or database with the integration: ••• → Connections",
            permanent=True,
        )
    return StepError(words, code="notion", permanent=error.status < 500)

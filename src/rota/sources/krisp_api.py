"""Krisp's Meeting API: what was recorded, and one recording whole."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from rota.model.errors import StepError

BASE_URL = "https://meeting-api.krisp.ai/v1"
FIELDS = "title,started_at,duration,status,url,participants,transcript,notes"
PAGE_SIZE = 100
SECONDS = 30.0
MOST_WAITED = 60.0  # for all the 429s of a pull together
_TRIES = 3
_TOO_MANY, _BUSY, _GONE = 429, 409, 404


@dataclass(frozen=True)
class Listed:
    """A recording in the list. `started`: ISO 8601, '' where Krisp does not say."""

    id: str
    started: str

    def is_before(self, moment: datetime) -> bool:
        """Whether it began before: Krisp lists the whole of the first day."""
        try:
            return datetime.fromisoformat(self.started) < moment
        except (ValueError, TypeError):
            return False


class KrispApi:
    """A client. Every method raises StepError."""

    def __init__(self, token: str, base_url: str) -> None:
        import httpx

        headers = {"authorization": f"Bearer {token}", "accept": "application/json", "user-agent": "rota"}
        self._client = httpx.Client(headers=headers, timeout=SECONDS)
        self._base = base_url.rstrip("/")
        self._waited = 0.0

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def since(self, first: datetime) -> list[Listed]:
        """Recordings that began at `first` or later, the oldest first."""
        found: list[Listed] = []
        cursor: str | None = None
        while True:
            asked = {"from": first.isoformat(), "sort_by": "date", "order": "newest", "limit": str(PAGE_SIZE)}
            answer = self._get("meetings", {**asked, **({"cursor": cursor} if cursor else {})}) or {}
            page = answer.get("meetings", answer.get("data"))
            listed = [
                Listed(str(one["id"]), str(one.get("started_at") or ""))
                for one in (page if isinstance(page, list) else [])
                if isinstance(one, Mapping) and one.get("id")
            ]
            found += [one for one in listed if not one.is_before(first)]
            following = answer.get("next_cursor")
            if not page or not following or following == cursor:
                return found[::-1]
            cursor = str(following)

    def meeting(self, meeting_id: str) -> Mapping[str, Any] | None:
        """One recording; None while Krisp still works on it, and when it is gone."""
        from urllib.parse import quote

        return self._get(f"meetings/{quote(meeting_id, safe='')}", {"fields": FIELDS}, absent=(_BUSY, _GONE))

    def _get(
        self, path: str, query: Mapping[str, str], absent: tuple[int, ...] = ()
    ) -> Mapping[str, Any] | None:
        import httpx

        pause, failures = 0.5, 0
        while True:
            try:
                response = self._client.get(f"{self._base}/{path}", params=dict(query))
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise StepError(f"Krisp's address cannot be used: {error}", permanent=True) from None
            except httpx.HTTPError as error:
                failure = StepError(
                    f"Krisp could not be reached: {str(error) or type(error).__name__}",
                    hint="is the network up?",
                )
            else:
                if response.status_code in absent:
                    return None
                if response.status_code == _TOO_MANY:
                    self._wait(_retry_after(response.headers.get("retry-after", "")))
                    continue
                if response.is_success:
                    return _object(response)
                failure = _said(response.status_code)
            failures += 1
            if failure.permanent or failures >= _TRIES:
                raise failure
            time.sleep(pause)
            pause *= 2

    def _wait(self, seconds: float) -> None:
        if self._waited + seconds > MOST_WAITED:
            raise StepError(
                f"Krisp limits the rate of requests; it asks to wait {seconds:g} s",
                code="rate_limited",
                hint="the step is tried again after that where it has a `retry:`",
                retry_after=seconds,
            )
        self._waited += max(seconds, 0.05)
        time.sleep(max(seconds, 0.05))


def _object(response: Any) -> Mapping[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        raise StepError("Krisp answered something that is no JSON") from None
    if not isinstance(answer, Mapping):
        raise StepError("Krisp answered something else than an object")
    return answer


def _said(status: int) -> StepError:
    if status in {401, 403}:
        return StepError(
            f"Krisp does not take the key ({status})",
            code="krisp_unauthorized",
            hint="set it anew: `rota secret set KRISP_API_KEY` (Krisp: Integrations → API)",
            permanent=True,
        )
    return StepError(f"Krisp answered {status}", permanent=status < 500)


def _retry_after(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return 1.0

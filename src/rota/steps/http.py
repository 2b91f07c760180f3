"""The `http` step: one request, made in a host process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rota.model.errors import StepError
from rota.model.instants import SECOND, Micros, to_micros
from rota.model.job import OnInterrupt
from rota.model.run import Reason
from rota.ports.processes import HostCall
from rota.ports.steps import Done, Failed, StepContext, StepResult
from rota.steps.secrets import fill_text, fill_values, shown_text

if TYPE_CHECKING:
    import httpx

_CONNECT_TIMEOUT = 30.0
_REDIRECTS = 10
_RETRYABLE = frozenset({408, 425, 429})
# What a redirect to another server may still see of the step's headers; the others can be credentials.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "user-agent"})

_Code = Annotated[int, Field(ge=100, le=599)]
_Codes = Annotated[str, StringConstraints(pattern=r"^[1-5](\d\d|xx)$")]
_Text = str | int | float | bool


class HttpParams(BaseModel):
    """The keys of an `http` step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    http: str = Field(min_length=1, description="The address: http:// or https://. Redirects are followed.")
    method: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]{1,20}$",
        description="The method (default: GET, or POST when there is a body).",
    )
    headers: dict[str, _Text] = Field(
        default={}, description="Headers; `${NAME}` reads a secret, as in every key of this step."
    )
    query: dict[str, _Text | list[_Text]] = Field(
        default={}, description="Query parameters; they are encoded and added to those of the address."
    )
    json_: Any = Field(default=None, alias="json", description="A body that is sent as JSON.")
    body: str | None = Field(default=None, description="A body that is sent as it is (UTF-8).")
    expect: _Code | _Codes | list[_Code | _Codes] = Field(
        default="2xx", description="The status codes that count as success: `200`, `2xx`, or a list of such."
    )

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.json_ is not None and self.body is not None:
            raise ValueError("give either `json` or `body`")
        return self

    def expects(self, status: int) -> bool:
        """Whether the status counts as success."""
        wanted = self.expect if isinstance(self.expect, list) else [self.expect]
        return any(str(one) in {str(status), f"{status // 100}xx"} for one in wanted)


class HttpStep:
    """Makes an HTTP request."""

    key: ClassVar[str] = "http"
    params: ClassVar[type[BaseModel]] = HttpParams
    raw: ClassVar[frozenset[str]] = frozenset({"http", "headers", "query", "json", "body"})
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: HttpParams, ctx: StepContext) -> StepResult:
        """Request it; the status decides."""
        address, shown = fill_text(params.http, ctx), shown_text(params.http, ctx)
        _check_address(address, shown)
        has_body = params.json_ is not None or params.body is not None
        query, json_ = fill_values([params.query, params.json_], ctx)
        answer = await ctx.services.hosts.call(
            HostCall(
                f"{__name__}:fetch",
                {
                    "method": (params.method or ("POST" if has_body else "GET")).upper(),
                    "address": address,
                    "headers": {name: fill_text(str(text), ctx) for name, text in params.headers.items()},
                    "query": query,
                    "json_": json_,
                    "body": None if params.body is None else fill_text(params.body, ctx),
                    "timeout": ctx.timeout,
                    "limit": ctx.config.limits.value,
                },
                ctx.env,
                ctx.workspace,
                limits=ctx.limits,
            ),
            ctx.log,
        )
        return _result(answer, params, shown, ctx)


def _check_address(address: str, shown: str) -> None:
    try:
        parts = urlsplit(address)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise StepError(
            f"`http:` {shown!r} is not an address",
            code="bad_address",
            permanent=True,
            hint="it begins with http:// or https:// and a host's name",
        )


def _result(answer: Mapping[str, Any], params: HttpParams, address: str, ctx: StepContext) -> StepResult:
    if error := answer.get("error"):
        reason = Reason(answer.get("code", "http_error"), f"{address}: {error}")
        return Failed(reason, retry=answer.get("retry", True))
    status: int = answer["status"]
    headers: dict[str, str] = answer["headers"]
    text: str = answer["text"]
    values = {"status": status, "headers": headers}
    if answer["has_json"]:
        values["json"] = answer["json"]
    line = f"{status} {_phrase(status)}".strip()
    ctx.say(f"{line} from {address}, {len(text)} characters")
    if params.expects(status):
        return Done(text, values)
    return Failed(
        Reason("http_status", f"{line} from {address}"),
        retry=not 400 <= status < 500 or status in _RETRYABLE,
        retry_after=_retry_after(headers.get("retry-after"), ctx.services.clock.now()),
        output=text,
        values=values,
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _retry_after(text: str | None, now: Micros) -> float | None:
    """Seconds, from a header that gives seconds or a date."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)  # `-0000`: UTC, says RFC 5322
    return max(0.0, (to_micros(moment) - now) / SECOND)


def fetch(
    *,
    method: str,
    address: str,
    headers: Mapping[str, str],
    query: Mapping[str, Any],
    json_: Any,
    body: str | None,
    timeout: float,
    limit: int,
) -> dict[str, Any]:
    """In a host: make the request; `status`, `headers`, `text`, `json`, or `error` and whether to `retry`.

    An answer longer than `limit` bytes is an error, since a part of it would be taken for the whole.
    Nothing in an error's words is from the request.
    """
    import httpx

    try:
        with httpx.Client(timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))) as client:
            first = client.build_request(
                method,
                httpx.URL(address).copy_merge_params(query),
                headers={"user-agent": "rota", **headers},
                json=json_,
                content=None if body is None else body.encode("utf-8", "replace"),
            )
            response = _follow(client, first, {name.lower() for name in headers} - _HARMLESS)
            try:
                return _answer(response, limit)
            finally:
                response.close()
    except (
        httpx.InvalidURL,
        httpx.UnsupportedProtocol,
        httpx.LocalProtocolError,
        ValueError,
        TypeError,
    ) as error:
        # Not the error's text: it can quote the address or a header.
        return {
            "error": f"the request cannot be made ({type(error).__name__})",
            "retry": False,
            "code": "bad_request",
        }
    except httpx.TimeoutException as error:
        return {"error": f"no answer in time ({type(error).__name__})", "code": "timeout"}
    except httpx.TooManyRedirects:
        return {"error": f"more than {_REDIRECTS} redirects", "retry": False}
    except httpx.HTTPError as error:
        return {"error": f"no connection: {error}", "code": "connection"}


def _follow(client: httpx.Client, request: httpx.Request, private: set[str]) -> httpx.Response:
    import httpx

    for _ in range(_REDIRECTS + 1):
        response = client.send(request, stream=True, follow_redirects=False)
        following = response.next_request
        if following is None:
            return response
        response.close()
        if _origin(following.url) != _origin(request.url):
            for name in private & set(following.headers):
                del following.headers[name]
        request = following
    raise httpx.TooManyRedirects("too many redirects", request=request)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _answer(response: httpx.Response, limit: int) -> dict[str, Any]:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > limit:
            return {
                "error": f"the answer is longer than {limit} bytes (`limits: value:` in rota.yaml raises that)",
                "retry": False,
                "code": "too_long",
            }
    try:
        text = data.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        text = data.decode("utf-8", "replace")
    found, value = _json(text, response.headers.get("content-type", ""))
    # A session's cookie is a secret that nobody named: it does not go into the state.
    headers = {name: value for name, value in response.headers.items() if name != "set-cookie"}
    return {
        "status": response.status_code,
        "headers": headers,
        "text": text,
        "has_json": found,
        "json": value,
    }


def _json(text: str, content_type: str) -> tuple[bool, Any]:
    if "json" not in content_type.lower() and not text.lstrip().startswith(("{", "[")):
        return False, None
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False, None
    return True, value

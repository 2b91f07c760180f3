"""Asking a model by pydantic-ai: one response as a stream, what it took, and what went wrong in words. In hosts only."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_ai import exceptions as wrong
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from rota.model.agent import Outcome
from rota.runners.builtin_line import Line

_READABLE = 200  # characters
_LONGEST_WAIT = 60.0  # seconds: a longer one is the job's retry's to wait
_REPAIRABLE = (wrong.ModelRateLimitError, wrong.ModelUnavailableError, wrong.ModelServerError)


class AskError(Exception):
    """The model gave no response. `outcome`: with `detail`, `retry` and the like, what the step ends with."""

    def __init__(self, outcome: dict[str, Any], partial: ModelResponse | None, *, again: bool) -> None:
        super().__init__(outcome["detail"])
        self.outcome = outcome
        self.partial = partial
        self.again = again


@dataclass
class Api:
    """A model to ask."""

    model: Model
    settings: ModelSettings
    name: str
    key: str
    retries: int

    @classmethod
    @asynccontextmanager
    async def open(cls, told: Mapping[str, Any]) -> AsyncIterator[Api]:
        """The API of the settings, as the daemon tells them, and the connections to it."""
        settings = ModelSettings(timeout=told["timeout"])
        if told["max_tokens"] is not None:
            settings["max_tokens"] = told["max_tokens"]
        if told["cache"] and told["provider"] == "anthropic":
            settings["cache"] = True
        model, client = _model(told)
        async with client:
            yield cls(model, settings, told["provider"], told["key"], told["retries"])

    async def ask(
        self, messages: list[ModelMessage], parameters: ModelRequestParameters, line: Line
    ) -> ModelResponse:
        """One response; its text goes into the log as it comes. Raises AskError."""
        stream = None
        printer = _Printer(line)
        try:
            async with model_request_stream(
                self.model, messages, model_settings=self.settings, model_request_parameters=parameters
            ) as stream:
                async for event in stream:
                    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                        await printer.take(event.part.content)
                    elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                        await printer.take(event.delta.content_delta)
            await printer.end()
            return stream.get()
        except (wrong.AgentRunError, wrong.UserError) as error:
            await printer.end()
            partial = None if stream is None else stream.get()
            raise self._failed(error, partial) from None

    async def wait(self, error: AskError, attempt: int, line: Line) -> bool:
        """Wait before another try; False where there is to be none."""
        asked = error.outcome.get("retry_after")
        if not error.again or attempt >= self.retries or (asked or 0.0) > _LONGEST_WAIT:
            return False
        seconds = float(2**attempt) if asked is None else asked
        await line.say(f"{error}: asked again in {seconds:g} s")
        await asyncio.sleep(seconds)
        return True

    def _failed(self, error: Exception, partial: ModelResponse | None) -> AskError:
        outcome, code, again = Outcome.PROVIDER, None, isinstance(error, _REPAIRABLE)
        retry = True
        if isinstance(error, wrong.ModelTimeoutError | wrong.ModelRequestTimeout):
            outcome = Outcome.TIMEOUT
        elif isinstance(error, wrong.ModelConnectionError):
            again = True
        elif isinstance(error, wrong.ContentFilterError):
            outcome = Outcome.REFUSED
        elif isinstance(error, wrong.ModelContextWindowExceededError):
            retry, code = False, "context_window"
        elif isinstance(error, wrong.ModelRequestRejectedError | wrong.ModelQuotaExceededError):
            retry = False
        elif isinstance(error, wrong.UserError):
            outcome, retry = Outcome.FAILED, False
        told = {
            "outcome": outcome.value,
            "detail": self._words(error),
            "code": code,
            "retry": retry,
            "retry_after": getattr(error, "retry_after", None),
        }
        return AskError(told, partial, again=again)

    def _words(self, error: Exception) -> str:
        status = getattr(error, "status_code", None)
        said = _message_of(getattr(error, "body", None)) or str(error)
        if isinstance(error, wrong.ModelTimeoutError | wrong.ModelRequestTimeout):
            words = f"{self.name} was silent for {self.settings.get('timeout')} s"
        elif status is not None:
            words = f"{self.name} answered {status}: {said}"
        elif isinstance(error, wrong.ModelConnectionError):
            words = f"the connection to {self.name} failed: {said}"
        else:
            words = f"{self.name}: {said}"
        return " ".join(words.replace(self.key, "***").split())[:500]


def usage_of(usage: RequestUsage) -> dict[str, int]:
    """Tokens by kind: pydantic-ai's input is all of it, rota's what came from no cache and went to none."""
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    return {
        "input": max(0, usage.input_tokens - read - written),
        "output": usage.output_tokens,
        "cache_read": read,
        "cache_write": written,
    }


def key_of(response: ModelResponse) -> str:
    """What a response is known by: the provider's id, kept with it where there is none."""
    if response.provider_response_id is None:
        response.provider_response_id = f"rota-{uuid.uuid4().hex}"
    return response.provider_response_id


def refusal_of(response: ModelResponse) -> str | None:
    """Why the model (or its provider's filter) declined, in words; None where it did not."""
    if response.finish_reason != "content_filter":
        return None
    details = response.provider_details or {}
    said = details.get("refusal") or response.text or ""
    return (
        f"the model declined: {' '.join(str(said).split())[:400]}"
        if said
        else "the model declined, or its filter did"
    )


def _message_of(body: object) -> str:
    """The message of an API's error."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else inner
    return said if isinstance(said, str) else ""


def _model(told: Mapping[str, Any]) -> tuple[Model, AbstractAsyncContextManager[Any]]:
    """The model, and its client, which holds connections."""
    name, key, base_url = told["model"], told["key"], told["base_url"]
    if told["provider"] == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        anthropic = AsyncAnthropic(api_key=key, base_url=base_url, max_retries=0)
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=anthropic)), anthropic
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    openai = AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0)
    provider = OpenAIProvider(openai_client=openai)
    kind = OpenAIChatModel if told["provider"] == "openai" else OpenAIResponsesModel
    return kind(name, provider=provider), openai


class _Printer:
    """Puts text into the log in lines, or what is long enough to be read: not each word by itself."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._rest = ""
        self._at_start = True  # of a line

    async def take(self, text: str) -> None:
        whole, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            await self._print(f"{whole}\n")
        if len(self._rest) > _READABLE:
            begun, space, self._rest = self._rest.rpartition(" ")
            await self._print(begun + space)

    async def end(self) -> None:
        """Whatever comes next in the log begins a line."""
        rest, self._rest = self._rest, ""
        if rest or not self._at_start:
            await self._print(f"{rest}\n")

    async def _print(self, text: str) -> None:
        if text:
            self._at_start = text.endswith("\n")
            await self._line.print(text)

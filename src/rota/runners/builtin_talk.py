"""A conversation of the builtin agent, on disk after each of its turns. Imported in hosts only."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from rota.model.errors import StepError
from rota.ports.files import write_atomic

UNKNOWN = "interrupted: its outcome is unknown, check before you repeat it"
NOT_BEGUN = "interrupted before it began: nothing was done"


@dataclass
class Talk:
    """What was said, and where the turn that is under way stands.

    `of`: the step that it is at work on; `over`: that step has its answer. `results`: of calls of the last response, by
    their ids: `{text, outcome}`; `begun`: calls that change something and were begun. `told`: the last response was
    told to who pays. `repaired`: the answer was asked for a second time.
    """

    path: Path
    of: str
    messages: list[ModelMessage] = field(default_factory=list)
    over: bool = False
    results: dict[str, dict[str, str]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    told: bool = True
    repaired: bool = False
    denied: list[dict[str, str]] = field(default_factory=list)
    calls: int = 0

    @classmethod
    def load(cls, path: Path, of: str) -> Talk:
        """The conversation of a file; an empty one where there is none. Raises StepError for a file that is none."""
        try:
            data = json.loads(path.read_bytes())
            messages = ModelMessagesTypeAdapter.validate_python(data.pop("messages"))
            return cls(path=path, messages=messages, **data)
        except FileNotFoundError:
            return cls(path, of)
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise StepError(
                f"the conversation in {path.name} cannot be read: {str(error).partition(chr(10))[0][:200]}",
                code="bad_session",
                permanent=True,
                hint="begin a new one: `session: fresh`, or remove the file from .rota/agents/builtin",
            ) from None

    def save(self) -> None:
        """Put it on disk: the old one or this one is there, whatever happens."""
        data = {
            "of": self.of,
            "over": self.over,
            "results": self.results,
            "begun": self.begun,
            "told": self.told,
            "repaired": self.repaired,
            "denied": self.denied,
            "calls": self.calls,
            "messages": ModelMessagesTypeAdapter.dump_python(self.messages, mode="json"),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Escaped, so that half a character of a file that an agent read does no harm.
        write_atomic(self.path, json.dumps(data).encode())

    def goes_on(self, of: str) -> bool:
        """Whether that step was cut off in the midst of it."""
        return self.of == of and not self.over and bool(self.messages)

    def begin(self, of: str, prompt: str, instructions: str) -> None:
        """Put something new to the agent. What another step asked and got no answer to is not asked again."""
        if self.open_calls():
            for call in self.open_calls():
                self.settle(
                    call, NOT_BEGUN if call.tool_call_id not in self.begun else UNKNOWN, "interrupted"
                )
            self.hand_in(instructions)
        elif self.messages and isinstance(self.last, ModelRequest):
            left = [part for part in self.last.parts if not isinstance(part, UserPromptPart)]
            self.messages[-1:] = [ModelRequest(left, instructions=instructions)] if left else []
        self.of, self.over, self.repaired = of, False, False
        self.denied, self.calls = [], 0
        self.ask(prompt, instructions)

    def ask(self, prompt: str, instructions: str) -> None:
        """Say something to the agent."""
        parts = [UserPromptPart(prompt)]
        last = self.messages[-1] if self.messages else None
        if isinstance(last, ModelRequest):  # two requests in a row are none that every API takes
            self.messages[-1] = ModelRequest([*last.parts, *parts], instructions=instructions)
        else:
            self.messages.append(ModelRequest(parts, instructions=instructions))
        self.save()

    def answered(self, response: ModelResponse) -> None:
        """Take a response of the model."""
        self.messages.append(response)
        self.results, self.begun, self.told = {}, [], False
        self.save()

    @property
    def last(self) -> ModelMessage:
        """The last message."""
        return self.messages[-1]

    def open_calls(self) -> Sequence[ToolCallPart]:
        """The calls of the last response that have no result."""
        if not self.messages or not isinstance(self.last, ModelResponse):
            return []
        calls = [part for part in self.last.parts if isinstance(part, ToolCallPart)]
        return [call for call in calls if call.tool_call_id not in self.results]

    def has_begun(self, call: ToolCallPart) -> bool:
        """Whether a call that changes something was begun before, and its outcome is unknown."""
        return call.tool_call_id in self.begun

    def note_begun(self, call: ToolCallPart) -> None:
        """A call that changes something is begun now."""
        self.begun.append(call.tool_call_id)
        self.save()

    def settle(self, call: ToolCallPart, text: str, outcome: str) -> None:
        """Keep a call's result."""
        self.results[call.tool_call_id] = {"text": text, "outcome": outcome}
        self.calls += 1
        self.save()

    def hand_in(self, instructions: str) -> None:
        """Make the results of all calls what the model is asked with next."""
        if not isinstance(self.last, ModelResponse):
            return
        parts: list[Any] = []
        for call in self.last.parts:
            if isinstance(call, ToolCallPart):
                result = self.results[call.tool_call_id]
                parts.append(
                    ToolReturnPart(
                        call.tool_name,
                        result["text"],
                        call.tool_call_id,
                        outcome=result["outcome"],  # type: ignore[arg-type] # one of its literals: we wrote it
                    )
                )
        self.results, self.begun = {}, []
        self.messages.append(ModelRequest(parts, instructions=instructions))
        self.save()

    def end(self) -> None:
        """The step has its answer."""
        self.over = True
        self.save()


def prune(folder: Path, seconds: float) -> None:
    """Remove the conversations of a folder that nobody has gone on with for so long."""
    with suppress(OSError):
        for path in folder.glob("*.json"):
            if time.time() - path.stat().st_mtime > seconds:
                path.unlink(missing_ok=True)

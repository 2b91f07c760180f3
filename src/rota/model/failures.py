"""Failures, and the words by which a job file names them: `on:` and `not_on:` of a retry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ANY = "any"
STATUS_CLASS = re.compile(r"[1-5]xx")
HIGHEST_NUMBER = 599  # the highest HTTP status; exit codes end at 255

# A word, and what it names. Beside these stand exit codes, HTTP statuses, and classes of the latter (5xx).
WORDS: Mapping[str, str] = {
    "exit": "a command ended with an exit code that is not among its `ok_codes`",
    "timeout": "a try, or the run, took longer than its `timeout`; or a server gave no answer in time",
    "killed": "a signal ended the command",
    "limit": "the command went beyond its `limits`",
    "http": "an `http` step got a status that it did not expect",
    "connection": "a server could not be reached",
    "not_started": "a command could not be started, and may be later",
    "host_died": "the process that called a Python function ended in the call",
    "spawner_ended": "the process that starts commands ended",
    "empty_answer": "an agent that is a command gave no answer",
    "provider_error": "a model's API failed: too many requests, an overload, a stream that broke",
    "agent_interrupted": "somebody or something ended an agent's program in the midst of its work",
    "agent_failed": "an agent's program failed, or gave what nobody asked for",
    "bad_answer": "an agent's answer did not meet the step's `schema`, also when it was asked once more",
    "write_failed": "a file could not be written",
    "step_failed": "a Python function raised an error, or a step failed without a code of its own",
    "error": "a step raised an error that nobody foresaw",
    "unverified": "what `success_if` asks for was missing (of a run)",
    "interrupted": "rota ended while a step ran that is not to be repeated (of a run)",
    "internal": "rota itself failed in the run (of a run)",
}
_CODES: Mapping[str, str] = {"exit": "exit_nonzero", "http": "http_status"}

# What another try of the same cannot mend: codes of failures that are permanent wherever they come from.
PERMANENT = frozenset(
    {
        *("bad_address", "bad_path", "bad_request", "bad_result", "bad_schedule", "bad_source", "bad_spec"),
        *("bad_template", "bad_timezone", "bad_value", "http_error", "missing_secret", "no_channel"),
        *(
            "no_interpreter",
            "no_model",
            "no_runner",
            "not_found",
            "output",
            "runner_not_set_up",
            "stuck",
            "too_long",
        ),
        *("denied", "expired", "no_preview"),  # to ask the same again would wear the person down
        *("bad_schema", "budget", "no_file", "no_job", "no_server", "no_session", "no_system"),
        *("other_runner", "refused"),
        *("unknown_channel", "unknown_kind", "unknown_runner", "unknown_skill", "unknown_source"),
    }
)
# Somebody has decided that these are not to be repeated: they are only where they are named.
_ONLY_IF_NAMED = frozenset({"interrupted"})
_MAY_PASS = frozenset({408, 425, 429})  # of the statuses that blame the request


@dataclass(frozen=True)
class Failure:
    """How a try or a run failed: its reason's code, and the command's exit code or the HTTP status, if any."""

    code: str
    exit_code: int | None = None
    status: int | None = None

    @property
    def permanent(self) -> bool:
        """Whether trying again unchanged cannot help."""
        if self.status is not None and 400 <= self.status < 500:
            return self.status not in _MAY_PASS
        return self.code in PERMANENT

    @property
    def only_if_named(self) -> bool:
        """Whether `any` does not mean this one."""
        return self.code in _ONLY_IF_NAMED

    def is_named_by(self, word: str) -> bool:
        """Whether a word of `on:` or `not_on:` means this failure."""
        if word == ANY:
            return True
        if word.isdecimal():
            return int(word) in {self.exit_code, self.status}
        if STATUS_CLASS.fullmatch(word):
            return self.status is not None and str(self.status)[0] == word[0]
        return self.code == _CODES.get(word, word)


def is_known(word: str) -> bool:
    """Whether a word of `on:` or `not_on:` names a failure of rota's own; one of another package may be unknown."""
    return (
        word in WORDS
        or word in _CODES.values()
        or word == ANY
        or word.isdecimal()
        or STATUS_CLASS.fullmatch(word) is not None
    )

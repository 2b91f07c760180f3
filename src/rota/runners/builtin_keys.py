"""The settings of the builtin agent: which API, which model, whose key. Light: the daemon imports it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.templates.secrets import secret_names

Provider = Literal["anthropic", "openai", "openai-responses"]
# The API, and the usual name of its key.
PROVIDERS: Mapping[str, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
}
_OPENAI = ("gpt-", "chatgpt-", "o1", "o3", "o4")


class BuiltinKeys(BaseModel):
    """`agent: builtin:` in rota.yaml."""

    model_config = ConfigDict(extra="forbid")

    provider: Provider | None = Field(
        default=None,
        description="The API: `anthropic`, `openai` (Chat Completions, which most servers speak) or "
        "`openai-responses`. Else it is told from the model's name, or from the key that is there.",
    )
    base_url: str | None = Field(
        default=None,
        min_length=1,
        description="Where the API is, if not at its maker's: `http://127.0.0.1:11434/v1`.",
    )
    key: str | None = Field(
        default=None,
        description="The API's key, as `${NAME}`. By default `${ANTHROPIC_API_KEY}` or `${OPENAI_API_KEY}`.",
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        description="The model, where neither the step nor `agent: model:` names one.",
    )
    timeout: float = Field(
        default=120.0, gt=0, le=3600, description="Seconds that the API may be silent before it is given up."
    )
    retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often a request is made again that failed for an overload, a limit or a lost connection.",
    )
    max_tokens: int | None = Field(default=None, ge=1, description="The most tokens of one response.")
    turns: int = Field(default=100, ge=1, le=1000, description="The most requests of one try.")
    cache: bool = Field(
        default=True, description="Have Anthropic keep the conversation so far in its cache between requests."
    )


@dataclass(frozen=True)
class Choice:
    """What is asked. `provider`: of PROVIDERS; `model`: as that API calls it; `own`: it is the one of the settings."""

    provider: str
    model: str
    own: bool


def keys_of(config: WorkspaceConfig) -> BuiltinKeys:
    """The settings as they are written, secrets unresolved."""
    return BuiltinKeys.model_validate(dict(config.agent.settings.get("builtin", {})))


def choose(keys: BuiltinKeys, model: str | None, known: Collection[str]) -> Choice:
    """The API and the model of a request. `known`: names of secrets and variables. Raises StepError for no model."""
    said = model or keys.model
    if said is None:
        raise StepError(
            "the builtin agent has no model",
            code="no_model",
            permanent=True,
            hint="set `model:` in the step, or under `agent:` in rota.yaml",
        )
    before, colon, name = said.partition(":")
    if colon and before in PROVIDERS and name:
        return Choice(before, name, keys.provider in {None, before})
    return Choice(keys.provider or _guess(said, keys, known), said, own=True)


def _guess(model: str, keys: BuiltinKeys, known: Collection[str]) -> str:
    openai = "openai" if keys.base_url else "openai-responses"
    if "claude" in model:
        return "anthropic"
    if model.startswith(_OPENAI):
        return openai
    if keys.base_url is None and PROVIDERS["anthropic"] in known:
        return "anthropic"
    return openai


def has_key(keys: BuiltinKeys, known: Collection[str]) -> bool:
    """Whether a key is there; a server of one's own may need none."""
    if keys.key is not None:
        return secret_names(keys.key) <= set(known)
    if keys.base_url is not None:
        return True
    names = [PROVIDERS[keys.provider]] if keys.provider else list(PROVIDERS.values())
    return any(name in known for name in names)

"""What the keys of all channels have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from rota.model.errors import ScheduleError, StepError
from rota.schedule.durations import parse_duration

DEFAULT_TIMEOUT = 30.0


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value, minimum=timedelta(milliseconds=1), bare="s").total_seconds()
    except ScheduleError as error:
        raise ValueError(str(error)) from None


# Below the minute that the outbox gives the whole call, so that the channel's own words are heard.
Timeout = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(
        gt=0,
        le=50,
        description="How long until a delivery is given up, such as 10s (at most 50s); connecting may take 10s of it.",
    ),
]


class ChannelParams(BaseModel):
    """Base of every channel's keys.

    A text that holds `${NAME}` passes unchecked, whatever the field's type, until it is `filled`.
    Errors never show the values, since these are the secrets once they are filled.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _unfilled_passes(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        return value if holds_secret(value) and not is_filled(info) else check(value)


Params = TypeVar("Params", bound=ChannelParams)


def holds_secret(value: Any) -> bool:
    """Whether a value is a text with a `${NAME}` to be filled in."""
    return isinstance(value, str) and "${" in value


def is_filled(info: ValidationInfo) -> bool:
    """Whether the secrets are in place by now."""
    return bool(info.context and info.context.get("filled"))


def filled(model: type[Params], config: Mapping[str, Any], channel: str) -> Params:
    """The keys of `config`, its secrets in place, as `model`. StepError (permanent) where they do not fit."""
    try:
        return model.model_validate(dict(config), context={"filled": True})
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors(include_input=False, include_url=False)]
    raise misconfigured(channel, "; ".join(dict.fromkeys(faults)))


def misconfigured(channel: str, fault: str, hint: str | None = None) -> StepError:
    """The error of a channel whose keys cannot work, in one line."""
    return StepError(
        f"channel `{channel}` is not set up right: {fault}",
        hint=hint or "correct it in the job's `notify:` or under `channels:` in rota.yaml",
        code="bad_channel",
        permanent=True,
    )


def _fault(fault: Any) -> str:
    text = str(fault["msg"]).removeprefix("Value error, ")
    return f"`{fault['loc'][0]}`: {text}" if fault["loc"] else text

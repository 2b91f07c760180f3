"""What the keys of several sources have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rota.model.errors import ScheduleError, StepError
from rota.schedule.durations import parse_duration


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value, minimum=timedelta(0), bare="s").total_seconds()
    except ScheduleError as error:
        raise ValueError(str(error)) from None


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds)]
Patience = Annotated[
    Seconds,
    Field(gt=0, le=3600, description="How long one look may take in all, such as 90s; then it is given up."),
]
Texts = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_listed)]


class SourceParams(BaseModel):
    """Base of a source's keys. Errors never show the values, which hold the secrets when they are filled."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)


Params = TypeVar("Params", bound=BaseModel)


def checked(model: type[Params], config: Mapping[str, Any], kind: str) -> Params:
    """The keys of `config` as `model`. StepError (permanent) that names the first key which does not fit."""
    keys = {name: value for name, value in config.items() if name not in {"pull", "type"}}
    try:
        return model.model_validate(keys)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    said = str(first["msg"]).removeprefix("Value error, ")
    raise StepError(
        f"pull: {kind}: `{key}`: {said}" if key else f"pull: {kind}: {said}",
        code="bad_value",
        permanent=True,
        hint=f"it takes {', '.join(field.alias or name for name, field in model.model_fields.items())}",
    )

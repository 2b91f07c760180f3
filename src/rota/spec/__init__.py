"""F2: what a job file (or rota.yaml) says, and what is wrong with it. Text in, values out; no I/O.

The parts are loaded when they are first used: most of the command line needs no YAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rota.spec.catalog import Catalog
    from rota.spec.codec import digest, from_json, to_json
    from rota.spec.config import ConfigResult, parse_config
    from rota.spec.edit import set_keys
    from rota.spec.files import FileResult, ParsedJob, parse_file, parse_mapping
    from rota.spec.new import new_job_text, new_prompt_text
    from rota.spec.schema import config_schema, json_schema

_HOMES = {
    "Catalog": "catalog",
    "ConfigResult": "config",
    "FileResult": "files",
    "ParsedJob": "files",
    "config_schema": "schema",
    "digest": "codec",
    "from_json": "codec",
    "json_schema": "schema",
    "new_job_text": "new",
    "new_prompt_text": "new",
    "parse_config": "config",
    "parse_file": "files",
    "parse_mapping": "files",
    "set_keys": "edit",
    "to_json": "codec",
}

__all__ = [
    "Catalog",
    "ConfigResult",
    "FileResult",
    "ParsedJob",
    "config_schema",
    "digest",
    "from_json",
    "json_schema",
    "new_job_text",
    "new_prompt_text",
    "parse_config",
    "parse_file",
    "parse_mapping",
    "set_keys",
    "to_json",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"rota.spec.{_HOMES[name]}"), name)
    return found

"""JSON Schema of the webhook trigger, and of the door in rota.yaml."""

from __future__ import annotations

from rota.spec import webhooks
from rota.spec.schema_kinds import Schema
from rota.spec.schema_parts import (
    BOOLEAN,
    FILLED,
    SIZE,
    TEXT,
    about,
    count,
    empty_too,
    mapping,
    one_or_many,
    ref,
)


def webhook_fields() -> Schema:
    """The keys of a webhook trigger; they stand in it or beside it."""
    batch = {
        "max": count(1, "How many deliveries start a run at once.", webhooks.BATCH_MAX),
        "within": ref("duration", "How long the first one waits at most; 1m unless said."),
    }
    fields: Schema = {
        "name": about(FILLED, "The name in its URL, /hooks/NAME; the file's or the job's unless said."),
        "verify": {
            "enum": list(webhooks.SCHEMES),
            "description": "How a request proves where it comes from; bearer unless said.",
        },
        "secret": about(
            one_or_many(FILLED), "The secret, as ${NAME}; several while one is changed for another."
        ),
        "header": about(FILLED, "hmac: the header of the signature."),
        "algorithm": {"enum": list(webhooks.ALGORITHMS), "description": "hmac: sha256 unless said."},
        "encoding": {"enum": list(webhooks.ENCODINGS), "description": "hmac: hex unless said."},
        "prefix": about(TEXT, "hmac: what stands before the signature: sha256=."),
        "timestamp_header": about(FILLED, "hmac: the header of the time that is signed, too."),
        "signed": about(FILLED, "hmac: what is signed: {timestamp}.{body}."),
        "tolerance": ref("duration", "How old a signed time may be."),
        "id_header": about(FILLED, "The header of the sender's own id of a delivery."),
        "rate": about(FILLED, "How often a client may call it: 60/minute."),
        "dedupe": {
            "anyOf": [{"const": False}, ref("duration")],
            "description": "How long the same content without an id is the same delivery; 10m unless said.",
        },
        "if": about(
            {"type": ["string", "boolean"]}, "A condition over payload, headers, query: else skipped."
        ),
        "debounce": ref("duration", "One run for all that comes until so long nothing came."),
        "batch": {
            "anyOf": [count(1, "As max.", webhooks.BATCH_MAX), empty_too(mapping(batch))],
            "description": "One run for so many deliveries.",
        },
    }
    return {
        key: {"anyOf": [{k: v for k, v in part.items() if k != "description"}, {"type": "null"}]}
        | ({"description": part["description"]} if "description" in part else {})
        for key, part in fields.items()
    }


def webhook() -> Schema:
    """The value of `webhook:`."""
    return {
        "anyOf": [
            about(FILLED, "The name in its URL."),
            {"enum": [True, None]},
            {"type": "object", "properties": webhook_fields(), "additionalProperties": False},
        ]
    }


def web() -> Schema:
    """`web:` of rota.yaml."""
    fields = {
        "host": about(FILLED, "The address that it listens at; 127.0.0.1 unless said."),
        "port": {
            "type": "integer",
            "minimum": 0,
            "maximum": 65_535,
            "description": "Its port; 8765 unless said.",
        },
        "socket": about(FILLED, "A Unix socket instead, relative to the workspace."),
        "hosts": about(one_or_many(FILLED), "Names that requests may be for: hooks.example.com."),
        "body": about(SIZE, "How large a body may be; 1MiB unless said."),
        "patience": ref("duration", "How long a client may take for headers, and again for the body."),
        "connections": count(8, "How many connections there may be at once.", 100_000),
        "forwarded": about(BOOLEAN, "Whether a reverse proxy says who the client is (X-Forwarded-For)."),
        "url": about(FILLED, "Where people reach the door, for links in messages: https://rota.example.com."),
    }
    return {"anyOf": [BOOLEAN, {"enum": ["on", "off"]}, empty_too(mapping(fields))]}

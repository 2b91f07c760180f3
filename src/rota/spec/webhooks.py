"""The `webhook:` trigger: its keys, checked, and brought into one form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rota.model.ids import SLUG, slug
from rota.spec import values
from rota.spec.report import Fields, Place
from rota.spec.words import listing

# How a request proves where it comes from.
SCHEMES = (
    *("bearer", "basic", "github", "gitlab", "hmac", "krisp", "linear"),
    *("notion", "shopify", "slack", "standard", "stripe", "none"),
)
ALGORITHMS = ("sha256", "sha512", "sha1")
ENCODINGS = ("hex", "base64")
# Keys that say how a generic `hmac` is made.
HMAC_KEYS = ("header", "algorithm", "encoding", "prefix", "timestamp_header", "signed")
WEBHOOK_KEYS = (
    *("name", "verify", "secret", *HMAC_KEYS, "tolerance", "id_header"),
    *("rate", "dedupe", "if", "debounce", "batch"),
)
DEFAULT = "bearer"
# Both sides agree on a word that either may make up: where the file names none, rota does.
MADE = frozenset({DEFAULT, "krisp"})
BATCH_WITHIN = 60.0
BATCH_MAX = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RATE = re.compile(r"\d+ ?(?:/|per) ?(?:\d+ ?)?(?:second|minute|hour|day)s?")


def read_webhook(value: Any, place: Place, beside: Fields) -> tuple[str, dict[str, Any]] | None:
    """The name in its URL ('' unless said) and its options; `value` may hold the keys, or stand beside them."""
    name = ""
    if isinstance(value, Mapping):
        inside = Fields(value, place)
        for key in [key for key in beside.rest if key in inside.rest]:
            (place / key).error("the key is there twice", "keep one of them")
        beside.rest = {**beside.rest, **inside.rest}
    elif value is not None and value is not True:
        said = values.text(value, place)
        if said is None:
            return None
        name = said
    own = Fields(beside.rest, place if isinstance(value, Mapping) else beside.place)
    if isinstance(value, str) and value in SCHEMES and "verify" not in own:
        place.warn(f"`webhook: {value}` names its URL; to check its signatures, write `verify: {value}`")
    beside.rest = {}
    name = own.maybe("name", values.text) or name
    name = name.removeprefix("/").removeprefix("hooks/")
    if name and not _NAME.fullmatch(name):
        place.error(
            f"`{name}` cannot stand in a URL", f"did you mean `{slug(name)}`?" if slug(name) else None
        )
    options = _options(own)
    own.refuse_rest((*WEBHOOK_KEYS, "id"))
    return name, options


def _options(own: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {
        "verify": own.read("verify", values.choice(SCHEMES), DEFAULT),
        "secret": own.maybe("secret", _secrets),
        "header": own.maybe("header", _header),
        "algorithm": own.maybe("algorithm", values.choice(ALGORITHMS)),
        "encoding": own.maybe("encoding", values.choice(ENCODINGS)),
        "prefix": own.maybe("prefix", values.any_text),
        "timestamp_header": own.maybe("timestamp_header", _header),
        "signed": own.maybe("signed", _signed),
        "tolerance": own.maybe("tolerance", values.duration),
        "id_header": own.maybe("id_header", _header),
        "rate": own.maybe("rate", _rate),
        "dedupe": own.maybe("dedupe", _dedupe),
        "if": own.maybe("if", values.condition),
        "debounce": own.maybe("debounce", values.duration),
        "batch": own.maybe("batch", _batch),
    }
    scheme = found["verify"]
    if scheme == "hmac" and found["header"] is None:
        (own.place / "verify").error(
            "`hmac` needs the header of the signature", "such as `header: X-Signature`"
        )
    if scheme != "hmac":
        for key in (key for key in HMAC_KEYS if found[key] is not None):
            (own.place / key).error(f"`{scheme}` has its own `{key}`", "the key is for `verify: hmac`")
    needs_none = scheme in {*MADE, "notion", "none"}  # made by rota, sent by the provider, not needed
    if found["secret"] is None and not needs_none:
        (own.place / "secret").error(
            f"`verify: {scheme}` needs a secret", 'keep it out of the file: `secret: "${NAME}"`'
        )
    if scheme == "none" and found["secret"] is not None:
        (own.place / "secret").error("`verify: none` asks for no secret", "take one of the two out")
    return {key: value for key, value in found.items() if value is not None}


def _secrets(value: Any, place: Place) -> list[str] | None:
    found = values.texts(value, place)
    return list(found) if found else None


def _header(value: Any, place: Place) -> str | None:
    said = values.text(value, place)
    if said is not None and not _HEADER.fullmatch(said):
        place.error(f"`{said}` is no name of a header", "such as X-Signature")
        return None
    return None if said is None else said.lower()


def _signed(value: Any, place: Place) -> str | None:
    said = values.text(value, place)
    if said is not None and "{body}" not in said:
        place.error("what is signed has to hold `{body}`", 'such as `signed: "{timestamp}.{body}"`')
        return None
    return said


def _rate(value: Any, place: Place) -> str | None:
    said = values.text(value, place)
    if said is not None and not _RATE.fullmatch(said):
        values.expected(place, "a rate such as 60/minute", value)
        return None
    return said


def _dedupe(value: Any, place: Place) -> float | None:
    """Seconds in which the same content is the same delivery; `false`: none."""
    return 0.0 if value is False else values.duration(value, place)


def _batch(value: Any, place: Place) -> dict[str, Any] | None:
    """`{max, within}`, or the number alone."""
    if not isinstance(value, Mapping):
        most = values.whole(1, BATCH_MAX)(value, place)
        return None if most is None else {"max": most, "within": BATCH_WITHIN}
    fields = Fields(value, place)
    found = {
        "max": fields.read("max", values.whole(1, BATCH_MAX), BATCH_MAX),
        "within": fields.read("within", values.duration, BATCH_WITHIN),
    }
    fields.refuse_rest(("max", "within"))
    return found


def named(name: str, where: str, place: Place) -> str:
    """The name of a hook that says none: its file's or job's."""
    if not name and not _NAME.fullmatch(where):
        hint = "rename the file" if not SLUG.fullmatch(slug(where)) else f"rename the file: `{slug(where)}`"
        place.error(
            f"`{where}` cannot stand in a URL ({listing(('letters', 'digits', '.', '_', '-'), 'and')})", hint
        )
    return name or where

"""The `web:` part of rota.yaml: the HTTP door."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from rota.model.config import WebConfig
from rota.spec import values
from rota.spec.report import Fields, Place

WEB_KEYS = ("host", "port", "socket", "hosts", "body", "patience", "connections", "forwarded", "url")
_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?(?:/[A-Za-z0-9._~/-]*)?")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_NAME = re.compile(r"\*|(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


def read_web(value: Any, place: Place) -> WebConfig | None:
    """`off` (or false) closes the door; true and nothing leave it as it is."""
    if value is False or value == "off":
        return WebConfig(on=False)
    if value is True or value == "on":
        return WebConfig()
    data = values.mapping(value, place)
    if data is None:
        return None
    fields, default = Fields(data, place), WebConfig()
    found = WebConfig(
        host=fields.read("host", _host, default.host),
        port=fields.read("port", values.whole(0, 65_535), default.port),
        socket=fields.maybe("socket", values.text),
        hosts=fields.read("hosts", _hosts, default.hosts),
        body=fields.read("body", values.size, default.body),
        patience=fields.read("patience", values.duration, default.patience),
        connections=fields.read("connections", values.whole(8, 100_000), default.connections),
        forwarded=fields.read("forwarded", values.boolean, default.forwarded),
        url=fields.maybe("url", _url),
    )
    if found.url is not None:  # who follows a link of ours comes for that name
        host = urlsplit(found.url).hostname or ""
        found = replace(found, hosts=tuple(dict.fromkeys((*found.hosts, host))))
    if found.socket is not None:
        for key in ("host", "port"):
            if key in data:
                (place / key).error(
                    f"both `socket` and `{key}`", "a Unix socket has neither: keep one of them"
                )
    fields.refuse_rest(WEB_KEYS)
    return found


def _host(value: Any, place: Place) -> str | None:
    said = values.text(value, place)
    if said is not None and not _HOST.fullmatch(said):
        place.error(f"`{said}` is no address", "such as 127.0.0.1, or 0.0.0.0 for every one of this machine")
        return None
    return said


def _url(value: Any, place: Place) -> str | None:
    said = values.text(value, place)
    if said is None:
        return None
    try:
        parts = urlsplit(said)
        ok = parts.scheme in {"http", "https"} and _URL.fullmatch(said) and parts.port != 0
    except ValueError:
        ok = False
    if not ok:
        place.error(
            f"`{said}` is no address of the door",
            "such as https://rota.example.com, with a path perhaps, without ? and #",
        )
        return None
    return said.rstrip("/")


def _hosts(value: Any, place: Place) -> tuple[str, ...] | None:
    names = values.texts(value, place)
    for name in names or ():
        if not _NAME.fullmatch(name):
            place.error(f"`{name}` is no host name", "such as hooks.example.com, without https:// and path")
    return None if names is None else tuple(name.lower() for name in names)

"""Zones and their transitions, against the compiled tz database itself."""

from __future__ import annotations

import struct
import zoneinfo
from datetime import datetime, timedelta
from importlib import resources
from itertools import pairwise

import pytest

from rota.schedule import zone
from rota.schedule.zones import transition

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


def compiled(name: str) -> bytes:
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()


def transitions_in_file(data: bytes) -> list[tuple[int, int, int]]:
    """(time, offset before, offset after) of each change of an offset in a TZif file's 64-bit part."""

    def counts(start: int) -> tuple[int, ...]:
        return struct.unpack(">6l", data[start + 20 : start + 44])

    utc, std, leap, times, types, chars = counts(0)
    start = 44 + times * 5 + types * 6 + chars + leap * 8 + std + utc
    *_, times, types, chars = counts(start)
    start += 44
    moments = struct.unpack_from(f">{times}q", data, start)
    kinds = data[start + 8 * times : start + 9 * times]
    offsets = [struct.unpack_from(">l", data, start + 9 * times + 6 * i)[0] for i in range(types)]
    before = offsets[0]
    found = []
    for moment, kind in zip(moments, kinds, strict=True):
        if offsets[kind] != before:
            found.append((moment, before, offsets[kind]))
        before = offsets[kind]
    return found


def test_no_two_changes_of_an_offset_are_closer_than_the_probes() -> None:
    """`zones` looks at offsets every two days only; the tz database must stay further apart than that."""
    closest = min(
        later[0] - earlier[0]
        for name in resources.files("tzdata").joinpath("zones").read_text().split()
        for earlier, later in pairwise(transitions_in_file(compiled(name)))
    )
    assert closest > 3 * 86400


@pytest.mark.parametrize(
    "name",
    [
        "Europe/London",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
        "Pacific/Apia",
        "Asia/Gaza",
    ],
)
def test_every_transition_is_found_to_the_second(name: str) -> None:
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        place = zoneinfo.ZoneInfo.from_file(file, name)
    listed = [change for change in transitions_in_file(compiled(name)) if change[0] > 0]
    found, moment, end = [], EPOCH, EPOCH + timedelta(seconds=listed[-1][0])  # after it a rule goes on
    while change := transition(place, moment, end):
        moment = change.at
        found.append(
            tuple(int(length.total_seconds()) for length in (moment - EPOCH, change.before, change.after))
        )
    assert found == listed


def test_the_tzdata_package_serves_where_the_system_has_no_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        place = zone("Europe/London")
        assert place.utcoffset(datetime(2026, 7, 1)) == timedelta(hours=1)  # noqa: DTZ001
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


def test_a_zone_keeps_its_name() -> None:
    assert zone(" Asia/Kolkata ").key == "Asia/Kolkata"

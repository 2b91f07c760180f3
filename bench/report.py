"""A measurement as a whole: what was measured of whom, and on which machine. Read and written as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Summary, plain

ROTA, LIMITS = "rota", "limits"


@dataclass(frozen=True)
class Subject:
    """One that was measured. `durable`: what it says is done has been synced to the disk."""

    name: str
    durable: bool
    version: str = ""
    settings: str = ""
    figures: Mapping[str, Summary] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """Subjects in their order; by name, why one is left out, and which of its scenarios (`NAME SCENARIO`) failed."""

    machine: Mapping[str, str]
    subjects: tuple[Subject, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> Mapping[str, Summary]:
        """The figures of a subject, none when it was not measured."""
        return next((subject.figures for subject in self.subjects if subject.name == name), {})

    @property
    def peers(self) -> tuple[Subject, ...]:
        """All but rota and the limits."""
        return tuple(subject for subject in self.subjects if subject.name not in {ROTA, LIMITS})


def to_json(report: Report) -> dict[str, Any]:
    """As the file has it."""
    subjects = [
        {
            "name": subject.name,
            "durable": subject.durable,
            "version": subject.version,
            "settings": subject.settings,
            "figures": {name: plain(summary) for name, summary in subject.figures.items()},
        }
        for subject in report.subjects
    ]
    return {
        "machine": dict(report.machine),
        "subjects": subjects,
        "left_out": dict(report.left_out),
        "failed": dict(report.failed),
    }


def from_json(read: Mapping[str, Any]) -> Report:
    """The reverse of `to_json`."""
    subjects = tuple(
        Subject(
            **{
                **subject,
                "figures": {name: Summary(tuple(one["rounds"])) for name, one in subject["figures"].items()},
            }
        )
        for subject in read["subjects"]
    )
    return Report(read["machine"], subjects, read["left_out"], read["failed"])


def machine(folder: Path) -> dict[str, str]:
    """What the figures depend on; `folder` is where the states of all subjects stand."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": str(os.cpu_count()),
        "CPU": _cpu(),
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "filesystem": _filesystem(folder),
    }


def _cpu() -> str:
    """Its model."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    elif platform.system() == "Darwin":
        argv = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def _filesystem(folder: Path) -> str:
    """Its type, where the folder is."""
    inside = [
        part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)
    ]
    return max(inside, key=lambda part: len(part.mountpoint)).fstype if inside else "unknown"

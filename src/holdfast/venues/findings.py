"""What an examination of a venue finds, one line each, and what to do where it is not well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import Enum

import msgspec

from .wiring import Wiring


class Health(Enum):
    """How one check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Area(Enum):
    """Whose business a finding is."""

    SETTINGS = "settings"
    VENUE = "venue"
    JOURNAL = "journal"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `way_out` says what a person can do, where something is to be done."""

    check: str
    health: Health
    told: str
    way_out: str = ""
    area: Area = Area.VENUE


Examiner = Callable[[Wiring], AsyncIterator[Finding]]
"""Yields a venue's findings as they come. Changes nothing there, and raises nothing of it."""


def ok(check: str, told: str) -> Finding:
    return Finding(check=check, health=Health.OK, told=told)


def failed(check: str, told: str, way_out: str, area: Area = Area.VENUE) -> Finding:
    return Finding(check=check, health=Health.FAILED, told=told, way_out=way_out, area=area)


def warned(check: str, told: str, way_out: str, area: Area = Area.VENUE) -> Finding:
    return Finding(check=check, health=Health.WARNING, told=told, way_out=way_out, area=area)


def skipped(check: str, told: str) -> Finding:
    return Finding(check=check, health=Health.SKIPPED, told=told)

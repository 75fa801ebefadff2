"""Durations as people write them: "5s", "250ms", "1.5h"."""

from __future__ import annotations

import re
from decimal import Decimal

from .values import NS_PER_MS, NS_PER_S

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h)")
_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
}


def duration_ns(text: str) -> int | None:
    """Return the nanoseconds of a text; None where it is no duration."""
    match = _DURATION.fullmatch(text.strip())
    return int(Decimal(match[1]) * _UNITS_NS[match[2]]) if match else None

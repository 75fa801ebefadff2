"""How far our books and the venue's lie apart."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Difference(msgspec.Struct, frozen=True):
    """By how much the venue's books lie above ours, and how often in a row; see `BooksDiffered`.

    `ts` is when it was seen last. A fill from before then explains it, as far as anybody knows, and
    so does money of just that amount: the same gap behind it is another one.
    """

    gap: Decimal
    sightings: int
    in_a_row: int
    ts: int = 0

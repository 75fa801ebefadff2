"""A symbol's order book as the other venue tells of it: changes on the stream, a snapshot when asked.

Ids jump from one change to the next; a snapshot lies within the change that follows it.
"""

from __future__ import annotations

import random
from collections import deque

from .rows import text

FIRST_ID = 9_880_000_000
WITHIN = 8
TRAILS = 6


class Levels:
    """What was told of one book."""

    def __init__(self, symbol, depth):
        self.symbol, self.depth = symbol, depth
        self._lots = random.Random(symbol)
        self.last_id = FIRST_ID
        self.told: dict = {1: {}, -1: {}}
        self.snapshots: deque[dict] = deque(maxlen=TRAILS)
        self._keep(0)

    def change(self, now):
        """Return the event of what has changed since, None where nothing has."""
        there = {sign: dict(self.depth.sides[sign]) for sign in (1, -1)}
        changed = {sign: differing(self.told[sign], there[sign]) for sign in (1, -1)}
        if there == self.told:
            return None
        first, before = self.last_id + WITHIN, self.last_id
        self.told, self.last_id = there, first + self._lots.randint(0, 600)
        self._keep(now)
        ids = {"U": first, "u": self.last_id, "pu": before}
        sides = {"b": changed[-1], "a": changed[1]}
        at = {"E": now + 1, "T": now, "s": self.symbol, "ps": self.symbol}
        return {"e": "depthUpdate", **at, **ids, **sides, "st": 1}

    def _keep(self, now):
        sides = {"bids": rows_of(self.told[-1], -1), "asks": rows_of(self.told[1], 1)}
        self.snapshots.append({"lastUpdateId": self.last_id + WITHIN, "E": now, "T": now, **sides})

    def snapshot(self, *, is_old):
        return self.snapshots[0 if is_old else -1]


def differing(before, now):
    """Return quantities of levels that are new or other, and 0 for those that are gone."""
    gone = [[text(price), "0.000"] for price in before if price not in now]
    return gone + [[text(p), text(qty)] for p, qty in now.items() if before.get(p) != qty]


def rows_of(levels, sign):
    return [[text(price), text(levels[price])] for price in sorted(levels, reverse=sign < 0)]

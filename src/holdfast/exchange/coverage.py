"""Until when a market's funding is known to be charged, and who has to pay what is not.

Each announcement of the next funding says that there is none before it. Where the announcements
are heard without a break, and what they announce is charged as it falls due, all is charged. A
break (the process was down or suspended, the stream was silent over a settlement) leaves a time of
which the venue's history alone can tell; `held` says who was there then.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ..model.values import NS_PER_S, AccountId
from .orders import PositionSide

Holder = tuple[AccountId, PositionSide]
"""Whose position it is; a hedged account may hold two."""

LATE_NS = 60 * NS_PER_S
"""So much behind its time the next funding is announced at the latest, and the last one listed."""

SAME_FUNDING_NS = 60 * NS_PER_S
"""Two announcements nearer than this mean the same funding: recorded times jitter."""


class Coverage:
    """What is known of one market's funding."""

    __slots__ = ("charged", "complete_ts", "heard_since", "held")

    def __init__(self) -> None:
        self.complete_ts = 0  # all that fell due until then is charged
        self.charged: tuple[int, ...] = ()  # when what is charged fell due, later than that
        self.held: dict[Holder, Decimal] | None = None  # positions of the unknown time; None: none
        self.heard_since = 0  # since when announcements have come without a break

    def begin(self, ts: int) -> None:
        """The first position is opened: what fell due before is nobody's."""
        if self.held is None:
            self.complete_ts, self.charged = ts, ()

    def charge(self, due_ts: int) -> None:
        """What was announced is charged as it falls due."""
        if self.held is None:
            self.complete_ts, self.charged = max(self.complete_ts, due_ts), (due_ts,)
        else:
            self.charged = (*self.charged, due_ts)

    def hear(self, ts: int, announced_ts: int, holders: Mapping[Holder, Decimal]) -> None:
        """Take in when an announcement was heard: it may show a break.

        Args:
            announced_ts: when the funding falls due that was announced before.
        """
        if ts > max(announced_ts, self.complete_ts) + LATE_NS:
            self.lose(holders)
        self.heard_since = self.heard_since or ts

    def lose(self, holders: Mapping[Holder, Decimal]) -> None:
        """Leave what fell due to the venue's history."""
        self.heard_since = 0
        if self.held is None and holders:
            self.held = dict(holders)

    def is_missing(self, due_ts: int) -> bool:
        """Tell whether a funding of the past is to be charged still."""
        near = (each for each in self.charged if abs(due_ts - each) < SAME_FUNDING_NS)
        return due_ts > self.complete_ts and next(near, None) is None

    def settle(self, until: int, announced_ts: int) -> None:
        """All that history tells until then is charged; the last may not be listed yet."""
        until -= LATE_NS
        self.complete_ts = max(self.complete_ts, until)
        self.charged = tuple(each for each in self.charged if each > until - SAME_FUNDING_NS)
        if 0 < self.heard_since <= until < announced_ts:
            self.held = None

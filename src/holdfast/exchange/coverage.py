"""Until when a market's funding is known to be charged, and who has to pay what is not.

Each announcement of the next funding says that there is none before it. Where the announcements
are heard without a break, and what they announce is charged as it falls due, all is charged. A
break (the process was down or suspended, the stream was silent over a settlement) leaves a time of
which the venue's history alone can tell; `unknown` says who was there then.

Rule: each break has holders of its own, and so has each part of one in which a position changed.
      They outlive the process: what changes a position writes the market's row too.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from ..model.values import NS_PER_S, AccountId
from .orders import PositionSide

Holder = tuple[AccountId, PositionSide]
"""Whose position it is; a hedged account may hold two."""

LATE_NS = 60 * NS_PER_S
"""So much behind its time the next funding is announced at the latest, and the last one listed."""

SAME_FUNDING_NS = 60 * NS_PER_S
"""Two announcements nearer than this mean the same funding: recorded times jitter."""


class Span(NamedTuple):
    """A time of which it is unknown what fell due, up to the end of the break that it is.

    It begins where the one before it ends, the first one where all is charged.
    """

    until: int
    held: tuple[tuple[Holder, Decimal], ...]


class Coverage:
    """What is known of one market's funding."""

    __slots__ = ("charged", "complete_ts", "heard_since", "unknown")

    def __init__(self) -> None:
        self.complete_ts = 0  # all that fell due until then is charged
        self.charged: tuple[int, ...] = ()  # when what is charged fell due, later than that
        self.unknown: tuple[Span, ...] = ()  # oldest first
        self.heard_since = 0  # since when announcements have come without a break

    def begin(self, ts: int) -> None:
        """The first position is opened: what fell due before is nobody's."""
        if self.is_owed:
            self._leave(ts, {})
        else:
            self.complete_ts, self.charged, self.unknown = ts, (), ()

    def change(self, ts: int, announced_ts: int, holders: Mapping[Holder, Decimal]) -> None:
        """A position is about to change: who holds now has held until now.

        Where announcements come, what falls due is charged as it does, and nobody need know.
        """
        if self.is_owed and not (self.heard_since and ts < announced_ts):
            self._leave(ts, holders)

    def charge(self, due_ts: int) -> None:
        """What was announced is charged as it falls due."""
        if not self.is_owed:
            self.complete_ts, self.charged = max(self.complete_ts, due_ts), (due_ts,)
        else:
            self.charged = (*self.charged, due_ts)

    def hear(self, ts: int, announced_ts: int, holders: Mapping[Holder, Decimal]) -> None:
        """Take in when an announcement was heard: it may show a break.

        Args:
            announced_ts: when the funding falls due that was announced before.
        """
        if ts > max(announced_ts, self.complete_ts) + LATE_NS:
            self.lose(ts, holders)
        self.heard_since = self.heard_since or ts

    def lose(self, ts: int, holders: Mapping[Holder, Decimal]) -> None:
        """Leave to the venue's history what fell due until now: who holds now held then."""
        self.heard_since = 0
        if self.is_owed or holders:
            self._leave(ts, holders)

    def _leave(self, ts: int, holders: Mapping[Holder, Decimal]) -> None:
        last, held = self.unknown[-1:], tuple(holders.items())
        if last and last[0].held == held:  # one break behind another, and nothing in between
            self.unknown = self.unknown[:-1]
        self.unknown = (*self.unknown, Span(ts, held))

    @property
    def is_owed(self) -> bool:
        """Tell whether anybody may have to pay what is unknown."""
        return any(span.held for span in self.unknown)

    def held_at(self, due_ts: int) -> dict[Holder, Decimal] | None:
        """Return who held in an unknown time; None behind the last: who holds now did."""
        held = (dict(span.held) for span in self.unknown if due_ts <= span.until)
        return next(held, None)

    def is_missing(self, due_ts: int) -> bool:
        """Tell whether a funding of the past is to be charged still."""
        near = (each for each in self.charged if abs(due_ts - each) < SAME_FUNDING_NS)
        return due_ts > self.complete_ts and next(near, None) is None

    def settle(self, until: int, announced_ts: int, *, is_last: bool = False) -> None:
        """All that history tells until then is charged; the last may not be listed yet.

        Args:
            is_last: history will never tell more.
        """
        until -= LATE_NS
        self.complete_ts = max(self.complete_ts, until)
        self.charged = tuple(each for each in self.charged if each > until - SAME_FUNDING_NS)
        later = tuple(span for span in self.unknown if span.until > self.complete_ts)
        is_over = is_last or 0 < self.heard_since <= until < announced_ts
        self.unknown = () if is_over else later or self.unknown[-1:]

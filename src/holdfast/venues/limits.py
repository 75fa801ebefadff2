"""One budget for what a venue allows in a time: request weight and order counts.

Rule 1: what is granted never exceeds a limit in any window of its length, wherever it begins, and
        however much longer than another one a request is on its way (`ARRIVAL_NS`); the venue's own
        windows begin on the clock, so that they are covered.
Rule 2: each urgency leaves a part of every limit to the more urgent ones: when new orders have
        to wait, cancels and stops still go.
Rule 3: what the venue has counted (another program on this address included), and what left
        since, is the least that counts until the venue's window ends: those begin at full minutes,
        and tens of seconds. A count beyond the limit says nothing of that window.
Rule 4: after a 429 or 418 nothing leaves before the time that the venue named.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..model.values import NS_PER_DAY, NS_PER_MS, NS_PER_S

TAKEN = 0
"""What `Budget.take` answers when the request may leave now."""

JITTER_NS = 250 * NS_PER_MS
"""Those who wait for the same moment leave within this time after it."""

MINUTE_NS = 60 * NS_PER_S
BAN_LEAST_NS, BAN_MOST_NS = 120 * NS_PER_S, 3 * NS_PER_DAY
"""A ban whose end is not named lasts at least two minutes; one of over three days there is not."""

ARRIVAL_NS = NS_PER_S
"""How much longer than another one a request may be on its way."""

FLIGHT_NS = 30 * NS_PER_S
"""After this a request of which nothing was heard no longer keeps others of its kind."""

HEARD_LONGER_NS = NS_PER_S
"""What ends by the venue's clock, a window or a ban, may end so much later by ours."""

IN_USE = 0.95
"""The part of each limit that is used: what is on its way is in no count of the venue's."""

HTTP_TOO_MANY = 429
HTTP_BANNED = 418
_BANNED_UNTIL = re.compile(r"until (\d{13})")


KEPT_FREE = (0.0, 0.05, 0.15, 0.25, 0.4)
"""The part of each limit that an urgency leaves to the more urgent ones, by its number."""


class Urgency(enum.IntEnum):
    """What a request is for."""

    PROTECT = 0  # cancels, stops, exits, and what they wait for
    RESOLVE = 1  # queries of orders in doubt, countdowns, settings at a start
    TRADE = 2  # new orders, amendments
    AUDIT = 3  # looks for what was not told: fills that have no stop yet
    READ = 4  # history, market data


class Limit(NamedTuple):
    """So much in any window of this length."""

    name: str
    amount: int
    window_ns: int


class Lateness(NamedTuple):
    """How much later by our clock than by the venue's own something is, at least and at most."""

    least_ns: int = 0
    most_ns: int = HEARD_LONGER_NS


UNMEASURED = Lateness()
"""While the clocks have not been compared: ours is ahead by as much as is borne, or right."""


class Window:
    """What was taken out of one limit within its window, and what the venue has told of its own."""

    __slots__ = (
        "__weakref__",
        "_length_ns",
        "_rooms",
        "_spent",
        "_told",
        "_told_until",
        "_used",
        "amount",
        "banned_until",
        "blocked_until",
        "limit",
    )

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._length_ns = limit.window_ns + ARRIVAL_NS
        self.blocked_until = self.banned_until = 0
        self._spent: deque[tuple[int, int]] = deque()  # when, how much
        self._used = 0
        self._told, self._told_until = 0, 0
        self.allow(limit.amount)

    def allow(self, amount: int) -> None:
        """Set what the limit allows."""
        self.amount = amount
        self._rooms = tuple(int(amount * IN_USE * (1.0 - kept)) for kept in KEPT_FREE)

    def used(self, now: int) -> int:
        """Return what counts at this time."""
        spent, over = self._spent, now - self._length_ns
        while spent and spent[0][0] <= over:
            self._used -= spent.popleft()[1]
        return max(self._used, self._told) if now < self._told_until else self._used

    def spend(self, cost: int, now: int) -> None:
        """Count what leaves now."""
        if cost:
            if self._spent:  # of two clocks that share a window one may be behind
                now = max(now, self._spent[-1][0])
            self._spent.append((now, cost))
            self._used += cost
            self._told += cost

    def has_room(self, cost: int, urgency: Urgency, now: int) -> bool:
        """Tell whether this much may leave now: `free_at` and `blocked_until` in one look."""
        if now < self.blocked_until:
            return False
        used = self.used(now)
        return not used or used + cost <= self._rooms[urgency]

    def free_at(self, cost: int, urgency: Urgency, now: int) -> int:
        """Return when this much fits into what the urgency may use: `now`, or later.

        A cost beyond that waits for an empty window rather than for ever.
        """
        room = self._rooms[urgency] - cost
        used = self.used(now)
        if used <= room or not used:
            return now
        due, used = now, self._used
        if now < self._told_until and self._told > max(room, 0):
            due = self._told_until
        for when, spent in self._spent:
            if used <= room or not used:
                break
            used -= spent
            due = max(due, when + self._length_ns)
        return due

    def hear(self, count: int, now: int, asked_ts: int, late: Lateness) -> None:
        """Count at least what the venue has told, and what leaves since, until its window ends.

        That is the window in which it was asked: an answer may outlive it. More than the limit is
        not believed: a venue that has counted so much refuses, in words of its own (`block`).
        """
        length = self.limit.window_ns
        until = _next(length, asked_ts, late)
        is_next = until > self._told_until + length // 2  # the same one's may differ by the clocks
        if now < until and (is_next or count > self._told) and count <= self.amount:
            self._told, self._told_until = count, until

    def block(self, until: int) -> int:
        """Let nothing out before this time, and return when it ends now."""
        self.blocked_until = max(self.blocked_until, until)
        return self.blocked_until


_REFUSED: deque[Window] = deque(maxlen=8)
"""Those that were refused last. They stay though nobody holds them: who begins anew must not ask
before a ban is over.
"""


class Budget:
    """Asks: may this leave now, and if not, when to ask again. Time is handed in and never falls.

    Args:
        limits: in the order in which costs are given; the first is the address's, and a refusal
            of the address holds everything back.
        random: draws from 0 to 1, for the jitter of those who wait.
        address: the first limit's window, where others at this address draw from it too.
    """

    __slots__ = ("_flights", "_random", "_windows")

    def __init__(
        self,
        limits: Sequence[Limit],
        random: Callable[[], float],
        address: Window | None = None,
    ) -> None:
        first, *others = limits
        self._windows = (address or Window(first), *map(Window, others))
        self._random = random
        self._flights: dict[str, int] = {}

    def take(self, cost: Sequence[int], urgency: Urgency, now: int) -> int:
        """Take a request's cost out of every limit, or out of none.

        Returns:
            `TAKEN` when it may leave now, else the time (ns) at which to ask again.
        """
        if (due := self.look(cost, urgency, now)) == TAKEN:
            self.spend(cost, now)
        return due

    def look(self, cost: Sequence[int], urgency: Urgency, now: int) -> int:
        """Answer as `take` does, taking nothing."""
        due = self.when(cost, urgency, now)
        return due + int(self._random() * JITTER_NS) if due > now else TAKEN

    def fits(self, cost: Sequence[int], urgency: Urgency, now: int) -> bool:
        """Tell whether a request may leave now, taking nothing; see `spend`."""
        if now < self._windows[0].blocked_until:
            return False
        for window, each in zip(self._windows, cost, strict=True):
            if each and not window.has_room(each, urgency, now):
                return False
        return True

    def spend(self, cost: Sequence[int], now: int) -> None:
        """Take the cost of what leaves now, and fits, out of every limit."""
        for window, each in zip(self._windows, cost, strict=True):
            window.spend(each, now)

    def when(self, cost: Sequence[int], urgency: Urgency, now: int) -> int:
        """Return the earliest time at which it may leave, taking nothing: `now` or later."""
        due = max(now, self._windows[0].blocked_until)
        for window, each in zip(self._windows, cost, strict=True):
            if each:
                due = max(due, window.blocked_until, window.free_at(each, urgency, now))
        return due

    def used(self, now: int) -> dict[str, int]:
        """Return what counts in each window, by its limit's name."""
        return {window.limit.name: window.used(now) for window in self._windows}

    @property
    def allowed(self) -> dict[str, int]:
        """Return what each limit allows as far as is heard, by its name."""
        return {window.limit.name: window.amount for window in self._windows}

    # What the venue says

    def hear_count(
        self,
        place: int,
        count: int,
        now: int,
        *,
        asked_ts: int | None = None,
        late: Lateness = UNMEASURED,
    ) -> None:
        """Hear what the venue counts in one limit's window, by the limit's place.

        Args:
            asked_ts: when that was asked; None for now.
            late: see `hear_refusal`.
        """
        self._windows[place].hear(count, now, now if asked_ts is None else asked_ts, late)

    def hear_limit(self, place: int, amount: int) -> None:
        """Hear how much a limit really allows; nonsense is not believed."""
        window = self._windows[place]
        if amount > 0 and amount != window.amount:
            window.allow(amount)

    def hear_refusal(
        self,
        status: int,
        now: int,
        *,
        retry_after_s: float | None = None,
        text: str = "",
        late: Lateness = UNMEASURED,
    ) -> int:
        """Hear a 429 or 418 against the address: nothing at all leaves until its end.

        Returns:
            The end (ns), see `refused_until`.
        """
        until = refused_until(status, now, retry_after_s=retry_after_s, text=text, late=late)
        if self._windows[0] not in _REFUSED:
            _REFUSED.append(self._windows[0])
        ends = self._windows[0].block(until)
        if status == HTTP_BANNED:
            self._windows[0].banned_until = ends
        return ends

    @property
    def banned_until(self) -> int:
        """Return when the last ban of the address ends (ns), or has ended; 0 where none was."""
        return self._windows[0].banned_until

    def hear_full(
        self,
        now: int,
        text: str = "",
        *,
        retry_after_s: float | None = None,
        late: Lateness = UNMEASURED,
    ) -> int:
        """Hear that too many orders were sent: orders wait, the rest goes on.

        Args:
            text: the venue's message; the longest window is meant where it speaks of minutes.
            retry_after_s: how long to wait, where the venue says.
            late: see `hear_refusal`.

        Returns:
            When orders may leave again (ns): when it was said, else the venue's next window.
        """
        by_length = sorted(
            range(1, len(self._windows)), key=lambda place: self._windows[place].limit.window_ns
        )
        if not by_length:
            return now
        place = by_length[-1 if "minute" in text.casefold() else 0]
        if retry_after_s is not None:
            return self._windows[place].block(now + int(retry_after_s * NS_PER_S))
        window = self._windows[place]
        return window.block(_next(window.limit.window_ns, now, late))

    # One at a time

    def begin(self, name: str, now: int) -> bool:
        """Say that a request of this name leaves; False when one like it is on its way.

        For reads that several ask for at once: a snapshot, the list of contracts.
        """
        if now - self._flights.get(name, -FLIGHT_NS) < FLIGHT_NS:
            return False
        self._flights[name] = now
        return True

    def end(self, name: str) -> None:
        """Say that a request of this name has come back, whatever it brought."""
        self._flights.pop(name, None)


def refused_until(
    status: int,
    now: int,
    *,
    retry_after_s: float | None = None,
    text: str = "",
    late: Lateness = UNMEASURED,
) -> int:
    """Return when a 429 or 418 against the address ends (ns).

    Args:
        retry_after_s: the header's seconds, where there is one.
        text: the venue's message, which names the end of a ban.
        late: how much later by our clock than by its own something ends.

    Returns:
        The header's end, the text's, else the next full minute; a ban lasts at least two minutes
        where nobody names its end.
    """
    named = _BANNED_UNTIL.search(text)
    if retry_after_s is not None:
        until = now + int(retry_after_s * NS_PER_S)
    elif named is None:
        until = _next(MINUTE_NS, now, late) if status != HTTP_BANNED else now + BAN_LEAST_NS
    else:
        until = 0
    if named is not None:
        end = min((int(named[1]) + 1) * NS_PER_MS, now + BAN_MOST_NS)
        until = max(until, end + late.most_ns)
    return until


def _next(length: int, now: int, late: Lateness) -> int:
    """Return when the venue's window of this length is surely over, by our clock.

    It is the window of the venue's time, as late as that can be: ours may be off by many of them.
    """
    return ((now - late.least_ns) // length + 1) * length + late.most_ns


def backoff_ns(first_ns: int, attempt: int, random: Callable[[], float]) -> int:
    """Return how long to wait before a try: doubled each time, and up to a quarter more.

    Args:
        attempt: 0 before the second try.
    """
    return int(first_ns * 2**attempt * (1 + random() / 4))

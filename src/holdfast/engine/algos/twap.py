"""Send a quantity in slices, evenly over a time: `twap:over=10m,slices=6`.

The first goes at once, each other one when its part of the time has passed. A slice is what is
left over the slices that are left: what one did not fill, or a rule denied, falls to the later
ones. None is larger than twice the first, so that what was missed for long is not bought at once,
nor than the contract takes; what is left then when the time is over is told, and not sent.

It ends early once something has closed a part of what it opened (a stop, a target, a signal, a
hand), which takes back what rests of it, or a slice was taken back or refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ...model.durations import duration_ns
from ...model.instrument import Instrument
from ...model.values import LIMIT, MARKET, NS_PER_DAY, NS_PER_S, NewOrder, plain
from .base import (
    STARTED,
    Action,
    Cause,
    End,
    Moment,
    SendChild,
    Terms,
    WakeIn,
    check_largest,
    check_names,
    check_part,
    ended_by_close,
)

SLICES_MAX = 1_000
INTERVAL_NS_MIN = NS_PER_S
OVER_NS_MAX = NS_PER_DAY
SHARE_MAX = 2
"""The largest slice, in first ones."""


class Schedule(NamedTuple):
    """So many slices, so far apart."""

    slices: int
    interval_ns: int


def check(terms: Terms, order: NewOrder, instrument: Instrument, price: Decimal) -> None:
    """Refuse terms out of range, orders of other kinds, and slices that are too small.

    Raises:
        ValueError: the text says what is wrong.
    """
    schedule = read(terms)
    if order.order_type not in {MARKET, LIMIT}:
        raise ValueError(f"its order is MARKET or LIMIT, was {order.order_type.value}")
    check_part(order.qty / schedule.slices, "a slice", instrument, price)
    check_largest(order.qty / schedule.slices, "a slice", order, instrument)


def read(terms: Terms) -> Schedule:
    """Read the terms.

    Raises:
        ValueError: one is missing or out of range.
    """
    check_names(terms, ("over", "slices"))
    over_ns, slices = duration_ns(terms["over"]), terms["slices"]
    if not (slices.isascii() and slices.isdigit() and 2 <= int(slices) <= SLICES_MAX):
        raise ValueError(f"slices must be 2 to {SLICES_MAX}, was {slices}")
    if over_ns is None or not int(slices) * INTERVAL_NS_MIN <= over_ns <= OVER_NS_MAX:
        least, was = "a second for each slice, at most 24h", terms["over"]
        raise ValueError(f'over must be a text such as "90s" or "10m", at least {least}; was {was}')
    return Schedule(int(slices), over_ns // int(slices))


def react(moment: Moment, terms: Terms) -> list[Action]:
    """Send the slice that is due, and ask to be woken for the next."""
    if moment.cause is Cause.CHILD_CLOSED and not _was_the_last(moment, read(terms)):
        return []
    rests = any(each.is_open for each in moment.entries)
    if moment.cause is not STARTED and moment.is_closed_in_part and (moment.left > 0 or rests):
        return ended_by_close(moment)
    if moment.left <= 0:
        return _wait_for_more(moment, read(terms))
    if refusal := moment.refusal:
        return [End(refusal)]
    return _slice(moment, read(terms))


def _was_the_last(moment: Moment, schedule: Schedule) -> bool:
    """Tell whether nothing comes any more, and no slice is at the venue, or may be, either."""
    over_ns = schedule.slices * schedule.interval_ns
    is_over = moment.parent.wake_ts is None and moment.now - moment.parent.start.ts >= over_ns
    return is_over and not any(each.is_open for each in moment.entries)


def _wait_for_more(moment: Moment, schedule: Schedule) -> list[Action]:
    """Look again at the next time where a slice that was made larger may not fill in the end."""
    start = moment.parent.start
    number = (moment.now - start.ts) // schedule.interval_ns
    may_not_fill = any(each.is_open for each in moment.entries)
    if moment.cause is not Cause.WOKEN or number >= schedule.slices or not may_not_fill:
        return []
    return [WakeIn(start.ts + (number + 1) * schedule.interval_ns - moment.now)]


def _slice(moment: Moment, schedule: Schedule) -> list[Action]:
    start = moment.parent.start
    number = (moment.now - start.ts) // schedule.interval_ns
    if number >= schedule.slices:
        return [End(f"its time is over, and {plain(moment.left)} is left")]
    next_ts = start.ts + (number + 1) * schedule.interval_ns
    largest = start.qty * SHARE_MAX / schedule.slices
    part = min(moment.left / (schedule.slices - number), largest)
    return [WakeIn(next_ts - moment.now), SendChild(part)]

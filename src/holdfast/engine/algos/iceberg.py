"""Show a part of a resting limit order at a time: `iceberg:show=0.5`.

When what is shown has filled, the next part goes out at the same price, or the one that it was
amended to. The last one is up to half as large again, rather than a rest too small to be an order.
A part that a rule denies is tried again, so often and no more. It ends when a part is taken back,
refused or expires, or something has closed a part of what it opened.
"""

from __future__ import annotations

from decimal import Decimal

from ...model.instrument import Instrument
from ...model.values import LIMIT, NS_PER_S, NewOrder, OrderStatus, TimeInForce, to_decimal
from ..order import Order
from ..refusals import is_put_off
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

RETRY_NS = 5 * NS_PER_S
DENIALS_MAX = 12
"""How often in a row a part is denied before it ends: a minute of tries."""

_LAST = Decimal("1.5")


def check(terms: Terms, order: NewOrder, instrument: Instrument, price: Decimal) -> None:
    """Refuse terms out of range, orders of other kinds, and parts that are too small.

    Raises:
        ValueError: the text says what is wrong.
    """
    show = read(terms)
    if order.order_type is not LIMIT or order.time_in_force not in _RESTING:
        kind = f"{order.order_type.value} {order.time_in_force.value}"
        raise ValueError(f"its order is a LIMIT that rests (GTC or GTX), was {kind}")
    check_part(show / 2, "half of what is shown", instrument, price)
    check_largest(show, "what is shown", order, instrument)


_RESTING = frozenset({TimeInForce.GTC, TimeInForce.GTX})


def read(terms: Terms) -> Decimal:
    """Read the terms.

    Raises:
        ValueError: one is missing or out of range.
    """
    check_names(terms, ("show",))
    show = to_decimal(terms["show"], "show")
    if show <= 0:
        raise ValueError(f"show must be above 0, was {show:f}")
    return show


def react(moment: Moment, terms: Terms) -> list[Action]:
    """Show the next part once the last has gone, and look again where it was denied."""
    left, entries = moment.left, moment.entries
    if any(each.is_open for each in entries) or left <= 0:
        return []
    if moment.cause is not STARTED and moment.is_closed_in_part:
        return ended_by_close(moment)
    if refusal := moment.refusal or _expiry(entries):
        return [End(refusal)]
    denials = _denials(entries)
    if denials >= DENIALS_MAX:
        return [End(f"a part was denied {DENIALS_MAX} times: {entries[-1].reason}")]
    if denials and moment.cause is Cause.CHILD_CLOSED:
        return [] if moment.parent.wake_ts is not None else [WakeIn(RETRY_NS)]
    show = read(terms)
    return [WakeIn(RETRY_NS), SendChild(left if left <= show * _LAST else show, or_end=True)]


def _expiry(entries: list[Order]) -> str:
    expired = (each for each in entries if each.status is OrderStatus.EXPIRED)
    return next((f"{each.cl_ord_id} expired" for each in expired), "")


def _denials(entries: list[Order]) -> int:
    """Count the parts that were put off since the last that came about."""
    count = 0
    for each in reversed(entries):
        if not is_put_off(each):
            break
        count += 1
    return count

"""The venue's words and ours.

A word that the tables lack never stops a fill from being booked: each lookup has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ....model.messages import ExecType
from ....model.values import OrderStatus, OrderType, Side, TimeInForce, WorkingType

WORD_MAX = 32
"""How much of a word that nobody knows is kept."""

SIDES = {each.value: each for each in Side}
ORDER_TYPES = {each.value: each for each in OrderType}
ORDINARY_TYPES = {
    "LIMIT": OrderType.LIMIT,
    "STOP": OrderType.LIMIT,
    "TAKE_PROFIT": OrderType.LIMIT,
}
"""What an order in the book is; the rest are market orders. Children of conditional orders are
ordinary, whatever word they carry: they are asked after and canceled like any other.
"""

WORKING_TYPES = {each.value: each for each in WorkingType}

TIMES_IN_FORCE = {each.value: each for each in TimeInForce} | {
    "GTE_GTC": TimeInForce.GTC,  # conditional orders that close a whole position
    "RPI": TimeInForce.GTX,  # post-only, hidden from other programs
}

STATUSES = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,  # self-trade prevention
    "NEW_INSURANCE": OrderStatus.NEW,  # liquidation, taken over by the insurance fund
    "NEW_ADL": OrderStatus.NEW,  # liquidation against other traders
}

ALGO_STATUSES = {
    "NEW": OrderStatus.NEW,
    "TRIGGERING": OrderStatus.NEW,  # its child is not in the book yet
    "TRIGGERED": OrderStatus.TRIGGERED,
    "FINISHED": OrderStatus.TRIGGERED,  # how it ended, its child says
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
}

EXEC_TYPES = {
    "NEW": ExecType.NEW,
    "TRADE": ExecType.TRADE,
    "CALCULATED": ExecType.TRADE,  # liquidation and ADL
    "AMENDMENT": ExecType.REPLACED,
    "CANCELED": ExecType.CANCELED,
    "EXPIRED": ExecType.EXPIRED,
    "REJECTED": ExecType.REJECTED,
}

ENDS = {word: STATUSES[word] for word in ("CANCELED", "EXPIRED", "REJECTED")}
"""Events that end an order whatever its status is called."""

STATUS_EXEC_TYPES = {
    OrderStatus.NEW: ExecType.NEW,
    OrderStatus.TRIGGERED: ExecType.TRIGGERED,
    OrderStatus.CANCELED: ExecType.CANCELED,
    OrderStatus.EXPIRED: ExecType.EXPIRED,
    OrderStatus.REJECTED: ExecType.REJECTED,
}
"""What a report is called whose only news is the status; anything else is STATUS."""

EXPIRY_REASONS = {
    "": "",
    "0": "",
    "1": "self-trade prevention",
    "2": "the rest of an IOC order found no taker",
    "3": "the rest of an IOC order, self-trade prevention",
    "4": "reduce-only: another order took its place, or it would have turned the position",
    "5": "the account was liquidated",
    "6": "the position that it depended on is gone",
    "7": "the contract is delisted",
    "8": "the order behind its trigger expired",
    "9": "the rest of a market order found no taker in bounds",
}


def status_of(word: str, qty: Decimal, cum_qty: Decimal, event: str = "") -> OrderStatus:
    """Translate an order's status; an unknown word leaves it as open as its quantities say.

    Args:
        event: what has happened to it, where that is told: an end is one, whatever it is called.
    """
    status = STATUSES.get(word) or ENDS.get(event)
    if status is not None:
        return status
    if not cum_qty:
        return OrderStatus.NEW
    return OrderStatus.FILLED if cum_qty >= qty else OrderStatus.PARTIALLY_FILLED


def odd_status(word: str, known: Mapping[str, OrderStatus], status: OrderStatus) -> str:
    """Return a word that nobody knows, where what was made of it says that the order is open."""
    return word[:WORD_MAX] if word not in known and status.is_open else ""


def expiry_reason(word: str) -> str:
    """Say why an order expired; "" where it did not."""
    known = EXPIRY_REASONS.get(word)
    return known if known is not None else f"the venue's expiry reason {word}"

"""Orders whose status the venue calls by a word that nobody knows.

Such an order counts as open. Where it has ended, no answer will ever say so: what shows it is that
the lists of open orders leave it out. Rule 1: one list is not enough, and neither is a word that
was told once: between two lists the venue must have been asked again, and have said it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..model.messages import ExecType, ExecutionReport
from ..model.values import ClOrdId

if TYPE_CHECKING:
    from collections.abc import Container

    from .core import Core
    from .order import Order

LISTS_MIN = 2
"""How many lists in a row must leave out an order that counts as over by them."""


class OddStatus(msgspec.Struct):
    """The word, when it was told last, and by which lists the order was left out since."""

    word: str
    told_ts: int
    missed_ts: int = 0
    missed_count: int = 0


def note_status(core: Core, order: Order, report: ExecutionReport) -> None:
    """Remember a word that nobody knows, until one comes that somebody does."""
    if report.exec_type is ExecType.TRADE:
        return  # a list of executions knows nothing of their order
    if not report.odd_status:
        core.odd_statuses.pop(order.cl_ord_id, None)
        return
    told_ts = report.asked_ts or core.now
    odd = core.odd_statuses.setdefault(order.cl_ord_id, OddStatus(report.odd_status, told_ts))
    odd.word, odd.told_ts = report.odd_status, max(odd.told_ts, told_ts)


def forget_words(core: Core, listed: Container[ClOrdId]) -> None:
    """Forget the words of orders that a list has, and of those that are over."""
    for name in list(core.odd_statuses):
        order = core.state.orders.get(name)
        if name in listed or order is None or not order.is_open:
            del core.odd_statuses[name]


def count_missing(core: Core, order: Order, asked_ts: int) -> bool:
    """Count a list that leaves an order out; tell whether by now it counts as over."""
    odd = core.odd_statuses.get(order.cl_ord_id)
    if odd is None or order.ending is not None:
        return False
    is_news = odd.missed_ts < odd.told_ts < asked_ts
    if is_news and asked_ts > core.fence_after(order.known_ts):
        odd.missed_ts = asked_ts
        odd.missed_count += 1
    return odd.missed_count >= LISTS_MIN

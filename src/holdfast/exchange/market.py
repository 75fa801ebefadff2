"""One symbol at the exchange: what is displayed, which orders rest or wait, who holds a position.

Most market messages change nothing. Two bands of prices say so at the cost of two comparisons:
while the last trade stays strictly inside (`low`, `high`) and the mark inside (`mark_low`,
`mark_high`), no order can fill and none is triggered.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from decimal import Decimal
from typing import NamedTuple

from ..model.instrument import Instrument
from ..model.market import BookDelta
from ..model.order_book import RECENT_DELTAS
from ..model.values import AccountId, Side, WorkingType
from . import conditional
from .coverage import Coverage, Holder
from .liquidity import PRICE_MAX, Display, Liquidity
from .orders import PositionSide, VenueOrder

FUNDINGS_KEPT = 1_000


class Settled(NamedTuple):
    """A funding that was charged: when it fell due, its rate, and the mark that it went by."""

    ts: int
    rate: float
    mark: Decimal


class Market:
    """The mutable state of one symbol."""

    __slots__ = (
        "bar_ns",
        "bar_ts",
        "buys",
        "coverage",
        "display",
        "first_bracket",
        "funded_ts",
        "fundings",
        "high",
        "holders",
        "instrument",
        "low",
        "mark_high",
        "mark_low",
        "max_leverage",
        "next_funding_ts",
        "rate",
        "recent_deltas",
        "sells",
        "touched_ts",
        "waiting",
    )

    def __init__(self, instrument: Instrument, model: Liquidity) -> None:
        self.display = Display(instrument, model)
        self.buys: list[VenueOrder] = []  # resting, best first
        self.sells: list[VenueOrder] = []
        self.waiting: list[VenueOrder] = []  # for their triggers, oldest first
        self.holders: dict[Holder, Decimal] = {}  # open positions
        self.low, self.high = PRICE_MAX, PRICE_MAX  # the first message looks closely
        self.mark_low, self.mark_high = PRICE_MAX, PRICE_MAX
        self.list_as(instrument)
        self.touched_ts = 0  # of the last quote or book
        self.recent_deltas: deque[BookDelta] = deque(maxlen=RECENT_DELTAS)
        self.bar_ns = 0
        self.bar_ts = 0
        self.rate = 0.0
        self.next_funding_ts = 0
        self.funded_ts = 0
        self.coverage = Coverage()
        self.fundings: deque[Settled] = deque(maxlen=FUNDINGS_KEPT)

    @property
    def is_heard(self) -> bool:
        """Tell whether anything that prices it was heard since the start: half a touch does not."""
        return bool(self.display.mark_float() or self.display.known_mark)

    def list_as(self, instrument: Instrument) -> None:
        """Trade by a contract's filters and brackets from now on."""
        self.instrument = self.display.instrument = instrument
        first = next(iter(instrument.brackets), None)
        self.first_bracket = (
            None if first is None else (float(first.notional_cap), float(first.maint_margin_ratio))
        )
        self.max_leverage = max((each.max_leverage for each in instrument.brackets), default=None)
        self.disturb()

    def side(self, side: Side) -> list[VenueOrder]:
        """Return what rests on a side, best first."""
        return self.buys if side is Side.BUY else self.sells

    def rest(self, order: VenueOrder) -> None:
        """Put an order in line."""
        insort(self.side(order.side), order, key=VenueOrder.priority)
        self.disturb()

    def wait(self, order: VenueOrder) -> None:
        """Keep a conditional order until its trigger."""
        insort(self.waiting, order, key=lambda waiting: waiting.seq)
        self.disturb()

    def remove(self, order: VenueOrder) -> None:
        """Take an order off, wherever it is."""
        for orders in (self.side(order.side), self.waiting):
            if any(order is each for each in orders):
                orders[:] = [each for each in orders if each is not order]
        self.disturb()

    def concerns(self, account: AccountId) -> bool:
        """Tell whether the account has a position or a resting order here."""
        return any((account, side) in self.holders for side in PositionSide) or any(
            order.account == account for order in (*self.buys, *self.sells)
        )

    def disturb(self) -> None:
        """Let the next message look closely, whatever its price."""
        self.low = self.mark_low = PRICE_MAX

    def calm(self) -> None:
        """Work out the bands anew."""
        low, high = _outer(self.buys, 0.0), _outer(self.sells, PRICE_MAX)
        mark_low, mark_high = 0.0, PRICE_MAX
        for order in self.waiting:
            below, above = conditional.bounds(order)
            if order.asked.working_type is WorkingType.MARK_PRICE and self.display.has_mark:
                mark_low, mark_high = max(mark_low, below), min(mark_high, above)
            else:
                low, high = max(low, below), min(high, above)
        self.low, self.high = math.nextafter(low, PRICE_MAX), math.nextafter(high, 0.0)
        self.mark_low = math.nextafter(mark_low, PRICE_MAX)
        self.mark_high = math.nextafter(mark_high, 0.0)


def _outer(orders: list[VenueOrder], empty: float) -> float:
    if not orders:
        return empty
    price = orders[0].price
    assert price is not None
    return float(price)

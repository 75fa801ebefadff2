"""What a report shows beside the figures: orders, fills, denials and alarms, newest kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from ..model.events import (
    AlarmRaised,
    EpochStarted,
    Event,
    FillRecognized,
    InstrumentDefined,
    OrderAccepted,
    OrderAdopted,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderInDoubt,
    OrderNeverArrived,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    SignalDenied,
    SignalReceived,
    StrategyStarted,
)
from ..model.instrument import split_symbol
from ..model.values import ZERO, ClOrdId, IntentId, NewOrder, OrderStatus, SessionId, StrategyId
from ..stats import RoundTrip, SessionFold

ROWS_MAX = 1000
"""Rows of each table; a report is for reading."""

FILLS_MAX = 5000
"""Fills drawn into the price charts."""

K = TypeVar("K")
V = TypeVar("V")
_ENDS: dict[type, str] = {
    OrderRejected: OrderStatus.REJECTED.value,
    OrderCanceled: OrderStatus.CANCELED.value,
    OrderExpired: OrderStatus.EXPIRED.value,
    OrderNeverArrived: OrderStatus.NEVER_ARRIVED.value,
}


@dataclass
class OrderRow:
    """One order as it stands."""

    ts: int
    order: NewOrder
    status: str = OrderStatus.PENDING_NEW.value
    cum_qty: Decimal = ZERO
    quote: Decimal = ZERO
    unpriced: Decimal = ZERO  # filled before it was adopted, at nobody knows what price
    reason: str = ""

    @property
    def avg_px(self) -> Decimal | None:
        """Return the average price of the fills that were heard; None before the first."""
        priced = self.cum_qty - self.unpriced
        return self.quote / priced if priced else None

    def fill(self, fill: OrderFilled | FillRecognized) -> None:
        """Count one execution; a fill may come after the cancel."""
        self.cum_qty += fill.qty
        self.quote += fill.qty * fill.price
        if self.status not in _ENDS.values():
            self.status = OrderStatus.PARTIALLY_FILLED.value
        self._look_whether_filled()

    def replace(self, fact: OrderReplaced) -> None:
        """Take the venue's word on quantity and price."""
        self.order = replace(self.order, qty=fact.qty, price=fact.price)
        self._look_whether_filled()

    def _look_whether_filled(self) -> None:
        if self.cum_qty >= self.order.qty:
            self.status = OrderStatus.FILLED.value


@dataclass
class DenialRow:
    """One order or wish that a rule refused."""

    ts: int
    rule: str
    what: str
    strategy: str
    reason: str


@dataclass
class Rows:
    """The tables of one session."""

    orders: dict[ClOrdId, OrderRow] = field(default_factory=dict)
    trips: deque[RoundTrip] = field(default_factory=lambda: deque(maxlen=ROWS_MAX))
    fills: deque[OrderFilled] = field(default_factory=lambda: deque(maxlen=FILLS_MAX))
    denials: deque[DenialRow] = field(default_factory=lambda: deque(maxlen=ROWS_MAX))
    alarms: deque[AlarmRaised] = field(default_factory=lambda: deque(maxlen=ROWS_MAX))
    wishes: dict[IntentId, SignalReceived] = field(default_factory=dict)
    strategies: dict[StrategyId, str] = field(default_factory=dict)  # as they were named
    begun: EpochStarted | None = None
    settled: set[str] = field(default_factory=set)  # margin assets of its contracts

    @property
    def margins(self) -> list[str]:
        """Return what the session's money is in."""
        symbols = self.begun.symbols if self.begun else ()
        return sorted(self.settled or {split_symbol(symbol)[1] for symbol in symbols}) or ["USDT"]

    def apply(self, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case OrderSubmitted():
                self._add(OrderRow(fact.ts, fact.order))
            case OrderAdopted():
                adopted = OrderRow(fact.ts, fact.order, fact.status.value)
                adopted.cum_qty = adopted.unpriced = fact.cum_qty
                self._add(adopted)
            case OrderFilled() | FillRecognized():
                self._fill(fact)
            case OrderReplaced():
                if row := self.orders.get(fact.cl_ord_id):
                    row.replace(fact)
            case SignalReceived():
                self.wishes[fact.intent_id] = fact
                _bound(self.wishes)
            case SignalDenied() | OrderDenied():
                self._deny(fact)
            case AlarmRaised():
                self.alarms.append(fact)
            case _:
                self._move(fact)

    def _fill(self, fact: OrderFilled | FillRecognized) -> None:
        if isinstance(fact, OrderFilled):
            self.fills.append(fact)
        if row := self.orders.get(fact.cl_ord_id):
            row.fill(fact)

    def _add(self, row: OrderRow) -> None:
        self.orders[row.order.cl_ord_id] = row
        _bound(self.orders)

    def _move(self, fact: Event) -> None:
        match fact:
            case OrderAccepted():
                row = self.orders.get(fact.cl_ord_id)
                if row and row.status == OrderStatus.PENDING_NEW.value:
                    row.status = OrderStatus.NEW.value
            case OrderRejected() | OrderCanceled() | OrderExpired():
                if row := self.orders.get(fact.cl_ord_id):
                    row.status, row.reason = _ENDS[type(fact)], fact.reason
            case OrderNeverArrived():
                if row := self.orders.get(fact.cl_ord_id):
                    row.status = _ENDS[OrderNeverArrived]
            case OrderInDoubt():
                if row := self.orders.get(fact.cl_ord_id):
                    row.reason = f"in doubt: {fact.reason}"
            case _:
                self._begin(fact)

    def _begin(self, fact: Event) -> None:
        match fact:
            case EpochStarted():
                self.begun = fact
            case InstrumentDefined():
                self.settled.add(fact.instrument.margin_asset)
            case StrategyStarted():
                self.strategies[fact.strategy_id] = fact.description
            case _:
                pass

    def _deny(self, fact: SignalDenied | OrderDenied) -> None:
        if isinstance(fact, OrderDenied):
            order = fact.order
            what = f"{order.side.value} {order.qty} {order.symbol}"
            strategy = str(order.strategy_id)
        else:
            wish = self.wishes.get(fact.intent_id)
            what = f"{wish.signal.signal_type.value} {wish.signal.symbol}" if wish else ""
            strategy = str(wish.signal.strategy_id) if wish else ""
        self.denials.append(DenialRow(fact.ts, fact.rule, what, strategy, fact.reason))


def _bound(rows: dict[K, V]) -> None:
    if len(rows) > ROWS_MAX:
        del rows[next(iter(rows))]


def collect(
    facts: Iterable[Event], session_id: SessionId | None, before: bytes = b""
) -> tuple[SessionFold, Rows]:
    """Fold the facts of a session (None: the last one) into its figures and its tables.

    Args:
        before: the fold at rest of what stands before the facts, none of which is the session's.
    """
    fold, rows = SessionFold(session_id), Rows()
    if before and session_id is not None:
        fold = SessionFold.wake(before, session_id, is_new=True)
    counted = fold.session_id
    for fact in facts:
        trip = fold.apply(fact)
        if fold.session_id != counted:
            counted, rows = fold.session_id, Rows()
        if fold.is_inside:
            rows.apply(fact)
        if trip is not None:
            rows.trips.append(trip)
    return fold, rows

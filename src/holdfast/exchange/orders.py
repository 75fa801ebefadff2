"""An order as the exchange keeps it, and what it says of it."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.values import (
    ZERO,
    AccountId,
    ClOrdId,
    NewOrder,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    TimeInForce,
)


class SelfTrade(enum.Enum):
    """Who gives way when an account's order would trade with its own; the taker's word counts."""

    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class PositionSide(enum.Enum):
    """Which position an order moves: the only one, or one of the two of a hedged account."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"

    def is_closed_by(self, side: Side) -> bool:
        """Tell whether orders of a side can only reduce the position."""
        closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}
        return closing.get(self) is side


class Fate(NamedTuple):
    """What becomes of an order on its way into the book, where that was ordered.

    `taken_part` bounds what it takes at once from the market, as a part of its quantity: the
    rest is treated as if no more had been there. `meets_itself` expires it against an order of
    its own account that nobody sees. `is_protected` keeps a conditional one from being triggered
    while price and mark are far apart.
    """

    taken_part: Decimal | None = None
    meets_itself: bool = False
    is_protected: bool = False


ORDINARY = Fate()


class OrderKey(NamedTuple):
    """What a customer calls an order by."""

    account: AccountId
    symbol: Symbol
    cl_ord_id: ClOrdId


class Expiry(enum.Enum):
    """Why the exchange ended an order. The value is Binance's code `er`."""

    NONE = 0
    SELF_TRADE = 1
    UNFILLED = 2  # what an IOC, or a quote that ran out, left over
    REDUCE_ONLY = 4  # nothing left to reduce, or better orders reduce it all
    LIQUIDATION = 5
    DELISTED = 7
    TRIGGER_REFUSED = 8  # a conditional order was triggered and then refused
    MARKET_REMAINDER = 9
    TIME = 10  # good till a date that has come; Binance has no code for it


class VenueOrder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One order at the exchange, from its acceptance to its end.

    `order_type`, `qty` and `price` are what holds now; `asked` is what came in. A conditional
    order has an `algo_id` from the start and an `order_id` once it was triggered.
    """

    asked: NewOrder
    order_type: OrderType
    qty: Decimal
    price: Decimal | None = None
    algo_id: int = 0
    order_id: int = 0
    status: OrderStatus = OrderStatus.NEW
    cum_qty: Decimal = ZERO
    cum_quote: Decimal = ZERO
    created_ts: int
    updated_ts: int
    triggered_ts: int = 0
    seq: int = 0  # the order of arrival at the present price
    queue_ahead: Decimal | None = None  # quantity displayed before it; None: not known
    peak: Decimal | None = None  # of a trailing stop: the best price since its activation
    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    position_side: PositionSide = PositionSide.BOTH
    is_protected: bool = False
    amendments: int = 0
    expiry: Expiry = Expiry.NONE
    code: int | None = None
    reason: str = ""

    @property
    def uid(self) -> int:
        """Return the id that it has had from the first moment."""
        return self.algo_id or self.order_id

    @property
    def account(self) -> AccountId:
        return self.asked.account

    @property
    def symbol(self) -> Symbol:
        return self.asked.symbol

    @property
    def cl_ord_id(self) -> ClOrdId:
        return self.asked.cl_ord_id

    @property
    def side(self) -> Side:
        return self.asked.side

    @property
    def leaves_qty(self) -> Decimal:
        return self.qty - self.cum_qty

    @property
    def avg_px(self) -> Decimal | None:
        return self.cum_quote / self.cum_qty if self.cum_qty else None

    @property
    def is_open(self) -> bool:
        return self.status.is_open

    @property
    def is_waiting(self) -> bool:
        """Tell whether it still waits for its trigger."""
        return not self.order_id

    @property
    def rests(self) -> bool:
        """Tell whether what does not fill at once stays in the book."""
        return self.order_type is OrderType.LIMIT and self.asked.time_in_force not in (
            TimeInForce.IOC,
            TimeInForce.FOK,
        )

    def priority(self) -> tuple[Decimal, int]:
        """Return the key by which orders of one side stand in line, best first."""
        assert self.price is not None
        return (-self.price if self.side is Side.BUY else self.price, self.seq)

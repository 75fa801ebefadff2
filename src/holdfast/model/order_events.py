"""Facts of wishes, parents and orders; `events` lists them with all others."""

from __future__ import annotations

from decimal import Decimal

from .fact import Fact
from .signal import SignalGenerated
from .values import (
    MAIN,
    OPERATOR,
    ZERO,
    AccountId,
    ClOrdId,
    IntentId,
    NewOrder,
    OrderStatus,
    ParentId,
    Side,
    StrategyId,
    Symbol,
    TradeId,
    Verdict,
)

# Wishes and parents


class SignalReceived(Fact, frozen=True, kw_only=True):
    """A strategy's wish was heard and given an intent."""

    intent_id: IntentId
    signal: SignalGenerated


class SignalDenied(Fact, frozen=True, kw_only=True):
    """A wish came to nothing before there was an order to check."""

    intent_id: IntentId
    rule: str
    reason: str


class ParentStarted(Fact, frozen=True, kw_only=True):
    """A quantity was taken on; its children follow.

    `is_at_market` says that the limit of each is the market's price at its moment, and the
    tolerance; `closes_taken_over` that the session closes by it what it took over to be closed.
    """

    parent_id: ParentId
    intent_id: IntentId
    account: AccountId = MAIN
    symbol: Symbol
    side: Side
    qty: Decimal
    algo: str
    strategy_id: StrategyId = OPERATOR
    order: NewOrder  # the pattern of its children
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    request_id: str = ""
    is_at_market: bool = False
    closes_taken_over: bool = False


class WakeScheduled(Fact, frozen=True, kw_only=True):
    """The parent's algorithm asked to be woken."""

    parent_id: ParentId
    due_ts: int


class ParentWoken(Fact, frozen=True, kw_only=True):
    """The wake-up came. With `is_over` its algorithm has ended: nothing of it is sent any more.

    With `is_untold` nobody was told that it fell short, since all of it may fill yet.
    """

    parent_id: ParentId
    is_over: bool = False
    is_untold: bool = False


# Orders


class OrderSubmitted(Fact, frozen=True, kw_only=True):
    """Risk passed, the worst case is reserved, and the order is about to leave us."""

    order: NewOrder
    verdicts: tuple[Verdict, ...]
    recv_window_ns: int


class OrderTimed(Fact, frozen=True, kw_only=True):
    """What each step of an order's way out took, nanoseconds: see `messages.OrderTimed`."""

    cl_ord_id: ClOrdId
    strategy_ns: int | None = None
    decision_ns: int
    record_ns: int
    send_ns: int


class OrderDenied(Fact, frozen=True, kw_only=True):
    """A risk rule refused the order; the venue never saw it."""

    order: NewOrder
    rule: str
    reason: str
    verdicts: tuple[Verdict, ...]


class OrderAccepted(Fact, frozen=True, kw_only=True):
    """The venue has the order."""

    cl_ord_id: ClOrdId
    venue_order_id: str = ""


class OrderRejected(Fact, frozen=True, kw_only=True):
    """The venue said no."""

    cl_ord_id: ClOrdId
    reason: str
    code: int | None = None


class OrderTriggered(Fact, frozen=True, kw_only=True):
    """A conditional order's price was reached."""

    cl_ord_id: ClOrdId


class OrderFilled(Fact, frozen=True, kw_only=True):
    """One execution. `trade_id` is the venue's and makes redelivery harmless.

    `realized_pnl` is what was booked to the wallet, before the fee. The id may be of no order
    of ours: a liquidation, or another program on the account.
    """

    account: AccountId = MAIN
    symbol: Symbol
    side: Side
    cl_ord_id: ClOrdId
    trade_id: TradeId
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str = "USDT"
    realized_pnl: Decimal
    is_maker: bool = False
    venue_ts: int


class FillRecognized(Fact, frozen=True, kw_only=True):
    """An execution that was booked otherwise was this order's: under its child's name, by the
    settlement of its contract, or with the beginning of the books.

    Position and wallet have it already. `venue_ts` is 0 for what no strategy is told of: what a
    settlement has closed, and what was in the balances that the books were begun with.
    `gives_back`: what it has closed was booked on others' holdings, and is its own parent's now.
    """

    cl_ord_id: ClOrdId
    trade_id: TradeId
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str = "USDT"
    realized_pnl: Decimal | None = None  # None: the venue did not say
    is_maker: bool = False
    venue_ts: int = 0
    gives_back: bool = False  # so it is where an older version has written it


class OrderCanceled(Fact, frozen=True, kw_only=True):
    """The order is off the book. Final once the `cum_qty` that it names has been booked."""

    cl_ord_id: ClOrdId
    cum_qty: Decimal = ZERO
    reason: str = ""


class OrderExpired(Fact, frozen=True, kw_only=True):
    """The venue ended the order. Final once the `cum_qty` that it names has been booked."""

    cl_ord_id: ClOrdId
    cum_qty: Decimal = ZERO
    reason: str = ""


class OrderReported(Fact, frozen=True, kw_only=True):
    """The venue counts more executed than we have booked: fills are on their way or lost."""

    cl_ord_id: ClOrdId
    cum_qty: Decimal


class OrderInDoubt(Fact, frozen=True, kw_only=True):
    """The order's outcome is unknown; it counts in full. Past `fence_ts` it can't arrive.

    `code` is the venue's where it declined in a way that it does not document.
    """

    cl_ord_id: ClOrdId
    fence_ts: int
    reason: str = ""
    code: int | None = None


class OrderNeverArrived(Fact, frozen=True, kw_only=True):
    """Asked for past its fence and not found: the order does not exist."""

    cl_ord_id: ClOrdId


class OrderAdopted(Fact, frozen=True, kw_only=True):
    """An order at the venue that the journal did not know was taken on, or counted."""

    order: NewOrder
    venue_order_id: str
    status: OrderStatus
    cum_qty: Decimal
    is_ours: bool  # the id is of our making


class CancelRequested(Fact, frozen=True, kw_only=True):
    """We asked the venue to take the order back."""

    cl_ord_id: ClOrdId
    reason: str = ""
    is_pause: bool = False  # for as long as the session is paused, not for good


class CancelRejected(Fact, frozen=True, kw_only=True):
    """The venue would not; the order stands as it was."""

    cl_ord_id: ClOrdId
    reason: str = ""
    code: int | None = None


class CancelInDoubt(Fact, frozen=True, kw_only=True):
    """Whether the cancel arrived is unknown until `fence_ts`."""

    cl_ord_id: ClOrdId
    fence_ts: int


class ReplaceRequested(Fact, frozen=True, kw_only=True):
    """We asked for another quantity or price; the larger of old and new counts."""

    cl_ord_id: ClOrdId
    qty: Decimal
    price: Decimal


class OrderReplaced(Fact, frozen=True, kw_only=True):
    """The venue's word on quantity and price. An older word than `venue_ts` changes nothing."""

    cl_ord_id: ClOrdId
    qty: Decimal
    price: Decimal | None
    venue_ts: int = 0


class ReplaceRejected(Fact, frozen=True, kw_only=True):
    """The venue would not; the order stands as it was."""

    cl_ord_id: ClOrdId
    reason: str = ""
    code: int | None = None


class ReplaceInDoubt(Fact, frozen=True, kw_only=True):
    """Whether the amendment arrived is unknown until `fence_ts`."""

    cl_ord_id: ClOrdId
    fence_ts: int


OrderFact = (
    OrderAccepted
    | OrderRejected
    | OrderTriggered
    | FillRecognized
    | OrderCanceled
    | OrderExpired
    | OrderReported
    | OrderInDoubt
    | OrderNeverArrived
    | CancelRequested
    | CancelRejected
    | CancelInDoubt
    | ReplaceRequested
    | OrderReplaced
    | ReplaceRejected
    | ReplaceInDoubt
)

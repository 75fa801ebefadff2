"""Facts, past tense: the journal's vocabulary. State is the fold of them.

Each carries `ts`, the engine's time in nanoseconds UTC. Facts are never changed once they have
been released: a new field gets a default, a changed meaning gets a new name, and
`journal/upcast.py` turns old rows into new facts.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .instrument import Instrument
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
    SessionId,
    Side,
    StrategyId,
    Symbol,
    TradeId,
    TradingSessionStatus,
    Verdict,
)


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What every fact has."""

    ts: int


# The session


class EpochStarted(Fact, frozen=True, kw_only=True):
    """A process took the account. Ids of this life carry `epoch`; older lives are fenced off."""

    epoch: int
    session_id: SessionId
    portfolio_id: str
    accounts: tuple[AccountId, ...]
    strategies: tuple[str, ...]
    symbols: tuple[Symbol, ...]
    venue: str
    is_resumed: bool


class SessionChanged(Fact, frozen=True, kw_only=True):
    """The session moved to another state."""

    status: TradingSessionStatus
    reason: str


class KillSwitchEngaged(Fact, frozen=True, kw_only=True):
    """Nothing new goes out until a person releases it; survives restarts."""

    reason: str
    flatten: bool


class KillSwitchReleased(Fact, frozen=True, kw_only=True):
    """A person answered for going on."""

    operator: str


class KillSwitchVerified(Fact, frozen=True, kw_only=True):
    """The venue has no order of ours left that could add risk; flat if that was asked for."""

    positions: int  # how many are open


class FlattenRequested(Fact, frozen=True, kw_only=True):
    """Every position is to be closed at the market."""

    reason: str


class BreakerChanged(Fact, frozen=True, kw_only=True):
    """A circuit breaker moved: `state` is CLOSED, OPEN or HALF_OPEN."""

    account: AccountId = MAIN
    failure: str
    state: str
    failure_count: int
    reason: str


class StrategyStarted(Fact, frozen=True, kw_only=True):
    """A strategy was attached."""

    strategy_id: StrategyId
    description: str


class StrategyStopped(Fact, frozen=True, kw_only=True):
    """A strategy ended or was cut off; its wishes are no longer heard."""

    strategy_id: StrategyId
    reason: str


class InstrumentDefined(Fact, frozen=True, kw_only=True):
    """The filters, fees and brackets that orders and margin go by from here on."""

    account: AccountId = MAIN
    instrument: Instrument
    leverage: int


class TradingDayStarted(Fact, frozen=True, kw_only=True):
    """Equity at the day's first sight (from 00:00 UTC); the daily loss counts from it."""

    account: AccountId = MAIN
    day: int  # days since 1970-01-01
    equity: Decimal


class EquitySampled(Fact, frozen=True, kw_only=True):
    """One point of the equity curve."""

    account: AccountId = MAIN
    equity: Decimal
    wallet: Decimal
    unrealized: Decimal
    exposure: Decimal  # sum of absolute notionals at the mark


class AlarmRaised(Fact, frozen=True, kw_only=True):
    """Something a person should look at. `code` is stable, `text` is for reading."""

    code: str
    text: str
    account: AccountId = MAIN
    symbol: Symbol = Symbol("")


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
    """A quantity was taken on; its children follow."""

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


class WakeScheduled(Fact, frozen=True, kw_only=True):
    """The parent's algorithm asked to be woken."""

    parent_id: ParentId
    due_ts: int


class ParentWoken(Fact, frozen=True, kw_only=True):
    """The wake-up came."""

    parent_id: ParentId


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
    """The order's outcome is unknown; it counts in full. Past `fence_ts` it can't arrive."""

    cl_ord_id: ClOrdId
    fence_ts: int
    reason: str = ""


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
    price: Decimal
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


# Money and positions


class FundingPaid(Fact, frozen=True, kw_only=True):
    """Funding was booked; what we paid is negative."""

    account: AccountId = MAIN
    symbol: Symbol
    amount: Decimal
    payment_id: str
    asset: str = "USDT"
    venue_ts: int


class WalletChanged(Fact, frozen=True, kw_only=True):
    """Money came or went for another reason than trading.

    `asked_ts` belongs to the opening: executions from then on are not in its amount.
    """

    account: AccountId = MAIN
    asset: str
    amount: Decimal
    reason: str
    change_id: str
    asked_ts: int = 0


class PositionAdopted(Fact, frozen=True, kw_only=True):
    """A position was taken over as the venue had it: at the first start, or by policy."""

    account: AccountId = MAIN
    symbol: Symbol
    qty: Decimal
    entry_price: Decimal
    reason: str


class BooksDiffered(Fact, frozen=True, kw_only=True):
    """Ours and the venue's disagree. By the same amount twice in a row it stops new risk.

    `sightings` counts looks in a row that found this very amount, `in_a_row` those that found any.
    """

    account: AccountId = MAIN
    what: str  # "position BTCUSDT" or "balance USDT"
    ours: Decimal
    theirs: Decimal
    sightings: int
    in_a_row: int = 0  # 0 in facts from before it was counted


class BooksAgreed(Fact, frozen=True, kw_only=True):
    """An audit compared positions and balances and found no difference."""

    account: AccountId = MAIN
    trades_until: int  # every execution up to this time (ns UTC) has been booked


class ProtectionMissing(Fact, frozen=True, kw_only=True):
    """A position asked for a stop that the venue does not have."""

    parent_id: ParentId
    reason: str


class ProtectionRestored(Fact, frozen=True, kw_only=True):
    """Every quantity of the parent has its stop again."""

    parent_id: ParentId


OrderFact = (
    OrderAccepted
    | OrderRejected
    | OrderTriggered
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
Event = (
    OrderFact
    | OrderSubmitted
    | OrderTimed
    | OrderDenied
    | OrderFilled
    | OrderAdopted
    | EpochStarted
    | SessionChanged
    | KillSwitchEngaged
    | KillSwitchReleased
    | KillSwitchVerified
    | FlattenRequested
    | BreakerChanged
    | StrategyStarted
    | StrategyStopped
    | InstrumentDefined
    | TradingDayStarted
    | EquitySampled
    | AlarmRaised
    | SignalReceived
    | SignalDenied
    | ParentStarted
    | WakeScheduled
    | ParentWoken
    | FundingPaid
    | WalletChanged
    | PositionAdopted
    | BooksDiffered
    | BooksAgreed
    | ProtectionMissing
    | ProtectionRestored
)

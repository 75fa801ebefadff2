"""Facts, past tense: the journal's vocabulary. State is the fold of them.

Each carries `ts`, the engine's time in nanoseconds UTC. Facts are never changed once they have
been released: a new field gets a default, a changed meaning gets a new name, and
`journal/upcast.py` turns old rows into new facts.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .fact import Fact
from .instrument import Instrument
from .order_events import (
    CancelInDoubt,
    CancelRejected,
    CancelRequested,
    FillRecognized,
    OrderAccepted,
    OrderAdopted,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFact,
    OrderFilled,
    OrderInDoubt,
    OrderNeverArrived,
    OrderRejected,
    OrderReplaced,
    OrderReported,
    OrderSubmitted,
    OrderTimed,
    OrderTriggered,
    ParentStarted,
    ParentWoken,
    ReplaceInDoubt,
    ReplaceRejected,
    ReplaceRequested,
    SignalDenied,
    SignalReceived,
    WakeScheduled,
)
from .values import (
    MAIN,
    AccountId,
    ParentId,
    SessionId,
    StrategyId,
    Symbol,
    TradeId,
    TradingSessionStatus,
)

__all__ = [
    "AccountModeChanged",
    "AlarmRaised",
    "BooksAgreed",
    "BooksDiffered",
    "BreakerChanged",
    "CancelInDoubt",
    "CancelRejected",
    "CancelRequested",
    "EpochStarted",
    "EquitySampled",
    "Event",
    "Fact",
    "FillRecognized",
    "FlattenRequested",
    "FundingPaid",
    "InstrumentDefined",
    "KillSwitchEngaged",
    "KillSwitchReleased",
    "KillSwitchVerified",
    "OrderAccepted",
    "OrderAdopted",
    "OrderCanceled",
    "OrderDenied",
    "OrderExpired",
    "OrderFact",
    "OrderFilled",
    "OrderInDoubt",
    "OrderNeverArrived",
    "OrderRejected",
    "OrderReplaced",
    "OrderReported",
    "OrderSubmitted",
    "OrderTimed",
    "OrderTriggered",
    "ParentStarted",
    "ParentWoken",
    "PositionAdopted",
    "ProtectionMissing",
    "ProtectionRestored",
    "ReplaceInDoubt",
    "ReplaceRejected",
    "ReplaceRequested",
    "SessionChanged",
    "SettlementPaid",
    "SignalDenied",
    "SignalReceived",
    "StrategyStarted",
    "StrategyStopped",
    "TradesRead",
    "TradingDayStarted",
    "WakeScheduled",
    "WalletChanged",
]

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
    is_recorded: bool = False  # its time is a recording's
    markets: tuple[str, ...] = ()  # of each account, its venue and market; () is not known
    traded: tuple[tuple[Symbol, ...], ...] = ()  # on each account; () is all that is listed
    keeps_taken_over: bool = False  # what was taken over to be closed stays: the policy has changed


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


class AccountModeChanged(Fact, frozen=True, kw_only=True):
    """The account was set otherwise than we trade it: nothing new is opened. "" is as we do."""

    account: AccountId = MAIN
    problem: str


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
    """Equity at the day's first sight (from 00:00 UTC); the daily loss counts from it.

    Of what is settled in one margin asset; "" is the first contract's, in facts from before it was
    told.
    """

    account: AccountId = MAIN
    day: int  # days since 1970-01-01
    equity: Decimal
    asset: str = ""


class EquitySampled(Fact, frozen=True, kw_only=True):
    """One point of the equity curve of one margin asset; see `TradingDayStarted`."""

    account: AccountId = MAIN
    equity: Decimal
    wallet: Decimal
    unrealized: Decimal
    exposure: Decimal  # sum of absolute notionals at the mark
    asset: str = ""


class AlarmRaised(Fact, frozen=True, kw_only=True):
    """Something a person should look at. `code` is stable, `text` is for reading."""

    code: str
    text: str
    account: AccountId = MAIN
    symbol: Symbol = Symbol("")


# Money and positions


class FundingPaid(Fact, frozen=True, kw_only=True):
    """Funding was booked; what we paid is negative."""

    account: AccountId = MAIN
    symbol: Symbol
    amount: Decimal
    payment_id: str
    asset: str = "USDT"
    venue_ts: int


class SettlementPaid(Fact, frozen=True, kw_only=True):
    """The venue's ledger said what the end of a contract brought; see `SettlementPayment`."""

    account: AccountId = MAIN
    symbol: Symbol
    amount: Decimal
    settlement_id: str
    asset: str = "USDT"
    trade_id: TradeId = TradeId("")
    is_fee: bool = False
    venue_ts: int


class WalletChanged(Fact, frozen=True, kw_only=True):
    """Money came or went for another reason than trading.

    `asked_ts` belongs to the opening: executions from then on, by the venue's clock, are not in its
    amount.
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
    flatten: bool = False  # it is to be closed


class BooksDiffered(Fact, frozen=True, kw_only=True):
    """Ours and the venue's disagree. By the same amount twice in a row it stops new risk.

    `sightings` counts looks in a row that found this very amount, `in_a_row` those that found any;
    one that the latest fills explain begins the first anew (0) and does not count for the other.
    """

    account: AccountId = MAIN
    what: str  # "position BTCUSDT" or "balance USDT"
    ours: Decimal
    theirs: Decimal
    sightings: int
    in_a_row: int = 0  # 0 in facts from before it was counted


class EntryPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The average price at which the venue has a position open."""

    symbol: Symbol
    price: Decimal


class BooksAgreed(Fact, frozen=True, kw_only=True):
    """An audit compared positions and balances and found no difference.

    `entry_prices` are the venue's where fills that were heard out of turn had made others of ours.
    """

    account: AccountId = MAIN
    trades_until: int  # every execution up to this time (ns UTC) has been booked
    entry_prices: tuple[EntryPrice, ...] = ()


class TradesRead(Fact, frozen=True, kw_only=True):
    """The venue's lists were read while the account moved, so that nothing could be compared."""

    account: AccountId = MAIN
    trades_until: int  # as in `BooksAgreed`


class ProtectionMissing(Fact, frozen=True, kw_only=True):
    """A position asked for a stop that the venue does not have."""

    parent_id: ParentId
    reason: str


class ProtectionRestored(Fact, frozen=True, kw_only=True):
    """Every quantity of the parent has its stop again."""

    parent_id: ParentId


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
    | AccountModeChanged
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
    | SettlementPaid
    | WalletChanged
    | PositionAdopted
    | BooksDiffered
    | BooksAgreed
    | TradesRead
    | ProtectionMissing
    | ProtectionRestored
)

"""Inputs: everything the outside world may tell the engine, and nothing else."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from .execution import ExecType as ExecType  # noqa: PLC0414 - told like all else
from .execution import ExecutionReport as ExecutionReport  # noqa: PLC0414 - told like all else
from .instrument import Instrument
from .market import MarketData
from .money import AccountChange as AccountChange  # noqa: PLC0414 - told like all else
from .money import FundingPayment as FundingPayment  # noqa: PLC0414 - told like all else
from .money import SettlementPayment as SettlementPayment  # noqa: PLC0414 - told like all else
from .money import WalletChange as WalletChange  # noqa: PLC0414 - told like all else
from .order_wish import Wish
from .values import (
    MAIN,
    OPERATOR,
    ZERO,
    AccountId,
    ClOrdId,
    OrderType,
    ParentId,
    SessionId,
    Side,
    StrategyId,
    Symbol,
    TimeInForce,
    WorkingType,
)


class Request(enum.Enum):
    """What was asked of the venue when an answer failed to come."""

    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"


class RequestRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue declined to cancel or to amend; the order itself may well be alive."""

    account: AccountId = MAIN
    symbol: Symbol
    cl_ord_id: ClOrdId
    request: Request
    code: int | None = None
    reason: str = ""


class OutcomeUnknown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request left and no usable answer came: it may or may not have happened.

    `code` is the venue's where it declined in a way that it does not document: should the order
    be proven absent, that was a refusal.
    """

    account: AccountId = MAIN
    symbol: Symbol
    cl_ord_id: ClOrdId
    request: Request
    reason: str = ""
    code: int | None = None


class OrderNotFound(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue knows no order of this id, asked at `asked_ts`. Proves nothing before the fence."""

    account: AccountId = MAIN
    symbol: Symbol
    cl_ord_id: ClOrdId
    asked_ts: int


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the venue counts it; `qty` is signed.

    `isolated_wallet` is what stands for it alone; 0 where the whole cross wallet does.
    `mark_price` is what the venue values it at; 0 where it does not say.
    """

    symbol: Symbol
    qty: Decimal
    entry_price: Decimal
    isolated_wallet: Decimal = ZERO
    mark_price: float = 0.0


class VenueSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue's books of one account.

    `asked_ts` is our time when the first question was asked: what happened later may or may
    not be inside. `sure_ts` is the same in the venue's time, as early as it can have been; 0 where
    the clocks are one. `orders` are all open ones, conditional orders included; `trades` and
    `changes` all since `trades_since`, oldest first: 0 where a venue does not say since when.
    """

    account: AccountId = MAIN
    asked_ts: int
    sure_ts: int = 0
    taken_ts: int
    orders: tuple[ExecutionReport, ...]
    positions: tuple[VenuePosition, ...]
    balances: dict[str, Decimal]
    trades: tuple[ExecutionReport, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    trades_since: int = 0
    is_partial: bool = False  # executions wait for their orders to be listed


class InstrumentListed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the venue says of a contract whenever it changes. Leverage 0: it stays as it was."""

    account: AccountId = MAIN
    instrument: Instrument
    leverage: int


class IsolatedWallets(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What stands for each of these positions alone, as of now; 0 where the cross wallet does.

    `qtys` are the positions that it stood for, signed; where one is not told, it is the one known.
    """

    account: AccountId = MAIN
    wallets: dict[Symbol, Decimal]
    qtys: dict[Symbol, Decimal] = {}


class AccountMode(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account is set otherwise than we trade it; or, with no `problem`, as we do again."""

    account: AccountId = MAIN
    problem: str = ""


class MarginModeSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody set a symbol to cross or to isolated margin, other than ours; and what we did."""

    account: AccountId = MAIN
    symbol: Symbol
    text: str


class MarginCalled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue warns that these positions are near their liquidation."""

    account: AccountId = MAIN
    symbols: tuple[Symbol, ...]


class VenueLink(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The road to a venue broke or came back; back means: resync."""

    account: AccountId = MAIN
    is_up: bool
    reason: str = ""


class MarketLink(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A symbol's market data stopped coming, or comes again. What is known meanwhile is old."""

    symbol: Symbol
    is_up: bool
    reason: str = ""


class VenueFailure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A call failed in a way that a circuit breaker counts: "auth", "limits" or "venue"."""

    account: AccountId = MAIN
    failure: str
    reason: str = ""


class AddressBanned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue takes no request of this address before `until_ts`; none is sent before either."""

    account: AccountId = MAIN
    until_ts: int
    text: str


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Time has passed. Sent about every second: doubts are asked after, alarms fall due."""


class AuditDue(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The books are to be compared with the venue's, though nothing seems wrong."""

    account: AccountId = MAIN
    reason: str = "audit"


class TimerFired(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A timer of a parent order fell due."""

    parent_id: ParentId


class OrderTimed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order was handed to its venue, and what each step to there took, nanoseconds.

    From the market frame that came in to the strategy's wish (None where no frame led to it), to
    the decision of rules and algorithm, to the facts on record, to the order handed over.
    """

    cl_ord_id: ClOrdId
    strategy_ns: int | None
    decision_ns: int
    record_ns: int
    send_ns: int


class StartSession(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Begin, or go on after a restart: resync with the venue, then run.

    `is_recorded`: its time is a recording's, which may be older than what was traded before.
    `markets`: the venue and market of each account; () where nobody keeps them apart.
    """

    session_id: SessionId
    portfolio_id: str
    epoch: int
    accounts: tuple[AccountId, ...] = (MAIN,)
    strategies: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    venue: str = ""
    is_resumed: bool = False
    is_recorded: bool = False
    markets: tuple[str, ...] = ()
    traded: tuple[tuple[Symbol, ...], ...] = ()  # on each account; () is all that is listed


class PauseSession(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Stop taking new risk; exits go on."""

    reason: str


class ResumeSession(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take new risk again."""

    reason: str = ""


class StopSession(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take entries back and end. `flatten` closes the positions too; else their stops stay.

    In ERROR `flatten` alone is heard: that state is ended by `ResetSession`.
    """

    reason: str
    flatten: bool = False


class FailSession(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something can't be explained or can't be carried on: stop trading in ERROR."""

    reason: str


class ResetSession(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Leave ERROR for STOPPED."""

    reason: str


class EngageKillSwitch(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Block and cancel everything now and until an operator releases it."""

    reason: str
    flatten: bool = False


class ReleaseKillSwitch(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Lift the block. `operator` says who answers for it."""

    operator: str


class PlaceRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """An order by hand or by a program. Amounts are checked against the filters, not rounded."""

    symbol: Symbol
    side: Side
    qty: Decimal
    order_type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    callback_rate: Decimal | None = None
    activation_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expire_ts: int | None = None
    reduce_only: bool = False
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    algo: str = ""
    strategy_id: StrategyId = OPERATOR
    request_id: str = ""  # a repeated id is acted on once
    account: AccountId = MAIN


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take an order back, by hand."""

    cl_ord_id: ClOrdId
    reason: str = "operator"


class ModifyRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Amend a resting limit order; None keeps what is."""

    cl_ord_id: ClOrdId
    qty: Decimal | None = None
    price: Decimal | None = None


class CloseRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Close a whole position at the market. Possible in every state and past every limit."""

    symbol: Symbol
    reason: str = "operator"
    account: AccountId = MAIN


class AdjustRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Trade a position to a signed target quantity at the market."""

    symbol: Symbol
    target_qty: Decimal
    reason: str = "operator"
    account: AccountId = MAIN


class StrategyAttached(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A strategy was started."""

    strategy_id: StrategyId
    description: str


class StrategyFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A strategy raised, hung or was ended; its positions keep their stops."""

    strategy_id: StrategyId
    reason: str


OperatorMessage = (
    PauseSession
    | ResumeSession
    | StopSession
    | EngageKillSwitch
    | ReleaseKillSwitch
    | PlaceRequest
    | CancelRequest
    | ModifyRequest
    | CloseRequest
    | AdjustRequest
)
VenueMessage = (
    ExecutionReport
    | RequestRefused
    | OutcomeUnknown
    | OrderNotFound
    | FundingPayment
    | WalletChange
    | SettlementPayment
    | VenueSnapshot
    | InstrumentListed
    | IsolatedWallets
    | AccountMode
    | MarginModeSet
    | MarginCalled
    | VenueLink
    | VenueFailure
    | AddressBanned
)
Message = (
    MarketData
    | Wish
    | VenueMessage
    | MarketLink
    | OperatorMessage
    | Tick
    | AuditDue
    | TimerFired
    | OrderTimed
    | StartSession
    | FailSession
    | ResetSession
    | StrategyAttached
    | StrategyFailed
)

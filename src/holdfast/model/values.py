"""Immutable trading values: ids, enumerations and the order as it is asked for.

Quantities are base units, prices are quote per base unit; both are `Decimal`.
Time is int nanoseconds UTC.
"""

from __future__ import annotations

import enum
import numbers
from decimal import Decimal, InvalidOperation
from typing import NewType

import msgspec

AccountId = NewType("AccountId", str)
Symbol = NewType("Symbol", str)
ClOrdId = NewType("ClOrdId", str)
TradeId = NewType("TradeId", str)
ParentId = NewType("ParentId", str)
IntentId = NewType("IntentId", str)
StrategyId = NewType("StrategyId", str)
SessionId = NewType("SessionId", str)

MAIN = AccountId("main")
"""The account of those who have only one."""

OPERATOR = StrategyId("operator")
"""The owner of orders that a person or a program placed by hand."""

NO_ID = ClOrdId("")
"""Of an order that is only planned."""

ZERO = Decimal(0)
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_DAY = 86_400 * NS_PER_S

LARGEST_AMOUNT = Decimal(10) ** 15
"""No price, quantity or balance past this is believed."""

EXPONENT_MAX = 400
"""Either way; 5E-324 is the finest float. So many digits are not too long to be written out."""

Amount = Decimal | str | int | float
"""What a user may write where a number of money, price or quantity is asked for."""

Key = tuple[AccountId, Symbol]
"""What orders, positions and limits are keyed by."""


class Side(enum.Enum):
    """Which way an order trades.

    `sign` is +1 for a buy, -1 for a sell; `opposite` the side that undoes this one.
    """

    # Attributes and not properties, here and below: they are read at every step.
    sign: int
    opposite: Side

    BUY = "BUY"
    SELL = "SELL"


for _side, _sign, _other in ((Side.BUY, 1, Side.SELL), (Side.SELL, -1, Side.BUY)):
    _side.sign, _side.opposite = _sign, _other

BUY, SELL = Side.BUY, Side.SELL
# Names of their own, here and below, for what every order asks: on Python 3.11 a member that is
# read off its class costs as much as a call.


class SignalType(enum.Enum):
    """What a strategy wishes for."""

    BUY = "BUY"
    SELL = "SELL"
    CLOSE = "CLOSE"


class OrderType(enum.Enum):
    """How an order meets the market.

    `is_conditional` tells whether it waits at the venue for a trigger before it may trade;
    `has_limit_price` whether it must name a limit price.
    """

    is_conditional: bool
    has_limit_price: bool

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"  # becomes a limit order when triggered
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"  # becomes a limit order when triggered
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


for _type in OrderType:
    _type.is_conditional = _type not in (OrderType.MARKET, OrderType.LIMIT)
    _type.has_limit_price = _type in (OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT)

MARKET, LIMIT = OrderType.MARKET, OrderType.LIMIT


class TimeInForce(enum.Enum):
    """How long an order may rest."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"  # post-only: refused or expired when it would take
    GTD = "GTD"


class WorkingType(enum.Enum):
    """Which price triggers a conditional order."""

    CONTRACT_PRICE = "CONTRACT_PRICE"  # the last trade
    MARK_PRICE = "MARK_PRICE"


class OrderStatus(enum.Enum):
    """How far an order has come, in FIX's words (tag 39) where FIX has one.

    Whether a cancel, an amendment or the order itself is in doubt is not here:
    those are machines of their own beside this life. `is_open` tells whether the order may
    still trade.
    """

    is_open: bool

    __hash__ = object.__hash__  # there is one of each; `Enum` hashes the name, in Python

    PENDING_NEW = "PENDING_NEW"  # journaled, perhaps sent, not yet answered
    NEW = "NEW"  # resting at the venue, conditional orders before their trigger included
    TRIGGERED = "TRIGGERED"  # a conditional order whose child order is in the book
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"  # the venue said no
    EXPIRED = "EXPIRED"
    NEVER_ARRIVED = "NEVER_ARRIVED"  # in doubt, and proven absent past its fence
    DENIED = "DENIED"  # our own risk check said no; the venue never saw it


OPEN_STATUSES = frozenset(
    {
        OrderStatus.PENDING_NEW,
        OrderStatus.NEW,
        OrderStatus.TRIGGERED,
        OrderStatus.PARTIALLY_FILLED,
    }
)
for _status in OrderStatus:
    _status.is_open = _status in OPEN_STATUSES


class OrderRole(enum.Enum):
    """What an order is for: decides whether it may go out past a limit or outside RUNNING.

    `letter` is what ids say of it.
    """

    letter: str

    ENTRY = "E"  # may add risk
    EXIT = "X"  # reduce-only: closes on purpose
    STOP_LOSS = "S"  # reduce-only: protects
    TAKE_PROFIT = "T"  # reduce-only: protects


for _role in OrderRole:
    _role.letter = _role.value
ENTRY, EXIT = OrderRole.ENTRY, OrderRole.EXIT


class TradingSessionStatus(enum.Enum):
    """Where a trading session stands."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    ERROR = "ERROR"


RUNNING = TradingSessionStatus.RUNNING


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What we want the venue to do, before anyone has agreed to it.

    `price` is None unless the type has a limit price; `trigger_price` is None unless the
    type waits for one; `expire_ts` is set with GTD alone. `callback_rate` is in percent
    (1 = 1 %), for trailing stops; `activation_price` None activates at once.
    """

    cl_ord_id: ClOrdId
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
    close_position: bool = False  # all that is held when it triggers; `qty` is what was held
    role: OrderRole = OrderRole.ENTRY
    account: AccountId = MAIN
    strategy_id: StrategyId = OPERATOR
    parent_id: ParentId = ParentId("")
    intent_id: IntentId = IntentId("")

    @property
    def key(self) -> Key:
        """Return the (account, symbol) pair that limits and positions are kept under."""
        return (self.account, self.symbol)

    @property
    def dearest(self) -> Decimal:
        """Return the highest price that it names and may fill at; 0 where it names none.

        A limit is the most that a buy pays and the least that a sell gets: one that waits for a
        higher price fills there.
        """
        price = self.price or ZERO
        if price and self.side is BUY:
            return price
        return max(price, self.trigger_price or self.activation_price or ZERO)


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one risk rule said of one order.

    `value` and `limit` are in the rule's own unit (fractions, quote currency, counts, seconds);
    None where there was nothing to measure or no limit is set. `reason` is for people.
    """

    rule: str
    passed: bool
    value: Decimal | None = None
    limit: Decimal | None = None
    reason: str = ""


def to_decimal(value: Amount, name: str = "amount") -> Decimal:
    """Take a user's number as the exact decimal that it shows.

    A float counts as the shortest text that denotes it, one of numpy's too: 0.1 is one tenth.

    Raises:
        ValueError: it is no number, not finite, past `LARGEST_AMOUNT` either way, or finer than
            any number is.
    """
    try:
        number = Decimal(_written(value))
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"{name} must be a number, was {value!r}") from None
    if isinstance(value, bool):
        raise ValueError(f"{name} must be a number, was {value!r}")  # noqa: TRY004
    if not number.is_finite():
        raise ValueError(f"{name} must be finite, was {value!r}")
    if not (is_short(number) and -LARGEST_AMOUNT <= number <= LARGEST_AMOUNT):
        raise ValueError(
            f"{name} must be at most {LARGEST_AMOUNT:f} in size, and not finer than "
            f"1E-{EXPONENT_MAX}, was {value!r}"
        )
    return number


def _written(value: object) -> Decimal | str | int:
    """Return what a decimal is made of, of other libraries' numbers too: `repr` names their type.

    One that has fewer digits than a float, such as numpy's float32, is written with its own.
    """
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Decimal | str | int):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Rational) or not isinstance(value, numbers.Real):
        raise TypeError("no number that has digits")
    return str(value)


def is_short(number: Decimal) -> bool:
    """Tell whether a finite number can be written out; 1E-99999999 would fill the memory."""
    return -EXPONENT_MAX <= number.adjusted() <= EXPONENT_MAX


def plain(number: Decimal) -> str:
    """Write a decimal without exponent or trailing zeros: `Decimal("1E+2")` is "100"."""
    text = str(number)
    if "E" in text:
        text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text

"""How the exchange's books look in storage: a kind, a key and a JSON payload each."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.instrument import Instrument
from ..model.messages import AccountChange, ExecutionReport
from ..model.values import AccountId, Symbol
from .coverage import Span
from .ledger import Account, Position, PositionKey
from .market import Market
from .orders import PositionSide, VenueOrder

ORDER = "order"
POSITION = "position"
ACCOUNT = "account"
MARKET = "market"
COUNTERS = "counters"
MARGIN_MOVE = "margin move"
TRADE = "trade"  # appended, never changed; the key is the account
INCOME = "income"  # appended, never changed; the key is the account


class Row(NamedTuple):
    """One thing as it stands now; `payload` None: it is no longer kept.

    `ts` is when an appended thing happened, 0 for all others.
    """

    kind: str
    key: str
    payload: bytes | None
    ts: int = 0


def appended(kind: str, thing: ExecutionReport | AccountChange) -> Row:
    return Row(kind, thing.account, encode(thing), thing.venue_ts)


def position_key(position: Position) -> str:
    """Return the key of a position's row; the only one of its symbol needs no side."""
    side = "" if position.side is PositionSide.BOTH else f"\n{position.side.value}"
    return f"{position.account}\n{position.symbol}{side}"


def position_of(key: str) -> tuple[AccountId, PositionKey]:
    """Read what `position_key` wrote."""
    account, symbol, side = (*key.split("\n"), PositionSide.BOTH.value)[:3]
    return AccountId(account), (Symbol(symbol), PositionSide(side))


class Counters(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The numbers that never repeat."""

    order_id: int = 0  # conditional orders draw from it too
    trade_id: int = 0
    change_id: int = 0
    autoclose: int = 0
    seq: int = 0


class MarginMove(msgspec.Struct, frozen=True, kw_only=True):
    """Margin that a customer put into an isolated position, or took out: then it is negative."""

    number: int
    account: AccountId
    symbol: Symbol
    side: PositionSide
    asset: str
    amount: Decimal
    ts: int


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account without its orders and positions, which have rows of their own."""

    account: AccountId
    wallets: dict[str, Decimal]
    leverages: dict[Symbol, int]
    is_hedged: bool = False
    isolated: tuple[Symbol, ...] = ()
    is_multi_assets: bool = False
    burns_fees: bool = False

    @classmethod
    def of(cls, account: Account) -> AccountRow:
        return cls(
            account=account.account_id,
            wallets=account.wallets,
            leverages=account.leverages,
            is_hedged=account.is_hedged,
            isolated=tuple(account.isolated),
            is_multi_assets=account.is_multi_assets,
            burns_fees=account.burns_fees,
        )


class MarketRow(msgspec.Struct, frozen=True, kw_only=True):
    """A contract, what of its funding has been paid, by whom the rest, and the last mark heard.

    Books from before there were marks, or before it was known what is paid, have none.
    """

    instrument: Instrument
    funded_ts: int
    mark: float = 0.0
    complete_ts: int = 0
    charged: tuple[int, ...] = ()
    unknown: tuple[Span, ...] = ()

    @classmethod
    def of(cls, market: Market) -> MarketRow:
        return cls(
            instrument=market.instrument,
            funded_ts=market.funded_ts,
            mark=market.display.worth_float(),
            complete_ts=market.coverage.complete_ts,
            charged=market.coverage.charged,
            unknown=market.coverage.unknown,
        )


Payload = (
    VenueOrder
    | Position
    | AccountRow
    | MarketRow
    | Counters
    | MarginMove
    | ExecutionReport
    | AccountChange
)
_ENCODER = msgspec.json.Encoder()


def encode(payload: Payload) -> bytes:
    return _ENCODER.encode(payload)

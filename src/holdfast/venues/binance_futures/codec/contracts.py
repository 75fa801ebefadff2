"""Contracts: exchangeInfo, leverage brackets, commission rates and funding intervals.

Whatever the venue adds (filters, order types, contract types, statuses) is taken as text or left
out; only a contract that we are to trade must have its tick and its lot.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ....model.errors import ConfigError
from ....model.instrument import TRADING, Bracket, Instrument
from ....model.values import LARGEST_AMOUNT, ZERO, OrderType, Symbol, TimeInForce
from .envelope import RateLimit
from .lists import Others, read_rows, symbol_of
from .wire import PLACES_MAX, BadFrame, checked, decode, ns, unsigned
from .words import ORDER_TYPES

FUNDING_INTERVAL_H = 8
"""The interval of symbols that `fundingInfo` does not name."""

NEVER_MS = 4_102_444_800_000
"""The year 2100: a perpetual contract is delivered behind it, until its end is announced."""


class Filter(msgspec.Struct, frozen=True, rename="camel"):
    """One filter; its fields are those of all the filters that we know."""

    filter_type: str
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    notional: Decimal | None = None
    multiplier_up: Decimal | None = None
    multiplier_down: Decimal | None = None


class ContractRow(msgspec.Struct, frozen=True, rename="camel"):
    """One symbol of exchangeInfo."""

    symbol: str
    status: str = ""
    contract_type: str = ""
    delivery_date: int = 0
    base_asset: str = ""
    quote_asset: str = ""
    margin_asset: str = ""
    price_precision: int = 8
    quantity_precision: int = 8
    liquidation_fee: Decimal = ZERO
    market_take_bound: Decimal = ZERO
    filters: tuple[msgspec.Raw, ...] = ()
    order_types: tuple[str, ...] = ()
    time_in_force: tuple[str, ...] = ()


class ExchangeInfo(NamedTuple):
    """All contracts by symbol, still JSON: an odd one is no reason to leave the others unread.
    And the limits that go for this address and account.
    """

    contracts: dict[str, msgspec.Raw]
    rate_limits: tuple[RateLimit, ...]


class _Info(msgspec.Struct, frozen=True, rename="camel"):
    symbols: tuple[msgspec.Raw, ...]
    rate_limits: tuple[RateLimit, ...] = ()


class Fees(NamedTuple):
    """Commission rates, fractions of the notional."""

    maker: Decimal
    taker: Decimal


class _BracketRow(msgspec.Struct, frozen=True, rename="camel"):
    initial_leverage: int
    notional_cap: Decimal
    notional_floor: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal = ZERO


class _Brackets(msgspec.Struct, frozen=True):
    symbol: str
    brackets: tuple[_BracketRow, ...]


class _CommissionRate(msgspec.Struct, frozen=True, rename="camel"):
    maker_commission_rate: Decimal
    taker_commission_rate: Decimal


class _FundingInfo(msgspec.Struct, frozen=True, rename="camel"):
    symbol: str
    funding_interval_hours: int = FUNDING_INTERVAL_H


_INFO = msgspec.json.Decoder(_Info, strict=False)
_CONTRACT = msgspec.json.Decoder(ContractRow, strict=False)
_FILTER = msgspec.json.Decoder(Filter, strict=False)
_BRACKETS = msgspec.json.Decoder(_Brackets, strict=False)
_COMMISSION = msgspec.json.Decoder(_CommissionRate, strict=False)
_FUNDING_INFO = msgspec.json.Decoder(_FundingInfo, strict=False)


def exchange_info(raw: bytes | msgspec.Raw) -> ExchangeInfo:
    """Read exchangeInfo."""
    info = decode(_INFO, raw, "exchangeInfo")
    return ExchangeInfo({symbol_of(row): row for row in info.symbols}, info.rate_limits)


def listed(info: ExchangeInfo, symbol: Symbol) -> ContractRow | None:
    """Return a symbol's row, whether it is trading or not; None where there is none.

    Raises:
        BadFrame: its row can't be read.
    """
    raw = info.contracts.get(symbol)
    return None if raw is None else decode(_CONTRACT, raw, f"the contract {symbol}")


def contract(info: ExchangeInfo, symbol: Symbol) -> ContractRow:
    """Return a symbol's row.

    Raises:
        ConfigError: it is not listed, or not trading.
        BadFrame: its row can't be read.
    """
    row = listed(info, symbol)
    if row is None:
        raise ConfigError(f"{symbol} is not listed at the venue")
    if row.status != TRADING:
        raise ConfigError(f"{symbol} is not trading at the venue: it is {row.status}")
    return row


def instrument(
    row: ContractRow,
    *,
    brackets: Sequence[Bracket] = (),
    fees: Fees | None = None,
    funding_interval_h: int = FUNDING_INTERVAL_H,
) -> Instrument:
    """Make the contract that the engine goes by. `fees` None leaves the engine's assumption.

    Raises:
        ConfigError: the venue names no tick or no lot.
        BadFrame: an amount in a filter can't be.
    """
    filters = _filters(row)
    price = filters.get("PRICE_FILTER")
    lot = filters.get("LOT_SIZE")
    market = filters.get("MARKET_LOT_SIZE") or lot
    if price is None or lot is None or market is None:
        missing = "PRICE_FILTER" if price is None else "LOT_SIZE"
        raise ConfigError(f"{row.symbol}: the venue names no {missing}")
    step = _positive(lot.step_size) or _unit(row.quantity_precision)
    known = {
        "min_price": _positive(price.min_price),
        "max_price": _positive(price.max_price),
        "max_qty": _positive(lot.max_qty),
        "max_market_qty": _positive(market.max_qty),
        "min_notional": _of(filters, "MIN_NOTIONAL", "notional"),
        "price_up": _of(filters, "PERCENT_PRICE", "multiplier_up"),
        "price_down": _of(filters, "PERCENT_PRICE", "multiplier_down"),
        "market_take_bound": _positive(row.market_take_bound),
        "liquidation_fee": _positive(row.liquidation_fee),
        "maker_fee": fees.maker if fees else None,
        "taker_fee": fees.taker if fees else None,
    }
    made = Instrument(
        symbol=Symbol(row.symbol),
        base_asset=row.base_asset,
        quote_asset=row.quote_asset,
        margin_asset=row.margin_asset or row.quote_asset,
        tick=_positive(price.tick_size) or _unit(row.price_precision),
        lot=step,
        min_qty=_positive(lot.min_qty) or step,
        funding_interval_h=funding_interval_h,
        brackets=tuple(brackets),
        status=row.status,
        delivery_ts=ns(row.delivery_date) if 0 < row.delivery_date < NEVER_MS else 0,
    )
    return msgspec.structs.replace(
        made, **{name: value for name, value in known.items() if value is not None}
    )


def _filters(row: ContractRow) -> dict[str, Filter]:
    """Return the filters by kind; one that has another shape than ours is not ours."""
    found = {}
    for raw in row.filters:
        try:
            each = _FILTER.decode(raw)
        except msgspec.DecodeError:
            continue  # a kind that did not exist when this was written
        found[each.filter_type] = each
    return found


def _of(filters: dict[str, Filter], kind: str, name: str) -> Decimal | None:
    found = filters.get(kind)
    return _positive(getattr(found, name)) if found is not None else None


def _positive(amount: Decimal | None) -> Decimal | None:
    """Return an amount; None where it is missing or zero, which is how a filter is off."""
    if amount is None:
        return None
    return unsigned(amount, "a filter's amount") or None


def _unit(precision: int) -> Decimal:
    if 0 <= precision <= PLACES_MAX:
        return Decimal(1).scaleb(-precision)
    raise BadFrame(f"a precision must be from 0 to {PLACES_MAX}, was another")


def order_types(row: ContractRow) -> frozenset[OrderType]:
    """Return the order types that a contract takes and we know."""
    return frozenset(ORDER_TYPES[each] for each in row.order_types if each in ORDER_TYPES)


def times_in_force(row: ContractRow) -> frozenset[TimeInForce]:
    """Return the times in force that a contract takes and we know."""
    known = {each.value: each for each in TimeInForce}
    return frozenset(known[each] for each in row.time_in_force if each in known)


def leverage_brackets(
    raw: bytes | msgspec.Raw, others: Others | None = None
) -> dict[Symbol, tuple[Bracket, ...]]:
    """Read the margin tables: a list of all symbols', or a single one's, lowest notional first."""
    if bytes(raw).lstrip().startswith(b"{"):
        return dict([_table(raw)])
    return dict(read_rows(raw, _table, "the leverage brackets", others, is_vast=True))


def _table(raw: bytes | msgspec.Raw) -> tuple[Symbol, tuple[Bracket, ...]]:
    table = decode(_BRACKETS, raw, "a table of leverage brackets")
    return Symbol(table.symbol), _brackets(table)


def _brackets(table: _Brackets) -> tuple[Bracket, ...]:
    return tuple(
        Bracket(
            notional_floor=checked(row.notional_floor, "notionalFloor"),
            notional_cap=_cap(row.notional_cap),
            max_leverage=row.initial_leverage,
            maint_margin_ratio=checked(row.maint_margin_ratio, "maintMarginRatio"),
            cum=checked(row.cum, "cum"),
        )
        for row in sorted(table.brackets, key=lambda row: row.notional_floor)
    )


def _cap(amount: Decimal) -> Decimal:
    """Return where a bracket ends; what has no end is told as a number beyond all belief."""
    is_endless = amount.is_finite() and amount > LARGEST_AMOUNT
    return LARGEST_AMOUNT if is_endless else checked(amount, "notionalCap")


def commission_rate(raw: bytes | msgspec.Raw) -> Fees:
    """Read a symbol's commission rates."""
    row = decode(_COMMISSION, raw, "the commission rates")
    return Fees(
        checked(row.maker_commission_rate, "makerCommissionRate"),
        checked(row.taker_commission_rate, "takerCommissionRate"),
    )


def funding_intervals(raw: bytes | msgspec.Raw, others: Others | None = None) -> dict[Symbol, int]:
    """Read the hours between two fundings of the symbols whose interval was adjusted."""

    def read(row: msgspec.Raw) -> tuple[Symbol, int]:
        found = decode(_FUNDING_INFO, row, "a funding interval")
        return Symbol(found.symbol), found.funding_interval_hours

    return dict(read_rows(raw, read, "the funding intervals", others))

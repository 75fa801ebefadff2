"""The back door's levers: what the exchange is to do of itself, right now."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from aiohttp import web

from ..exchange import PositionSide, SettlementTerms
from ..model.errors import InputError
from ..model.instrument import CLOSING_ONLY, TRADING, UNLISTED, Instrument
from ..model.values import LARGEST_AMOUNT, NS_PER_MS, ZERO, AccountId, Symbol
from .admin import Answer
from .faults import RATE_MAX
from .forced import Forced
from .listing import PERPETUAL_DELIVERY_MS
from .params import UNREADABLE
from .venue import Venue

FORCED = web.AppKey("forced", Forced)

AWAY_MS_MAX = 600_000
STATUSES = (
    *(TRADING, *sorted(CLOSING_ONLY), UNLISTED),
    *("PENDING_TRADING", "BREAK", "DELIVERING", "DELIVERED", "SETTLING", "CLOSE"),
)
"""Binance's words; `UNLISTED` takes the contract off the list."""


class _Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """One thing to do now."""


class Liquidate(_Wish, frozen=True, kw_only=True, tag="liquidation"):
    """Liquidate a position, whatever its margin."""

    account: AccountId
    symbol: Symbol
    side: PositionSide = PositionSide.BOTH


class Deleverage(_Wish, frozen=True, kw_only=True, tag="adl"):
    """Close so much of a position; without a quantity all of it."""

    account: AccountId
    symbol: Symbol
    side: PositionSide = PositionSide.BOTH
    qty: Decimal | None = None


class Fund(_Wish, frozen=True, kw_only=True, tag="funding"):
    """Let a symbol's funding fall due; without a rate at the one that is announced."""

    symbol: Symbol
    rate: float | None = None


class ListAs(_Wish, frozen=True, kw_only=True, tag="status"):
    """Give a contract another status, and other sizes and an end where they are named.

    `delivery_ms` is when it will be settled, as far as it is told; 0 takes that back.
    """

    symbol: Symbol
    status: str = TRADING
    lot: Decimal | None = None
    min_qty: Decimal | None = None
    delivery_ms: int | None = None


class Settle(_Wish, frozen=True, kw_only=True, tag="settlement"):
    """End a contract at a price, without one at the mark; then it has `status`.

    `is_trade` false lets positions be gone, and the income list alone tells of it.
    """

    symbol: Symbol
    price: Decimal | None = None
    fee_rate: Decimal = ZERO
    is_trade: bool = True
    status: str = "SETTLING"


class Disconnect(_Wish, frozen=True, kw_only=True, tag="disconnect"):
    """Close every socket, as after 24 hours."""


class Refuse(_Wish, frozen=True, kw_only=True, tag="refuse"):
    """Break every connection and let nothing listen for a while."""

    delay_ms: int = 1000


Wish = Liquidate | Deleverage | Fund | ListAs | Settle | Disconnect | Refuse
_read = msgspec.json.Decoder(Wish).decode


async def force(venue: Venue, request: web.Request) -> object:
    try:
        wish = _read(await request.read())
    except UNREADABLE as error:
        raise InputError(f"expected what to do now: {error}") from error
    return {"count": _carry_out(venue, request.app[FORCED], wish)}


def _carry_out(venue: Venue, forced: Forced, wish: Wish) -> int:
    """Do it, and return how many positions were concerned."""
    match wish:
        case Liquidate(account=account, symbol=symbol, side=side):
            _check(venue, symbol, account)
            return int(venue.force_liquidation(account, symbol, side))
        case Deleverage(account=account, symbol=symbol, side=side):
            _check(venue, symbol, account)
            return int(venue.force_adl(account, symbol, side, _qty(venue, wish)))
        case Fund():
            _check(venue, wish.symbol)
            if wish.rate is not None and not -RATE_MAX <= wish.rate <= RATE_MAX:
                raise InputError(f"rate must be within {RATE_MAX}, was {wish.rate}")
            return forced.fund(wish.symbol, wish.rate)
        case ListAs(symbol=symbol):
            _check(venue, symbol)
            venue.list_as(_relisted(venue.tapes[symbol].instrument, wish))
        case Settle(symbol=symbol):
            _check(venue, symbol)
            terms = SettlementTerms(_price(venue, wish), wish.fee_rate, wish.is_trade)
            return venue.settle(symbol, terms, _status(wish.status))
        case Disconnect():
            forced.close_sockets()
        case Refuse():
            if not 0 <= wish.delay_ms <= AWAY_MS_MAX:
                raise InputError(f"delay_ms must be 0 to {AWAY_MS_MAX}, was {wish.delay_ms}")
            forced.refuse(wish.delay_ms)
    return 0


def _check(venue: Venue, symbol: Symbol, account: AccountId | None = None) -> None:
    if symbol not in venue.tapes:
        raise InputError(f"there is no symbol {symbol}")
    if account is not None and not venue.exchange.has_account(account):
        raise InputError(f"there is no account {account}")


def _relisted(now: Instrument, wish: ListAs) -> Instrument:
    sizes = {"lot": wish.lot or now.lot, "min_qty": wish.min_qty or wish.lot or now.min_qty}
    for name, size in sizes.items():
        if not size.is_finite() or not ZERO < size <= now.max_market_qty:
            raise InputError(f"{name} must be above 0 and at most {now.max_market_qty}, was {size}")
    end_ts = now.delivery_ts
    if wish.delivery_ms is not None:
        if not 0 <= wish.delivery_ms < PERPETUAL_DELIVERY_MS:
            raise InputError(f"delivery_ms must be 0 or a time, was {wish.delivery_ms}")
        end_ts = wish.delivery_ms * NS_PER_MS
    return msgspec.structs.replace(now, status=_status(wish.status), delivery_ts=end_ts, **sizes)


def _status(word: str) -> str:
    if word not in STATUSES:
        raise InputError(f"status must be one of {', '.join(STATUSES)}, was {word!r}")
    return word


def _price(venue: Venue, wish: Settle) -> Decimal:
    price = wish.price or venue.exchange.mark_price(wish.symbol)
    if price is None or not price.is_finite() or not ZERO < price <= LARGEST_AMOUNT:
        raise InputError(f"price must be above 0 and at most {LARGEST_AMOUNT:f}, was {price}")
    if not wish.fee_rate.is_finite() or not ZERO <= wish.fee_rate < 1:
        raise InputError(f"fee_rate must be 0 to 1, was {wish.fee_rate}")
    return price


def _qty(venue: Venue, wish: Deleverage) -> Decimal:
    instrument = venue.tapes[wish.symbol].instrument
    if wish.qty is None:
        row = venue.exchange.symbol_margin(wish.account, wish.symbol, wish.side)
        return abs(row.position.qty)
    if not wish.qty.is_finite() or wish.qty <= 0 or not instrument.is_on_lot(wish.qty):
        raise InputError(f"qty must be a multiple of {instrument.lot} above 0, was {wish.qty}")
    return wish.qty


ROUTES: dict[tuple[str, str], Answer] = {("POST", "/admin/force"): force}

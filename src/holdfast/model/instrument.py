"""What is traded: ticks, lots, limits, margin brackets, and the rounding that follows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import msgspec

from .values import BUY, NS_PER_S, ZERO, Side, Symbol, plain

CENT_OF_CENT = Decimal("0.00000001")
"""Money is booked to eight decimals, as the venue books it."""

TRADING = "TRADING"
"""The status of a contract that is traded; the others are the venue's words, taken as they come."""

UNLISTED = "UNLISTED"
"""Our word for a contract that the venue's list does not name any more."""

NOT_SET_UP = "NOT_SET_UP"
"""Our word for a contract that trades, and whose margin mode and leverage could not be set yet."""

CLOSING_ONLY = frozenset({"PRE_SETTLE", "PRE_DELIVERING"})
"""What a contract is called that is about to end, and can still be closed."""

QUOTE_ASSETS = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "BTC", "ETH")
"""What contracts are quoted and settled in."""


DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD"})
"""Assets that stand for a dollar; where several are added up, they count one for one."""


def is_worth(asset: str, other: str) -> bool:
    """Tell whether amounts in two assets may be added up: the same one, or dollars both."""
    return asset == other or (asset in DOLLARS and other in DOLLARS)


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the margin table.

    Applies from `notional_floor` to `notional_cap` (quote currency); `maint_margin_ratio`
    is a fraction; `cum` is what makes the maintenance margin continuous over the steps.
    """

    notional_floor: Decimal
    notional_cap: Decimal
    max_leverage: int
    maint_margin_ratio: Decimal
    cum: Decimal = ZERO


class Instrument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One contract and its filters.

    Fees are fractions of the notional (0.0005 is 5 basis points). `price_up` and
    `price_down` bound limit prices as multiples of the mark price; `market_take_bound`
    bounds how far a market order may walk, as a fraction of the mark price.
    """

    symbol: Symbol
    base_asset: str
    quote_asset: str = "USDT"
    margin_asset: str = "USDT"
    tick: Decimal
    lot: Decimal
    min_qty: Decimal
    max_qty: Decimal = Decimal(1_000_000)
    max_market_qty: Decimal = Decimal(100_000)
    min_price: Decimal = ZERO
    max_price: Decimal = Decimal(1_000_000_000)
    min_notional: Decimal = Decimal(5)
    price_up: Decimal = Decimal("1.05")
    price_down: Decimal = Decimal("0.95")
    market_take_bound: Decimal = Decimal("0.05")
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    liquidation_fee: Decimal = Decimal("0.0125")
    funding_interval_h: int = 8
    brackets: tuple[Bracket, ...] = ()
    status: str = TRADING
    delivery_ts: int = 0  # when the venue settles it; 0 where it does not say

    @property
    def is_trading(self) -> bool:
        """Tell whether positions may be opened."""
        return self.status == TRADING

    @property
    def can_be_closed(self) -> bool:
        """Tell whether positions may be closed, as far as the status says."""
        return self.status in {TRADING, NOT_SET_UP} or self.status in CLOSING_ONLY

    @property
    def delivery_time(self) -> str:
        """Return when the venue settles it, to the minute."""
        when = datetime.fromtimestamp(self.delivery_ts // NS_PER_S, UTC)
        return f"{when:%Y-%m-%d %H:%M} UTC"

    def is_ending(self, now: int, notice_ns: int) -> bool:
        """Tell whether the venue settles it soon; a day that is long past says nothing."""
        return bool(self.delivery_ts) and abs(self.delivery_ts - now) <= notice_ns

    def takes(self, qty: Decimal) -> bool:
        """Tell whether the venue's filters would take a quantity that reduces."""
        return qty >= self.min_qty and self.is_on_lot(qty)

    def round_qty(self, qty: Decimal) -> Decimal:
        """Round towards zero onto the lot."""
        return (qty / self.lot).to_integral_value(ROUND_DOWN) * self.lot

    def round_price(self, price: Decimal, side: Side | None = None) -> Decimal:
        """Round onto the tick: a buy down, a sell up, None to the nearest."""
        mode = ROUND_HALF_EVEN
        if side is not None:
            mode = ROUND_FLOOR if side is BUY else ROUND_CEILING
        return (price / self.tick).to_integral_value(mode) * self.tick

    def is_on_tick(self, price: Decimal) -> bool:
        """Tell whether the venue's price filter would take this price."""
        return price % self.tick == 0

    def outside(self, price: Decimal) -> str:
        """Say how a price is beyond what the venue takes; "" where it is not."""
        if price < self.min_price:
            return f"must be at least {plain(self.min_price)}"
        return f"must be at most {plain(self.max_price)}" if price > self.max_price else ""

    def is_on_lot(self, qty: Decimal) -> bool:
        """Tell whether the venue's lot filter would take this quantity."""
        return qty % self.lot == 0


def as_money(amount: Decimal) -> Decimal:
    """Round to the eight decimals that money is booked in."""
    return amount.quantize(CENT_OF_CENT, ROUND_HALF_EVEN)


def split_symbol(symbol: Symbol) -> tuple[str, str]:
    """Return the base and the quote asset; the quote is USDT where none is known."""
    pair = symbol.split("_")[0]
    for quote in QUOTE_ASSETS:
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair.removesuffix(quote), quote
    return pair, "USDT"

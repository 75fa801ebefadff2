"""Contracts that are known without asking, and a guess at those that are not.

Filters and brackets have the shape and the size of Binance's USD-M perpetuals in 2026; the
venue's own word always takes precedence over them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ..model.instrument import Bracket, Instrument
from ..model.values import Symbol, plain, to_decimal

_QUOTES = ("USDT", "USDC", "BUSD", "USD")

# Notional cap in thousands, greatest leverage, maintenance margin in hundredths of a percent.
_Step = tuple[int, int, int]

_LARGE: tuple[_Step, ...] = ((300, 150, 40), (800, 100, 50), (3_000, 75, 65), (12_000, 50, 100))
_STEPS: dict[str, tuple[_Step, ...]] = {
    "BTC": (
        *_LARGE,
        (70_000, 25, 200),
        (100_000, 20, 250),
        (230_000, 10, 500),
        (480_000, 5, 1000),
        (600_000, 4, 1250),
        (800_000, 3, 1500),
        (1_200_000, 2, 2500),
        (1_800_000, 1, 5000),
    ),
    "ETH": (
        *_LARGE,
        (50_000, 25, 200),
        (65_000, 20, 250),
        (150_000, 10, 500),
        (320_000, 5, 1000),
        (400_000, 4, 1250),
        (530_000, 3, 1500),
        (800_000, 2, 2500),
        (1_200_000, 1, 5000),
    ),
    "SOL": (
        (50, 100, 50),
        (400, 75, 65),
        (1_000, 50, 100),
        (4_000, 25, 200),
        (8_000, 20, 250),
        (40_000, 10, 500),
        (80_000, 5, 1000),
        (100_000, 4, 1250),
        (200_000, 2, 2500),
        (400_000, 1, 5000),
    ),
    "BNB": (
        (10, 75, 50),
        (200, 50, 60),
        (400, 40, 100),
        (1_500, 25, 200),
        (3_000, 20, 250),
        (15_000, 10, 500),
        (30_000, 5, 1000),
        (37_500, 4, 1250),
        (75_000, 2, 2500),
        (150_000, 1, 5000),
    ),
    "XRP": (
        (40, 100, 50),
        (80, 75, 60),
        (150, 50, 100),
        (400, 40, 125),
        (1_000, 25, 200),
        (2_000, 20, 250),
        (10_000, 10, 500),
        (20_000, 5, 1000),
        (25_000, 4, 1250),
        (50_000, 2, 2500),
        (100_000, 1, 5000),
    ),
    "ADA": (
        (10, 75, 50),
        (50, 50, 100),
        (200, 40, 150),
        (1_000, 25, 200),
        (2_000, 20, 250),
        (10_000, 10, 500),
        (20_000, 5, 1000),
        (25_000, 4, 1250),
        (50_000, 2, 2500),
        (100_000, 1, 5000),
    ),
    "DOGE": (
        (80, 75, 65),
        (150, 50, 100),
        (750, 40, 125),
        (2_000, 25, 200),
        (4_000, 20, 250),
        (20_000, 10, 500),
        (40_000, 5, 1000),
        (50_000, 4, 1250),
        (100_000, 2, 2500),
        (200_000, 1, 5000),
    ),
}
_STEPS["LTC"] = _STEPS["BNB"]
_OTHERS = _STEPS["ADA"]  # for contracts that are guessed

# tick, lot, largest quantity, largest market quantity, smallest notional
_FILTERS: dict[str, tuple[str, str, int, int, int]] = {
    "BTC": ("0.1", "0.001", 1_000, 120, 100),
    "ETH": ("0.01", "0.001", 10_000, 2_000, 20),
    "SOL": ("0.01", "0.01", 1_000_000, 5_000, 5),
    "BNB": ("0.01", "0.01", 100_000, 2_000, 5),
    "XRP": ("0.0001", "0.1", 10_000_000, 2_000_000, 5),
    "ADA": ("0.0001", "1", 20_000_000, 300_000, 5),
    "DOGE": ("0.00001", "1", 50_000_000, 30_000_000, 5),
    "LTC": ("0.01", "0.001", 10_000, 5_000, 20),
}
KNOWN_SYMBOLS = tuple(Symbol(f"{base}USDT") for base in _FILTERS)


def _brackets(steps: tuple[_Step, ...]) -> tuple[Bracket, ...]:
    """Build the table; `cum` follows from continuity: floor times the rise of the ratio."""
    found: list[Bracket] = []
    floor = cum = ratio = Decimal(0)
    for cap, leverage, basis_points in steps:
        step_ratio = Decimal(basis_points) / 10_000
        cum += floor * (step_ratio - ratio)
        found.append(
            Bracket(
                notional_floor=floor,
                notional_cap=Decimal(cap * 1000),
                max_leverage=leverage,
                maint_margin_ratio=step_ratio,
                cum=cum,
            )
        )
        floor, ratio = Decimal(cap * 1000), step_ratio
    return tuple(found)


def known_instrument(symbol: Symbol) -> Instrument | None:
    """Return a well-known contract by its symbol, such as "BTCUSDT"; None for any other."""
    base = symbol.removesuffix("USDT")
    if base == symbol or base not in _FILTERS:
        return None
    tick, lot, most, most_market, notional = _FILTERS[base]
    return Instrument(
        symbol=symbol,
        base_asset=base,
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_qty=Decimal(lot),
        max_qty=Decimal(most),
        max_market_qty=Decimal(most_market),
        min_notional=Decimal(notional),
        brackets=_brackets(_STEPS[base]),
    )


def guess_instrument(
    symbol: Symbol, prices: Iterable[float], quantities: Iterable[float] = ()
) -> Instrument:
    """Return a known contract, else one whose tick and lot are the decimals that were seen."""
    known = known_instrument(symbol)
    if known is not None:
        return known
    base, quote = _parts(symbol)
    lot = _finest(quantities, "0.001")
    return Instrument(
        symbol=symbol,
        base_asset=base,
        quote_asset=quote,
        margin_asset=quote,
        tick=_finest(prices, "0.01"),
        lot=lot,
        min_qty=lot,
        brackets=_usual_brackets(symbol),
    )


def completed_instrument(
    symbol: Symbol, seen: Instrument | None, *, is_listed: bool = False
) -> Instrument:
    """Return a contract with a margin table, of which only those who trade are told.

    Args:
        seen: what its market tells of it.
        is_listed: that is the venue's own word, no guess, and goes before what is known here.
    """
    known = known_instrument(symbol)
    if known is not None and (seen is None or not is_listed):
        return known
    if seen is None:
        return guess_instrument(symbol, ())
    return msgspec.structs.replace(seen, brackets=seen.brackets or _usual_brackets(symbol))


def _usual_brackets(symbol: Symbol) -> tuple[Bracket, ...]:
    """Return the margin table of the base asset in USDT, a middling one where that is not known."""
    return _brackets(_STEPS.get(_parts(symbol)[0], _OTHERS))


def _parts(symbol: Symbol) -> tuple[str, str]:
    """Return the base and the quote asset."""
    pair = symbol.partition("_")[0]
    quote = next((q for q in _QUOTES if pair.endswith(q) and pair != q), "USDT")
    return pair.removesuffix(quote) or pair, quote


def _finest(values: Iterable[float], default: str) -> Decimal:
    """Return one unit of the last decimal place that any of the values uses."""
    places = [len(plain(to_decimal(value)).partition(".")[2]) for value in values]
    return Decimal(1).scaleb(-max(places)) if places else Decimal(default)

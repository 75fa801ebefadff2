"""From a wish to a quantity on the lot and prices on the tick."""

from __future__ import annotations

from decimal import Decimal

from ..model.instrument import Instrument
from ..model.settings import EngineSettings
from ..model.values import ZERO, Side

PARTS_MAX = 20
"""Into how many orders at once a close may be cut."""


def size_of_equity(
    equity: Decimal, price: Decimal, strength: float, instrument: Instrument, share: Decimal
) -> Decimal:
    """Return the quantity that `share` of equity buys, scaled by strength, rounded down."""
    budget = max(equity, ZERO) * share * Decimal(repr(float(strength)))
    return instrument.round_qty(budget / price)


def market_parts(qty: Decimal, instrument: Instrument | None) -> list[Decimal]:
    """Cut what closes at the market into orders that the venue takes; none of nothing.

    A position grows over many entries: it may be larger than the largest order.
    """
    most = qty if instrument is None else instrument.round_qty(instrument.max_market_qty)
    parts: list[Decimal] = []
    while qty > ZERO and len(parts) < PARTS_MAX:
        parts.append(min(qty, most) if most else qty)
        qty -= parts[-1]
    return parts if instrument is None else _with_a_rest_to_trade(parts, instrument.min_qty)


def _with_a_rest_to_trade(parts: list[Decimal], least: Decimal) -> list[Decimal]:
    """Make the last part as large as an order must be, where the one before can give so much."""
    if len(parts) < 2 or parts[-1] >= least:
        return parts
    before = parts[-2] + parts[-1] - least
    return [*parts[:-2], before, least] if before >= least else parts


def worst_price(side: Side, price: Decimal, instrument: Instrument, s: EngineSettings) -> Decimal:
    """Return the limit of what is to trade at the market, at a price or the tolerance off it."""
    return instrument.round_price(price * (1 + side.sign * s.slippage_tolerance), side)


def stop_price(
    side: Side, entry: Decimal, asked: Decimal | None, instrument: Instrument, s: EngineSettings
) -> Decimal | None:
    """Return where an entry's stop goes: as asked, else at the configured distance.

    None for no stop: asked for as zero, or configured so. See `vanished_exit`.
    """
    return _exit_price(entry, asked, -side.sign * s.stop_loss_pct, instrument)


def target_price(
    side: Side, entry: Decimal, asked: Decimal | None, instrument: Instrument, s: EngineSettings
) -> Decimal | None:
    """Return where an entry's target goes; None for none."""
    return _exit_price(entry, asked, side.sign * s.take_profit_pct, instrument)


def _exit_price(
    entry: Decimal, asked: Decimal | None, move: Decimal, instrument: Instrument
) -> Decimal | None:
    if asked is None and not move:
        return None
    price = instrument.round_price(entry * (1 + move) if asked is None else asked)
    return price if price > ZERO else None


def misplaced_exit(
    side: Side,
    entry: Decimal,
    stop: Decimal | None,
    target: Decimal | None,
    market: Decimal | None = None,
) -> str | None:
    """Say what is wrong with a stop or a target; None when they lie on their sides.

    Args:
        market: the market's price, where `entry` is a limit: one that reaches it fills there.
    """
    first = entry if market is None or (entry - market) * side.sign <= ZERO else market
    if stop is not None and (first - stop) * side.sign <= ZERO:
        return f"stop_loss {stop:f} must be {_beyond(side, 'stop')} the price {first:f}"
    if target is not None and (target - entry) * side.sign <= ZERO:
        return f"take_profit {target:f} must be {_beyond(side, 'target')} the price {entry:f}"
    return None


def vanished_exit(instrument: Instrument, stop: Decimal | None, target: Decimal | None) -> str:
    """Say which of the two comes to 0 on the tick, and was not asked for as that; "" where none."""
    for name, asked in (("stop_loss", stop), ("take_profit", target)):
        if asked and instrument.round_price(asked) <= ZERO:
            return f"{name} {asked:f} is less than the tick {instrument.tick:f}"
    return ""


def outside_exit(instrument: Instrument, stop: Decimal | None, target: Decimal | None) -> str:
    """Say which of the two the venue would never take, whatever the market; "" where none."""
    for name, price in (("stop_loss", stop), ("take_profit", target)):
        if price is not None and (why := instrument.outside(price)):
            return f"{name} {price:f} {why}"
    return ""


def _beyond(side: Side, what: str) -> str:
    return "below" if (side is Side.BUY) == (what == "stop") else "above"

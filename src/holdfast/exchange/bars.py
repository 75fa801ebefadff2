"""How the price is taken to have moved inside a bar, and what it set off on its way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from ..model.market import Bar, timeframe_ns
from ..model.values import to_decimal
from . import conditional, consequences, liquidation, making
from .books import Books
from .market import Market
from .orders import VenueOrder


def counts(market: Market, bar: Bar) -> bool:
    """Tell whether the bar is the finest thing known of its time, and note that it was seen."""
    length = timeframe_ns(bar.timeframe)
    if bar.ts <= market.bar_ts or (market.bar_ns and length > market.bar_ns):
        return False
    fine_ts = max(market.display.last_ts, market.touched_ts)
    if fine_ts and (fine_ts >= bar.open_ts or not bar.volume):
        return False  # where the tape is known, what did not trade says nothing
    market.bar_ns, market.bar_ts = length, bar.ts
    return True


def corners(bar: Bar) -> tuple[float, float, float, float]:
    """Return open, nearer extreme, other extreme, close; the low goes first on a tie."""
    if bar.open - bar.low <= bar.high - bar.open:
        return bar.open, bar.low, bar.high, bar.close
    return bar.open, bar.high, bar.low, bar.close


def walk(books: Books, market: Market, bar: Bar, now: int) -> None:
    """Lead the price through the bar, stopping wherever a conditional order waits.

    Orders that came when it was over go by its close alone.
    """
    late = _set_aside(market, bar)
    is_told = bar.volume > 0.0 or bar.high == bar.low  # no price moves where nothing trades
    budget = market.instrument.round_qty(to_decimal(bar.volume)) if is_told else None
    path = [to_decimal(price) for price in corners(bar)]
    budget = _reach(books, market, path[0], budget, now)
    for start, end in itertools.pairwise(path):
        for price in (*_stops(books, market, start, end), end):
            budget = _reach(books, market, price, budget, now)
    if late:
        _put_back(books, market, late)
        consequences.on_price(books, market, now)


def _set_aside(market: Market, bar: Bar) -> list[VenueOrder]:
    """Take off what was placed or amended once a bar was over: where symbols are shown one by
    one, the end of the first one's bar is acted on before the second one's is shown.
    """
    lines = (*market.buys, *market.sells, *market.waiting)
    late = [order for order in lines if order.updated_ts >= bar.ts]
    for order in late:
        market.remove(order)
    return late


def _put_back(books: Books, market: Market, orders: list[VenueOrder]) -> None:
    for order in orders:
        if order.is_open:
            (market.wait if order.is_waiting else market.rest)(order)
            books.moved[order.account, order.symbol] = None  # what it reduces may be gone


def _reach(
    books: Books, market: Market, price: Decimal, budget: Decimal | None, now: int
) -> Decimal | None:
    market.display.last = float(price)
    budget = making.on_print(books, market, price, budget, now)
    consequences.on_price(books, market, now)
    return budget


def _stops(books: Books, market: Market, start: Decimal, end: Decimal) -> list[Decimal]:
    """Return the prices on the way at which something is triggered, as the way meets them."""
    rises, tick = end > start, market.instrument.tick
    rounding = ROUND_CEILING if rises else ROUND_FLOOR
    on_tick = {
        (level / tick).to_integral_value(rounding) * tick
        for level in (*_triggers(market), *_liquidations(books, market))
    }
    between = (price for price in on_tick if min(start, end) < price < max(start, end))
    return sorted(between, reverse=not rises)


def _triggers(market: Market) -> Iterator[Decimal]:
    for order in market.waiting:
        level = conditional.trigger_level(order)
        level = order.asked.activation_price if level is None else level
        if level is not None:
            yield level


def _liquidations(books: Books, market: Market) -> Iterator[Decimal]:
    for account_id, side in market.holders:
        level = liquidation.level(books, market, books.accounts[account_id], side)
        if level is not None:
            yield level

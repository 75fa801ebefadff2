"""When a price changes nothing at the exchange but the price itself.

Rule 1: inside `band` no order fills and none is triggered, no trailing stop moves, and no account
        comes near its maintenance margin. Whoever stays outside of it has to look closely.
Rule 2: the band is worked out in float and on the safe side: it may be too narrow, never too wide.
"""

from __future__ import annotations

from ..model.market import Bar
from ..model.values import ZERO, AccountId
from .books import Books
from .ledger import Account
from .liquidation import may_be_bankrupt, rough_maintenance
from .liquidity import NEVER, PRICE_MAX
from .market import Market

Band = tuple[float, float]
"""The prices strictly between the two."""

NOWHERE: Band = (PRICE_MAX, 0.0)
EVERYWHERE: Band = (0.0, PRICE_MAX)

_SAFE = 1.1
"""Balance over maintenance that is kept; the exact sums are worked out below 1.05."""


def marks_until(books: Books, now: int) -> int:
    """Return when a mark grows too old next: the next trade ends that it counts."""
    ends = (market.display.mark_until + 1 for market in books.markets.values())
    return min((each for each in ends if each > now), default=NEVER)


def band(books: Books, market: Market, now: int) -> Band:
    """Return the prices at which a trade changes nothing but the last price."""
    if books.moved or not market.display.has_tape or market.display.mark_until < now:
        return NOWHERE
    low, high = market.low, market.high
    if market.holders and not market.display.has_mark:
        for account in dict.fromkeys(account for account, _ in market.holders):
            floor, ceiling = _solvent(books, market, books.accounts[account])
            low, high = max(low, floor), min(high, ceiling)
    return low, high


def stays(books: Books, market: Market, bar: Bar, now: int) -> bool:
    """Tell whether a bar changes nothing on its way but the last price.

    What is left of an account over its maintenance margin is least at one of the way's ends: it
    is a concave function of the price.
    """
    if books.moved or not (market.low < bar.low and bar.high < market.high):
        return False
    return not market.holders or not any(
        _is_near_bankruptcy(books, market, account, bar, now)
        for account in dict.fromkeys(account for account, _ in market.holders)
    )


def _is_near_bankruptcy(
    books: Books, market: Market, account_id: AccountId, bar: Bar, now: int
) -> bool:
    account, display = books.accounts[account_id], market.display
    if market.instrument.symbol in account.isolated:
        return True
    asset, before = market.instrument.margin_asset, display.last
    try:
        for display.last in (bar.low, bar.high):
            if may_be_bankrupt(books, account, asset, now):
                return True
    finally:
        display.last = before
    return False


def _solvent(books: Books, market: Market, account: Account) -> Band:
    """Return where the account is well above its maintenance margin, all other prices as they are.

    Inside the first bracket both sides are straight lines of the price.
    """
    symbol, asset = market.instrument.symbol, market.instrument.margin_asset
    if symbol in account.isolated or account.is_multi_assets:
        return NOWHERE
    cap, ratio = market.first_bracket or (PRICE_MAX, 0.0)
    left, slope, ceiling = float(account.wallets.get(asset, ZERO)), 0.0, PRICE_MAX
    for (other, _), position in account.positions.items():
        there = books.markets[other]
        if not position.qty or there.instrument.margin_asset != asset:
            continue
        if other in account.isolated:
            left -= float(position.isolated_wallet)
            continue
        qty, entry = float(position.qty), float(position.entry_price)
        if other == symbol:
            left -= qty * entry
            slope += qty - _SAFE * ratio * abs(qty)
            ceiling = min(ceiling, cap / abs(qty))
        else:
            mark = there.display.worth_float() or entry
            left += qty * (mark - entry) - _SAFE * rough_maintenance(there, abs(qty) * mark)
    if slope > 0.0:
        return max(0.0, -left / slope), ceiling
    if slope < 0.0:
        return 0.0, min(ceiling, left / -slope)
    return (0.0, ceiling) if left > 0.0 else NOWHERE

"""What a session does not see at this moment: accounts and markets of which nothing comes.

Figures stand still then, and nothing new is opened; a status of RUNNING does not say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..engine.breaker import BreakerState
from ..engine.engine import Engine
from ..engine.market import SymbolMarket
from ..model.values import NS_PER_S, Symbol
from .shell import NEVER

if TYPE_CHECKING:
    from .live import LiveSession

SYMBOLS_NAMED = 5
"""How many symbols are named that the same is said of; the others are counted."""


def cut_off(live: LiveSession) -> list[str]:
    """Say what does not come, and whose requests are held back because they fail."""
    return [*_accounts(live.engine), *_markets(live), *_breakers(live.engine)]


def _accounts(engine: Engine) -> Iterator[str]:
    for account, found in engine.core.market.accounts_cut_off.items():
        if found.up_ts:
            yield f"the books of {account} were not compared since its reports come again"
        else:
            yield f"reports of {account} do not come: {found.reason}"


def _markets(live: LiveSession) -> Iterator[str]:
    """Say it of markets. How old a recording's last word is depends on who plays it, how fast."""
    core, now = live.engine.core, live.now()
    limit_ns = core.settings.limits.stale_after_s * NS_PER_S if live.feed.is_live else NEVER
    said: dict[str, list[Symbol]] = {}
    for symbol in live.plan.symbols:
        if text := _market(core.market.of(symbol), now, limit_ns):
            said.setdefault(text.replace(f" of {symbol}", ""), []).append(symbol)
    for text, names in said.items():
        more = len(names) - SYMBOLS_NAMED
        others = f" and {more} more" if more > 0 else ""
        yield f"market data {text}: {', '.join(names[:SYMBOLS_NAMED])}{others}"


def _market(market: SymbolMarket, now: int, limit_ns: int) -> str:
    age_ns = market.age_ns(now)
    if market.cut_off:
        return f"is cut off ({market.cut_off})"
    if age_ns is None:
        return "has not come yet"
    if market.lags_behind:
        return "has old quotes beside new trades"
    return f"is more than {limit_ns // NS_PER_S} s old" if age_ns > limit_ns else ""


def _breakers(engine: Engine) -> Iterator[str]:
    for name, breaker in engine.state.breakers.items():
        if breaker.state is BreakerState.OPEN:
            account, _, failure = name.rpartition(" ")
            yield f"too many requests of {account} have failed: {failure}"

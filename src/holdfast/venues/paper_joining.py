"""What a session sets on its simulated account: leverage, and cross or isolated margin.

What something open holds up is gone by as it is, as on a real account: a position that nobody
looks after is worse than one with another leverage than was wished for.
"""

from __future__ import annotations

import logging

from ..exchange import Exchange
from ..exchange.refusals import (
    ISOLATED_LEVERAGE,
    LEVERAGE_LACKS_MARGIN,
    SAME_MARGIN_TYPE,
    Refusal,
)
from ..model.errors import ConfigError
from ..model.values import AccountId, Symbol

HELD_UP = (LEVERAGE_LACKS_MARGIN, ISOLATED_LEVERAGE)

_log = logging.getLogger("holdfast.venue")


def set_margin_mode(
    exchange: Exchange, account: AccountId, symbol: Symbol, now: int, *, is_isolated: bool
) -> None:
    """Isolate a symbol or make it cross."""
    done = exchange.set_margin_type(account, symbol, now, is_isolated=is_isolated)
    if isinstance(done, Refusal) and done.code != SAME_MARGIN_TYPE:
        text = "%s: its margin mode is held up by what is open, and gone by: %s"
        _log.warning(text, symbol, done.text)


def set_leverage(exchange: Exchange, account: AccountId, symbol: Symbol, wanted: int) -> None:
    """Change a symbol's leverage.

    Raises:
        ConfigError: the contract does not allow it.
    """
    refusal = exchange.set_leverage(account, symbol, wanted)
    if refusal is None:
        return
    if refusal.code not in HELD_UP:
        raise ConfigError(f"{symbol}: {refusal.text}")
    text = "%s: leverage %d is wanted, but what is open holds it at %d, which is gone by: %s"
    _log.warning(text, symbol, wanted, exchange.leverage(account, symbol), refusal.text)

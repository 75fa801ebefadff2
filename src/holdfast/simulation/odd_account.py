"""What a session at rest takes its account to be, beside what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..engine.state import State
from ..model.values import MAIN, ZERO
from .bourse import ACCOUNT

if TYPE_CHECKING:
    from .world import World


def odd_wallets(world: World, state: State) -> list[str]:
    """Say which wallets are not ours to the last decimal."""
    found, books = [], state.account(MAIN)
    balances = world.bourse.exchange.balances(ACCOUNT)
    for asset in sorted({*books.assets(), *balances}):
        wallet, balance = books.wallet(asset), balances.get(asset, ZERO)
        if wallet != balance:
            found.append(f"wallet of {asset}: ours {wallet}, the venue's {balance}")
    return found


def odd_settings(world: World, engine: Engine) -> list[str]:
    """Say of which leverage, isolated wallet or mode the session does not know."""
    exchange, state = world.bourse.exchange, engine.state
    found = [f"{account} is left alone: {why}" for account, why in state.odd_modes.items()]
    for held in exchange.held(ACCOUNT):
        told = engine.core.market.isolated.get((MAIN, held.symbol))
        ours = ZERO if told is None else told.wallet
        if ours != held.isolated_wallet:
            text = f"ours {ours}, the venue's {held.isolated_wallet}"
            found.append(f"what is isolated of {held.symbol}: {text}")
    for symbol in state.symbols:
        known = state.leverages.get((MAIN, symbol))
        theirs = exchange.leverage(ACCOUNT, symbol)
        if known is not None and known != theirs:
            found.append(f"leverage of {symbol}: ours {known}, the venue's {theirs}")
    return found

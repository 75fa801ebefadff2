"""What a session at rest takes its accounts to be, beside what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..engine.state import State
from ..model.values import ZERO, AccountId

if TYPE_CHECKING:
    from .world import World


def odd_wallets(world: World, state: State) -> list[str]:
    """Say which wallets are not ours to the last decimal."""
    found = []
    for name, account in world.accounts.venue_names.items():
        books, balances = state.account(name), world.bourse.exchange.balances(account)
        for asset in sorted({*books.assets(), *balances}):
            wallet, balance = books.wallet(asset), balances.get(asset, ZERO)
            if wallet != balance:
                found.append(f"{name}: wallet of {asset}: ours {wallet}, the venue's {balance}")
    return found


def odd_settings(world: World, engine: Engine) -> list[str]:
    """Say of which leverage, isolated wallet or mode the session does not know, and what else keeps
    it from trading that is over at the exchange.
    """
    found = [f"{name} is left alone: {why}" for name, why in engine.state.odd_modes.items()]
    found += [f"{name} is cut off" for name in engine.core.market.accounts_cut_off]
    process = world.process
    offsets = () if process is None else process.clock_offsets
    found += [offset.told for offset in (each() for each in offsets) if offset.is_off]
    for name, account in world.accounts.venue_names.items():
        found += [f"{name}: {text}" for text in _odd_margins(world, engine, name, account)]
    return found


def _odd_margins(world: World, engine: Engine, name: AccountId, account: AccountId) -> list[str]:
    """Say it of one account, by the session's name and the exchange's."""
    exchange, state = world.bourse.exchange, engine.state
    found = []
    for held in exchange.held(account):
        told = engine.core.market.isolated.get((name, held.symbol))
        ours = ZERO if told is None else told.wallet
        if ours != held.isolated_wallet:
            text = f"ours {ours}, the venue's {held.isolated_wallet}"
            found.append(f"what is isolated of {held.symbol}: {text}")
    for symbol in state.symbols:
        known, theirs = state.leverages.get((name, symbol)), exchange.leverage(account, symbol)
        if known is not None and known != theirs:
            found.append(f"leverage of {symbol}: ours {known}, the venue's {theirs}")
    return found

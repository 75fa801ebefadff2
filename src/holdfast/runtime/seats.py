"""Which account each strategy trades on, and what it sees there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from ..engine.engine import Engine
from ..model.errors import StrategyError
from ..model.values import MAIN, AccountId, StrategyId, Symbol
from ..strategies import Strategy
from .accounts import Accounts
from .attached import View
from .strategy_view import StrategyView


class Seat(NamedTuple):
    """What a strategy sees: an account's symbols and books."""

    symbols: tuple[Symbol, ...]
    view: View


Seats = Mapping[StrategyId, Seat]

NO_SEATS: Seats = {}
"""All sit with the main account."""


def seats_of(
    engine: Engine, accounts: Accounts, bindings: Mapping[StrategyId, AccountId]
) -> dict[StrategyId, Seat]:
    """Return what each strategy sees; nothing where one account has all of the session."""
    if len(accounts.names) == 1:
        return {}
    return {
        strategy_id: Seat(accounts.symbols[account], StrategyView(engine, account))
        for strategy_id, account in bindings.items()
    }


def bindings_of(
    strategies: Mapping[StrategyId, Strategy], accounts: Sequence[AccountId]
) -> dict[StrategyId, AccountId]:
    """Return the account of each strategy: the one that it names, or the main one.

    Raises:
        StrategyError: it names one that the session does not have.
    """
    found = {}
    for strategy_id, strategy in strategies.items():
        named: object = strategy.account or MAIN
        if named not in accounts:
            close = get_close_matches(str(named), accounts, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise StrategyError(
                f"{strategy_id} is bound to the account {named!r:.40}, and there is none; accounts "
                f"are {', '.join(accounts)}{hint}"
            )
        found[strategy_id] = AccountId(str(named))
    return found

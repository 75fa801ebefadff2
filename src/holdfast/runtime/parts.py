"""What a life of a session is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..journal import OwnedJournal
from ..model.messages import StartSession
from ..model.order_wish import Wish
from ..model.values import AccountId, SessionId, StrategyId, Symbol
from ..ports import Clock, Feed, Venue
from ..strategies import Strategy
from .recovery import Recovered
from .seats import bindings_of


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run, and under which name."""

    session_id: SessionId
    portfolio_id: str
    symbols: tuple[Symbol, ...]
    strategies: dict[StrategyId, Strategy]
    descriptions: dict[StrategyId, str] = field(default_factory=dict)
    is_resumed: bool = False
    hands_over: Callable[[Wish], bool] = lambda _: False
    accounts: dict[StrategyId, AccountId] = field(default_factory=dict)  # of each strategy
    secrets: tuple[str, ...] = field(default=(), repr=False)  # that no text may show
    markets: tuple[str, ...] = ()  # of each account
    symbols_of: Mapping[AccountId, tuple[Symbol, ...]] = field(default_factory=dict)

    def beginning(self, epoch: int, accounts: tuple[Venue, ...], *, is_live: bool) -> StartSession:
        """Return what begins a life at these accounts, the main one first."""
        return StartSession(
            session_id=self.session_id,
            portfolio_id=self.portfolio_id,
            epoch=epoch,
            accounts=tuple(venue.account for venue in accounts),
            strategies=tuple(self.strategies),
            symbols=self.symbols,
            venue=accounts[0].name,
            is_resumed=self.is_resumed,
            is_recorded=not is_live,
            markets=self.markets,
            traded=tuple(self.symbols_of[venue.account] for venue in accounts),
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that was opened for it.

    `venues` has the main account's first. `symbols` are all that the session trades, `symbols_of`
    those of each account.
    """

    journal: OwnedJournal
    recovered: Recovered
    feed: Feed
    clock: Clock
    venues: tuple[Venue, ...]
    symbols: tuple[Symbol, ...]
    symbols_of: dict[AccountId, tuple[Symbol, ...]]
    session_id: SessionId
    is_resumed: bool
    markets: tuple[str, ...] = ()  # of each account, where the journal keeps to them


def plan_of(
    parts: Parts,
    portfolio_id: str,
    strategies: dict[StrategyId, Strategy],
    descriptions: dict[StrategyId, str],
    hands_over: Callable[[Wish], bool],
) -> Plan:
    """Plan a life; a session that goes on keeps its portfolio.

    Raises:
        StrategyError: one is bound to an account that there is not.
    """
    known = parts.recovered.engine.state.portfolio_id
    return Plan(
        session_id=parts.session_id,
        portfolio_id=known if parts.is_resumed else portfolio_id,
        symbols=parts.symbols,
        strategies=strategies,
        descriptions=descriptions,
        is_resumed=parts.is_resumed,
        hands_over=hands_over,
        accounts=bindings_of(strategies, [venue.account for venue in parts.venues]),
        markets=parts.markets,
        symbols_of=parts.symbols_of,
    )

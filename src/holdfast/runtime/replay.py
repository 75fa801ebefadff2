"""Replay a recording: the same engine, rules, strategies and exchange, under the feed's own time.

What is modelled beside the exchange (see `exchange.liquidity` for queues and prices): `Terms`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

import msgspec

from ..exchange import Liquidity, completed_instrument, known_instrument
from ..journal import MemoryJournal, OwnedJournal
from ..model.config import TradingConfig
from ..model.errors import ConfigError, FeedError, InputError
from ..model.instrument import Instrument
from ..model.values import (
    AccountId,
    SessionId,
    StrategyId,
    Symbol,
    TradingSessionStatus,
)
from ..ports import Feed, Notifier, Venue
from ..stats import SessionStats
from ..strategies import Strategy
from ..venues import PaperSettings, PaperVenue
from ..venues.paper_latency import DistantVenue
from .accounts import all_symbols, check_shown, symbols_by_account
from .assembly import check_disabled_rules, load_strategies
from .books import BooksReport, read_and_compare
from .clock import FeedClock
from .figures import Figures
from .live import LiveSession
from .notices import LogNotifier
from .parts import Parts, plan_of
from .recovery import StateRecoveryService
from .replay_journal import BlockJournal
from .seats import bindings_of


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """On what terms the simulated exchange trades.

    `latency_ns` is the way there, and the way back. Fees are fractions of the value; None takes
    the contract's own.
    """

    latency_ns: int = 0
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    liquidity: Liquidity = Liquidity()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay. `fault` is "" where its session came to its end.

    `stopped` names the strategies that were taken off, each with its reason.
    """

    session_id: SessionId
    status: TradingSessionStatus
    reason: str
    fault: str
    stopped: dict[StrategyId, str]
    figures: SessionStats
    books: BooksReport | None
    symbols: tuple[Symbol, ...]
    strategies: tuple[str, ...]
    seconds: float
    cpu_s: float  # of playing alone
    now: int

    @property
    def flaw(self) -> str:
        """Return why the figures are not what the strategies make; "" where they are."""
        if self.status is TradingSessionStatus.ERROR:
            return self.fault or self.reason
        if self.stopped:
            return "; ".join(f"{name} was taken off: {why}" for name, why in self.stopped.items())
        if self.books is None:
            return "the exchange's books could not be read at the end"
        return "; ".join(f"the books differ: {each}" for each in self.books.differences)


async def replay(  # noqa: PLR0913 - what a replay is made of
    config: TradingConfig,
    strategies: Sequence[str | Strategy],
    feed: Feed,
    *,
    terms: Terms | None = None,
    journal: OwnedJournal | None = None,
    session_id: str = "",
    notifier: Notifier | None = None,
    on_turn: Callable[[int], None] | None = None,
) -> Replayed:
    """Run one session over a recording and return how it ended.

    Args:
        config: the settings; `symbols` empty trades all that the feed has.
        journal: where facts are kept; None keeps them in memory. It is closed at the end.
        on_turn: is told the feed's time now and then.

    Raises:
        TradingError: it can't be started.
    """
    check_disabled_rules(config)
    config = config.model_copy(update={"speed": 0.0, "dry_run": True})
    made, descriptions = load_strategies(strategies)
    bindings_of(made, config.account_names)  # said before anything is opened
    parts = _parts(config, feed, terms or Terms(), journal or MemoryJournal(), session_id)
    plan = plan_of(parts, "replay", made, descriptions, lambda _: False)
    figures = Figures(parts.session_id)
    live = LiveSession(config, plan, parts, notifier or LogNotifier(), [figures.hear])
    if on_turn is not None:
        told = on_turn
        live.on_turn = lambda: told(live.now())
    try:
        await live.open()
        gc.freeze()  # what is there already need not be looked at again
        began, cpu_began = time.perf_counter(), time.process_time()
        await live.run()
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        books = await read_and_compare(live)
        now = live.now()
        if now <= feed.start_ts and isinstance(live.feed_error, FeedError):
            raise InputError(str(live.feed_error))  # nothing was played: there are no figures
    finally:
        gc.unfreeze()
        await live.close()
    fault = live.outcome or live.feed_error
    return Replayed(
        session_id=parts.session_id,
        status=TradingSessionStatus.ERROR if fault else live.status,
        reason=live.engine.state.status_reason,
        fault=f"{type(fault).__name__}: {fault}" if fault else "",
        stopped=dict(live.engine.state.stopped_strategies),
        figures=figures.stats(),
        books=books,
        symbols=parts.symbols,
        strategies=tuple(made),
        seconds=seconds,
        cpu_s=cpu_s,
        now=now,
    )


def _parts(
    config: TradingConfig, feed: Feed, terms: Terms, journal: OwnedJournal, session_id: str
) -> Parts:
    wanted = all_symbols(config, config.symbols)
    listed = [_on_terms(each, terms) for each in _contracts(wanted, feed.instruments())]
    clock = FeedClock(feed.start_ts, 0)
    symbols = tuple(each.symbol for each in listed)
    check_shown(config, symbols)
    venues = [
        _venue(config.of_account(name), name, listed, terms, clock) for name in config.account_names
    ]
    record = journal if isinstance(journal, MemoryJournal) else BlockJournal(journal)
    recovered = StateRecoveryService(record).recover(config.engine_settings())
    if recovered.engine.state.session_id:
        raise ConfigError("a replay needs a journal of its own: this one has a session already")
    return Parts(
        journal=record,
        recovered=recovered,
        feed=feed,
        clock=clock,
        venues=tuple(venues),
        symbols=symbols,
        symbols_of=symbols_by_account(config, config.symbols or symbols),
        session_id=SessionId(session_id or str(uuid4())),
        is_resumed=False,
    )


def _venue(
    config: TradingConfig,
    account: AccountId,
    listed: Sequence[Instrument],
    terms: Terms,
    clock: FeedClock,
) -> Venue:
    near = PaperVenue(
        account=account,
        instruments=listed,
        settings=PaperSettings(
            initial_balance=config.initial_balance,
            leverage=config.leverage,
            leverages=dict(config.leverages),
            is_isolated=config.isolated,
            liquidity=terms.liquidity,
        ),
    )
    near.tick(clock.now())
    return DistantVenue(near, clock, terms.latency_ns) if terms.latency_ns else near


def _contracts(symbols: Sequence[Symbol], guessed: Iterable[Instrument]) -> list[Instrument]:
    """Return the contracts to trade: the known one where there is one, else the guess."""
    found = {each.symbol: each for each in guessed}
    wanted = [s for s in symbols or found if s in found or known_instrument(s)]
    return [completed_instrument(s, found.get(s)) for s in wanted]


def _on_terms(instrument: Instrument, terms: Terms) -> Instrument:
    fees = {"maker_fee": terms.maker_fee, "taker_fee": terms.taker_fee}
    given = {name: fee for name, fee in fees.items() if fee is not None}
    return msgspec.structs.replace(instrument, **given)

"""A session's accounts: each at its venue, and what is done to all of them.

Law: one account's trouble is its own. What is asked of all is asked of each, whatever became of
the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..engine.state import State
from ..exchange import completed_instrument
from ..feeds import FeedSettings
from ..model.commands import CancelOrder
from ..model.config import TradingConfig
from ..model.config_keys import keys_of
from ..model.errors import ConfigError
from ..model.instrument import Instrument
from ..model.market import MarketData
from ..model.messages import VenueMessage
from ..model.values import MAIN, AccountId, Symbol
from ..ports import Failing, Feed, Listing, Venue
from ..venues import PAPER
from ..venues.paper_settling import GONE
from .last_cancels import cancel_entries

Hear = Callable[[VenueMessage], None]


class Listed(NamedTuple):
    """A contract on an account, and the leverage that it is traded at there."""

    account: AccountId
    instrument: Instrument
    leverage: int


class Accounts:
    """The venues of one life, the main account's first.

    Args:
        symbols: what is traded on each; what is not there is traded by the main account's.
    """

    def __init__(
        self, venues: Sequence[Venue], symbols: Mapping[AccountId, tuple[Symbol, ...]]
    ) -> None:
        self.main = venues[0]
        self.venues: dict[AccountId, Venue] = {venue.account: venue for venue in venues}
        self.symbols = symbols
        self._see: list[Callable[[MarketData], None]] = _having(venues, "on_market")
        self._tick: list[Callable[[int], None]] = _having(venues, "tick")
        self._pass_time: list[Callable[[int], None]] = _having(venues, "pass_time")

    @property
    def names(self) -> tuple[AccountId, ...]:
        """Return the accounts, the main one first."""
        return tuple(self.venues)

    def label(self, account: AccountId) -> str:
        """Name an account's venue, and the account where there are several."""
        name = self.venues[account].name
        return name if len(self.venues) == 1 else f"{name} (account {account})"

    async def connect(self, hear_of: Callable[[Venue], Hear]) -> list[Listed]:
        """Open each account's streams and return what is traded on it.

        Raises:
            TradingError: one can't be opened; see `Venue.connect`.
        """
        found = []
        for account, venue in self.venues.items():
            contracts = await venue.connect(self.symbols[account], hear_of(venue))
            found += [Listed(account, *contract) for contract in contracts]
        return found

    def tell_failures(self, fail: Callable[[Exception], None]) -> None:
        """Have it told by what error of our own a venue has broken down."""
        for venue in self.venues.values():
            if isinstance(venue, Failing):
                venue.on_failure = fail

    def pass_time(self, ts: int) -> None:
        """Let what is due before a market message happen, where a venue lives on the feed's time.

        Raises:
            VenueError: a simulated account can't be kept.
        """
        for pass_time in self._pass_time:
            pass_time(ts)

    def see(self, message: MarketData) -> None:
        """Show simulated exchanges the market."""
        for see in self._see:
            see(message)

    def tick(self, now: int) -> None:
        """Let time pass at simulated exchanges."""
        for tick in self._tick:
            tick(now)

    def cancel_entries(self, state: State, now: int, recv_window_ns: int) -> None:
        """Ask for every entry back, without a record."""
        cancel_entries(state, self._cancel, now, recv_window_ns)

    def _cancel(self, command: CancelOrder) -> None:
        self.venues[command.account].cancel(command)

    async def close(self) -> None:
        """Leave every venue.

        Raises:
            TradingError: one could not be left in order; the others were.
        """
        await close_all(tuple(self.venues.values()))


async def close_all(venues: Sequence[Venue]) -> None:
    """Leave venues, one after the other; what goes wrong is raised once all were left."""
    failures: list[Exception] = []
    for venue in venues:
        try:
            await venue.close()
        except Exception as error:  # noqa: BLE001 - the others are to be left too
            failures.append(error)
    if failures:
        raise failures[0]


def _having(venues: Sequence[Venue], name: str) -> list[Callable[..., None]]:
    found = (getattr(venue, name, None) for venue in venues)
    return [each for each in found if each is not None]


def symbols_by_account(
    config: TradingConfig, traded: tuple[Symbol, ...]
) -> dict[AccountId, tuple[Symbol, ...]]:
    """Return what is traded on each account: its own symbols, or the session's.

    Args:
        traded: the session's symbols, those of accounts not yet among them.
    """
    own = {AccountId(name): account.symbols for name, account in config.accounts.items()}
    return {MAIN: traded, **{name: symbols or traded for name, symbols in own.items()}}


def all_symbols(config: TradingConfig, symbols: Sequence[Symbol]) -> tuple[Symbol, ...]:
    """Return the session's symbols with those of its accounts; none where all are meant."""
    if not symbols:
        return ()
    own = (symbol for account in config.accounts.values() for symbol in account.symbols)
    return tuple(dict.fromkeys((*symbols, *own)))


def check_shown(config: TradingConfig, shown: Sequence[Symbol]) -> None:
    """Refuse symbols of an account that the market does not show.

    Raises:
        ConfigError: naming the first account, and its symbols.
    """
    for name, account in config.accounts.items():
        if missing := [symbol for symbol in account.symbols if symbol not in shown]:
            raise ConfigError(
                f"accounts.{name}.symbols: the feed shows no {', '.join(missing)}, only "
                f"{', '.join(shown)}: name all in symbols"
            )


async def check_left_on_paper(
    feed: Feed, left: Sequence[Symbol], subscribed: Sequence[Symbol]
) -> None:
    """Refuse to begin where something is open on paper that no market would move.

    What a live market has no more is settled once its list is read.

    Args:
        subscribed: what the feed was asked to show: it says so once it is traded again.

    Raises:
        ConfigError: naming the symbols.
        TradingError: the market's list can't be had.
    """
    shown = {each.symbol for each in feed.instruments()}
    missing = [symbol for symbol in left if symbol not in shown]
    if feed.is_live and isinstance(feed, Listing):
        missing = await _still_listed(feed, [each for each in missing if each not in subscribed])
    if missing:
        raise ConfigError(
            f"the simulated account has something open in {', '.join(missing)}, which the feed "
            f"{feed.name} does not show: its stops would never be hit, and it could not be closed; "
            "take a feed that shows it, close what is open, and leave it out then"
        )


async def _still_listed(feed: Listing, symbols: Sequence[Symbol]) -> list[Symbol]:
    """Return the contracts of which a market does not say that they are gone."""
    known = [completed_instrument(symbol, None) for symbol in symbols]
    told = await feed.fetch_listed(known) if known else []
    gone = {each.symbol for each in told if each.status in GONE}
    return [symbol for symbol in symbols if symbol not in gone]


def check_keys(config: TradingConfig, names: Sequence[AccountId], held: Sequence[str] = ()) -> None:
    """Refuse one key for two real accounts: their books would be the same, booked twice.

    Args:
        held: what the broker of the main account signs with, where one was given.

    Raises:
        ConfigError: naming both accounts; or a key can't be fetched.
    """
    owners: dict[tuple[str, str], AccountId] = {}
    for name in names:
        settings = config.of_account(name)
        keys = None if settings.venue == PAPER else keys_of(settings)
        if keys is None:
            continue
        of_broker = MAIN if str(keys.api_key) in held else name
        first = owners.setdefault((settings.venue, str(keys.api_key)), of_broker)
        if first != name:
            raise ConfigError(
                f"the accounts {first} and {name} have one key at {settings.venue}: each needs a "
                "key of its own, of an account of its own"
            )


def check_one_market(config: TradingConfig, market: FeedSettings, venue: Venue) -> None:
    """Refuse a further account that is elsewhere than the market that its orders are judged by.

    Raises:
        ConfigError: the settings say one place, and the broker of the main account another.
    """
    if venue.account == MAIN or venue.capabilities.is_simulated:
        return
    for name in ("testnet", "rest_url", "stream_url"):
        ours, theirs = getattr(market, name), getattr(config, name)
        if ours != theirs:
            raise ConfigError(
                f"the account {venue.account} is traded where the settings say, {name} = {theirs}, "
                f"and the broker's is at {name} = {ours}: all accounts of a session are traded on "
                "one market"
            )


def check_left_behind(state: State, names: Sequence[AccountId]) -> None:
    """Refuse to begin without an account on which something is open.

    Raises:
        ConfigError: naming it, and what is open there.
    """
    held = [key for key in state.open_keys() if key[0] not in names]
    working = [key for key, ids in state.open_orders.items() if ids and key[0] not in names]
    for (account, symbol), what in [(k, "a position") for k in held] + [
        (k, "an order") for k in working
    ]:
        raise ConfigError(
            f"the journal has {what} of {symbol} open on the account {account}, which the settings "
            f"do not name: put [accounts.{account}] back, close what is open, and leave it out then"
        )

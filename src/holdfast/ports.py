"""Floor 2: what the shells need from the outside, as protocols, and what each promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from .model.commands import CancelOrder, QueryOrder, ReplaceOrder, Resync, SubmitOrder
from .model.events import Event
from .model.instrument import Instrument
from .model.market import Bar, Funding, MarketData
from .model.messages import VenueMessage
from .model.values import AccountId, OrderType, Symbol, TimeInForce

NOT_SENT = "not sent: "
"""How a venue begins the reason of a refusal where no byte has left."""

NOT_CONNECTED = f"{NOT_SENT}no connection: "
NO_ROOM = f"{NOT_SENT}no room within the venue's limits in time"
TOO_LATE = (
    f"{NOT_SENT}past its receive window before it could leave: the journal is slow, or this "
    "process stood still"
)


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue can do. The engine and the shells ask this, never the venue's name."""

    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    has_dead_man_switch: bool
    read_lag_ns: int  # how far its answers to queries may trail its books
    is_simulated: bool  # no real money


class Clock(Protocol):
    """Tells the time that the engine is handed. Never goes back."""

    def now(self) -> int:
        """Return nanoseconds UTC."""

    def advance(self, ts: int) -> None:
        """Hear that a message of this time has come; the wall's clock takes no notice."""


class Venue(Protocol):
    """One exchange account.

    Requests never raise for what the exchange or the road to it did: every outcome, refusals
    and unknown outcomes included, comes as a message to the callback given to `connect`, in the
    order in which it was learned. A request of which no byte was written is tried again under
    the same id a bounded number of times and then reported as refused, for a reason that begins
    with `NOT_SENT`. A command's `ts` and `recv_window_ns` go on the wire as they stand; what ends
    risk goes in the exchange's time where ours is known to be off. Fills come with the exchange's
    trade ids.
    """

    @property
    def name(self) -> str: ...

    @property
    def account(self) -> AccountId: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def connect(
        self, symbols: Sequence[Symbol], hear: Callable[[VenueMessage], None]
    ) -> Sequence[tuple[Instrument, int]]:
        """Open the account's streams and return each symbol's contract and leverage.

        From here on every report is handed to `hear`, on the loop's thread. The caller asks
        for a snapshot next; reports that arrive meanwhile are heard, and change nothing twice.

        Raises:
            NetworkError: the exchange can't be reached.
            VenueRefused: the exchange declines the account (key, permission, mode).
            ConfigError: a symbol is not traded there.
        """

    def submit(self, command: SubmitOrder) -> None: ...

    def cancel(self, command: CancelOrder) -> None: ...

    def replace(self, command: ReplaceOrder) -> None: ...

    def query(self, command: QueryOrder) -> None: ...

    def resync(self, command: Resync) -> None:
        """Read the books; a `VenueSnapshot` comes to `hear`, or a `VenueFailure`."""

    async def close(self) -> None:
        """Give back what `connect` took. Orders stay as they are."""


@runtime_checkable
class Telling(Protocol):
    """A venue that can say what its books, once asked for, wait for."""

    @property
    def awaits(self) -> str:
        """Return it, as in "an answer to ..."; "" where nothing is under way."""

    @property
    def held(self) -> str:
        """Return what the venue's limits hold requests back for; "" where they hold none."""


@runtime_checkable
class Failing(Protocol):
    """A venue that works in the background. Where that breaks down by a fault of our own it does
    nothing more: `on_failure` is given the error, and nobody may go on with it.
    """

    on_failure: Callable[[Exception], None]


@runtime_checkable
class Limited(Protocol):
    """A venue that knows its limits, and what it was told of them."""

    def order_room_at(self, now: int) -> int:
        """Return when a new order may leave, nanoseconds UTC: `now`, or later."""


class Journal(Protocol):
    """An append-only record of facts, in one order, owned by one process at a time."""

    @property
    def epoch(self) -> int:
        """Return the epoch that this process owns; higher than every earlier one."""

    @property
    def is_synchronous(self) -> bool:
        """Tell whether `append` has committed when it returns."""

    def append(self, facts: Sequence[Event], on_commit: Callable[[], None] | None = None) -> None:
        """Record facts behind all earlier ones; call `on_commit` once they are durable.

        `on_commit` is called on the loop's thread, in the order of the appends: before
        `append` returns where the journal is synchronous, later where commits are grouped.

        Raises:
            JournalError: they can't be recorded; nothing later may leave.
            Fenced: a newer epoch owns the account.
        """

    def sync(self) -> None:
        """Return when everything appended survives a power cut.

        Raises:
            JournalError: the disk failed, or holds it for too long.
        """

    def when_synced(self, call: Callable[[], None]) -> None:
        """Call back on the loop's thread once everything appended so far survives a power cut.

        Never where the journal fails first. Syncs are called back in their order.
        """

    def replay(self, after: int = 0) -> Iterator[Event]:
        """Yield facts in order, from the one behind sequence `after`.

        Raises:
            JournalCorrupt: one was altered or lost.
        """

    @property
    def sequence(self) -> int:
        """Return the sequence of the last fact; 0 when there is none."""

    def save_snapshot(self, sequence: int, payload: bytes) -> None:
        """Keep a state that is the fold of all facts up to `sequence`; drop older ones."""

    def load_snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot; None where there is none."""

    def close(self) -> None: ...


class Feed(Protocol):
    """Market data, oldest first, from a file, a generator or a live stream.

    `default_timeframe` is what bars are built to where a strategy does not say. `pace` is how
    fast time runs: 1 real time, 0 as fast as the reader reads. A feed that ends, ends its
    iterator; one that fails raises `FeedError` or `NetworkError`.
    """

    @property
    def name(self) -> str: ...

    @property
    def default_timeframe(self) -> str: ...

    @property
    def is_live(self) -> bool:
        """Tell whether its time is the wall clock's."""

    @property
    def start_ts(self) -> int:
        """Return the time of the first message that `messages` yields, as far as known."""

    def instruments(self) -> Sequence[Instrument]:
        """Return what the source itself knows of its contracts; may be guessed from the data."""

    def history(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> Iterable[Bar]:
        """Return up to `count` closed bars that end at or before `before_ts`, oldest first."""

    def messages(self, after_ts: int = 0) -> AsyncIterator[Sequence[MarketData]]:
        """Yield batches in time order, all later than `after_ts`; batches are never empty."""


@runtime_checkable
class Complete(Protocol):
    """A feed that knows whether it shows everything that happened."""

    def whole_from(self, symbol: Symbol) -> int:
        """Return since when it has all of a symbol's trades; `UNKNOWN` where nothing says so."""

    def is_numbered(self, symbol: Symbol) -> bool:
        """Tell whether the trades have numbers one by one: one that lacks is a missing trade."""


@runtime_checkable
class Recorded(Protocol):
    """A feed that is all there: it can be read as fast as the reader likes, without waiting."""

    def read(self, after_ts: int = 0) -> Iterator[Sequence[MarketData]]:
        """Yield chunks in time order, all later than `after_ts`; chunks are never empty."""


Wanted = tuple[Symbol, str, int]
"""Bars that are wanted: of which symbol, in which time frame, how many."""


@runtime_checkable
class Fetching(Protocol):
    """A feed that has to ask somebody for what it tells, and must not keep a loop waiting."""

    async def fetch_instruments(self) -> None:
        """Ask for the contracts, so that `Feed.instruments` answers at once.

        Raises:
            NetworkError: there was no answer.
            ConfigError: a symbol is not known there.
        """

    async def fetch_history(self, wanted: Sequence[Wanted], before_ts: int) -> None:
        """Ask for bars, so that `Feed.history` hands each out at once, as often as it is wanted.

        Raises:
            NetworkError: there was no answer.
        """


@runtime_checkable
class Listing(Protocol):
    """A live feed that can ask how contracts are listed."""

    async def fetch_listed(self, known: Sequence[Instrument]) -> list[Instrument]:
        """Return known contracts as they are listed now, those that nobody can tell of left out.

        What a market does not tell, margin tables and fees, stays as it was.
        """


@runtime_checkable
class FundingHistory(Protocol):
    """A feed that can ask what funding was charged."""

    async def fetch_fundings(self, symbol: Symbol, since: int, until: int) -> list[Funding]:
        """Return the settlements between two times, both inclusive, oldest first.

        Raises:
            NetworkError: there was no answer.
        """


@runtime_checkable
class Direct(Protocol):
    """A live feed that can hand a message over in the call in which it was received.

    `take` is given each message that need not wait behind others, and says whether it took it;
    what it does not take comes through `Feed.messages`. `on_link` hears that a symbol's data does
    not come any more (False, and what is missing) or comes again. Neither may raise. `frame_ns` is
    when the frame came that `take` is given a message of, `time.perf_counter_ns`.
    """

    frame_ns: int

    take: Callable[[MarketData], bool]
    on_link: Callable[[Symbol, bool, str], None]


class Notifier(Protocol):
    """Tells a person. Must not block and must not raise."""

    def notify(self, level: str, text: str) -> None: ...

"""The simulated exchange behind the Venue port: paper trading on any feed.

It is fed the same market data as the engine. Whatever it does is committed to its own books
before it is heard, so that the end of the process loses nothing the exchange has done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec

from ..exchange import (
    Exchange,
    Liquidity,
    OrderKey,
    Output,
    SettlementTerms,
    VenueOrder,
    known_instrument,
    messages,
)
from ..exchange.answers import refused, rejected
from ..exchange.refusals import BAD_TIMESTAMP, Refusal
from ..exchange.rows import INCOME, TRADE
from ..model.commands import CancelOrder, QueryOrder, ReplaceOrder, Resync, SubmitOrder
from ..model.errors import ConfigError, VenueError
from ..model.instrument import DOLLARS, Instrument
from ..model.market import Funding, MarketData, Trade
from ..model.messages import (
    AccountChange,
    ExecutionReport,
    InstrumentListed,
    OrderNotFound,
    VenueMessage,
    VenueSnapshot,
)
from ..model.values import MAIN, AccountId, OrderType, Symbol, TimeInForce
from ..ports import Capabilities, Clock
from .paper_books import open_books
from .paper_faults import Fault, Faults
from .paper_joining import set_leverage, set_margin_mode
from .paper_requests import REQUESTS, Command, key_of, news, unknown
from .paper_settling import GONE, settling_price

NEVER = 2**63 - 1

_log = logging.getLogger("holdfast.venue")

_TRADES = msgspec.json.Decoder(ExecutionReport)
_INCOMES = msgspec.json.Decoder(AccountChange)


class PaperSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulated account and its exchange are like."""

    initial_balance: Decimal = Decimal(10_000)  # put in once, of each dollar that settles something
    leverage: int = 20
    leverages: dict[Symbol, int] = {}  # where a symbol's differs
    is_isolated: bool = False
    liquidity: Liquidity = Liquidity()
    faults: Faults = Faults()


class PaperVenue:
    """One account at a simulated exchange of its own.

    Its time is the clock's where one is given, else the newest it has heard of: from `tick`, from
    market data, from a command.
    """

    def __init__(
        self,
        *,
        account: AccountId = MAIN,
        instruments: Iterable[Instrument] = (),
        path: Path | str | None = None,
        clock: Clock | None = None,
        settings: PaperSettings | None = None,
    ) -> None:
        """Open the books at `path`, or empty ones in memory.

        Raises:
            ConfigError: the books can't be used.
        """
        self._account = account
        self._settings = settings = settings or PaperSettings()
        self._clock = clock
        self._faults = settings.faults
        self._now = clock.now() if clock is not None else 0
        self._hear: Callable[[VenueMessage], None] | None = None
        self._symbols: tuple[Symbol, ...] = ()
        self._requests = 0
        self._reports = 0
        self._delayed: list[tuple[int, Command]] = []
        self._failure: VenueError | None = None
        self._books = open_books(Path(path) if path is not None else None)
        self.exchange = Exchange(
            instruments, liquidity=settings.liquidity, default_leverage=settings.leverage
        )
        try:
            self.exchange.load(self._books.rows(), self._now)
        except ValueError as error:
            self._books.close()
            raise ConfigError(f"paper books {path} can't be read: {error}") from error

    @property
    def name(self) -> str:
        return "paper"

    @property
    def account(self) -> AccountId:
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            order_types=frozenset(OrderType),
            times_in_force=frozenset(TimeInForce),
            has_dead_man_switch=False,
            read_lag_ns=0,
            is_simulated=True,
        )

    async def connect(
        self, symbols: Sequence[Symbol], hear: Callable[[VenueMessage], None]
    ) -> Sequence[tuple[Instrument, int]]:
        """List the symbols, put the first deposit into what is new, and listen.

        Contracts that the session does not name are listed too while something is open in them.
        """
        all_symbols = tuple(dict.fromkeys((*symbols, *self._open_symbols())))
        listed = {each.symbol: each for each in self.exchange.instruments()}
        for symbol in all_symbols:
            instrument = listed.get(symbol) or known_instrument(symbol)
            if instrument is None:
                raise ConfigError(
                    f"the paper exchange knows no contract {symbol}: give its instrument"
                )
            listed[symbol] = instrument
            self.exchange.add_instrument(instrument)
        self._put_in({listed[symbol].margin_asset: None for symbol in symbols} or {"USDT": None})
        for symbol in symbols:
            self._set_modes(symbol)
        self._keep()
        self._hear, self._symbols = hear, all_symbols
        return [(listed[s], self.exchange.leverage(self._account, s)) for s in all_symbols]

    def _open_symbols(self) -> list[Symbol]:
        held = [each.symbol for each in self.exchange.held(self._account)]
        return held + [each.symbol for each in self.exchange.open_orders(self._account)]

    def _put_in(self, assets: Iterable[str]) -> None:
        known = self.exchange.balances(self._account)
        for asset in assets:
            if asset not in known and asset in DOLLARS:
                self.exchange.deposit(
                    self._account, self._settings.initial_balance, self._time(), asset
                )

    def _set_modes(self, symbol: Symbol) -> None:
        exchange, account, wanted = self.exchange, self._account, self._settings
        set_margin_mode(exchange, account, symbol, self._time(), is_isolated=wanted.is_isolated)
        set_leverage(exchange, account, symbol, wanted.leverages.get(symbol, wanted.leverage))

    def contracts(self) -> list[Instrument]:
        """Return the contracts that the session trades, as they are listed now."""
        return [each for each in self.exchange.instruments() if each.symbol in self._symbols]

    def relist(self, made: Instrument) -> None:
        """Take a contract as the market has it now; one that is gone is settled.

        Raises:
            VenueError: the books can't be written.
        """
        self._check()
        price = settling_price(self.exchange, self._account, made.symbol)
        outputs: Sequence[Output] = ()
        if made.status in GONE and price is not None:
            terms = SettlementTerms(price)
            outputs = self.exchange.settle(made.symbol, terms, made.status, self._time())
        self.exchange.add_instrument(made)
        self._settle(outputs)
        leverage = self.exchange.leverage(self._account, made.symbol)
        self._say(InstrumentListed(account=self._account, instrument=made, leverage=leverage))

    # Funding of a time in which nobody was there

    def unpaid_since(self) -> dict[Symbol, int]:
        """Return since when funding of what was held may be unpaid: see `settle_missed`."""
        return self.exchange.unpaid_since()

    def leave_late_funding(self) -> None:
        self.exchange.leave_late_funding()

    def pay_missed(self, fundings: list[Funding], *, is_told: bool = False) -> None:
        """Book settlements of the past, each once, at the marks that they name.

        They are dated now: who has the books until yesterday asks for what came since.

        Args:
            is_told: say so; else the books that are asked for next tell of them.
        """
        now = self._time()
        outputs = [each for one in fundings for each in self.exchange.pay_missed(one, now)]
        self._settle(outputs if is_told else ())

    def settle_funding(self, symbol: Symbol, until: int, *, is_last: bool = False) -> None:
        self.exchange.settle_funding(symbol, until, is_last=is_last)
        self._keep()

    # The market and time

    def on_market(self, message: MarketData) -> None:
        """Take market data in, before the engine hears it.

        Raises:
            VenueError: the books can't be written; this and every later call says so.
        """
        self._check()
        self._pass_time(message.ts)
        if self._delayed:
            self._arrive()
        outputs = self.exchange.on_market(message, self._now)
        if outputs or self.exchange.has_changes:
            self._settle(outputs)

    def tick(self, now: int) -> None:
        """Let time pass: good-till dates, funding, requests that were delayed."""
        self._check()
        self._now = max(self._now, now)
        self._arrive()
        self._settle(self.exchange.tick(self._now))

    @property
    def time(self) -> int:
        """Return the newest time it has heard of, nanoseconds UTC."""
        return self._now

    @property
    def due_ts(self) -> int:
        delayed = min((due for due, _ in self._delayed), default=NEVER)
        return min(delayed, self.exchange.due_ts, self.exchange.marks_until(self._now))

    def band(self, symbol: Symbol) -> tuple[float, float]:
        """Return the prices between which a trade changes nothing but the last price."""
        return self.exchange.band(symbol, self._now)

    def pass_over(self, trade: Trade) -> None:
        """Take the last of some trades inside the band and before `due_ts`, not looked at."""
        self._pass_time(trade.ts)
        self.exchange.pass_over(trade)

    def _pass_time(self, ts: int) -> None:
        """Go to a message's time, no further than our clock: theirs may be ahead of it."""
        if ts > self._now:
            self._now = max(self._now, ts if self._clock is None else min(ts, self._clock.now()))

    def _time(self, heard: int = 0) -> int:
        told = self._clock.now() if self._clock is not None else 0
        self._now = max(self._now, heard, told)
        return self._now

    # Requests

    def submit(self, command: SubmitOrder) -> None:
        self._request(command, command.ts)

    def cancel(self, command: CancelOrder) -> None:
        self._request(command, command.ts)

    def replace(self, command: ReplaceOrder) -> None:
        self._request(command, command.ts)

    def _request(self, command: Command, ts: int) -> None:
        now = self._time(ts)
        self.tick(now)
        self._requests += 1
        fault = self._faults.requests.get(self._requests)
        if fault is None:
            self._settle(self._execute(command))
            return
        outputs: Sequence[Output] = ()
        if fault in (Fault.EXECUTED, Fault.EXECUTED_SILENT):
            outputs = self._execute(command)
        elif fault is Fault.DELAYED:
            self._delayed.append((now + self._faults.delay_ns, command))
        self._keep()
        self._say(unknown(command))
        if fault is Fault.EXECUTED:
            self._settle(news(outputs))

    def _arrive(self) -> None:
        """Let delayed requests in; the fence decides, and their answers reach nobody."""
        while self._delayed and self._delayed[0][0] <= self._now:
            _, command = self._delayed.pop(0)
            self._settle(news(self._execute(command)))

    def _execute(self, command: Command) -> Sequence[Output]:
        key = key_of(command)
        if self._now > command.ts + command.recv_window_ns:
            late = Refusal(
                BAD_TIMESTAMP,
                f"the request of {command.ts} was good for {command.recv_window_ns} ns,"
                f" it is {self._now}",
            )
            if isinstance(command, SubmitOrder):
                return [rejected(command.order, late, self._now)]
            return [refused(key, REQUESTS[type(command)], late)]
        match command:
            case SubmitOrder(order=order):
                return self.exchange.submit(order, self._now)
            case CancelOrder(is_conditional=is_conditional):
                return self.exchange.cancel(key, self._now, is_conditional=is_conditional)
            case ReplaceOrder(qty=qty, price=price):
                return self.exchange.replace(key, qty, price, self._now)

    def query(self, command: QueryOrder) -> None:
        self._check()
        now = self._time()
        self._arrive()
        key = OrderKey(command.account, command.symbol, command.cl_ord_id)
        order = self.exchange.query(key, is_conditional=command.is_conditional)
        if order is not None:
            status = self.exchange.status(order, now)
            self._say(msgspec.structs.replace(status, asked_ts=now))
        else:
            self._say(OrderNotFound(**key._asdict(), asked_ts=now))

    def resync(self, command: Resync) -> None:
        """Answer with the books as they are, executions and incomes from storage."""
        self._check()
        now, account = self._time(), self._account
        self._arrive()
        kept = self._books.since
        self._say(
            VenueSnapshot(
                account=account,
                asked_ts=now,
                taken_ts=now,
                orders=tuple(
                    self._status(each, now) for each in self.exchange.open_orders(account)
                ),
                positions=tuple(self.exchange.positions(account, now)),
                balances=self.exchange.balances(account),
                trades=tuple(
                    _TRADES.decode(each) for each in kept(TRADE, account, command.trades_since)
                ),
                changes=tuple(
                    _INCOMES.decode(each) for each in kept(INCOME, account, command.trades_since)
                ),
            )
        )

    def _status(self, order: VenueOrder, now: int) -> ExecutionReport:
        return msgspec.structs.replace(self.exchange.status(order, now), asked_ts=now)

    async def close(self) -> None:
        self._hear = None
        if not self.exchange.has_changes:  # else something broke off in the middle
            self.exchange.remember_marks()
            with suppress(VenueError):  # the next life does without
                self._keep()
        self._books.close()

    # Keeping and telling

    def _settle(self, outputs: Sequence[Output]) -> None:
        """Commit what was done, then tell it."""
        self._keep()
        for message in messages(outputs):
            self._reports += 1
            if self._reports not in self._faults.lost_reports:
                self._say(message)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _keep(self) -> None:
        self._check()
        changes = self.exchange.drain_changes()
        if not changes:
            return
        self._failure = VenueError("a commit was broken off")
        try:
            self._books.commit(changes)
        except VenueError as error:
            self._failure = error  # what is in memory is ahead of the books: nothing more is done
            raise
        self._failure = None

    def _say(self, message: VenueMessage) -> None:
        if self._hear is not None:
            self._hear(message)

"""What all doors of the exchange share: one core, its accounts, its clock, what it has said.

Rule 1: whatever changes the core goes through a method here. What the core says is put right
        (`close_orders`), kept in the archive, committed and handed to every sink, in this order.
Rule 2: time is the wall's, and never goes back; market data of another time is re-dated before
        it comes here (`driver`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal

import msgspec

from ..exchange import (
    Exchange,
    Fate,
    OrderKey,
    OrderUpdate,
    Output,
    PositionSide,
    Refusal,
    Row,
    SelfTrade,
    SettlementTerms,
    VenueOrder,
)
from ..model.errors import ConfigError, VenueError
from ..model.instrument import UNLISTED, Instrument
from ..model.market import Bar, MarketData, MarkPrice
from ..model.messages import FundingPayment
from ..model.values import NS_PER_MS, NS_PER_S, AccountId, ClOrdId, NewOrder, Symbol, to_decimal
from . import close_orders, kept, terms
from .archive import Archive, Past
from .auth import Keys
from .bar_trades import trades_of_bar
from .countdowns import Countdowns
from .errors import BAD_SYMBOL, ApiError
from .faults import Faults, Kind, Script, load_script
from .intake import note
from .limits import Limits
from .listen_keys import ListenKeys
from .price_candles import PriceCandles
from .samples import Sample, Samples
from .settings import ServerSettings
from .sinks import AssetModeSink, LeverageSink, MarketSink, Sink
from .storage import Storage
from .tape import Tape
from .user_events import Terms

FORGET_EVERY_NS = NS_PER_S
PLACING, CANCELLING = "POST /fapi/v1/order", "DELETE /fapi/v1/order"
"""What faults of an order's fate go by, whichever request it came with."""


class Venue:
    """The exchange behind every port. Handlers are called on the loop's thread alone.

    Raises:
        ConfigError: keys, faults or the data folder can't be used.
    """

    def __init__(
        self,
        settings: ServerSettings,
        instruments: Iterable[Instrument],
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.settings = settings
        self.keys = Keys(settings.all_keys())
        self.limits = Limits(settings.limits)
        self.faults = Faults(settings.fault_seed)
        self.listen_keys = ListenKeys()
        self.archive = Archive(self.name_of)
        self.past: dict[AccountId, deque[Past]] = {}  # see `lagging`
        self.sinks: list[Sink] = []
        self.market_sinks: list[MarketSink] = []
        self.leverage_sinks: list[LeverageSink] = []
        self.asset_mode_sinks: list[AssetModeSink] = []
        self._clock = clock
        self._last = 0
        self._forgotten_ts = 0
        self._countdowns = Countdowns()
        self._failure: VenueError | None = None
        self.started_ts = self.now()
        self.samples = Samples(self.started_ts)
        self.faults.give(Script(faults=list(settings.fault_rules)), self.started_ts)
        if settings.faults is not None:
            self.faults.give(load_script(settings.faults), self.started_ts)
        self.exchange = Exchange(
            instruments,
            liquidity=settings.liquidity,
            default_leverage=settings.leverage,
            speed=settings.feed.speed,
        )
        self._storage = Storage(settings.data_dir)
        self._load()
        self.tapes = {each.symbol: Tape(each) for each in self.exchange.instruments()}
        self.prices = {symbol: PriceCandles() for symbol in self.tapes}
        self._open_accounts()

    def _load(self) -> None:
        rows, beside = kept.split(self._storage.rows())
        try:
            self.exchange.load(rows, self.now())
            self.archive.load(rows)
            self._restore(kept.read(beside))
        except (ValueError, msgspec.MsgspecError) as error:
            self._storage.close()
            where = self.settings.data_dir
            raise ConfigError(f"books in {where} can't be read: {error}") from error

    def _restore(self, found: kept.Kept) -> None:
        """Take back what is kept beside the books, and hear what becomes of it."""
        for key in found.keys:
            self.listen_keys.restore(key.account, key.key, key.end)
        for countdown in found.countdowns:
            self._countdowns.restore(countdown)
        for amendment in found.amendments:
            self.archive.of(amendment.order.account).restore(amendment)
        for symbol, sample in found.samples:
            self.samples.restore(symbol, sample)
        self.listen_keys.on_change = lambda *change: self._commit([kept.key_row(*change)])

    def _open_accounts(self) -> None:
        for key in self.keys.all():
            if not self.exchange.has_account(key.account):
                self.deposit(key.account, self.settings.balance)

    def close(self) -> None:
        """Let go of the books."""
        if self._failure is None and not self.exchange.has_changes:
            self.exchange.remember_marks()
            with suppress(VenueError):  # the next life does without
                self._keep()
        self._storage.close()

    # Time

    def now(self) -> int:
        """Return nanoseconds UTC, never less than before."""
        self._last = max(self._last, self._clock())
        return self._last

    def shown_now(self) -> int:
        """Return what the exchange takes the time to be; wrong where that was ordered."""
        now, faults = self.now(), self.faults
        skew = None if faults.is_quiet else faults.draw(Kind.CLOCK_SKEW, "", now)
        return now if skew is None else now + skew.delay_ms * NS_PER_MS

    def tick(self) -> None:
        """Let what is due by now happen: good-till dates, funding, countdowns."""
        now = self.now()
        outputs = self.exchange.tick(now)
        if outputs:
            self._settle(outputs, now)
        for account, symbol in self._countdowns.over(now):
            self.cancel_all(account, symbol, is_conditional=False)
            self.set_countdown(account, symbol, 0)  # after that: its orders must not outlive it
        if now - self._forgotten_ts > FORGET_EVERY_NS:
            self._forgotten_ts = now
            self._keep()

    # Requests. Each returns what the core said, the answer to the asker included.

    def submit(
        self,
        order: NewOrder,
        self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER,
        position_side: PositionSide = PositionSide.BOTH,
    ) -> Sequence[Output]:
        now = self._ready()
        fate = self._fate(order, now)
        outputs = self.exchange.submit(order, now, self_trade, position_side, fate=fate)
        return self._settle(outputs, now)

    def _fate(self, order: NewOrder, now: int) -> Fate:
        """Draw what is to become of an order."""
        if self.faults.is_quiet or order.order_type.is_conditional:
            return terms.fate_of(order)
        part = self.faults.draw(Kind.PARTIAL_FILL, PLACING, now)
        met = self.faults.draw(Kind.SELF_TRADE, PLACING, now)
        return Fate(None if part is None else to_decimal(part.part), met is not None)

    def cancel(self, key: OrderKey, *, is_conditional: bool) -> Sequence[Output]:
        now = self._ready()
        filled = None
        if not is_conditional and not self.faults.is_quiet:
            rule = self.faults.draw(Kind.FILL_BEFORE_CANCEL, CANCELLING, now)
            filled = None if rule is None else to_decimal(rule.part)
        outputs = self.exchange.cancel(key, now, is_conditional=is_conditional, filled_first=filled)
        return self._settle(outputs, now)

    def cancel_all(
        self, account: AccountId, symbol: Symbol, *, is_conditional: bool
    ) -> Sequence[Output]:
        now = self._ready()
        outputs = self.exchange.cancel_all(account, symbol, now, is_conditional=is_conditional)
        return self._settle(outputs, now)

    def replace(
        self, order: VenueOrder, qty: Decimal, price: Decimal, modify_id: str = ""
    ) -> Sequence[Output]:
        now = self._ready()
        self.archive.of(order.account).modify_ids[order.order_id] = modify_id
        key = OrderKey(order.account, order.symbol, order.cl_ord_id)
        return self._settle(self.exchange.replace(key, qty, price, now), now)

    def deposit(self, account: AccountId, amount: Decimal, asset: str = "USDT") -> None:
        now = self._ready()
        self._settle(self.exchange.deposit(account, amount, now, asset), now)

    def set_leverage(self, account: AccountId, symbol: Symbol, leverage: int) -> Refusal | None:
        now = self._ready()
        before = self.exchange.leverage(account, symbol)
        refusal = self.exchange.set_leverage(account, symbol, leverage)
        self._keep()
        if refusal is None and leverage != before:
            for sink in self.leverage_sinks:
                sink(account, symbol, leverage, now)
        return refusal

    def set_margin_type(
        self, account: AccountId, symbol: Symbol, *, is_isolated: bool
    ) -> Refusal | None:
        now = self._ready()
        found = self.exchange.set_margin_type(account, symbol, now, is_isolated=is_isolated)
        return self._settled(found, now)

    def move_margin(
        self, account: AccountId, symbol: Symbol, side: PositionSide, amount: Decimal
    ) -> Refusal | None:
        now = self._ready()
        return self._settled(self.exchange.move_margin(account, symbol, side, amount, now), now)

    def set_position_mode(self, account: AccountId, *, is_hedged: bool) -> Refusal | None:
        self._ready()
        refusal = self.exchange.set_position_mode(account, is_hedged=is_hedged)
        self._keep()
        return refusal

    def set_asset_mode(self, account: AccountId, *, is_multi_assets: bool) -> Refusal | None:
        now = self._ready()
        refusal = self.exchange.set_asset_mode(account, is_multi_assets=is_multi_assets)
        self._keep()
        if refusal is None:
            for sink in self.asset_mode_sinks:
                sink(account, is_multi_assets, now)
        return refusal

    def set_fee_burn(self, account: AccountId, *, is_on: bool) -> None:
        self._ready()
        self.exchange.set_fee_burn(account, is_on=is_on)
        self._keep()

    def _settled(self, found: Refusal | Sequence[Output], now: int) -> Refusal | None:
        if isinstance(found, Refusal):
            return found
        self._settle(found, now)
        return None

    # What the exchange does of itself, on order

    def force_liquidation(self, account: AccountId, symbol: Symbol, side: PositionSide) -> bool:
        """Liquidate a position; False when there is none."""
        now = self._ready()
        outputs = self.exchange.force_liquidation(account, symbol, side, now)
        return bool(self._settle(outputs, now))

    def force_adl(
        self, account: AccountId, symbol: Symbol, side: PositionSide, qty: Decimal
    ) -> bool:
        """Deleverage a position; False when there is none."""
        now = self._ready()
        return bool(self._settle(self.exchange.force_adl(account, symbol, side, qty, now), now))

    def force_funding(self, symbol: Symbol, rate: float) -> int:
        """Let a symbol's funding fall due now; returns how many positions paid or got."""
        now = self._ready()
        outputs = self._settle(self.exchange.force_funding(symbol, rate, now), now)
        return sum(1 for each in outputs if isinstance(each, FundingPayment))

    def list_as(self, instrument: Instrument) -> None:
        """List a contract by other terms, or with another status, from now on."""
        self._ready()
        self.exchange.add_instrument(instrument)
        self.tapes[instrument.symbol].relist(instrument)
        self._keep()

    def settle(self, symbol: Symbol, how: SettlementTerms, status: str) -> int:
        """End a contract; returns how many positions were closed."""
        now, tape = self._ready(), self.tapes[symbol]
        count = self.exchange.holders(symbol)
        outputs = self.exchange.settle(symbol, how, status, now)
        tape.instrument = msgspec.structs.replace(tape.instrument, status=status)
        self._settle(outputs, now)
        return count

    def set_countdown(self, account: AccountId, symbol: Symbol, countdown_ms: int) -> None:
        """Cancel a symbol's orders so much later unless this is called again; 0 lifts it."""
        due = self.now() + countdown_ms * NS_PER_MS if countdown_ms else None
        self._commit(self._countdowns.run((account, symbol), due))

    def keep_sample(self, symbol: Symbol, sample: Sample) -> None:
        """Keep what was seen of a symbol at the end of a period."""
        gone = self.samples.add(symbol, sample)
        rows = [kept.sample_row(symbol, ts, None) for ts in gone]
        self._commit([kept.sample_row(symbol, sample.ts, sample), *rows])

    # The market

    def on_market(self, message: MarketData) -> None:
        """Take in what the market shows; its time is the wall's already."""
        now = self._ready()
        tape = self.tapes.get(message.symbol)
        if tape is None or not tape.instrument.can_be_closed:
            return
        message = note(tape, self.prices[tape.symbol], message)
        outputs = self.exchange.on_market(message, now)
        if outputs or (self._storage.is_kept and self.exchange.has_changes):
            self._settle(outputs, now)
        shown = trades_of_bar(message, tape) if isinstance(message, Bar) else (message,)
        for each in shown:
            for sink in self.market_sinks:
                sink(each)

    # Settling

    def _ready(self) -> int:
        """Return the time of a request.

        Raises:
            VenueError: the books could not be written before, and nothing is done any more.
        """
        if self._failure is not None:
            raise self._failure
        return self.now()

    def _settle(self, outputs: Sequence[Output], now: int) -> Sequence[Output]:
        if outputs:
            outputs = close_orders.settle(self.exchange, outputs, now)
            self.archive.take(outputs)
        if self._storage.is_kept:
            self._keep()
        if not outputs:
            return outputs
        for output in outputs:
            if isinstance(output, OrderUpdate):
                self.tapes[output.report.symbol].touch()
        for sink in self.sinks:
            sink(outputs, now)
        return outputs

    def _keep(self) -> None:
        self._commit([*self.exchange.drain_changes(), *kept.fresh_amendments(self.archive)])

    def _commit(self, rows: Sequence[Row]) -> None:
        try:
            self._storage.commit(rows)
        except VenueError as error:
            self._failure = error  # memory is ahead of the books: nothing more may be done
            raise

    # Questions

    def tape(self, symbol: str) -> Tape:
        """Return a symbol's tape.

        Raises:
            ApiError: it is not traded here.
        """
        found = self.tapes.get(Symbol(symbol))
        if found is None or found.instrument.status == UNLISTED:
            raise ApiError(BAD_SYMBOL)
        return found

    def mark_of(self, tape: Tape) -> MarkPrice | None:
        """Return the mark to be shown; where the feed tells none, the one that margin goes by."""
        if tape.mark is not None:
            return tape.mark
        price = self.exchange.mark_price(tape.symbol)
        if price is None:
            return None
        return MarkPrice(symbol=tape.symbol, ts=self.now(), mark_price=float(price))

    def name_of(self, order: VenueOrder) -> ClOrdId:
        """Return an order's client id in the book."""
        return terms.name_in_book(order, is_own=self.settings.own_child_names)

    def terms_of(self, order: VenueOrder) -> Terms:
        """Return what was asked of an order beside what the core knows."""
        found = terms.read(order)
        modify_id = self.archive.of(order.account).modify_ids.get(order.order_id, "")
        return msgspec.structs.replace(found, modify_id=modify_id) if modify_id else found

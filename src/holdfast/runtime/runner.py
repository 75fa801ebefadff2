"""Show strategies the market, call their hooks, and pass their wishes on.

A runner stands alone (`start` pumps a feed, wishes go to the event bus) or is driven by the
trading service (`begin`, `on_market`, `on_time`, `on_fact`, `end`), which costs no task and no
queue. A strategy that raises or hangs in a hook is taken off; the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from ..model.bars import Alarm
from ..model.errors import ConfigError, SessionStateError, StrategyError
from ..model.events import Event
from ..model.market import Bar, BookDelta, BookSnapshot, MarketData, MarkPrice, Quote, Trade
from ..model.order_wish import Wish
from ..model.values import StrategyId, Symbol
from ..ports import Feed
from ..strategies.base import Strategy
from .attached import Attached, Behind, View, named_by
from .bar_routes import NEVER
from .bus import EventBus
from .early_books import EarlyBooks
from .failure import reason_of
from .fetching import fetch_history, warmups
from .filling import Filler
from .hooks import HookGuard
from .order_updates import fill_of, order_of, update_of
from .recorded import strategy_id_of
from .route import Route
from .seats import NO_SEATS, Seat, Seats
from .standalone import Standing, StrategyConfig, stand_alone
from .warming import warm_up
from .wishes import Wishes

__all__ = ["LiveStrategyRunner", "View"]

Emit = Callable[[Wish], None]
OnFailed = Callable[[StrategyId, str], None]

HOOK_BUDGET_MS = 250

_LOG = logging.getLogger("holdfast.runner")
_SAID = logging.getLogger("holdfast.runner.said")  # by strategies


class LiveStrategyRunner:
    """Runs strategies once, from `begin` or `start` to `end` or `stop`.

    Args:
        strategy_config: whose `symbols` to show, and whose `hook_budget_ms` holds; None shows all
            of the feed's.
        market_data_service: the feed that `start` pumps.
        event_bus: where "signal.generated", "order.wished", "strategy.failed" and "feed.failed"
            are told, and "order.filled" is heard, when the runner stands alone; None makes one.
        hook_budget_ms: a hook that takes longer is cut off; None takes the setting.
    """

    def __init__(
        self,
        strategy_config: StrategyConfig | None = None,
        market_data_service: Feed | None = None,
        event_bus: EventBus | None = None,
        *,
        hook_budget_ms: float | None = None,
    ) -> None:
        self.event_bus = EventBus() if event_bus is None else event_bus
        self._config = strategy_config
        self._feed = market_data_service
        said = getattr(strategy_config, "hook_budget_ms", HOOK_BUDGET_MS)
        self.guard = HookGuard(said if hook_budget_ms is None else hook_budget_ms)
        self.behind: Behind | None = None
        self.clean: Callable[[str], str] = str  # takes secrets out of what strategies say
        self._all: dict[StrategyId, Attached] = {}
        self._routes: dict[Symbol, Route] = {}
        self._early_books = EarlyBooks()
        self._alarm = Alarm()  # so that bars of many symbols are not looked at in vain
        self._wishes = Wishes()
        self._now = 0
        self._latest: MarketData | None = None
        self._has_begun = self._is_over = False
        self._hears_orders = False
        self._view: View
        self._emit: Emit
        self._on_failed: OnFailed | None = None
        self._alone: Standing | None = None
        self.filler: Filler

    def add_strategy(self, strategy_id: str | UUID, strategy: Strategy) -> None:
        """Take a strategy on, before the session begins. A UUID goes by its text from here on.

        Raises:
            StrategyError: the id is empty, taken or no text, or the strategy can't be run as it is.
            SessionStateError: the session has begun.
        """
        if self._has_begun:
            raise SessionStateError(f"{strategy_id} must be added before the runner starts")
        key = strategy_id_of(strategy_id)
        if not key or key in self._all:
            raise StrategyError(f"a strategy's id must be new and not empty, was {key!r}")
        if any(one.strategy is strategy for one in self._all.values()):
            raise StrategyError(f"the strategy of {strategy_id} was added already: make another")
        self._all[key] = Attached(key, strategy)

    @property
    def strategies(self) -> Mapping[StrategyId, Strategy]:
        """Return the strategies that are on, by id; failed ones are not."""
        return {key: one.strategy for key, one in self._all.items() if one.is_live}

    def now(self) -> int:
        """Return the market's time, nanoseconds UTC; it never goes back."""
        if self.behind is not None:
            return self.behind.now()
        if self._latest is not None and self._latest.ts > self._now:
            self._now = self._latest.ts
        return self._now

    # Driven by the service

    def begin(  # noqa: PLR0913, PLR0917 - what a session hands over
        self,
        symbols: Sequence[Symbol],
        feed: Feed,
        now: int,
        emit: Emit,
        view: View,
        on_failed: OnFailed | None = None,
        seats: Seats = NO_SEATS,
    ) -> None:
        """Start the strategies and warm each up, one after the other, in the order of adding.

        What they wish for in `on_start` is emitted at the end; what they wish for while they
        warm up is not heard.

        Args:
            now: where history ends; later the market's messages and `on_time` tell the time.
            emit: is given each wish, never while a hook runs.
            on_failed: is told which strategy was taken off and why, from here on.
            seats: what those see for whom it is not `symbols` and `view`.

        Raises:
            SessionStateError: the runner has begun already.
            FeedError: the history can't be read.
        """
        if self._has_begun:
            raise SessionStateError("a runner runs once: make a new one, with new strategies")
        self._has_begun = True
        self._view, self._emit, self._on_failed = view, emit, on_failed
        self._now = now
        self.guard.start()
        try:
            for one in self._all.values():
                seat = seats.get(one.strategy_id) or Seat(tuple(symbols), view)
                one.open(seat.symbols, feed.default_timeframe, self.now, seat.view)
                self._introduce(one, feed, now)
        except BaseException:
            self._is_over = True
            self.guard.stop()
            raise
        live = [one for one in self._all.values() if one.is_live]
        for symbol in symbols:
            shown = [one for one in live if symbol in one.window.symbols]
            self._routes[symbol] = Route(symbol, shown, self._alarm, feed, now)
            self._routes[symbol].book = self._early_books.take(symbol)
        self._early_books.is_over = True
        self.filler = Filler(feed, self._routes, self.now, self._show_in_turn)
        self._set_alarm()
        self._hears_orders = any(one.on_fill or one.on_order for one in live)
        self._wishes.let_go(emit)  # they waited until all were ready

    async def fetch_history(
        self, feed: Feed, symbols: Sequence[Symbol], now: int, seats: Seats = NO_SEATS
    ) -> None:
        """Have the feed ask for what `begin` will show."""
        await fetch_history(feed, warmups(self._all.values(), symbols, feed, seats), now)

    def on_market(self, message: MarketData) -> None:
        """Show a message to those who want it; bars that a trade closes come before the trade."""
        route = self._routes.get(message.symbol)
        if route is None:
            self._early_books.hear(message)
            return
        self._latest = message
        if type(message) is Trade:
            if route.bars.is_deaf:
                route.bars.hear(message.ts)
            builder = route.bars.trades
            if builder is not None and (closed := builder.on_trade(message)):
                self._show_bars(route, closed)
            for one in route.trades:
                if one.is_live and one.on_trade is not None:
                    self.call(one, one.on_trade, message)
        elif type(message) is Quote:
            for one in route.quotes:
                if one.is_live and one.on_quote is not None:
                    self.call(one, one.on_quote, message)
        else:
            self._show_seldom(route, message)

    def on_link(self, symbol: Symbol, *, is_up: bool) -> None:
        """Hear that a symbol's market data does not come any more, or comes again."""
        route = self._routes.get(symbol)
        if route is not None and is_up:
            route.bars.come_back(self.now())
        elif route is not None:
            route.bars.lose()

    def on_time(self, now: int) -> None:
        """Close the bars whose end has passed; a live feed's trades are waited for a little."""
        self._now = max(self.now(), now)
        if self._now < self._alarm.ts:
            return
        for route in tuple(self._routes.values()):
            if closed := route.bars.on_time(self._now):
                self._show_bars(route, closed)
        if self._routes:
            self.filler.look()
        self._set_alarm()

    def beside(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is to be done beside, while the market is shown."""
        return [self.filler.run()] if self._routes and self.filler.asks else []

    def route(self, symbol: Symbol) -> Route | None:
        """Return who hears what of a symbol; None where nobody does."""
        return self._routes.get(symbol)

    def pass_over(self, trade: Trade) -> None:
        """Go to the last of some trades that were shown in another way."""
        self._latest = trade

    @property
    def bars_due_ts(self) -> int:
        """Return before when time alone closes no bar."""
        if self._alarm.ts <= self.now():
            self._set_alarm()
        return self._alarm.ts

    def _set_alarm(self) -> None:
        due = (min(r.bars.due_ts, self.filler.due_ts(r)) for r in self._routes.values())
        self._alarm.ts = min(due, default=NEVER)

    def on_fact(self, fact: Event) -> None:
        """Tell the owner of an order what became of it, once the view shows it."""
        if not self._hears_orders:
            return
        cl_ord_id = order_of(fact)
        if cl_ord_id is None:
            return
        order = self._view.order(cl_ord_id)
        owner = named_by(cl_ord_id, self._all) if order is None else order.request.strategy_id
        one = None if owner is None else self._all.get(owner)
        if one is None:
            return
        fill = fill_of(fact, order)
        if fill is not None and one.is_live and one.on_fill is not None:
            self.call(one, one.on_fill, fill)
        if order is not None and one.is_live and one.on_order is not None:
            self.call(one, one.on_order, update_of(order, fact))

    def end(self, reason: str) -> None:
        """Stop the strategies. What they wish for in `on_stop` is not heard."""
        if self._is_over or not self._has_begun:
            return
        self._is_over = True
        self._routes = {}
        self._hears_orders = False
        for one in self._all.values():
            if one.is_live and one.on_stop is not None:
                self.call(one, one.on_stop)
            one.is_live = False
        self.guard.stop()
        _LOG.info("strategies stopped: %s", reason)

    # Standing alone

    async def start(self) -> None:
        """Start the strategies and pump the feed in a task, until it ends or `stop`.

        Raises:
            ConfigError: there is no feed, or it has nothing to show.
            SessionStateError: the runner has begun already.
            FeedError: the history can't be read.
        """
        if self._feed is None:
            raise ConfigError("market_data_service must be a feed, was None")
        wanted = () if self._config is None else self._config.symbols
        self._alone = await stand_alone(self, self._feed, self.event_bus, wanted)

    async def wait(self) -> None:
        """Return when the feed has ended or the runner was stopped.

        Raises:
            FeedError: the feed failed.
            NetworkError: so did its connection.
        """
        if self._alone is not None:
            await self._alone.pump.wait()

    async def stop(self) -> None:
        """Stop pumping, then the strategies. Stopping twice is stopping once."""
        if self._alone is not None:
            await self._alone.pump.stop()
            self._alone.stop_hearing()
        self.end("stopped")

    # The strategies

    def _introduce(self, one: Attached, feed: Feed, now: int) -> None:
        """Call `on_start`, then show the history, as it happened over all time frames."""
        if one.on_start is not None:
            self.call(one, one.on_start, one.window)
        if one.is_live and one.warmup_bars:
            count = warm_up(one, feed, now, self.call)
            _LOG.info("strategy %s warmed up with %d bars", one.strategy_id, count)

    def _show_seldom(self, route: Route, message: MarketData) -> None:
        if type(message) is Bar:
            self._show_bars(route, route.bars.on_bar(message))
        elif type(message) is MarkPrice:
            route.bars.on_mark(message.ts)
        elif not route.books:
            return
        elif isinstance(message, BookSnapshot | BookDelta) and route.book.apply(message):
            for one in route.books:
                if one.is_live and one.on_book is not None:
                    self.call(one, one.on_book, route.book)

    def _show_bars(self, route: Route, bars: Iterable[Bar]) -> None:
        for bar in bars:
            if route.bars_of.get(bar.timeframe):
                self.filler.pass_on(route, bar)

    def _show_in_turn(self, route: Route, bars: Sequence[Bar], past_ts: int) -> None:
        for bar in bars:
            for one in route.bars_of.get(bar.timeframe, ()):
                if one.is_live and one.window.show(bar) and one.on_bar is not None:
                    one.window.is_warming_up = bar.ts <= past_ts
                    self.call(one, one.on_bar, bar)
                    one.window.is_warming_up = False

    def call_each(self, one: Attached, trades: Iterator[Trade]) -> None:
        """Show a strategy one trade after the other, until it has said something or failed."""
        hook = one.on_trade
        assert hook is not None, f"{one.strategy_id} does not hear trades"
        try:
            self.guard.call_each(hook, trades, one.said)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a strategy may raise anything
            self._fail(one, hook, error)
        else:
            if one.said:
                self._pass_on(one)

    def call(self, one: Attached, hook: Callable[..., object], *args: object) -> None:
        """Call a hook, pass on what it said, or take the strategy off."""
        try:
            self.guard.call(hook, *args)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a strategy may raise anything
            self._fail(one, hook, error)
        else:
            if one.said:
                self._pass_on(one)

    def _pass_on(self, one: Attached) -> None:
        """Log a strategy's lines and emit its wishes."""
        if self.behind is not None:
            self.behind.catch_up()
        said = one.said.copy()
        one.said.clear()
        for what in said:
            if isinstance(what, str):
                _SAID.info("%s: %s", one.strategy_id, self.clean(what))
            elif not self._is_over:
                self._wishes.add(one, what)
        self._wishes.hand_over(self._emit)

    def _fail(self, one: Attached, hook: Callable[..., object], error: BaseException) -> None:
        """Take a strategy off. The wishes of the hook that failed are forgotten."""
        one.is_live = False
        self._pass_on(one)  # what it logged; wishes of one that is off go nowhere
        for route in self._routes.values():
            route.drop(one)
        reason = reason_of(error, hook, self.guard, self.clean)
        _LOG.error("strategy %s was taken off: %s", one.strategy_id, reason)
        if self._on_failed is not None:
            self._on_failed(one.strategy_id, reason)

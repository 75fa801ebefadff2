"""The trading service: what a program or a person starts, asks, steers and stops.

One session at a time: `live` has what happens inside it, `lives` how its lives follow each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from ..engine.explaining import Explanation
from ..model import messages as msg
from ..model.config import TradingConfig
from ..model.errors import InputError, SessionStateError
from ..model.signal import SignalGenerated
from ..model.values import (
    MAIN,
    Amount,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    TradingSessionStatus,
)
from ..ports import Feed, Notifier
from ..stats import SessionStats
from ..strategies import Strategy
from .books import BooksReport
from .broker import LiveBrokerAdapter
from .bus import EventBus
from .figures import Figures
from .first_prices import hear_prices
from .handover import Handover
from .live import LiveSession
from .lives import Lives
from .making import make_life
from .notices import all_told, notifier_of
from .operations import Operations
from .publishing import Publisher, Repository
from .recorded import as_recorded
from .shortfall import check_flat
from .trading_state import TradingState
from .views import Metrics, Order, OrderResult, Position, TradingSession, choice, session_view
from .wanted import Templates, Wanted, anchored, symbols_of, words_of


class LiveTradingService:
    """Runs a trading session and answers for it.

    What needs a session raises SessionStateError where none is running, or none was started.
    All of it belongs to the thread and the loop that the session was started on.

    Args:
        portfolio_repository: told of the account's figures; anything with `save`.
        order_repository, position_repository: told of every one of theirs that changed.
        event_bus: where events are published; one of the service's own by default.
        config: settings, the venue among them; the defaults, and a dry run, when None.
        notifier: tells a person of alarms; the log by default.
    """

    def __init__(  # noqa: PLR0913 - the specification's own
        self,
        portfolio_repository: Repository | None = None,
        order_repository: Repository | None = None,
        position_repository: Repository | None = None,
        event_bus: EventBus | None = None,
        config: TradingConfig | None = None,
        *,
        notifier: Notifier | None = None,
    ) -> None:
        self.config = anchored(config or TradingConfig(dry_run=True))
        self.event_bus = event_bus or EventBus()
        self._publisher = Publisher(
            self.event_bus,
            portfolio_repository,
            order_repository,
            position_repository,
            logs_trades=self.config.log_trades,
        )
        self._notifier = notifier_of(notifier)
        self._broker: LiveBrokerAdapter | None = None
        self._lives: Lives | None = None
        self._wanted: Wanted | None = None
        self._operations: Operations | None = None
        self._figures: Figures | None = None
        self.on_owned: Callable[[], None] = lambda: None  # told by a start that owns the journal
        self.on_folded: Callable[[bool], None] = lambda _: None  # before it: is something left?

    def set_broker(self, broker: LiveBrokerAdapter) -> None:
        """Trade this account as the main one, not the configured venue's; not in a dry run.

        Raises InputError where it is none, and SessionStateError while a session is running.
        """
        if not isinstance(broker, LiveBrokerAdapter):
            raise InputError(f"a broker is one like PaperBroker(), was {broker!r:.80}")
        if self.is_running():
            raise SessionStateError("stop the session before the broker is changed")
        self._broker = broker.used_by(self.config)

    # The session's life

    async def start_session(  # noqa: PLR0913 - the specification's own
        self,
        portfolio_id: UUID | str | None = None,
        strategies: Sequence[str | Strategy] | None = None,
        symbols: Sequence[str] | None = None,
        dry_run: bool | None = None,
        *,
        feed: Feed | None = None,
        execute_signals: bool | None = None,
    ) -> TradingSession:
        """Recover, reconcile and run. What a crash cut off goes on under its id and portfolio.

        Args:
            strategies: names, `path/to/file.py:Class`, or strategies; None takes the settings'.
            symbols: None takes the settings', else all that the feed shows.
            dry_run: True trades on the simulated account; None takes the setting.
            feed: market data; None opens the configured one, or the broker's where none is.
            execute_signals: False leaves strategies' wishes to the subscribers of
                "signal.generated" and "order.wished"; None does so as soon as there is one.

        Raises:
            SessionStateError: a session is running.
            TradingError: it can't be started; the text says what to do.
        """
        if self._lives and self._lives.is_under_way:
            raise SessionStateError("a session is running: stop it first")
        self._wanted = Wanted(
            portfolio_id=str(portfolio_id or ""),
            strategies=Templates(self.config.strategies if strategies is None else strategies),
            symbols=symbols_of(symbols or self.config.symbols),
            is_dry=self.config.dry_run if dry_run is None else dry_run,
            feed=feed,
            executes=execute_signals,
        )
        lives = Lives(self._make_life, self.config, self._notifier, self.on_owned)
        before, self._lives, self._operations = self._lives, lives, None
        try:
            await lives.start()
        except BaseException:
            self._lives = before
            raise
        if (live := self._running()).feed.is_live or self.config.speed:
            await hear_prices(live, self.is_running)  # else the feed outruns every clock
        return self.session()

    start = start_session

    async def _make_life(self) -> LiveSession:
        assert self._wanted is not None, "start_session says what is wanted"
        made = await make_life(
            self.config,
            self._wanted,
            self._broker,
            self._notifier,
            hands_over=Handover(self.event_bus, executes=self._wanted.executes),
            publish=self._publisher.publish,
            on_folded=self.on_folded,
        )
        live, engine = made.live, made.live.engine
        live.on_tick = lambda: self._publisher.tick(engine)
        live.needs_ticks = lambda: self.event_bus.has_subscribers("position_update")
        self._figures, self._operations = made.figures, Operations(live)
        return live

    def _running(self) -> LiveSession:
        if self._lives is None or (live := self._lives.live) is None:
            raise SessionStateError("no session was started")
        return live

    @property
    def operations(self) -> Operations:
        """Return what acts on the session; a SessionStateError where none runs or starts."""
        if self._operations is None or not (self._lives and self._lives.is_under_way):
            raise SessionStateError("no session is running")
        return self._operations

    def is_running(self) -> bool:
        """Tell whether a session is under way, paused and failing ones included."""
        return self._lives is not None and self._lives.is_running

    async def wait(self) -> None:
        """Return when the session has ended by itself or by `stop`, and all was told."""
        if self._lives is not None:
            await self._lives.wait()
            await all_told(self.event_bus, self._notifier)

    async def pause(self, reason: str = "operator") -> TradingSession:
        """Stop taking new risk; exits and stops go on."""
        await self._ask(msg.PauseSession(reason=reason))
        return self.session()

    async def resume(self, reason: str = "operator") -> TradingSession:
        """Take new risk again."""
        await self._ask(msg.ResumeSession(reason=reason))
        return self.session()

    async def stop(
        self, reason: str = "operator", *, flatten: bool | None = None
    ) -> TradingSession:
        """Take entries back, end the session, and return it as it ended; ERROR becomes STOPPED.

        Args:
            flatten: close positions too, else they keep their stops; None takes `on_stop`.

        Raises:
            SessionStateError: none was started, or it had STOPPED before it was told to flatten.
        """
        if (lives := self._lives) is None:
            raise SessionStateError("no session was started")
        wants_flat = self.config.on_stop == "flatten" if flatten is None else flatten
        if lives.is_under_way:
            await lives.stop(reason, flatten=wants_flat)
            await all_told(self.event_bus, self._notifier)
        elif lives.status is TradingSessionStatus.ERROR:
            lives.reset(reason)
        if flatten:
            check_flat(self._running().engine.state, lives.status)
        return self.session()

    async def reset(self, reason: str = "operator") -> TradingSession:
        """Leave ERROR for STOPPED, on record.

        Raises:
            SessionStateError: the session is not in ERROR, or none was started.
        """
        status = self.session().status
        if status is not TradingSessionStatus.ERROR:
            raise SessionStateError(f"a session that is {status.value} has nothing to reset")
        return await self.stop(reason, flatten=False)

    async def kill(self, reason: str = "operator", *, flatten: bool = False) -> None:
        """Engage the kill switch: nothing new goes out until it is released, restarts included."""
        await self._ask(msg.EngageKillSwitch(reason=words_of(reason), flatten=flatten))

    async def release(self, operator: str) -> None:
        """Release the kill switch; `operator` answers for it."""
        await self._ask(msg.ReleaseKillSwitch(operator=operator))

    async def _ask(self, message: msg.Message) -> None:
        if self._lives is None:
            raise SessionStateError("no session is running")
        await self._lives.ask(message)

    # Orders

    async def execute_order(self, order: Order) -> OrderResult:
        """Check an order and take it on; what went wrong is in the result."""
        try:
            return await self.operations.execute(order)
        except SessionStateError as error:
            return OrderResult(success=False, order_id=None, error=str(error), order=order)

    async def place_order(  # noqa: PLR0913 - all that an order may name
        self,
        symbol: str,
        side: Side | str,
        quantity: Amount,
        order_type: OrderType | str = OrderType.MARKET,
        price: Amount | None = None,
        *,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        trigger_price: Amount | None = None,
        callback_rate: Amount | None = None,
        activation_price: Amount | None = None,
        expire_at: datetime | None = None,
        stop_loss: Amount | None = None,
        take_profit: Amount | None = None,
        reduce_only: bool = False,
        algo: str = "",
        request_id: str = "",
        account: str = MAIN,
    ) -> Order:
        """Place an order by hand (`quantity` on the lot), and return the venue's first word of it.

        Args:
            callback_rate: of a trailing stop, percent; without `activation_price` it is active.
            expire_at: when a GTD order ends; must say its time zone.
            stop_loss, take_profit: prices; they rest for whatever fills, and one ends the other.
            algo: works it in parts, as "twap:over=10m,slices=6" does; the first is returned.
            request_id: a repeated one places nothing and returns the first order of its account.
            account: by its name in the settings.

        Raises:
            RiskDenied: a rule refused; nothing was sent.
            InputError: the order contradicts itself.
            InsufficientBalanceError, VenueRefused: the venue declined.
            RateLimitError, NetworkError, VenueUnavailable: nothing was done; come again.
        """
        order = Order(
            symbol=symbol,
            side=choice(Side, side, "side"),
            quantity=quantity,
            order_type=choice(OrderType, order_type, "order_type"),
            price=price,
            time_in_force=time_in_force,
            trigger_price=trigger_price,
            callback_rate=callback_rate,
            activation_price=activation_price,
            expire_at=expire_at,
            stop_loss=stop_loss,
            take_profit=take_profit,
            reduce_only=reduce_only,
            algo=algo,
            account=account,
        )
        return await self.operations.submit(order, request_id)

    async def cancel_order(self, order_id: str | None) -> Order:
        """Take an order back."""
        return await self.operations.cancel(order_id)

    async def modify_order(
        self,
        order_id: str | None,
        new_price: Amount | None = None,
        new_quantity: Amount | None = None,
    ) -> Order:
        """Amend a resting limit order; None keeps what is."""
        return await self.operations.modify(order_id, new_price, new_quantity)

    async def get_order_status(self, order_id: str | None) -> OrderStatus:
        """Return how far an order has come."""
        return self.operations.order(order_id).status or OrderStatus.PENDING_NEW

    async def get_order(self, order_id: str | None) -> Order:
        """Return an order."""
        return self.operations.order(order_id)

    async def get_orders(self, *, open_only: bool = True) -> list[Order]:
        """Return the open orders, or all that are remembered."""
        return self.operations.orders(open_only=open_only)

    # Positions and figures

    async def get_positions(self) -> list[Position]:
        """Return the open positions."""
        return self.operations.positions()

    async def close_position(
        self, symbol: str, reason: str = "operator", account: str = MAIN
    ) -> Position:
        """Close a position at the market, in every state and past every limit."""
        return await self.operations.close(symbol, reason, account)

    async def adjust_position(
        self, symbol: str, target_quantity: Amount, account: str = MAIN
    ) -> Position:
        """Trade a position to a signed target quantity."""
        return await self.operations.adjust(symbol, target_quantity, account)

    async def get_session_stats(self) -> SessionStats:
        """Return the session's figures, also after it has ended."""
        if self._figures is None:
            raise SessionStateError("no session was started")
        return self._figures.stats()

    async def get_metrics(self, account: str = MAIN) -> Metrics:
        """Return how an account stands at this moment."""
        return self.operations.metrics(self.now(), account)

    def explain(self, signal: SignalGenerated) -> Explanation:
        """Show the whole pipeline of a wish without sending anything."""
        return self._running().engine.explain(as_recorded(signal), self.now())

    def now(self) -> int:
        """Return the session's time, nanoseconds UTC; a recording's is its own."""
        return self._running().now()

    async def get_state(self) -> TradingState:
        """Return the session's books at this moment, which can be saved."""
        return TradingState.of(self._running())

    @property
    def books(self) -> BooksReport | None:
        """Return how our books compared with the venue's at the end; None before, or unread."""
        return self._lives.books if self._lives else None

    @property
    def fault(self) -> str:
        """Return what ended the session or its feed; "" when nothing did."""
        return self._lives.fault if self._lives else ""

    @property
    def restarts(self) -> int:
        """Return how often the session was begun anew after a failure."""
        return self._lives.restarts if self._lives else 0

    @property
    def live(self) -> LiveSession:
        """Return the session's present life."""
        return self._running()

    def session(self) -> TradingSession:
        """Return the session as it stands."""
        live = self._running()
        assert self._lives is not None, "a life has lives"
        stats = self._figures.stats() if self._figures else SessionStats()
        return session_view(live, stats, self._lives.status, self.fault)

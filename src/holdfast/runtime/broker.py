"""Brokers as users make them: which account is traded, and how it is asked about.

A broker opens the venue behind it when a session starts. Orders always take the session's
road, journal first; what a broker tells comes from the venue's own books.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Self

from ..feeds import FeedSettings
from ..model.commands import Resync
from ..model.config import TradingConfig
from ..model.errors import InputError, NetworkError, OutcomeUnknownError, SessionStateError
from ..model.messages import (
    ExecutionReport,
    VenueFailure,
    VenueMessage,
    VenuePosition,
    VenueSnapshot,
)
from ..model.values import OPERATOR, Amount, OrderStatus
from ..ports import Venue
from ..venues import Opener, Wiring, open_paper, paper_path
from .books import read_books
from .clock import WallClock
from .live import LiveSession
from .operations import Operations
from .shortfall import UNANSWERED, shortfall_of
from .views import Order, OrderResult, Position, amount, when

BOOKS_PATIENCE_S = 30.0
"""How long a broker without a session waits for the exchange's books."""


class LiveBrokerAdapter:
    """An account at an exchange, as users hold it.

    Args:
        make: opens the venue.
        config: settings for questions asked while no session runs; when None, those of the service
            that it is set for, or the defaults.
    """

    def __init__(self, make: Opener, config: TradingConfig | None = None) -> None:
        self._make = make
        self._config = config
        self._live: LiveSession | None = None

    def open(self, wiring: Wiring) -> Venue:
        """Open the venue for a session."""
        return self._make(wiring)

    def market(self, settings: FeedSettings, *, is_named: bool) -> FeedSettings:
        """Return the settings of the feed that shows what is traded here.

        Args:
            is_named: whether somebody chose the feed that `settings` names.
        """
        return settings

    def paper_books(self, config: TradingConfig) -> Path | None:
        """Return where a session's simulated account is kept; None for a real one."""
        del config
        return None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what no text of ours may show, beside what the configuration says."""
        return ()

    def used_by(self, config: TradingConfig) -> Self:
        """Take a service's settings, where it was given none; return it."""
        self._config = self._config or config
        return self

    def attach(self, live: LiveSession) -> None:
        """Join the broker to the session that trades through it."""
        self._live = live

    def _session(self) -> LiveSession | None:
        """Return the session that trades through this broker now."""
        live = self._live
        return None if live is None or live.is_closed or live.has_failed else live

    def _operations(self) -> Operations:
        live = self._session()
        if live is None:
            raise SessionStateError("orders need a session: set_broker, then start_session")
        return Operations(live)

    async def place_order(self, order: Order) -> OrderResult:
        """Place an order through the session; unlike `execute_order`, raise what goes wrong.

        Raises:
            InputError: the order contradicts itself.
            RiskDenied: a rule refused; nothing was sent.
            InsufficientBalanceError: the margin does not cover it.
            RateLimitError: too many requests in too short a time; nothing was done.
            NetworkError: there is no connection; nothing was sent.
            VenueUnavailable: the order never reached the exchange.
            VenueRefused: the exchange declined.
            OutcomeUnknownError: no answer came, and it is asked after; do not send it again.
        """
        operations = self._operations()
        placed = await operations.submit(order)
        order.follow(placed)
        if placed.status is OrderStatus.PENDING_NEW:
            raise OutcomeUnknownError(f"{placed.id}: {UNANSWERED}")
        error = shortfall_of(placed)
        return OrderResult(success=not error, order_id=placed.id, error=error, order=placed)

    async def cancel_order(self, order_id: str | None) -> Order:
        """Take an order back."""
        return await self._operations().cancel(order_id)

    async def get_open_orders(self) -> list[Order]:
        """Return the open orders that the exchange has, conditional ones included."""
        return [_order(report) for report in (await self._books()).orders]

    async def get_positions(self) -> list[Position]:
        """Return the positions that the exchange has."""
        return [_position(p) for p in (await self._books()).positions if p.qty]

    async def get_balance(self, asset: str = "USDT") -> Decimal:
        """Return the wallet balance that the exchange has."""
        return (await self._books()).balances.get(asset, Decimal(0))

    async def _books(self) -> VenueSnapshot:
        live = self._session()
        snapshot = await (self._read_alone() if live is None else read_books(live))
        if snapshot is None:
            raise NetworkError("the exchange did not give its books in time")
        return snapshot

    async def _read_alone(self) -> VenueSnapshot | None:
        """Open the venue for one question."""
        answer: asyncio.Future[VenueSnapshot] = asyncio.get_running_loop().create_future()

        def hear(message: VenueMessage) -> None:
            if answer.done():
                return
            if isinstance(message, VenueSnapshot):
                answer.set_result(message)
            elif isinstance(message, VenueFailure):
                answer.set_exception(NetworkError(message.reason or message.failure))

        venue = self._make(Wiring(config=self._config or TradingConfig(), clock=WallClock()))
        try:
            await venue.connect((), hear)
            venue.resync(Resync(account=venue.account, reason="books", trades_since=0))
            await asyncio.wait({answer}, timeout=BOOKS_PATIENCE_S)
        finally:
            await venue.close()
        return answer.result() if answer.done() else None


class PaperBroker(LiveBrokerAdapter):
    """A simulated account on the session's own market data. Its books survive restarts.

    Args:
        initial_balance: put in once, when the account is opened; None takes the setting.
        data_dir: where its books are kept; None takes the setting.

    Raises:
        InputError: the balance is no amount above zero.
    """

    def __init__(
        self,
        initial_balance: Amount | None = None,
        *,
        data_dir: Path | str | None = None,
        config: TradingConfig | None = None,
    ) -> None:
        super().__init__(self._open_paper, config)
        self._balance = (
            None if initial_balance is None else amount(initial_balance, "initial_balance")
        )
        if self._balance is not None and self._balance <= 0:
            raise InputError(f"initial_balance must be above 0, was {self._balance}")
        self._data_dir = None if data_dir is None else Path(data_dir)

    def paper_books(self, config: TradingConfig) -> Path | None:
        """Return where the account is kept."""
        return paper_path(self._data_dir or config.data_dir)

    def _open_paper(self, wiring: Wiring) -> Venue:
        return open_paper(wiring, initial_balance=self._balance, data_dir=self._data_dir)


def _order(report: ExecutionReport) -> Order:
    return Order(
        symbol=report.symbol,
        side=report.side,
        quantity=report.qty,
        order_type=report.order_type,
        price=report.price,
        strategy_id=OPERATOR,
        time_in_force=report.time_in_force,
        trigger_price=report.trigger_price,
        reduce_only=report.reduce_only,
        id=report.cl_ord_id,
        status=report.status,
        filled_quantity=report.cum_qty,
        created_at=when(report.venue_ts),
    )


def _position(position: VenuePosition) -> Position:
    return Position(symbol=position.symbol, quantity=position.qty, entry_price=position.entry_price)

"""What the live view shows at one moment: plain values, gathered on the loop, drawn elsewhere."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from ..engine.order import Order
from ..model.values import MAIN, NS_PER_S, ZERO, Key, OrderRole, plain
from ..ports import Venue
from ..runtime.cut_off import cut_off
from ..runtime.service import LiveTradingService
from ..stats import SessionStats
from .happenings import Happenings, Line

LINES_SHOWN = 8
ORDERS_SHOWN = 6
POSITIONS_SHOWN = 8
CURVE_KEPT = 36


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One open position and what protects it; None where nothing does."""

    symbol: str
    qty: Decimal
    entry: Decimal
    mark: Decimal
    pnl: Decimal
    stop: Decimal | None
    target: Decimal | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order that is not a position's stop or target."""

    symbol: str
    what: str
    status: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment."""

    session_id: str
    status: str
    reason: str
    is_killed: bool
    cut_off: tuple[str, ...]
    account: str
    feed: str
    feed_time: datetime
    elapsed_s: float
    strategies: tuple[str, ...]
    stopped_strategies: tuple[str, ...]
    equity: Decimal
    free_margin: Decimal
    exposure: Decimal
    unrealized: Decimal
    figures: SessionStats
    positions: list[PositionRow]
    positions_hidden: int
    orders: list[OrderRow]
    orders_hidden: int
    lines: list[Line]
    curve: tuple[float, ...]


class Camera:
    """Takes frames of a session, and keeps the last equities for a small curve."""

    def __init__(self, service: LiveTradingService, happenings: Happenings) -> None:
        self._service = service
        self._happenings = happenings
        self._began = time.monotonic()
        self._curve: deque[float] = deque(maxlen=CURVE_KEPT)

    def take(self, figures: SessionStats) -> Frame:
        """Look at the session once."""
        live, config = self._service.live, self._service.config
        state, exposure = live.engine.state, live.engine.core.exposure
        names = exposure.addable(live.accounts.names)
        equity = sum(map(exposure.shown_equity, names), ZERO)
        self._curve.append(float(equity))
        keys = state.open_keys()
        working = [o for o in state.all_open_orders() if not _protects(o)]
        now = live.now() / NS_PER_S
        speed = f"{config.speed:g}x" if config.speed else "as fast as possible"
        return Frame(
            session_id=state.session_id,
            status=state.status.value,
            reason=state.status_reason,
            is_killed=state.is_killed,
            cut_off=tuple(cut_off(live)),
            account=place_of(self._service),
            feed=f"{config.feed} at {speed}",
            feed_time=datetime.fromtimestamp(now, UTC),
            elapsed_s=time.monotonic() - self._began,
            strategies=tuple(state.strategies),
            stopped_strategies=tuple(state.stopped_strategies),
            equity=equity,
            free_margin=equity - sum(map(exposure.initial_margin, names), ZERO),
            exposure=sum(map(exposure.gross_now, names), ZERO),
            unrealized=sum((exposure.unrealized(k) for k in keys), ZERO),
            figures=figures,
            positions=[self._position(key) for key in keys[:POSITIONS_SHOWN]],
            positions_hidden=max(0, len(keys) - POSITIONS_SHOWN),
            orders=[_order_row(order) for order in working[:ORDERS_SHOWN]],
            orders_hidden=max(0, len(working) - ORDERS_SHOWN),
            lines=list(self._happenings.lines)[-LINES_SHOWN:],
            curve=tuple(self._curve),
        )

    def _position(self, key: Key) -> PositionRow:
        engine = self._service.live.engine
        position = engine.state.position(key)
        orders = engine.state.open_orders_of(key)
        return PositionRow(
            symbol=_label(key),
            qty=position.qty,
            entry=position.entry_price,
            mark=engine.core.exposure.mark(key),
            pnl=engine.core.exposure.unrealized(key),
            stop=_price_of(orders, OrderRole.STOP_LOSS),
            target=_price_of(orders, OrderRole.TAKE_PROFIT),
        )


def place_of(service: LiveTradingService) -> str:
    """Say where orders go, and whether that is real money."""
    venues = service.live.accounts.venues
    if len(venues) == 1:
        return _place(service, *venues.values())
    return ", ".join(f"{name} at {_place(service, venue)}" for name, venue in venues.items())


def _place(service: LiveTradingService, venue: Venue) -> str:
    config = service.config
    if venue.capabilities.is_simulated:
        return f"{venue.name} (simulated)"
    where = config.rest_url or ("testnet" if config.testnet else "REAL MONEY")
    return f"{venue.name} ({where})"


def _label(key: Key) -> str:
    """Name a position: its symbol, and its account where that is not the main one."""
    account, symbol = key
    return symbol if account == MAIN else f"{symbol} {account}"


def _protects(order: Order) -> bool:
    return order.role in (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


def _price_of(orders: list[Order], role: OrderRole) -> Decimal | None:
    """Return the newest protecting order's price."""
    found = [order.request.trigger_price or order.price for order in orders if order.role is role]
    return found[-1] if found else None


def _order_row(order: Order) -> OrderRow:
    request = order.request
    price = order.price or request.trigger_price
    at = f" @ {plain(price)}" if price else ""
    what = f"{request.side.value} {plain(order.qty)} {request.order_type.value}{at}"
    doubt = ", in doubt" if order.is_in_doubt else ""
    return OrderRow(
        _label(order.key), what, f"{order.status.value.lower().replace('_', ' ')}{doubt}"
    )

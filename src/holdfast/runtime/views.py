"""What users are shown of orders, positions and sessions: values, detached from the engine."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from ..engine.cover import uncovered
from ..engine.engine import Engine
from ..engine.order import Order as EngineOrder
from ..model.errors import InputError
from ..model.margin import initial_margin
from ..model.values import (
    ENTRY,
    MAIN,
    NS_PER_DAY,
    NS_PER_S,
    OPERATOR,
    ZERO,
    AccountId,
    Amount,
    ClOrdId,
    Key,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    TradingSessionStatus,
    plain,
    to_decimal,
)
from ..stats import SessionStats

if TYPE_CHECKING:
    from .live import LiveSession

E = TypeVar("E", bound=enum.Enum)

_log = logging.getLogger("holdfast.orders")


AMOUNTS = (
    "price",
    "trigger_price",
    "callback_rate",
    "activation_price",
    "stop_loss",
    "take_profit",
)
"""The numbers of an order that need not be given."""


@dataclass(slots=True)
class Order:
    """An order as users write it and read it.

    Amounts may be given as Decimal, str, int or float and are exact from there on. `id` is None
    until the order has been taken on; `margin_required` is known from then on too, unless it names
    no price and none of the market has been heard.
    """

    symbol: str
    side: Side
    quantity: Amount
    order_type: OrderType = OrderType.MARKET
    price: Amount | None = None
    strategy_id: str = OPERATOR
    time_in_force: TimeInForce | str = TimeInForce.GTC
    trigger_price: Amount | None = None
    callback_rate: Amount | None = None  # of a trailing stop, percent
    activation_price: Amount | None = None  # of a trailing stop
    expire_at: datetime | None = None  # with GTD
    stop_loss: Amount | None = None
    take_profit: Amount | None = None
    reduce_only: bool = False
    algo: str = ""  # how it is worked, such as "twap:over=10m,slices=6"; "" at once
    id: ClOrdId | None = None
    status: OrderStatus | None = None
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    fees: Decimal = ZERO  # those in the margin asset
    reason: str = ""
    is_in_doubt: bool = False
    margin_required: Decimal | None = None
    created_at: datetime | None = None
    account: str = MAIN

    def __post_init__(self) -> None:
        self.side = choice(Side, self.side, "side")
        self.order_type = choice(OrderType, self.order_type, "order_type")
        self.time_in_force = choice(TimeInForce, self.time_in_force, "time_in_force")
        self.quantity = amount(self.quantity, "quantity")
        for name in AMOUNTS:
            value = getattr(self, name)
            if value is not None:
                setattr(self, name, amount(value, name))

    def follow(self, known: Order) -> None:
        """Take over what has become known of the order since it was written."""
        for name in _KNOWN_LATER:
            setattr(self, name, getattr(known, name))

    def debug_info(self) -> dict[str, str]:
        """Return everything known of the order as texts, and write it to the log for a person."""
        found = {name: _shown(getattr(self, name)) for name in self.__slots__}
        _log.info("%s", ", ".join(f"{name} {text}" for name, text in found.items()))
        return found


_KNOWN_LATER = (
    "id",
    "status",
    "filled_quantity",
    "average_price",
    "fees",
    "reason",
    "is_in_doubt",
    "margin_required",
    "created_at",
)


def amount(value: Amount, name: str) -> Decimal:
    """Take a caller's number as the exact decimal that it shows.

    Raises:
        InputError: it is no number that can be used; the text names it.
    """
    try:
        return to_decimal(value, name)
    except ValueError as error:
        raise InputError(str(error)) from None


def choice(kind: type[E], value: E | str, name: str) -> E:
    """Take a caller's word for one of an enumeration's values.

    Raises:
        InputError: it is none of them; the text names them.
    """
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(one.value) for one in kind)
        raise InputError(f"{name} must be one of {known}, was {value!r}") from None


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    return str(getattr(value, "value", value))


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What `execute_order` came to.

    `error` is "" when it succeeded. Without success but with an `order_id`, the order was taken
    on: it ended without a fill, or nobody knows yet whether it arrived (`order.is_in_doubt`).
    """

    success: bool
    order_id: ClOrdId | None
    error: str = ""
    order: Order | None = None


class _Named:
    """What is known of a position and not shown of it."""

    names_account: bool


@dataclass(slots=True)
class Position(_Named):
    """A position as users read it. `quantity` is signed; money is in the margin asset.

    `margin_ratio` is the maintenance margin of all positions that one wallet stands for (a cross
    one's neighbours too) over that wallet and their open profit: liquidation comes at 1.
    One that is made without an account is of the main one, as everywhere, and `names_account` is
    False: a `PositionTracker` takes it for the only account's that holds its symbol.
    """

    symbol: str
    quantity: Amount
    entry_price: Amount
    mark_price: Amount | None = None
    unrealized_pnl: Amount | None = None
    leverage: int = 1
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    margin: Decimal = ZERO
    margin_ratio: Decimal = ZERO
    opened_at: datetime | None = None
    account: str = ""

    def __post_init__(self) -> None:
        self.names_account, self.account = bool(self.account), self.account or MAIN
        self.quantity = amount(self.quantity, "quantity")
        self.entry_price = amount(self.entry_price, "entry_price")
        mark = self.entry_price if self.mark_price is None else self.mark_price
        self.mark_price = amount(mark, "mark_price")
        if self.unrealized_pnl is None:
            self.unrealized_pnl = self.quantity * (self.mark_price - self.entry_price)
        self.unrealized_pnl = amount(self.unrealized_pnl, "unrealized_pnl")

    @property
    def roi_percentage(self) -> Decimal:
        """Return the open profit in percent of the margin it ties up; 0 while flat."""
        size = abs(to_decimal(self.quantity)) * to_decimal(self.entry_price)
        if not size:
            return ZERO
        return to_decimal(self.unrealized_pnl or ZERO) / (size / self.leverage) * 100


@dataclass(frozen=True, slots=True)
class Metrics:
    """How the account stands at this moment; money in the margin asset."""

    position_count: int
    total_exposure: Decimal
    unrealized_pnl: Decimal
    daily_pnl: Decimal
    equity: Decimal
    wallet: Decimal
    free_margin: Decimal
    margin_ratio: Decimal
    open_orders: int
    orders_in_doubt: int
    unprotected: int  # parents that want a stop and have had none for too long
    leverage: Decimal
    is_killed: bool
    time: datetime
    account: str = MAIN
    without_stop: int = 0  # positions that no stop at the venue covers, whoever opened them


@dataclass(frozen=True, slots=True)
class TradingSession:
    """A session, as it stood when it was asked for."""

    id: UUID
    portfolio_id: UUID | str
    status: TradingSessionStatus
    started_at: datetime
    stopped_at: datetime | None = None
    total_trades: int = 0
    winning_trades: int = 0
    losing_trades: int = 0
    total_pnl: Decimal = ZERO
    max_drawdown: Decimal = ZERO
    reason: str = ""
    strategies: tuple[str, ...] = field(default=())
    symbols: tuple[str, ...] = field(default=())


def when(ts: int) -> datetime:
    """Return an aware UTC time of nanoseconds since 1970."""
    return datetime.fromtimestamp(ts / NS_PER_S, UTC)


def session_view(
    live: LiveSession, stats: SessionStats, status: TradingSessionStatus, fault: str
) -> TradingSession:
    """Show a session. Before its own epoch has begun the fold speaks of the one before it."""
    state, plan = live.engine.state, live.plan
    is_told = live.shell.has_begun or plan.is_resumed
    ended = status in (TradingSessionStatus.STOPPED, TradingSessionStatus.ERROR)
    return TradingSession(
        id=UUID(plan.session_id),
        portfolio_id=_as_uuid(plan.portfolio_id),
        status=status,
        started_at=when(state.session_started_ts if is_told else live.now()),
        stopped_at=when(state.last_ts) if ended else None,
        total_trades=stats.total_trades,
        winning_trades=stats.winning_trades,
        losing_trades=stats.losing_trades,
        total_pnl=stats.total_pnl,
        max_drawdown=Decimal(repr(stats.max_drawdown)),
        reason=fault or (state.status_reason if is_told else ""),
        strategies=tuple(plan.strategies),
        symbols=plan.symbols,
    )


def _as_uuid(text: str) -> UUID | str:
    try:
        return UUID(text)
    except ValueError:
        return text


def order_view(engine: Engine, order: EngineOrder) -> Order:
    """Show an engine's order."""
    request = order.request
    parent = engine.state.parents.get(request.parent_id)
    is_entry = order.role is ENTRY
    return Order(
        symbol=request.symbol,
        side=request.side,
        quantity=order.qty,
        order_type=request.order_type,
        price=order.price,
        strategy_id=request.strategy_id,
        time_in_force=request.time_in_force,
        trigger_price=request.trigger_price,
        callback_rate=request.callback_rate,
        activation_price=request.activation_price,
        stop_loss=parent.start.stop_loss if parent and is_entry else None,
        take_profit=parent.start.take_profit if parent and is_entry else None,
        reduce_only=request.reduce_only,
        id=order.cl_ord_id,
        status=order.status,
        filled_quantity=order.cum_qty,
        average_price=order.avg_px,
        fees=order.fees,
        reason=order.reason,
        is_in_doubt=order.is_in_doubt,
        margin_required=_margin_required(engine, order),
        created_at=when(order.created_ts),
        account=request.account,
    )


def _margin_required(engine: Engine, order: EngineOrder) -> Decimal | None:
    """Return what an order ties up: by the price it names, that of its fills, or the market's."""
    request = order.request
    if request.reduce_only:
        return ZERO
    named = order.price or request.trigger_price or request.activation_price
    price = named or order.avg_px or engine.core.market.price(request.symbol)
    leverage = engine.state.leverages.get(order.key, 1)
    return None if price is None else initial_margin(order.qty * price, leverage)


def position_view(engine: Engine, key: Key) -> Position:
    """Show an engine's position at the market's mark price."""
    state, exposure = engine.state, engine.core.exposure
    position = state.position(key)
    mark = exposure.mark(key)
    leverage = state.leverages.get(key, 1)
    notional = abs(position.qty) * mark
    return Position(
        symbol=key[1],
        quantity=position.qty,
        entry_price=position.entry_price,
        mark_price=mark,
        unrealized_pnl=exposure.unrealized(key),
        leverage=leverage,
        realized_pnl=position.realized_pnl,
        fees=position.fees,
        funding=position.funding,
        margin=initial_margin(notional, leverage),
        margin_ratio=exposure.pool_of(key).ratio,
        opened_at=when(position.opened_ts) if position.opened_ts else None,
        account=key[0],
    )


def _daily_pnl(engine: Engine, name: AccountId, asset: str, now: int) -> Decimal:
    known = engine.state.account(name).benchmark(asset)
    is_today = known.day == now // NS_PER_DAY
    return engine.core.exposure.equity(name, asset) - known.day_equity if is_today else ZERO


def metrics_view(engine: Engine, name: AccountId, now: int) -> Metrics:
    """Show how an account stands."""
    state, exposure = engine.state, engine.core.exposure
    equity, wallet = exposure.shown_equity(name), exposure.shown_wallet(name)
    gross = exposure.gross_now(name)
    daily = (_daily_pnl(engine, name, asset, now) for asset in exposure.shown_assets(name))
    orders = [order for order in state.all_open_orders() if order.request.account == name]
    held = [key for key in state.open_keys() if key[0] == name]
    return Metrics(
        position_count=len(held),
        total_exposure=gross,
        unrealized_pnl=equity - wallet,
        daily_pnl=sum(daily, ZERO),
        equity=equity,
        wallet=wallet,
        free_margin=equity - exposure.initial_margin(name),
        margin_ratio=exposure.margin_ratio(name),
        open_orders=len(orders),
        orders_in_doubt=sum(order.is_in_doubt for order in orders),
        unprotected=sum(p.is_alarmed for p in state.parents.values() if p.key[0] == name),
        leverage=gross / equity if equity > ZERO else ZERO,
        is_killed=state.is_killed,
        time=when(now),
        account=name,
        without_stop=sum(uncovered(state, key) > ZERO for key in held),
    )

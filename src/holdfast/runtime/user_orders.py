"""What a user wrote of an order, turned into what the engine hears."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from ..model import messages as msg
from ..model.errors import InputError, UnknownOrderError
from ..model.values import (
    NS_PER_S,
    OPERATOR,
    ZERO,
    AccountId,
    Amount,
    ClOrdId,
    OrderType,
    Side,
    StrategyId,
    TimeInForce,
)
from .views import AMOUNTS, Order, amount, choice
from .wanted import symbol_of


def placed_id(order_id: str | None) -> ClOrdId:
    """Return the id of an order that was placed.

    Raises:
        UnknownOrderError: it never was.
        InputError: it is no id.
    """
    if order_id is None:
        raise UnknownOrderError("the order was never placed: it has no id")
    if not isinstance(order_id, str):
        raise InputError(f"an order is named by its id, was {order_id!r:.80}")
    return ClOrdId(order_id)


def request_of(order: Order, request_id: str = "") -> msg.PlaceRequest:
    """Turn a user's order into what the engine hears.

    Raises:
        InputError: a value can't be used.
    """
    given = {name: getattr(order, name) for name in AMOUNTS}
    request = msg.PlaceRequest(
        symbol=symbol_of(order.symbol),
        side=choice(Side, order.side, "side"),
        qty=positive(order.quantity, "quantity"),
        order_type=choice(OrderType, order.order_type, "order_type"),
        time_in_force=choice(TimeInForce, order.time_in_force, "time_in_force"),
        reduce_only=order.reduce_only,
        algo=order.algo,
        expire_ts=None if order.expire_at is None else since_1970(order.expire_at),
        strategy_id=StrategyId(order.strategy_id or OPERATOR),
        request_id=request_id,
        account=AccountId(order.account),
    )
    values = {name: positive(value, name) for name, value in given.items() if value is not None}
    return msgspec.structs.replace(request, **values)


def since_1970(when: datetime) -> int:
    """Return a time as nanoseconds UTC.

    Raises:
        InputError: it is no time, or does not say its time zone.
    """
    if not isinstance(when, datetime):
        raise InputError(f"expire_at must be a datetime, was {when!r:.80}")
    if when.tzinfo is None:
        raise InputError(f"expire_at must say its time zone, was {when.isoformat()}")
    return int(when.timestamp()) * NS_PER_S


def positive(value: Amount, name: str) -> Decimal:
    """Take a number that must be above zero.

    Raises:
        InputError: it is not; the text names it.
    """
    number = amount(value, name)
    if number <= ZERO:
        raise InputError(f"{name} must be above 0, was {value!r}")
    return number

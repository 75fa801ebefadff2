"""What a person is told beside an answer: what has no stop, what was not done, what stays."""

from __future__ import annotations

from decimal import Decimal

from ..engine.cover import cover, is_stop_of, uncovered
from ..engine.exits import closable
from ..engine.left_behind import left_at, rests
from ..engine.order import Order as EngineOrder
from ..engine.order import RequestState
from ..engine.state import State
from ..model import messages as msg
from ..model.signal import SignalGenerated
from ..model.values import (
    ENTRY,
    OPERATOR,
    ZERO,
    AccountId,
    ClOrdId,
    Key,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    SignalType,
    Symbol,
    TimeInForce,
    plain,
    to_decimal,
)
from .service import LiveTradingService
from .views import Order, Position, order_view

FILL_PATIENCE_S = 2.0
"""How long an answer waits for the end of an order that does not rest."""

Held = dict[Key, Decimal]


def positions_of(service: LiveTradingService) -> Held:
    """Return what is held, by which it is judged later what an order has done."""
    held = service.operations.positions() if service.is_running() else []
    return {key_of(each): to_decimal(each.quantity) for each in held}


def key_of(shown: Order | Position) -> Key:
    """Return the key of what is shown."""
    return AccountId(shown.account), Symbol(shown.symbol)


# What an order by hand would do


def by_hand(service: LiveTradingService, signal: SignalGenerated) -> msg.PlaceRequest | None:
    """Return the order that `place` would make of a wish of nobody's strategy; None of others.

    Where it names no quantity the sizing rules do: None where they come to nothing.
    """
    if signal.strategy_id != OPERATOR or signal.signal_type is SignalType.CLOSE:
        return None
    qty = _sized(service, signal) if signal.quantity is None else signal.quantity
    if qty is None:
        return None
    return msg.PlaceRequest(
        symbol=signal.symbol,
        side=Side(signal.signal_type.value),
        qty=qty,
        order_type=signal.order_type,
        price=signal.price,
        stop_loss=signal.stop_loss,
        take_profit=signal.take_profit,
        algo=signal.algo,
        account=signal.account,
    )


def _sized(service: LiveTradingService, signal: SignalGenerated) -> Decimal | None:
    plans = service.explain(signal).plans
    return next((plan.pattern.qty for plan in plans if plan.pattern.role is ENTRY), None)


# No stop


def of_exits(asked: msg.PlaceRequest, held: Decimal) -> list[str]:
    """Say of an order that opens that it has no stop, and of one that does not that it gets none.

    Args:
        held: the position as it is before it.
    """
    opened = ZERO if asked.reduce_only else asked.qty - min(asked.qty, closable(held, asked.side))
    if opened:
        bare = _bare(asked.symbol, asked.side.opposite, opened)
        return [bare] if asked.stop_loss is None else []
    named = {"stop_loss": asked.stop_loss, "take_profit": asked.take_profit}
    dropped = [f"{name} {plain(price)}" for name, price in named.items() if price is not None]
    if not dropped:
        return []
    verb = "is" if len(dropped) == 1 else "are"
    return [f"{' and '.join(dropped)} {verb} not put up: the order only closes what is held"]


def _bare(symbol: str, side: Side, qty: Decimal) -> str:
    put_up = f"place {symbol} {side.value} {plain(qty)} --type STOP_MARKET"
    return (
        "what this opens has no stop (orders by hand have the one that they name, --stop-loss); "
        f"`holdfast {put_up} --trigger-price PRICE --reduce-only` puts one up"
    )


def of_placed(service: LiveTradingService, placed: Order, before: Held) -> list[str]:
    """Say what is to be known of an order that was taken on, beside how it stands."""
    key = key_of(placed)
    state = service.live.engine.state
    asked = _asked_for(state, placed)
    notes = [] if asked is None else of_exits(asked, before.get(key, ZERO))
    has_exits = asked is not None and bool(asked.stop_loss or asked.take_profit)
    if placed.status is OrderStatus.FILLED and not has_exits and not uncovered(state, key):
        notes = []  # a stop of before covers it
    if _is_at_once(placed) and placed.status in _UNDER_WAY and not placed.is_in_doubt:
        filled = f"{plain(placed.filled_quantity)} of it has filled so far"
        notes.append(f"{filled}: `holdfast orders --all` shows what becomes of it")
    return notes


def _asked_for(state: State, placed: Order) -> msg.PlaceRequest | None:
    """Return what an order was taken on for, all of its parts."""
    order = state.orders.get(placed.id) if placed.id else None
    parent = state.parents.get(order.request.parent_id) if order else None
    if parent is None:
        return None
    start = parent.start
    return msg.PlaceRequest(
        symbol=start.symbol,
        side=start.side,
        qty=start.qty,
        reduce_only=start.order.reduce_only,
        stop_loss=start.stop_loss,
        take_profit=start.take_profit,
    )


_UNDER_WAY = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


def _is_at_once(order: Order) -> bool:
    ends = order.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}
    return order.order_type is OrderType.MARKET or (ends and not order.order_type.is_conditional)


async def at_once(service: LiveTradingService, placed: Order) -> Order:
    """Wait a while for the end of an order that does not rest, and return how it stands."""
    live = service.live
    order = live.engine.state.orders.get(placed.id) if placed.id else None
    if order is None or placed.status not in _UNDER_WAY or not _is_at_once(placed):
        return placed
    await live.shell.until(lambda: not order.is_open, FILL_PATIENCE_S)
    return order_view(live.engine, order)


def of_adjusted(service: LiveTradingService, position: Position, before: Held) -> list[str]:
    """Say that what an adjustment opened has no stop, and what rests on where it closed all."""
    key = key_of(position)
    held, then = to_decimal(position.quantity), before.get(key, ZERO)
    has_opened = held * then < ZERO or abs(held) > abs(then)
    bare = uncovered(service.live.engine.state, key)
    if not (has_opened and bare):
        return of_left(service, key)
    return [_bare(position.symbol, Side.SELL if held > ZERO else Side.BUY, bare)]


# What is put up again


def of_cancelled(service: LiveTradingService, taken: Order) -> list[str]:
    """Say of a stop or target of what is held that another one takes its place at once."""
    state = service.live.engine.state
    order = state.orders.get(taken.id) if taken.id else None
    parent = state.parents.get(order.request.parent_id) if order else None
    if order is None or parent is None or order.is_open or order.role not in _PROTECTIVE:
        return []
    if not cover(state, parent):
        return []
    what = "stop" if order.role is OrderRole.STOP_LOSS else "target"
    owner = parent.strategy_id
    return [
        f"it was the {what} of what {owner} holds, and is put up again: it goes with the position"
    ]


_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


# What stays


def of_left(service: LiveTradingService, key: Key | None = None) -> list[str]:
    """Say which orders rest on that can only close, where nothing is held; None: anywhere."""
    state = service.live.engine.state
    keys = state.open_orders if key is None else (key,)
    left = [order.cl_ord_id for each in keys for order in left_at(state, each)]
    if not left:
        return []
    is_one = len(left) == 1
    what = "order that can only close stays" if is_one else "orders that can only close stay"
    hint = "what is opened next may be closed by that"
    if service.is_running():
        hint += "; `holdfast cancel ID` takes one back, `cancel --all --exits` all, entries too"
    return [f"{len(left)} {what}: {', '.join(left)}; {hint}"]


def exits_by_hand(state: State) -> list[EngineOrder]:
    """Return what rests and can only close, but for the stops of what is held.

    A strategy's protective orders are none of them: they go with what they protect.
    """
    return [o for o in state.all_open_orders() if rests(o) and not is_stop_of(state, o)]


def staying(state: State) -> list[ClOrdId]:
    """Return the stops and exits of ours that nobody has asked back."""
    ours = (each for each in state.all_open_orders() if each.is_ours and not each.ending)
    kept = (each for each in ours if each.cancel is RequestState.NONE)
    return [o.cl_ord_id for o in kept if o.role is not ENTRY or o.request.reduce_only]

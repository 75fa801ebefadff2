"""What may happen in a script: the steps, and how one is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from holdfast.model import messages as msg
from holdfast.model.market import Funding
from holdfast.model.order_wish import OrderWish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    NS_PER_MS,
    NS_PER_S,
    OPERATOR,
    ZERO,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderType,
    Side,
    SignalType,
    StrategyId,
    Symbol,
    TimeInForce,
)
from holdfast.runtime.recovery import StateRecoveryService

if TYPE_CHECKING:
    from holdfast.engine.order import Order

    from .world import World

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
SYMBOLS = (BTC, ETH)
HOME = {BTC: 50_000.0, ETH: 3_000.0}
LOT = {BTC: Decimal("0.001"), ETH: Decimal("0.016")}  # worth about the same


class Killed(Exception):
    """The process ends here."""


class Step(NamedTuple):
    """Something that happens; the numbers choose the details, 0 to 999 each."""

    kind: str
    a: int = 0
    b: int = 0
    c: int = 0


def wait(world: World, step: Step) -> None:
    world.pass_time((100, 1_000, 3_000, 12_000)[step.a % 4] * NS_PER_MS)


def market(world: World, step: Step) -> None:
    symbol = SYMBOLS[step.a % 2]
    move = (-0.03, -0.012, -0.004, -0.0005, 0.0005, 0.004, 0.012, 0.03)[step.b % 8]
    if not 0.7 < world.prices[symbol] * (1 + move) / HOME[symbol] < 1.4:
        move = -move
    world.pass_time(NS_PER_S // 2)
    world.show(symbol, world.prices[symbol] * (1 + move), (0.004, 0.5, 50.0)[step.c % 3])


def quote(world: World, step: Step) -> None:
    world.quote(SYMBOLS[step.a % 2], (0.003, 0.01, 100.0)[step.b % 3])


def funding(world: World, step: Step) -> None:
    rate = (-0.001, 0.0001, 0.002)[step.b % 3]
    world.see(Funding(symbol=SYMBOLS[step.a % 2], ts=world.now, rate=rate))


_WISHES = (SignalType.BUY, SignalType.SELL, SignalType.BUY, SignalType.SELL, SignalType.CLOSE)


def signal(world: World, step: Step) -> None:
    symbol = SYMBOLS[step.a % 2]
    price, lot = Decimal(repr(world.prices[symbol])), LOT[symbol]
    kind = _WISHES[step.b % 5]
    sign = 1 if kind is SignalType.BUY else -1
    is_limit = step.c % 4 == 0 and kind is not SignalType.CLOSE
    world.hear(
        SignalGenerated(
            symbol=symbol,
            signal_type=kind,
            strategy_id=StrategyId("ab"[step.a // 2 % 2]),
            quantity=(None, lot * 4, lot * 10)[step.a // 4 % 3],
            order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            price=price * (1 - sign * Decimal("0.001")) if is_limit else None,
            stop_loss=(None, ZERO, price * (1 - sign * Decimal("0.005")))[step.c % 3],
            take_profit=(None, ZERO, price * (1 + sign * Decimal("0.005")))[step.b // 5 % 3],
            signal_id=("", "", f"n{step.a % 7}")[step.b // 15 % 3],
        )
    )


_TYPES = (OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET, OrderType.STOP_MARKET)
_TIMES = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTX)


def place(world: World, step: Step) -> None:
    symbol, side = SYMBOLS[step.a % 2], (Side.BUY, Side.SELL)[step.a // 2 % 2]
    instrument, price = world.instruments[symbol], Decimal(repr(world.prices[symbol]))
    near = instrument.round_price(price * (1 - side.sign * Decimal("0.002")))
    far = instrument.round_price(price * (1 + side.sign * Decimal("0.004")))
    kind = _TYPES[step.b // 3 % 4]
    is_reducing = step.c % 4 == 0
    has_stop = not is_reducing and step.c % 3 == 0
    world.hear(
        msg.PlaceRequest(
            symbol=symbol,
            side=side,
            qty=LOT[symbol] * (4, 15, 100)[step.b % 3],
            order_type=kind,
            price=near if kind is OrderType.LIMIT else None,
            trigger_price=far if kind is OrderType.STOP_MARKET else None,
            time_in_force=_TIMES[step.b // 12 % 4] if kind is OrderType.LIMIT else TimeInForce.GTC,
            reduce_only=is_reducing,
            stop_loss=near * (1 - side.sign * Decimal("0.01")) if has_stop else None,
            request_id=("", f"r{step.c % 5}")[step.c // 12 % 2],
        )
    )


def _some_entry(world: World, pick: int):
    orders = [o for o in world.state.all_open_orders() if o.role is OrderRole.ENTRY]
    return orders[pick % len(orders)] if orders else None


def cancel(world: World, step: Step) -> None:
    order = _some_entry(world, step.a)
    if order is None:
        return
    if wisher := _wisher_of(order, step):
        world.hear(OrderWish(strategy_id=wisher, cl_ord_id=order.cl_ord_id, is_cancel=True))
    else:
        world.hear(msg.CancelRequest(cl_ord_id=order.cl_ord_id))


def _wisher_of(order: Order, step: Step) -> StrategyId | None:
    """Return the strategy that asks, seldom another than the order's own; None for an operator."""
    if order.request.strategy_id == OPERATOR or step.c % 5 == 0:
        return None
    return StrategyId("a") if step.c % 5 == 1 else order.request.strategy_id


def modify(world: World, step: Step) -> None:
    order = _some_entry(world, step.a)
    if order is None or order.price is None:
        return
    move = (Decimal("-0.002"), ZERO, Decimal("0.002"), Decimal("0.01"))[step.b % 4]
    instrument = world.instruments[order.request.symbol]
    qty = (order.qty, order.qty * 2, order.qty / 2, order.qty + instrument.lot)[step.c % 4]
    price = order.price * (1 + move)
    if wisher := _wisher_of(order, step):
        world.hear(OrderWish(strategy_id=wisher, cl_ord_id=order.cl_ord_id, qty=qty, price=price))
        return
    world.hear(
        msg.ModifyRequest(
            cl_ord_id=order.cl_ord_id,
            qty=instrument.round_qty(qty),
            price=instrument.round_price(price),
        )
    )


def close(world: World, step: Step) -> None:
    world.hear(msg.CloseRequest(symbol=SYMBOLS[step.a % 2]))


def adjust(world: World, step: Step) -> None:
    symbol = SYMBOLS[step.a % 2]
    target = LOT[symbol] * (-12, -3, 0, 3, 12)[step.b % 5]
    world.hear(msg.AdjustRequest(symbol=symbol, target_qty=target))


def pause(world: World, step: Step) -> None:
    world.hear(msg.PauseSession(reason="test"))


def resume(world: World, step: Step) -> None:
    world.hear(msg.ResumeSession())


def kill_switch(world: World, step: Step) -> None:
    world.hear(msg.EngageKillSwitch(reason="test", flatten=step.b % 2 == 0))


def release(world: World, step: Step) -> None:
    world.hear(msg.ReleaseKillSwitch(operator="somebody"))


def stop(world: World, step: Step) -> None:
    world.hear(msg.StopSession(reason="test", flatten=step.b % 2 == 0))


def crash(world: World, step: Step) -> None:
    """Die now, or at one of the next writes: before it, after it, or among its commands."""
    if step.c % 3 == 0 and world.journal.sequence:
        StateRecoveryService(world.journal).save(world.state)
    if step.a % 2:
        raise Killed
    world.crash_at(step.a % 7, step.b % 3)


def silence(world: World, step: Step) -> None:
    world.delivery.silent_until = world.now + (2, 8, 25)[step.a % 3] * NS_PER_S


def link(world: World, step: Step) -> None:
    world.hear(msg.VenueLink(is_up=False, reason="test"))
    if step.a % 2:
        world.pass_time(step.b % 5 * NS_PER_S)
    world.hear(msg.VenueLink(is_up=True))


def strategy(world: World, step: Step) -> None:
    name = StrategyId("ab"[step.a % 2])
    if step.b % 4 == 0:
        world.hear(msg.StrategyFailed(strategy_id=name, reason="test"))
    else:
        world.hear(msg.StrategyAttached(strategy_id=name, description="test"))


def stranger(world: World, step: Step) -> None:
    """Another program trades on the same account, or takes an order of its own back."""
    symbol, side = SYMBOLS[step.a % 2], (Side.BUY, Side.SELL)[step.a // 2 % 2]
    price = world.instruments[symbol].round_price(
        Decimal(repr(world.prices[symbol])) * (1 - side.sign * Decimal("0.003"))
    )
    is_resting = step.b % 2 == 0
    order = NewOrder(
        cl_ord_id=ClOrdId(f"manual-{next(world.numbers)}"),
        symbol=symbol,
        side=side,
        qty=LOT[symbol] * (3, 8)[step.b // 2 % 2],
        order_type=OrderType.LIMIT if is_resting else OrderType.MARKET,
        price=price if is_resting else None,
    )
    world.pass_time(NS_PER_MS)
    world.venue._settle(world.venue.exchange.submit(order, world.now))


STEPS: dict[str, Callable[[World, Step], None]] = {
    each.__name__: each
    for each in (
        *(wait, market, quote, funding, signal, place, cancel, modify, close, adjust, pause),
        *(resume, kill_switch, release, stop, crash, silence, link, strategy, stranger),
    )
}
_OFTEN = {"signal": 12, "market": 8, "place": 8, "wait": 4, "modify": 4, "resume": 4, "release": 4}
ALONE = [kind for kind in STEPS if kind != "stranger"]
ALL = tuple(kind for kind in ALONE for _ in range(_OFTEN.get(kind, 1)))
ORDERS = (
    *("place", "modify", "modify", "market") * 3,
    "wait",
    "signal",
    "cancel",
    "quote",
    "crash",
)
POSITIONS = (*("signal", "market") * 4, "wait", "close", "adjust", "quote", "crash", "silence")


def script(seed: int, length: int = 60, kinds: tuple[str, ...] = ALL) -> list[Step]:
    """Draw a script."""
    lots = random.Random(seed)
    return [
        Step(lots.choice(kinds), lots.randrange(1000), lots.randrange(1000), lots.randrange(1000))
        for _ in range(length)
    ]

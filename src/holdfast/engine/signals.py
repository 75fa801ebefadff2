"""What a strategy's wish leads to: a plan to start, or the rule that it failed."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model import events as ev
from ..model.instrument import Instrument
from ..model.signal import SignalGenerated
from ..model.values import (
    LARGEST_AMOUNT,
    OPERATOR,
    ZERO,
    ClOrdId,
    Key,
    NewOrder,
    OrderRole,
    OrderType,
    Side,
    SignalType,
    StrategyId,
    TimeInForce,
    TradingSessionStatus,
    to_decimal,
)
from .algos import ALGOS
from .core import Core
from .parents import Plan, exit_plan, start_parent
from .sizing import market_parts, misplaced_exit, size_of_equity, stop_price, target_price
from .state import State


class Denial(NamedTuple):
    """Which rule a wish failed, and why."""

    rule: str
    reason: str


def on_signal(core: Core, signal: SignalGenerated) -> None:
    """Act on a wish once."""
    intent_id = core.next_intent()
    known = f"{signal.strategy_id} {signal.signal_id}"
    is_repeated = bool(signal.signal_id) and known in core.state.intents
    core.emit(ev.SignalReceived(ts=core.now, intent_id=intent_id, signal=signal))
    if is_repeated:
        denial: Denial | None = Denial("duplicate", f"signal {signal.signal_id} was heard before")
        plans: list[Plan] = []
    else:
        plans, denial = prepare(core, signal)
    for plan in plans:
        start_parent(core, plan, intent_id)
    if denial is not None:
        core.emit(
            ev.SignalDenied(
                ts=core.now, intent_id=intent_id, rule=denial.rule, reason=denial.reason
            )
        )


def prepare(core: Core, signal: SignalGenerated) -> tuple[list[Plan], Denial | None]:
    """Turn a wish into plans, changing nothing. A turn closes first and opens then."""
    key = (signal.account, signal.symbol)
    if signal.strategy_id in core.state.stopped_strategies:
        reason = core.state.stopped_strategies[signal.strategy_id]
        return [], Denial("strategy", f"{signal.strategy_id} was stopped: {reason}")
    if wrong := _wrong(signal):
        return [], Denial("signal", wrong)
    if signal.signal_type is SignalType.CLOSE:
        plans = close_plans(core.state, key, signal.strategy_id, signal.quantity)
        if not plans:
            return [], Denial("close", f"{signal.strategy_id} holds nothing of {signal.symbol}")
        return plans, None
    side = Side.BUY if signal.signal_type is SignalType.BUY else Side.SELL
    plans = []
    if holding(core.state, key, signal.strategy_id) * side.sign < ZERO:
        plans = close_plans(core.state, key, signal.strategy_id)
    entry = _entry_plan(core, signal, side)
    if isinstance(entry, Denial):
        return plans, entry
    return [*plans, entry], None


def _wrong(signal: SignalGenerated) -> str:
    """Say which field of a wish makes no sense; "" where all do."""
    if not 0 < signal.strength <= 1:
        return f"strength must be in (0, 1], was {signal.strength}"
    if signal.algo and signal.algo not in ALGOS:
        return f"there is no algorithm {signal.algo}; there are {', '.join(ALGOS)}"
    for name in ("quantity", "price", "stop_loss", "take_profit"):
        value: Decimal | None = getattr(signal, name)
        if value is None or (value.is_finite() and ZERO <= value <= LARGEST_AMOUNT):
            continue
        try:
            to_decimal(value, name)
        except ValueError as error:
            return str(error)
        if value < ZERO:
            return f"{name} must not be below 0, was {value:f}"
    return ""


def holding(state: State, key: Key, strategy_id: StrategyId) -> Decimal:
    """Return what a strategy holds of a symbol, signed; the operator holds the position."""
    if strategy_id == OPERATOR:
        return state.position(key).qty
    return sum(
        (
            parent.open_qty * parent.side.sign
            for parent in state.live_parents_of(key)
            if parent.strategy_id == strategy_id
        ),
        ZERO,
    )


def close_plans(
    state: State, key: Key, strategy_id: StrategyId, quantity: Decimal | None = None
) -> list[Plan]:
    """Plan to close a holding, or a part of it, at the market; none when nothing is left to close.

    What other exits of the same owner are already closing is not closed twice. More than the
    venue takes at once goes out in several orders.
    """
    held = holding(state, key, strategy_id)
    side = Side.SELL if held > ZERO else Side.BUY
    closing = sum(
        (
            order.leaves_qty
            for order in state.open_orders_of(key)
            if order.role is OrderRole.EXIT
            and order.side is side
            and order.request.order_type is OrderType.MARKET
            and strategy_id in (OPERATOR, order.request.strategy_id)
        ),
        ZERO,
    )
    left = abs(held) - closing
    qty = left if quantity is None else min(quantity, left)
    instrument = state.instruments.get(key)
    if instrument is not None:
        qty = instrument.round_qty(qty)
    parts = market_parts(qty, instrument)
    return [exit_plan(_pattern(key, side, part, strategy_id)) for part in parts]


def _pattern(key: Key, side: Side, qty: Decimal, strategy_id: StrategyId) -> NewOrder:
    return NewOrder(
        cl_ord_id=ClOrdId(""),
        account=key[0],
        symbol=key[1],
        side=side,
        qty=qty,
        strategy_id=strategy_id,
    )


def _entry_plan(core: Core, signal: SignalGenerated, side: Side) -> Plan | Denial:
    key = (signal.account, signal.symbol)
    if core.state.status is not TradingSessionStatus.RUNNING:
        return Denial("session", f"the session is {core.state.status.value}, not RUNNING")
    instrument = core.state.instruments.get(key)
    if instrument is None:
        return Denial("instrument", f"{signal.symbol} is not traded in this session")
    price = core.market.price(signal.symbol) if signal.price is None else signal.price
    if price is None:
        return Denial("stale_data", f"no price of {signal.symbol} yet")
    if price <= ZERO:
        return Denial("signal", f"price must be above 0, was {price:f}")
    order = _priced(core, signal, instrument, price, side)
    if isinstance(order, Denial):
        return order
    # Worth the most that the risk rules may value it at, or its own size would refuse it.
    dearest = max(price, core.exposure.dearest(key), order.price or ZERO)
    qty = _quantity(core, signal, instrument, dearest)
    if qty <= ZERO:
        return Denial("sizing", f"the size comes to less than the lot {instrument.lot:f}")
    stop = stop_price(side, price, signal.stop_loss, instrument, core.settings)
    target = target_price(side, price, signal.take_profit, instrument, core.settings)
    if fault := misplaced_exit(side, price, stop, target):
        return Denial("protection", fault)
    algo = signal.algo or ("bracket" if stop or target else "direct")
    return Plan(msgspec.structs.replace(order, qty=qty), algo, stop, target)


def _quantity(
    core: Core, signal: SignalGenerated, instrument: Instrument, price: Decimal
) -> Decimal:
    if signal.quantity is not None:
        return instrument.round_qty(signal.quantity * Decimal(repr(signal.strength)))
    return size_of_equity(
        core.exposure.equity(signal.account),
        price,
        signal.strength,
        instrument,
        core.settings.limits.position_size_pct,
    )


def _priced(
    core: Core, signal: SignalGenerated, instrument: Instrument, price: Decimal, side: Side
) -> NewOrder | Denial:
    """Make the order, but for its quantity: at the price asked, or the tolerance's."""
    order = NewOrder(
        cl_ord_id=ClOrdId(""),
        account=signal.account,
        symbol=signal.symbol,
        side=side,
        qty=ZERO,
        order_type=signal.order_type,
        time_in_force=signal.time_in_force,
        strategy_id=signal.strategy_id,
    )
    if signal.order_type not in (OrderType.MARKET, OrderType.LIMIT):
        kind = signal.order_type.value
        return Denial("signal", f"a signal's order is MARKET or LIMIT, was {kind}")
    if signal.order_type is OrderType.LIMIT:
        if signal.price is None:
            return Denial("signal", "a LIMIT signal needs a price")
        return msgspec.structs.replace(order, price=instrument.round_price(price, side))
    if core.settings.use_market_orders:
        return order
    worst = price * (1 + side.sign * core.settings.slippage_tolerance)
    return msgspec.structs.replace(
        order,
        order_type=OrderType.LIMIT,
        price=instrument.round_price(worst, side),
        time_in_force=TimeInForce.IOC,
    )

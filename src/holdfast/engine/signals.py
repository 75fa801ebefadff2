"""What a strategy's wish leads to: a plan to start, or the rule that it failed."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..model import events as ev
from ..model.instrument import Instrument
from ..model.signal import SignalGenerated
from ..model.values import (
    BUY,
    EXIT,
    LARGEST_AMOUNT,
    LIMIT,
    MARKET,
    NO_ID,
    OPERATOR,
    RUNNING,
    SELL,
    ZERO,
    Key,
    NewOrder,
    OrderRole,
    OrderType,
    Side,
    SignalType,
    StrategyId,
    TimeInForce,
    TradingSessionStatus,
    is_short,
    plain,
    to_decimal,
)
from .algos import find
from .core import Core
from .dust import closing_plans
from .endings import shut
from .first_parts import is_refused_as_a_whole
from .holdings import holding
from .parents import Plan, start_parent, unfit
from .parts import end_of_owner, of_owner
from .request_checks import where
from .sizing import (
    market_parts,
    misplaced_exit,
    outside_exit,
    size_of_equity,
    stop_price,
    target_price,
    vanished_exit,
    worst_price,
)
from .state import State

_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


class Denial(NamedTuple):
    """Which rule a wish failed, and why."""

    rule: str
    reason: str


class Terms(NamedTuple):
    """How an entry meets the market."""

    order_type: OrderType
    price: Decimal | None
    time_in_force: TimeInForce


def on_signal(core: Core, signal: SignalGenerated) -> None:
    """Act on a wish once."""
    intent_id = core.next_intent()
    named = signal.signal_id
    is_repeated = bool(named) and f"{signal.strategy_id} {named}" in core.state.intents
    core.emit(ev.SignalReceived(ts=core.now, intent_id=intent_id, signal=signal))
    if is_repeated:
        denial: Denial | None = Denial("duplicate", f"signal {signal.signal_id} was heard before")
        plans: list[Plan] = []
    else:
        plans, denial = prepare(core, signal)
        if denial is None or denial.rule == "close" or plans:
            _end_parts_against(core, signal)
    for plan in plans:
        if not is_refused_as_a_whole(core, plan, intent_id):
            start_parent(core, plan, intent_id)
    if denial is not None:
        core.emit(
            ev.SignalDenied(
                ts=core.now, intent_id=intent_id, rule=denial.rule, reason=denial.reason
            )
        )


def _end_parts_against(core: Core, signal: SignalGenerated) -> None:
    """End what the strategy's own earlier wishes would still send against this one."""
    key, owner = (signal.account, signal.symbol), signal.strategy_id
    if signal.signal_type is not SignalType.CLOSE:
        end_of_owner(core, key, owner, SELL if signal.signal_type is SignalType.BUY else BUY)
    elif signal.quantity is None:
        end_of_owner(core, key, owner)


def prepare(core: Core, signal: SignalGenerated) -> tuple[list[Plan], Denial | None]:
    """Turn a wish into plans, changing nothing. A turn closes first and opens then."""
    state, key = core.state, (signal.account, signal.symbol)
    if signal.strategy_id in state.stopped_strategies:
        reason = state.stopped_strategies[signal.strategy_id]
        return [], Denial("strategy", f"{signal.strategy_id} was stopped: {reason}")
    if state.status is TradingSessionStatus.STOPPED:
        return [], Denial("session", "the session is STOPPED: nobody would hear what comes of it")
    if wrong := _wrong(signal):
        return [], Denial("signal", wrong)
    if signal.signal_type is SignalType.CLOSE:
        plans = close_plans(state, key, signal.strategy_id, signal.quantity)
        if not plans and signal.quantity is None:
            plans = closing_plans(core, key, signal.strategy_id)
        if not plans:
            return [], Denial("close", _why_nothing_closes(state, key, signal))
        return plans, None
    side = BUY if signal.signal_type is SignalType.BUY else SELL
    held = holding(state, key, signal.strategy_id)
    plans = []
    if held * side.sign < ZERO:
        plans = _plans_to_close(state, key, signal.strategy_id, held)
    entry = _entry_plan(core, signal, key, side)
    if isinstance(entry, Denial):
        return plans, entry
    plans.append(entry)
    return plans, None


def _why_nothing_closes(state: State, key: Key, signal: SignalGenerated) -> str:
    owner, instrument = signal.strategy_id, state.instruments.get(key)
    held = holding(state, key, owner)
    left = abs(held) - _closing(state, key, SELL if held > ZERO else BUY, owner)
    what = "has nothing left to close" if held else "holds nothing"
    why = f"{owner} {what} of {signal.symbol}"
    if left > ZERO and instrument is not None:
        qty = left if signal.quantity is None else min(signal.quantity, left)
        least = max(instrument.lot, instrument.min_qty)
        why = f"{plain(qty)} of {signal.symbol} is less than the least order, {plain(least)}"
    going_on = signal.quantity is None and of_owner(state, key, owner)
    return f"{why}, and what it had going on in parts ends" if going_on else why


def _wrong(signal: SignalGenerated) -> str:
    """Say which field of a wish makes no sense; "" where all do."""
    if not 0 < signal.strength <= 1:
        return f"strength must be in (0, 1], was {signal.strength}"
    if signal.algo:
        try:
            find(signal.algo)
        except ValueError as error:
            return str(error)
    for value in (signal.quantity, signal.price, signal.stop_loss, signal.take_profit):
        if value is None:
            continue
        if not (value.is_finite() and ZERO <= value <= LARGEST_AMOUNT and is_short(value)):
            return _wrong_amount(signal)
    return ""


def _wrong_amount(signal: SignalGenerated) -> str:
    for name in ("quantity", "price", "stop_loss", "take_profit"):
        value: Decimal | None = getattr(signal, name)
        if value is None:
            continue
        try:
            to_decimal(value, name)
        except ValueError as error:
            return str(error)
        if value < ZERO:
            return f"{name} must not be below 0, was {value:f}"
    return ""


def close_plans(
    state: State, key: Key, strategy_id: StrategyId, quantity: Decimal | None = None
) -> list[Plan]:
    """Plan to close a holding, or a part of it, at the market; none when nothing is left to close.

    What other exits of the same owner are already closing is not closed twice. More than the
    venue takes at once goes out in several orders.
    """
    return _plans_to_close(state, key, strategy_id, holding(state, key, strategy_id), quantity)


def _plans_to_close(
    state: State,
    key: Key,
    strategy_id: StrategyId,
    held: Decimal,
    quantity: Decimal | None = None,
) -> list[Plan]:
    side = SELL if held > ZERO else BUY
    left = abs(held) - _closing(state, key, side, strategy_id)
    qty = left if quantity is None else min(quantity, left)
    instrument = state.instruments.get(key)
    if instrument is not None:
        qty = instrument.round_qty(qty)
        qty = qty if qty >= instrument.min_qty else ZERO
    parts = market_parts(qty, instrument)
    return [Plan(_exit(key, side, part, strategy_id), "direct") for part in parts]


def _closing(state: State, key: Key, side: Side, strategy_id: StrategyId) -> Decimal:
    """Return what exits at the market are closing already, and a strategy's stops and targets that
    have triggered. Whoever closes all of a position need not wait for what may come of those.
    """
    closing, is_operator = ZERO, strategy_id == OPERATOR
    for order in state.open_orders_of(key):
        request = order.request
        if request.side is not side or not (is_operator or strategy_id == request.strategy_id):
            continue
        is_exit = request.role is EXIT and request.order_type is MARKET
        if is_exit or (order.is_closing and request.role in _PROTECTIVE and not is_operator):
            closing += order.leaves_qty
    return closing


def _exit(key: Key, side: Side, qty: Decimal, strategy_id: StrategyId) -> NewOrder:
    return NewOrder(
        cl_ord_id=NO_ID,
        account=key[0],
        symbol=key[1],
        side=side,
        qty=qty,
        reduce_only=True,
        role=EXIT,
        strategy_id=strategy_id,
    )


def _entry_plan(core: Core, signal: SignalGenerated, key: Key, side: Side) -> Plan | Denial:
    if core.state.status is not RUNNING:
        return Denial("session", f"the session is {core.state.status.value}, not RUNNING")
    instrument = core.state.traded(key)
    if instrument is None:
        return Denial("instrument", f"{signal.symbol} is not traded {where(core, key)}")
    if why := shut(instrument, core.now, core.settings.end_notice_ns):
        return Denial("contract", why)
    if wrong := _wrong_terms(signal):
        return Denial("signal", wrong)
    price = core.market.price(signal.symbol) if signal.price is None else signal.price
    if price is None:
        return Denial("stale_data", f"no price of {signal.symbol} yet")
    if price <= ZERO:
        return Denial("signal", f"price must be above 0, was {price:f}")
    terms = _terms(core, signal, instrument, price, side)
    # Worth the most that the risk rules may value it at, or its own size would refuse it.
    dearest = max(price, core.exposure.dearest(key), terms.price or ZERO)
    qty = _quantity(core, signal, instrument, dearest)
    if qty <= ZERO:
        return Denial("sizing", f"the size comes to less than the lot {instrument.lot:f}")
    stop = stop_price(side, price, signal.stop_loss, instrument, core.settings)
    target = target_price(side, price, signal.take_profit, instrument, core.settings)
    market = None if signal.price is None else core.market.price(signal.symbol)
    limit = price if signal.price is None else terms.price or price  # on the tick: where it fills
    fault = vanished_exit(instrument, signal.stop_loss, signal.take_profit)
    fault = fault or outside_exit(instrument, stop, target)
    fault = fault or misplaced_exit(side, limit, stop, target, market) or ""
    if fault:
        return Denial("protection", fault)
    order = _entry(signal, side, qty, terms)
    algo = signal.algo or ("bracket" if stop or target else "direct")
    is_at_market = signal.order_type is MARKET and terms.price is not None
    plan = Plan(order, algo, stop, target, is_at_market=is_at_market)
    wrong = unfit(plan, instrument, dearest) if signal.algo else ""
    return Denial("algo", wrong) if wrong else plan


def _wrong_terms(signal: SignalGenerated) -> str:
    """Say why an entry can't meet the market as it is wished for; "" where it can."""
    kind, asked = signal.order_type, signal.time_in_force
    if kind not in _TIMES:
        return f"a signal's order is MARKET or LIMIT, was {kind.value}"
    if kind is LIMIT and signal.price is None:
        return "a LIMIT signal needs a price"
    if kind is MARKET and signal.price is not None:
        return f"a MARKET signal takes no price, was {plain(signal.price)}: say order_type LIMIT"
    if asked not in _TIMES[kind]:
        *some, last = (each.value for each in _TIMES[kind])
        takes = f"{', '.join(some)} or {last}"
        return f"a {kind.value} signal's time in force is {takes}, was {asked.value}"
    return ""


_TIMES = {
    MARKET: (TimeInForce.GTC, TimeInForce.IOC),
    LIMIT: (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTX),
}
"""What a wish may name by its type: it has no time at which a GTD would end."""


def _entry(signal: SignalGenerated, side: Side, qty: Decimal, terms: Terms) -> NewOrder:
    return NewOrder(
        cl_ord_id=NO_ID,
        account=signal.account,
        symbol=signal.symbol,
        side=side,
        qty=qty,
        order_type=terms.order_type,
        price=terms.price,
        time_in_force=terms.time_in_force,
        strategy_id=signal.strategy_id,
    )


def _quantity(
    core: Core, signal: SignalGenerated, instrument: Instrument, price: Decimal
) -> Decimal:
    if signal.quantity is not None:
        return instrument.round_qty(signal.quantity * Decimal(repr(float(signal.strength))))
    return size_of_equity(
        core.exposure.backing((signal.account, signal.symbol)),
        price,
        signal.strength,
        instrument,
        core.settings.limits.position_size_pct,
    )


def _terms(
    core: Core, signal: SignalGenerated, instrument: Instrument, price: Decimal, side: Side
) -> Terms:
    """Say how the order meets the market: at the price asked, or the tolerance's."""
    kind = signal.order_type
    if kind is MARKET and core.settings.use_market_orders:
        return Terms(MARKET, None, signal.time_in_force)
    if kind is MARKET:
        worst = worst_price(side, price, instrument, core.settings)
        return Terms(LIMIT, worst, TimeInForce.IOC)
    return Terms(LIMIT, instrument.round_price(price, side), signal.time_in_force)

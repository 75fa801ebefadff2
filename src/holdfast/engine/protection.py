"""Which position must have which stop at the venue, and what to do where it has not.

Rule 1: a parent with a stop has, for what it holds, exactly one working stop order at the venue.
Rule 2: a stop is replaced by placing the new one first; the old one goes when the new one works.
Rule 3: a stop that can't be placed (its price is passed, or the venue keeps refusing it for what
it is) means that the position is closed at the market: that is what the stop was for. What one that
has triggered closes already, or an exit of its strategy's, is not closed twice: beside it may lie
what another parent holds. Where the key, the clock or the service was refused, an order at the
market fares no better: the stop is asked for again, until it is there.
Rule 4: where dust is being closed by an order of a kind, that one stands for the protective one.
The same rules hold for targets; only stops raise alarms.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from typing import NamedTuple

from ..model import events as ev
from ..model.values import (
    NS_PER_S,
    ZERO,
    Key,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
)
from .contracts import is_stuck
from .core import Core
from .cover import WORKING, closes, cover, dust_exit, is_covered
from .dust import closing_plans, is_whole
from .holdings import worked_of
from .order import Order, RequestState
from .parent import REFUSALS_MAX as REFUSALS_MAX  # noqa: PLC0414 - it says what protection does
from .parent import Parent
from .parents import start_parent
from .refusals import is_unfit
from .sizing import market_parts
from .state import State

RETRY_NS = NS_PER_S
"""How long to wait after a refusal before the venue is asked again."""

RETRY_MAX_NS = 10 * NS_PER_S
"""The same after many refusals in a row: from the `REFUSALS_MAX`-th on the wait doubles."""

HALTED_RETRY_NS = 60 * NS_PER_S
"""The same in a contract that does not trade."""

WOULD_TRIGGER_AT_ONCE = -2021
"""What every adapter reports when a trigger price is already passed (Binance's number)."""

_TYPES = {
    OrderRole.STOP_LOSS: OrderType.STOP_MARKET,
    OrderRole.TAKE_PROFIT: OrderType.TAKE_PROFIT_MARKET,
}
_NEVER_WORKED = (
    OrderStatus.REJECTED,
    OrderStatus.NEVER_ARRIVED,
    OrderStatus.DENIED,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Put a protective order of this size at the venue, or one that closes whatever is held."""

    role: OrderRole
    qty: Decimal
    trigger_price: Decimal
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a protective order back."""

    order: Order


@dataclass(frozen=True, slots=True)
class CloseNow:
    """Close this much at the market."""

    qty: Decimal
    reason: str


Step = Place | Withdraw | CloseNow


class Failure(NamedTuple):
    """Why a parent can't be protected, and which of its orders' triggers the price has passed."""

    reason: str
    passed: OrderRole | None = None


def guard(core: Core, key: Key) -> None:
    """Bring every parent's protective orders of one symbol to where they must be."""
    for parent in core.state.live_parents_of(key):
        if parent.start.stop_loss is None and parent.start.take_profit is None:
            continue
        for step in plan(core.state, parent, core.now):
            _do(core, parent, step)
        _watch(core, parent)


def _wanted(
    state: State, parent: Parent, qty: Decimal, kind: OrderType, orders: list[Order]
) -> tuple[Decimal, bool]:
    """Return the size that a protective order can have, and whether it closes a whole position.

    What the venue takes no quantity of is guarded whole where nobody else holds a part; else as
    much of it as is on the lot. An order of before the lot grew guards all of it, and stays.
    `orders` are the parent's of this kind.
    """
    instrument = state.instruments.get(parent.key)
    if not qty or instrument is None or instrument.takes(qty):
        return qty, False
    if any(_works(o) and not o.request.close_position and o.leaves_qty == qty for o in orders):
        return qty, False
    if is_whole(state, parent.key, qty):
        return (ZERO if dust_exit(state, parent.key, kind) else qty), True
    part = instrument.round_qty(qty)
    return (part if part >= instrument.min_qty else ZERO), False


def plan(state: State, parent: Parent, now: int) -> list[Step]:
    """Return what is to be done for one parent; nothing while answers are awaited."""
    qty = cover(state, parent)
    children = state.children(parent)
    stuck = is_stuck(state, parent.key)
    if qty and not stuck and (failure := _failure(parent, children)):
        exits = [o for o in children if o.role is OrderRole.EXIT]
        is_closing = any(o.is_open or now - o.updated_ts < RETRY_NS for o in exits)
        if is_closing or was_just_refused(refused_of(exits), now):
            return _beyond(state, parent, qty, now)
        worked = worked_of(state, parent)
        if (left := qty - worked - _triggered(children, failure.passed)) > ZERO:
            return [*_beyond(state, parent, qty, now), CloseNow(left, failure.reason)]
        if worked:
            return _beyond(state, parent, qty, now)
    steps: list[Step] = []
    for role, kind in _TYPES.items():
        orders = [o for o in children if o.role is role]
        if not (stuck and _was_refused_within(refused_of(orders), now, HALTED_RETRY_NS)):
            size = _wanted(state, parent, qty, kind, orders)
            steps += _plan_role(parent, role, size, orders, now)
    return steps


def _beyond(state: State, parent: Parent, qty: Decimal, now: int) -> list[Step]:
    """Return the targets to take back that would close what others hold, besides their own."""
    if is_whole(state, parent.key, qty):
        return []
    orders = [o for o in state.children(parent) if o.role is OrderRole.TAKE_PROFIT]
    return [Withdraw(o) for o in orders if o.request.close_position and _is_removable(o, now)]


def _triggered(children: list[Order], passed: OrderRole | None) -> Decimal:
    """Return what protective orders are closing: those that have triggered, and those that the
    price has passed, whether or not that has been heard.
    """
    found = (o for o in children if o.role in _TYPES and o.is_open and o.status in WORKING)
    return sum((o.leaves_qty for o in found if o.is_closing or o.role is passed), ZERO)


def _failure(parent: Parent, children: list[Order]) -> Failure | None:
    """Say why the parent can't be protected; None when it can."""
    if parent.stop_failures >= REFUSALS_MAX:
        return Failure(f"the venue refused its stop {parent.stop_failures} times")
    for order in reversed(children):
        if order.role in _TYPES:
            if order.status is OrderStatus.REJECTED and order.code == WOULD_TRIGGER_AT_ONCE:
                return Failure(f"the price is past its {order.role.name.lower()}", order.role)
            if order.status in WORKING and order.role is OrderRole.STOP_LOSS:
                return None
    return None


def _plan_role(
    parent: Parent, role: OrderRole, size: tuple[Decimal, bool], orders: list[Order], now: int
) -> list[Step]:
    (qty, whole), price = size, parent.protective_price(role)
    working = [o for o in orders if _is_kept(o)]
    # An order that is not yet answered may not be there yet: it is taken back once it is.
    removable = [o for o in working if _is_removable(o, now)]
    if not qty or price is None:
        return [Withdraw(o) for o in removable]
    exact = [o for o in working if _works(o) and _is_exact(o, qty, is_whole=whole)]
    if exact:
        return [Withdraw(o) for o in removable if o is not exact[-1]]
    if any(o.status is OrderStatus.PENDING_NEW for o in orders if o.is_open):
        return []  # its answer comes, or its fence passes
    if any(o.status is not OrderStatus.NEW for o in working):
        return []  # it has triggered: it is closing the position right now
    if _is_given_up(role, orders):  # of what is there, none may close what others hold
        return [Withdraw(o) for o in removable if o.leaves_qty > qty or o.request.close_position]
    return [] if _must_wait(role, orders, now) else [Place(role, qty, price, whole)]


def _is_kept(order: Order) -> bool:
    """Tell whether an order is open, and is not to end."""
    return order.is_open and not order.ending and order.cancel is RequestState.NONE


def _works(order: Order) -> bool:
    """Tell whether an order is known to be there, and is not to end."""
    return _is_kept(order) and order.status in WORKING


def _is_removable(order: Order, now: int) -> bool:
    """Tell whether an order can be taken back now."""
    return _works(order) and now - order.cancel_rejected_ts >= RETRY_NS


def _is_exact(order: Order, qty: Decimal, *, is_whole: bool) -> bool:
    """Tell whether an order guards what is to be guarded, and nothing besides."""
    if order.request.close_position:
        return is_whole
    return order.leaves_qty == qty


def _must_wait(role: OrderRole, orders: list[Order], now: int) -> bool:
    """Tell whether the last one was refused a moment ago, or the venue wants no target at all."""
    return _is_given_up(role, orders) or was_just_refused(refused_of(orders), now)


def _is_given_up(role: OrderRole, orders: list[Order]) -> bool:
    """Tell whether the venue wants no target at all.

    A stop is never given up: what its refusals lead to is `_failure`'s to say.
    """
    unfit = sum(map(is_unfit, refused_of(orders)))
    return role is OrderRole.TAKE_PROFIT and unfit >= REFUSALS_MAX


def refused_of(orders: list[Order]) -> list[Order]:
    """Return the refused ones since the last that was not, newest first."""
    return list(takewhile(lambda o: o.is_refused, reversed(orders)))


def was_just_refused(refused: list[Order], now: int) -> bool:
    if not refused:
        return False
    doublings = min(max(len(refused) - REFUSALS_MAX, 0), 10)
    return _was_refused_within(refused, now, min(RETRY_NS << doublings, RETRY_MAX_NS))


def _was_refused_within(refused: list[Order], now: int, span_ns: int) -> bool:
    return bool(refused) and now - refused[0].updated_ts < span_ns


def is_settled(state: State, parent: Parent) -> bool:
    """Tell whether the parent can be left alone: its orders as they must be, and none too many.

    A target may be missing, or be of a part, where it was refused again and again.
    """
    if is_stuck(state, parent.key):
        return True  # the venue has the last word on what is open there
    qty, children = cover(state, parent), state.children(parent)
    for role, kind in _TYPES.items():
        orders = [o for o in children if o.role is role]
        there = [closes(o, qty) for o in orders if o.is_open]
        size = _wanted(state, parent, qty, kind, orders)[0]
        wanted = [size] if size and parent.protective_price(role) is not None else []
        is_hopeless = role is OrderRole.TAKE_PROFIT and len(refused_of(orders)) >= REFUSALS_MAX
        if is_hopeless and sum(there, ZERO) <= sum(wanted, ZERO):
            continue
        if there != wanted:
            return False
    return True


def _do(core: Core, parent: Parent, step: Step) -> None:
    match step:
        case Place():
            core.submit(_protective(core, parent, step))
        case Withdraw():
            core.cancel(step.order, "protection")
        case CloseNow():
            _close_now(core, parent, step)


def _close_now(core: Core, parent: Parent, step: CloseNow) -> None:
    """Close a holding at the market; told once, however often the venue refuses that.

    What is left of its entry is taken back: it would be closed for the same want of a stop.
    """
    core.cancel_openers(core.state.children(parent), step.reason)
    instrument, qty = core.state.instruments.get(parent.key), step.qty
    if instrument is not None:
        qty = instrument.round_qty(qty)
        qty = qty if qty >= instrument.min_qty else ZERO
    plans = [] if qty else closing_plans(core, parent.key, parent.start.strategy_id)
    exits = [o for o in core.state.children(parent) if o.role is OrderRole.EXIT]
    place = ("protection_closed", parent.start.account, f"{parent.parent_id} {bool(qty)}")
    is_told = bool(refused_of(exits)) if qty else place in core.told
    if (qty or plans) and not is_told:
        core.told[place] = core.now
        core.alarm(
            "protection_closed",
            f"{parent.start.symbol}: closing {step.qty:f} at the market, {step.reason}",
            parent.start.account,
            parent.start.symbol,
        )
    for part in market_parts(qty, instrument):
        core.submit(_exit(core, parent, part))
    for plan in plans:
        start_parent(core, plan, parent.start.intent_id)


def _protective(core: Core, parent: Parent, step: Place) -> NewOrder:
    start = parent.start
    price, instrument = step.trigger_price, core.state.instruments.get(parent.key)
    if instrument is not None:  # its tick may be another since the wish
        price = instrument.round_price(price) or price
    return NewOrder(
        cl_ord_id=core.next_cl_ord_id(parent.parent_id, step.role, start.strategy_id),
        account=start.account,
        symbol=start.symbol,
        side=start.side.opposite,
        qty=step.qty,
        order_type=_TYPES[step.role],
        trigger_price=price,
        reduce_only=True,
        close_position=step.is_whole,
        role=step.role,
        strategy_id=start.strategy_id,
        parent_id=parent.parent_id,
        intent_id=start.intent_id,
    )


def _exit(core: Core, parent: Parent, qty: Decimal) -> NewOrder:
    start = parent.start
    return NewOrder(
        cl_ord_id=core.next_cl_ord_id(parent.parent_id, OrderRole.EXIT, start.strategy_id),
        account=start.account,
        symbol=start.symbol,
        side=start.side.opposite,
        qty=qty,
        reduce_only=True,
        role=OrderRole.EXIT,
        strategy_id=start.strategy_id,
        parent_id=parent.parent_id,
        intent_id=start.intent_id,
    )


def _watch(core: Core, parent: Parent) -> None:
    """Raise the alarm when a stop has been missing too long, and call it off."""
    if is_covered(core.state, parent):
        if parent.is_alarmed:
            core.emit(ev.ProtectionRestored(ts=core.now, parent_id=parent.parent_id))
        return
    stops = (o for o in core.state.children(parent) if o.role is OrderRole.STOP_LOSS)
    ended = (o for o in stops if not o.is_open and o.status not in _NEVER_WORKED)
    since = max((o.updated_ts for o in ended), default=0)
    since = max(since, parent.opened_ts)
    if parent.is_alarmed or core.now - since < core.settings.protection_alarm_ns:
        return
    reason = f"{cover(core.state, parent):f} {parent.start.symbol} held without a working stop"
    core.emit(ev.ProtectionMissing(ts=core.now, parent_id=parent.parent_id, reason=reason))
    core.alarm("protection_missing", reason, parent.start.account, parent.start.symbol)

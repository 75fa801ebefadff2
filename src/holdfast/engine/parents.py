"""How parents are begun and worked: an algorithm decides, the core sends."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ..model import commands as cmd
from ..model import events as ev
from ..model.instrument import Instrument
from ..model.values import (
    OPERATOR,
    RUNNING,
    ZERO,
    IntentId,
    NewOrder,
    OrderRole,
    ParentId,
    TradingSessionStatus,
    plain,
)
from .algos import STARTED, Action, Cause, End, Moment, SendChild, WakeIn, find
from .core import Core
from .exits import trades_at_market
from .order import Order
from .parent import Parent
from .refusals import NOTHING, is_put_off
from .sizing import misplaced_exit, worst_price
from .state import State


class Plan(msgspec.Struct, frozen=True):
    """A parent that could be started: its pattern, its size and its exits.

    The pattern's ids are empty; its quantity is the whole one. With `is_at_market` its limit is
    the first part's alone. `closes_taken_over`: see `to_flatten`.
    """

    pattern: NewOrder
    algo: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    is_at_market: bool = False
    closes_taken_over: bool = False

    @property
    def legs(self) -> int:
        """Return how many protective orders it will have."""
        return (self.stop_loss is not None) + (self.take_profit is not None)


def start_parent(core: Core, plan: Plan, intent_id: IntentId, request_id: str = "") -> ParentId:
    """Take a quantity on and let its algorithm act for the first time."""
    parent_id = begin(core, plan, intent_id, request_id)
    advance(core, parent_id, STARTED)
    return parent_id


def _make_way(core: Core, pattern: NewOrder) -> None:
    """Take back what guards all of a position, for the order of its kind that closes it."""
    for order in core.state.open_orders_of(pattern.key):
        is_guard = order.is_ours and order.role in {OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT}
        is_twin = order.request.order_type is pattern.order_type and order.side is pattern.side
        if is_guard and is_twin and order.request.close_position:
            core.cancel(order, "it is closed nearer to the price")


def begin(core: Core, plan: Plan, intent_id: IntentId, request_id: str = "") -> ParentId:
    """Take a quantity on, and let nothing act yet."""
    pattern, parent_id = plan.pattern, core.next_parent()
    if pattern.close_position:
        _make_way(core, pattern)
        core.tried_ts[pattern.key] = core.now
    core.emit(
        ev.ParentStarted(
            ts=core.now,
            parent_id=parent_id,
            intent_id=intent_id,
            account=pattern.account,
            symbol=pattern.symbol,
            side=pattern.side,
            qty=pattern.qty,
            algo=plan.algo,
            strategy_id=pattern.strategy_id,
            order=pattern,
            stop_loss=plan.stop_loss,
            take_profit=plan.take_profit,
            request_id=request_id,
            is_at_market=plan.is_at_market,
            closes_taken_over=plan.closes_taken_over,
        )
    )
    return parent_id


def unfit(plan: Plan, instrument: Instrument, price: Decimal) -> str:
    """Say why the algorithm of a plan, as a wish names it, can't work it; "" where it can.

    Args:
        price: what a unit is worth.
    """
    order, most = plan.pattern, instrument.max_market_qty
    try:
        found, terms = find(plan.algo)
        found.check(terms, order, instrument, price)
    except ValueError as error:
        return f"{plan.algo}: {error}"
    if terms and plan.legs and order.qty > most:
        whole = f"its stop or target may be of all of it, {plain(order.qty)}"
        return f"{plan.algo}: {whole}; the most at the market is {plain(most)}"
    return ""


def goes_on(state: State, part: Order) -> bool:
    """Tell whether other parts have followed one that did not come about, or will: it is no word
    on the whole.
    """
    parent = state.parents.get(part.request.parent_id)
    if parent is None or not find(parent.start.algo)[1]:
        return False
    if not is_put_off(part) and part.status not in NOTHING:
        return False
    others = (each for each in state.children(parent) if each.role is OrderRole.ENTRY)
    if any(each.heard_ts and each.status not in NOTHING for each in others):
        return True
    is_final = part.is_refused and not is_put_off(part)
    return not is_final and parent.wake_ts is not None


def advance(core: Core, parent_id: ParentId, cause: Cause) -> None:
    """Ask a parent's algorithm what to do now, and do it."""
    parent = core.state.parents.get(parent_id)
    if parent is None or parent.is_over:
        if parent is not None and parent.is_untold:
            _tell_late(core, parent)
        return
    algo, terms = find(parent.start.algo)
    actions = algo.react(Moment(parent, core.state.children(parent), cause, core.now), terms)
    if cause is not STARTED and actions and _must_wait(core, parent):
        return
    for action in actions:
        if type(action) is not WakeIn or not parent.is_called_off:  # what is denied now is so
            _act(core, parent, action)


def _must_wait(core: Core, parent: Parent) -> bool:
    """Tell whether a parent is not worked on now; it is asked again when the session runs.

    What ends its work (the kill switch, a stop, the end of its strategy) has called its wakes
    off; what it would do next, because an order of it has ended, is not done either.
    """
    state = core.state
    if parent.is_called_off or state.is_killed or state.status in _ENDING:
        return True
    if parent.strategy_id in state.stopped_strategies:
        return True
    if state.status is RUNNING:
        return False
    if parent.wake_ts is None:
        core.emit(ev.WakeScheduled(ts=core.now, parent_id=parent.parent_id, due_ts=core.now))
    return True


_ENDING = frozenset({TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED})


def _act(core: Core, parent: Parent, action: Action) -> None:
    match action:
        case SendChild():
            _send(core, parent, action)
        case WakeIn():
            due_ts, parent_id = core.now + action.delay_ns, parent.parent_id
            core.emit(ev.WakeScheduled(ts=core.now, parent_id=parent_id, due_ts=due_ts))
            core.send(cmd.SetTimer(parent_id=parent_id, due_ts=due_ts))
        case End():
            _end(core, parent, action)


def _end(core: Core, parent: Parent, action: End) -> None:
    if action.reason:
        end(core, parent, action.reason)
    else:
        core.emit(ev.ParentWoken(ts=core.now, parent_id=parent.parent_id, is_over=True))
    if action.takes_back:
        core.cancel_openers(core.state.children(parent), action.takes_back)


def end(core: Core, parent: Parent, reason: str) -> None:
    """Send nothing of a parent any more, though not all has filled, and tell of that."""
    _tell_short(core, parent, reason)
    core.emit(ev.ParentWoken(ts=core.now, parent_id=parent.parent_id, is_over=True))


def end_early(core: Core, parent: Parent, reason: str) -> None:
    """End a parent before its time; whether it fell short is told once that is known.

    What its own strategy has closed a part of would have ended by that, and without a word.
    """
    if left_of(core.state, parent) > ZERO and not _is_closed_by_its_own(core.state, parent):
        end(core, parent, reason)
    else:
        number = parent.parent_id
        core.emit(ev.ParentWoken(ts=core.now, parent_id=number, is_over=True, is_untold=True))


def left_of(state: State, parent: Parent) -> Decimal:
    """Return what of a parent has neither filled nor is at the venue, or on its way, to do so."""
    return Moment(parent, state.children(parent), Cause.WOKEN, 0).left


def _is_closed_by_its_own(state: State, parent: Parent) -> bool:
    moment = Moment(parent, state.children(parent), Cause.WOKEN, 0)
    return moment.is_closed_in_part and not parent.taken_qty


def _tell_late(core: Core, parent: Parent) -> None:
    """Tell of what was ended while all of it was at the venue, and has not filled there."""
    children = core.state.children(parent)
    rests = any(each.is_open and each.role is OrderRole.ENTRY for each in children)
    is_short = parent.filled_qty < parent.start.qty
    if is_short and not rests and not _is_closed_by_its_own(core.state, parent):
        end(core, parent, "taken back, or closed by hand, with its last part at the venue")


def _send(core: Core, parent: Parent, action: SendChild) -> None:
    if parent.attempts and (wrong := _misplaced(core, parent)):
        end(core, parent, wrong)  # an entry would be closed at once
    elif parent.attempts and _is_being_closed(core, parent):
        return  # what has closed a part ends it: it is asked again at its next time
    elif (part := on_the_lot(core, parent, action.qty)) > ZERO:
        _send_part(core, parent, part)
    elif action.or_end:
        too_small = f"a part of {plain(action.qty)} is less than the venue takes by now"
        end(core, parent, too_small)


def _send_part(core: Core, parent: Parent, qty: Decimal) -> None:
    start, order = parent.start, child(core, parent, qty)
    if start.is_at_market and core.market.price(start.symbol) is None:
        core.deny(order, "stale_data", f"no price of {start.symbol} yet")
    else:
        core.submit(order)


def _is_being_closed(core: Core, parent: Parent) -> bool:
    """Tell whether an exit trades that may close what the parent has opened: a stop or target of
    its own that has triggered, or one at the market of its strategy's or the operator's; or is to,
    for want of a stop.
    """
    if parent.wants_a_stop:
        return True
    for order in core.state.open_orders_of(parent.key):
        request = order.request
        if request.side is parent.side:
            continue
        is_theirs = request.strategy_id in {parent.strategy_id, OPERATOR}
        is_exit = request.role is OrderRole.EXIT and trades_at_market(order)
        is_own_stop = order.is_closing and request.parent_id == parent.parent_id
        if is_own_stop or (is_exit and is_theirs):
            return True
    return False


def _misplaced(core: Core, parent: Parent) -> str | None:
    """Say what is wrong with a later part's stop or target, by where the market is now."""
    start, market = parent.start, core.market.price(parent.start.symbol)
    entry = market if start.is_at_market else part_price(core.state, parent) or market
    if entry is None:
        return None
    return misplaced_exit(start.side, entry, start.stop_loss, start.take_profit, market)


def _tell_short(core: Core, parent: Parent, reason: str) -> None:
    """Tell that a parent ended short; what comes late of its parts changes nothing."""
    start, name = parent.start, parent.start.algo.partition(":")[0]
    filled = f"{plain(parent.filled_qty)} of {plain(start.qty)} filled"
    text = f"{start.symbol}: {name} {start.parent_id} of {start.strategy_id} ended"
    text = f"{text} with {filled}: {reason}"
    core.alarm("algo_short", text, start.account, start.symbol)


def on_the_lot(core: Core, parent: Parent, qty: Decimal) -> Decimal:
    """Round a part of a parent down to the lot, and to what the contract takes in one order; the
    whole is as it was asked for.
    """
    instrument = core.state.instruments.get(parent.key)
    if instrument is None or qty == parent.start.qty:
        return qty
    is_market = parent.start.order.price is None or parent.legs
    most = instrument.max_market_qty if is_market else instrument.max_qty
    qty = instrument.round_qty(min(qty, most))
    return qty if qty >= instrument.min_qty else ZERO


def may_go_on(parent: Parent) -> bool:
    """Tell whether a parent that goes out in parts may have another."""
    is_ended = parent.is_over or parent.is_called_off
    return (
        bool(find(parent.start.algo)[1]) and not is_ended and parent.filled_qty < parent.start.qty
    )


def rearm(core: Core) -> None:
    """Set the timers of what is to be worked on at a time, past or to come."""
    for ids in core.state.live_parents.values():
        for parent in (core.state.parents[i] for i in ids):
            if parent.wake_ts is not None:
                core.send(cmd.SetTimer(parent_id=parent.parent_id, due_ts=parent.wake_ts))


def child(core: Core, parent: Parent, qty: Decimal) -> NewOrder:
    """Make an order of the parent's pattern."""
    start = parent.start
    pattern, parent_id = start.order, start.parent_id
    return replace(
        pattern,
        cl_ord_id=core.next_cl_ord_id(parent_id, pattern.role, pattern.strategy_id),
        qty=qty,
        price=_limit(core, parent),
        parent_id=parent_id,
        intent_id=start.intent_id,
    )


def _limit(core: Core, parent: Parent) -> Decimal | None:
    """Return the limit of a part that would go out now; the first one's where no price is known."""
    start = parent.start
    if not start.is_at_market:
        return part_price(core.state, parent)
    price, instrument = core.market.price(start.symbol), core.state.instruments.get(parent.key)
    if price is None or instrument is None:
        return start.order.price
    return worst_price(start.side, price, instrument, core.settings)


def part_price(state: State, parent: Parent) -> Decimal | None:
    """Return the limit that its newest part at the venue has: whoever amends one means the rest.

    None for parts at the market; of slices at the market by a limit it is the newest one's.
    """
    entries = (o for o in reversed(state.children(parent)) if o.role is OrderRole.ENTRY)
    newest = next((each for each in entries if each.status not in NOTHING), None)
    is_forgotten = newest is None or newest.created_ts < parent.last_price_ts
    price = parent.last_price if newest is None or is_forgotten else newest.price
    return price or parent.start.order.price


def wake(core: Core, parent_id: ParentId) -> None:
    """Let a parent's algorithm act at its time; where the session does not run, when it does."""
    parent = core.state.parents.get(parent_id)
    if parent is None or parent.wake_ts is None or parent.wake_ts > core.now:
        return  # ended meanwhile, or woken by an earlier timer
    if core.state.status is not RUNNING:
        return
    due_ts = parent.wake_ts
    advance(core, parent_id, Cause.WOKEN)
    if parent.wake_ts == due_ts:  # else it is to be woken again: on record without a gap between
        core.emit(ev.ParentWoken(ts=core.now, parent_id=parent_id))


def exit_plan(pattern: NewOrder) -> Plan:
    """Plan a reduce-only order: no exits of its own."""
    return Plan(
        pattern=replace(pattern, reduce_only=True, role=OrderRole.EXIT),
        algo="direct",
    )

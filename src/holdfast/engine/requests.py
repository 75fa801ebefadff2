"""What an operator, or a program in an operator's place, asks for by hand."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ..model import commands as cmd
from ..model import events as ev
from ..model import messages as msg
from ..model.errors import InputError, SessionStateError, UnknownOrderError
from ..model.instrument import Instrument
from ..model.values import (
    ENTRY,
    ZERO,
    ClOrdId,
    IntentId,
    Key,
    NewOrder,
    OrderType,
    Side,
    TimeInForce,
    TradingSessionStatus,
    plain,
)
from .closing import close_position, flatten
from .core import Core
from .cover import closes
from .exits import closable
from .first_parts import is_refused_at_once
from .order import Order, RequestState
from .parent import Parent
from .parents import Plan, exit_plan, rearm, start_parent
from .parts import end_parts, is_worked, name_of, named, open_parts, take_back, worked
from .request_checks import (
    check_algo,
    check_amount,
    check_books,
    check_hears,
    check_request,
    where,
)
from .risk import first_refusal
from .sizing import market_parts, misplaced_exit, worst_price
from .state import State

CUT_OFF = "the stop goes on that was asked for before the process ended"


def on_place(core: Core, request: msg.PlaceRequest) -> None:
    """Take an order on by hand. A repeated `request_id` changes nothing.

    One in parts whose first a rule refuses is refused as a whole: a person is told so.

    Raises:
        InputError: the request contradicts itself, or another order has its id; nothing was
            recorded.
    """
    known = f"{request.strategy_id} {request.request_id}"
    if request.request_id and known in core.state.intents:
        _check_repeated(core, request, core.state.intents[known])
        return
    plan, intent_id = plan_of(core, request), core.next_intent()
    if not is_refused_at_once(core, plan, intent_id, request.request_id):
        start_parent(core, plan, intent_id, request.request_id)


def _check_repeated(core: Core, request: msg.PlaceRequest, intent_id: IntentId) -> None:
    """Refuse an order under the id of another one: it would go nowhere, and be told as that one.

    Prices may be another's by now; of one that was refused in parts the first part alone is known.
    """
    begun = (p.start for p in core.state.parents.values() if p.start.intent_id == intent_id)
    first = next(begun, None)
    if first is None:
        return
    qty = first.qty if request.algo else request.qty
    wanted = (request.account, request.symbol, request.side, qty)
    if (first.account, first.symbol, first.side, first.qty) != wanted:
        known = f"{first.side.value} {plain(first.qty)} {first.symbol} on {first.account}"
        other = f"{request.side.value} {plain(request.qty)} {request.symbol} on {request.account}"
        raise InputError(f"{request.request_id} is the request of {known}: {other} needs its own")


def plan_of(core: Core, request: msg.PlaceRequest) -> Plan:
    """Turn a request into a plan, changing nothing.

    Raises:
        InputError: the request contradicts itself.
    """
    check_request(core, request)
    order = NewOrder(
        cl_ord_id=ClOrdId(""),
        account=request.account,
        symbol=request.symbol,
        side=request.side,
        qty=request.qty,
        order_type=request.order_type,
        price=request.price,
        trigger_price=request.trigger_price,
        working_type=request.working_type,
        callback_rate=request.callback_rate,
        activation_price=request.activation_price,
        time_in_force=request.time_in_force,
        expire_ts=request.expire_ts,
        strategy_id=request.strategy_id,
    )
    algo = request.algo or ("bracket" if request.stop_loss or request.take_profit else "direct")
    plan = Plan(order, algo, request.stop_loss, request.take_profit)
    is_limited = not (core.settings.use_market_orders or request.reduce_only)
    if is_limited and core.risk_context().adds_risk(order):
        plan = _opening(core, plan)
    check_algo(core, request, plan)
    return exit_plan(order) if request.reduce_only else plan


def _opening(core: Core, plan: Plan) -> Plan:
    """Give what opens at the market the limit that it has without market orders.

    Without a price to set it by the plan is at the market and has none: it is denied for that.
    """
    order, market = plan.pattern, core.market.price(plan.pattern.symbol)
    if order.order_type is not OrderType.MARKET or core.settings.use_market_orders:
        return plan
    if market is None:
        return replace(plan, is_at_market=True)
    limit = worst_price(order.side, market, core.state.instruments[order.key], core.settings)
    terms = {"order_type": OrderType.LIMIT, "price": limit, "time_in_force": TimeInForce.IOC}
    return replace(plan, pattern=replace(order, **terms), is_at_market=True)


def on_cancel(core: Core, request: msg.CancelRequest) -> None:
    """Take an order back; one that is worked in parts ends, whichever part of it is named.

    Raises:
        UnknownOrderError: no such order.
        SessionStateError: the order has ended already, and nothing follows it.
    """
    name = request.cl_ord_id
    if not take_back(core, name, request.reason):
        core.cancel(_open_order(core, name), request.reason)


def on_modify(core: Core, request: msg.ModifyRequest) -> None:
    """Amend a resting limit order, after the same checks as a new one.

    Raises:
        UnknownOrderError: no such order.
        SessionStateError: the order has ended, is in doubt, or is being amended.
        InputError: it is no limit order, or no single one; or the amendment changes nothing, is no
            number, or goes past the order's own stop or target.
    """
    order = _open_order(core, request.cl_ord_id)
    if order.request.order_type is not OrderType.LIMIT or order.price is None:
        kind = order.request.order_type.value
        raise InputError(f"only LIMIT orders can be amended, {order.cl_ord_id} is {kind}")
    if order.is_in_doubt or order.replace is not RequestState.NONE:
        raise SessionStateError(f"{order.cl_ord_id} is in doubt or being amended: wait for it")
    check_amount("quantity", request.qty)
    check_amount("price", request.price)
    qty, price = request.qty or order.qty, request.price or order.price
    _check_left(order, qty)
    parent = core.state.parents.get(order.request.parent_id)
    if parent is not None and price != order.price:
        start = parent.start
        market = core.market.price(order.request.symbol)
        exits = start.stop_loss, start.take_profit
        if fault := misplaced_exit(start.side, price, *exits, market):
            raise InputError(fault)
    if (qty, price) == (order.qty, order.price):
        raise InputError(f"{order.cl_ord_id} is {qty:f} at {price:f} already")
    _amend(core, order, qty, price)


def _check_left(order: Order, qty: Decimal) -> None:
    """Refuse to amend what has ended at the venue, or would by that; fills may be owed here."""
    if order.ending:
        raise SessionStateError(f"order {order.cl_ord_id} is {order.ending.value} already")
    executed = max(order.cum_qty, order.reported_qty)
    if executed >= order.qty:
        raise SessionStateError(f"order {order.cl_ord_id} has filled: its fills are on their way")
    if qty <= executed:
        raise InputError(f"an amendment needs more than the executed {executed:f}, was {qty:f}")


def _amend(core: Core, order: Order, qty: Decimal, price: Decimal) -> None:
    becomes = msgspec.structs.replace(order.request, qty=qty - order.cum_qty, price=price)
    refusal = first_refusal(core.judge(becomes))
    if refusal is None:
        core.replace(order, qty, price)
        return
    core.emit(
        ev.ReplaceRejected(
            ts=core.now,
            cl_ord_id=order.cl_ord_id,
            reason=f"{refusal.rule}: {refusal.reason}",
        )
    )


def _open_order(core: Core, cl_ord_id: ClOrdId) -> Order:
    order = core.state.orders.get(cl_ord_id)
    if order is None and (parent := named(core, cl_ord_id)) is not None:
        if is_worked(core.state, parent):
            raise InputError(_amends_parts(core, parent))
        raise SessionStateError(f"{name_of(parent)} has ended already")
    if order is None:
        raise UnknownOrderError(f"no order {cl_ord_id} is known")
    if not order.is_open:
        raise SessionStateError(f"order {cl_ord_id} is {order.status.value} already")
    return order


def _amends_parts(core: Core, parent: Parent) -> str:
    """Say what can be done with what goes on in parts: the whole of it can't be amended."""
    parts = ", ".join(part.cl_ord_id for part in open_parts(core.state, parent))
    what = f": amend its open part {parts}, or" if parts else ", and none is open:"
    return f"{name_of(parent)} goes on in parts{what} cancel {parent.parent_id}"


def on_close(core: Core, request: msg.CloseRequest) -> None:
    """Close a position at the market; entries that would open it again are taken back, and those
    that go on in parts ended.

    Raises:
        SessionStateError: the session has ended.
    """
    check_hears(core)
    key = (request.account, request.symbol)
    end_parts(core, key, f"the position was closed by hand ({request.reason})")
    core.cancel_openers(core.state.open_orders_of(key), request.reason)
    close_position(core, key)


def on_adjust(core: Core, request: msg.AdjustRequest) -> None:
    """Trade a position to a signed target: what closes goes reduce-only, the rest as an entry.

    What orders under way at the market will do is not done twice. A position that is off the lot
    stays so by what is less than one. With the target 0 nothing goes on in parts any more.
    """
    key = (request.account, request.symbol)
    instrument = core.state.contract(key)
    if instrument is None:
        raise InputError(f"{request.symbol} is not traded {where(core, key)}")
    check_books(core, request.account)
    check_amount("target", abs(request.target_qty) or None)
    if not instrument.is_on_lot(request.target_qty):
        lot = instrument.lot
        raise InputError(f"target {request.target_qty:f} is no multiple of the lot {lot:f}")
    plans = _plans_to(core, request, instrument)
    if not request.target_qty:
        for parent in worked(core.state, key):
            take_back(core, ClOrdId(parent.parent_id), "the position was adjusted to 0")
    intent = core.next_intent()
    for plan in plans:
        start_parent(core, plan, intent)


def _plans_to(core: Core, request: msg.AdjustRequest, instrument: Instrument) -> list[Plan]:
    """Plan what leads to a target, changing nothing; none where that is under way."""
    key = (request.account, request.symbol)
    now_qty = _qty_under_way(core, key)
    delta = request.target_qty - now_qty
    if not delta:
        return []
    side = Side.BUY if delta > ZERO else Side.SELL
    closing = min(abs(delta), abs(now_qty)) if now_qty * delta < ZERO else ZERO
    closing, opening = (instrument.round_qty(q) for q in (closing, abs(delta) - closing))
    if not closing and not opening:
        less = f"{plain(abs(delta))} of {request.symbol} is less than the lot"
        raise InputError(f"{less} {plain(instrument.lot)}")
    if opening and core.state.traded(key) is None:
        raise InputError(f"{request.symbol} is not traded {where(core, key)}: it can be closed")
    plans = [exit_plan(_market(request, side, part)) for part in market_parts(closing, instrument)]
    if opening:
        plans.append(_opening(core, Plan(_market(request, side, opening), "direct")))
    return plans


def _qty_under_way(core: Core, key: Key) -> Decimal:
    """Return the position as it will be once the open orders at the market have filled."""
    qty = core.state.position(key).qty
    for order in at_the_market(core.state, key):
        most = closable(qty, order.side) if order.request.reduce_only else order.leaves_qty
        qty += min(closes(order, most), most) * order.side.sign
    return qty


def at_the_market(state: State, key: Key) -> list[Order]:
    """Return the open orders that trade at the market, those with the tolerance's limit too."""
    return [order for order in state.open_orders_of(key) if _is_at_market(state, order)]


def _is_at_market(state: State, order: Order) -> bool:
    if order.request.order_type is OrderType.MARKET or order.is_closing:
        return order.price is None  # else it turned out to rest
    parent = state.parents.get(order.request.parent_id)
    return order.role is ENTRY and parent is not None and parent.start.is_at_market


def _market(request: msg.AdjustRequest, side: Side, qty: Decimal) -> NewOrder:
    return NewOrder(
        cl_ord_id=ClOrdId(""),
        account=request.account,
        symbol=request.symbol,
        side=side,
        qty=qty,
    )


def on_kill(core: Core, request: msg.EngageKillSwitch) -> None:
    """Block everything new, take everything back, and verify it with the venue."""
    core.emit(ev.KillSwitchEngaged(ts=core.now, reason=request.reason, flatten=request.flatten))
    core.cancel_entries(f"kill switch: {request.reason}", with_exits=True)
    if request.flatten:
        flatten(core, at_once=True)
    core.kill_looks.clear()
    for account in core.state.named_accounts:
        core.resync(account, "kill switch")


def on_release(core: Core, request: msg.ReleaseKillSwitch) -> None:
    """Lift the block.

    Raises:
        SessionStateError: the switch is not engaged.
        InputError: nobody answers for it.
    """
    if not core.state.is_killed:
        raise SessionStateError("the kill switch is not engaged")
    if not request.operator.strip():
        raise InputError("an operator's name is needed to release the kill switch")
    core.emit(ev.KillSwitchReleased(ts=core.now, operator=request.operator))


def on_resume(core: Core, request: msg.ResumeSession) -> None:
    """Take new risk again."""
    _check_started(core)
    core.move(TradingSessionStatus.RUNNING, request.reason or "resumed")
    rearm(core)
    tell_block(core)


def tell_block(core: Core) -> None:
    """Say that the kill switch goes on blocking a session that runs: its status alone does not."""
    if core.state.is_killed and core.state.status is TradingSessionStatus.RUNNING:
        why = core.state.kill_reason
        text = f"nothing new is opened: the kill switch is engaged ({why}) until it is released"
        core.send(cmd.Notify(level="warning", text=f"the session is RUNNING, but {text}"))


def tell_left(core: Core) -> None:
    """Say in a new session that a person's word to the one before, cut off by a crash, is void."""
    state = core.state
    if state.status is TradingSessionStatus.PAUSED or state.is_to_stop:
        left = f"the session before was left {state.status.value} ({state.status_reason})"
        left += " with a stop that was to flatten" if state.stop_flattens else ""
        text = f"{left}: this is a new one, and does not heed that"
        core.send(cmd.Notify(level="warning", text=text))


def _check_started(core: Core) -> None:
    """Refuse to pause or resume past the comparison with the venue, which alone ends a start.

    Raises:
        SessionStateError: the session is STARTING.
    """
    if core.state.status is TradingSessionStatus.STARTING:
        raise SessionStateError("the session is STARTING: the venue's books come first")


def on_pause(core: Core, request: msg.PauseSession) -> None:
    """Stop taking new risk; exits and protection go on."""
    _check_started(core)
    core.move(TradingSessionStatus.PAUSED, request.reason)
    if core.settings.cancel_entries_on_pause:
        core.cancel_entries(f"paused: {request.reason}", is_pause=True)


def on_stop(core: Core, request: msg.StopSession) -> None:
    """Take back what rests in the book; the session is STOPPED once that has ended.

    One that is STOPPING, or in ERROR, can still be told to close its positions too.
    """
    ends = (TradingSessionStatus.STOPPING, TradingSessionStatus.ERROR)
    if not (request.flatten and core.state.status in ends):
        core.move(TradingSessionStatus.STOPPING, request.reason)
        core.cancel_entries(f"stopping: {request.reason}", with_exits=True)
    if request.flatten:
        core.emit(ev.FlattenRequested(ts=core.now, reason=request.reason))
        flatten(core, at_once=True)


def stop_on(core: Core) -> None:
    """Carry out the stop that was asked for before the process before this one ended."""
    core.move(TradingSessionStatus.STOPPING, CUT_OFF)
    core.alarm("stop_cut_off", f"{CUT_OFF}: carried out now; start once more for a new session")
    core.cancel_entries(CUT_OFF, with_exits=True)

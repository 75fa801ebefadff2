"""Orders that the venue names and the journal does not know: others', and our own that were lost.

Rule 1: what is open is taken on and counted, and told of; a closed one is history. One that the
        journal knows as over is open where the venue lists it past the fence of its end.
Rule 2: an id of ours names its owner, shortened, and a parent where it can be meant.
Rule 3: an entry of ours whose wish is gone is its strategy's, and has the stop that the settings
        give to wishes without.
Rule 4: what may be the child of a conditional order of ours, under a name of the venue's, is left
        until that order was asked after, once.
Rule 5: an id of a later epoch than ours means that another process has taken the account over.
"""

from __future__ import annotations

import msgspec

from ..model import events as ev
from ..model.errors import Fenced
from ..model.ids import Owner, by_number, parse_cl_ord_id, venue_closing
from ..model.messages import ExecType, ExecutionReport
from ..model.values import (
    NS_PER_S,
    OPERATOR,
    ZERO,
    ClOrdId,
    Key,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
    ParentId,
    StrategyId,
    TradingSessionStatus,
)
from .core import Core
from .order import Order
from .sizing import stop_price

CLOSINGS_NS = 60 * NS_PER_S
"""Of what the venue closes of itself in a symbol in so long the first execution is told of."""

USUAL_NS = 600 * NS_PER_S
"""How long an order of somebody else's is told of for the next ones in its symbol too: another
program on the account may place hundreds an hour."""

_TAKING_RISK = (
    TradingSessionStatus.STARTING,
    TradingSessionStatus.RUNNING,
    TradingSessionStatus.PAUSED,
)
"""Where an order that is to halt the session does so whenever it is seen."""


def meet_stranger(core: Core, report: ExecutionReport) -> Order | None:
    """Take on an open order that the journal does not know; a closed one is history."""
    owner = _ours(core, report)
    if not report.status.is_open or report.exec_type is ExecType.TRADE:
        return None
    if owner is None and venue_closing(report.cl_ord_id):
        return _adopt(core, report, None)  # what it fills is told of
    if owner is None and _may_be_a_child(core, report):
        return None
    is_news = owner is not None or not _is_usual(core, (report.account, report.symbol))
    order = _adopt(core, report, owner)
    whose = "of ours that the journal does not know" if owner else "of somebody else"
    if is_news:
        core.alarm(
            "order_adopted",
            f"{report.symbol}: open order {report.cl_ord_id} {whose}{_its_stop(core, order)}",
            report.account,
            report.symbol,
        )
    _treat_foreign(core, order)
    return order


def _may_be_a_child(core: Core, report: ExecutionReport) -> bool:
    """Tell, once, whether an order is what one of ours became, as its looks have it; that is asked.

    A child at the market does not rest: where there is one, its fills are told with its parent.
    """
    place = ("child", report.account, report.cl_ord_id)
    if place in core.told or report.order_type is not OrderType.LIMIT:
        return False
    looks = (report.side, report.qty, report.price)
    parents = [
        order
        for order in core.state.open_orders_of((report.account, report.symbol))
        if order.request.order_type.is_conditional
        and not order.is_adopted
        and (order.side, order.qty, order.price) == looks
    ]
    for order in parents:
        core.told[place] = core.now
        core.query(order)
    return bool(parents)


def _is_usual(core: Core, key: Key) -> bool:
    """Tell whether somebody else placed an order in a symbol of late: a person knows by then."""
    for order in reversed(core.state.orders.values()):
        if core.now - order.created_ts >= USUAL_NS:
            return False
        if not order.is_ours and order.key == key:
            return True
    return False


def meet_lost(core: Core, report: ExecutionReport) -> Order | None:
    """Take on an entry of ours that has filled and whose facts are gone, as a power cut takes them.

    It is asked after: how large it is and how it ended is not known. Of another's order, or an
    exit of ours, the fill alone is booked.
    """
    owner = _ours(core, report)
    if owner is None:
        return None
    order = None
    if owner.role is OrderRole.ENTRY:
        order = _adopt(core, report, owner)
        core.query(order)
    what = f"{report.cl_ord_id}, an order of ours that the journal does not know"
    core.alarm(
        "order_lost",
        f"{report.symbol}: {report.last_qty:f} filled by {what}{_its_stop(core, order)}",
        report.account,
        report.symbol,
    )
    return order


def is_seen_twice(order: Order, report: ExecutionReport) -> bool:
    """Tell whether two accounts show one order, and not two of somebody else's of one name."""
    is_one = order.request.symbol == report.symbol and order.venue_order_id == report.venue_order_id
    return order.request.account != report.account and (order.is_ours or is_one)


def fail_for_twins(core: Core, order: Order, report: ExecutionReport) -> None:
    """Stop where two accounts of ours are one at the venue: all of it would be booked twice."""
    core.fail(
        f"order {order.cl_ord_id} of account {order.request.account} is reported on the account "
        f"{report.account} too: two keys of one account at the venue"
    )


def tell_closing(core: Core, report: ExecutionReport) -> None:
    """Tell of an execution by which the venue itself closes a position."""
    what = venue_closing(report.cl_ord_id)
    place = ("closed_by_venue", report.account, report.symbol)
    told_ts = core.told.get(place)
    if not what or (told_ts is not None and core.now - told_ts < CLOSINGS_NS):
        return
    core.told[place] = core.now
    text = f"the venue has closed {report.last_qty:f} at {report.last_px:f}, the position is {what}"
    core.alarm("closed_by_venue", f"{report.symbol}: {text}", report.account, report.symbol)


def namesake(report: ExecutionReport) -> ClOrdId:
    """Return what an order of somebody else's is called here whose name another one has."""
    return by_number(report.cl_ord_id, report.venue_order_id)


def is_back(core: Core, order: Order, report: ExecutionReport) -> bool:
    """Tell whether what counts as over is open: asked so late that no list trails its end."""
    is_over = order.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}
    is_listed = report.exec_type is ExecType.STATUS and report.status.is_open
    return is_over and is_listed and report.asked_ts > core.fence_after(order.updated_ts)


def meet_again(core: Core, order: Order, report: ExecutionReport) -> Order:
    """Take on anew what counted as over and is open; one of ours nobody counts on any more."""
    request = msgspec.structs.replace(
        order.request, qty=report.qty or order.qty, price=report.price or order.price
    )
    core.emit(
        ev.OrderAdopted(
            ts=core.now,
            order=request,
            venue_order_id=report.venue_order_id or order.venue_order_id,
            status=report.status,
            cum_qty=max(report.cum_qty, order.cum_qty),
            is_ours=order.is_ours,
        )
    )
    found = core.state.orders[order.cl_ord_id]
    if found.is_ours:
        tell_appeared(core, found, order.status.value)
    _treat_foreign(core, found)
    return found


def tell_appeared(core: Core, order: Order, was: str) -> None:
    """Tell of an order that is there though it counted as gone, and take it back."""
    core.alarm(
        "order_appeared",
        f"{order.cl_ord_id} was taken for {was} and is at the venue; cancelling it",
        order.request.account,
        order.request.symbol,
    )
    core.cancel(order, "appeared after it counted as gone")


def _ours(core: Core, report: ExecutionReport) -> Owner | None:
    """Return whose an order of ours is; None for another's.

    Raises:
        Fenced: it is of a later epoch than this process's.
    """
    owner = parse_cl_ord_id(report.cl_ord_id)
    if owner is None or owner.prefix != core.settings.order_prefix:
        return None
    if owner.epoch > core.state.epoch:
        raise Fenced(
            f"order {report.cl_ord_id} is of epoch {owner.epoch}, this process owns "
            f"{core.state.epoch}: another one has taken {report.account} over"
        )
    return owner._replace(strategy=_strategy_of(core, owner))


def _strategy_of(core: Core, owner: Owner) -> StrategyId:
    """Return the strategy that an id names by its first letters; as it is where two could be meant.

    Under the short name nobody would close what the order fills: its strategy asks by its own.
    """
    state = core.state
    known = {*state.named_strategies, *state.strategies, *state.stopped_strategies}
    return owner.meant_among(map(StrategyId, known)) or owner.strategy


def _adopt(core: Core, report: ExecutionReport, owner: Owner | None) -> Order:
    role, parent_id, strategy = OrderRole.ENTRY, ParentId(""), OPERATOR
    if owner is not None:
        role, strategy = owner.role, owner.strategy
        parent_id = _parent_of(core, report, owner) or _begin_parent(core, report, owner)
        if parent := core.state.parents.get(parent_id):
            strategy = parent.strategy_id
    core.emit(
        ev.OrderAdopted(
            ts=core.now,
            order=_as_order(report, role, parent_id, strategy),
            venue_order_id=report.venue_order_id,
            status=report.status if report.status.is_open else OrderStatus.PARTIALLY_FILLED,
            cum_qty=ZERO if report.exec_type is ExecType.TRADE else report.cum_qty,
            is_ours=owner is not None,
        )
    )
    return core.state.orders[report.cl_ord_id]


def _begin_parent(core: Core, report: ExecutionReport, owner: Owner) -> ParentId:
    """Begin a parent for a strategy's entry whose wish is gone, so that the strategy can close what
    it fills; with the stop that the settings give to wishes that name none.
    """
    instrument = core.state.instruments.get((report.account, report.symbol))
    is_wish = owner.role is OrderRole.ENTRY and owner.strategy != OPERATOR
    if not is_wish or report.reduce_only or instrument is None:
        return ParentId("")
    entry = report.price or report.last_px or core.market.price(report.symbol)
    stop_loss = stop_price(report.side, entry, None, instrument, core.settings) if entry else None
    parent_id = core.next_parent()
    pattern = _as_order(report, OrderRole.ENTRY, ParentId(""), owner.strategy)
    core.emit(
        ev.ParentStarted(
            ts=core.now,
            parent_id=parent_id,
            intent_id=core.next_intent(),
            account=report.account,
            symbol=report.symbol,
            side=report.side,
            qty=pattern.qty,
            algo="direct" if stop_loss is None else "bracket",
            strategy_id=owner.strategy,
            order=msgspec.structs.replace(pattern, cl_ord_id=ClOrdId("")),
            stop_loss=stop_loss,
            request_id=_lost_name(owner),
        )
    )
    return parent_id


def _its_stop(core: Core, order: Order | None) -> str:
    """Say which stop an entry's fills have, after the wish for it is gone."""
    if order is None or not order.is_ours or order.role is not OrderRole.ENTRY:
        return ""
    parent = core.state.parents.get(order.request.parent_id)
    if parent is None or parent.start.stop_loss is None:
        return ": it has no stop"
    return f": its stop is at {parent.start.stop_loss:f}"


def _parent_of(core: Core, report: ExecutionReport, owner: Owner) -> ParentId:
    """Return the parent that an order's id names, or none where it can't be meant.

    A parent that the journal lost to a power cut leaves its number to the next one: that one is
    of a later epoch than the order, and what the order fills is none of its holding.
    """
    key = (report.account, report.symbol)
    parent = core.state.parents.get(ParentId(str(owner.parent)))
    if parent is not None and parent.epoch <= owner.epoch:
        return parent.parent_id if parent.key == key else ParentId("")
    begun = (p for p in core.state.live_parents_of(key) if p.start.request_id == _lost_name(owner))
    return next((p.parent_id for p in begun), ParentId(""))


def _lost_name(owner: Owner) -> str:
    """Name a parent that was lost, so that all its orders come to the one that is begun for it."""
    return f"lost-{owner.epoch}-{owner.parent}"


def _treat_foreign(core: Core, order: Order) -> None:
    policy = core.settings.foreign_order_policy
    if order.is_ours or policy == "adopt":
        return
    core.cancel(order, "foreign order") if policy == "cancel" else core.fail(
        f"open order {order.cl_ord_id} of somebody else, and the policy is to halt"
    )


def halt_beside(core: Core, listed: ExecutionReport) -> None:
    """Halt beside an order of somebody else's that is known, and open still; a stop goes on.

    The session that met it has ended, its policy was another one, or it was off the lists for long.
    """
    state = core.state
    takes_risk = state.status in _TAKING_RISK and not state.is_to_stop
    if core.settings.foreign_order_policy != "halt" or not takes_risk:
        return
    key = (listed.account, listed.symbol)
    for name in (listed.cl_ord_id, namesake(listed)):
        order = state.orders.get(name)
        is_it = order is not None and order.key == key and order.is_open
        if order is not None and is_it and not venue_closing(name):
            _treat_foreign(core, order)


def _as_order(
    report: ExecutionReport, role: OrderRole, parent_id: ParentId, strategy: StrategyId
) -> NewOrder:
    return NewOrder(
        cl_ord_id=report.cl_ord_id,
        account=report.account,
        symbol=report.symbol,
        side=report.side,
        qty=report.qty or report.last_qty,
        order_type=report.order_type,
        price=report.price,
        trigger_price=report.trigger_price,
        working_type=report.working_type,
        time_in_force=report.time_in_force,
        reduce_only=report.reduce_only,
        close_position=report.close_position,
        role=role,
        strategy_id=strategy,
        parent_id=parent_id,
    )

"""Orders that the venue names and the journal does not know: others', and our own that were lost.

Rule 1: what is open is taken on and counted, and told of; a closed one is history.
Rule 2: an id of ours names its owner, but a parent only where it can be meant.
Rule 3: an id of a later epoch than ours means that another process has taken the account over.
"""

from __future__ import annotations

from ..model import events as ev
from ..model.errors import Fenced
from ..model.ids import Owner, parse_cl_ord_id
from ..model.messages import ExecType, ExecutionReport
from ..model.values import OPERATOR, NewOrder, OrderRole, ParentId, StrategyId
from .core import Core
from .order import Order


def meet_stranger(core: Core, report: ExecutionReport) -> Order | None:
    """Take on an open order that the journal does not know; a closed one is history."""
    owner = parse_cl_ord_id(report.cl_ord_id)
    is_ours = owner is not None and owner.prefix == core.settings.order_prefix
    if is_ours and owner is not None and owner.epoch > core.state.epoch:
        raise Fenced(
            f"order {report.cl_ord_id} is of epoch {owner.epoch}, this process owns "
            f"{core.state.epoch}: another one has taken {report.account} over"
        )
    if not report.status.is_open or report.exec_type is ExecType.TRADE:
        return None
    role, parent_id, strategy = OrderRole.ENTRY, ParentId(""), OPERATOR
    if is_ours and owner is not None:
        role, strategy = owner.role, owner.strategy
        parent_id = _parent_of(core, report, owner)
    core.emit(
        ev.OrderAdopted(
            ts=core.now,
            order=_as_order(report, role, parent_id, strategy),
            venue_order_id=report.venue_order_id,
            status=report.status,
            cum_qty=report.cum_qty,
            is_ours=is_ours,
        )
    )
    order = core.state.orders[report.cl_ord_id]
    whose = "of ours that the journal does not know" if is_ours else "of somebody else"
    core.alarm(
        "order_adopted",
        f"{report.symbol}: open order {report.cl_ord_id} {whose}",
        report.account,
        report.symbol,
    )
    _treat_foreign(core, order)
    return order


def _parent_of(core: Core, report: ExecutionReport, owner: Owner) -> ParentId:
    """Return the parent that an order's id names, or none where it can't be meant.

    A parent that the journal lost to a power cut leaves its number to the next one: that one is
    of a later epoch than the order, and what the order fills is none of its holding.
    """
    parent = core.state.parents.get(ParentId(str(owner.parent)))
    if parent is None or parent.epoch > owner.epoch:
        return ParentId("")
    return parent.parent_id if parent.key == (report.account, report.symbol) else ParentId("")


def _treat_foreign(core: Core, order: Order) -> None:
    policy = core.settings.foreign_order_policy
    if order.is_ours or policy == "adopt":
        return
    core.cancel(order, "foreign order") if policy == "cancel" else core.fail(
        f"open order {order.cl_ord_id} of somebody else, and the policy is to halt"
    )


def _as_order(
    report: ExecutionReport, role: OrderRole, parent_id: ParentId, strategy: StrategyId
) -> NewOrder:
    return NewOrder(
        cl_ord_id=report.cl_ord_id,
        account=report.account,
        symbol=report.symbol,
        side=report.side,
        qty=report.qty,
        order_type=report.order_type,
        price=report.price,
        trigger_price=report.trigger_price,
        working_type=report.working_type,
        time_in_force=report.time_in_force,
        reduce_only=report.reduce_only,
        role=role,
        strategy_id=strategy,
        parent_id=parent_id,
    )


def tell_of_lost(core: Core, report: ExecutionReport) -> None:
    """Say that an order of ours has filled whose facts are gone, as a power cut takes them.

    What it opened is counted, and has no stop: which one was wished for is not known any more.
    """
    owner = parse_cl_ord_id(report.cl_ord_id)
    if owner is not None and owner.prefix == core.settings.order_prefix:
        order = f"{report.cl_ord_id}, an order of ours that the journal does not know"
        unprotected = ": it has no stop" if owner.role is OrderRole.ENTRY else ""
        core.alarm(
            "order_lost",
            f"{report.symbol}: {report.last_qty:f} filled by {order}{unprotected}",
            report.account,
            report.symbol,
        )

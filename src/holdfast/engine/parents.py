"""How parents are begun and worked: an algorithm decides, the core sends."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ..model import commands as cmd
from ..model import events as ev
from ..model.values import ClOrdId, IntentId, NewOrder, OrderRole, ParentId
from .algos import ALGOS, STARTED, Cause, SendChild
from .core import Core
from .parent import Parent


class Plan(msgspec.Struct, frozen=True):
    """A parent that could be started: its pattern, its size and its exits.

    The pattern's ids are empty; its quantity is the whole one.
    """

    pattern: NewOrder
    algo: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None

    @property
    def legs(self) -> int:
        """Return how many protective orders it will have."""
        return (self.stop_loss is not None) + (self.take_profit is not None)


def start_parent(core: Core, plan: Plan, intent_id: IntentId, request_id: str = "") -> ParentId:
    """Take a quantity on and let its algorithm act for the first time."""
    pattern, parent_id = plan.pattern, core.next_parent()
    if pattern.close_position:
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
        )
    )
    advance(core, parent_id, STARTED)
    return parent_id


def advance(core: Core, parent_id: ParentId, cause: Cause) -> None:
    """Ask a parent's algorithm what to do now, and do it."""
    parent = core.state.parents.get(parent_id)
    if parent is None:
        return
    for action in ALGOS[parent.start.algo](parent, core.state.children(parent), cause):
        if isinstance(action, SendChild):
            core.submit(_child(core, parent, action.qty))
        else:
            due_ts = core.now + action.delay_ns
            core.emit(ev.WakeScheduled(ts=core.now, parent_id=parent_id, due_ts=due_ts))
            core.send(cmd.SetTimer(parent_id=parent_id, due_ts=due_ts))


def _child(core: Core, parent: Parent, qty: Decimal) -> NewOrder:
    """Make an order of the parent's pattern."""
    start = parent.start
    pattern, parent_id = start.order, start.parent_id
    return replace(
        pattern,
        cl_ord_id=core.next_cl_ord_id(parent_id, pattern.role, pattern.strategy_id),
        qty=qty,
        parent_id=parent_id,
        intent_id=start.intent_id,
    )


def unnamed(pattern: NewOrder) -> NewOrder:
    """Give a pattern an id that no order of ours can have, for checks that send nothing."""
    return replace(pattern, cl_ord_id=ClOrdId("?"))


def wake(core: Core, parent_id: ParentId) -> None:
    """Let a parent's algorithm act at its time."""
    parent = core.state.parents.get(parent_id)
    if parent is None or parent.wake_ts is None or parent.wake_ts > core.now:
        return  # ended meanwhile, or woken by an earlier timer
    core.emit(ev.ParentWoken(ts=core.now, parent_id=parent_id))
    advance(core, parent_id, Cause.WOKEN)


def exit_plan(pattern: NewOrder) -> Plan:
    """Plan a reduce-only order: no exits of its own."""
    return Plan(
        pattern=replace(pattern, reduce_only=True, role=OrderRole.EXIT),
        algo="direct",
    )

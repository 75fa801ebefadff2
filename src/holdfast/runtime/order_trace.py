"""The why of an order, told by the journal: who wished for it, what the rules said, what came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from ..model import events as ev
from ..model.errors import UnknownOrderError
from ..model.values import ZERO, ClOrdId, NewOrder, OrderRole, Verdict

FACTS_MAX = 1_000
"""Of one order; what is more than that is left out."""

Facts = Callable[[], Iterable[ev.Event]]


@dataclass
class OrderTrace:
    """One order's story.

    `signal`, `denial` and `parent` are None where there was none. `facts` are those of the order
    itself, in order; `exits` what protects (or closes) what its parent holds, each with its facts.
    """

    order: NewOrder
    verdicts: tuple[Verdict, ...] = ()
    signal: ev.SignalReceived | None = None
    denial: ev.SignalDenied | None = None
    parent: ev.ParentStarted | None = None
    facts: list[ev.Event] = field(default_factory=list)
    kin: dict[ClOrdId, OrderTrace] = field(default_factory=dict)  # the parent's other orders

    @property
    def fills(self) -> list[ev.OrderFilled]:
        """Return its executions."""
        return [fact for fact in self.facts if isinstance(fact, ev.OrderFilled)]

    @property
    def cum_qty(self) -> Decimal:
        """Return how much of it executed."""
        return sum((fill.qty for fill in self.fills), ZERO)

    @property
    def avg_px(self) -> Decimal | None:
        """Return at what price on average; None before the first fill."""
        quote = sum((fill.qty * fill.price for fill in self.fills), ZERO)
        return quote / self.cum_qty if self.cum_qty else None

    @property
    def timed(self) -> ev.OrderTimed | None:
        """Return what each step on its way out took; None where nobody took the time."""
        return next((fact for fact in self.facts if isinstance(fact, ev.OrderTimed)), None)

    @property
    def exits(self) -> list[OrderTrace]:
        """Return its stops, targets and closes."""
        return [one for one in self.kin.values() if one.order.role is not OrderRole.ENTRY]

    def steps(self) -> Iterator[tuple[ev.Event, int | None]]:
        """Yield the facts from the wish on, each with the time since the one before."""
        before: int | None = None
        told = [fact for fact in (self.signal, self.parent) if fact is not None]
        for fact in (*told, *self.facts):
            if isinstance(fact, ev.OrderTimed):
                continue  # it is about the steps themselves
            yield fact, None if before is None else fact.ts - before
            before = fact.ts


def trace_order(read: Facts, cl_ord_id: str) -> OrderTrace:
    """Follow an order through a journal.

    Args:
        read: reads the facts from the first on; it is called twice.

    Raises:
        UnknownOrderError: the journal has no such order.
    """
    trace = _found(read(), ClOrdId(cl_ord_id))
    order = trace.order
    for fact in read():
        if isinstance(fact, ev.SignalReceived) and fact.intent_id == order.intent_id:
            trace.signal = fact
        elif isinstance(fact, ev.SignalDenied) and fact.intent_id == order.intent_id:
            trace.denial = fact
        elif isinstance(fact, ev.ParentStarted) and fact.parent_id == order.parent_id:
            trace.parent = fact
        else:
            _take(trace, fact)
    return trace


def _found(facts: Iterable[ev.Event], cl_ord_id: ClOrdId) -> OrderTrace:
    for fact in facts:
        if isinstance(fact, _BEGINNINGS) and fact.order.cl_ord_id == cl_ord_id:
            verdicts = () if isinstance(fact, ev.OrderAdopted) else fact.verdicts
            return OrderTrace(fact.order, verdicts)
    raise UnknownOrderError(
        f"the journal has no order {cl_ord_id}; holdfast orders --all lists a session's latest, "
        "holdfast journal tail those of any journal"
    )


_BEGINNINGS = (ev.OrderSubmitted, ev.OrderDenied, ev.OrderAdopted)


def _take(trace: OrderTrace, fact: ev.Event) -> None:
    """Give a fact to the order that it is about, if it is this one or its kin."""
    own = trace.order
    if isinstance(fact, _BEGINNINGS):
        order = fact.order
        if order.cl_ord_id == own.cl_ord_id:
            trace.facts.append(fact)
        elif own.parent_id and order.parent_id == own.parent_id:
            trace.kin[order.cl_ord_id] = OrderTrace(order, facts=[fact])
        return
    if getattr(fact, "parent_id", None) == own.parent_id and own.parent_id:
        _append(trace, fact)
    cl_ord_id = getattr(fact, "cl_ord_id", None)
    if cl_ord_id == own.cl_ord_id:
        _append(trace, fact)
    elif cl_ord_id in trace.kin:
        _append(trace.kin[cl_ord_id], fact)


def _append(trace: OrderTrace, fact: ev.Event) -> None:
    if len(trace.facts) < FACTS_MAX:
        trace.facts.append(fact)

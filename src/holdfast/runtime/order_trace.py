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

Execution = ev.OrderFilled | ev.FillRecognized

Facts = Callable[[], Iterable[ev.Event]]


@dataclass
class OrderTrace:
    """One order's story.

    `signal`, `denial` and `parent` are None where there was none. `facts` are those of the order
    itself, in order, `left_out` how many more there are; `exits` what protects (or closes) what
    its parent holds, each with its facts.
    """

    order: NewOrder
    verdicts: tuple[Verdict, ...] = ()
    signal: ev.SignalReceived | None = None
    denial: ev.SignalDenied | None = None
    parent: ev.ParentStarted | None = None
    facts: list[ev.Event] = field(default_factory=list)
    kin: dict[ClOrdId, OrderTrace] = field(default_factory=dict)  # the parent's other orders
    left_out: int = 0
    cum_qty: Decimal = ZERO
    _quote: Decimal = ZERO
    _unpriced: Decimal = ZERO  # filled before it was adopted, at nobody knows what price

    @property
    def fills(self) -> list[Execution]:
        """Return its executions, those that were booked under another name included."""
        return [fact for fact in self.facts if isinstance(fact, ev.OrderFilled | ev.FillRecognized)]

    @property
    def avg_px(self) -> Decimal | None:
        """Return at what price it executed on average; None before the first that was heard."""
        priced = self.cum_qty - self._unpriced
        return self._quote / priced if priced else None

    def take(self, fact: ev.Event) -> None:
        """Take in one of its facts; what is left out of them counts all the same."""
        match fact:
            case ev.OrderAdopted():
                self.cum_qty = self._unpriced = fact.cum_qty
            case ev.OrderFilled() | ev.FillRecognized():
                self.cum_qty += fact.qty
                self._quote += fact.qty * fact.price
            case _:
                pass
        if len(self.facts) < FACTS_MAX:
            self.facts.append(fact)
        else:
            self.left_out += 1

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
            trace.take(fact)
        elif own.parent_id and order.parent_id == own.parent_id:
            kin = trace.kin[order.cl_ord_id] = OrderTrace(order)
            kin.take(fact)
        return
    if getattr(fact, "parent_id", None) == own.parent_id and own.parent_id:
        trace.take(fact)
    cl_ord_id = getattr(fact, "cl_ord_id", None)
    if cl_ord_id == own.cl_ord_id:
        trace.take(fact)
    elif cl_ord_id in trace.kin:
        trace.kin[cl_ord_id].take(fact)

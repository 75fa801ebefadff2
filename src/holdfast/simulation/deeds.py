"""What the strategies of a run did, and what became of it: for those who brought their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..model import events as ev
from ..model.ids import parse_cl_ord_id
from ..model.values import OPERATOR, OrderRole

WISHES, FILLS = "wishes", "fills"
TAKEN_OFF = "taken off: "
ORDERS = {
    OrderRole.ENTRY: "entries",
    OrderRole.EXIT: "exits",
    OrderRole.STOP_LOSS: "stops",
    OrderRole.TAKE_PROFIT: "targets",
}


class Deeds:
    """Counts what strategies, and not a person, had done."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def hear_facts(self, facts: Sequence[ev.Event]) -> None:
        for fact in facts:
            match fact:
                case ev.SignalReceived():
                    self.counts[WISHES] += 1
                case ev.SignalDenied(rule=rule):
                    self.counts[f"came to nothing: {rule}"] += 1
                case ev.OrderDenied(order=order, rule=rule) if order.strategy_id != OPERATOR:
                    self.counts[f"refused: {rule}"] += 1
                case ev.OrderSubmitted(order=order) if order.strategy_id != OPERATOR:
                    self.counts[ORDERS[order.role]] += 1
                case ev.OrderFilled(cl_ord_id=name):
                    owner = parse_cl_ord_id(name)
                    self.counts[FILLS] += owner is not None and owner.strategy != OPERATOR
                case ev.StrategyStopped(strategy_id=strategy, reason=reason):
                    self.counts[f"{TAKEN_OFF}{strategy}: {reason}"] += 1
                case _:
                    pass

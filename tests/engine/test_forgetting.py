"""What is forgotten of the past is nothing that may yet come back."""

from __future__ import annotations

from decimal import Decimal

from holdfast.engine import forgetting
from holdfast.model import events as ev
from holdfast.model.values import OrderRole, StrategyId
from tests.engine.rig import LIMIT, Rig, limit

MAKER = StrategyId("maker")


def given_up(rig):
    """An entry with a stop that lists and questions do not show, so that it counts as over."""
    rig.signal(
        quantity=Decimal(2),
        order_type=LIMIT,
        price=Decimal(99),
        stop_loss=Decimal(95),
        take_profit=Decimal(0),
    )
    entry = rig.submitted()[0].cl_ord_id
    rig.accept(entry)
    rig.wait(20)
    rig.not_found(entry)
    assert not rig.order(entry).is_open
    return entry


def comes_back(rig, entry):
    """It is there after all, and fills while it is being taken back; return what goes out."""
    rig.snapshot(orders=[rig.row(entry)])
    rig.trade(entry, "2", "99")
    return [(o.role, o.qty, o.trigger_price) for o in rig.submitted()]


ITS_STOP = [(OrderRole.STOP_LOSS, Decimal(2), Decimal(95))]


def test_a_parent_is_remembered_as_long_as_an_order_of_it(monkeypatch):
    """Else what comes back would fill without its stop, and without a word."""
    monkeypatch.setattr(forgetting, "CLOSED_PARENTS_KEPT", 1)
    rig = Rig()
    entry = given_up(rig)
    for _ in range(3):
        rig.cancel(limit(rig, price="98"))

    assert comes_back(rig, entry) == ITS_STOP


def test_what_was_denied_does_not_push_out_what_was_at_the_venue(monkeypatch):
    """A strategy may wish for what is denied many times a second."""
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 3)
    monkeypatch.setattr(forgetting, "CLOSED_PARENTS_KEPT", 1)
    rig = Rig()
    entry = given_up(rig)
    for _ in range(8):
        rig.signal(strategy_id=MAKER, quantity=Decimal("0.001"))
    assert len(rig.ever(ev.OrderDenied)) == 8

    assert comes_back(rig, entry) == ITS_STOP


def test_what_was_denied_is_forgotten_within_a_bound_of_its_own(monkeypatch):
    monkeypatch.setattr(forgetting, "DENIED_ORDERS_KEPT", 2)
    monkeypatch.setattr(forgetting, "CLOSED_PARENTS_KEPT", 1)
    rig = Rig()
    for _ in range(8):
        rig.signal(strategy_id=MAKER, quantity=Decimal("0.001"))

    newest = [fact.order.cl_ord_id for fact in rig.ever(ev.OrderDenied)][-2:]
    assert list(rig.state.orders) == rig.state.denied_orders == newest
    assert len(rig.state.parents) == len(rig.state.closed_parents) == 2

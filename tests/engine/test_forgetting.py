"""What is forgotten of the past is nothing that may yet come back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import forgetting
from holdfast.model import events as ev
from holdfast.model import messages as msg
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


def sliced(rig):
    """A quantity in slices, the first of which is at the venue; return its parent and its name."""
    first = rig.place(qty="6", order_type=LIMIT, price="99", algo="twap:over=1h,slices=6")
    rig.accept(first)
    rig.wait(2)
    return rig.state.parents[rig.order(first).request.parent_id], first


def next_slice(rig, parent, first):
    """Let others come and go until the first slice is forgotten; return what the next one is."""
    for _ in range(3):
        rig.cancel(limit(rig, price="98"))
    assert first not in rig.state.orders
    rig.now = parent.wake_ts
    rig.price(100.0)
    rig.hear(msg.TimerFired(parent_id=parent.parent_id))
    return [order.qty for order in rig.submitted()]


@pytest.mark.parametrize("how", ["taken back", "refused"])
def test_a_slice_that_ends_the_whole_does_so_when_it_is_forgotten(monkeypatch, how):
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 2)
    rig = Rig()
    parent, first = sliced(rig)
    if how == "taken back":
        rig.cancel(first)  # by somebody else: what we take back ends the whole at once
    else:
        rig.reject(first, -4164)

    assert next_slice(rig, parent, first) == []
    [short] = [each for each in rig.ever(ev.AlarmRaised) if each.code == "algo_short"]
    assert f"{first} was {how}" in short.text


def test_a_slice_that_a_pause_took_back_ends_nothing_when_it_is_forgotten(monkeypatch):
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 2)
    rig = Rig()
    parent, first = sliced(rig)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.cancel(first)
    rig.hear(msg.ResumeSession(reason=""))

    assert next_slice(rig, parent, first) == [Decimal("1.2")]

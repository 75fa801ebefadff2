"""Amendments and cancels of resting orders, in whatever way the venue takes and tells them."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.engine.engine import Engine
from holdfast.engine.order import RequestState
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError, SessionStateError
from holdfast.model.messages import ExecType, Request
from holdfast.model.order_wish import OrderWish
from holdfast.model.values import MAIN, OrderStatus, TradeId
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.amending_session import AmendingSession
from tests.engine.rig import LIMIT, Rig, S, encoded, limit, refused

NEVER_THERE = {OrderStatus.REJECTED, OrderStatus.NEVER_ARRIVED, OrderStatus.DENIED}
USUAL = {"protection_missing", "protection_closed", "turn_short", "algo_short"}
AFTER_A_POWER_CUT = {"order_lost", "order_adopted", "order_larger", "order_appeared"}

CHANCES = {
    "seed": st.integers(0, 2**64),
    "lag_s": st.sampled_from((0.0, 0.3, 1.9)),
    "dropped": st.sampled_from((0.0, 0.3, 0.7, 1.0)),
    "trouble": st.sampled_from((0.0, 0.2, 0.6)),
}


@given(**CHANCES, crashes=st.booleans())
@settings(max_examples=150)
def test_what_is_told_of_amendments_is_what_came_of_them(seed, lag_s, dropped, trouble, crashes):
    """At each step what is reserved is no less than what could come; see `AmendingSession`."""
    lots = random.Random(seed)
    venue = AmendingSession(lots, lag_s=lag_s, dropped=dropped, trouble=trouble, crashes=crashes)
    venue.run(lots.uniform(3, 30), lots.choice((0.5, 2.0, 5.0)))

    check_rest(venue)


@given(**CHANCES)
@settings(max_examples=75)
def test_amended_orders_are_known_again_after_a_power_cut(seed, lag_s, dropped, trouble):
    lots = random.Random(seed)
    venue = AmendingSession(lots, lag_s=lag_s, dropped=dropped, trouble=trouble, cuts=True)
    venue.run(lots.uniform(3, 30), lots.choice((0.5, 2.0, 5.0)))

    check_rest(venue)


def check_rest(venue):
    """All has been told: what is known here is what is there, and nothing is in doubt."""
    rig, state = venue.rig, venue.rig.state
    assert rig.session() is Status.RUNNING
    assert set(rig.alarms()) <= USUAL | (AFTER_A_POWER_CUT if venue.has_lost else set())
    assert (rig.qty(), state.account(MAIN).wallet("USDT")) == (venue.qty, venue.wallet)
    for name, order in state.orders.items():
        held = venue.held.get(name)
        if held is None:
            assert order.status in NEVER_THERE
            continue
        assert (order.is_open, order.cum_qty) == (held.status.is_open, held.cum), name
        if order.is_open or not venue.has_lost:  # a wish that was lost leaves no trace of its size
            assert (order.status, order.qty) == (held.status, held.qty), name
        assert order.price == held.price or not order.is_open, name
        asked = (order.cancel, order.replace, order.ending, order.fence_ts)
        assert asked == (RequestState.NONE, RequestState.NONE, None, None), name
    assert encoded(Engine(rig.settings, rig.facts).state) == encoded(state)


# What the law has found


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


@pytest.fixture
def amended(rig):
    """A buy of 3 at 99 that is to be one of 5 at 98, as the venue may have made it by now."""
    order = limit(rig, qty="3")
    amend(rig, order, qty=5, price=98)
    return order


def amend(rig, order, **fields):
    amounts = {name: Decimal(value) for name, value in fields.items()}
    rig.hear(msg.ModifyRequest(cl_ord_id=order, **amounts))


def listed(rig, order, qty, trade_id):
    """An execution as a list has it, which says nothing of its order."""
    fields = {"of": 0, "cum_qty": Decimal(0), "trade_id": trade_id}
    rig.trade(order, qty, "98", status=OrderStatus.PARTIALLY_FILLED, **fields)


def shown(rig, order):
    known = rig.order(order)
    return (known.status, known.qty, known.price, known.cum_qty)


def test_an_end_that_is_the_first_word_of_an_amendment_tells_of_it(rig, amended):
    rig.cancel(amended, qty=Decimal(5), price=Decimal(98), cum_qty=Decimal(4))

    assert [type(fact) for fact in rig.news[:2]] == [ev.OrderReplaced, ev.OrderReported]
    listed(rig, amended, "4", "t1")
    assert shown(rig, amended) == (OrderStatus.CANCELED, 5, 98, 4)
    assert (rig.qty(), rig.alarms()) == (4, [])


def test_an_end_that_shows_an_order_as_it_was_refuses_its_amendment(rig, amended):
    rig.cancel(amended)

    assert [type(fact) for fact in rig.news] == [ev.ReplaceRejected, ev.OrderCanceled]
    assert rig.told(ev.ReplaceRejected)[0].reason == "the order had ended"


def test_an_amendment_that_ended_its_order_was_not_refused(rig):
    """As much as it asks for had filled: the venue ends an order for that."""
    order = limit(rig, qty="3")
    amend(rig, order, qty=1)

    rig.cancel(order, cum_qty=Decimal(1))

    assert rig.told(ev.ReplaceRejected) == []
    assert rig.order(order).ending is OrderStatus.CANCELED


def test_an_order_that_fills_at_its_new_price_was_amended(rig):
    order = limit(rig, qty="3")
    amend(rig, order, price=98)

    filled = {"cum_qty": Decimal(3), "last_qty": Decimal(3), "trade_id": TradeId("t1")}
    filled |= {"price": Decimal(98), "last_px": Decimal(98)}
    rig.report(order, ExecType.TRADE, OrderStatus.FILLED, **filled)

    assert shown(rig, order) == (OrderStatus.FILLED, 3, 98, 3)
    assert rig.ever(ev.ReplaceRejected) == []


def test_an_order_that_fills_at_its_old_price_was_not_amended(rig):
    order = limit(rig, qty="3")
    amend(rig, order, price=98)

    rig.trade(order, "3", "99")

    assert shown(rig, order) == (OrderStatus.FILLED, 3, 99, 3)
    assert rig.told(ev.ReplaceRejected)[0].reason == "the order had filled"


def test_executions_in_a_list_that_exceed_an_orders_old_size_tell_of_its_new_one(rig, amended):
    listed(rig, amended, "2", "t1")
    assert rig.told(ev.OrderReplaced) == []

    listed(rig, amended, "3", "t2")

    assert shown(rig, amended) == (OrderStatus.FILLED, 5, 98, 5)


def test_what_was_told_of_before_a_listed_execution_does_not_undo_what_that_tells(rig, amended):
    first = rig.now
    rig.wait(1)
    listed(rig, amended, "4", "t1")

    rig.status(amended, OrderStatus.NEW, qty=Decimal(3), price=Decimal(99), venue_ts=first)

    assert shown(rig, amended)[1:] == (5, 98, 4)


def test_the_answer_to_an_order_that_its_amendment_outran_does_not_undo_it(rig):
    """Both may be there in one instant of the venue's."""
    order = rig.place(order_type=LIMIT, qty="3", price="99")
    amend(rig, order, qty=2)
    rig.report(order, ExecType.REPLACED, OrderStatus.NEW, qty=Decimal(2))
    rig.trade(order, "2", "99")

    rig.report(order, ExecType.NEW, OrderStatus.NEW, qty=Decimal(3), cum_qty=Decimal(0))

    assert shown(rig, order) == (OrderStatus.FILLED, 2, 99, 2)
    assert rig.alarms() == []


def test_a_fill_of_the_instant_before_an_amendment_does_not_undo_it(rig):
    order = limit(rig, qty="3")
    amend(rig, order, qty=2)
    rig.report(order, ExecType.REPLACED, OrderStatus.PARTIALLY_FILLED, qty=Decimal(2))

    rig.trade(order, "1", "99", of=3)

    assert shown(rig, order) == (OrderStatus.PARTIALLY_FILLED, 2, 99, 1)
    assert rig.alarms() == []


def test_what_filled_as_it_was_to_be_was_amended_whatever_its_time(rig, amended):
    rig.report(amended, ExecType.REPLACED, OrderStatus.NEW, qty=Decimal(5), price=Decimal(98))
    amend(rig, amended, qty=4)

    filled = {"qty": Decimal(4), "cum_qty": Decimal(4), "venue_ts": rig.now - 1}
    rig.status(amended, OrderStatus.FILLED, **filled)

    assert rig.order(amended).qty == 4
    assert rig.told(ev.ReplaceRejected) == []


def test_past_the_fence_of_an_amendment_what_the_venue_shows_counts(rig, amended):
    """Somebody else has amended the order too, before or behind."""
    rig.unknown(amended, Request.REPLACE)
    rig.trade(amended, "3", "99", of=0, status=OrderStatus.PARTIALLY_FILLED)
    rig.wait(10)

    there = {"qty": Decimal(4), "price": Decimal(97), "cum_qty": Decimal(3)}
    rig.status(amended, OrderStatus.PARTIALLY_FILLED, **there)

    assert shown(rig, amended) == (OrderStatus.PARTIALLY_FILLED, 4, 97, 3)
    assert rig.order(amended).replace is RequestState.NONE


def test_an_order_that_was_lost_and_counts_as_filled_goes_on_where_it_is_listed(rig):
    lost = "hf.1.9.9.E.operator"
    rig.status(lost, qty=Decimal(3), price=Decimal(99), order_type=LIMIT)
    rig.wait(2)
    amend(rig, lost, qty=5)
    rig.trade(lost, "3", "99", of=0, status=OrderStatus.PARTIALLY_FILLED)
    rig.refuse(lost, Request.REPLACE)
    assert not rig.order(lost).is_open

    there = {"qty": Decimal(4), "cum_qty": Decimal(3)}
    rig.snapshot(orders=[rig.row(lost, OrderStatus.PARTIALLY_FILLED, **there)])

    assert rig.order(lost).leaves_qty == 1
    assert list(rig.state.all_open_orders()) == [rig.order(lost)]


# An order that has ended at the venue, and owes fills here


def test_an_order_that_ended_and_owes_fills_is_not_amended(rig):
    order = limit(rig, qty="3")
    rig.cancel(order, cum_qty=Decimal(1))

    wish = msg.ModifyRequest(cl_ord_id=order, qty=Decimal(5))
    refused(rig, wish, SessionStateError, "is CANCELED already")


def test_an_order_that_has_filled_and_owes_fills_is_not_amended(rig):
    order = limit(rig, qty="3")
    rig.status(order, OrderStatus.FILLED, cum_qty=Decimal(3))

    wish = msg.ModifyRequest(cl_ord_id=order, qty=Decimal(5))
    refused(rig, wish, SessionStateError, "has filled")


def test_an_order_is_not_amended_to_less_than_the_venue_has_filled_of_it(rig):
    """It would end the order."""
    order = limit(rig, qty="3")
    rig.status(order, OrderStatus.PARTIALLY_FILLED, cum_qty=Decimal(2))

    wish = msg.ModifyRequest(cl_ord_id=order, qty=Decimal(2))
    refused(rig, wish, InputError, "more than the executed 2")


def test_a_strategy_hears_that_its_order_is_not_made_less_than_has_filled(rig):
    rig.signal(quantity=Decimal(3), order_type=LIMIT, price=Decimal(99))
    [entry] = rig.submitted()
    order = entry.cl_ord_id
    rig.status(order, OrderStatus.PARTIALLY_FILLED, cum_qty=Decimal(2))

    rig.hear(OrderWish(strategy_id=S, cl_ord_id=order, qty=Decimal(1)))

    assert "more than the executed 2" in rig.told(ev.ReplaceRejected)[0].reason
    assert rig.asked == []

"""What a strategy may have done to its own open entries, and what is refused without an error."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.order_wish import OrderWish
from holdfast.model.values import AccountId, ClOrdId, OrderRole, OrderStatus, Side, StrategyId
from tests.engine.rig import LIMIT, Rig, S, encoded


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


def entry(rig, qty="2", price="99", **fields):
    """A limit buy of the strategy, accepted; two seconds ago."""
    rig.signal(quantity=Decimal(qty), order_type=LIMIT, price=Decimal(price), **fields)
    [order] = rig.submitted()
    rig.accept(order.cl_ord_id)
    rig.wait(2)
    return order.cl_ord_id


def cancel(rig, cl_ord_id, **fields):
    fields = {"strategy_id": S, "is_cancel": True, **fields}
    return rig.hear(OrderWish(cl_ord_id=ClOrdId(cl_ord_id), **fields))


def modify(rig, cl_ord_id, qty=None, price=None, **fields):
    fields = {"strategy_id": S, **fields}
    return rig.hear(
        OrderWish(
            cl_ord_id=ClOrdId(cl_ord_id),
            qty=None if qty is None else Decimal(qty),
            price=None if price is None else Decimal(price),
            **fields,
        )
    )


def asked(rig):
    return [type(command) for command in rig.asked]


def refused(rig, text):
    """Nothing was done and nothing recorded; a person is told why."""
    [told] = rig.asked
    assert isinstance(told, cmd.Notify)
    assert told.level == "info"
    assert text in told.text
    assert rig.news == []


def stays(rig, cl_ord_id, text):
    """Nothing was sent; that the amendment was refused is on record."""
    assert rig.asked == []
    [fact] = rig.news
    assert isinstance(fact, ev.ReplaceRejected)
    assert fact.cl_ord_id == cl_ord_id
    assert text in fact.reason


# Taking back


def test_a_strategy_takes_its_own_entry_back(rig):
    order = entry(rig)

    cancel(rig, order, reason="the quote moved")

    assert rig.canceled() == [order]
    assert rig.told(ev.CancelRequested)[0].reason == "the quote moved"
    rig.cancel(order)
    assert rig.order(order).status is OrderStatus.CANCELED


def test_a_cancel_without_a_reason_names_the_strategy(rig):
    cancel(rig, entry(rig))

    assert rig.told(ev.CancelRequested)[0].reason == "strategy s"


def test_an_entry_is_taken_back_once_however_often_it_is_wished(rig):
    order = entry(rig)
    cancel(rig, order)

    cancel(rig, order)

    assert (rig.news, rig.asked) == ([], [])


def test_an_entry_on_its_way_or_in_doubt_is_taken_back_like_an_operators(rig):
    rig.signal(quantity=Decimal(2), order_type=LIMIT, price=Decimal(99))
    [pending] = rig.submitted()
    cancel(rig, pending.cl_ord_id)
    assert rig.canceled() == [pending.cl_ord_id]

    rig.wait(2)
    rig.signal(quantity=Decimal(1), order_type=LIMIT, price=Decimal(98))
    [doubtful] = rig.submitted()
    rig.unknown(doubtful.cl_ord_id)
    cancel(rig, doubtful.cl_ord_id)
    assert rig.canceled() == [doubtful.cl_ord_id]


def test_a_cancel_passes_where_the_throttle_lets_nothing_open():
    rig = Rig(
        stop_loss_pct=Decimal(0),
        take_profit_pct=Decimal(0),
        limits={"max_messages": 3, "message_reserve": 1, "message_window_s": 600},
    )
    first, second = entry(rig), entry(rig, "1", "98")

    modify(rig, first, price="98.5")
    stays(rig, first, "message_throttle: 3 messages")
    cancel(rig, second)

    assert rig.canceled() == [second]


def test_an_amendment_counts_as_a_message():
    rig = Rig(
        stop_loss_pct=Decimal(0),
        take_profit_pct=Decimal(0),
        limits={"max_messages": 3, "message_reserve": 1, "message_window_s": 600},
    )
    order = entry(rig)

    modify(rig, order, price="98")
    assert asked(rig) == [cmd.ReplaceOrder]
    rig.signal(quantity=Decimal(1), order_type=LIMIT, price=Decimal(97))

    assert rig.told(ev.OrderDenied)[0].rule == "message_throttle"


@pytest.mark.parametrize("status", ["PAUSED", "KILLED"])
def test_a_cancel_passes_where_no_new_risk_does(rig, status):
    order = entry(rig)
    rig.hear(msg.PauseSession(reason="x"))
    if status == "KILLED":
        rig.hear(msg.EngageKillSwitch(reason="x"))
    rig.refuse(order, msg.Request.CANCEL)

    modify(rig, order, "3")
    assert [type(fact) for fact in rig.news] == [ev.ReplaceRejected]
    cancel(rig, order)

    assert rig.canceled() == [order]


# Amending


@pytest.mark.parametrize(
    ("qty", "price", "becomes"),
    [("3", None, (3, 99)), (None, "98", (2, 98)), ("3", "98", (3, 98))],
)
def test_a_strategy_amends_its_own_entry(rig, qty, price, becomes):
    order = entry(rig)

    modify(rig, order, qty, price)

    [command] = rig.asked
    assert isinstance(command, cmd.ReplaceOrder)
    assert (command.cl_ord_id, command.qty, command.price) == (order, *becomes)


def test_amounts_are_rounded_as_a_signals_are(rig):
    bought = entry(rig)
    modify(rig, bought, "2.0059", "98.77")
    [command] = rig.asked
    assert (command.qty, command.price) == (Decimal("2.005"), Decimal("98.7"))

    rig.signal("SELL", quantity=Decimal(1), order_type=LIMIT, price=Decimal(103))
    [sold] = rig.submitted()
    rig.accept(sold.cl_ord_id)
    modify(rig, sold.cl_ord_id, price="102.01")
    assert rig.asked[0].price == Decimal("102.1")


def test_an_entry_that_is_as_it_is_wished_to_be_is_left_alone(rig):
    order = entry(rig)

    modify(rig, order, "2", "99.04")

    assert (rig.news, rig.asked) == ([], [])


def test_what_has_executed_is_kept_in_an_amendment(rig):
    order = entry(rig, "9")
    rig.trade(order, "8", "99")
    rig.wait(2)

    modify(rig, order, "8")
    stays(rig, order, "needs more than the executed 8")

    modify(rig, order, "10")
    assert asked(rig) == [cmd.ReplaceOrder]


def test_an_amendment_is_checked_as_the_larger_of_old_and_new(rig):
    order = entry(rig)

    modify(rig, order, "11")

    stays(rig, order, "position_size: ")
    assert rig.order(order).qty == 2


@pytest.mark.parametrize("amount", ["0.0004", "-1", "NaN", "sNaN", "1e30"])
def test_an_impossible_amount_is_refused_and_never_raised(rig, amount):
    order = entry(rig)

    modify(rig, order, amount)

    stays(rig, order, "quantity must be")


def test_an_entry_is_not_amended_past_its_own_stop(rig):
    order = entry(rig, stop_loss=Decimal(97))

    modify(rig, order, price="96.9")

    stays(rig, order, "stop_loss 97 must be below the price 96.9")


def test_an_order_at_the_market_is_not_amended(rig):
    rig.signal(quantity=Decimal(1))
    [order] = rig.submitted()

    modify(rig, order.cl_ord_id, price="99")

    stays(rig, order.cl_ord_id, "only LIMIT orders can be amended")


def test_an_amendment_waits_for_the_one_before(rig):
    order = entry(rig)
    modify(rig, order, "3")
    before = encoded(rig.state)

    modify(rig, order, "4")

    refused(rig, "in doubt or being amended")
    assert encoded(rig.state) == before
    assert rig.order(order).replace_qty == 3


def test_an_entry_in_doubt_is_not_amended(rig):
    rig.signal(quantity=Decimal(2), order_type=LIMIT, price=Decimal(99))
    [order] = rig.submitted()
    rig.unknown(order.cl_ord_id)

    modify(rig, order.cl_ord_id, "3")

    refused(rig, "in doubt or being amended")


# Others' orders, and wishes that come too late


def test_protective_orders_and_closes_are_out_of_reach():
    rig = Rig()
    order = entry(rig, stop_loss=Decimal(95), take_profit=Decimal(110))
    rig.trade(order, "2", "99")
    exits = rig.submitted()
    assert {each.role for each in exits} == {OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT}
    rig.wait(2)
    rig.signal("CLOSE")
    [close] = rig.submitted()

    for each in (*exits, close):
        assert each.strategy_id == S
        cancel(rig, each.cl_ord_id)
        refused(rig, f"s may not cancel '{each.cl_ord_id}': the order is a {each.role.value}")
        modify(rig, each.cl_ord_id, "1")
        refused(rig, f"s may not amend '{each.cl_ord_id}'")


def test_others_orders_are_out_of_reach(rig):
    own, by_hand = entry(rig), rig.place(Side.BUY, "1", order_type=LIMIT, price="98")

    for wish in (cancel, modify):
        wish(rig, by_hand)
        refused(rig, "the order is not its own")
        wish(rig, own, strategy_id=StrategyId("other"))
        refused(rig, "other may not")
        wish(rig, own, account=AccountId("second"))
        refused(rig, "the order is not its own")


def test_an_order_that_nobody_knows_is_refused_and_its_name_cut(rig):
    cancel(rig, "?" * 500)

    refused(rig, "no such order is known")
    assert len(rig.asked[0].text) < 200


def test_an_order_of_its_name_that_somebody_else_placed_is_out_of_reach(rig):
    order = entry(rig)
    rig.order(order).is_ours = False

    cancel(rig, order)

    refused(rig, "the order is not its own")


def test_a_wish_that_comes_too_late_comes_to_nothing(rig):
    filled = entry(rig)
    rig.trade(filled, "2", "99")

    cancel(rig, filled)
    assert (rig.news, rig.asked) == ([], [])
    modify(rig, filled, "3")
    assert (rig.news, rig.asked) == ([], [])


def test_an_order_that_has_ended_but_for_a_fill_is_left_alone(rig):
    order = entry(rig)
    rig.cancel(order, cum_qty=Decimal(1))
    assert rig.order(order).is_open

    modify(rig, order, "3")

    assert (rig.news, rig.asked) == ([], [])


def test_the_wish_of_a_stopped_strategy_goes_nowhere(rig):
    order = entry(rig)
    rig.hear(msg.StrategyFailed(strategy_id=S, reason="boom"))
    rig.refuse(order, msg.Request.CANCEL)

    modify(rig, order, "3")

    refused(rig, "the strategy was stopped: boom")

"""Stops and targets: sized to what is held, replaced without a gap, and what to do when refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.order import RequestState
from holdfast.engine.protection import REFUSALS_MAX, WOULD_TRIGGER_AT_ONCE
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import Request
from holdfast.model.values import (
    NS_PER_S,
    ZERO,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    SignalType,
    StrategyId,
)
from tests.engine.rig import BTC, KEY, START, Rig, contract

STOP, TARGET, EXIT = OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT, OrderRole.EXIT


@pytest.fixture
def rig():
    return Rig()


def roles(rig):
    return [order.role for order in rig.submitted()]


def only(rig, role):
    [order] = [order for order in rig.submitted() if order.role is role]
    return order


def bracket(rig, qty="2", **exits):
    """Place an entry with a stop at 90 and a target at 120 and have it accepted."""
    exits = exits or {"stop_loss": "90", "take_profit": "120"}
    entry = rig.place(Side.BUY, qty, **exits)
    rig.accept(entry)
    return entry


def protected(rig, **exits):
    """Fill a bracket and let its exits rest; return the ids of stop and target."""
    entry = bracket(rig, **exits)
    rig.trade(entry, "2")
    ids = [order.cl_ord_id for order in rig.submitted()]
    rig.accept(*ids)
    rig.wait(2)
    return ids


# Placing


@pytest.mark.parametrize(
    ("side", "stop", "target"), [(Side.BUY, "90", "120"), (Side.SELL, "110", "80")]
)
def test_a_fill_is_protected_at_once_by_a_stop_and_a_target(rig, side, stop, target):
    entry = rig.place(side, "2", stop_loss=stop, take_profit=target)

    rig.trade(entry, "2")

    lower, upper = only(rig, STOP), only(rig, TARGET)
    for order in (lower, upper):
        assert (order.side, order.qty, order.reduce_only) == (side.opposite, 2, True)
    assert (lower.order_type, lower.trigger_price) == (OrderType.STOP_MARKET, Decimal(stop))
    assert (upper.order_type, upper.trigger_price) == (
        OrderType.TAKE_PROFIT_MARKET,
        Decimal(target),
    )


@pytest.mark.parametrize("exits", [{"stop_loss": "90"}, {"take_profit": "120"}])
def test_only_what_was_asked_for_is_placed(rig, exits):
    entry = bracket(rig, **exits)

    rig.trade(entry, "2")

    assert roles(rig) == ([STOP] if "stop_loss" in exits else [TARGET])


def test_nothing_is_placed_before_the_first_fill(rig):
    bracket(rig)

    assert rig.submitted() == []


def test_partial_fills_size_the_stop_to_what_is_held(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "0.5")
    first = only(rig, STOP)
    assert first.qty == Decimal("0.5")

    rig.trade(entry, "0.7")
    assert rig.submitted() == []  # the first one's answer is still to come

    rig.accept(first.cl_ord_id)
    second = only(rig, STOP)
    assert second.qty == Decimal("1.2")


def test_a_stop_is_replaced_by_placing_the_new_one_first(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "0.5")
    first = only(rig, STOP).cl_ord_id
    rig.accept(first)

    rig.trade(entry, "1.5")
    second = only(rig, STOP).cl_ord_id
    assert rig.canceled() == []  # the old one works until the new one does

    rig.accept(second)
    assert rig.canceled() == [first]

    rig.cancel(first)
    assert [order.cl_ord_id for order in rig.working(STOP)] == [second]


def test_a_stop_is_resized_when_a_part_is_closed(rig):
    stop, _ = protected(rig)
    exit_ = rig.place(Side.SELL, "0.5", reduce_only=True)

    rig.trade(exit_, "0.5")
    resized = only(rig, STOP)
    assert resized.qty == Decimal("1.5")

    rig.accept(resized.cl_ord_id)
    assert stop in rig.canceled()


def test_a_stop_and_a_target_go_onto_the_tick_that_the_venue_has_by_now(rig):
    entry = bracket(rig, stop_loss="90.3", take_profit="110.4")
    rig.trade(entry, "0.5")
    for child in [only(rig, STOP), only(rig, TARGET)]:
        rig.accept(child.cl_ord_id)
    rig.hear(msg.InstrumentListed(instrument=contract(tick=Decimal("0.5")), leverage=10))

    rig.trade(entry, "1.5")

    assert rig.working(EXIT) == []
    assert only(rig, STOP).trigger_price == Decimal("90.5")
    assert only(rig, TARGET).trigger_price == Decimal("110.5")


def test_two_parents_of_one_symbol_have_each_their_own_stop(rig):
    for level in ("90", "85"):
        entry = rig.place(Side.BUY, "2", stop_loss=level)
        rig.trade(entry, "2")
        rig.accept(only(rig, STOP).cl_ord_id)
        rig.wait(2)

    stops = rig.working(STOP)
    assert {(o.request.trigger_price, o.qty) for o in stops} == {(90, 2), (85, 2)}


# Ending


@pytest.mark.parametrize("winner", [0, 1], ids=["stop", "target"])
def test_one_exit_that_closes_takes_the_other_back(rig, winner):
    ids = protected(rig)
    rig.trigger(ids[winner])
    assert rig.canceled() == []  # until it has filled the other one still protects

    rig.trade(ids[winner], "2", "90")

    assert rig.qty() == 0
    assert rig.canceled() == [ids[1 - winner]]


def test_nothing_is_placed_while_a_triggered_stop_is_closing(rig):
    stop, _ = protected(rig)
    rig.trigger(stop)

    rig.trade(stop, "0.5", "90")
    rig.wait(1)

    assert [o.role for o in rig.submitted(rig.commands)].count(STOP) == 1
    assert rig.canceled() == []


def test_closing_by_hand_takes_both_back(rig):
    ids = protected(rig)
    rig.hear(msg.CloseRequest(symbol=BTC))
    [exit_] = rig.submitted()

    rig.trade(exit_.cl_ord_id, "2")

    assert rig.canceled() == ids


def test_an_order_that_is_not_yet_answered_is_taken_back_once_it_is_there(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    stop = only(rig, STOP).cl_ord_id
    rig.trade("manual", "2", side=Side.SELL)
    assert (rig.qty(), rig.canceled()) == (0, [])

    rig.accept(stop)

    assert rig.canceled() == [stop]


def test_a_refused_withdrawal_is_asked_again_by_the_clock_not_at_once(rig):
    """Else two programs would answer each other as fast as the wire is."""
    stop, _ = protected(rig)
    rig.trade("manual", "2", side=Side.SELL)
    assert stop in rig.canceled()

    rig.refuse(stop, Request.CANCEL)
    assert rig.canceled() == []

    rig.wait(1)
    assert stop in rig.canceled()


def test_a_fill_that_comes_after_its_order_ended_is_protected_too(rig):
    """The parent held nothing and worked nothing any more; now it holds something."""
    entry = bracket(rig, stop_loss="90")
    rig.cancel(entry)
    rig.wait(1)

    rig.trade(entry, "0.5")
    assert only(rig, STOP).qty == Decimal("0.5")

    rig.accept(only(rig, STOP).cl_ord_id)
    rig.wait(1)
    assert len(rig.working(STOP)) == 1


# Refusals


def test_a_refused_stop_is_tried_again_by_the_clock_and_the_position_closed_after_three(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")

    for number in range(REFUSALS_MAX):
        stop = only(rig, STOP)
        rig.reject(stop.cl_ord_id, code=-4045)
        if number < REFUSALS_MAX - 1:
            assert rig.submitted() == []
            rig.wait(1)

    exit_ = only(rig, EXIT)
    assert (exit_.side, exit_.qty, exit_.reduce_only) == (Side.SELL, 2, True)
    assert rig.alarms()[-1] == "protection_closed"


def test_a_stop_that_works_after_refusals_starts_the_count_anew(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "1")
    rig.reject(only(rig, STOP).cl_ord_id)
    rig.wait(1)
    rig.accept(only(rig, STOP).cl_ord_id)
    rig.wait(1)

    rig.trade(entry, "1")
    for _ in range(REFUSALS_MAX - 1):
        rig.reject(only(rig, STOP).cl_ord_id)
        rig.wait(1)

    assert roles(rig) == [STOP]


def test_a_holding_that_comes_late_has_its_stop_though_earlier_ones_were_refused(rig):
    """The refused stops were of what has been closed since; the alarm was called off with it."""
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "1")
    for _ in range(REFUSALS_MAX):
        rig.reject(only(rig, STOP).cl_ord_id)
        rig.wait(1)
    rig.wait(6)
    exit_ = rig.working(EXIT)[0].cl_ord_id
    rig.trade(exit_, "1")
    assert rig.ever(ev.ProtectionRestored)

    rig.trade(entry, "1")
    rig.wait(2)

    assert [o.qty for o in rig.working(STOP)] == [1]


@pytest.mark.parametrize("code", [None, -1003, -1008, -1015])
def test_a_stop_that_found_no_room_is_no_refusal_of_the_venue(rig, code):
    """Banned, or too many requests: it waits for its stop, and is not closed for want of one.

    Another program on the account may use up what it may send; to close takes the same room.
    """
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    for _ in range(REFUSALS_MAX + 3):
        for stop in rig.working(STOP):
            rig.reject(stop.cl_ord_id, code=code, reason="not sent")
        rig.wait(10)

    assert rig.working(EXIT) == []
    assert [o.qty for o in rig.working(STOP)] == [2]
    assert "protection_missing" in rig.alarms()


OF_NO_ORDER = [-1016, -1021, -1022, -2014, -2015, -2017, -4109, -5028]
"""The service, the clock, the signature, the key, the account."""


@pytest.mark.parametrize("code", OF_NO_ORDER)
def test_a_stop_refused_for_what_no_order_can_help_is_placed_once_the_venue_takes_it(rig, code):
    """To close the position would be refused alike, and be done when all is well again."""
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    sent = 0
    for _ in range(60):
        for stop in rig.working(STOP):
            sent += 1
            rig.reject(stop.cl_ord_id, code=code)
        rig.wait(1)
    assert "protection_missing" in rig.alarms()
    assert sent < 15

    rig.wait(10)
    [stop] = rig.working(STOP)
    rig.accept(stop.cl_ord_id)

    assert (stop.qty, rig.working(EXIT)) == (2, [])
    assert "protection_closed" not in rig.alarms()
    assert rig.ever(ev.ProtectionRestored)


def test_a_stop_of_a_part_stays_while_the_larger_one_is_refused_for_what_no_order_can_help(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "1")
    part = only(rig, STOP).cl_ord_id
    rig.accept(part)
    rig.trade(entry, "1")
    for _ in range(REFUSALS_MAX + 1):
        for stop in rig.working(STOP):
            if stop.status is OrderStatus.PENDING_NEW:
                rig.reject(stop.cl_ord_id, code=-2015)
        rig.wait(10)

    assert [(o.cl_ord_id == part, o.qty) for o in rig.working(STOP)] == [(True, 1), (False, 2)]
    assert rig.working(EXIT) == []


def lose(rig, cl_ord_id, code):
    """Leave an order in doubt until it is proven that the venue has none of it."""
    rig.hear(msg.OutcomeUnknown(symbol=BTC, cl_ord_id=cl_ord_id, request=Request.SUBMIT, code=code))
    assert rig.order(cl_ord_id).is_in_doubt
    rig.wait(20)
    rig.not_found(cl_ord_id)


def test_a_stop_refused_in_a_way_nobody_knows_counts_once_it_is_proven_absent(rig):
    """A code that is not documented leaves a stop in doubt; that the venue said no is known then."""
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")

    for number in range(REFUSALS_MAX):
        stop = only(rig, STOP) if not number else rig.working(STOP)[0]
        lose(rig, stop.cl_ord_id, -9001)
        rig.wait(1)

    assert [(o.side, o.qty, o.request.reduce_only) for o in rig.working(EXIT)] == [
        (Side.SELL, 2, True)
    ]
    assert rig.alarms()[-1] == "protection_closed"


def test_a_stop_of_which_no_word_came_is_no_refusal_however_often(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")

    for _ in range(2 * REFUSALS_MAX):
        lose(rig, rig.working(STOP)[0].cl_ord_id, None)
        rig.wait(1)

    assert rig.working(EXIT) == []
    assert [o.qty for o in rig.working(STOP)] == [2]


def test_a_stop_refused_in_a_way_nobody_knows_that_is_there_after_all_protects(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    stop = only(rig, STOP).cl_ord_id
    rig.hear(msg.OutcomeUnknown(symbol=BTC, cl_ord_id=stop, request=Request.SUBMIT, code=-9001))
    rig.status(stop)
    rig.wait(20)

    assert [o.cl_ord_id for o in rig.working(STOP)] == [stop]
    assert rig.state.live_parents_of(KEY)[0].stop_failures == 0


def test_what_is_refused_again_and_again_is_asked_for_less_and_less_often(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    sent = 0
    for _ in range(60):
        for stop in rig.working(STOP):
            sent += 1
            rig.reject(stop.cl_ord_id, code=None, reason="not sent")
        rig.wait(1)

    assert 8 <= sent <= 14


def test_a_close_that_is_refused_again_and_again_is_asked_for_less_and_less_often(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    rig.reject(only(rig, STOP).cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)
    sent = 0
    for _ in range(60):
        for exit_ in rig.working(EXIT):
            sent += 1
            rig.reject(exit_.cl_ord_id, code=None, reason="not sent")
        rig.wait(1)

    assert 8 <= sent <= 14


@pytest.mark.parametrize("role", [STOP, TARGET])
def test_a_price_that_is_passed_closes_at_the_market_at_once(rig, role):
    entry = bracket(rig)
    rig.trade(entry, "2")

    rig.reject(only(rig, role).cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)

    assert roles(rig) == [EXIT]
    assert "protection_closed" in rig.alarms()


def test_what_is_closed_for_want_of_a_stop_is_not_bought_once_more(rig):
    entry = bracket(rig, qty="3", order_type=OrderType.LIMIT, price="99", stop_loss="90")
    other = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price="98", stop_loss="90")
    rig.accept(other)
    rig.trade(entry, "1", "99", of="3")

    rig.reject(only(rig, STOP).cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)

    assert only(rig, EXIT).qty == 1
    assert rig.canceled() == [entry]


def test_what_is_closed_for_want_of_a_stop_goes_out_in_orders_that_the_venue_takes(rig):
    entry = bracket(rig, stop_loss="90")
    rig.hear(msg.InstrumentListed(instrument=contract(max_market_qty=Decimal("1.5")), leverage=10))
    rig.trade(entry, "2")

    rig.reject(only(rig, STOP).cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)

    assert [order.qty for order in rig.submitted()] == [Decimal("1.5"), Decimal("0.5")]


def test_a_position_that_is_being_closed_is_not_closed_twice_nor_protected_anew(rig):
    entry = bracket(rig)
    rig.trade(entry, "2")
    stop, target = only(rig, STOP), only(rig, TARGET)
    rig.reject(stop.cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)

    rig.accept(target.cl_ord_id)
    assert rig.asked == []
    rig.wait(1)
    assert rig.submitted() == []


def beside_another(rig, role, exits):
    """Fill half of a bracket beside another parent's holding, let its exits rest, then fill it."""
    rig.hold("2", stop_loss="80")
    entry = rig.place(Side.BUY, "3", **exits)
    rig.accept(entry)
    rig.trade(entry, "1")
    resting = only(rig, role).cl_ord_id
    rig.accept(*[order.cl_ord_id for order in rig.submitted()])
    rig.trade(entry, "2")
    return resting, only(rig, role).cl_ord_id


@pytest.mark.parametrize("role", [STOP, TARGET])
def test_what_a_passed_order_closes_itself_is_not_closed_from_anothers_holding(rig, role):
    resting, larger = beside_another(rig, role, {"stop_loss": "90", "take_profit": "120"})

    rig.reject(larger, code=WOULD_TRIGGER_AT_ONCE)

    assert only(rig, EXIT).qty == 2
    rig.trigger(resting)
    assert rig.submitted() == []
    rig.trade(only_open(rig, EXIT), "2")
    rig.trade(resting, "1")
    assert rig.qty() == 2


def test_a_triggered_stop_closes_its_part_beside_a_close_after_refusals(rig):
    resting, larger = beside_another(rig, STOP, {"stop_loss": "90"})
    for _ in range(REFUSALS_MAX - 1):
        rig.reject(larger, code=-4045)
        rig.wait(1)
        larger = only(rig, STOP).cl_ord_id
    rig.trigger(resting)

    rig.reject(larger, code=-4045)

    assert only(rig, EXIT).qty == 2


def test_a_passed_stop_that_ends_unfilled_leaves_nothing_open(rig):
    resting, larger = beside_another(rig, STOP, {"stop_loss": "90"})
    rig.reject(larger, code=WOULD_TRIGGER_AT_ONCE)
    rig.trade(only(rig, EXIT).cl_ord_id, "2")
    rig.trigger(resting)

    rig.expire(resting)
    rig.wait(1)

    assert only_open(rig, EXIT)
    assert rig.working(EXIT)[0].qty == 1


def only_open(rig, role):
    [order] = rig.working(role)
    return order.cl_ord_id


B = StrategyId("b")


def wished(rig, qty, **fields):
    """Fill a strategy's entry at once; return what went out for it."""
    fields = {"stop_loss": ZERO, "take_profit": ZERO, **fields}
    rig.signal(quantity=Decimal(qty), **fields)
    [entry] = rig.submitted()
    rig.accept(entry.cl_ord_id)
    rig.trade(entry.cl_ord_id, qty)
    return [order.cl_ord_id for order in rig.submitted()]


def closing(rig, **fields):
    rig.signal(SignalType.CLOSE, **fields)
    return only(rig, EXIT)


def test_what_a_strategy_closes_already_is_not_closed_from_anothers_holding_for_want_of_a_stop(rig):
    wished(rig, "2", strategy_id=B)
    [stop] = wished(rig, "1", stop_loss=Decimal(99))
    close = closing(rig)

    rig.reject(stop, code=WOULD_TRIGGER_AT_ONCE)
    rig.wait(2)

    assert rig.working(EXIT) == [rig.order(close.cl_ord_id)]
    rig.trade(close.cl_ord_id, "1")
    assert rig.submitted() == []
    assert rig.qty() == 2


def test_a_close_in_doubt_is_waited_for_however_often_its_stop_is_refused(rig):
    wished(rig, "2", strategy_id=B)
    [stop] = wished(rig, "1", stop_loss=Decimal(90))
    close = closing(rig)
    rig.unknown(close.cl_ord_id)
    for _ in range(REFUSALS_MAX - 1):
        rig.reject(stop, code=-4045)
        rig.wait(1)
        stop = rig.working(STOP)[-1].cl_ord_id

    rig.reject(stop, code=-4045)
    assert rig.submitted() == []
    rig.wait(9)
    assert rig.working(EXIT) == [rig.order(close.cl_ord_id)]
    assert "protection_missing" in rig.alarms()

    rig.not_found(close.cl_ord_id)
    assert only(rig, EXIT).parent_id != close.parent_id


def test_a_close_of_a_part_is_of_the_oldest_holding_and_the_newest_is_closed_besides(rig):
    rig.accept(*wished(rig, "2", stop_loss=Decimal(80)))
    rig.wait(61)
    [stop] = wished(rig, "1", stop_loss=Decimal(99))
    closing(rig, quantity=Decimal(1))

    rig.reject(stop, code=WOULD_TRIGGER_AT_ONCE)

    assert only(rig, EXIT).qty == 1


def test_what_a_close_leaves_of_a_holding_is_closed_for_want_of_a_stop(rig):
    wished(rig, "2", strategy_id=B)
    [stop] = wished(rig, "3", stop_loss=Decimal(99))
    closing(rig, quantity=Decimal(1))

    rig.reject(stop, code=WOULD_TRIGGER_AT_ONCE)

    assert only(rig, EXIT).qty == 2


def test_a_triggered_stop_closes_its_own_and_the_close_beside_it_the_next_holding(rig):
    wished(rig, "2", strategy_id=B)
    [older] = wished(rig, "1", stop_loss=Decimal(99))
    rig.accept(older)
    rig.wait(61)
    [newer] = wished(rig, "1", stop_loss=Decimal(98))
    rig.trigger(older)
    assert closing(rig).qty == 1

    rig.reject(newer, code=WOULD_TRIGGER_AT_ONCE)

    assert rig.submitted() == []


def test_a_close_that_is_refused_is_tried_again_by_the_clock(rig):
    entry = bracket(rig)
    rig.trade(entry, "2")
    rig.reject(only(rig, STOP).cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)

    rig.reject(only(rig, EXIT).cl_ord_id)
    assert rig.submitted() == []

    rig.wait(1)
    assert roles(rig) == [EXIT]


def test_a_close_that_fills_in_part_is_followed_by_one_for_the_rest(rig):
    entry = bracket(rig)
    rig.trade(entry, "2")
    rig.reject(only(rig, STOP).cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)
    exit_ = only(rig, EXIT).cl_ord_id
    rig.trade(exit_, "0.5")
    rig.expire(exit_)

    rig.wait(1)

    assert only(rig, EXIT).qty == Decimal("1.5")


def test_a_target_that_keeps_being_refused_is_left_out_and_the_stop_stays(rig):
    entry = bracket(rig)
    rig.trade(entry, "2")
    rig.accept(only(rig, STOP).cl_ord_id)
    target = rig.working(TARGET)[0].cl_ord_id
    for _ in range(REFUSALS_MAX):
        rig.reject(target, code=-4045)
        rig.wait(1)
        target = only(rig, TARGET).cl_ord_id if rig.submitted() else None

    rig.wait(5)

    assert target is None
    assert len([o for o in rig.submitted(rig.commands) if o.role is TARGET]) == REFUSALS_MAX
    assert [o.status for o in rig.working(STOP)] == [OrderStatus.NEW]


@pytest.mark.parametrize("code", [-1003, -1008, -1015, *OF_NO_ORDER])
def test_a_target_that_found_no_room_is_tried_again(rig, code):
    entry = bracket(rig)
    rig.trade(entry, "2")
    rig.accept(only(rig, STOP).cl_ord_id)
    for _ in range(REFUSALS_MAX + 3):
        for target in rig.working(TARGET):
            rig.reject(target.cl_ord_id, code=code)
        rig.wait(10)

    assert [o.qty for o in rig.working(TARGET)] == [2]


def test_a_target_too_large_goes_where_the_venue_has_none_in_its_place(rig):
    stop, target = protected(rig)
    close = rig.place(Side.SELL, "1", reduce_only=True)
    rig.accept(close)
    rig.trade(close, "1")
    for _ in range(20):
        for order in rig.state.all_open_orders():
            if order.status is OrderStatus.PENDING_NEW and order.role is TARGET:
                rig.reject(order.cl_ord_id, code=-4045)
            elif order.status is OrderStatus.PENDING_NEW:
                rig.accept(order.cl_ord_id)
        rig.wait(2)

    assert target in [c.cl_ord_id for c in rig.commands if isinstance(c, cmd.CancelOrder)]
    rig.cancel(target)
    rig.cancel(stop)
    rig.hear(msg.StopSession(reason="enough"))
    rig.wait(1)
    assert rig.session().value == "STOPPED"


def test_a_target_of_a_part_that_may_have_no_successor_keeps_no_session_from_ending(rig):
    entry = bracket(rig)
    rig.trade(entry, "1")
    rig.accept(*[order.cl_ord_id for order in rig.submitted()])
    [part] = rig.working(TARGET)
    rig.trade(entry, "1")
    for _ in range(20):
        for order in rig.state.all_open_orders():
            if order.status is OrderStatus.PENDING_NEW and order.role is TARGET:
                rig.reject(order.cl_ord_id, code=-4045)
            elif order.status is OrderStatus.PENDING_NEW:
                rig.accept(order.cl_ord_id)
            elif order.cancel is not RequestState.NONE:
                rig.cancel(order.cl_ord_id)
        rig.wait(2)
    assert [o.cl_ord_id for o in rig.working(TARGET)] == [part.cl_ord_id]

    rig.hear(msg.StopSession(reason="enough"))
    rig.wait(1)
    assert rig.session().value == "STOPPED"


def test_a_session_ends_once_a_target_that_was_refused_is_there(rig):
    entry = bracket(rig)
    rig.trade(entry, "2")
    rig.accept(only(rig, STOP).cl_ord_id)
    rig.hear(msg.StopSession(reason="enough"))
    [target] = rig.working(TARGET)
    rig.reject(target.cl_ord_id, code=-4045)

    assert rig.session().value == "STOPPING"
    rig.wait(2)
    [target] = rig.working(TARGET)
    rig.accept(target.cl_ord_id)

    assert rig.session().value == "STOPPED"


def test_a_session_does_not_wait_for_a_target_that_never_leaves(rig):
    entry = bracket(rig)
    rig.trade(entry, "2")
    rig.accept(only(rig, STOP).cl_ord_id)
    rig.hear(msg.StopSession(reason="enough"))

    for _ in range(REFUSALS_MAX):
        assert rig.session().value == "STOPPING"
        [target] = rig.working(TARGET)
        rig.reject(target.cl_ord_id, code=None, reason="not connected")
        rig.wait(2)

    assert rig.session().value == "STOPPED"


# What others do to them


def test_a_stop_that_somebody_cancels_is_restored(rig):
    stop, _ = protected(rig)

    rig.cancel(stop)

    assert only(rig, STOP).qty == 2


@pytest.mark.parametrize("end", ["expire", "never"])
def test_a_stop_that_expires_or_never_arrives_is_restored(rig, end):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    stop = only(rig, STOP).cl_ord_id
    if end == "expire":
        rig.accept(stop)
        rig.expire(stop)
    else:
        rig.unknown(stop)
        rig.now += 7 * NS_PER_S
        rig.not_found(stop)

    assert only(rig, STOP).cl_ord_id != stop


def test_a_stop_in_doubt_is_waited_for(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    rig.unknown(only(rig, STOP).cl_ord_id)

    rig.wait(3)

    assert rig.submitted() == []


def test_a_stop_whose_cancel_was_asked_by_hand_is_replaced_before_it_is_gone(rig):
    stop, _ = protected(rig)

    rig.hear(msg.CancelRequest(cl_ord_id=stop))

    assert only(rig, STOP).qty == 2
    rig.accept(only(rig, STOP).cl_ord_id)
    rig.cancel(stop)
    assert len(rig.working(STOP)) == 1


# Alarms


def test_an_alarm_is_raised_once_when_the_stop_is_missing_too_long_and_called_off(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    stop = only(rig, STOP).cl_ord_id

    rig.wait(4)
    assert rig.ever(ev.ProtectionMissing) == []
    rig.wait(3)
    assert len(rig.ever(ev.ProtectionMissing)) == 1
    assert rig.alarms().count("protection_missing") == 1
    assert any(isinstance(c, cmd.Notify) and c.level == "alarm" for c in rig.commands)

    rig.accept(stop)
    assert len(rig.told(ev.ProtectionRestored)) == 1
    rig.wait(2)
    assert len(rig.ever(ev.ProtectionRestored)) == 1


@pytest.mark.parametrize(("patience_s", "code"), [(5, None), (20, None), (60, -4045)])
def test_a_stop_that_is_tried_again_and_again_delays_no_alarm(patience_s, code):
    rig = Rig(protection_alarm_ns=patience_s * NS_PER_S)
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    for _ in range(patience_s + 2):
        assert rig.ever(ev.ProtectionMissing) == []
        for order in rig.working(STOP) + rig.working(EXIT):
            rig.reject(order.cl_ord_id, code=code, reason="no")
        rig.wait(1)
        if rig.ever(ev.ProtectionMissing):
            break

    [missing] = rig.ever(ev.ProtectionMissing)
    assert missing.ts - START <= (patience_s + 1) * NS_PER_S


def test_what_fills_meanwhile_delays_no_alarm(rig):
    """Each stop is lost on its way, and none was there before: its size does not matter."""
    entry = bracket(rig, "10", stop_loss="90")
    for _ in range(3):
        rig.trade(entry, "1")
        rig.wait(3)

    [missing] = rig.ever(ev.ProtectionMissing)
    assert missing.ts - START <= 6 * NS_PER_S


def test_what_fills_beside_a_stop_that_works_has_its_own_time(rig):
    entry = bracket(rig, "10", stop_loss="90")
    rig.trade(entry, "1")
    rig.accept(only(rig, STOP).cl_ord_id)
    rig.wait(20)
    rig.trade(entry, "1")

    rig.wait(4)
    assert rig.ever(ev.ProtectionMissing) == []
    rig.wait(2)
    assert len(rig.ever(ev.ProtectionMissing)) == 1


def test_a_stop_of_a_part_that_comes_meanwhile_delays_no_alarm(rig):
    entry = bracket(rig, "10", stop_loss="90")
    rig.trade(entry, "1")
    stop = only(rig, STOP).cl_ord_id
    rig.trade(entry, "1")
    rig.wait(4)
    rig.accept(stop)

    rig.wait(2)
    assert len(rig.ever(ev.ProtectionMissing)) == 1


def test_a_target_raises_no_alarm(rig):
    entry = bracket(rig, take_profit="120")
    rig.trade(entry, "2")

    rig.wait(20)

    assert rig.ever(ev.ProtectionMissing) == []


def test_an_alarm_ends_with_the_position(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    rig.wait(7)
    assert len(rig.ever(ev.ProtectionMissing)) == 1

    rig.trade("manual", "2", side=Side.SELL)

    assert len(rig.told(ev.ProtectionRestored)) <= 1
    rig.wait(10)
    assert rig.alarms().count("protection_missing") == 1


# Sessions


@pytest.mark.parametrize(
    "message",
    [
        msg.PauseSession(reason="x"),
        msg.StopSession(reason="x"),
        msg.EngageKillSwitch(reason="x"),
        msg.FailSession(reason="x"),
    ],
)
def test_protection_goes_on_whatever_the_session_is(rig, message):
    entry = bracket(rig)
    rig.hear(message)

    rig.trade(entry, "2")

    assert roles(rig) == [STOP, TARGET]


def test_a_position_is_protected_again_after_a_restart(rig):
    entry = bracket(rig, stop_loss="90")
    rig.trade(entry, "2")
    stop = only(rig, STOP).cl_ord_id

    rig.restart()
    rig.snapshot(orders=[])
    assert stop in rig.queried()
    rig.now += 7 * NS_PER_S
    rig.not_found(stop)

    assert only(rig, STOP).qty == 2

"""What goes on in parts is ended by whoever closes, or takes back, though nothing of it rests."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.parts import going_on
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError, SessionStateError, UnknownOrderError
from holdfast.model.order_wish import OrderWish
from holdfast.model.values import (
    ZERO,
    ClOrdId,
    OrderRole,
    Side,
    SignalType,
    StrategyId,
    TimeInForce,
)
from tests.engine.rig import BTC, KEY, LIMIT, Rig, S, refused
from tests.engine.test_algos import TWAP, entries, fill_all, go, iceberg, shorts, sizes


@pytest.fixture
def rig():
    return Rig(limits={"duplicate_window_s": 0}, stop_loss_pct=ZERO, take_profit_pct=ZERO)


def close(rig):
    rig.hear(msg.CloseRequest(symbol=BTC, reason="get me out"))
    fill_exits(rig)


def fill_exits(rig):
    for order in rig.working(OrderRole.EXIT):
        rig.accept(order.cl_ord_id)
        rig.trade(order.cl_ord_id, order.leaves_qty)


def open_and_fill(rig, qty, side=Side.BUY, **fields):
    order = rig.place(side, qty, **fields)
    rig.accept(order)
    rig.trade(order, rig.order(order).qty)
    return order


# A close


def test_a_close_ends_what_sells_a_position_in_parts(rig):
    open_and_fill(rig, "2")
    open_and_fill(rig, "1.5", Side.SELL, algo="twap:over=30s,slices=3")

    close(rig)
    go(rig, 40)

    assert rig.qty() == ZERO
    why = "the position was closed by hand (get me out)"
    assert shorts(rig) == [f"BTCUSDT: twap 2 of operator ended with 0.5 of 1.5 filled: {why}"]


def test_a_close_ends_what_buys_more_in_parts_and_has_not_filled_yet(rig):
    open_and_fill(rig, "1")
    limits = {"order_type": LIMIT, "price": "99", "time_in_force": TimeInForce.IOC}
    first = rig.place(Side.BUY, "3", algo="twap:over=30s,slices=3", **limits)
    rig.accept(first)
    rig.expire(first)

    close(rig)
    rig.price(98.9)
    go(rig, 40)

    assert rig.qty() == ZERO
    assert len(shorts(rig)) == 1


@pytest.mark.parametrize("wish", [SignalType.CLOSE, SignalType.SELL])
def test_a_strategy_that_turns_away_ends_what_it_buys_in_parts_with_nothing_filled(rig, wish):
    rig.signal(quantity=Decimal(6), algo=TWAP, order_type=LIMIT, price=Decimal(99))
    (part,) = entries(rig)
    rig.accept(part.cl_ord_id)

    rig.signal(wish, quantity=None if wish is SignalType.CLOSE else Decimal(1))
    assert rig.canceled() == [part.cl_ord_id]
    rig.cancel(part.cl_ord_id)
    rig.wait(70)

    assert [order.side for order in entries(rig)] == [Side.BUY] + [Side.SELL] * (
        wish is SignalType.SELL
    )
    assert shorts(rig) == []
    denied = "s holds nothing of BTCUSDT, and what it had going on in parts ends"
    told = [denied] if wish is SignalType.CLOSE else []
    assert [fact.reason for fact in rig.ever(ev.SignalDenied)] == told


def test_a_strategy_that_closes_a_part_goes_on_in_parts_with_nothing_filled(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, order_type=LIMIT, price=Decimal(99))
    rig.signal(SignalType.CLOSE, quantity=Decimal(1))
    go(rig, 70)

    assert len(entries(rig)) > 1


def test_a_strategy_that_buys_more_goes_on_with_what_it_buys_in_parts(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    rig.signal(quantity=Decimal(1))
    go(rig, 70)

    assert len(entries(rig)) > 3


@pytest.mark.parametrize("held", ["0", "1"])
def test_an_adjustment_to_nothing_ends_what_buys_in_parts_with_nothing_filled(rig, held):
    if held != "0":
        open_and_fill(rig, held)
    first = rig.place(qty="6", order_type=LIMIT, price="99", algo=TWAP)
    rig.accept(first)
    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=ZERO, reason="get me out"))
    assert first in rig.canceled()
    rig.cancel(first)
    fill_exits(rig)
    rig.wait(70)

    assert rig.qty() == ZERO
    assert len(shorts(rig)) == 1


def test_a_close_leaves_what_goes_on_in_other_contracts(rig):
    open_and_fill(rig, "1")
    rig.place(Side.BUY, "6", symbol="ETHUSDT", algo=TWAP)

    close(rig)

    assert [p.start.symbol for p in going_on(rig.state)] == ["ETHUSDT"]
    assert shorts(rig) == []


def test_an_emergency_close_ends_what_goes_on_in_parts(rig):
    open_and_fill(rig, "6", algo=TWAP)
    rig.trade("manual", "1000", fee=ZERO)
    rig.price(91.1)
    rig.tick()
    assert "emergency_close" in rig.alarms()
    fill_exits(rig)
    rig.price(100.0)
    go(rig, 70)

    assert rig.qty() == ZERO
    assert len(shorts(rig)) == 1


# Taking back


NAMES = {
    "a part that has filled": lambda rig: entries(rig)[0].cl_ord_id,
    "its number": lambda _: ClOrdId("1"),
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_whichever_part_is_taken_back_nothing_follows(rig, name):
    open_and_fill(rig, "6", algo=TWAP)
    rig.hear(msg.CancelRequest(cl_ord_id=name(rig)))
    go(rig, 70)

    assert sizes(rig) == [1]
    assert going_on(rig.state) == []
    assert shorts(rig) == [
        "BTCUSDT: twap 1 of operator ended with 1 of 6 filled: taken back (operator)"
    ]


def test_what_was_taken_back_stays_so_over_a_restart(rig):
    part = open_and_fill(rig, "6", algo=TWAP)
    rig.hear(msg.CancelRequest(cl_ord_id=part))
    rig.restart()
    rig.price(100.0)
    rig.snapshot()
    go(rig, 70)

    assert sizes(rig) == [1]
    assert going_on(rig.state) == []


def test_a_part_whose_id_is_forgotten_still_names_the_whole(rig):
    part = open_and_fill(rig, "6", algo=TWAP)
    rig.state.orders.pop(part)
    rig.state.closed_orders.remove(part)

    rig.hear(msg.CancelRequest(cl_ord_id=part))

    assert going_on(rig.state) == []


def test_what_is_taken_back_while_its_part_fills_has_no_next(rig):
    part = rig.place(Side.BUY, "6", algo=TWAP)
    rig.accept(part)
    rig.hear(msg.CancelRequest(cl_ord_id=part))
    assert rig.canceled() == [part]
    rig.trade(part, "1")  # it outran the cancel
    rig.refuse(part, msg.Request.CANCEL)
    go(rig, 70)

    assert sizes(rig) == [1]
    assert len(shorts(rig)) == 1


def test_the_whole_takes_back_all_that_rests_of_it(rig):
    rig.place(Side.BUY, "6", algo=TWAP, order_type=LIMIT, price="99")
    rig.accept(entries(rig)[0].cl_ord_id)
    go(rig, 11, fills=False)
    parts = [o.cl_ord_id for o in entries(rig)]
    assert len(parts) == 2

    rig.hear(msg.CancelRequest(cl_ord_id=ClOrdId("1")))

    assert rig.canceled() == parts


def test_while_the_session_is_paused_it_is_taken_back_too(rig):
    part = open_and_fill(rig, "6", algo=TWAP)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.hear(msg.CancelRequest(cl_ord_id=part))
    rig.hear(msg.ResumeSession())
    go(rig, 70)

    assert sizes(rig) == [1]


def test_what_has_ended_is_not_taken_back_again(rig):
    part = open_and_fill(rig, "6", algo=TWAP)
    rig.hear(msg.CancelRequest(cl_ord_id=part))

    again = msg.CancelRequest(cl_ord_id=part)
    refused(rig, again, SessionStateError, f"order {part} is FILLED already")
    by_number = msg.CancelRequest(cl_ord_id=ClOrdId("1"))
    refused(rig, by_number, SessionStateError, "twap 1 has ended already")


def test_the_number_of_what_went_out_at_once_names_nothing(rig):
    open_and_fill(rig, "6")

    request = msg.CancelRequest(cl_ord_id=ClOrdId("1"))
    refused(rig, request, UnknownOrderError, "no order 1 is known")


def test_the_last_part_of_one_is_taken_back_as_any_order(rig):
    iceberg(rig, "1")
    [part] = entries(rig)
    rig.accept(part.cl_ord_id)
    assert going_on(rig.state) == []
    rig.hear(msg.CancelRequest(cl_ord_id=part.cl_ord_id))
    assert shorts(rig) == []  # it may fill yet, and all has come about then
    rig.trade(part.cl_ord_id, "1")

    assert shorts(rig) == []


def test_the_stop_of_what_has_filled_does_not_end_the_rest():
    rig = Rig(limits={"duplicate_window_s": 0})
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    [stop] = rig.working(OrderRole.STOP_LOSS)

    rig.hear(msg.CancelRequest(cl_ord_id=stop.cl_ord_id))

    assert len(going_on(rig.state, KEY)) == 1


# A strategy's wish


def cancel(rig, name, strategy=S):
    rig.hear(OrderWish(strategy_id=strategy, cl_ord_id=ClOrdId(name), is_cancel=True))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_strategy_ends_its_own_by_any_part(rig, name):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    cancel(rig, name(rig))
    go(rig, 70)

    assert sizes(rig) == [1]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_anothers_is_out_of_its_reach(rig, name):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    cancel(rig, name(rig), StrategyId("t"))

    assert "the order is not its own" in rig.asked[0].text
    assert len(going_on(rig.state)) == 1


def test_what_goes_on_is_what_still_has_something_to_send(rig):
    assert going_on(rig.state) == []
    rig.signal(quantity=Decimal(1))
    assert going_on(rig.state) == []
    iceberg(rig)
    assert len(going_on(rig.state)) == 1
    rig.hear(msg.EngageKillSwitch(reason="enough"))
    assert going_on(rig.state) == []


# All of it at the venue: whether it fell short shows later


def at_the_venue(rig):
    """Have all of an iceberg at the venue, and take it back."""
    iceberg(rig, "1")
    [part] = entries(rig)
    rig.hear(msg.CancelRequest(cl_ord_id=ClOrdId("1")))
    assert rig.canceled() == [part.cl_ord_id]
    assert shorts(rig) == []
    return part.cl_ord_id


def never_came(rig, part):
    rig.unknown(part)
    rig.wait(30)
    rig.not_found(part)


SHORTFALLS = {
    "canceled": lambda rig, part: rig.cancel(part),
    "expired": lambda rig, part: rig.expire(part),
    "never there": never_came,
}


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("end", SHORTFALLS.values(), ids=SHORTFALLS)
def test_what_is_taken_back_with_all_of_it_under_way_has_no_next_part(rig, end, is_restarted):
    part = at_the_venue(rig)
    if is_restarted:
        rig.refold()
    end(rig, part)
    go(rig, 30)

    assert sizes(rig) == [1]
    [short] = shorts(rig)
    assert short.startswith("BTCUSDT: iceberg 1 of s ended with 0 of 1 filled: taken back, or")


def test_what_fills_in_the_end_fell_not_short(rig):
    part = at_the_venue(rig)
    rig.accept(part)
    rig.trade(part, "1")
    go(rig, 30)

    assert shorts(rig) == []


def test_one_whose_own_strategy_has_closed_a_part_ends_without_a_word(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    rig.signal(SignalType.CLOSE, quantity=Decimal(1))
    fill_exits(rig)
    rig.hear(msg.CancelRequest(cl_ord_id=ClOrdId("1")))
    go(rig, 70)

    assert sizes(rig) == [1]
    assert shorts(rig) == []


def test_what_goes_on_in_parts_is_not_said_to_have_ended_where_it_is_amended(rig):
    part = rig.place(qty="6", order_type=LIMIT, price="99", algo=TWAP)
    rig.accept(part)
    amend = msg.ModifyRequest(cl_ord_id=ClOrdId("1"), price=Decimal(98))
    text = f"twap 1 goes on in parts: amend its open part {part}, or cancel 1"
    refused(rig, amend, InputError, text)

    rig.trade(part, str(rig.order(part).qty))
    refused(rig, amend, InputError, "twap 1 goes on in parts, and none is open: cancel 1")

    rig.hear(msg.CancelRequest(cl_ord_id=ClOrdId("1")))
    refused(rig, amend, SessionStateError, "twap 1 has ended already")

"""Quantities in parts at a venue that is slow and rough: what is promised of them holds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.engine.sizing import market_parts
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError
from holdfast.model.messages import ExecType
from holdfast.model.values import OrderRole, OrderStatus, OrderType, Side
from tests.engine.parts_world import World
from tests.engine.rig import LIMIT, Rig, contract
from tests.engine.test_algos import TWAP, entries, fill_all, go, shorts, sizes


@pytest.fixture
def rig():
    return Rig(limits={"duplicate_window_s": 0})


def list_anew(rig, **changes):
    rig.hear(msg.InstrumentListed(instrument=contract(**changes), leverage=10))


OFTEN = ("time",) * 6 + ("wish",) * 3 + ("taker", "taker", "market", "audit")
SELDOM = (
    *("place", "place_exit", "close", "close_by_hand", "adjust"),
    *("cancel", "cancel_an_exit", "modify", "take_back", "amend", "end_whole"),
    *("pause", "kill", "fail_strategy", "stop", "fail", "crash", "tear"),
    *("link", "failures", "list_anew", "refuse", "set_clock", "dead_man", "stranger"),
)


@given(
    lots=st.randoms(use_true_random=False),
    eager=st.sampled_from((0.3, 0.6, 0.8, 0.95)),
    rough=st.sampled_from((0, 0.3, 1)),
    dropped=st.sampled_from((0, 0.1, 0.5)),
    seldom=st.lists(st.sampled_from(SELDOM), min_size=1, max_size=8, unique=True),
    use_market_orders=st.booleans(),
)
@settings(max_examples=150)
def test_no_part_is_too_many_and_each_whole_ends_and_says_how(
    *, lots, eager, rough, dropped, seldom, use_market_orders
):
    world = World(
        lots,
        eager=eager,
        rough=rough,
        dropped=dropped,
        deeds=OFTEN + tuple(seldom),
        use_market_orders=use_market_orders,
    )
    for _ in range(lots.randint(10, 60)):
        world.step()
    world.come_to_rest()

    world.promises.look_at_rest()


# What the law has found


def test_a_slice_that_was_made_as_large_as_all_and_filled_as_it_was_leaves_the_rest_to_the_next(
    rig,
):
    rig.signal(quantity=Decimal(6), algo=TWAP, order_type=LIMIT, price=Decimal(99))
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.ModifyRequest(cl_ord_id=first.cl_ord_id, qty=Decimal(6)))
    go(rig, 11, fills=False)
    assert sizes(rig) == [1]  # all may be on its way
    rig.refuse(first.cl_ord_id, msg.Request.REPLACE)
    go(rig, 60)

    assert rig.qty() == 6


def test_the_end_of_one_is_told_once_though_a_slice_of_it_fills_in_a_later_life(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, order_type=LIMIT, price=Decimal(99))
    first = entries(rig)[0].cl_ord_id
    rig.accept(first)
    rig.hear(msg.VenueLink(is_up=False, reason="gone"))
    go(rig, 70, fills=False)
    assert len(shorts(rig)) == 1
    rig.restart()
    rig.snapshot()
    rig.trade(first, 1, price="99")

    assert len(shorts(rig)) == 1


def test_a_fill_that_outruns_the_word_of_its_amendment_is_nobody_elses_amendment(rig):
    entry = rig.place(qty="1", order_type=LIMIT, price="99")
    rig.accept(entry)
    rig.hear(msg.ModifyRequest(cl_ord_id=entry, qty=Decimal(2), price=Decimal(100)))
    rig.trade(entry, 2, status=OrderStatus.FILLED)
    assert rig.order(entry).price == 100
    rig.report(entry, ExecType.REPLACED, OrderStatus.NEW, qty=Decimal(2), cum_qty=Decimal(0))

    assert (rig.order(entry).status, rig.order(entry).qty) == (OrderStatus.FILLED, 2)
    assert rig.alarms() == []


@pytest.mark.parametrize(
    ("qty", "parts"),
    [
        ("2.1", ["1", "0.8", "0.3"]),
        ("2.3", ["1", "1", "0.3"]),
        ("2", ["1", "1"]),
        ("0.2", ["0.2"]),
    ],
)
def test_no_close_in_parts_leaves_a_rest_that_is_too_small_to_be_an_order(qty, parts):
    least = contract(max_market_qty=Decimal(1), min_qty=Decimal("0.3"), lot=Decimal("0.1"))

    assert market_parts(Decimal(qty), least) == [Decimal(each) for each in parts]


def test_a_rest_that_no_other_part_can_make_larger_stays_as_it_is():
    least = contract(max_market_qty=Decimal(1), min_qty=Decimal("0.8"), lot=Decimal("0.1"))

    assert market_parts(Decimal("1.1"), least) == [1, Decimal("0.1")]


@pytest.mark.parametrize("algo", [TWAP, "iceberg:show=1"])
@pytest.mark.parametrize("exits", [{"stop_loss": Decimal(90)}, {"take_profit": Decimal(110)}])
def test_a_whole_that_no_stop_or_target_can_cover_is_refused_at_once(algo, exits):
    rig = Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))
    list_anew(rig, max_market_qty=Decimal(3))
    terms = {"algo": algo, "order_type": LIMIT, "price": Decimal(100)}
    rig.signal(quantity=Decimal(6), **terms, **exits)
    [denied] = rig.told(ev.SignalDenied)
    text = "its stop or target may be of all of it, 6; the most at the market is 3"
    assert denied.reason == f"{algo}: {text}"
    with pytest.raises(InputError, match=text):
        rig.place(qty="6", **terms, **exits)

    rig.signal(quantity=Decimal(6), **terms)
    assert len(sizes(rig)) == 1


def test_no_part_goes_out_that_makes_more_than_its_stop_can_cover(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(90))
    fill_all(rig)
    list_anew(rig, max_market_qty=Decimal("2.5"))
    go(rig, 15)
    assert rig.qty() == 2
    go(rig, 50)

    assert rig.qty() == 2
    denied = {fact.reason for fact in rig.ever(ev.OrderDenied)}
    assert "quantity, with its other parts, 3 must be at most 2.5" in denied
    assert max(stop.qty for stop in rig.working(OrderRole.STOP_LOSS)) == 2
    assert len(shorts(rig)) == 1


def test_no_part_is_made_larger_than_its_stop_can_cover_beside_the_others(rig):
    list_anew(rig, max_market_qty=Decimal(3))
    terms = {"order_type": OrderType.LIMIT, "price": Decimal(99), "stop_loss": Decimal(90)}
    rig.signal(quantity=Decimal(3), algo="twap:over=30s,slices=3", **terms)
    go(rig, 15, fills=False)
    first, _ = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.ModifyRequest(cl_ord_id=first.cl_ord_id, qty=Decimal("2.5")))

    [refused] = rig.told(ev.ReplaceRejected)
    assert "quantity, with its other parts, 3.5 must be at most 3" in refused.reason


@pytest.mark.parametrize("is_paused", [True, False])
def test_a_pause_whose_cancel_was_there_before_its_part_ends_nothing(rig, is_paused):
    rig.signal(quantity=Decimal(2), algo="iceberg:show=1", order_type=LIMIT, price=Decimal(100))
    [first] = entries(rig)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.refuse(first.cl_ord_id, msg.Request.CANCEL)
    rig.hear(msg.ResumeSession()) if not is_paused else None
    rig.accept(first.cl_ord_id)
    assert rig.canceled() == [first.cl_ord_id] * is_paused
    if is_paused:
        rig.cancel(first.cl_ord_id)
        rig.hear(msg.ResumeSession())
    go(rig, 10)

    assert rig.qty() == 2
    assert shorts(rig) == []


def test_what_is_placed_to_close_during_a_pause_is_not_asked_back_as_it_arrives(rig):
    rig.hold("1")
    rig.hear(msg.PauseSession(reason="lunch"))
    exit_ = rig.place(Side.SELL, "1", order_type=LIMIT, price="100", reduce_only=True)
    rig.accept(exit_)

    assert rig.canceled() == []


def refuse_all_but_entries(rig):
    for order in rig.state.all_open_orders():
        if order.role is not OrderRole.ENTRY and order.status is OrderStatus.PENDING_NEW:
            rig.reject(order.cl_ord_id, code=-4000)


def test_no_slice_goes_out_while_what_it_opened_is_to_be_closed_for_want_of_a_stop(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(90))
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.trade(first.cl_ord_id, 1)
    for _ in range(25):
        refuse_all_but_entries(rig)
        go(rig, 1, fills=False)
    assert "protection_closed" in rig.alarms()
    assert sizes(rig) == [1]

    for _ in range(15):
        for order in rig.working(OrderRole.EXIT):  # which is taken at last
            rig.trade(order.cl_ord_id, order.qty)
        go(rig, 1, fills=False)
    assert rig.qty() == 0
    assert sizes(rig) == [1]


def test_a_slice_is_no_larger_than_the_contract_takes_and_the_rest_falls_to_later_ones(rig):
    list_anew(rig, max_market_qty=Decimal("1.1"))
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(0), take_profit=Decimal(0))
    rig.reject(entries(rig)[0].cl_ord_id, code=-1008, reason="not now")
    go(rig, 70)

    assert sizes(rig) == [1, *[Decimal("1.1")] * 5]
    assert rig.qty() == Decimal("5.5")
    assert len(shorts(rig)) == 1


@pytest.mark.parametrize(
    ("algo", "terms", "text"),
    [
        (TWAP, {}, "a slice is 1; the most at the market is 0.9"),
        (TWAP, {"order_type": LIMIT, "price": Decimal(100)}, "a slice is 1; the most is 0.95"),
        (
            "iceberg:show=1",
            {"order_type": LIMIT, "price": Decimal(100)},
            "what is shown is 1; the most is 0.95",
        ),
    ],
)
def test_parts_larger_than_the_contract_takes_are_refused_at_once(algo, terms, text):
    rig = Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))
    list_anew(rig, max_market_qty=Decimal("0.9"), max_qty=Decimal("0.95"))
    rig.signal(quantity=Decimal(6), algo=algo, **terms)

    [denied] = rig.told(ev.SignalDenied)
    assert denied.reason == f"{algo}: {text}"

"""An order's table, tried exhaustively, and the small machines beside it."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.order import TRANSITIONS, Order, RequestState, Trigger
from holdfast.model import events as ev
from holdfast.model.errors import IllegalTransition
from holdfast.model.values import (
    ZERO,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderType,
    Side,
    Symbol,
    TradeId,
)
from holdfast.model.values import OrderStatus as S

ID = ClOrdId("1")
PAIRS = list(itertools.product(S, Trigger))
LEGAL = [(s, t) for s, t in PAIRS if t in TRANSITIONS[s]]
ILLEGAL = [pair for pair in PAIRS if pair not in LEGAL]
TOMBSTONES = (S.NEVER_ARRIVED, S.REJECTED)
RESTING = (S.PENDING_NEW, S.NEW, S.TRIGGERED, S.PARTIALLY_FILLED)


def names(pairs):
    return [f"{status.value}-{trigger.value}" for status, trigger in pairs]


def make(status=S.PENDING_NEW, qty="10", cum="0", **fields):
    request = NewOrder(
        cl_ord_id=ID,
        symbol=Symbol("X"),
        side=Side.BUY,
        qty=Decimal(qty),
        order_type=OrderType.LIMIT,
        price=Decimal(100),
        role=OrderRole.ENTRY,
    )
    done = Decimal(cum)
    return Order(
        request=request,
        status=status,
        created_ts=0,
        qty=request.qty,
        price=request.price,
        cum_qty=done,
        reported_qty=done,
        **fields,
    )


def fill(qty, trade="t", price="100"):
    return ev.OrderFilled(
        ts=1,
        symbol=Symbol("X"),
        side=Side.BUY,
        cl_ord_id=ID,
        trade_id=TradeId(trade),
        qty=Decimal(qty),
        price=Decimal(price),
        fee=Decimal("0.1"),
        realized_pnl=ZERO,
        venue_ts=1,
    )


def fact(kind, **fields):
    return kind(ts=1, cl_ord_id=ID, **fields)


FACTS = {
    Trigger.ACCEPT: fact(ev.OrderAccepted, venue_order_id="7"),
    Trigger.TRIGGER: fact(ev.OrderTriggered),
    Trigger.REJECT: fact(ev.OrderRejected, reason="no", code=-1),
    Trigger.PARTIAL_FILL: fill("1"),
    Trigger.FILL: fill("6"),
    Trigger.CANCEL: fact(ev.OrderCanceled),
    Trigger.EXPIRE: fact(ev.OrderExpired),
    Trigger.LOSE: fact(ev.OrderNeverArrived),
}


def order_in(status):
    """An order of 10 in a status, with 4 executed so far: a fill of 6 completes it."""
    return make(status, cum="10" if status is S.FILLED else "4")


def test_every_status_has_a_row():
    assert set(TRANSITIONS) == set(S)


def test_the_size_of_the_table_is_deliberate():
    assert (len(LEGAL), len(ILLEGAL)) == (56, 24)


@pytest.mark.parametrize(("status", "trigger"), LEGAL, ids=names(LEGAL))
def test_a_legal_fact_leads_where_the_table_says(status, trigger):
    if status is S.FILLED:
        assert TRANSITIONS[status][trigger] is S.FILLED
    order = order_in(status)

    order.apply(FACTS[trigger])

    assert order.status is TRANSITIONS[status][trigger]


@pytest.mark.parametrize(("status", "trigger"), ILLEGAL, ids=names(ILLEGAL))
def test_an_illegal_fact_raises_and_moves_nothing(status, trigger):
    order = order_in(status)

    with pytest.raises(IllegalTransition, match="1: "):
        order.apply(FACTS[trigger])

    assert order.status is status


@pytest.mark.parametrize("status", [s for s in S if not s.is_open and s not in TOMBSTONES])
def test_closed_orders_never_reopen(status):
    assert not any(target.is_open for target in TRANSITIONS[status].values())


@pytest.mark.parametrize("status", TOMBSTONES)
def test_what_was_taken_for_absent_is_what_it_is_when_it_appears(status):
    order = make(status)

    order.apply(FACTS[Trigger.ACCEPT])

    assert order.status is S.NEW
    assert order.leaves_qty == 10


def test_every_status_can_be_reached_but_denied_which_never_leaves_us():
    reached, frontier = {S.PENDING_NEW}, [S.PENDING_NEW]
    while frontier:
        for target in set(TRANSITIONS[frontier.pop()].values()) - reached:
            reached.add(target)
            frontier.append(target)
    assert set(S) - reached == {S.DENIED}


# Fills


def test_a_fill_adds_up_quantity_and_value():
    order = make(S.NEW)

    order.apply(fill("4", "a", "100"))
    order.apply(fill("6", "b", "110"))

    assert (order.cum_qty, order.avg_px) == (10, 106)
    assert order.status is S.FILLED
    assert order.leaves_qty == 0


def test_what_no_list_has_a_price_of_leaves_the_average_as_it_is():
    order = make(S.NEW)

    order.apply(fill("4", "a", "0"))
    unpriced = order.avg_px
    order.apply(fill("6", "b", "110"))

    assert unpriced is None
    assert (order.cum_qty, order.avg_px) == (10, 110)


def test_an_order_without_fills_has_no_average_price():
    assert make().avg_px is None


@pytest.mark.parametrize("status", RESTING)
def test_an_overfill_is_refused_before_anything_changes(status):
    order, untouched = make(status), make(status)

    with pytest.raises(IllegalTransition, match=r"trade t of 11 makes 11, more than .* 10"):
        order.apply(fill("11"))

    assert order == untouched


def test_a_fill_after_the_cancel_is_booked_and_the_order_stays_canceled():
    order = make(S.NEW)
    order.apply(fact(ev.OrderCanceled))

    order.apply(fill("3"))

    assert (order.status, order.cum_qty) == (S.CANCELED, 3)


def test_an_order_that_fills_up_after_the_cancel_is_filled():
    order = make(S.CANCELED)

    order.apply(fill("10"))

    assert order.status is S.FILLED


# A final status waits for the fills that it names


@pytest.mark.parametrize(
    ("kind", "final"), [(ev.OrderCanceled, S.CANCELED), (ev.OrderExpired, S.EXPIRED)]
)
def test_a_final_status_waits_for_the_fills_that_it_names(kind, final):
    order = make(S.NEW)

    order.apply(fact(kind, cum_qty=Decimal(5), reason="over"))

    assert order.is_open
    assert order.ending is final
    assert order.leaves_qty == 5  # what it still owes, not what it could have filled

    order.apply(fill("2", "a"))

    assert order.is_open

    order.apply(fill("3", "b"))

    assert (order.status, order.ending, order.is_open) == (final, None, False)
    assert order.reason == "over"


def test_a_final_status_that_names_what_is_booked_is_final_at_once():
    order = make(S.PARTIALLY_FILLED, cum="5")

    order.apply(fact(ev.OrderCanceled, cum_qty=Decimal(5)))

    assert order.status is S.CANCELED


def test_a_final_status_waits_for_fills_that_were_reported_earlier():
    order = make(S.NEW)
    order.apply(fact(ev.OrderReported, cum_qty=Decimal(2)))

    order.apply(fact(ev.OrderCanceled))

    assert order.is_open
    assert order.leaves_qty == 2


def test_an_order_that_waits_for_fills_and_gets_more_is_over_all_the_same():
    order = make(S.NEW)
    order.apply(fact(ev.OrderCanceled, cum_qty=Decimal(5)))

    order.apply(fill("10"))

    assert order.status is S.FILLED
    assert order.ending is None


def test_an_ending_answers_a_cancel_and_an_amendment_under_way():
    order = make(S.NEW)
    order.apply(fact(ev.CancelRequested))
    order.apply(fact(ev.ReplaceRequested, qty=Decimal(20), price=Decimal(90)))

    order.apply(fact(ev.OrderExpired, cum_qty=Decimal(1)))

    assert (order.cancel, order.replace) == (RequestState.NONE, RequestState.NONE)


# The small machines


@pytest.mark.parametrize("status", RESTING)
def test_a_cancel_asked_refused_or_in_doubt_never_touches_the_status(status):
    order = make(status, cum="3")

    order.apply(fact(ev.CancelRequested))
    assert (order.cancel, order.status) == (RequestState.PENDING, status)

    order.apply(fact(ev.CancelInDoubt, fence_ts=9))
    assert (order.cancel, order.cancel_fence_ts, order.status) == (RequestState.IN_DOUBT, 9, status)

    order.apply(fact(ev.CancelRejected))
    assert (order.cancel, order.status) == (RequestState.NONE, status)
    assert order.leaves_qty == 7


def test_a_refused_cancel_leaves_a_partial_fill_as_it_was():
    order = make(S.NEW)
    order.apply(fact(ev.CancelRequested))
    order.apply(fill("4"))

    order.apply(fact(ev.CancelRejected))

    assert (order.status, order.cum_qty, order.leaves_qty) == (S.PARTIALLY_FILLED, 4, 6)


@pytest.mark.parametrize("is_in_doubt", [False, True])
def test_an_amendment_under_way_reserves_the_larger_of_old_and_new(is_in_doubt):
    order = make(S.NEW, cum="2")

    for qty, leaves in (("15", 13), ("5", 8)):
        order.apply(fact(ev.ReplaceRequested, qty=Decimal(qty), price=Decimal(99)))
        if is_in_doubt:
            order.apply(fact(ev.ReplaceInDoubt, fence_ts=5))
        assert order.leaves_qty == leaves
        order.apply(fact(ev.ReplaceRejected))
        assert (order.qty, order.price, order.leaves_qty) == (10, 100, 8)


def test_an_amendment_that_is_done_gives_the_venues_quantity_and_price():
    order = make(S.NEW)
    order.apply(fact(ev.ReplaceRequested, qty=Decimal(15), price=Decimal(99)))

    order.apply(fact(ev.OrderReplaced, qty=Decimal(15), price=Decimal(99)))

    assert (order.qty, order.price, order.replace) == (15, 99, RequestState.NONE)


def test_a_fill_past_the_old_quantity_is_taken_while_a_larger_one_is_asked_for():
    order = make(S.NEW)
    order.apply(fact(ev.ReplaceRequested, qty=Decimal(15), price=Decimal(99)))

    order.apply(fill("12"))

    assert (order.status, order.leaves_qty) == (S.PARTIALLY_FILLED, 3)


def test_an_order_that_filled_while_a_larger_amendment_was_refused_is_filled():
    order = make(S.NEW)
    order.apply(fact(ev.ReplaceRequested, qty=Decimal(15), price=Decimal(99)))
    order.apply(fill("10"))
    assert order.is_open

    order.apply(fact(ev.ReplaceRejected))

    assert order.status is S.FILLED


def test_doubt_is_beside_the_status_and_any_sign_of_life_ends_it():
    signs = [
        *(FACTS[t] for t in (Trigger.ACCEPT, Trigger.TRIGGER, Trigger.PARTIAL_FILL)),
        fact(ev.OrderReported, cum_qty=Decimal(1)),
        fact(ev.OrderCanceled, cum_qty=Decimal(1)),
        FACTS[Trigger.REJECT],
        FACTS[Trigger.LOSE],
    ]
    for sign in signs:
        order = make()
        order.apply(fact(ev.OrderInDoubt, fence_ts=50))
        assert order.is_in_doubt
        assert order.status is S.PENDING_NEW
        assert order.leaves_qty == 10

        order.apply(sign)

        assert not order.is_in_doubt


def test_a_cancel_or_an_amendment_in_doubt_says_nothing_of_the_order_itself():
    order = make(S.NEW)

    order.apply(fact(ev.CancelRequested))
    order.apply(fact(ev.CancelInDoubt, fence_ts=5))

    assert not order.is_in_doubt


def test_a_fact_of_no_order_is_refused():
    with pytest.raises(IllegalTransition, match="no order fact KillSwitchReleased"):
        make().apply(ev.KillSwitchReleased(ts=1, operator="x"))


def test_the_refusals_reason_and_code_are_kept():
    order = make()

    order.apply(FACTS[Trigger.REJECT])

    assert (order.reason, order.code) == ("no", -1)


def test_an_order_knows_its_key_side_and_role_by_its_request():
    order = make()

    assert order.key == ("main", "X")
    assert (order.side, order.role) == (Side.BUY, OrderRole.ENTRY)


@st.composite
def lives(draw):
    """Facts in any order: what a hostile venue and a bad road can make of one order's life."""
    kinds = st.sampled_from(
        [
            *FACTS.values(),
            fill("3", "x"),
            fact(ev.OrderCanceled, cum_qty=Decimal(4)),
            fact(ev.OrderReported, cum_qty=Decimal(6)),
            fact(ev.OrderInDoubt, fence_ts=5),
            fact(ev.CancelRequested),
            fact(ev.CancelRejected),
            fact(ev.ReplaceRequested, qty=Decimal(12), price=Decimal(90)),
            fact(ev.OrderReplaced, qty=Decimal(12), price=Decimal(90)),
            fact(ev.ReplaceRejected),
        ]
    )
    return draw(st.lists(kinds, max_size=12))


@given(lives())
def test_whatever_happens_quantities_stay_possible(life):
    order = make()
    booked = ZERO
    for each in life:
        try:
            order.apply(each)
        except IllegalTransition:
            continue
        booked += each.qty if isinstance(each, ev.OrderFilled) else ZERO
        assert order.cum_qty == booked
        assert order.reported_qty >= order.cum_qty
        assert order.leaves_qty >= 0
        assert order.is_open or (order.leaves_qty == 0 and order.ending is None)
        if order.status is S.FILLED:
            assert order.cum_qty >= order.qty

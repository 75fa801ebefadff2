"""Quantities that are worked in parts: twap and iceberg, through fills, refusals and restarts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.algos import ALGOS, find
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError
from holdfast.model.values import (
    NS_PER_S,
    ZERO,
    OrderRole,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    SignalType,
    TimeInForce,
)
from tests.engine.rig import BTC, Rig, S, contract

TWAP = "twap:over=60s,slices=6"
ICEBERG = "iceberg:show=1"


def entries(rig):
    """All orders that open, oldest first, denied ones among them."""
    return [o for o in rig.state.orders.values() if o.role is OrderRole.ENTRY]


def sizes(rig):
    return [o.request.qty for o in entries(rig) if o.status is not OrderStatus.DENIED]


def fill_all(rig):
    """Take and fill what was sent, and take its stop."""
    for order in [o for o in entries(rig) if o.is_open]:
        rig.accept(order.cl_ord_id)
        rig.trade(order.cl_ord_id, order.leaves_qty)
    for order in rig.state.all_open_orders():
        if order.status is OrderStatus.PENDING_NEW:
            rig.accept(order.cl_ord_id)


def go(rig, seconds, *, fills=True):
    """Let time pass, second by second; each timer rings once, when it is due."""
    for _ in range(seconds):
        rig.wait(1)
        timers = [c for c in rig.commands if isinstance(c, cmd.SetTimer)]
        rig.commands[:] = [c for c in rig.commands if c not in timers or c.due_ts > rig.now]
        for timer in timers:
            if timer.due_ts <= rig.now:
                rig.hear(msg.TimerFired(parent_id=timer.parent_id))
        if fills:
            fill_all(rig)


@pytest.fixture
def rig():
    return Rig(limits={"duplicate_window_s": 60})


def shorts(rig):
    return [fact.text for fact in rig.ever(ev.AlarmRaised) if fact.code == "algo_short"]


# Slices over time


def test_a_twap_sends_equal_slices_at_equal_times_and_no_more(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    assert sizes(rig) == [1]

    for done in range(1, 6):
        go(rig, 9)
        assert len(sizes(rig)) == done
        go(rig, 1)
        assert sizes(rig) == [1] * (done + 1)
    go(rig, 120)

    assert sizes(rig) == [1] * 6
    assert rig.qty() == 6
    assert shorts(rig) == []
    assert [p.wake_ts for p in rig.state.parents.values()] == [None]


def test_what_the_lot_leaves_of_slices_is_in_the_last(rig):
    rig.signal(quantity=Decimal(1), algo="twap:over=70s,slices=7")
    fill_all(rig)
    go(rig, 80)

    assert (len(sizes(rig)), sum(sizes(rig))) == (7, 1)
    assert all(size % Decimal("0.001") == 0 for size in sizes(rig))


def test_its_stop_covers_what_has_filled_so_far(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(90))
    fill_all(rig)
    go(rig, 10)
    go(rig, 3)

    stops = rig.working(OrderRole.STOP_LOSS)
    assert sum(o.leaves_qty for o in stops) >= 2
    assert rig.qty() == 2


def test_a_slice_that_finds_no_taker_falls_to_the_later_ones(rig):
    rig.signal(
        quantity=Decimal(6),
        algo=TWAP,
        order_type=OrderType.LIMIT,
        price=Decimal(100),
        time_in_force=TimeInForce.IOC,
    )
    first = entries(rig)[0]
    rig.accept(first.cl_ord_id)
    rig.expire(first.cl_ord_id)
    go(rig, 70)

    assert sizes(rig) == [1, *([Decimal("1.2")] * 5)]
    assert rig.qty() == 6


def test_slices_that_rest_are_not_sent_again(rig):
    price = Decimal(99)
    rig.signal(quantity=Decimal(6), algo=TWAP, order_type=OrderType.LIMIT, price=price)
    go(rig, 90, fills=False)

    assert sizes(rig) == [1] * 6
    assert rig.qty() == 0


def test_a_slice_that_is_in_doubt_counts_as_on_its_way(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    rig.unknown(entries(rig)[0].cl_ord_id)
    go(rig, 10, fills=False)

    assert sizes(rig) == [1, 1]


@pytest.mark.parametrize(
    "end",
    [
        lambda rig: rig.signal(SignalType.CLOSE),
        lambda rig: rig.signal(SignalType.SELL, quantity=Decimal(1)),
        lambda rig: rig.place(Side.SELL, "1", reduce_only=True),
    ],
    ids=["a close", "a turn", "a hand"],
)
def test_it_ends_when_something_closes_what_it_opened(rig, end):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    end(rig)
    for order in rig.state.all_open_orders():
        if order.status is OrderStatus.PENDING_NEW:
            rig.accept(order.cl_ord_id)
            rig.trade(order.cl_ord_id, order.leaves_qty)
    buys = sum(o.side is Side.BUY for o in entries(rig))
    go(rig, 90)

    assert sum(o.side is Side.BUY for o in entries(rig)) == buys == 1


def test_it_ends_when_its_stop_is_hit(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(90))
    fill_all(rig)
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.trigger(stop.cl_ord_id)
    rig.trade(stop.cl_ord_id, "1", price="90")
    go(rig, 90)

    assert sizes(rig) == [1]


@pytest.mark.parametrize("end", ["cancel", "reject"])
def test_it_ends_when_a_slice_is_taken_back_or_refused_and_says_so(rig, end):
    price = Decimal(99)
    rig.signal(quantity=Decimal(6), algo=TWAP, order_type=OrderType.LIMIT, price=price)
    first = entries(rig)[0].cl_ord_id
    rig.accept(first) if end == "cancel" else None
    getattr(rig, end)(first)
    go(rig, 90, fills=False)

    assert sizes(rig) == [1]
    [text] = shorts(rig)
    assert text.startswith(f"BTCUSDT: twap 1 of s ended with 0 of 6 filled: {first} was ")


def test_what_is_left_when_its_time_is_over_is_told(rig):
    rig.signal(
        quantity=Decimal(6),
        algo=TWAP,
        order_type=OrderType.LIMIT,
        price=Decimal(100),
        time_in_force=TimeInForce.IOC,
    )
    for _ in range(70):
        go(rig, 1, fills=False)
        for order in [o for o in entries(rig) if o.is_open]:
            rig.accept(order.cl_ord_id)
            rig.expire(order.cl_ord_id)

    assert shorts(rig) == [
        "BTCUSDT: twap 1 of s ended with 0 of 6 filled: its time is over, and 6 is left"
    ]
    assert max(sizes(rig)) == 2  # no slice is more than two of the first


# Sessions that pause, end and come back


def test_a_pause_sends_nothing_and_what_it_missed_is_spread(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    rig.hear(msg.PauseSession(reason="lunch"))
    go(rig, 25)
    assert sizes(rig) == [1]

    rig.hear(msg.ResumeSession())
    go(rig, 40)

    assert sum(sizes(rig)) == 6
    assert sizes(rig)[1] == Decimal("1.25")


@pytest.mark.parametrize("algo", [ICEBERG, "twap:over=30s,slices=3"])
@pytest.mark.parametrize("has_filled", [True, False])
def test_what_a_pause_has_taken_back_goes_out_again_when_it_is_over(rig, algo, has_filled):
    limit = {"order_type": OrderType.LIMIT, "price": Decimal(100)}
    rig.signal(quantity=Decimal(3), algo=algo, **limit)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.trade(first.cl_ord_id, "0.4") if has_filled else None
    go(rig, 6, fills=False)
    rig.hear(msg.PauseSession(reason="lunch"))
    assert rig.canceled() == [first.cl_ord_id]
    rig.cancel(first.cl_ord_id, cum_qty=first.cum_qty)
    go(rig, 10, fills=False)
    assert sizes(rig) == [1]

    rig.hear(msg.ResumeSession())
    go(rig, 40)

    assert rig.qty() == 3
    assert shorts(rig) == []


def test_what_a_pause_has_taken_back_goes_out_again_behind_a_crash(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.refuse(first.cl_ord_id, msg.Request.CANCEL)
    go(rig, 10, fills=False)
    rig.cancel(first.cl_ord_id)
    rig.restart()
    rig.snapshot()
    assert (sizes(rig), rig.session().value) == ([1], "PAUSED")

    rig.hear(msg.ResumeSession())
    go(rig, 10)

    assert rig.qty() == 3


def test_what_a_hand_takes_back_while_the_pause_is_doing_so_stays_so(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.hear(msg.CancelRequest(cl_ord_id=first.cl_ord_id))
    assert rig.canceled() == []  # it is on its way
    rig.cancel(first.cl_ord_id)
    rig.hear(msg.ResumeSession())
    go(rig, 10)

    assert sizes(rig) == [1]
    assert not rig.qty()


def test_what_a_hand_takes_back_while_the_pauses_cancel_is_in_doubt_stays_so(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.unknown(first.cl_ord_id, msg.Request.CANCEL)
    fence_ts = rig.order(first.cl_ord_id).cancel_fence_ts
    rig.hear(msg.CancelRequest(cl_ord_id=first.cl_ord_id))
    order = rig.order(first.cl_ord_id)
    assert (order.cancel, order.cancel_fence_ts) == (RequestState.IN_DOUBT, fence_ts)
    assert rig.canceled() == []  # it may be on its way
    rig.cancel(first.cl_ord_id)
    rig.hear(msg.ResumeSession())
    go(rig, 10)

    assert sizes(rig) == [1]
    assert not rig.qty()


def test_what_a_hand_takes_back_behind_a_pauses_cancel_that_was_there_first_is_taken_back(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.accept(first.cl_ord_id)
    rig.hear(msg.CancelRequest(cl_ord_id=first.cl_ord_id))
    rig.refuse(first.cl_ord_id, msg.Request.CANCEL)
    rig.hear(msg.ResumeSession())
    go(rig, 2, fills=False)

    assert rig.order(first.cl_ord_id).is_unwanted


def test_what_somebody_takes_back_behind_a_pause_that_could_not_stays_so(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.refuse(first.cl_ord_id, msg.Request.CANCEL)
    rig.hear(msg.ResumeSession())
    rig.cancel(first.cl_ord_id)
    go(rig, 20)

    assert sizes(rig) == [1]
    assert len(shorts(rig)) == 1


def test_what_a_hand_takes_back_while_it_is_paused_stays_so():
    rig = Rig(limits={"duplicate_window_s": 60}, cancel_entries_on_pause=False)
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.PauseSession(reason="lunch"))
    assert rig.canceled() == []
    rig.hear(msg.CancelRequest(cl_ord_id=first.cl_ord_id))
    rig.cancel(first.cl_ord_id)
    rig.hear(msg.ResumeSession())
    go(rig, 20)

    assert sizes(rig) == [1]
    assert len(shorts(rig)) == 1


@pytest.mark.parametrize("away_s", [5, 30])
def test_it_goes_on_behind_a_crash(rig, away_s):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    go(rig, 10)
    rig.now += away_s * NS_PER_S
    rig.restart()
    rig.hear(msg.Tick())
    assert sizes(rig) == [1, 1]

    rig.snapshot()
    go(rig, 60 - away_s)

    assert sum(sizes(rig)) == rig.qty() == 6
    assert max(sizes(rig)) <= 2


def test_behind_a_crash_that_outlasts_it_nothing_is_sent_and_that_is_told(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    rig.now += 8 * 3600 * NS_PER_S
    rig.restart()
    rig.snapshot()
    go(rig, 20)

    assert sizes(rig) == [1]
    [text] = shorts(rig)
    assert "its time is over, and 5 is left" in text


@pytest.mark.parametrize(
    "end",
    [
        lambda rig: rig.hear(msg.EngageKillSwitch(reason="enough")),
        lambda rig: rig.hear(msg.StopSession(reason="enough")),
        lambda rig: rig.hear(msg.StrategyFailed(strategy_id=S, reason="it raised")),
    ],
    ids=["kill switch", "stop", "strategy"],
)
def test_what_ends_trading_ends_it_for_good(rig, end):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    end(rig)
    assert [p.wake_ts for p in rig.state.parents.values()] == [None] * len(rig.state.parents)
    if rig.state.is_killed:
        rig.hear(msg.ReleaseKillSwitch(operator="me"))
    go(rig, 90)

    assert sizes(rig) == [1]


def test_a_new_session_does_not_go_on_with_what_another_began(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    folded = rig.facts
    rig = Rig(start=False, facts=folded)
    rig.now = folded[-1].ts + NS_PER_S
    rig.hear(msg.StartSession(session_id=SessionId("y"), portfolio_id="p", epoch=9, symbols=(BTC,)))
    rig.snapshot()
    go(rig, 90)

    assert sizes(rig) == [1]


# Parts of a limit


def iceberg(rig, qty="3", **fields):
    terms = {"order_type": OrderType.LIMIT, "price": Decimal(100), "algo": ICEBERG}
    rig.signal(quantity=Decimal(qty), **(terms | fields))


def test_an_iceberg_shows_the_next_part_when_the_last_has_filled(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.trade(first.cl_ord_id, "0.4")
    assert sizes(rig) == [1]

    rig.trade(first.cl_ord_id, "0.6")
    assert sizes(rig) == [1, 1]
    go(rig, 10)

    assert sizes(rig) == [1, 1, 1]
    assert rig.qty() == 3
    assert shorts(rig) == []
    assert {o.request.price for o in entries(rig)} == {Decimal(100)}


@pytest.mark.parametrize(("qty", "parts"), [("2.4", ["1", "1.4"]), ("2.6", ["1", "1", "0.6"])])
def test_no_rest_is_too_small_to_be_an_order(rig, qty, parts):
    iceberg(rig, qty)
    go(rig, 10)

    assert sizes(rig) == [Decimal(each) for each in parts]


def test_a_part_that_is_lost_on_its_way_is_shown_again(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.unknown(first.cl_ord_id)
    assert sizes(rig) == [1]
    rig.wait(30)
    rig.not_found(first.cl_ord_id)
    assert rig.order(first.cl_ord_id).status is OrderStatus.NEVER_ARRIVED

    assert sizes(rig) == [1, 1]
    go(rig, 10)
    assert rig.qty() == 3


def test_a_part_that_a_rule_denies_is_tried_again(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.VenueLink(is_up=False, reason="gone"))
    rig.trade(first.cl_ord_id, "1")
    assert sizes(rig) == [1]

    rig.hear(msg.VenueLink(is_up=True))
    rig.snapshot()
    go(rig, 10)

    assert rig.qty() == 3


def test_a_part_that_is_denied_for_a_minute_ends_it(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.VenueLink(is_up=False, reason="gone"))
    rig.trade(first.cl_ord_id, "1")
    go(rig, 120, fills=False)

    [text] = shorts(rig)
    assert "1 of 3 filled: a part was denied 12 times" in text
    assert rig.qty() == 1


def test_a_part_that_fills_while_nobody_runs_is_followed_by_the_next(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.restart()
    rig.trade(first.cl_ord_id, "1")
    assert sizes(rig) == [1]

    rig.snapshot()
    go(rig, 10)

    assert sizes(rig) == [1, 1, 1]


@pytest.mark.parametrize("end", ["cancel", "expire", "reject"])
def test_an_iceberg_ends_with_a_part_that_is_gone(rig, end):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id) if end != "reject" else None
    getattr(rig, end)(first.cl_ord_id)
    go(rig, 30)

    assert sizes(rig) == [1]
    assert len(shorts(rig)) == 1


def test_a_part_that_fills_while_it_is_amended_is_followed_by_the_next(rig):
    iceberg(rig)
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.hear(msg.ModifyRequest(cl_ord_id=first.cl_ord_id, qty=Decimal(2)))
    rig.trade(first.cl_ord_id, "1", status=OrderStatus.PARTIALLY_FILLED)
    assert sizes(rig) == [1]

    rig.unknown(first.cl_ord_id, msg.Request.REPLACE)
    rig.status(first.cl_ord_id, OrderStatus.FILLED, qty=Decimal(1), cum_qty=Decimal(1))

    assert rig.order(first.cl_ord_id).status is OrderStatus.FILLED
    assert sizes(rig) == [1, 1]


def test_a_slice_that_none_took_leaves_the_rest_to_a_restart(rig):
    rig.signal(
        quantity=Decimal(6),
        algo=TWAP,
        order_type=OrderType.LIMIT,
        price=Decimal(100),
        time_in_force=TimeInForce.IOC,
    )
    for _ in range(2):  # with nothing open and nothing held, the parent counts as over in between
        [order] = [o for o in entries(rig) if o.is_open]
        rig.accept(order.cl_ord_id)
        rig.expire(order.cl_ord_id)
        go(rig, 10, fills=False)
    rig.restart()
    rig.snapshot()
    go(rig, 70)

    assert rig.qty() == 6


@pytest.mark.parametrize("code", [None, -1003, -1008, -1015])
def test_a_part_that_never_left_is_tried_again(rig, code):
    iceberg(rig)
    rig.reject(entries(rig)[0].cl_ord_id, code=code, reason="not now")
    assert sizes(rig) == [1]
    go(rig, 20)

    assert rig.qty() == 3
    assert shorts(rig) == []


@pytest.mark.parametrize("algo", [TWAP, "iceberg:show=1"])
def test_nothing_is_bought_past_the_stop_that_it_would_have(rig, algo):
    terms = {"order_type": OrderType.LIMIT, "price": Decimal(100), "stop_loss": Decimal(95)}
    rig.signal(quantity=Decimal(6), algo=algo, **terms)
    [first] = entries(rig)
    rig.reject(first.cl_ord_id, code=-1003, reason="Too many requests")
    rig.price(94)
    go(rig, 30, fills=False)

    assert sizes(rig) == [1]
    [text] = shorts(rig)
    assert "stop_loss 95 must be below the price 94" in text


def test_the_end_of_a_stop_is_no_end_of_a_part(rig):
    iceberg(rig, stop_loss=Decimal(90))
    [first] = entries(rig)
    rig.accept(first.cl_ord_id)
    rig.trade(first.cl_ord_id, "0.5")
    rig.cancel(first.cl_ord_id)
    for _ in range(3):
        for stop in rig.working(OrderRole.STOP_LOSS):
            rig.accept(stop.cl_ord_id)
            rig.cancel(stop.cl_ord_id)
        rig.wait(2)

    assert len(shorts(rig)) == 1


# Terms


@pytest.mark.parametrize(
    ("algo", "text"),
    [
        ("nap", "there is no algorithm nap; there are direct, bracket, twap, iceberg"),
        ("twap", "its terms are over, slices; these were none"),
        ("twap:over=60s", "its terms are over, slices; these were over"),
        ("twap:over=60s,slices=1", "slices must be 2 to 1000, was 1"),
        ("twap:over=60s,slices=x", "slices must be 2 to 1000, was x"),
        ("twap:over=5s,slices=6", "at least a second for each slice"),
        ("twap:over=25h,slices=6", "at most 24h; was 25h"),
        ("twap:over=soon,slices=6", "was soon"),
        ("twap:over=60s,over=60s,slices=6", "once each"),
        ("twap:over,slices=6", "terms are name=value"),
        ("iceberg:show=1", "its order is a LIMIT that rests (GTC or GTX), was MARKET GTC"),
        ("direct:x=1", "its terms are none; these were x"),
        ("twap:over=100s,slices=100", "a slice is worth 1.00; the least is 5"),
    ],
)
def test_terms_that_do_not_fit_are_refused_by_name(algo, text):
    rig = Rig()
    rig.hear(msg.InstrumentListed(instrument=contract(min_notional=Decimal(5)), leverage=10))
    rig.signal(quantity=Decimal(1), algo=algo)

    [denied] = rig.told(ev.SignalDenied)
    assert text in denied.reason
    assert rig.submitted() == []

    with pytest.raises(InputError) as caught:
        rig.place(Side.BUY, "1", algo=algo)
    assert text in str(caught.value)


def test_what_shows_too_little_is_refused(rig):
    terms = {"order_type": OrderType.LIMIT, "price": Decimal(100)}
    rig.signal(quantity=Decimal(1), algo="iceberg:show=0.001", **terms)

    [denied] = rig.told(ev.SignalDenied)
    assert denied.reason == (
        "iceberg:show=0.001: half of what is shown is 0.0005; the least is 0.001"
    )


def test_an_exit_is_not_worked_in_parts(rig):
    rig.hold("2")

    with pytest.raises(InputError, match="a reduce-only order goes out at once, not by twap"):
        rig.place(Side.SELL, "1", reduce_only=True, algo=TWAP)


def test_what_a_wish_would_lead_to_is_judged_by_a_part_on_the_lot(rig):
    rig.signal(quantity=Decimal(1), algo="twap:over=70s,slices=7")
    assert sizes(rig) == [Decimal("0.142")]
    go(rig, 80)
    wish = rig.ever(ev.SignalReceived)[0].signal
    explained = rig.engine.explain(wish, rig.now)

    assert [v for verdicts in explained.verdicts for v in verdicts if not v.passed] == []


def test_what_a_wish_would_lead_to_is_judged_by_its_first_part(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    wish = rig.ever(ev.SignalReceived)[0].signal
    explained = rig.engine.explain(wish, rig.now)

    assert [plan.pattern.qty for plan in explained.plans] == [6]
    values = {v.rule: v.value for verdicts in explained.verdicts for v in verdicts}
    assert values["order_notional"] == 100


# Laws


@given(
    algo=st.sampled_from(["twap:over=20s,slices=7", "iceberg:show=0.7"]),
    qty=st.integers(1000, 9999),
    script=st.lists(
        st.sampled_from(["fill", "part", "lose", "restart", "wait", "pause", "resume"]),
        min_size=1,
        max_size=25,
    ),
)
def test_whatever_happens_no_more_than_wished_for_is_sent_and_nothing_is_opened_behind_its_end(
    algo, qty, script
):
    rig = Rig(limits={"duplicate_window_s": 0})
    qty = Decimal(qty) / 1000
    rig.signal(quantity=qty, algo=algo, order_type=OrderType.LIMIT, price=Decimal(100))
    for step in script:
        _play(rig, step)
        at_most = sum((o.cum_qty + o.leaves_qty for o in entries(rig)), ZERO)
        assert at_most <= qty
    rig.hear(msg.ResumeSession()) if rig.session().value == "PAUSED" else None
    go(rig, 60)

    assert sum((o.cum_qty for o in entries(rig)), ZERO) == rig.qty() <= qty
    assert all(p.wake_ts is None for p in rig.state.parents.values())


def _play(rig, step):
    resting = [o for o in entries(rig) if o.is_open]
    if step == "fill":
        fill_all(rig)
    elif step == "part" and resting and resting[0].leaves_qty > Decimal("0.001"):
        rig.accept(resting[0].cl_ord_id)
        rig.trade(resting[0].cl_ord_id, "0.001")
    elif step == "lose" and resting and resting[0].status is OrderStatus.PENDING_NEW:
        rig.unknown(resting[0].cl_ord_id)
        rig.wait(30)
        rig.not_found(resting[0].cl_ord_id)
    elif step == "restart":
        rig.restart()
        rig.snapshot()
    elif step == "pause" and rig.session().value == "RUNNING":
        rig.hear(msg.PauseSession(reason="lunch"))
    elif step == "resume" and rig.session().value == "PAUSED":
        rig.hear(msg.ResumeSession())
    elif step == "wait":
        go(rig, 3, fills=False)


def test_each_algorithm_is_found_by_its_name():
    assert [find(name)[0] for name in ALGOS] == list(ALGOS.values())
    assert find("iceberg:show = 0.5")[1] == {"show": "0.5"}

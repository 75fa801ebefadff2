"""What ends a quantity that is worked in parts ends it for good, and is told once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.order import RequestState
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import (
    NS_PER_S,
    ClOrdId,
    OrderRole,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    SignalType,
    StrategyId,
    plain,
)
from tests.engine.rig import BTC, Rig, contract
from tests.engine.test_algos import TWAP, entries, fill_all, go, iceberg, shorts, sizes


@pytest.fixture
def rig():
    return Rig(limits={"duplicate_window_s": 0})


def test_a_part_that_fills_behind_a_released_kill_has_no_next(rig):
    iceberg(rig)
    rig.accept(entries(rig)[0].cl_ord_id)
    rig.hear(msg.EngageKillSwitch(reason="enough"))
    rig.hear(msg.ReleaseKillSwitch(operator="me"))
    rig.trade(entries(rig)[0].cl_ord_id, 1)
    go(rig, 20)

    assert sizes(rig) == [1]


def test_a_part_of_an_older_session_that_fills_has_no_next(rig):
    iceberg(rig)
    part = entries(rig)[0].cl_ord_id
    rig.accept(part)
    rig.hear(msg.FailSession(reason="odd"))
    rig.hear(msg.ResetSession(reason="looked at"))
    folded = rig.facts
    rig = Rig(start=False, facts=folded)
    rig.now = folded[-1].ts + NS_PER_S
    rig.hear(msg.StartSession(session_id=SessionId("y"), portfolio_id="p", epoch=9, symbols=(BTC,)))
    rig.snapshot()
    rig.trade(part, 1)
    go(rig, 20)

    assert sizes(rig) == [1]


@pytest.mark.parametrize("algo", [TWAP, "iceberg:show=1"])
def test_a_wish_of_while_nothing_is_opened_is_not_worked_later(rig, algo):
    rig.hear(msg.EngageKillSwitch(reason="enough"))
    rig.signal(quantity=Decimal(6), algo=algo, order_type=OrderType.LIMIT, price=Decimal(100))
    rig.hear(msg.ReleaseKillSwitch(operator="me"))
    go(rig, 70)

    assert sizes(rig) == []
    assert [p.wake_ts for p in rig.state.parents.values()] == [None]


def test_a_request_of_while_the_session_is_paused_is_not_worked_later(rig):
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.place(qty="6", algo=TWAP)
    rig.hear(msg.ResumeSession())
    go(rig, 70)

    assert sizes(rig) == []


@pytest.mark.parametrize(
    ("algo", "part"), [(TWAP, 1), ("iceberg:show=1", 1), ("iceberg:show=6", 6)]
)
def test_a_request_whose_first_part_a_rule_refuses_is_refused_as_a_whole(rig, algo, part):
    """Whoever asked is told so: what goes out later would be done twice."""
    rig.hear(msg.VenueLink(is_up=False, reason="gone"))
    terms = {"order_type": OrderType.LIMIT, "price": "100", "stop_loss": "90"}
    rig.place(qty="6", algo=algo, request_id="mine", **terms)
    [denied] = rig.told(ev.OrderDenied)
    assert (denied.rule, denied.order.qty) == ("link", part)

    rig.hear(msg.VenueLink(is_up=True))
    rig.snapshot()
    go(rig, 70)

    assert sizes(rig) == []
    assert [p.wake_ts for p in rig.state.parents.values()] == [None]


def test_what_is_less_than_a_lot_by_now_ends_it(rig):
    iceberg(rig, "2")
    rig.hear(
        msg.InstrumentListed(instrument=contract(lot=Decimal(5), min_qty=Decimal(5)), leverage=10)
    )
    rig.accept(entries(rig)[0].cl_ord_id)
    rig.trade(entries(rig)[0].cl_ord_id, 1)
    go(rig, 100)

    assert [p.wake_ts for p in rig.state.parents.values()] == [None]
    assert len(shorts(rig)) == 1


def test_a_last_slice_that_never_arrived_is_told(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    go(rig, 49)
    go(rig, 1, fills=False)
    last = entries(rig)[-1]
    rig.unknown(last.cl_ord_id)
    go(rig, 10, fills=False)
    rig.wait(60)
    if last.is_open:
        rig.not_found(last.cl_ord_id)
    go(rig, 5, fills=False)
    assert sum(o.cum_qty for o in entries(rig)) == 5
    assert len(shorts(rig)) == 1


def test_a_late_fill_of_a_part_that_was_taken_back_tells_nothing_twice(rig):
    iceberg(rig)
    part = entries(rig)[0].cl_ord_id
    rig.accept(part)
    rig.cancel(part)
    assert len(shorts(rig)) == 1
    rig.trade(part, "0.5", status=OrderStatus.CANCELED)

    assert len(shorts(rig)) == 1


@pytest.mark.parametrize("algo", [TWAP, "iceberg:show=1"])
def test_wherever_a_power_cut_tears_the_record_it_goes_on(algo):
    rig = Rig(limits={"duplicate_window_s": 0})
    rig.signal(quantity=Decimal(6), algo=algo, order_type=OrderType.LIMIT, price=Decimal(100))
    first = len(rig.facts)
    fill_all(rig)
    go(rig, 11)
    fill_all(rig)
    facts, now = rig.facts, rig.now
    for length in range(first, len(facts)):
        torn = Rig(start=False, facts=facts[:length], limits={"duplicate_window_s": 0})
        torn.epoch, torn.now = 1, now
        torn.begin(is_resumed=True)
        torn.price(100.0)
        torn.snapshot()
        go(torn, 70)
        assert sum(o.cum_qty for o in entries(torn)) == 6, (
            length,
            facts[length - 1],
            facts[length],
        )


@pytest.mark.parametrize(
    "close",
    [
        lambda rig: rig.signal(SignalType.CLOSE),
        lambda rig: rig.hear(msg.CloseRequest(symbol=BTC, reason="enough")),
    ],
    ids=["signal", "hand"],
)
def test_no_slice_goes_out_while_what_it_opened_is_being_closed(rig, close):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    go(rig, 9)
    close(rig)
    [exit_] = rig.submitted()
    go(rig, 2, fills=False)
    rig.accept(exit_.cl_ord_id)
    rig.trade(exit_.cl_ord_id, 1)
    go(rig, 60)

    assert sizes(rig) == [1]
    assert rig.qty() == 0


def test_no_slice_goes_out_while_its_stop_trades(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(90))
    fill_all(rig)
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.trigger(stop.cl_ord_id)
    go(rig, 12, fills=False)
    rig.trade(stop.cl_ord_id, 1)
    go(rig, 60)

    assert sizes(rig) == [1]


def test_no_slice_goes_out_while_a_stop_by_hand_trades(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(80))
    fill_all(rig)
    waits = {"order_type": OrderType.STOP_MARKET, "trigger_price": "95", "reduce_only": True}
    stop = rig.place(Side.SELL, "1", **waits)
    rig.accept(stop)
    go(rig, 5, fills=False)
    rig.trigger(stop)

    go(rig, 6, fills=False)

    assert sizes(rig) == [1]


RESTING = {"order_type": OrderType.LIMIT, "price": Decimal(99), "stop_loss": Decimal(90)}


def rest_and_fill_the_first(rig, slices=3):
    """Let so many slices of a twap rest, of which the first fills; return the others."""
    rig.signal(quantity=Decimal(6), algo=TWAP, take_profit=Decimal(105), **RESTING)
    go(rig, 10 * (slices - 1), fills=False)
    first, *others = [o.cl_ord_id for o in entries(rig)]
    rig.accept(first, *others)
    rig.trade(first, 1, "99")
    rig.accept(*[o.cl_ord_id for o in rig.submitted()])
    return others


@pytest.mark.parametrize("slices", [3, 6], ids=["some are to come", "all are there"])
@pytest.mark.parametrize("is_own", [True, False], ids=["its target", "a hand"])
def test_what_rests_of_one_is_taken_back_once_a_part_was_closed(rig, slices, is_own):
    others = rest_and_fill_the_first(rig, slices)
    if is_own:
        [target] = rig.working(OrderRole.TAKE_PROFIT)
        rig.trade(target.cl_ord_id, 1, "105")
    else:
        rig.trade(rig.place(Side.SELL, "1", reduce_only=True), 1)
    assert len(others) == slices - 1

    go(rig, 10, fills=False)

    asked = [f for f in rig.ever(ev.CancelRequested) if f.cl_ord_id in others]
    assert [f.cl_ord_id for f in asked] == others
    assert {f.reason for f in asked} == {"a part of what it opened was closed"}
    assert len(shorts(rig)) == (not is_own)
    for name in others:
        rig.cancel(name)
    go(rig, 60)
    assert len(entries(rig)) == slices
    assert len(shorts(rig)) == (not is_own)


def test_one_of_which_nothing_was_closed_rests_on(rig):
    rest_and_fill_the_first(rig)
    go(rig, 10, fills=False)

    assert all(o.cancel is RequestState.NONE for o in entries(rig))


@pytest.mark.parametrize("is_beside_others", [False, True])
@pytest.mark.parametrize("how", ["its target", "its stop", "a close"])
def test_one_whose_first_was_closed_ends_though_a_later_slice_is_heard_of_before(
    rig, how, is_beside_others
):
    if is_beside_others:
        rig.trade("web_1", "2")
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(90), take_profit=Decimal(110))
    fill_all(rig)
    role = {"its stop": OrderRole.STOP_LOSS, "its target": OrderRole.TAKE_PROFIT}.get(how)
    if role is not None:
        [closing] = rig.working(role)
    go(rig, 10, fills=False)
    second = entries(rig)[1].cl_ord_id
    if role is None:
        rig.signal(SignalType.CLOSE, quantity=Decimal(1))
        [closing] = [rig.order(o.cl_ord_id) for o in rig.submitted()]
    closed_ts = rig.now
    rig.trade(second, 1, venue_ts=closed_ts + NS_PER_S // 100)

    rig.trade(closing.cl_ord_id, 1, venue_ts=closed_ts)
    go(rig, 70)

    [parent] = [p for p in rig.state.parents.values() if p.start.algo == TWAP]
    assert (len(entries(rig)), parent.open_qty, parent.taken_qty) == (2, 1, 0)
    assert shorts(rig) == []


def test_what_was_closed_before_it_bought_anything_ends_nothing(rig):
    rig.signal(quantity=Decimal(1), stop_loss=Decimal(90))
    fill_all(rig)
    rig.signal(SignalType.CLOSE)
    [close] = rig.submitted()
    closed_ts = rig.now
    rig.wait(1)
    rig.signal(quantity=Decimal(6), algo=TWAP, stop_loss=Decimal(90))
    fill_all(rig)

    rig.trade(close.cl_ord_id, 1, venue_ts=closed_ts)
    go(rig, 60)

    assert rig.qty() == 6


def begun_anew(rig, strategies, symbols=(BTC,)):
    """The next life of the same session, with these strategies."""
    folded = rig.facts
    again = Rig(start=False, facts=folded, limits={"duplicate_window_s": 0}, symbols=symbols)
    again.epoch, again.now = 2, folded[-1].ts + NS_PER_S
    again.hear(
        msg.StartSession(
            session_id=SessionId("x"),
            portfolio_id="p",
            epoch=2,
            symbols=symbols,
            strategies=strategies,
            is_resumed=True,
        )
    )
    again.price(100.0)
    again.snapshot()
    return again


@pytest.mark.parametrize(
    ("strategies", "goes_on"), [(("s",), True), (("another",), False), ((), False)]
)
def test_a_strategy_that_the_next_life_does_not_run_has_no_more_parts(strategies, goes_on):
    rig = Rig(start=False, limits={"duplicate_window_s": 0})
    rig.hear(
        msg.StartSession(
            session_id=SessionId("x"),
            portfolio_id="p",
            epoch=1,
            symbols=(BTC,),
            strategies=("s",),
        )
    )
    rig.hear(msg.InstrumentListed(instrument=contract(), leverage=10))
    rig.price(100.0)
    rig.snapshot(balance="10000")
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    rig = begun_anew(rig, strategies)
    go(rig, 60)

    assert (sum(sizes(rig)) == 6) is goes_on
    assert len(sizes(rig)) > 1 or not goes_on


def test_one_that_no_life_ran_goes_on_behind_a_crash(rig):
    """Wishes may come from outside; who sends them is there, or comes back."""
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    rig = begun_anew(rig, ("another",))
    go(rig, 60)

    assert sum(sizes(rig)) == 6


def test_what_a_slice_of_a_lost_journal_is_said_to_have_filled_is_not_sent_again(rig):
    """Its end is told before its execution is: of what was met half way, the venue counts."""
    rig.signal(quantity=Decimal(6), algo=TWAP, order_type=OrderType.LIMIT, price=Decimal(100))
    fill_all(rig)
    kept = len(rig.facts)
    go(rig, 11, fills=False)
    lost = next(o.cl_ord_id for o in entries(rig) if o.is_open)
    again = Rig(start=False, facts=rig.facts[:kept], limits={"duplicate_window_s": 0})
    again.epoch, again.now = 1, rig.now
    again.begin(is_resumed=True)
    again.price(100.0)
    row = again.row(lost, qty=Decimal(1), price=Decimal(100), order_type=OrderType.LIMIT)
    again.snapshot(orders=[row])
    go(again, 36, fills=False)
    again.status(lost, OrderStatus.FILLED, cum_qty=Decimal(1))
    go(again, 20, fills=False)

    assert sum(o.cum_qty + o.leaves_qty for o in entries(again)) == 6


OFFER = {
    "strategy_id": StrategyId("t"),
    "order_type": OrderType.LIMIT,
    "price": Decimal(101),  # above what may rest of ours
}


def sell_one(rig, end):
    end(rig)
    [order] = rig.submitted()
    rig.accept(order.cl_ord_id)
    rig.trade(order.cl_ord_id, order.qty)


@pytest.mark.parametrize("algo", ["twap", "iceberg"])
@pytest.mark.parametrize(
    "end",
    [
        lambda rig: rig.signal(SignalType.SELL, quantity=Decimal(1), **OFFER),
        lambda rig: rig.place(Side.SELL, "1", order_type=OrderType.LIMIT, price="101"),
        lambda rig: rig.place(Side.SELL, "1", reduce_only=True),
    ],
    ids=["another strategy's entry", "an entry by hand", "an exit by hand"],
)
def test_one_that_others_end_by_closing_what_it_opened_says_so(rig, algo, end):
    if algo == "twap":
        rig.signal(quantity=Decimal(6), algo=TWAP)
        fill_all(rig)
    else:
        iceberg(rig, "6")
        fill_all(rig)  # and the next part rests
    sell_one(rig, end)
    go(rig, 90)

    filled = plain(sum(o.cum_qty for o in entries(rig) if o.side is Side.BUY))
    assert shorts(rig) == [
        f"BTCUSDT: {algo} 1 of s ended with {filled} of 6 filled: others have closed 1 of that"
    ]


def test_one_whose_own_strategy_closes_what_it_opened_needs_nobody_told(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    sell_one(rig, lambda rig: rig.signal(SignalType.CLOSE))
    go(rig, 90)

    assert shorts(rig) == []


def test_one_that_is_done_is_not_short_by_what_others_close_then(rig):
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    go(rig, 50)
    assert rig.qty() == 6
    sell_one(rig, lambda rig: rig.place(Side.SELL, "1"))
    go(rig, 90)

    assert shorts(rig) == []


@pytest.mark.parametrize("algo", [TWAP, "iceberg:show=1"])
def test_a_repeated_wish_in_parts_is_refused_as_a_whole(algo):
    rig = Rig()
    more = {"order_type": OrderType.LIMIT, "price": Decimal(100)} if algo != TWAP else {}
    for _ in range(3):
        rig.signal(quantity=Decimal(6), algo=algo, **more)
        rig.now += NS_PER_S // 20
    fill_all(rig)
    go(rig, 120)

    assert (rig.qty(), sum(sizes(rig))) == (6, 6)
    assert [fact.rule for fact in rig.ever(ev.OrderDenied)] == ["duplicate"] * 2


def test_a_repeated_wish_in_parts_is_refused_though_another_rule_refuses_it_first():
    rig = Rig()
    rig.signal(quantity=Decimal(6), algo=TWAP)
    rig.hear(msg.VenueLink(is_up=False, reason="gone"))
    rig.signal(quantity=Decimal(6), algo=TWAP)
    assert [fact.rule for fact in rig.told(ev.OrderDenied)] == ["duplicate"]
    rig.hear(msg.VenueLink(is_up=True))
    rig.snapshot()
    fill_all(rig)
    go(rig, 120)

    assert rig.qty() == 6


def test_a_wish_in_parts_that_is_none_repeated_goes_on_behind_its_first():
    """A part of the one before has just gone out, alike: it is a wish of its own all the same."""
    rig = Rig()
    rig.signal(quantity=Decimal(6), algo=TWAP)
    fill_all(rig)
    go(rig, 10)
    rig.signal(quantity=Decimal(6), algo=TWAP)
    assert [fact.rule for fact in rig.told(ev.OrderDenied)] == ["duplicate"]
    go(rig, 120)

    assert rig.qty() > 6


def link(rig, *, is_up):
    rig.hear(msg.VenueLink(is_up=is_up, reason="gone"))
    if is_up:
        rig.snapshot()


@pytest.mark.parametrize("is_market", [True, False])
def test_a_repeated_wish_in_parts_is_refused_whose_first_part_was_denied(is_market):
    """The first one goes on all the same, at its next time."""
    rig = Rig(use_market_orders=is_market)
    link(rig, is_up=False)
    for _ in range(3):
        rig.signal(quantity=Decimal(6), algo=TWAP)
        rig.wait(0.3, ticks=False)
        rig.price(100 + rig.now % 7)
    assert [fact.rule for fact in rig.ever(ev.OrderDenied)] == ["link", "duplicate", "duplicate"]
    again = rig.ever(ev.OrderDenied)[-1]
    assert "twap 1 is the same, begun 0.6 s ago" in again.reason
    assert [each.rule for each in again.verdicts if not each.passed] == ["link", "duplicate"]
    rig.price(100)
    link(rig, is_up=True)
    go(rig, 120)

    assert 5 <= rig.qty() <= 6


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": Decimal(5)},
        {"quantity": Decimal(6), "order_type": OrderType.LIMIT, "price": Decimal(99)},
    ],
)
def test_another_wish_in_parts_is_not_refused_for_one_whose_first_part_was_denied(other):
    rig = Rig()
    link(rig, is_up=False)
    rig.signal(quantity=Decimal(6), algo=TWAP)
    rig.signal(algo=TWAP, **other)

    assert [fact.rule for fact in rig.ever(ev.OrderDenied)] == ["link", "link"]


def test_a_repeated_wish_in_parts_is_found_behind_another_one():
    rig = Rig()
    link(rig, is_up=False)
    for qty in (6, 5, 6):
        rig.signal(quantity=Decimal(qty), algo=TWAP)

    assert [fact.rule for fact in rig.ever(ev.OrderDenied)] == ["link", "link", "duplicate"]


@pytest.mark.parametrize(
    "limits", [{"duplicate_window_s": 0}, {"disabled": ("duplicate", "correlation")}]
)
def test_a_wish_in_parts_may_be_repeated_where_the_rule_is_off(limits):
    rig = Rig(limits=limits)
    link(rig, is_up=False)
    for _ in range(2):
        rig.signal(quantity=Decimal(6), algo=TWAP)

    assert [fact.rule for fact in rig.ever(ev.OrderDenied)] == ["link", "link"]


def test_a_wish_in_parts_comes_again_once_the_one_that_was_denied_has_ended():
    rig = Rig()
    link(rig, is_up=False)
    rig.signal(quantity=Decimal(6), algo=TWAP)
    rig.hear(msg.CancelRequest(cl_ord_id=ClOrdId("1")))
    rig.signal(quantity=Decimal(6), algo=TWAP)

    assert [fact.rule for fact in rig.ever(ev.OrderDenied)] == ["link", "link"]


def by_signal(rig):
    rig.signal(SignalType.SELL, strategy_id=StrategyId("t"), quantity=Decimal(6), algo=TWAP)


def by_hand(rig):
    rig.place(Side.SELL, "6", algo=TWAP)


@pytest.mark.parametrize("ask", [by_signal, by_hand])
@pytest.mark.parametrize("is_refused", [False, True])
def test_a_repeated_wish_in_parts_is_refused_though_its_first_part_can_only_close(ask, is_refused):
    """Those that follow it would go past flat; one that a rule refuses goes out reduce-only."""
    rig = Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))
    rig.hold("6")
    if is_refused:
        link(rig, is_up=False)
    for _ in range(3):
        ask(rig)
        rig.now += NS_PER_S // 5
    assert [fact.rule for fact in rig.ever(ev.OrderDenied)] == ["duplicate"] * 2
    link(rig, is_up=True)
    fill_all(rig)
    go(rig, 120)

    assert rig.qty() == 0


@pytest.mark.parametrize("ask", [by_signal, by_hand])
@pytest.mark.parametrize(
    ("halt", "rule"),
    [
        (msg.PauseSession(reason="lunch"), "session"),
        (msg.EngageKillSwitch(reason="enough"), "kill_switch"),
    ],
)
def test_what_closes_in_parts_is_refused_as_a_whole_where_none_would_follow(ask, halt, rule):
    rig = Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))
    rig.hold("6")
    rig.hear(halt)

    ask(rig)

    [denied] = rig.told(ev.OrderDenied) + rig.told(ev.SignalDenied)
    assert (denied.rule, rig.submitted()) == (rule, [])
    assert not any(p.wake_ts for p in rig.state.parents.values())


def test_what_closes_in_parts_is_not_explained_as_one_that_goes_out_where_none_would_follow():
    rig = Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))
    rig.hold("6")
    rig.hear(msg.PauseSession(reason="lunch"))

    wish = msg.PlaceRequest(symbol=BTC, side=Side.SELL, qty=Decimal(6), algo=TWAP)
    explained = rig.engine.explain(wish, rig.now)

    assert [each.rule for each in explained.refusals] == ["session"]


def test_a_repeated_order_in_parts_by_hand_is_not_explained_as_one_that_goes_out():
    rig = Rig()
    rig.hold("6")
    by_hand(rig)
    asked = msg.PlaceRequest(symbol=BTC, side=Side.SELL, qty=Decimal(6), algo=TWAP)

    explained = rig.engine.explain(asked, rig.now)

    assert (explained.reduced, [each.rule for each in explained.refusals]) == (
        (False,),
        ["duplicate"],
    )


def test_what_closes_in_parts_goes_out_past_other_rules_and_no_further_than_flat():
    rig = Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))
    rig.hold("2")
    link(rig, is_up=False)
    by_hand(rig)
    fill_all(rig)
    go(rig, 120)

    assert rig.qty() == 0
    assert {fact.rule for fact in rig.ever(ev.OrderDenied)} == {"link"}

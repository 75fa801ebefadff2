"""What a strategy's wish leads to."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import msgspec
import pytest

from holdfast.engine.holdings import holding
from holdfast.engine.order import RequestState
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.market import MarkPrice
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    NS_PER_S,
    OPERATOR,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    SignalType,
    StrategyId,
    Symbol,
    TimeInForce,
    TradeId,
    TradingSessionStatus,
)
from tests.engine.rig import BTC, KEY, Rig, S, contract
from tests.engine.test_reconcile import execution

BUY, SELL, CLOSE = SignalType.BUY, SignalType.SELL, SignalType.CLOSE


@pytest.fixture
def rig():
    return Rig()


def denial(rig):
    [fact] = rig.told(ev.SignalDenied)
    return fact.rule, fact.reason


def enter(rig, kind=BUY, **fields):
    """Enter at the market, fill, and let the stops rest."""
    rig.signal(kind, **fields)
    [order] = rig.submitted()
    rig.accept(order.cl_ord_id)
    rig.trade(order.cl_ord_id, order.qty)
    rig.accept(*[o.cl_ord_id for o in rig.submitted()])
    rig.wait(2)
    return order


# Entries


@pytest.mark.parametrize(("kind", "side"), [(BUY, Side.BUY), (SELL, Side.SELL)])
def test_an_entry_is_sized_by_equity_and_goes_out_at_the_market(rig, kind, side):
    rig.signal(kind)

    [order] = rig.submitted()
    assert (order.side, order.qty, order.order_type) == (side, 10, OrderType.MARKET)
    assert (order.role, order.strategy_id, order.reduce_only) == (OrderRole.ENTRY, S, False)
    assert [type(f) for f in rig.news] == [ev.SignalReceived, ev.ParentStarted, ev.OrderSubmitted]


def test_an_asked_quantity_is_rounded_down_onto_the_lot_and_scaled_by_strength(rig):
    rig.signal(quantity=Decimal("3.0019"), strength=0.5)

    assert rig.submitted()[0].qty == Decimal("1.5")


@pytest.mark.parametrize(
    ("kind", "stop", "target"),
    [(BUY, Decimal(98), Decimal(105)), (SELL, Decimal(102), Decimal(95))],
)
def test_exits_that_nobody_named_come_from_the_settings(rig, kind, stop, target):
    rig.signal(kind)

    [parent] = rig.told(ev.ParentStarted)
    assert (parent.stop_loss, parent.take_profit, parent.algo) == (stop, target, "bracket")


def test_exits_that_are_named_are_taken(rig):
    rig.signal(stop_loss=Decimal("97.04"), take_profit=Decimal(130))

    [parent] = rig.told(ev.ParentStarted)
    assert (parent.stop_loss, parent.take_profit) == (Decimal("97.0"), 130)


def test_an_explicit_zero_asks_for_no_exit(rig):
    rig.signal(stop_loss=Decimal(0), take_profit=Decimal(0))

    [parent] = rig.told(ev.ParentStarted)
    assert (parent.stop_loss, parent.take_profit, parent.algo) == (None, None, "direct")


def test_an_algorithm_that_is_named_is_taken(rig):
    rig.signal(algo="direct")

    assert rig.told(ev.ParentStarted)[0].algo == "direct"


def test_a_limit_wish_goes_out_at_its_price_on_the_tick_and_its_time_in_force(rig):
    rig.signal(order_type=OrderType.LIMIT, price=Decimal("99.17"), time_in_force=TimeInForce.GTX)

    [order] = rig.submitted()
    assert (order.price, order.time_in_force) == (Decimal("99.1"), TimeInForce.GTX)


def test_a_wish_whose_exits_the_contract_would_never_take_is_denied(rig):
    bounds = {"min_price": Decimal(50), "max_price": Decimal(200)}
    rig.hear(msg.InstrumentListed(instrument=contract(**bounds), leverage=10))
    rig.signal(stop_loss=Decimal(49))
    assert denial(rig) == ("protection", "stop_loss 49 must be at least 50")
    rig.signal(take_profit=Decimal(201))
    assert denial(rig) == ("protection", "take_profit 201 must be at most 200")
    rig.signal(stop_loss=Decimal(50), take_profit=Decimal(200))
    assert len(rig.submitted()) == 1


def test_a_limit_wish_that_reaches_the_market_has_its_stop_behind_the_market(rig):
    rig.signal(order_type=OrderType.LIMIT, price=Decimal(103), stop_loss=Decimal(101))

    assert denial(rig) == ("protection", "stop_loss 101 must be below the price 100.0")


@pytest.mark.parametrize(("kind", "stop"), [(BUY, "99.1"), (SELL, "99.2")])
def test_a_limit_wish_that_lands_on_its_own_stop_on_the_tick_is_refused(rig, kind, stop):
    # By the price before it is rounded its stop is beyond it; what fills is closed at once.
    rig.price(99.15)
    price = Decimal("99.15")
    rig.signal(kind, order_type=OrderType.LIMIT, price=price, stop_loss=Decimal(stop))

    assert denial(rig)[0] == "protection"
    assert rig.submitted() == []


def test_a_limit_sale_is_rounded_up(rig):
    rig.signal(SELL, order_type=OrderType.LIMIT, price=Decimal("101.11"))

    assert rig.submitted()[0].price == Decimal("101.2")


@pytest.mark.parametrize(
    ("kind", "fields", "dearest"),
    [
        (BUY, {"order_type": OrderType.LIMIT, "price": Decimal("99.17")}, "100"),
        (SELL, {"order_type": OrderType.LIMIT, "price": Decimal("101.11")}, "101.2"),
        (SELL, {}, "100"),
    ],
)
def test_a_wish_is_sized_by_the_dearest_price_that_it_may_be_valued_at(kind, fields, dearest):
    """By a cheaper one the default size would be past its own limit, and denied."""
    rig = Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))

    rig.signal(kind, **fields)

    [order] = rig.submitted()
    assert order.qty == (1000 / Decimal(dearest)).quantize(Decimal("0.001"), ROUND_DOWN)


@pytest.mark.parametrize(("kind", "price"), [(BUY, "100.1"), (SELL, "99.9")])
def test_without_market_orders_an_entry_is_an_ioc_limit_at_the_tolerance(kind, price):
    rig = Rig(use_market_orders=False)

    rig.signal(kind)

    [order] = rig.submitted()
    assert (order.order_type, order.price) == (OrderType.LIMIT, Decimal(price))
    assert order.time_in_force is TimeInForce.IOC


def test_without_market_orders_a_limit_wish_stays_as_it_is():
    rig = Rig(use_market_orders=False)

    rig.signal(order_type=OrderType.LIMIT, price=Decimal(99))

    assert rig.submitted()[0].price == 99
    assert rig.submitted()[0].time_in_force is TimeInForce.GTC


# Denials


@pytest.mark.parametrize(
    ("fields", "rule", "text"),
    [
        ({"strength": 0.0}, "signal", "strength must be in (0, 1], was 0.0"),
        ({"strength": 1.01}, "signal", "strength must be in (0, 1], was 1.01"),
        ({"strength": float("nan")}, "signal", "strength must be in (0, 1], was nan"),
        ({"quantity": Decimal("NaN")}, "signal", "quantity must be finite, was Decimal('NaN')"),
        ({"quantity": Decimal(-1)}, "signal", "quantity must not be below 0, was -1"),
        ({"price": Decimal("Infinity")}, "signal", "price must be finite, was Decimal('Infinity')"),
        ({"stop_loss": Decimal(-5)}, "signal", "stop_loss must not be below 0, was -5"),
        ({"price": Decimal("1E-500")}, "signal", "not finer than 1E-400, was Decimal('1E-500')"),
        ({"algo": "guess"}, "signal", "there is no algorithm guess"),
        ({"symbol": Symbol("NEWUSDT")}, "instrument", "NEWUSDT is not traded in this session"),
        (
            {"order_type": OrderType.LIMIT, "price": Decimal(0)},
            "signal",
            "price must be above 0, was 0",
        ),
        (
            {"price": Decimal(98), "quantity": Decimal(1)},
            "signal",
            "a MARKET signal takes no price, was 98: say order_type LIMIT",
        ),
        ({"quantity": Decimal("0.0009")}, "sizing", "the size comes to less than the lot 0.001"),
        (
            {"stop_loss": Decimal(101)},
            "protection",
            "stop_loss 101 must be below the price 100.0",
        ),
        (
            {"stop_loss": Decimal("0.04")},
            "protection",
            "stop_loss 0.04 is less than the tick 0.1",
        ),
        (
            {"kind": SELL, "stop_loss": Decimal(110), "take_profit": Decimal("1E-9")},
            "protection",
            "take_profit 0.000000001 is less than the tick 0.1",
        ),
        (
            {"take_profit": Decimal(99)},
            "protection",
            "take_profit 99 must be above the price 100.0",
        ),
        (
            {"order_type": OrderType.STOP_MARKET},
            "signal",
            "a signal's order is MARKET or LIMIT, was STOP_MARKET",
        ),
        ({"order_type": OrderType.LIMIT}, "signal", "a LIMIT signal needs a price"),
        (
            {
                "order_type": OrderType.LIMIT,
                "price": Decimal(99),
                "time_in_force": TimeInForce.GTD,
            },
            "signal",
            "a LIMIT signal's time in force is GTC, IOC, FOK or GTX, was GTD",
        ),
        (
            {"time_in_force": TimeInForce.GTX},
            "signal",
            "a MARKET signal's time in force is GTC or IOC, was GTX",
        ),
        (
            {"time_in_force": TimeInForce.FOK},
            "signal",
            "a MARKET signal's time in force is GTC or IOC, was FOK",
        ),
    ],
)
def test_a_wish_that_cannot_be_is_denied_and_says_why(rig, fields, rule, text):
    rig.signal(**fields)

    assert denial(rig)[0] == rule
    assert text in denial(rig)[1]
    assert [type(f) for f in rig.news] == [ev.SignalReceived, ev.SignalDenied]


def test_without_a_price_there_is_nothing_to_size_by(rig):
    rig.restart()
    rig.snapshot()

    rig.signal()

    assert denial(rig) == ("stale_data", "no price of BTCUSDT yet")


def test_outside_running_an_entry_is_denied_and_a_close_goes_out(rig):
    enter(rig)
    rig.hear(msg.PauseSession(reason="lunch"))

    rig.signal()
    assert denial(rig) == ("session", "the session is PAUSED, not RUNNING")

    rig.signal(CLOSE)
    assert [o.role for o in rig.submitted()] == [OrderRole.EXIT]


def test_nothing_goes_out_behind_the_end_of_a_session(rig):
    enter(rig, quantity=Decimal(3))
    rig.hear(msg.StopSession(reason="enough"))
    rig.tick()
    assert rig.session() is TradingSessionStatus.STOPPED

    rig.signal(CLOSE)

    assert rig.submitted() == []
    assert denial(rig) == ("session", "the session is STOPPED: nobody would hear what comes of it")


def test_a_stopped_strategys_wishes_are_not_heard_until_it_is_attached_again(rig):
    rig.hear(msg.StrategyFailed(strategy_id=S, reason="it raised"))
    rig.signal()
    assert denial(rig) == ("strategy", "s was stopped: it raised")

    rig.hear(msg.StrategyAttached(strategy_id=S, description="again"))
    rig.signal()
    assert len(rig.submitted()) == 1


def test_the_same_signal_id_is_acted_on_once_also_after_a_restart(rig):
    rig.signal(signal_id="bar-7")
    rig.wait(2)
    rig.signal(signal_id="bar-7")
    assert denial(rig) == ("duplicate", "signal bar-7 was heard before")

    rig.signal(signal_id="bar-7", strategy_id=StrategyId("other"))
    assert rig.told(ev.SignalDenied) == []  # another strategy's bar-7 is another wish

    rig.restart()
    rig.snapshot()
    rig.price(100)
    rig.signal(signal_id="bar-7")
    assert denial(rig) == ("duplicate", "signal bar-7 was heard before")


def wish(rig, kind=SignalType.BUY, **fields):
    rig.signal(kind, **{"quantity": Decimal(1), "signal_id": "bar-7", **fields})


def stale(rig):
    rig.now += 30 * NS_PER_S


REFUSALS = {
    "by a rule": (stale, lambda rig: rig.wait(2)),
    "before any rule": (
        lambda rig: rig.hear(msg.PauseSession(reason="lunch")),
        lambda rig: rig.hear(msg.ResumeSession()),
    ),
}


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("refuse", "relent"), REFUSALS.values(), ids=REFUSALS)
def test_a_refused_wish_may_come_again_under_its_name(rig, refuse, relent, is_restarted):
    refuse(rig)
    wish(rig)
    assert rig.submitted() == []
    relent(rig)
    if is_restarted:
        rig.restart()
        rig.snapshot()
        rig.price(100)

    wish(rig)
    assert len(rig.submitted()) == 1

    rig.wait(2)
    wish(rig)
    assert denial(rig) == ("duplicate", "signal bar-7 was heard before")
    rig.wait(2)
    wish(rig)  # the refusal of a repetition frees nothing
    assert denial(rig) == ("duplicate", "signal bar-7 was heard before")


def test_a_close_that_came_before_the_fill_may_come_again(rig):
    entry = rig.place(Side.BUY, "1", strategy_id=S)
    rig.accept(entry)
    wish(rig, SignalType.CLOSE, quantity=None)
    assert denial(rig) == ("close", "s holds nothing of BTCUSDT")
    rig.trade(entry, "1")

    wish(rig, SignalType.CLOSE, quantity=None)

    assert [o.reduce_only for o in rig.submitted()] == [True]


def test_a_turn_that_closed_and_did_not_open_was_acted_on(rig):
    rig.hold(strategy_id=S)
    stale(rig)
    wish(rig, SignalType.SELL)
    assert [o.reduce_only for o in rig.submitted()] == [True]
    rig.wait(2)

    wish(rig, SignalType.SELL)

    assert denial(rig) == ("duplicate", "signal bar-7 was heard before")


def test_one_in_parts_whose_first_is_denied_goes_on_and_was_acted_on(rig):
    stale(rig)
    wish(rig, quantity=Decimal(6), algo="twap:over=60s,slices=6")
    assert len(rig.told(ev.OrderDenied)) == 1
    rig.wait(2)

    wish(rig, quantity=Decimal(6), algo="twap:over=60s,slices=6")

    assert denial(rig) == ("duplicate", "signal bar-7 was heard before")


def test_a_refused_request_keeps_its_id(rig):
    stale(rig)
    rig.place(request_id="a")
    assert len(rig.told(ev.OrderDenied)) == 1
    rig.wait(2)

    assert rig.place(request_id="a") is None
    assert rig.news == []


def test_an_order_the_venue_refused_was_acted_on(rig):
    wish(rig)
    rig.reject(rig.submitted()[0].cl_ord_id)
    rig.wait(2)

    wish(rig)

    assert denial(rig) == ("duplicate", "signal bar-7 was heard before")


def test_wishes_without_an_id_are_told_apart_by_arrival(rig):
    rig.signal(quantity=Decimal(1))
    rig.wait(2)
    rig.signal(quantity=Decimal(1))

    first, second = rig.ever(ev.SignalReceived)
    assert first.intent_id != second.intent_id
    assert len(rig.ever(ev.OrderSubmitted)) == 2


def test_every_wish_and_every_request_has_an_intent_of_its_own(rig):
    rig.signal(quantity=Decimal(1))
    rig.place(qty="2")
    rig.signal(quantity=Decimal(3))
    rig.place(qty="2.5")

    intents = [f.order.intent_id for f in rig.ever(ev.OrderSubmitted)]
    assert len(set(intents)) == len(intents) == 4


# Closing


def test_a_close_sells_what_the_strategy_holds(rig):
    enter(rig, quantity=Decimal(3))

    rig.signal(CLOSE)

    [order] = rig.submitted()
    assert (order.side, order.qty, order.reduce_only) == (Side.SELL, 3, True)
    assert order.strategy_id == S


def test_a_close_of_more_than_the_venue_takes_at_once_goes_out_in_parts(rig):
    enter(rig, quantity=Decimal(3))
    rig.hear(msg.InstrumentListed(instrument=contract(max_market_qty=Decimal(2)), leverage=10))

    rig.signal(CLOSE)

    assert [(o.qty, o.reduce_only) for o in rig.submitted()] == [(2, True), (1, True)]
    rig.signal(CLOSE)
    assert rig.submitted() == []


def test_a_short_is_closed_by_buying(rig):
    enter(rig, SELL, quantity=Decimal(3))

    rig.signal(CLOSE)

    assert rig.submitted()[0].side is Side.BUY


def test_a_part_can_be_closed_and_never_more_than_is_held(rig):
    enter(rig, quantity=Decimal(3))

    rig.signal(CLOSE, quantity=Decimal("1.2345"))
    assert rig.submitted()[0].qty == Decimal("1.234")

    rig.signal(CLOSE, quantity=Decimal(50))
    assert rig.submitted()[0].qty == Decimal("1.766")  # what the first is not closing already


@pytest.mark.parametrize(
    ("lot", "asked", "reason"),
    [
        ("0.001", "0.0004", "0.0004 of BTCUSDT is less than the least order, 0.001"),
        ("2", "5", "1 of BTCUSDT is less than the least order, 2"),
        ("2", None, "1 of BTCUSDT is less than the least order, 2"),
    ],
)
def test_less_than_an_order_can_be_is_not_closed_and_said_to_be_so(rig, lot, asked, reason):
    enter(rig, quantity=Decimal(1), strategy_id=StrategyId("t"))
    enter(rig, quantity=Decimal(1))
    coarse = contract(lot=Decimal(lot), min_qty=Decimal(lot))
    rig.hear(msg.InstrumentListed(instrument=coarse, leverage=10))

    rig.signal(CLOSE, quantity=None if asked is None else Decimal(asked))

    assert denial(rig) == ("close", reason)


def test_what_is_being_closed_already_is_not_closed_twice(rig):
    enter(rig, quantity=Decimal(3))
    rig.signal(CLOSE)

    rig.signal(CLOSE)

    assert denial(rig) == ("close", "s has nothing left to close of BTCUSDT")


def test_what_a_triggered_stop_is_closing_is_not_closed_from_anothers_holding(rig):
    enter(rig, quantity=Decimal(3), strategy_id=StrategyId("t"))
    enter(rig, quantity=Decimal(2))
    [stop] = [o for o in rig.working(OrderRole.STOP_LOSS) if o.request.strategy_id == S]
    rig.trigger(stop.cl_ord_id)

    rig.signal(CLOSE)

    assert denial(rig) == ("close", "s has nothing left to close of BTCUSDT")
    rig.expire(stop.cl_ord_id)
    rig.signal(CLOSE)
    assert [order.qty for order in rig.submitted()] == [2]


def test_a_strategy_closes_its_own_holding_alone_and_the_operator_the_position(rig):
    enter(rig, quantity=Decimal(3))
    enter(rig, quantity=Decimal(2), strategy_id=StrategyId("t"))

    rig.signal(CLOSE, strategy_id=StrategyId("t"))
    assert rig.submitted()[0].qty == 2

    rig.signal(CLOSE, strategy_id=OPERATOR)
    assert rig.submitted()[0].qty == 3


def test_who_holds_nothing_closes_nothing(rig):
    rig.signal(CLOSE)

    assert denial(rig) == ("close", "s holds nothing of BTCUSDT")


# Turning


def test_a_turn_closes_first_and_opens_then_under_one_intent(rig):
    enter(rig, quantity=Decimal(3))

    rig.signal(SELL, quantity=Decimal(4))

    closing, opening = rig.submitted()
    assert (closing.role, closing.side, closing.qty) == (OrderRole.EXIT, Side.SELL, 3)
    assert (opening.role, opening.side, opening.qty) == (OrderRole.ENTRY, Side.SELL, 4)
    assert closing.intent_id == opening.intent_id
    assert closing.parent_id != opening.parent_id


def test_a_turn_whose_entry_is_denied_closes_all_the_same(rig):
    enter(rig, quantity=Decimal(3))

    rig.signal(SELL, quantity=Decimal("0.0001"))

    assert [o.role for o in rig.submitted()] == [OrderRole.EXIT]
    assert denial(rig)[0] == "sizing"


def test_a_turn_whose_close_is_under_way_already_only_opens(rig):
    enter(rig, quantity=Decimal(3))
    rig.signal(CLOSE)

    rig.signal(SELL, quantity=Decimal(4))

    assert [o.role for o in rig.submitted()] == [OrderRole.ENTRY]


def turn(rig, qty=1):
    """Hold 1, with a stop, and turn it; return the ids of the exit and of the entry."""
    enter(rig, quantity=Decimal(1), stop_loss=Decimal(90))
    rig.wait(2)
    rig.signal(SELL, quantity=Decimal(qty), stop_loss=Decimal(110))
    closing, opening = (order.cl_ord_id for order in rig.submitted())
    rig.accept(closing, opening)
    rig.now += NS_PER_S
    return closing, opening


def short_stops(rig):
    stops = [o for o in rig.working(OrderRole.STOP_LOSS) if o.cancel is RequestState.NONE]
    return [o.leaves_qty for o in stops if o.side is Side.BUY]


@pytest.mark.parametrize("parts", [("1",), ("0.4", "0.6")])
@pytest.mark.parametrize("qty", [1, 2])
def test_a_turn_whose_exit_is_heard_behind_its_entry_has_its_stop(rig, parts, qty):
    """The exit came first at the venue: what it filled is told late, as of a frame that was lost.

    By our books alone the entry closed what the exit had closed already, and the exit opened.
    """
    closing, opening = turn(rig, qty)
    at_venue = rig.now
    rig.trade(opening, str(qty), venue_ts=at_venue + len(parts))
    stops = [order.cl_ord_id for order in rig.submitted()]
    rig.accept(*stops)

    for number, part in enumerate(parts):
        rig.trade(closing, part, venue_ts=at_venue + number)
        rig.accept(*(order.cl_ord_id for order in rig.submitted()))
    rig.wait(2)

    assert (rig.qty(), holding(rig.state, KEY, S)) == (-qty, -qty)
    assert short_stops(rig) == [qty]
    assert "turn_short" not in rig.alarms()


@pytest.mark.parametrize("later_ns", [0, 1_000_000])
def test_an_entry_keeps_what_came_before_it_at_the_venue_and_is_heard_behind_it(rig, later_ns):
    """One in, closed, and one the other way: of one instant the venue's numbers tell the order."""
    first = rig.place(Side.BUY, 2)
    exit_order = rig.place(Side.SELL, 2, reduce_only=True)
    second = rig.place(Side.SELL, 3, stop_loss="105")
    at = rig.now
    rig.trade(second, "3", venue_ts=at + later_ns, trade_id=TradeId("12"))
    rig.trade(first, "2", venue_ts=at, trade_id=TradeId("10"))
    rig.trade(exit_order, "2", venue_ts=at, trade_id=TradeId("11"))

    holds = {p.parent_id: p.open_qty for p in rig.state.parents.values() if p.open_qty}
    assert holds == {rig.order(second).request.parent_id: Decimal(3)}
    assert rig.qty() == -3


def test_a_turn_whose_entry_fills_in_parts_that_are_heard_out_of_turn_is_no_less_turned(rig):
    closing, opening = turn(rig)
    at_venue = rig.now
    rig.trade(opening, "0.4", venue_ts=at_venue + 2)  # behind the exit
    rig.trade(opening, "0.6", venue_ts=at_venue)  # before it

    rig.trade(closing, "1", venue_ts=at_venue + 1)

    assert rig.qty() == -1
    assert holding(rig.state, KEY, S) == -1


def test_a_stop_that_went_off_before_a_turn_and_is_heard_behind_it_takes_nothing_from_it(rig):
    closing, opening = turn(rig)
    (stop,) = [o.cl_ord_id for o in rig.working(OrderRole.STOP_LOSS)]
    at_venue = rig.now
    rig.trade(opening, "1", venue_ts=at_venue + 1)
    rig.trade(stop, "1", venue_ts=at_venue)
    rig.reject(closing, -2022, "ReduceOnly Order is rejected.")
    rig.accept(*(o.cl_ord_id for o in rig.working(OrderRole.STOP_LOSS) if o.side is Side.BUY))

    assert (rig.qty(), short_stops(rig)) == (-1, [1])
    assert "turn_short" not in rig.alarms()


@pytest.mark.parametrize("closer", ["manual-1", "autoclose-1", "adl_autoclose"])
def test_what_others_closed_before_a_turn_and_is_heard_behind_it_takes_no_stop_from_it(rig, closer):
    enter(rig, quantity=Decimal(1), stop_loss=Decimal(90))
    rig.wait(2)
    closed_ts = rig.now
    rig.now += NS_PER_S
    rig.signal(SELL, quantity=Decimal(1), stop_loss=Decimal(110), strategy_id=StrategyId("t"))
    (entry,) = (order.cl_ord_id for order in rig.submitted())
    rig.trade(entry, "1")
    assert rig.qty() == 0

    rig.trade(closer, "1", side=Side.SELL, venue_ts=closed_ts)

    assert rig.qty() == -1
    assert short_stops(rig) == [1]


def test_an_entry_of_before_a_turn_that_is_heard_behind_it_takes_nothing_from_it(rig):
    """At the venue: half of 1 is closed by hand, 1 more bought, and then the turn leaves -0.5."""
    enter(rig, quantity=Decimal(1))
    by_hand = rig.place(Side.SELL, "0.5", reduce_only=True)
    rig.signal(BUY, quantity=Decimal("1.0"))
    (late,) = (order.cl_ord_id for order in rig.submitted())
    rig.wait(2)
    rig.signal(SELL, quantity=Decimal(1))
    closing, opening = (order.cl_ord_id for order in rig.submitted())
    rig.accept(by_hand, late, closing, opening)
    at_venue = rig.now

    rig.trade(opening, "1", venue_ts=at_venue + 3)
    rig.trade(by_hand, "0.5", venue_ts=at_venue)
    rig.trade(closing, "1", venue_ts=at_venue + 2)
    rig.trade(late, "1", venue_ts=at_venue + 1)

    assert (rig.qty(), holding(rig.state, KEY, S)) == (Decimal("-0.5"), Decimal("-0.5"))


def test_what_is_closed_later_than_a_turn_is_not_taken_for_what_its_entry_opened(rig):
    closing, opening = turn(rig)
    rig.trade(opening, "1")
    rig.reject(closing, -2022, "ReduceOnly Order is rejected.")
    enter(rig, quantity=Decimal(1))
    rig.now += NS_PER_S
    rig.signal(CLOSE)
    (out,) = (order.cl_ord_id for order in rig.submitted())
    rig.trade(out, "1")

    assert not rig.qty()
    assert not holding(rig.state, KEY, S)
    assert not short_stops(rig)


def test_a_turn_whose_fills_are_heard_all_at_once_is_told_once_to_have_ended_short(rig):
    closing, opening = turn(rig)
    rig.reject(closing, -2022, "ReduceOnly Order is rejected.")
    rig.now += NS_PER_S
    parts = [execution(rig, opening, qty, f"t{qty}", side=Side.SELL) for qty in ("0.3", "0.7")]
    rig.snapshot(trades=tuple(parts), positions={})

    assert rig.state.orders[opening].cum_qty == 1
    assert rig.alarms().count("turn_short") == 1


@pytest.mark.parametrize("is_first", [True, False])
def test_a_turn_whose_entry_came_before_its_exit_is_told_to_have_ended_flat(rig, is_first):
    closing, opening = turn(rig)

    def fill():
        rig.trade(opening, "1")

    def refuse():
        rig.reject(closing, -2022, "ReduceOnly Order is rejected.")

    for step in (refuse, fill) if is_first else (fill, refuse):
        assert "turn_short" not in rig.alarms()
        step()

    assert rig.qty() == 0
    assert rig.alarms() == ["turn_short"]
    text = rig.ever(ev.AlarmRaised)[-1].text
    assert "1 of an entry of 1 " in text
    assert "ReduceOnly Order is rejected." in text


def test_a_turn_that_went_well_is_not_told_of(rig):
    closing, opening = turn(rig)
    rig.trade(closing, "1")
    rig.trade(opening, "1")

    assert (rig.qty(), rig.alarms()) == (-1, [])


def test_adding_to_a_position_is_no_turn(rig):
    enter(rig, quantity=Decimal(3))

    rig.signal(BUY, quantity=Decimal(2))

    assert [o.role for o in rig.submitted()] == [OrderRole.ENTRY]


# Asking without doing


def test_explaining_a_wish_shows_plans_and_verdicts_and_changes_nothing(rig):
    before = len(rig.facts)

    shown = rig.engine.explain(
        SignalGenerated(symbol=BTC, signal_type=BUY, strategy_id=S), rig.now + NS_PER_S
    )

    [plan] = shown.plans
    assert (plan.pattern.qty, plan.stop_loss, plan.algo) == (10, 98, "bracket")
    assert shown.denial is None
    assert all(verdict.passed for verdict in shown.verdicts[0])
    assert {verdict.rule for verdict in shown.verdicts[0]} >= {"session", "position_size"}
    assert len(rig.facts) == before
    assert rig.state.orders == {}


def test_explaining_a_wish_that_fails_early_names_the_rule(rig):
    shown = rig.engine.explain(
        SignalGenerated(symbol=BTC, signal_type=CLOSE, strategy_id=S), rig.now
    )

    assert shown.plans == ()
    assert shown.denial.rule == "close"


def test_a_size_of_equity_is_not_taken_by_a_mark_below_the_market():
    rig = Rig()
    rig.hear(MarkPrice(symbol=BTC, ts=rig.now, mark_price=97.0))

    rig.signal(order_type=OrderType.LIMIT, price=Decimal(98))

    assert [order.qty for order in rig.submitted()] == [Decimal(10)], rig.news


def test_a_turn_that_ended_short_is_told_once_though_its_fills_are_heard_at_once(rig):
    closing, opening = turn(rig)
    rig.reject(closing, -2022, "ReduceOnly Order is rejected.")
    missed = [
        msgspec.structs.replace(
            rig.row(opening, OrderStatus.FILLED),
            exec_type=msg.ExecType.TRADE,
            cum_qty=Decimal(number) / 2,
            last_qty=Decimal("0.5"),
            last_px=Decimal(100),
            trade_id=TradeId(f"missed-{number}"),
        )
        for number in (1, 2)
    ]
    rig.now += NS_PER_S
    rig.snapshot(positions={}, orders=[], trades=tuple(missed))

    assert rig.qty() == 0
    assert rig.alarms().count("turn_short") == 1


def test_a_turn_in_parts_that_ended_short_is_told_once_its_work_is_over(rig):
    enter(rig, quantity=Decimal(1), stop_loss=Decimal(90))
    rig.wait(2)
    rig.signal(SELL, quantity=Decimal(3), stop_loss=Decimal(110), algo="twap:over=6s,slices=3")
    closing, part = (order.cl_ord_id for order in rig.submitted())
    rig.trade(part, "1")
    rig.reject(closing, -2022, "ReduceOnly Order is rejected.")

    for _ in range(3):
        assert "turn_short" not in rig.alarms()
        rig.wait(2)
        rig.hear(msg.TimerFired(parent_id=rig.order(part).request.parent_id))
        for order in rig.submitted():
            part = order.cl_ord_id
            rig.trade(part, "1")

    assert rig.qty() == -2
    assert rig.alarms().count("turn_short") == 1


def test_a_turn_of_which_exit_and_entry_end_at_once_is_told_once(rig):
    closing, opening = turn(rig)
    entry = rig.row(opening, OrderStatus.FILLED)
    told = msgspec.structs.replace(
        entry,
        exec_type=msg.ExecType.TRADE,
        cum_qty=Decimal(1),
        last_qty=Decimal(1),
        last_px=Decimal(100),
        trade_id=TradeId("t1"),
    )
    ended = msgspec.structs.replace(
        rig.row(closing, OrderStatus.EXPIRED), exec_type=msg.ExecType.STATUS, reason="no position"
    )
    rig.now += NS_PER_S
    rig.snapshot(positions={}, orders=[ended], trades=(told,))

    assert rig.qty() == 0
    assert rig.alarms().count("turn_short") == 1

"""What an operator asks for by hand, with every way in which it can be refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from holdfast.engine import engine
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import (
    IllegalTransition,
    InputError,
    SessionStateError,
    UnknownOrderError,
)
from holdfast.model.ids import Owner, make_cl_ord_id
from holdfast.model.messages import ExecType, Request
from holdfast.model.values import (
    NS_PER_S,
    ZERO,
    ClOrdId,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    StrategyId,
    Symbol,
    TimeInForce,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC, ETH, LIMIT, START, Rig, contract, limit, refused
from tests.engine.test_algos import go

STOP = OrderType.STOP_MARKET


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


@pytest.mark.parametrize(
    "request_",
    [
        msg.CloseRequest(symbol=BTC),
        msg.AdjustRequest(symbol=BTC, target_qty=Decimal(0)),
        msg.PlaceRequest(symbol=BTC, side=Side.SELL, qty=Decimal(1), reduce_only=True),
    ],
    ids=lambda each: type(each).__name__,
)
def test_nobody_closes_by_hand_behind_the_end_of_a_session(rig, request_):
    # It went out, and nobody heard what came: the stop of what it closed stayed at the venue.
    rig.hold("1")
    rig.hear(msg.StopSession(reason="enough"))
    rig.tick()
    assert rig.session() is Status.STOPPED

    refused(rig, request_, SessionStateError, "the session is STOPPED")


# Placing


def test_an_order_by_hand_goes_out_as_it_was_asked_for(rig):
    cl_ord_id = rig.place(
        Side.SELL, "1.5", order_type=LIMIT, price="101.5", time_in_force=TimeInForce.GTX
    )

    [order] = rig.submitted()
    assert order.cl_ord_id == cl_ord_id
    assert (order.side, order.qty, order.price) == (Side.SELL, Decimal("1.5"), Decimal("101.5"))
    assert order.time_in_force is TimeInForce.GTX
    assert order.role is OrderRole.ENTRY


def test_a_reduce_only_order_is_an_exit_and_needs_no_risk(rig):
    rig.hold("1")
    rig.hear(msg.PauseSession(reason="x"))

    rig.place(Side.SELL, "1", reduce_only=True)

    [order] = rig.submitted()
    assert (order.role, order.reduce_only) == (OrderRole.EXIT, True)
    assert rig.told(ev.OrderSubmitted)[0].verdicts == ()


def test_an_order_that_could_only_close_is_asked_of_the_rules_like_any_other(rig):
    rig.hold("1")

    rig.place(Side.SELL, "1")

    [order] = rig.submitted()
    assert (order.role, order.reduce_only) == (OrderRole.ENTRY, False)
    assert len(rig.told(ev.OrderSubmitted)[0].verdicts) > 10


REFUSING = {
    "a pause": ("session", {}, [msg.PauseSession(reason="x")]),
    "the kill switch": ("kill_switch", {}, [msg.EngageKillSwitch(reason="x")]),
    "its size": ("order_notional", {"max_order_notional": Decimal(50)}, []),
}


@pytest.mark.parametrize(("rule", "limits", "before"), REFUSING.values(), ids=REFUSING)
def test_an_order_that_may_go_out_only_since_it_closes_can_do_nothing_else(rule, limits, before):
    """What it closes may be gone, by a stop that has just filled, when it comes to the venue."""
    rig = Rig(limits=limits)
    rig.hold("0.4")
    rig.hold("0.4")
    for message in before:
        rig.hear(message)

    rig.place(Side.SELL, "0.8")

    [order] = rig.submitted()
    assert (order.role, order.reduce_only) == (OrderRole.ENTRY, True)
    refused = [v.rule for v in rig.told(ev.OrderSubmitted)[0].verdicts if not v.passed]
    assert refused[0] == rule
    assert rig.place(Side.SELL, "0.9") is None
    assert rig.told(ev.OrderDenied)[0].rule == rule


def test_exits_make_an_order_by_hand_a_bracket(rig):
    rig.place(stop_loss="95", take_profit="110")

    [parent] = rig.told(ev.ParentStarted)
    assert (parent.algo, parent.stop_loss, parent.take_profit) == ("bracket", 95, 110)


def test_an_algorithm_by_hand_is_taken_and_an_order_without_exits_is_direct(rig):
    rig.place(stop_loss="95", algo="direct")
    assert rig.told(ev.ParentStarted)[0].algo == "direct"

    rig.place(qty="2")
    assert rig.told(ev.ParentStarted)[0].algo == "direct"


@pytest.mark.parametrize(
    "other", [{"symbol": ETH}, {"side": Side.SELL}, {"qty": "2"}, {"qty": "2", "stop_loss": "90"}]
)
def test_another_order_under_a_request_id_is_refused_and_not_taken_for_the_first(rig, other):
    """It would have gone nowhere, and been answered as if all were well."""
    assert rig.place(request_id="r1")

    with pytest.raises(InputError, match="r1 is the request of BUY 1 BTCUSDT on main"):
        rig.place(**{"request_id": "r1", **other})
    assert rig.place(request_id="r1", price="100", order_type=OrderType.LIMIT) is None


def test_a_repeated_request_in_parts_is_the_same_also_where_a_rule_refused_the_first(rig):
    fields = {"qty": "6", "algo": "twap:over=1m,slices=3", "request_id": "r1"}
    rig.hear(msg.PauseSession(reason="lunch"))
    assert rig.place(**fields) is None

    assert rig.place(**fields) is None


def test_a_repeated_request_id_is_acted_on_once_also_after_a_restart(rig):
    assert rig.place(request_id="r1")
    rig.wait(2)
    assert rig.place(request_id="r1") is None
    assert rig.news == []

    rig.restart()
    rig.snapshot()
    rig.price(100)
    assert rig.place(request_id="r1") is None


def test_a_refused_order_is_recorded_with_its_rule_and_every_verdict(rig):
    assert rig.place(qty="11") is None

    [denied] = rig.told(ev.OrderDenied)
    assert denied.rule == "position_size"
    assert "11" in denied.reason
    assert len(denied.verdicts) > 10
    assert rig.asked == []
    assert rig.order(denied.order.cl_ord_id).status is OrderStatus.DENIED


BAD = [
    ({"qty": Decimal(0)}, "quantity must be above 0, was 0"),
    ({"qty": Decimal(-1)}, "quantity must be above 0, was -1"),
    ({"qty": Decimal("NaN")}, "quantity must be finite, was Decimal('NaN')"),
    ({"qty": Decimal("1e20")}, "quantity must be at most 1000000000000000 in size"),
    ({"order_type": LIMIT, "price": Decimal("Infinity")}, "price must be finite"),
    ({"stop_loss": Decimal(0)}, "stop_loss must be above 0, was 0"),
    ({"side": Side.SELL, "take_profit": Decimal(-5)}, "take_profit must be above 0, was -5"),
    ({"stop_loss": Decimal("95.05")}, "stop_loss 95.05 is no multiple of the tick 0.1"),
    ({"algo": "guess"}, "there is no algorithm guess"),
    (
        {
            "order_type": OrderType.TRAILING_STOP_MARKET,
            "callback_rate": Decimal(1),
            "activation_price": Decimal(0),
        },
        "activation_price must be above 0, was 0",
    ),
    ({"price": Decimal(5)}, "a MARKET order takes no price, was 5"),
    ({"order_type": LIMIT}, "a LIMIT order needs a price, was None"),
    ({"order_type": LIMIT, "price": Decimal(0)}, "price must be above 0, was 0"),
    ({"order_type": STOP}, "a STOP_MARKET order needs a trigger_price, was None"),
    ({"order_type": OrderType.STOP, "price": Decimal(1)}, "a STOP order needs a trigger_price"),
    ({"trigger_price": Decimal(5)}, "a MARKET order takes no trigger_price, was 5"),
    ({"order_type": STOP, "trigger_price": Decimal(-1)}, "trigger_price must be above 0, was -1"),
    (
        {"order_type": OrderType.TRAILING_STOP_MARKET},
        "a TRAILING_STOP_MARKET order needs a callback_rate, was None",
    ),
    (
        {
            "order_type": OrderType.TRAILING_STOP_MARKET,
            "callback_rate": Decimal(1),
            "trigger_price": Decimal(9),
        },
        "a TRAILING_STOP_MARKET order takes no trigger_price, was 9",
    ),
    ({"callback_rate": Decimal(1)}, "a MARKET order takes no callback_rate, was 1"),
    ({"time_in_force": TimeInForce.GTD}, "GTD, and GTD alone, needs the time"),
    ({"expire_ts": 5}, "GTD, and GTD alone, needs the time"),
    (
        {"time_in_force": TimeInForce.GTD, "expire_ts": START + NS_PER_S},
        "a MARKET order's time in force is GTC or IOC, was GTD",
    ),
    ({"time_in_force": TimeInForce.GTX}, "a MARKET order's time in force is GTC or IOC, was GTX"),
    (
        {
            "order_type": STOP,
            "trigger_price": Decimal(103),
            "time_in_force": TimeInForce.GTD,
            "expire_ts": START + NS_PER_S,
        },
        "a STOP_MARKET order's time in force is GTC, was GTD",
    ),
    (
        {
            "order_type": OrderType.TRAILING_STOP_MARKET,
            "callback_rate": Decimal(1),
            "time_in_force": TimeInForce.FOK,
        },
        "a TRAILING_STOP_MARKET order's time in force is GTC, was FOK",
    ),
    (
        {"order_type": LIMIT, "price": Decimal(99), "activation_price": Decimal(98)},
        "a LIMIT order takes no activation_price, was 98",
    ),
    ({"symbol": Symbol("NEWUSDT")}, "NEWUSDT is not traded in this session"),
    (
        {"reduce_only": True, "stop_loss": Decimal(90)},
        "a reduce-only order takes no stop_loss or take_profit",
    ),
    ({"stop_loss": Decimal(101)}, "stop_loss 101 must be below the price 100"),
    ({"take_profit": Decimal(99)}, "take_profit 99 must be above the price 100"),
    (
        {"order_type": LIMIT, "price": Decimal(90), "stop_loss": Decimal(95)},
        "stop_loss 95 must be below the price 90",
    ),
    (
        {"order_type": STOP, "trigger_price": Decimal(110), "take_profit": Decimal(105)},
        "take_profit 105 must be above the price 110",
    ),
]


@pytest.mark.parametrize(
    ("exits", "text"),
    [
        ({"stop_loss": Decimal(49)}, "stop_loss 49 must be at least 50"),
        ({"take_profit": Decimal(201)}, "take_profit 201 must be at most 200"),
    ],
)
def test_an_exit_that_the_contract_would_never_take_is_refused_with_its_entry(rig, exits, text):
    bounds = {"min_price": Decimal(50), "max_price": Decimal(200)}
    rig.hear(msg.InstrumentListed(instrument=contract(**bounds), leverage=10))

    wish = msg.PlaceRequest(symbol=BTC, side=Side.BUY, qty=Decimal(1), **exits)
    refused(rig, wish, InputError, text)


@pytest.mark.parametrize(("fields", "text"), BAD, ids=[text for _, text in BAD])
def test_a_request_that_contradicts_itself_is_refused(rig, fields, text):
    plain = {"symbol": BTC, "side": Side.BUY, "qty": Decimal(1)}

    refused(rig, msg.PlaceRequest(**(plain | fields)), InputError, text)


def test_the_stop_of_a_limit_order_that_reaches_the_market_is_judged_by_the_market(rig):
    passed = msg.PlaceRequest(
        symbol=BTC,
        side=Side.BUY,
        qty=Decimal(1),
        order_type=LIMIT,
        price=Decimal(104),
        stop_loss=Decimal(102),
    )
    refused(rig, passed, InputError, "stop_loss 102 must be below the price 100")
    order = rig.place(order_type=LIMIT, price="98", stop_loss="97.5")
    rig.accept(order)
    rig.price(97.2)
    moved = msg.ModifyRequest(cl_ord_id=order, price=Decimal(99))
    refused(rig, moved, InputError, "stop_loss 97.5 must be below the price 97.2")


def test_exits_of_a_trailing_stop_are_judged_by_the_price_that_activates_it(rig):
    trailing = msg.PlaceRequest(
        symbol=BTC,
        side=Side.SELL,
        qty=Decimal(1),
        order_type=OrderType.TRAILING_STOP_MARKET,
        callback_rate=Decimal(1),
        activation_price=Decimal(104),
        stop_loss=Decimal(103),
    )

    refused(rig, trailing, InputError, "stop_loss 103 must be above the price 104")
    rig.hear(replace(trailing, stop_loss=Decimal(106), take_profit=Decimal(101)))
    assert rig.submitted()


def test_exits_need_a_price_to_be_judged_by(rig):
    rig.restart()
    rig.snapshot()

    refused(
        rig,
        msg.PlaceRequest(symbol=BTC, side=Side.BUY, qty=Decimal(1), stop_loss=Decimal(90)),
        InputError,
        "no price of BTCUSDT yet",
    )


@pytest.mark.parametrize("is_reducing", [False, True])
def test_nothing_is_placed_before_the_account_is_known(is_reducing):
    rig = Rig(start=False)
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(), leverage=10))
    rig.price(100)
    one = {"symbol": BTC, "side": Side.SELL, "qty": Decimal(1), "reduce_only": is_reducing}

    refused(rig, msg.PlaceRequest(**one), SessionStateError, "the books of main are not open")
    adjust = msg.AdjustRequest(symbol=BTC, target_qty=Decimal(1))
    refused(rig, adjust, SessionStateError, "the books of main are not open")
    rig.hear(msg.CloseRequest(symbol=BTC))
    assert rig.news == []


# Cancelling


def test_a_cancel_names_the_order_and_is_asked_once(rig):
    cl_ord_id = limit(rig)

    rig.hear(msg.CancelRequest(cl_ord_id=cl_ord_id))

    [command] = rig.asked
    assert (command.cl_ord_id, command.is_conditional, command.ts) == (cl_ord_id, False, rig.now)
    assert rig.told(ev.CancelRequested)[0].reason == "operator"

    rig.hear(msg.CancelRequest(cl_ord_id=cl_ord_id))
    assert rig.asked == []


def test_a_cancel_that_was_there_before_its_order_is_asked_for_again(rig):
    order = rig.place(qty="1", order_type=LIMIT, price="99")
    rig.hear(msg.CancelRequest(cl_ord_id=order, reason="x"))
    rig.refuse(order, Request.CANCEL)
    rig.unknown(order)
    rig.wait(3)
    assert not [c for c in rig.commands if isinstance(c, cmd.CancelOrder)][1:]

    rig.accept(order)
    assert rig.canceled() == [order]

    rig.refuse(order, Request.CANCEL)
    assert rig.canceled() == []
    rig.tick()
    assert rig.canceled() == [order]


def test_a_cancel_that_was_there_before_its_order_is_asked_for_again_whichever_is_heard_first(rig):
    # The order's acceptance came over the stream before the cancel's refusal: it was forgotten.
    order = rig.place(qty="1", order_type=LIMIT, price="99")
    rig.hear(msg.CancelRequest(cl_ord_id=order, reason="x"))
    rig.accept(order)
    rig.refuse(order, Request.CANCEL)
    rig.tick()

    assert rig.canceled() == [order]


def cancel_refused(cl_ord_id, code):
    return msg.RequestRefused(
        symbol=BTC, cl_ord_id=cl_ord_id, request=Request.CANCEL, reason="no", code=code
    )


@pytest.mark.parametrize("is_heard_first", [False, True])
def test_a_cancel_that_met_a_trigger_is_asked_for_again(rig, is_heard_first):
    """The stream was down: the conditional order was gone, and its limit order rests."""
    stop = rig.place(order_type=OrderType.STOP, price="104", trigger_price="103")
    rig.accept(stop)
    rig.hear(msg.CancelRequest(cl_ord_id=stop))
    assert rig.asked[0].is_conditional

    if is_heard_first:
        rig.trigger(stop)
    rig.hear(cancel_refused(stop, -2011))
    if not is_heard_first:
        rig.trigger(stop)
    rig.tick()

    again = [c for c in rig.commands if isinstance(c, cmd.CancelOrder)][-1]
    assert not again.is_conditional


def test_a_cancel_that_is_refused_for_another_reason_is_not_asked_for_again(rig):
    stop = rig.place(Side.SELL, order_type=STOP, trigger_price="95")
    rig.accept(stop)
    rig.hear(msg.CancelRequest(cl_ord_id=stop))

    rig.hear(cancel_refused(stop, -1003))

    assert not rig.order(stop).is_unwanted


def test_an_entry_that_comes_behind_its_cancel_does_not_open_a_closed_position_again(rig):
    rig.hold("1")
    order = rig.place(qty="2", order_type=LIMIT, price="99")
    rig.hear(msg.CloseRequest(symbol=BTC, reason="x"))
    rig.refuse(order, Request.CANCEL)

    rig.trade(order, "1", price="99")
    rig.tick()

    assert rig.canceled() == [order]


def test_a_conditional_order_is_cancelled_as_one(rig):
    cl_ord_id = rig.place(Side.BUY, "1", order_type=STOP, trigger_price="105")

    rig.hear(msg.CancelRequest(cl_ord_id=cl_ord_id))

    assert rig.asked[0].is_conditional


def test_an_unknown_or_ended_order_can_not_be_cancelled(rig):
    refused(
        rig, msg.CancelRequest(cl_ord_id=ClOrdId("?")), UnknownOrderError, "no order ? is known"
    )
    cl_ord_id = limit(rig)
    rig.cancel(cl_ord_id)
    refused(
        rig,
        msg.CancelRequest(cl_ord_id=cl_ord_id),
        SessionStateError,
        f"order {cl_ord_id} is CANCELED already",
    )


# Amending


def modify(cl_ord_id, qty=None, price=None):
    return msg.ModifyRequest(
        cl_ord_id=cl_ord_id,
        qty=None if qty is None else Decimal(qty),
        price=None if price is None else Decimal(price),
    )


@pytest.mark.parametrize(
    ("qty", "price", "becomes"),
    [("3", None, (3, 99)), (None, "98", (2, 98)), ("3", "98", (3, 98))],
)
def test_an_amendment_keeps_what_it_does_not_name(rig, qty, price, becomes):
    cl_ord_id = limit(rig)

    rig.hear(modify(cl_ord_id, qty, price))

    [command] = rig.asked
    assert (command.qty, command.price, command.side) == (*becomes, Side.BUY)


def test_an_amendment_is_checked_like_a_new_order(rig):
    cl_ord_id = limit(rig)

    rig.hear(modify(cl_ord_id, "11"))

    assert rig.asked == []
    [fact] = rig.told(ev.ReplaceRejected)
    assert fact.reason.startswith("position_size: ")
    assert rig.order(cl_ord_id).qty == 2


@pytest.mark.parametrize("how", [{"reduce_only": True}, {}], ids=["an exit", "past a rule"])
def test_what_can_only_close_and_outlives_its_position_is_told_once(how):
    rig = Rig(limits={"max_order_notional": Decimal(150)}, stop_loss_pct=Decimal(0))
    rig.hold("1")
    rig.hold("1")
    name = limit(rig, Side.SELL, qty="2", price="110", **how)
    rig.hear(msg.PlaceRequest(symbol=BTC, side=Side.SELL, qty=Decimal(2), reduce_only=True))
    [close] = rig.submitted()

    rig.trade(close.cl_ord_id, "1")
    assert rig.qty() == 1
    assert not [c for c in rig.asked if isinstance(c, cmd.Notify)]
    rig.trade(close.cl_ord_id, "1")
    [told] = [c for c in rig.asked if isinstance(c, cmd.Notify)]
    rig.tick()

    assert f"is flat, and orders that can only close rest on: {name}" in told.text
    assert not [c for c in rig.asked if isinstance(c, cmd.Notify)]


def test_an_amendment_of_what_could_only_close_is_checked_too():
    rig = Rig(limits={"max_order_notional": Decimal(50)})
    rig.hold("0.4")
    rig.hold("0.4")
    order = limit(rig, Side.SELL, qty="0.4", price="101")

    rig.hear(msg.ModifyRequest(cl_ord_id=order, qty=Decimal("0.8")))

    assert rig.told(ev.ReplaceRejected)[0].reason.startswith("order_notional")


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"max_order_qty": Decimal(1)}, "order_qty"),
        ({"max_order_notional": Decimal(100)}, "order_notional"),
    ],
)
def test_an_amendment_is_held_against_the_largest_order_with_what_has_executed(limits, rule):
    rig = Rig(limits=limits)
    order = limit(rig, qty="1", price="100")
    rig.trade(order, "0.9")
    rig.wait(2)

    rig.hear(msg.ModifyRequest(cl_ord_id=order, qty=Decimal("1.9")))

    assert rig.asked == []
    assert rig.told(ev.ReplaceRejected)[0].reason.startswith(f"{rule}: ")
    rig.hear(msg.ModifyRequest(cl_ord_id=order, qty=Decimal("0.95")))
    assert [type(c) for c in rig.asked] == [cmd.ReplaceOrder]


def test_what_has_executed_is_not_counted_twice_in_an_amendment(rig):
    cl_ord_id = limit(rig, qty="9")
    rig.trade(cl_ord_id, "8", "99")
    rig.wait(2)

    rig.hear(modify(cl_ord_id, "10"))

    assert [type(c) for c in rig.asked] == [cmd.ReplaceOrder]


def test_an_exit_by_hand_is_amended_in_any_state(rig):
    rig.hold("2")
    cl_ord_id = limit(rig, Side.SELL, "2", "110", reduce_only=True)
    rig.hear(msg.EngageKillSwitch(reason="x"))
    rig.refuse(cl_ord_id, msg.Request.CANCEL)

    rig.hear(modify(cl_ord_id, price="105"))

    assert [type(c) for c in rig.asked] == [cmd.ReplaceOrder]


def test_what_cannot_be_amended_says_why(rig):
    refused(rig, modify(ClOrdId("?"), "1"), UnknownOrderError, "no order ? is known")
    market = rig.place(qty="1")
    refused(rig, modify(market, "2"), InputError, f"only LIMIT orders can be amended, {market} is")
    rig.wait(2)
    cl_ord_id = limit(rig)
    refused(rig, modify(cl_ord_id), InputError, "is 2 at 99 already")
    refused(rig, modify(cl_ord_id, price="-1"), InputError, "price must be above 0, was -1")
    rig.trade(cl_ord_id, "1", "99")
    refused(rig, modify(cl_ord_id, "1"), InputError, "needs more than the executed 1")
    refused(rig, modify(cl_ord_id, "0"), InputError, "quantity must be above 0, was 0")
    refused(rig, modify(cl_ord_id, "NaN"), InputError, "quantity must be finite")
    rig.hear(modify(cl_ord_id, "3"))
    refused(rig, modify(cl_ord_id, "2"), SessionStateError, "in doubt or being amended")
    rig.cancel(cl_ord_id)
    refused(rig, modify(cl_ord_id, "3"), SessionStateError, "is CANCELED already")


def test_an_order_that_has_nearly_filled_can_be_amended(rig):
    large = contract(min_notional=Decimal(50), min_qty=Decimal("0.5"))
    rig.hear(msg.InstrumentListed(instrument=large, leverage=10))
    order = limit(rig, qty="2")
    rig.trade(order, "1.9", price="99")

    rig.hear(msg.ModifyRequest(cl_ord_id=order, price=Decimal(98)))
    assert rig.told(ev.ReplaceRequested)


def test_an_entry_is_not_amended_past_its_own_stop_or_target(rig):
    order = limit(rig, price="99", stop_loss="97", take_profit="101")

    for price, text in (
        ("97", "stop_loss 97 must be below the price 97"),
        ("101.5", "take_profit"),
    ):
        request = msg.ModifyRequest(cl_ord_id=order, price=Decimal(price))
        refused(rig, request, InputError, text)
    rig.hear(msg.ModifyRequest(cl_ord_id=order, price=Decimal("97.1")))
    assert rig.told(ev.ReplaceRequested)


def test_an_order_in_doubt_is_not_amended(rig):
    cl_ord_id = rig.place(qty="2", order_type=LIMIT, price="99")
    rig.unknown(cl_ord_id)

    refused(rig, modify(cl_ord_id, "3"), SessionStateError, "in doubt or being amended")


# Closing and adjusting


def test_closing_by_hand_takes_entries_back_and_closes_the_whole_position(rig):
    rig.hold("2")
    entry = limit(rig, Side.BUY, "1", "95")

    rig.hear(msg.CloseRequest(symbol=BTC))

    assert rig.canceled() == [entry]
    [order] = rig.submitted()
    assert (order.side, order.qty, order.reduce_only) == (Side.SELL, 2, True)


def large(rig):
    """Hold 8 of a contract of which the venue takes 5 at once."""
    for _ in range(2):
        rig.hold("4")
    instrument = contract(max_market_qty=Decimal(5))
    rig.hear(msg.InstrumentListed(instrument=instrument, leverage=10))


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (msg.CloseRequest(symbol=BTC), [5, 3]),
        (msg.EngageKillSwitch(reason="x", flatten=True), [5, 3]),
        (msg.AdjustRequest(symbol=BTC, target_qty=Decimal(1)), [5, 2]),
    ],
)
def test_a_position_larger_than_the_largest_order_is_closed_in_parts(rig, request_, sent):
    large(rig)

    rig.hear(request_)

    assert [(o.qty, o.reduce_only) for o in rig.submitted()] == [(qty, True) for qty in sent]
    assert len({o.intent_id for o in rig.submitted()}) == 1
    rig.hear(msg.CloseRequest(symbol=BTC))
    assert sum(o.qty for o in rig.submitted()) == 8 - sum(sent)


def test_closing_leaves_other_symbols_and_foreign_orders_alone(rig):
    rig.hold("2")
    limit(rig, Side.BUY, "1", "95", symbol=ETH)
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(1), price=Decimal(90))

    rig.hear(msg.CloseRequest(symbol=BTC))

    assert rig.canceled() == []


def test_closing_twice_closes_once(rig):
    rig.hold("2")
    rig.hear(msg.CloseRequest(symbol=BTC))

    rig.hear(msg.CloseRequest(symbol=BTC))

    assert rig.submitted() == []


@pytest.mark.parametrize(
    "get_there",
    [
        lambda rig: rig.hear(msg.PauseSession(reason="x")),
        lambda rig: rig.hear(msg.StopSession(reason="x")),
        lambda rig: rig.hear(msg.FailSession(reason="x")),
        lambda rig: rig.hear(msg.EngageKillSwitch(reason="x")),
        lambda rig: rig.restart(),
    ],
    ids=["paused", "stopped", "failed", "killed", "starting"],
)
def test_closing_is_possible_in_every_state(rig, get_there):
    rig.hold("2")
    get_there(rig)
    assert rig.session() is not Status.RUNNING or rig.state.is_killed

    rig.hear(msg.CloseRequest(symbol=BTC))

    assert [o.qty for o in rig.submitted()] == [2]


@pytest.mark.parametrize(
    ("held", "target", "sent"),
    [
        ("2", "5", [(Side.BUY, 3, False)]),
        ("2", "0", [(Side.SELL, 2, True)]),
        ("2", "0.5", [(Side.SELL, Decimal("1.5"), True)]),
        ("2", "-3", [(Side.SELL, 2, True), (Side.SELL, 3, False)]),
        ("2", "2", []),
    ],
)
def test_a_position_is_traded_to_its_target(rig, held, target, sent):
    rig.hold(held)

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(target)))

    assert [(o.side, o.qty, o.reduce_only) for o in rig.submitted()] == sent
    assert len({o.intent_id for o in rig.submitted()}) <= 1


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("0", [("1.00", True)]),
        ("-1", [("1.00", True), ("1", False)]),
        ("2", [("0.99", False)]),
    ],
)
def test_a_position_off_a_lot_that_has_grown_is_adjusted_by_whole_lots(rig, target, sent):
    rig.hold("1.005")
    coarse = contract(BTC, lot=Decimal("0.01"), min_qty=Decimal("0.01"))
    rig.hear(msg.InstrumentListed(instrument=coarse, leverage=10))

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(target)))

    wanted = [(Decimal(qty), is_exit) for qty, is_exit in sent]
    assert [(o.qty, o.reduce_only) for o in rig.submitted()] == wanted


def test_less_than_a_lot_that_has_grown_is_not_adjusted(rig):
    rig.hold("1.005")
    coarse = contract(BTC, lot=Decimal("0.01"), min_qty=Decimal("0.01"))
    rig.hear(msg.InstrumentListed(instrument=coarse, leverage=10))

    nearly = msg.AdjustRequest(symbol=BTC, target_qty=Decimal(1))

    refused(rig, nearly, InputError, "0.005 of BTCUSDT is less than the lot 0.01")


def test_an_adjustment_to_nothing_that_is_refused_leaves_what_goes_on_in_parts(rig):
    rig.hold("0.055")
    part = limit(rig, qty="1", algo="twap:over=100s,slices=10")
    coarse = contract(BTC, lot=Decimal("0.1"), min_qty=Decimal("0.1"))
    rig.hear(msg.InstrumentListed(instrument=coarse, leverage=10))

    to_nothing = msg.AdjustRequest(symbol=BTC, target_qty=ZERO)
    refused(rig, to_nothing, InputError, "0.055 of BTCUSDT is less than the lot 0.1")

    rig.hear(msg.CancelRequest(cl_ord_id=part))
    assert rig.canceled() == [part]


def test_a_refusal_behind_a_change_is_no_refusal(rig, monkeypatch):
    """The facts would be lost, and the fold of the journal another state than this one."""

    def on_tick(core, _):
        core.fail("x")
        raise SessionStateError("not now")

    monkeypatch.setitem(engine._HANDLERS, msg.Tick, on_tick)

    with pytest.raises(IllegalTransition, match="not now"):
        rig.tick()


WAITS = {"order_type": STOP, "trigger_price": "95", "reduce_only": True}
WAITS_FOR_A_LIMIT = {**WAITS, "order_type": OrderType.STOP, "price": "94"}


@pytest.mark.parametrize(
    ("terms", "sent"),
    [
        (WAITS, [(Side.SELL, 1)]),
        (WAITS_FOR_A_LIMIT, [(Side.SELL, 3)]),
        ({"order_type": STOP, "trigger_price": "105", "side": Side.BUY}, [(Side.SELL, 5)]),
    ],
    ids=["an exit", "one that rests at its limit", "an entry"],
)
def test_an_adjustment_counts_what_trades_at_the_market_behind_its_trigger(rig, terms, sent):
    rig.hold("5")
    waiting = rig.place(**{"side": Side.SELL, "qty": "2", **terms})
    rig.accept(waiting)
    rig.wait(2)
    rig.trigger(waiting)

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(2)))

    assert [(o.side, o.qty) for o in rig.submitted()] == sent


def test_an_adjustment_counts_a_strategys_stop_that_trades(rig):
    rig.hold("3")
    rig.wait(61)
    rig.signal(quantity=Decimal(2), stop_loss=Decimal(90))
    [entry] = rig.submitted()
    rig.trade(entry.cl_ord_id, "2")
    [stop] = rig.submitted()
    rig.trigger(stop.cl_ord_id)

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(3)))

    assert rig.submitted() == []


def test_adjusting_a_short(rig):
    rig.hold("2", Side.SELL)

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(1)))

    assert [(o.side, o.qty, o.reduce_only) for o in rig.submitted()] == [
        (Side.BUY, 2, True),
        (Side.BUY, 1, False),
    ]


@pytest.mark.parametrize(
    ("held", "first", "second", "sent"),
    [
        ("5", "3", "3", []),
        ("2", "5", "5", []),
        ("5", "3", "2", [(Side.SELL, 1, True)]),
        ("2", "5", "6", [(Side.BUY, 1, False)]),
        ("2", "5", "0", [(Side.SELL, 5, True)]),
        ("2", "-3", "-3", []),
        ("2", "0", "1", [(Side.BUY, 1, False)]),
    ],
)
def test_an_adjustment_counts_what_another_has_under_way(rig, held, first, second, sent):
    rig.hold(held)
    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(first)))
    for order in rig.submitted():
        rig.unknown(order.cl_ord_id)
    rig.wait(2)  # nothing is just sent any more, and nobody knows what became of it

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(second)))

    assert [(o.side, o.qty, o.reduce_only) for o in rig.submitted()] == sent


# Without market orders


@pytest.fixture
def limited():
    return Rig(limits={"duplicate_window_s": 0}, use_market_orders=False)


def shapes(orders):
    return [(o.qty, o.order_type, o.price, o.time_in_force) for o in orders]


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.1"), (Side.SELL, "99.9")])
def test_without_market_orders_an_entry_by_hand_is_an_ioc_limit_at_the_tolerance(
    limited, side, price
):
    limited.place(side, stop_loss="90" if side is Side.BUY else "110")

    assert shapes(limited.submitted()) == [(1, LIMIT, Decimal(price), TimeInForce.IOC)]


def test_without_market_orders_slices_by_hand_have_the_price_of_their_moment(limited):
    limited.place(qty="6", algo="twap:over=20s,slices=2")
    limited.price(104.0)
    go(limited, 10)

    prices = [o.request.price for o in limited.state.orders.values()]
    assert prices == [Decimal("100.1"), Decimal("104.1")]


def test_without_market_orders_other_orders_by_hand_stay_as_they_are(limited):
    limited.place(order_type=LIMIT, price="99")
    limited.place(order_type=OrderType.STOP_MARKET, trigger_price="105")

    kinds = [o.request.order_type for o in limited.state.orders.values()]
    assert kinds == [LIMIT, OrderType.STOP_MARKET]


@pytest.mark.parametrize("is_said", [True, False])
def test_without_market_orders_what_can_only_close_goes_out_at_the_market(limited, is_said):
    limited.hold("2")

    limited.place(Side.SELL, "2", reduce_only=is_said)

    [order] = limited.submitted()
    assert (order.order_type, order.price) == (OrderType.MARKET, None)


@pytest.mark.parametrize("side", Side)
def test_without_market_orders_an_adjustment_closes_at_the_market_and_opens_at_a_limit(
    limited, side
):
    limited.hold("2", side)
    limited.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(-1) * side.sign))

    closing, opening = limited.submitted()
    assert (closing.order_type, closing.reduce_only) == (OrderType.MARKET, True)
    assert (opening.order_type, opening.time_in_force) == (LIMIT, TimeInForce.IOC)


def test_without_market_orders_an_adjustment_counts_what_another_has_under_way(limited):
    limited.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(2)))
    [first] = limited.submitted()
    limited.unknown(first.cl_ord_id)
    limited.wait(2)

    limited.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(2)))
    assert limited.submitted() == []
    limited.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(3)))
    assert [o.qty for o in limited.submitted()] == [1]


@pytest.mark.parametrize(
    "asked",
    [
        msg.PlaceRequest(symbol=BTC, side=Side.SELL, qty=Decimal(3)),
        msg.AdjustRequest(symbol=BTC, target_qty=Decimal(-1)),
    ],
)
def test_without_market_orders_and_without_a_price_what_closes_goes_out_and_nothing_else(asked):
    rules = ("stale_data", "slippage")  # a rule that is off lets nothing out at the market
    rig = Rig(limits={"disabled": ("correlation", *rules)}, use_market_orders=False)
    rig.hold("2")
    rig.restart()
    rig.snapshot()

    rig.hear(asked)

    [denied] = [fact for fact in rig.news if isinstance(fact, ev.OrderDenied)]
    assert (denied.rule, denied.reason) == ("stale_data", "no price of BTCUSDT yet")
    is_adjusted = isinstance(asked, msg.AdjustRequest)
    assert [(o.qty, o.reduce_only) for o in rig.submitted()] == [(Decimal(2), True)] * is_adjusted


def test_exits_under_way_close_no_more_than_there_is(rig):
    rig.hold("2")
    rig.place(Side.SELL, "9", reduce_only=True)

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(1)))

    assert [(o.side, o.qty, o.reduce_only) for o in rig.submitted()] == [(Side.BUY, 1, False)]


def test_a_lost_order_that_turns_out_to_rest_is_not_under_way(rig):
    """An execution in a list does not say of what kind its order is."""
    lost = make_cl_ord_id(Owner("hf", 1, 999, 7, OrderRole.ENTRY, StrategyId("s")))
    rig.trade(lost, "1", "99", side=Side.BUY, of=0, cum_qty=Decimal(0))
    there = {"qty": Decimal(3), "price": Decimal(99), "cum_qty": Decimal(1)}
    rig.status(lost, OrderStatus.PARTIALLY_FILLED, **there)

    rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(2)))

    assert [(o.side, o.qty) for o in rig.submitted()] == [(Side.BUY, 1)]


def test_an_adjustment_that_cannot_be_says_why(rig):
    refused(
        rig,
        msg.AdjustRequest(symbol=Symbol("NEWUSDT"), target_qty=Decimal(1)),
        InputError,
        "NEWUSDT is not traded in this session",
    )
    refused(
        rig,
        msg.AdjustRequest(symbol=BTC, target_qty=Decimal("0.0005")),
        InputError,
        "target 0.0005 is no multiple of the lot 0.001",
    )
    refused(
        rig,
        msg.AdjustRequest(symbol=BTC, target_qty=Decimal("-Infinity")),
        InputError,
        "target must be finite",
    )


# What rests on when a position is gone


def warnings(rig):
    return [c.text for c in rig.commands if isinstance(c, cmd.Notify) and c.level == "warning"]


def in_and_out(rig):
    rig.trade(rig.place(Side.BUY, "1"), "1")
    rig.wait(2)
    rig.trade(rig.place(Side.SELL, "1", reduce_only=True), "1")


def test_a_stop_by_hand_that_outlives_its_position_is_told_of_once_and_stays(rig):
    """It is the operator's: but it would close what is opened next, at a price of long ago."""
    rig.trade(rig.place(Side.BUY, "1"), "1")
    by_hand = {"reduce_only": True, "order_type": OrderType.STOP_MARKET, "trigger_price": "90"}
    stop = rig.place(Side.SELL, "1", **by_hand)
    rig.accept(stop)
    rig.wait(2)
    assert warnings(rig) == []

    rig.trade(rig.place(Side.SELL, "1", reduce_only=True), "1")
    in_and_out(rig)

    [text] = warnings(rig)
    assert BTC in text
    assert stop in text
    assert rig.order(stop).is_open
    assert rig.order(stop).cancel is RequestState.NONE


def test_a_position_that_goes_with_its_own_stops_leaves_nothing_to_tell(rig):
    rig.hold("1", stop_loss="90", take_profit="120")
    rig.trade(rig.place(Side.SELL, "1", reduce_only=True), "1")

    assert warnings(rig) == []

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.model.messages import ExecType
from holdfast.model.values import MAIN, OrderStatus, OrderType, Side, TimeInForce, WorkingType
from holdfast.venues.binance_futures import codec
from tests.venues.binance_futures import frames
from tests.venues.binance_futures.frames import MS, NAME, T, ack, algo, listed, raw


@pytest.fixture
def names():
    return codec.OrderNames()


def test_an_acknowledgement_without_average_price_is_a_new_order(names):
    report = codec.acknowledged(raw(ack()), names)

    assert report.cl_ord_id == NAME
    assert report.exec_type is ExecType.NEW
    assert report.status is OrderStatus.NEW
    assert report.venue_order_id == "7001"
    assert report.venue_ts == T * MS
    assert (report.qty, report.price) == (Decimal("0.03"), Decimal("61234.5"))
    assert report.trigger_price is None


def test_a_market_orders_acknowledgement_has_no_price(names):
    assert codec.acknowledged(raw(ack(type="MARKET", price="0.00")), names).price is None


def test_a_canceled_orders_answer_says_canceled(names):
    report = codec.acknowledged(raw(ack(status="CANCELED", executedQty="0.01")), names)

    assert report.exec_type is ExecType.CANCELED
    assert report.cum_qty == Decimal("0.01")


def test_an_amendment_that_ended_the_order_is_no_replacement(names):
    extra = {"pair": "BTCUSDT", "modifyId": 0}
    assert codec.amended(raw(ack(**extra)), names).exec_type is ExecType.REPLACED
    ended = codec.amended(raw(ack(status="CANCELED", **extra)), names)
    assert ended.exec_type is ExecType.CANCELED


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_null_or_empty_counts_as_not_told(names, nothing):
    told = ack(
        price=nothing, reduceOnly=nothing, updateTime=nothing, timeInForce=nothing, type=nothing
    )

    report = codec.acknowledged(raw(told), names)

    assert (report.price, report.reduce_only, report.venue_ts) == (None, False, 0)
    assert report.qty == Decimal("0.03")


def test_numbers_keep_their_digits_beside_what_is_null(names):
    told = b'{"orderId":99999999999999999999,"price":61234.50000000000000001,"updateTime":null,'
    told += b'"symbol":"BTCUSDT","clientOrderId":"a","status":"NEW","side":"BUY","origQty":1}'

    report = codec.acknowledged(told, names)

    assert report.venue_order_id == "99999999999999999999"
    assert report.price == Decimal("61234.50000000000000001")


def test_what_an_order_can_not_be_without_is_asked_for_still(names):
    with pytest.raises(codec.BadFrame, match="side"):
        codec.acknowledged(raw(ack(side=None)), names)


@pytest.mark.parametrize("price", ["1e-400000", "0." + "0" * 500 + "1", "1." + "0" * 500 + "1"])
def test_number_with_hundreds_of_digits_is_refused(names, price):
    with pytest.raises(codec.BadFrame, match="price"):
        codec.acknowledged(raw(ack(price=price)), names)


def test_a_query_says_when_it_was_asked(names):
    report = codec.queried(
        raw(listed(status="PARTIALLY_FILLED", executedQty="0.01")), names, asked_ts=55
    )

    assert report.exec_type is ExecType.STATUS
    assert report.status is OrderStatus.PARTIALLY_FILLED
    assert report.asked_ts == 55


def test_a_batch_answers_order_by_order(names):
    answers = codec.batch(
        raw([ack(), {"code": -2019, "msg": "Margin is insufficient."}, ack(orderId=7002)]), names
    )

    assert [type(each).__name__ for each in answers] == [
        "ExecutionReport",
        "ErrorBody",
        "ExecutionReport",
    ]
    assert answers[1].code == -2019


@pytest.mark.parametrize(
    ("word", "cum", "status"),
    [
        ("EXPIRED_IN_MATCH", "0", OrderStatus.EXPIRED),
        ("NEW_ADL", "0", OrderStatus.NEW),
        ("NEVER_SEEN_BEFORE", "0", OrderStatus.NEW),
        ("NEVER_SEEN_BEFORE", "0.01", OrderStatus.PARTIALLY_FILLED),
        ("NEVER_SEEN_BEFORE", "0.03", OrderStatus.FILLED),
    ],
)
def test_a_status_that_nobody_knows_is_as_open_as_its_quantities(names, word, cum, status):
    report = codec.queried(raw(listed(status=word, executedQty=cum)), names, asked_ts=1)

    assert report.status is status
    is_odd = word == "NEVER_SEEN_BEFORE" and status is not OrderStatus.FILLED
    assert report.odd_status == (word if is_odd else "")


def test_words_of_tomorrow_do_not_stop_an_order_from_being_read(names):
    row = listed(
        type="MOON", timeInForce="RPI", workingType="INDEX", side="SELL", future={"a": [1]}
    )
    (report,) = codec.open_orders(raw([row]), names)

    assert report.order_type is OrderType.MARKET
    assert report.time_in_force is TimeInForce.GTX
    assert report.side is Side.SELL


@pytest.mark.parametrize("qty", ["NaN", "Infinity", "1E+40", "-1e16"])
def test_absurd_amounts_are_refused(names, qty):
    with pytest.raises(codec.BadFrame, match="origQty"):
        codec.acknowledged(raw(ack(origQty=qty)), names)


def test_a_side_that_is_none_is_refused(names):
    with pytest.raises(codec.BadFrame, match="side must be BUY or SELL"):
        codec.acknowledged(raw(ack(side="HOLD")), names)


# Executions


def trade(**fields):
    return {
        "symbol": "BTCUSDT",
        "pair": "BTCUSDT",
        "id": 9001,
        "orderId": 7001,
        "side": "BUY",
        "price": "61234.50",
        "qty": "0.030",
        "quoteQty": "1837.035",
        "baseQty": "0",
        "realizedPnl": "-1.25000000",
        "marginAsset": "USDT",
        "commission": "0.36740700",
        "commissionAsset": "USDT",
        "time": T,
        "positionSide": "BOTH",
        "buyer": True,
        "maker": False,
        **fields,
    }


def test_an_execution_is_named_by_its_order(names):
    codec.acknowledged(raw(ack()), names)
    (report,) = codec.trades(codec.trade_rows(raw([trade()])), names)

    assert report.cl_ord_id == NAME
    assert report.exec_type is ExecType.TRADE
    assert report.trade_id == "9001"
    assert (report.last_qty, report.last_px) == (Decimal("0.03"), Decimal("61234.5"))
    assert (report.fee, report.realized_pnl) == (Decimal("0.367407"), Decimal("-1.25"))


def test_both_roads_tell_the_same_execution(names):
    (streamed,) = codec.UserStream(names).read(frames.fill_event())
    (listed_one,) = codec.trades(codec.trade_rows(raw([trade()])), names)

    same = ["account", "symbol", "cl_ord_id", "trade_id", "side", "last_qty", "last_px", "fee"]
    same += ["fee_asset", "realized_pnl", "is_maker", "venue_ts", "venue_order_id"]
    assert [getattr(streamed, each) for each in same] == [
        getattr(listed_one, each) for each in same
    ]


def test_orders_without_a_name_are_asked_for_first(names):
    codec.acknowledged(raw(ack()), names)
    rows = codec.trade_rows(
        raw([trade(id=3, orderId=9), trade(id=2, orderId=8), trade(id=1), trade(id=4, orderId=9)])
    )

    assert [row.id for row in rows] == [1, 2, 3, 4]
    assert codec.unnamed_orders(rows, names) == {"BTCUSDT": [8, 9]}
    codec.open_orders(raw([listed(orderId=8, clientOrderId="web_1")]), names)
    assert [report.cl_ord_id for report in codec.trades(rows, names)] == [
        NAME,
        "web_1",
        "order-9",
        "order-9",
    ]


def test_a_fallback_name_is_not_remembered(names):
    rows = codec.trade_rows(raw([trade(orderId=9)]))
    codec.trades(rows, names)

    assert codec.unnamed_orders(rows, names) == {"BTCUSDT": [9]}


def test_names_are_bounded_and_the_oldest_go_first():
    names = codec.OrderNames(limit=2)
    for order_id in (1, 2, 3):
        names.called("BTCUSDT", order_id, f"n{order_id}")

    assert [names.known("BTCUSDT", order_id) for order_id in (1, 2, 3)] == [None, "n2", "n3"]


def test_an_order_id_that_the_venue_gives_again_is_the_order_that_it_says_now(names):
    """A venue that lost its memory counts anew; a name that is none of ours proves nothing."""
    first, second = "hf.1.1.1.E.sma", "hf.1.4.3.E.sma"
    told = [names.called("BTCUSDT", 7001, name) for name in (first, second, "web_1", "", second)]

    assert told == [first, second, second, second, second]
    assert names.known("BTCUSDT", 7001) == second


# Conditional orders


def test_a_conditional_orders_placement_is_read(names):
    report = codec.algo_placed(raw(algo()), names)

    assert report.cl_ord_id == NAME
    assert report.exec_type is ExecType.NEW
    assert report.order_type is OrderType.STOP_MARKET
    assert report.trigger_price == 60_000
    assert report.working_type is WorkingType.MARK_PRICE
    assert report.reduce_only
    assert report.venue_order_id == "1000000200000001"


def test_a_triggered_conditional_order_names_its_child(names):
    answer = codec.algo_queried(
        raw(algo(algoStatus="TRIGGERED", actualOrderId="8001", actualQty="0", tpOrderType="")),
        names,
        asked_ts=7,
    )

    assert answer.child_id == 8001
    assert answer.report.status is OrderStatus.TRIGGERED
    assert answer.report.exec_type is ExecType.STATUS
    assert names.child_of(NAME) == 8001


@pytest.mark.parametrize(
    ("word", "qty", "status"),
    [
        ("TRIGGERING", "", OrderStatus.NEW),
        ("FINISHED", "0.03", OrderStatus.FILLED),
        ("FINISHED", "0.01", OrderStatus.TRIGGERED),
        ("FINISHED", "", OrderStatus.TRIGGERED),
        ("CANCELED", "", OrderStatus.CANCELED),
        ("REJECTED", "", OrderStatus.REJECTED),
        ("EXPIRED", "", OrderStatus.EXPIRED),
        ("NEVER_SEEN_BEFORE", "", OrderStatus.NEW),
    ],
)
def test_how_a_conditional_order_stands(names, word, qty, status):
    """FINISHED without the whole quantity does not end it: its child's own events do."""
    row = raw(algo(algoStatus=word, actualQty=qty))

    report = codec.algo_queried(row, names, asked_ts=1).report
    assert report.status is status
    assert report.odd_status == (word if word == "NEVER_SEEN_BEFORE" else "")


@pytest.mark.parametrize("field", ["origQty", "executedQty", "price"])
def test_a_listed_order_of_less_than_nothing_is_refused(names, field):
    with pytest.raises(codec.BadFrame, match=f"{field} must not be negative"):
        codec.open_orders(raw([listed(**{field: "-0.5"})]), names)


@pytest.mark.parametrize("field", ["quantity", "price", "triggerPrice"])
def test_a_listed_stop_of_less_than_nothing_is_refused(names, field):
    with pytest.raises(codec.BadFrame, match=f"{field} must not be negative"):
        codec.open_algo_orders(raw([algo(**{field: "-0.5"})]), names)


@pytest.mark.parametrize("time", [-1, T * 1000, 10**30])
def test_a_listed_orders_time_that_can_not_be_counts_as_left_out(names, time):
    (order,) = codec.open_orders(raw([listed(updateTime=time)]), names)
    (stop,) = codec.open_algo_orders(raw([algo(updateTime=time)]), names)

    assert order.venue_ts == stop.venue_ts == 0


def test_a_conditional_orders_cancel_is_answered_without_its_side(names):
    answer = raw({"algoId": 1, "clientAlgoId": NAME, "code": "200", "msg": "success"})
    command = frames.cancel(is_conditional=True)
    assert codec.algo_canceled(answer, command, names, T) is None  # nobody knows: query it

    codec.open_algo_orders(raw([algo()]), names)
    report = codec.algo_canceled(answer, command, names, T)
    assert report is not None
    assert (report.status, report.side) == (OrderStatus.CANCELED, Side.SELL)
    assert report.account == MAIN


@pytest.mark.parametrize(
    "told",
    [
        {"clientAlgoId": NAME, "code": "-2011", "msg": "Unknown order sent."},
        {"clientAlgoId": NAME, "code": "500", "msg": "busy"},
        {"clientAlgoId": "hf.1.9.1.S.x", "code": "200", "msg": "success"},
    ],
)
def test_a_conditional_orders_cancel_that_did_not_succeed_cancels_nothing(names, told):
    codec.open_algo_orders(raw([algo()]), names)
    with pytest.raises(codec.BadFrame, match="was to be canceled"):
        codec.algo_canceled(
            raw({"algoId": 2_146_760_123, **told}), frames.cancel(is_conditional=True), names, T
        )


def test_a_child_is_called_by_its_parents_name_whatever_its_own(names):
    codec.algo_queried(raw(algo(algoStatus="TRIGGERED", actualOrderId="8001")), names, asked_ts=1)
    row = raw(listed(orderId=8001, clientOrderId="x-other", type="STOP_MARKET", origType="STOP"))
    report = codec.queried(row, names, asked_ts=1)

    assert report.cl_ord_id == NAME
    assert not report.order_type.is_conditional  # it is canceled and asked after as any other


def test_an_execution_quantity_that_is_none_is_refused(names):
    with pytest.raises(codec.BadFrame, match="executed quantity"):
        codec.algo_placed(raw(algo(actualQty="many")), names)


def test_one_id_in_two_symbols_is_two_orders():
    """Nothing says that a venue counts its orders over all symbols."""
    names = codec.OrderNames()
    first = codec.acknowledged(raw(ack()), names)
    second = codec.acknowledged(raw(ack(symbol="ETHUSDT", clientOrderId="other")), names)

    assert (first.cl_ord_id, second.cl_ord_id) == (NAME, "other")


def test_a_profit_that_a_list_leaves_out_is_worked_out_and_not_taken_for_none(names):
    row = trade()
    del row["realizedPnl"]
    (report,) = codec.trades(codec.trade_rows(raw([row])), names)

    assert report.realized_pnl is None


def test_an_answer_over_the_socket_that_cannot_be_read_is_told_as_such(names):
    with pytest.raises(codec.BadFrame, match="nonsense"):
        codec.acknowledged(msgspec.Raw(b'{"nonsense":1}'), names)

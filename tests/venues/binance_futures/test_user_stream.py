from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.messages import ExecType, ExecutionReport, FundingPayment
from holdfast.model.values import OrderRole, OrderStatus, OrderType, Side, TimeInForce
from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.codec import (
    AssetModeSet,
    BooksMoved,
    LeverageSet,
    ListenKeyExpired,
    MarginCall,
    OrderNames,
    StreamReply,
    UserStream,
    WalletMoved,
)
from tests.engine.rig import Rig
from tests.venues.binance_futures import frames
from tests.venues.binance_futures.frames import (
    BTC,
    MS,
    NAME,
    T,
    account_event,
    algo_event,
    fill_event,
    order_event,
    position,
    raw,
)


@pytest.fixture
def names():
    return OrderNames()


@pytest.fixture
def stream(names):
    return UserStream(names)


def only(events):
    (event,) = events
    return event


@pytest.mark.parametrize("price", [None, "", "0"])
def test_a_fill_without_a_price_is_left_to_be_fetched(stream, price):
    report = only(stream.read(fill_event(L=price)))

    assert report.exec_type is ExecType.STATUS
    assert report.cum_qty == Decimal("0.03")  # more than is booked: what is missing is asked for


@pytest.mark.parametrize("field", ["q", "p", "l", "z", "L"])
def test_what_can_not_be_less_than_nothing_is_refused(stream, field):
    with pytest.raises(codec.BadFrame, match=f"{field} must not be negative"):
        stream.read(fill_event(**{field: "-0.03"}))
    if field in "qp":
        with pytest.raises(codec.BadFrame, match=f"{field} must not be negative"):
            stream.read(algo_event(**{field: "-0.03"}))


@pytest.mark.parametrize("leverage", [0, -5])
def test_a_leverage_of_nothing_is_refused(stream, leverage):
    """Written down, it would divide by zero at every order and after every restart."""
    told = {"e": "ACCOUNT_CONFIG_UPDATE", "E": T, "T": T, "ac": {"s": "BTCUSDT", "l": leverage}}

    with pytest.raises(codec.BadFrame, match="leverage must be 1 or more"):
        stream.read(raw(told))


HOUR_MS = 3_600_000
NO_TIMES = pytest.mark.parametrize("time", [-1, T * 1000, 10**30])


@NO_TIMES
def test_an_event_at_a_time_that_can_not_be_is_left_to_be_fetched(stream, time):
    """Booked, it would outlast every later one, and no checkpoint could hold it."""
    for event in (fill_event(), algo_event(), account_event("DEPOSIT", change="1")):
        told = re.sub(rb'"T": ?\d+', b'"T":%d' % time, event)
        with pytest.raises(codec.BadFrame, match="a time must be"):
            stream.read(told)


@NO_TIMES
def test_a_key_that_expires_at_a_time_that_can_not_be_has_expired(stream, time):
    told = {"e": "listenKeyExpired", "E": time, "listenKey": "k"}

    assert only(stream.read(raw(told))) == ListenKeyExpired(0, "k")


def test_what_matters_without_its_time_is_heard_where_the_time_is_left_out(stream):
    told = {"s": "BTCUSDT", "l": 25}

    assert only(stream.read(raw({"e": "listenKeyExpired"}))) == ListenKeyExpired(0, "")
    assert only(stream.read(raw({"e": "ACCOUNT_CONFIG_UPDATE", "ac": told}))) == LeverageSet(
        0, BTC, 25
    )
    assert only(stream.read(raw({"e": "MARGIN_CALL", "E": None, "p": []}))) == MarginCall(0, ())


# Orders


def test_a_new_order_is_reported_with_all_that_is_its_own(stream):
    report = only(stream.read(order_event()))

    assert report == ExecutionReport(
        symbol=BTC,
        cl_ord_id=NAME,
        exec_type=ExecType.NEW,
        status=OrderStatus.NEW,
        side=Side.BUY,
        venue_ts=T * MS,
        venue_order_id="7001",
        order_type=OrderType.LIMIT,
        qty=Decimal("0.03"),
        price=Decimal("61234.5"),
    )


def test_a_fill_carries_trade_id_fee_and_profit(stream):
    report = only(stream.read(fill_event(m=True)))

    assert report.exec_type is ExecType.TRADE
    assert report.status is OrderStatus.FILLED
    assert report.trade_id == "9001"
    assert (report.last_qty, report.last_px) == (Decimal("0.03"), Decimal("61234.5"))
    assert (report.fee, report.fee_asset) == (Decimal("0.367407"), "USDT")
    assert report.realized_pnl == Decimal("-1.25")
    assert report.is_maker


@pytest.mark.parametrize(
    ("x", "X", "kind", "status"),
    [
        ("AMENDMENT", "NEW", ExecType.REPLACED, OrderStatus.NEW),
        ("AMENDMENT", "PARTIALLY_FILLED", ExecType.REPLACED, OrderStatus.PARTIALLY_FILLED),
        ("CANCELED", "CANCELED", ExecType.CANCELED, OrderStatus.CANCELED),
        ("EXPIRED", "EXPIRED", ExecType.EXPIRED, OrderStatus.EXPIRED),
        ("EXPIRED", "EXPIRED_IN_MATCH", ExecType.EXPIRED, OrderStatus.EXPIRED),
        ("TRADE_PREVENTION", "EXPIRED_IN_MATCH", ExecType.STATUS, OrderStatus.EXPIRED),
        ("REJECTED", "REJECTED", ExecType.REJECTED, OrderStatus.REJECTED),
        ("NEVER_SEEN_BEFORE", "NEW", ExecType.STATUS, OrderStatus.NEW),
        ("EXPIRED", "EXPIRED_BY_BAND", ExecType.EXPIRED, OrderStatus.EXPIRED),
        ("CANCELED", "CANCELED_BY_ADMIN", ExecType.CANCELED, OrderStatus.CANCELED),
        ("REJECTED", "REFUSED", ExecType.REJECTED, OrderStatus.REJECTED),
    ],
)
def test_every_kind_of_order_event(stream, x, X, kind, status):  # noqa: N803
    report = only(stream.read(order_event(x=x, X=X, M="12")))

    assert (report.exec_type, report.status) == (kind, status)
    assert report.odd_status == ""


def test_a_status_that_nobody_knows_is_told_by_the_venues_word(stream):
    order = only(stream.read(order_event(x="SOMETHING", X="ON_HOLD" * 10)))
    stop = only(stream.read(algo_event(X="FAILED")))

    assert (order.status, order.odd_status) == (OrderStatus.NEW, "ON_HOLDON_HOLDON_HOLDON_HOLDON_H")
    assert (stop.status, stop.odd_status) == (OrderStatus.NEW, "FAILED")


@pytest.mark.parametrize(
    ("er", "words"), [("0", ""), ("2", "IOC"), ("9", "bounds"), ("42", "reason 42")]
)
def test_an_expiry_says_why(stream, er, words):
    report = only(stream.read(order_event(x="EXPIRED", X="EXPIRED", er=er)))

    assert words in report.reason
    assert bool(words) == bool(report.reason)


def test_a_liquidation_fill_counts_as_a_fill(stream):
    event = fill_event(x="CALCULATED", c="autoclose-1", f="IOC", n="0.5", i=7100)
    report = only(stream.read(event))

    assert report.exec_type is ExecType.TRADE
    assert report.cl_ord_id == "autoclose-1"
    assert report.time_in_force is TimeInForce.IOC


def test_an_execution_without_a_trade_id_is_a_status_to_be_followed_up(stream):
    """It can't be told from its repetition; its quantity has the real ones fetched."""
    report = only(stream.read(fill_event(x="CALCULATED", t=0)))

    assert report.exec_type is ExecType.STATUS
    assert report.cum_qty == Decimal("0.03")
    assert not report.trade_id


def test_older_frames_without_the_newer_letters_are_read(stream):
    old = msg_without(order_event(), "er", "gtd", "pm", "V", "rp", "n", "N", "R", "m")

    assert only(stream.read(old)).status is OrderStatus.NEW


def msg_without(frame, *letters):
    import json

    body = json.loads(frame)
    for letter in letters:
        del body["o"][letter]
    return raw(body)


def test_trade_lite_is_left_out_on_purpose(stream):
    lite = {"e": "TRADE_LITE", "E": T, "T": T, "s": "BTCUSDT", "q": "0.03", "p": "0.00"}
    lite |= {"m": False, "c": NAME, "S": "BUY", "L": "61234.50", "l": "0.03", "t": 9001, "i": 7001}

    assert stream.read(raw(lite)) == ()


def test_wrapped_and_bare_frames_say_the_same(stream):
    wrapped = b'{"stream":"key","data":' + fill_event() + b"}"

    assert stream.read(wrapped) == stream.read(fill_event())
    assert stream.read(fill_event().decode()) == stream.read(memoryview(fill_event()))


# Conditional orders


def test_the_life_of_a_conditional_order(stream, names):
    life = [
        algo_event(),
        algo_event(X="TRIGGERING", tt=T),
        algo_event(X="TRIGGERED", ai="8001", ap="0", aq="0", act="MARKET"),
        order_event(i=8001, c="other", o="MARKET", S="SELL", p="0", ot="STOP_MARKET"),
        fill_event(i=8001, c="other", o="MARKET", S="SELL", p="0"),
        algo_event(X="FINISHED", ai="8001", ap="61234.5", aq="0.03", act="MARKET"),
    ]
    reports = [only(stream.read(each)) for each in life]

    assert {report.cl_ord_id for report in reports} == {NAME}
    assert [report.status.value for report in reports] == [
        "NEW",
        "NEW",
        "TRIGGERED",
        "NEW",
        "FILLED",
        "FILLED",
    ]
    assert reports[0].trigger_price == Decimal("60000.05")
    assert names.child_of(NAME) == 8001


def test_a_refused_trigger_says_why(stream):
    report = only(stream.read(algo_event(X="REJECTED", rm="Margin is insufficient.")))

    assert report.status is OrderStatus.REJECTED
    assert report.reason == "Margin is insufficient."


@pytest.mark.parametrize("word", ["CANCELED", "EXPIRED"])
def test_a_conditional_order_ends_without_a_trigger(stream, word):
    report = only(stream.read(algo_event(X=word)))

    assert report.exec_type.value == report.status.value == word


def test_a_stops_whole_life_on_the_wire_closes_the_engines_position():
    """Frames in, facts out: the child's own client id is another, and the order is still ours."""
    rig = Rig()
    parent = rig.hold("1", stop_loss="95")
    (stop,) = rig.working(OrderRole.STOP_LOSS)
    stream, t = UserStream(OrderNames()), rig.now // MS
    shared = {"S": "SELL", "q": "1", "T": t}
    life = [
        algo_event(caid=stop.cl_ord_id, S="SELL", q="1", X="TRIGGERED", ai="8001", aq="0"),
        order_event(i=8001, c="child", o="MARKET", p="0", R=True, **shared),
        account_event(positions=[position(qty="0")]),
        fill_event(i=8001, c="child", o="MARKET", p="0", l="1", z="1", L="95", rp="-5", **shared),
        algo_event(caid=stop.cl_ord_id, S="SELL", q="1", X="FINISHED", ai="8001", aq="1.000"),
    ]
    for event in [*life, *life]:  # and everything once more
        for told in stream.read(event):
            if isinstance(told, ExecutionReport):
                rig.hear(told)

    assert rig.qty() == 0
    assert rig.order(stop.cl_ord_id).status is OrderStatus.FILLED
    assert "order_adopted" not in rig.alarms()
    assert not rig.state.open_orders_of(parent.key)


# The account


def test_a_fill_moves_wallet_and_position_and_changes_nothing_else(stream):
    moved = only(stream.read(account_event(positions=[position()])))

    assert moved == BooksMoved(
        venue_ts=T * MS,
        reason="ORDER",
        wallets={"USDT": Decimal("1001.5")},
        qtys={(BTC, "BOTH"): Decimal("0.03")},
        isolated={BTC: Decimal(0)},
    )


@pytest.mark.parametrize("reason", ["ORDER", "MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE"])
def test_what_is_isolated_is_told_and_no_money_moved(stream, reason):
    row = position() | {"mt": "isolated", "iw": "12.5"}
    moved = only(stream.read(account_event(reason, bc="-12.5", positions=[row])))

    assert moved.isolated == {BTC: Decimal("12.5")}


def test_hedge_mode_rows_are_told_apart(stream):
    rows = [position(qty=q, side=s) for q, s in (("0", "BOTH"), ("1", "LONG"), ("-2", "SHORT"))]
    moved = only(stream.read(account_event(positions=rows)))

    assert moved.qtys == {
        ("BTCUSDT", "BOTH"): 0,
        ("BTCUSDT", "LONG"): 1,
        ("BTCUSDT", "SHORT"): -2,
    }


@pytest.mark.parametrize(
    "more", [{"S": "BTCUSDT"}, {"positions": [position()]}], ids=["cross", "isolated"]
)
def test_funding_is_a_payment(stream, more):
    told = account_event("FUNDING_FEE", change="-0.01200000", **more)
    payment, moved = stream.read(told.replace(b"%d" % T, b"%d" % (T // HOUR_MS * HOUR_MS + 3_246)))

    assert isinstance(payment, FundingPayment)
    assert (payment.symbol, payment.amount, payment.asset) == ("BTCUSDT", Decimal("-0.012"), "USDT")
    assert moved.reason == "FUNDING_FEE"


def test_funding_at_any_other_time_is_left_to_the_income_list(stream):
    """Two of one hour may be equal, and the list alone can tell them apart."""
    told, _ = stream.read(account_event("FUNDING_FEE", change="-0.012", S="BTCUSDT"))

    assert told == WalletMoved("USDT", Decimal("-0.012"), "FUNDING_FEE", T * MS)


def test_funding_of_an_unnamed_symbol_is_left_to_the_income_list(stream):
    told, _ = stream.read(account_event("FUNDING_FEE", change="-0.012"))

    assert told == WalletMoved("USDT", Decimal("-0.012"), "FUNDING_FEE", T * MS)


@pytest.mark.parametrize("reason", ["DEPOSIT", "WITHDRAW", "INSURANCE_CLEAR", "SOMETHING_NEW"])
def test_other_money_is_the_occasion_to_read_the_income_list(stream, reason):
    told, _ = stream.read(account_event(reason, change="25"))

    assert told == WalletMoved("USDT", Decimal(25), reason, T * MS)


def test_settings_and_warnings_are_told(stream):
    config = {"e": "ACCOUNT_CONFIG_UPDATE", "E": T, "T": T}
    called = [{"s": "BTCUSDT", "ps": "BOTH", "pa": "1", "mt": "CROSSED", "mp": "1", "mm": "2"}]

    assert stream.read(raw(config | {"ac": {"s": "BTCUSDT", "l": 25}})) == [
        LeverageSet(T * MS, BTC, 25)
    ]
    assert stream.read(raw(config | {"ai": {"j": True}})) == [AssetModeSet(T * MS, True)]
    assert stream.read(raw({"e": "MARGIN_CALL", "E": T, "cw": "3.1", "p": called})) == (
        MarginCall(T * MS, (BTC,)),
    )
    assert stream.read(raw({"e": "listenKeyExpired", "E": T, "listenKey": "abc"})) == (
        ListenKeyExpired(T * MS, "abc"),
    )


# What is none of it


def test_answers_to_subscriptions_are_told_by_their_id(stream):
    assert stream.read(b'{"result":null,"id":"a-1"}') == (StreamReply("a-1"),)
    assert stream.read(b'{"result":["x@trade"],"id":3}') == (StreamReply(3, ("x@trade",)),)
    refused = only(stream.read(b'{"error":{"code":2,"msg":"Invalid request"},"id":4}'))
    assert refused == StreamReply(4, error="2: Invalid request")
    (bare,) = stream.read(b'{"code":2,"msg":"Invalid request"}')
    assert bare.error


@pytest.mark.parametrize("kind", ["STRATEGY_UPDATE", "GRID_UPDATE", "SOMETHING_NEW"])
def test_events_of_no_concern_are_nothing(stream, kind):
    assert stream.read(raw({"e": kind, "E": T, "su": {"s": "BTCUSDT"}})) == ()
    assert stream.read(raw({"stream": "k", "data": {"e": kind, "E": T}})) == ()


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe{}",
        order_event(i="seven"),
        order_event(q="NaN"),
        order_event(z="Infinity"),
        order_event(p="1E+30"),
        fill_event(L="-Infinity"),
        fill_event(n="NaN"),
        order_event(S="HOLD"),
        algo_event(aq="many"),
        account_event("FUNDING_FEE", change="NaN", S="BTCUSDT"),
        order_event()[:-20],
        b'{"stream":"k","data":' + order_event(i=None) + b"}",
    ],
)
def test_a_frame_that_cannot_be_meant_is_refused_by_name(stream, frame):
    with pytest.raises(codec.BadFrame):
        stream.read(frame)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_noise_is_refused_and_never_believed(noise):
    stream = UserStream(OrderNames())
    try:
        events = stream.read(noise)
    except codec.BadFrame:
        return
    assert not [each for each in events if not isinstance(each, StreamReply)]


@given(st.data())
def test_a_frame_cut_short_or_altered_never_raises_anything_else(data):
    frame = bytearray(data.draw(st.sampled_from([fill_event(), algo_event(), account_event()])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(frame) - 1))
        frame[place] = data.draw(st.integers(32, 126))
    frame = frame[: data.draw(st.integers(1, len(frame)))]
    try:
        UserStream(OrderNames()).read(bytes(frame))
    except codec.BadFrame:
        pass
    else:
        assert frames.NAME  # read, as what it says


_TEXTS = st.sampled_from(["0.03", "0.030", "0.0300000", "3E-2", "0.03e0"])


@given(_TEXTS, _TEXTS, _TEXTS)
def test_the_text_of_a_number_carries_no_meaning(q, last, z):
    report = only(UserStream(OrderNames()).read(fill_event(q=q, l=last, z=z)))

    assert report == only(UserStream(OrderNames()).read(fill_event()))


def test_a_profit_that_the_venue_leaves_out_is_worked_out_and_not_taken_for_none(stream):
    event = msgspec.json.decode(fill_event())
    del event["o"]["rp"]

    assert only(stream.read(raw(event))).realized_pnl is None

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.bars import BarBuilder
from holdfast.model.market import Bar, BookDelta, BookSnapshot, MarkPrice, Quote, Trade
from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.codec import StreamReply, read_market
from tests.venues.binance_futures.frames import BTC, MS, T, raw


def trade(**fields):
    plain = {"e": "trade", "E": T + 1, "T": T, "s": "BTCUSDT", "t": 77, "p": "61234.50"}
    return plain | {"q": "0.038", "X": "MARKET", "m": True, "st": 1} | fields


def mark(**fields):
    plain = {"e": "markPriceUpdate", "E": T, "s": "BTCUSDT", "p": "61230.1", "ap": "61231"}
    more = {"i": "61229.9", "P": "61200", "r": "0.00010000", "T": T + 5, "st": 1}
    return plain | more | fields


def kline(**fields):
    bar = {"t": T - T % 60_000, "T": T - T % 60_000 + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1}
    bar |= {"L": 9, "o": "10", "c": "11", "h": "12", "l": "9", "v": "3.5", "n": 9, "x": True}
    bar |= {"q": "1", "V": "1", "Q": "1", "B": "0"} | fields
    return {"e": "kline", "E": T, "s": "BTCUSDT", "k": bar}


def depth(**fields):
    plain = {"e": "depthUpdate", "E": T + 1, "T": T, "s": "BTCUSDT", "ps": "BTCUSDT", "U": 20}
    more = {"u": 30, "pu": 9, "b": [["61000.10", "0.000"]], "a": [["61001", "2.5"]], "st": 1}
    return plain | more | fields


def read(body):
    return list(read_market(raw(body)))


def test_a_trade_is_read():
    assert read(trade()) == [
        Trade(symbol=BTC, ts=T * MS, price=61234.5, qty=0.038, trade_id=77, is_buyer_maker=True)
    ]


@pytest.mark.parametrize("kind", ["trade", "aggTrade"])
def test_a_trade_of_no_quantity_is_none(kind):
    assert read(trade(e=kind, a=5, q="0.000")) == []


def test_an_aggregated_trade_is_read_under_its_own_number():
    agg = {"e": "aggTrade", "E": T, "s": "BTCUSDT", "a": 5, "p": "1.5", "q": "2", "nq": "2"}
    (told,) = read(agg | {"f": 1, "l": 2, "T": T, "m": False, "st": 1})

    assert (told.trade_id, told.price, told.qty) == (5, 1.5, 2.0)


def test_the_best_bid_and_ask_are_read():
    ticker = {"e": "bookTicker", "u": 9, "s": "BTCUSDT", "ps": "BTCUSDT", "b": "10", "B": "1"}

    assert read(ticker | {"a": "11", "A": "0.000", "T": T, "E": T, "st": 1}) == [
        Quote(symbol=BTC, ts=T * MS, bid=10.0, bid_qty=1.0, ask=11.0, ask_qty=0.0)
    ]


def test_changed_levels_are_read_with_their_chain():
    assert read(depth()) == [
        BookDelta(
            symbol=BTC,
            ts=T * MS,
            first_id=20,
            final_id=30,
            previous_id=9,
            bids=((61000.1, 0.0),),
            asks=((61001.0, 2.5),),
        )
    ]


def test_the_mark_price_is_read_with_its_funding():
    assert read(mark()) == [
        MarkPrice(
            symbol=BTC,
            ts=T * MS,
            mark_price=61230.1,
            index_price=61229.9,
            funding_rate=0.0001,
            next_funding_ts=(T + 5) * MS,
        )
    ]


def test_a_contract_without_funding_has_none():
    (told,) = read(mark(r="", T=0, i=""))

    assert (told.funding_rate, told.next_funding_ts, told.index_price) == (None, None, None)


@pytest.mark.parametrize("index", ["0.00000000", 0, "", None])
def test_a_contract_without_an_index_has_its_mark_price_all_the_same(index):
    (told,) = read(mark(i=index))

    assert (told.mark_price, told.index_price) == (61230.1, None)


def test_a_closed_bar_ends_where_the_next_begins_and_an_open_one_is_nothing():
    (bar,) = read(kline())

    assert (bar.ts - bar.open_ts, bar.timeframe) == (60_000 * MS, "1m")
    assert (bar.open, bar.high, bar.low, bar.close) == (10.0, 12.0, 9.0, 11.0)
    assert read(kline(x=False)) == []
    assert list(BarBuilder(BTC, ["1m"]).on_bar(bar)) == [bar]


def test_intervals_that_we_call_otherwise_or_cannot_name():
    assert read(kline(i="1w"))[0].timeframe == "7d"
    assert read(kline(i="1M")) == []


def test_lists_are_read_one_by_one_without_coin_margined_rows():
    rows = [mark(), mark(s="BTCUSD_PERP", st=2), mark(s="ETHUSDT")]

    assert [each.symbol for each in read(rows)] == ["BTCUSDT", "ETHUSDT"]
    assert [each.symbol for each in read({"stream": "!markPrice@arr", "data": rows})] == [
        "BTCUSDT",
        "ETHUSDT",
    ]
    assert read(trade(st=2)) == []


def test_trades_outside_of_the_book_are_left_out():
    assert read(trade(X="INSURANCE_FUND")) == read(trade(X="ADL")) == []


def test_wrapped_and_bare_say_the_same():
    assert read({"stream": "btcusdt@trade", "data": trade()}) == read(trade())
    assert read_market(raw(trade()).decode()) == read_market(memoryview(raw(trade())))


@pytest.mark.parametrize("kind", ["forceOrder", "24hrMiniTicker", "compositeIndex", "NEW_KIND"])
def test_events_of_no_concern_are_nothing(kind):
    assert read({"e": kind, "E": T, "o": {"s": "BTCUSDT"}, "p": "x"}) == []
    assert read({"stream": "x", "data": {"e": kind}}) == []
    assert read([{"e": kind}]) == []


def test_answers_to_subscriptions_are_told():
    assert read({"result": None, "id": 7}) == [StreamReply(7)]


@pytest.mark.parametrize(
    "frame",
    [
        trade(p="nan"),
        trade(p="inf"),
        trade(p="0"),
        trade(p="-1"),
        trade(q="-1"),
        trade(p="x"),
        trade(t=None),
        mark(r="x"),
        mark(i="nan"),
        kline(h="nan"),
        depth(b=[["nan", "1"]]),
        depth(a=[["1", "-1"]]),
        depth(a=[["1"]]),
    ],
)
def test_prices_that_are_none_are_refused(frame):
    with pytest.raises(codec.BadFrame):
        read(frame)


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_believed(noise):
    try:
        told = read_market(noise)
    except codec.BadFrame:
        return
    assert all(isinstance(each, StreamReply) for each in told)


# Over REST


def test_the_depth_snapshot_is_read():
    body = {"lastUpdateId": 55, "E": T, "T": T, "bids": [["10.0", "1"]], "asks": [["11", "2"]]}

    assert codec.book_snapshot(raw(body), BTC) == BookSnapshot(
        symbol=BTC, ts=T * MS, bids=((10.0, 1.0),), asks=((11.0, 2.0),), last_update_id=55
    )


def test_past_bars_are_read_without_the_one_that_is_not_over():
    def bar(open_ms):
        amounts = ["10", "12", "9", "11", "3.5"]
        return [open_ms, *amounts, open_ms + 59_999, "1", 9, "1", "1", "0"]

    listed = raw([bar(0), bar(60_000), bar(120_000)])
    bars = codec.bars(listed, BTC, "1m", before_ts=179_000 * MS)

    assert [each.open_ts for each in bars] == [0, 60_000 * MS]
    assert bars[0] == Bar(
        symbol=BTC,
        timeframe="1m",
        open_ts=0,
        ts=60_000 * MS,
        open=10.0,
        high=12.0,
        low=9.0,
        close=11.0,
        volume=3.5,
        trade_count=9,
    )
    with pytest.raises(codec.BadFrame, match="at least 9 fields"):
        codec.bars(raw([[1, "2"]]), BTC, "1m", before_ts=T)


def test_the_mark_price_over_rest_is_read():
    body = {"symbol": "BTCUSDT", "markPrice": "10.5", "indexPrice": "10.4", "time": T}
    told = codec.mark_price(raw(body | {"lastFundingRate": "-0.0001", "nextFundingTime": T + 1}))

    assert (told.mark_price, told.index_price, told.funding_rate) == (10.5, 10.4, -0.0001)


def test_wrapping_is_known_however_it_is_written():
    trade = {
        "e": "aggTrade",
        "E": 5,
        "s": "BTCUSDT",
        "a": 7,
        "p": "1.5",
        "q": "2",
        "T": 5,
        "m": True,
    }
    shapes = [
        json.dumps({"stream": "btcusdt@aggTrade", "data": trade}),
        json.dumps({"data": trade, "stream": "btcusdt@aggTrade"}),
        "\n" + json.dumps({"stream": "btcusdt@aggTrade", "data": trade}, indent=2),
    ]

    told = [each for shape in shapes for each in read_market(shape)]
    assert len(told) == len(shapes)
    assert {type(each) for each in told} == {Trade}

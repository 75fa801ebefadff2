"""Captures of an exchange's streams, made up line by line."""

from __future__ import annotations

import gzip
import itertools
import json
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest

from holdfast.feeds import RecordingFeed, read_recording
from holdfast.model.bars import BarBuilder
from holdfast.model.errors import ConfigError, FeedError
from holdfast.model.market import Bar, BookDelta, BookSnapshot, MarkPrice, Quote, Trade
from holdfast.model.values import Symbol

BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")

T = 1_723_075_200_000
MS = 1_000_000


def ticker(at=0, symbol=BTC, bid="60000.1", ask="60000.2", **more):
    return {"e": "bookTicker", "u": 1, "s": symbol, "b": bid, "B": "1.5", "a": ask, "A": "2.000",
            "T": T + at, "E": T + at + 1, **more}  # fmt: skip


def tape(at=0, symbol=BTC, **more):
    return {"e": "trade", "E": T + at + 1, "T": T + at, "s": symbol, "t": 7, "p": "60000.1",
            "q": "0.002", "X": "MARKET", "m": True, **more}  # fmt: skip


def depth(at=0, **more):
    return {"e": "depthUpdate", "E": T + at + 1, "T": T + at, "s": "BTCUSDT", "U": 11, "u": 15,
            "pu": 10, "b": [["60000.1", "0.000"]], "a": [], **more}  # fmt: skip


SNAPSHOT = {"lastUpdateId": 12, "E": T + 1, "T": T, "bids": [["60000.1", "1"]], "asks": []}
KLINE: dict[str, Any] = {"e": "kline", "E": T + 60001, "s": "BTCUSDT", "k": {"t": T, "T": T + 59999, "s": "BTCUSDT",
         "i": "1m", "f": 1, "L": 9, "o": "1.0", "c": "1.5", "h": "2", "l": "1", "v": "10", "n": 9,
         "x": True, "q": "1", "V": "1", "Q": "1", "B": "0"}}  # fmt: skip


def wrapped(event, stream=None):
    return {"stream": stream or f"{event['s'].lower()}@{event['e']}", "data": event}


def put(tmp_path, *messages, name="btcusdt_1.gz"):
    lines = [
        m if isinstance(m, str) else f"{T * MS + i} {json.dumps(m, separators=(',', ':'))}"
        for i, m in enumerate(messages)
    ]
    path = tmp_path / name
    path.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode()))
    return path


def read(path, *symbols):
    return list(read_recording(path, symbols))


def test_each_kind_of_message_becomes_its_market_data(tmp_path):
    mark = {"e": "markPriceUpdate", "E": T + 61000, "s": "BTCUSDT", "p": "60000.5", "P": "1",
            "i": "60001.5", "r": "0.0001", "T": T + 3_600_000}  # fmt: skip
    agg = {"e": "aggTrade", "E": T + 62000, "a": 5, "s": "ETHUSDT", "p": "60000.3", "q": "1",
           "f": 1, "l": 2, "T": T + 62000, "m": False}  # fmt: skip
    events = [wrapped(e) for e in (ticker(0), tape(1), depth(2), KLINE, mark, agg)]

    messages = read(put(tmp_path, SNAPSHOT, *events))

    assert messages == [
        BookSnapshot(symbol=BTC, ts=T * MS, bids=((60000.1, 1.0),), asks=(), last_update_id=12),
        Quote(symbol=BTC, ts=T * MS, bid=60000.1, bid_qty=1.5, ask=60000.2, ask_qty=2.0),
        Trade(
            symbol=BTC,
            ts=(T + 1) * MS,
            price=60000.1,
            qty=0.002,
            trade_id=7,
            is_buyer_maker=True,
        ),
        BookDelta(
            symbol=BTC,
            ts=(T + 2) * MS,
            first_id=11,
            final_id=15,
            previous_id=10,
            bids=((60000.1, 0.0),),
            asks=(),
        ),
        Bar(
            symbol=BTC,
            timeframe="1m",
            open_ts=T * MS,
            ts=(T + 60000) * MS,
            open=1.0,
            high=2.0,
            low=1.0,
            close=1.5,
            volume=10.0,
            trade_count=9,
        ),
        MarkPrice(
            symbol=BTC,
            ts=(T + 61000) * MS,
            mark_price=60000.5,
            index_price=60001.5,
            funding_rate=0.0001,
            next_funding_ts=(T + 3_600_000) * MS,
        ),
        Trade(symbol=ETH, ts=(T + 62000) * MS, price=60000.3, qty=1.0, trade_id=5),
    ]


def test_bare_messages_read_as_wrapped_ones(tmp_path):
    events = (ticker(0), tape(1), depth(2))
    bare = read(put(tmp_path, *events, name="a_btcusdt.gz"))

    assert bare == read(put(tmp_path, *map(wrapped, events), name="b_btcusdt.gz"))


def test_the_exchanges_time_counts_and_never_goes_back(tmp_path):
    path = put(tmp_path, wrapped(ticker(50)), wrapped(tape(4)), wrapped(ticker(60)))

    assert [m.ts for m in read(path)] == [(T + 50) * MS, (T + 50) * MS, (T + 60) * MS]


def test_a_spot_quote_without_a_time_has_that_of_its_receipt(tmp_path):
    event = ticker()
    del event["e"], event["T"], event["E"]
    event = {"e": "bookTicker", **event}

    assert read(put(tmp_path, wrapped(event)))[0].ts == T * MS


def test_a_spot_delta_follows_by_its_first_id(tmp_path):
    event = depth()
    del event["pu"], event["T"]

    assert read(put(tmp_path, wrapped(event)))[0].previous_id == 10


def test_what_no_feed_shows_is_counted_and_skipped(tmp_path):
    feed = RecordingFeed(
        put(
            tmp_path,
            {"result": None, "id": 1},
            wrapped(ticker()),
            wrapped({"e": "forceOrder", "E": T, "s": "BTCUSDT", "o": {}}, "btcusdt@forceOrder"),
            wrapped(depth(), "btcusdt@depth20@100ms"),
            wrapped(tape(X="INSURANCE_FUND", p="0", q="0")),
            wrapped({**KLINE, "k": {**KLINE["k"], "x": False}}),
            {"stream": "!markPrice@arr", "data": []},
        )
    )

    assert sum(map(len, feed.read())) == 1
    assert feed.skips == {
        "a message of no stream": 1,
        "btcusdt@forceOrder": 1,
        "btcusdt@depth20@100ms": 1,
        "trade without market data": 1,
        "kline without market data": 1,
        "!markPrice@arr": 1,
    }


def minute(number, sent=60_003, *, is_closed=True):
    start = T + number * 60_000
    body = {**KLINE["k"], "t": start, "T": start + 59_999, "x": is_closed}
    return wrapped({**KLINE, "E": start + sent, "k": body})


def test_a_bar_in_the_making_moves_no_time(tmp_path):
    path = put(tmp_path, wrapped(ticker(0)), minute(0, 250, is_closed=False), wrapped(ticker(300)))

    assert [m.ts for m in read(path)] == [T * MS, (T + 300) * MS]


def test_a_bar_may_be_told_of_long_after_its_end(tmp_path):
    path = put(tmp_path, wrapped(ticker(62_000)), minute(0, 62_100), wrapped(ticker(62_200)))

    assert [m.ts - T * MS for m in read(path)] == [62_000 * MS, 62_000 * MS, 62_200 * MS]


def test_every_bar_between_quotes_counts(tmp_path):
    events = [
        event
        for n in range(5)
        for event in (
            wrapped(ticker(n * 60_000 + 1)),
            wrapped(ticker(n * 60_000 + 60_002)),
            minute(n),
        )
    ]
    builder = BarBuilder(BTC, ["1m", "5m"])
    bars = [
        bar
        for message in read(put(tmp_path, *events[1:]))
        if isinstance(message, Bar)
        for bar in builder.on_bar(message)
    ]

    assert [(bar.timeframe, bar.volume) for bar in bars] == [("1m", 10)] * 5 + [("5m", 50)]
    assert builder.late_count == 0


def test_trades_that_come_in_two_streams_count_once(tmp_path):
    agg = {"e": "aggTrade", "E": T + 5, "a": 5, "s": "BTCUSDT", "p": "60000.1", "q": "0.002",
           "f": 7, "l": 7, "T": T + 4, "m": True}  # fmt: skip
    feed = RecordingFeed(
        put(tmp_path, wrapped(tape(4)), wrapped(agg), wrapped({**agg, "s": "ETHUSDT"}))
    )

    trades = [each for chunk in feed.read() for each in chunk if isinstance(each, Trade)]
    assert [(trade.symbol, trade.trade_id) for trade in trades] == [("BTCUSDT", 7), ("ETHUSDT", 5)]
    assert feed.skips == {"aggTrade beside another tape": 1}


def test_only_the_symbols_asked_for_are_shown(tmp_path):
    path = put(tmp_path, wrapped(ticker()), wrapped(ticker(symbol=ETH)), wrapped(tape()))

    assert {m.symbol for m in read(path)} == {"BTCUSDT", "ETHUSDT"}
    assert {m.symbol for m in read(path, "ETHUSDT")} == {"ETHUSDT"}


def both(at, *, first=BTC):
    second = ETH if first == BTC else BTC
    return [wrapped(tape(at, symbol=first)), wrapped(tape(at + 1, symbol=second))]


def test_days_of_a_capture_are_one_whichever_symbol_is_heard_first(tmp_path):
    """History is made of all of them, and days that overlap are refused."""
    minute = 60_000
    days = [
        put(tmp_path, *both(0), *both(minute), name="all_1.gz"),
        put(tmp_path, *both(2 * minute, first=ETH), *both(3 * minute), name="all_2.gz"),
        put(tmp_path, *both(4 * minute)[:1], *both(5 * minute)[:1], name="all_3.gz"),
    ]
    now = (T + 5 * minute) * MS
    feed = RecordingFeed(days, start_ts=now)

    bars = feed.history(BTC, "1m", now, 10)

    assert [(bar.open_ts // MS - T) // minute for bar in bars] == [0, 1, 2, 3, 4]
    # The first trade of the other shows nothing of what was before it in its minute.
    assert len(feed.history(ETH, "1m", now, 10)) == 3
    with pytest.raises(FeedError, match="overlaps in time"):
        read([days[0], put(tmp_path, *both(1, first=ETH), name="all_4.gz")])


def test_a_symbol_that_comes_late_in_a_capture_is_found(tmp_path):
    lines = [wrapped(ticker(i)) for i in range(5000)]
    path = put(tmp_path, *lines, wrapped(ticker(9000, symbol=ETH)))

    assert len(read(path, "ETHUSDT")) == 1


def test_a_symbol_that_a_capture_does_not_have_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no file has XRPUSDT; they have BTCUSDT"):
        read(put(tmp_path, wrapped(ticker())), "XRPUSDT")


def test_a_snapshot_in_a_capture_of_several_symbols_is_of_the_one_in_the_name(tmp_path):
    messages = (SNAPSHOT, wrapped(ticker()), wrapped(ticker(symbol=ETH)))

    assert read(put(tmp_path, *messages, name="ethusdt_1.gz"))[0].symbol == "ETHUSDT"
    with pytest.raises(FeedError, match="does not name its symbol"):
        read(put(tmp_path, *messages, name="all.gz"))


def test_tick_and_lot_are_guessed_by_the_decimals_written(tmp_path):
    (contract,) = RecordingFeed(put(tmp_path, wrapped(ticker()), wrapped(tape()))).instruments()

    assert (contract.tick, contract.lot) == (Decimal("0.1"), Decimal("0.001"))


WHOLE = json.dumps(wrapped(ticker(9)), separators=(",", ":"))
BROKEN = {
    "torn": (f"{T * MS} {WHOLE[:90]}", "truncated"),
    "no_json": (f"{T * MS} hello", "malformed"),
    "no_receive_time": (WHOLE, "expected `<receive time in ns> <json>`"),
    "price_nan": (f"{T * MS} {WHOLE.replace('60000.1', 'NaN')}", "float"),
    "price_infinite": (f"{T * MS} {WHOLE.replace('60000.1', 'inf')}", "float"),
    "price_zero": (f"{T * MS} {WHOLE.replace('60000.1', '0.0')}", "> 0.0"),
    "price_negative": (f"{T * MS} {WHOLE.replace('60000.1', '-1')}", "> 0.0"),
    "price_word": (f"{T * MS} {WHOLE.replace('60000.1', 'abc')}", "Expected `float`"),
    "quote_crossed": (f"{T * MS} {WHOLE.replace('60000.1', '60000.2')}", "not below the ask"),
    "quantity_missing": (
        f"{T * MS} {WHOLE.replace('B', 'Z').replace('ZTC', 'BTC')}",
        "required field `B`",
    ),
    "much_too_old": (f"{T * MS} {WHOLE.replace(str(T + 9), str(T - 5000))}", "sort the capture"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_named_and_explained(tmp_path, name):
    line, problem = BROKEN[name]
    path = put(tmp_path, wrapped(ticker()), wrapped(tape()), line)

    with pytest.raises(FeedError) as raised:
        read(path)
    assert f"{path}:3: " in str(raised.value)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    "level", ['["60000.1","nan"]', '["0","1"]', '["1","-1"]', '["inf","1"]', '["1"]']
)
def test_a_broken_level_of_a_book_is_refused(tmp_path, level):
    line = json.dumps(wrapped(depth())).replace('["60000.1", "0.000"]', level)

    with pytest.raises(FeedError):
        read(put(tmp_path, wrapped(ticker()), f"{T * MS} {line}"))


def test_a_bar_that_does_not_last_its_time_frame_is_refused(tmp_path):
    event = {**KLINE, "k": {**KLINE["k"], "i": "5m"}}

    with pytest.raises(FeedError, match="a bar of 5m"):
        read(put(tmp_path, wrapped(event)))


def test_a_capture_of_nothing_that_is_shown_is_refused(tmp_path):
    with pytest.raises(FeedError, match="no market data in the first 1 lines"):
        read(put(tmp_path, {"result": None, "id": 1}))


def test_a_settlement_on_the_tape_makes_no_bar_incomplete(tmp_path):
    trades = [wrapped(tape(i * 1000, t=i + 1)) for i in range(190) if i != 150]  # one is missing
    trades[70] = wrapped(tape(70_000, t=71, X="INSURANCE_FUND", p="0", q="0"))
    feed = RecordingFeed(put(tmp_path, *trades))

    bars = feed.history(BTC, "30s", (T + 180_000) * MS, 10)

    assert [(bar.open_ts - T * MS) // (1000 * MS) for bar in bars] == [0, 30, 60, 90]


@pytest.mark.parametrize(("kind", "number"), [("trade", "t"), ("aggTrade", "a")])
def test_a_trade_of_no_quantity_is_skipped_and_makes_no_bar_incomplete(tmp_path, kind, number):
    def event(i):
        return tape(i * 1000, e=kind, q="0.000" if i == 70 else "1", **{number: i + 1})

    feed = RecordingFeed(put(tmp_path, *(wrapped(event(i)) for i in range(190) if i != 150)))

    assert sum(map(len, feed.read())) == 188
    assert feed.skips == {f"{kind} without market data": 1}
    bars = feed.history(BTC, "30s", (T + 180_000) * MS, 10)
    assert [(bar.open_ts - T * MS) // (1000 * MS) for bar in bars] == [0, 30, 60, 90]


def test_a_capture_goes_on_in_the_next_file_though_streams_overtake_each_other(tmp_path):
    put(tmp_path, wrapped(tape(0, t=1)), wrapped(ticker(1000)), name="btcusdt_1.gz")
    put(tmp_path, wrapped(tape(995, t=2)), wrapped(ticker(1010)), name="btcusdt_2.gz")

    shown = list(chain.from_iterable(RecordingFeed(tmp_path).read()))

    assert [(type(m), m.ts // MS - T) for m in shown] == [
        (Trade, 0),
        (Quote, 1000),
        (Trade, 1000),
        (Quote, 1010),
    ]


def test_captures_of_the_same_time_are_refused(tmp_path):
    put(tmp_path, wrapped(tape(0, t=1)), wrapped(ticker(5000)), name="btcusdt_1.gz")
    put(tmp_path, wrapped(tape(3999, t=2)), wrapped(ticker(6000)), name="btcusdt_2.gz")

    with pytest.raises(FeedError, match="overlaps in time"):
        list(RecordingFeed(tmp_path).read())


def changes(*numbers, price="60000.0"):
    """Make changes a second apart that follow each other, the first of them SNAPSHOT's."""
    return [
        depth(1000 * n, U=10 + n, u=11 + n, pu=10 + n, b=[[price, str(n)]], a=[["60001", "1"]])
        for n in numbers
    ]


def test_a_recording_begins_with_the_books_that_stood_then(tmp_path):
    """Without them a strategy is shown none, and takers take from quotes or the last price."""
    events = [wrapped(each) for each in changes(1, 2, 3, 4, 5)]
    path = put(tmp_path, events[0], SNAPSHOT, *events[1:])
    start = (T + 3500) * MS

    first, *others = itertools.chain.from_iterable(RecordingFeed(path, start_ts=start).read())

    assert first == BookSnapshot(
        symbol=BTC,
        ts=start,
        bids=((60000.1, 1.0), (60000.0, 3.0)),
        asks=((60001.0, 1.0),),
        last_update_id=14,
    )
    assert others == read(path)[-2:]


def test_a_recording_that_goes_on_behind_a_time_does_so_too(tmp_path):
    path = put(tmp_path, SNAPSHOT, *map(wrapped, changes(2, 3)))

    first, *_ = itertools.chain.from_iterable(RecordingFeed(path).read((T + 2000) * MS))

    assert isinstance(first, BookSnapshot)
    assert (first.last_update_id, first.ts) == (13, (T + 2000) * MS + 1)


def test_books_with_a_gap_do_not_stand(tmp_path):
    path = put(tmp_path, SNAPSHOT, *map(wrapped, changes(2, 4, 5)))

    shown = itertools.chain.from_iterable(RecordingFeed(path, start_ts=(T + 4500) * MS).read())

    assert [type(each) for each in shown] == [BookDelta]


def test_books_alone_are_no_market_data(tmp_path):
    """What stands at its beginning makes a time without messages no other."""
    path = put(tmp_path, SNAPSHOT, *map(wrapped, changes(2, 9)))
    feed = RecordingFeed(path, start_ts=(T + 3000) * MS, end_ts=(T + 4000) * MS)

    with pytest.raises(FeedError, match="no market data from"):
        list(feed.read())


@pytest.mark.parametrize("kind", ["trade", "aggTrade"])
def test_what_a_second_connection_tells_again_is_left_out(tmp_path, kind):
    """While a connection is replaced by another, both tell the same, one later than the other."""

    def each(number, at):
        event = tape(at, t=number, a=number, e=kind)
        return wrapped({**event, "X": "MARKET"})

    old, new = [1, 2, 3, 4, 5], [3, 4, 5, 6]
    order = sorted([(n * 10, n) for n in old] + [(n * 10 + 15, n) for n in new])
    feed = RecordingFeed(put(tmp_path, *(each(number, number * 10) for _, number in order)))

    shown = itertools.chain.from_iterable(feed.read())

    assert [trade.trade_id for trade in shown if isinstance(trade, Trade)] == [1, 2, 3, 4, 5, 6]
    assert feed.skips == {f"{kind} told before": 3}


def test_what_the_next_file_tells_again_is_left_out_too(tmp_path):
    """A recorder that begins a new file may write the last second's trades into both."""
    first = [wrapped(tape(at, t=at)) for at in range(0, 5000, 100)]
    second = [wrapped(tape(at, t=at)) for at in range(4300, 6000, 100)]
    files = [
        put(tmp_path, *first, name="btcusdt_1.gz"),
        put(tmp_path, *second, name="btcusdt_2.gz"),
    ]

    shown = itertools.chain.from_iterable(RecordingFeed(files).read())

    assert [each.trade_id for each in shown if isinstance(each, Trade)] == [*range(0, 6000, 100)]


def test_files_are_read_as_if_they_were_one(tmp_path):
    """A trade that is not shown leaves no gap in the numbers, in its file or behind it."""
    fund = {"X": "INSURANCE_FUND", "p": "0", "q": "0"}
    trades = [
        wrapped(tape(at * 1000, t=at, **(fund if at in {20, 70} else {}))) for at in range(1, 190)
    ]
    cuts = [trades[:60], trades[60:125], trades[125:]]
    files = [put(tmp_path, *part, name=f"btcusdt_{n}.gz") for n, part in enumerate(cuts)]
    one = put(tmp_path, *trades, name="all_btcusdt.gz")

    assert list(itertools.chain.from_iterable(RecordingFeed(files).read())) == read(one)

    now = (T + 180_000) * MS
    bars = RecordingFeed(files, start_ts=now).history(BTC, "1m", now, 10)
    assert [(bar.open_ts // MS - T) // 60_000 for bar in bars] == [1, 2]


def test_a_count_that_begins_anew_is_believed(tmp_path):
    """A test network that was set up anew counts from one, hours later."""
    path = put(tmp_path, wrapped(tape(0, t=900)), wrapped(tape(3_600_000, t=1)))

    assert [trade.ts for trade in read(path)] == [T * MS, (T + 3_600_000) * MS]


def test_a_quote_that_is_older_than_the_one_shown_is_left_out(tmp_path):
    """It would be shown as the newest, of a second connection that is behind."""
    quotes = [
        wrapped(ticker(at, bid=bid)) for at, bid in ((0, "9"), (5, "11"), (3, "10"), (5, "12"))
    ]

    shown = read(put(tmp_path, *quotes))

    assert [quote.bid for quote in shown if isinstance(quote, Quote)] == [9.0, 11.0, 12.0]

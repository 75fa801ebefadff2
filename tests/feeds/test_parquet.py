"""Parquet tables read as the CSV tables of the same columns."""

from __future__ import annotations

import sys
from decimal import Decimal

import pytest

from holdfast.feeds import RecordingFeed, read_recording
from holdfast.model.errors import ConfigError, FeedError
from holdfast.model.market import Bar, Trade
from holdfast.model.values import Symbol

BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

T = 1_723_075_200_000
MS = 1_000_000
TRADES = {
    "id": [1, 2],
    "price": [60000.1, 60000.2],
    "qty": [0.002, 0.5],
    "quote_qty": [0.0, 0.0],
    "time": [T, T + 5],
    "is_buyer_maker": [True, False],
}


def put(tmp_path, columns, name="BTCUSDT-trades.parquet"):
    path = tmp_path / name
    pq.write_table(pa.table(columns), path)
    return path


def test_trades_are_read(tmp_path):
    path = put(tmp_path, TRADES)

    assert list(read_recording(path)) == [
        Trade(
            symbol=BTC,
            ts=T * MS,
            price=60000.1,
            qty=0.002,
            trade_id=1,
            is_buyer_maker=True,
        ),
        Trade(symbol=BTC, ts=(T + 5) * MS, price=60000.2, qty=0.5, trade_id=2),
    ]


def test_klines_in_any_order_of_columns_and_any_number_type_are_read(tmp_path):
    columns = {
        "volume": pa.array([Decimal("1.5"), Decimal("2.5")]),
        "close": ["1.5", "1.6"],
        "low": [1.0, 1.5],
        "high": pa.array([2.0, 2.0], pa.float32()),
        "open": [1, 2],
        "open_time": pa.array([T * MS, (T + 300_000) * MS], pa.timestamp("ns", "UTC")),
    }
    feed = RecordingFeed(put(tmp_path, columns, "ETHUSDT.parquet"))

    first, second = (message for chunk in feed.read() for message in chunk)

    assert first == Bar(
        symbol=ETH,
        timeframe="5m",
        open_ts=T * MS,
        ts=(T + 300_000) * MS,
        open=1.0,
        high=2.0,
        low=1.0,
        close=1.5,
        volume=1.5,
    )
    assert second.ts == (T + 600_000) * MS
    assert feed.instruments()[0].tick == Decimal("0.1")


def test_a_trade_of_no_quantity_is_skipped_and_counted(tmp_path):
    columns = {**TRADES, "qty": [0.0, 0.5]}
    feed = RecordingFeed(put(tmp_path, columns))

    shown = [each for chunk in feed.read() for each in chunk]
    assert [each.trade_id for each in shown if isinstance(each, Trade)] == [2]
    assert feed.skips == {"trades of no quantity": 1}


def test_a_table_of_nothing_but_trades_of_no_quantity_is_refused(tmp_path):
    with pytest.raises(FeedError, match="nothing but trades of no quantity"):
        RecordingFeed(put(tmp_path, {**TRADES, "qty": [0.0, 0.0]}))


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        ("price", [60000.1, float("nan")], ":2: price must be above 0"),
        ("price", [60000.1, float("inf")], ":2: price must be above 0"),
        ("price", [60000.1, -1.0], ":2: price must be above 0"),
        ("price", [60000.1, None], ":2: price is empty"),
        ("price", ["abc", "def"], "can't be read as the table it is"),
        ("time", [T, T - 1], ":2: time"),
    ],
)
def test_an_impossible_row_is_named_and_explained(tmp_path, column, values, problem):
    path = put(tmp_path, {**TRADES, column: values})

    with pytest.raises(FeedError) as raised:
        list(read_recording(path))
    assert problem in str(raised.value)


def test_unknown_columns_are_refused(tmp_path):
    with pytest.raises(FeedError, match="no known table"):
        list(read_recording(put(tmp_path, {"a": [1], "b": [2]})))


def test_a_table_without_rows_is_refused(tmp_path):
    empty = {name: pa.array([], pa.array(column).type) for name, column in TRADES.items()}

    with pytest.raises(FeedError, match="the table is empty"):
        list(read_recording(put(tmp_path, empty)))


def test_a_torn_file_is_refused(tmp_path):
    path = put(tmp_path, TRADES)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(FeedError, match="can't be read as Parquet"):
        list(read_recording(path))


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = put(tmp_path, TRADES)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ConfigError, match=r"pip install holdfast\[parquet\]"):
        list(read_recording(path))


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"symbol": ["BTCUSDT", "ETHUSDT"]}, ":2: symbol is ETHUSDT"),
        ({"symbol": pa.array(["BTCUSDT", "ETHUSDT"]).dictionary_encode()}, ":2: symbol is ETHUSDT"),
        ({"close_time": [T + 59_999, T + 179_999]}, ":2: .* bar of 2m"),
        ({"close_time": pa.array([T, T + 179_999], pa.timestamp("ms"))}, ":1: .* bar of 0"),
    ],
)
def test_a_row_that_is_not_of_what_the_name_says_is_named(tmp_path, columns, problem):
    klines = {
        "open_time": [T, T + 60_000],
        **{name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")},
    }
    path = put(tmp_path, {**klines, **columns}, "BTCUSDT-1m.parquet")

    with pytest.raises(FeedError, match=problem):
        list(read_recording(path))


def test_what_the_table_says_of_itself_may_be_left_empty(tmp_path):
    path = put(tmp_path, {**TRADES, "symbol": pa.array([None, "BTCUSDT"], pa.string())})

    assert len(list(read_recording(path))) == 2

"""Files found, merged by time, filtered, continued, and their bars handed out as history."""

from __future__ import annotations

from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.feeds import RecordingFeed, read_recording
from holdfast.feeds.merge import after, before, merge
from holdfast.model.bars import BarBuilder
from holdfast.model.errors import ConfigError, FeedError
from holdfast.model.market import Bar, Funding, Trade
from holdfast.model.values import Symbol

BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")
XRP = Symbol("XRPUSDT")

T = 1_723_075_200_000  # a whole hour, in ms
MS = 1_000_000
MINUTE = 60_000


def put_trades(tmp_path, name, times, price=100):
    path = tmp_path / name
    path.write_text("".join(f"{i},{price + i % 7},1.5,0,{t},true\n" for i, t in enumerate(times)))
    return path


def put_bars(tmp_path, name, starts):
    rows = "".join(f"{t},{10 + i},{12 + i},{9 + i},{11 + i},2\n" for i, t in enumerate(starts))
    path = tmp_path / name
    path.write_text("open_time,open,high,low,close,volume\n" + rows)
    return path


def read(feed, after_ts=0):
    return list(chain.from_iterable(feed.read(after_ts)))


def trade(ts, place):
    return Trade(symbol=BTC, ts=ts, price=1.0, qty=1.0, trade_id=place)


def chunked(series, size):
    return [series[i : i + size] for i in range(0, len(series), size)]


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=30), min_size=1, max_size=5),
    st.integers(1, 7),
)
def test_merging_is_a_stable_sort_by_time(times, size):
    places = [[trade(ts, place) for ts in sorted(column)] for place, column in enumerate(times)]
    merged = merge([iter(chunked(column, size)) for column in places], [])

    expected = sorted(chain.from_iterable(places), key=lambda message: message.ts)

    assert list(chain.from_iterable(merged)) == expected


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(-1, 31), st.integers(1, 7))
def test_after_and_before_cut_where_they_say(times, cut, size):
    series = [trade(ts, 0) for ts in sorted(times)]
    late = list(chain.from_iterable(after(chunked(series, size), cut)))
    early = list(chain.from_iterable(before(chunked(series, size), cut)))

    assert late == [m for m in series if m.ts > cut]
    assert early == [m for m in series if m.ts < cut]
    assert all(before(chunked(series, size), cut)), "no empty chunk"


def test_symbols_are_merged_by_time_and_ties_by_the_order_of_the_files(tmp_path):
    btc = put_trades(tmp_path, "BTCUSDT-trades.csv", [T, T + 2, T + 4])
    eth = put_trades(tmp_path, "ETHUSDT-trades.csv", [T, T + 1, T + 4])

    messages = list(read_recording([eth, btc]))

    assert [(m.ts // MS - T, m.symbol[:3]) for m in messages] == [
        (0, "ETH"),
        (0, "BTC"),
        (1, "ETH"),
        (2, "BTC"),
        (4, "ETH"),
        (4, "BTC"),
    ]


def test_a_directory_and_a_glob_stand_for_the_files_in_them(tmp_path):
    put_trades(tmp_path, "BTCUSDT-trades.csv", [T])
    put_trades(tmp_path, "ETHUSDT-trades.csv", [T])
    (tmp_path / "README.md").write_text("no data")
    (tmp_path / "BTCUSDT-trades.zip.CHECKSUM").write_text("abc")

    assert len(list(read_recording(tmp_path))) == 2
    assert len(list(read_recording(str(tmp_path / "*.csv")))) == 2
    assert len(list(read_recording(str(tmp_path / "**" / "BTC*.csv")))) == 1


def test_a_file_named_twice_is_read_once(tmp_path):
    path = put_trades(tmp_path, "BTCUSDT-trades.csv", [T])

    assert len(list(read_recording([path, tmp_path, str(path)]))) == 1


@pytest.mark.parametrize("name", ["nowhere.csv", "*.nothing", "no/where/x.csv"])
def test_an_absent_file_is_refused_with_what_exists(tmp_path, name):
    put_trades(tmp_path, "BTCUSDT-trades.csv", [T])

    with pytest.raises(ConfigError, match=r"BTCUSDT-trades\.csv|does not exist"):
        RecordingFeed(tmp_path / name)


def test_a_directory_without_data_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no file that ends in"):
        RecordingFeed(tmp_path)


def test_a_symbol_that_no_file_has_is_refused_with_those_there_are(tmp_path):
    put_trades(tmp_path, "BTCUSDT-trades.csv", [T])
    put_trades(tmp_path, "ETHUSDT-trades.csv", [T])

    with pytest.raises(ConfigError, match="no file has XRPUSDT; they have BTCUSDT, ETHUSDT"):
        RecordingFeed(tmp_path, [BTC, XRP])


def test_files_of_other_symbols_than_asked_for_are_left_alone(tmp_path):
    put_trades(tmp_path, "BTCUSDT-trades.csv", [T + 5])
    put_trades(tmp_path, "ETHUSDT-trades.csv", [T])
    feed = RecordingFeed(tmp_path, [BTC])

    assert {m.symbol for m in read(feed)} == {"BTCUSDT"}
    assert [contract.symbol for contract in feed.instruments()] == ["BTCUSDT"]
    assert feed.start_ts == (T + 5) * MS


def test_days_of_a_tape_are_read_one_after_another_whatever_the_order_of_their_names(tmp_path):
    late = put_trades(tmp_path, "BTCUSDT-trades-a.csv", [T + 10, T + 11])
    early = put_trades(tmp_path, "BTCUSDT-trades-b.csv", [T, T + 10])

    assert [m.ts // MS - T for m in read_recording([late, early])] == [0, 10, 10, 11]


def test_days_that_overlap_are_refused(tmp_path):
    put_bars(tmp_path, "BTCUSDT-1m-a.csv", [T, T + MINUTE])
    put_bars(tmp_path, "BTCUSDT-1m-b.csv", [T + MINUTE, T + 2 * MINUTE])

    with pytest.raises(FeedError, match="overlaps in time with the file before it"):
        list(read_recording(tmp_path))


@pytest.mark.parametrize("cut", [-1, 0, 3, 9.999999, 10, 12, 99])
def test_reading_after_a_time_is_reading_all_and_leaving_out_the_rest(tmp_path, cut):
    put_trades(tmp_path, "BTCUSDT-trades-a.csv", [T, T + 3, T + 3, T + 10])
    put_trades(tmp_path, "BTCUSDT-trades-b.csv", [T + 10, T + 12])
    put_bars(tmp_path, "BTCUSDT-1m.csv", [T - MINUTE, T])
    feed = RecordingFeed(tmp_path)
    after_ts = T * MS + round(cut * MS)

    assert read(feed, after_ts) == [m for m in read(feed) if m.ts > after_ts]


def test_days_that_are_over_are_not_opened(tmp_path):
    early = put_trades(tmp_path, "BTCUSDT-trades-a.csv", [T, T + 1])
    put_trades(tmp_path, "BTCUSDT-trades-b.csv", [T + 10, T + 12])
    feed = RecordingFeed(tmp_path)
    early.unlink()

    assert len(read(feed, (T + 10) * MS)) == 1


def test_start_and_duration_bound_what_is_shown(tmp_path):
    path = put_trades(tmp_path, "BTCUSDT-trades.csv", [T + 1000 * i for i in range(10)])
    feed = RecordingFeed(path, start_ts=(T + 3000) * MS, duration_s=2)

    assert [m.ts // MS - T for m in read(feed)] == [3000, 4000]
    assert feed.start_ts == (T + 3000) * MS


def test_funding_beside_the_bars_is_shown_while_there_are_bars(tmp_path):
    path = put_bars(tmp_path, "BTCUSDT-1m.csv", [T, T + MINUTE])
    times = (T - 9 * MINUTE, T + MINUTE, T + 2 * MINUTE, T + 9 * MINUTE)
    (tmp_path / "BTCUSDT-funding.csv").write_text(
        "funding_time_ms,rate\n" + "".join(f"{t},0.0001\n" for t in times)
    )

    messages = list(read_recording(path))

    assert [type(m) for m in messages] == [Bar, Funding, Bar]
    assert list(read_recording(tmp_path)) == list(read_recording([tmp_path, path]))
    assert len(list(read_recording(tmp_path / "BTCUSDT-funding.csv"))) == 4


def test_the_shortest_bars_give_the_default_time_frame(tmp_path):
    put_bars(tmp_path, "BTCUSDT-5m.csv", [T])
    put_bars(tmp_path, "ETHUSDT-1h.csv", [T])

    assert RecordingFeed(tmp_path).default_timeframe == "5m"
    assert RecordingFeed(tmp_path, [ETH]).default_timeframe == "1h"


def test_the_default_time_frame_of_trades_is_that_of_ticks(tmp_path):
    put_trades(tmp_path, "BTCUSDT-trades.csv", [T])

    assert RecordingFeed(tmp_path).default_timeframe == "5s"


def test_history_of_bars_is_the_recordings_own(tmp_path):
    feed = RecordingFeed(put_bars(tmp_path, "BTCUSDT-1m.csv", [T + i * MINUTE for i in range(9)]))
    bars = read(feed)

    assert feed.history(BTC, "1m", (T + 5 * MINUTE) * MS, 3) == bars[2:5]
    assert feed.history(BTC, "1m", (T + 5 * MINUTE) * MS - 1, 3) == bars[1:4]
    assert feed.history(BTC, "1m", (T + 5 * MINUTE) * MS, 99) == bars[:5]
    assert feed.history(BTC, "1m", T * MS, 3) == []
    assert feed.history(BTC, "1m", (T + 5 * MINUTE) * MS, 0) == []


def test_history_of_longer_bars_is_made_of_shorter_ones(tmp_path):
    feed = RecordingFeed(put_bars(tmp_path, "BTCUSDT-1m.csv", [T + i * MINUTE for i in range(11)]))
    first, second = feed.history(BTC, "5m", (T + 11 * MINUTE) * MS, 4)

    assert (first.open_ts, first.ts) == (T * MS, (T + 5 * MINUTE) * MS)
    assert (first.open, first.high, first.low, first.close) == (10.0, 16.0, 9.0, 15.0)
    assert first.volume == 10.0
    assert second.ts == (T + 10 * MINUTE) * MS


def test_history_of_trades_is_made_of_trades(tmp_path):
    times = [T + i * 6000 for i in range(70)]
    feed = RecordingFeed(put_trades(tmp_path, "BTCUSDT-trades.csv", times))
    builder = BarBuilder(BTC, ["1m"])
    expected = [bar for message in read(feed) for bar in builder.on_trade(message)]

    bars = feed.history(BTC, "1m", (T + 6 * MINUTE) * MS, 4)

    assert bars == expected[2:6]
    assert all(a.ts == b.open_ts for a, b in pairwise(bars))


def test_history_that_nothing_can_make_is_empty(tmp_path):
    feed = RecordingFeed(put_bars(tmp_path, "BTCUSDT-5m.csv", [T]))

    assert feed.history(BTC, "1m", (T + 9 * MINUTE) * MS, 3) == []
    assert feed.history(ETH, "5m", (T + 9 * MINUTE) * MS, 3) == []


async def test_messages_come_in_batches_that_are_never_empty(tmp_path):
    path = put_trades(tmp_path, "BTCUSDT-trades.csv", [T + i for i in range(1000)])
    feed = RecordingFeed(path)

    batches = [batch async for batch in feed.messages(T * MS)]

    assert all(batches)
    assert list(chain.from_iterable(batches)) == read(feed)[1:]

"""Recordings of a real exchange are read whole and right."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import chain, pairwise
from pathlib import Path

import pytest

from holdfast.feeds import RecordingFeed
from holdfast.model.market import Bar, BookDelta, BookSnapshot, Funding, Quote, Trade
from holdfast.model.values import NS_PER_S, Symbol

BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")
XRP = Symbol("XRPUSDT")

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CAPTURE = DATA / "ws_usdm" / "ethusdt_20240808.gz"
KLINES = DATA / "klines_usdm_1m"

needs_capture = pytest.mark.skipif(not CAPTURE.exists(), reason=f"no capture at {CAPTURE}")
needs_klines = pytest.mark.skipif(not KLINES.exists(), reason=f"no klines at {KLINES}")


@pytest.fixture(scope="module")
def capture():
    return list(chain.from_iterable(RecordingFeed(CAPTURE).read()))


@needs_capture
def test_every_line_of_the_capture_is_read(capture):
    counts = Counter(type(message) for message in capture)

    assert counts == {BookSnapshot: 1, BookDelta: 6586, Quote: 53992, Trade: 14076}


@needs_capture
def test_the_chain_of_deltas_is_unbroken(capture):
    deltas = [message for message in capture if isinstance(message, BookDelta)]

    assert all(later.previous_id == delta.final_id for delta, later in pairwise(deltas))


@needs_capture
def test_the_snapshot_joins_the_chain(capture):
    (snapshot,) = [message for message in capture if isinstance(message, BookSnapshot)]
    deltas = [message for message in capture if isinstance(message, BookDelta)]

    assert any(d.first_id <= snapshot.last_update_id <= d.final_id for d in deltas)
    assert (len(snapshot.bids), len(snapshot.asks)) == (1000, 1000)
    assert snapshot.bids[0][0] < snapshot.asks[0][0]


@needs_capture
def test_the_captures_time_is_the_exchanges_and_never_goes_back(capture):
    assert all(a.ts <= b.ts for a, b in pairwise(capture))
    assert capture[0].ts == 1723161256302 * 1_000_000
    assert capture[-1].ts == 1723161601145 * 1_000_000


@needs_capture
def test_the_captures_contract_is_guessed_right():
    (contract,) = RecordingFeed(CAPTURE).instruments()

    assert (contract.symbol, contract.tick, contract.lot) == (
        "ETHUSDT",
        Decimal("0.01"),
        Decimal("0.001"),
    )


@needs_capture
def test_history_of_the_capture_is_bars_of_its_trades(capture):
    before_ts = 1723161480 * NS_PER_S
    bars = RecordingFeed(CAPTURE).history(ETH, "1m", before_ts, 2)
    trades = [m for m in capture if isinstance(m, Trade) and bars[0].open_ts <= m.ts < before_ts]

    assert [bar.ts for bar in bars] == [before_ts - 60 * NS_PER_S, before_ts]
    assert sum(bar.trade_count for bar in bars) == len(trades)
    assert bars[0].open == trades[0].price
    assert bars[-1].close == trades[-1].price


@needs_klines
def test_five_symbols_of_klines_come_in_one_order():
    feed = RecordingFeed(KLINES)
    messages = list(chain.from_iterable(feed.read()))
    counts = Counter((type(m), m.symbol) for m in messages)

    assert all(a.ts <= b.ts for a, b in pairwise(messages))
    assert counts[Bar, BTC] == 29_307
    assert counts[Funding, BTC] == counts[Funding, ETH] == 61  # every 8 hours
    assert feed.default_timeframe == "1m"
    assert {c.symbol: (str(c.tick), str(c.lot)) for c in feed.instruments()} == {
        "BTCUSDT": ("0.1", "0.001"),
        "ETHUSDT": ("0.01", "0.001"),
        "SOLUSDT": ("0.01", "0.01"),
        "BNBUSDT": ("0.01", "0.01"),
        "XRPUSDT": ("0.0001", "0.1"),
    }


@needs_klines
def test_reading_the_klines_twice_gives_the_same_messages():
    files = [KLINES / "BNBUSDT-1m.csv.gz", KLINES / "XRPUSDT-1m.csv.gz"]
    first, second = (list(chain.from_iterable(RecordingFeed(files).read())) for _ in range(2))

    assert first == second


@needs_klines
def test_hours_of_history_add_up_to_the_minutes():
    feed = RecordingFeed(KLINES / "ETHUSDT-1m.csv.gz")
    before_ts = 1747000800 * NS_PER_S  # 2025-05-11 22:00 UTC
    hours = feed.history(ETH, "1h", before_ts, 5)
    minutes = feed.history(ETH, "1m", before_ts, 300)

    assert [hour.ts - hour.open_ts for hour in hours] == [3600 * NS_PER_S] * 5
    assert hours[0].open_ts == minutes[0].open_ts
    assert max(hour.high for hour in hours) == max(bar.high for bar in minutes)
    assert sum(hour.volume for hour in hours) == pytest.approx(sum(b.volume for b in minutes))

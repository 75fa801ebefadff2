"""Trades packed as columns come back as they were."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from holdfast.feeds import RecordingFeed
from holdfast.feeds.columns import CHUNK_TRADES, RECORD, TradeColumns, pack
from holdfast.model.bars import UNKNOWN
from holdfast.model.errors import ConfigError, FeedError
from holdfast.model.market import Quote, Trade
from holdfast.model.values import NS_PER_S, Symbol
from tests.runtime.replays import replayed
from tests.runtime.runner_session import Recorder

BTC = Symbol("BTCUSDT")


def tape(count, symbol=BTC):
    return [
        Trade(
            symbol=symbol,
            ts=NS_PER_S * 1_700_000_000 + number * 1_000_001,
            price=60_000.0 + number % 7 / 10,
            qty=0.001 * (number % 5 + 1),
            trade_id=number,
            is_buyer_maker=number % 3 == 0,
        )
        for number in range(count)
    ]


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "BTCUSDT-trades.npy"
    pack([tape(CHUNK_TRADES + 500)], path)
    return path


def test_packed_trades_are_read_back_as_they_were(packed):
    read = [each for chunk in RecordingFeed(packed).read() for each in chunk]

    assert read == tape(CHUNK_TRADES + 500)
    assert type(read[0].ts) is int
    assert repr(read[0]) == repr(tape(1)[0])  # a bool is no NumPy bool


def test_a_part_of_a_chunk_is_a_chunk_with_the_same_messages(packed):
    chunk = next(iter(RecordingFeed(packed).read()))
    part = chunk[10:20]

    assert isinstance(part, TradeColumns)
    assert list(part) == tape(20)[10:]
    assert (part[0], part[-1]) == (tape(20)[10], tape(20)[19])
    assert part.times == [each.ts for each in tape(20)[10:]]


def test_a_later_start_and_an_earlier_end_cut_packed_trades(packed):
    whole = tape(100)
    feed = RecordingFeed(packed, start_ts=whole[10].ts, end_ts=whole[20].ts)

    assert [each for chunk in feed.read() for each in chunk] == whole[10:20]


def test_tick_and_lot_are_guessed_from_packed_trades(packed):
    (contract,) = RecordingFeed(packed).instruments()

    assert (str(contract.tick), str(contract.lot)) == ("0.1", "0.001")


def test_trades_of_two_symbols_are_not_packed_into_one_file(tmp_path):
    both = [*tape(3), *tape(3, Symbol("ETHUSDT"))]

    with pytest.raises(FeedError, match="one symbol"):
        pack([both], tmp_path / "BTCUSDT.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_file_named_after_another_symbol_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must begin with the symbol: BTCUSDT"):
        pack([tape(3)], tmp_path / "ETHUSDT.npy")


def test_what_is_no_trade_is_left_out_of_a_pack(tmp_path):
    quote = Quote(symbol=BTC, ts=1, bid=1.0, bid_qty=1.0, ask=2.0, ask_qty=1.0)
    path = tmp_path / "BTCUSDT.npy"

    assert pack([[quote, *tape(3)]], path) == 3
    assert [each for chunk in RecordingFeed(path).read() for each in chunk] == tape(3)


@pytest.mark.parametrize(
    ("field", "value"), [("price", 0.0), ("price", float("nan")), ("qty", -1.0), ("ts", 5)]
)
def test_an_impossible_record_is_named_with_its_place(tmp_path, field, value):
    path = tmp_path / "BTCUSDT.npy"
    pack([tape(10)], path)
    records = np.load(path)
    records[field][4] = value
    np.save(path, records)

    with pytest.raises(FeedError, match=r"BTCUSDT\.npy: trade 5 is out of order or impossible"):
        list(RecordingFeed(path).read())


def test_another_array_is_no_recording(tmp_path):
    path = tmp_path / "BTCUSDT.npy"
    np.save(path, np.zeros(3))

    with pytest.raises(FeedError, match="expected records of ts, price"):
        RecordingFeed(path)


def test_an_empty_file_of_columns_is_refused(tmp_path):
    path = tmp_path / "BTCUSDT.npy"
    np.save(path, np.zeros(0, RECORD))

    with pytest.raises(FeedError, match="no trades"):
        RecordingFeed(path)


# What was captured has the venue's own numbers, packed too


START_MS = 1_700_000_040_000  # a whole minute


def captured(path, numbers):
    """A capture of a trade each second, those of some numbers, from half a minute in on."""
    rows = []
    for number in numbers:
        ms = START_MS + 30_000 + number * 1000
        data = {"e": "aggTrade", "E": ms, "s": "BTCUSDT", "a": 7000 + number, "p": "60000.1",
                "q": "1", "f": number, "l": number, "T": ms, "m": True}  # fmt: skip
        event = {"stream": "btcusdt@aggTrade", "data": data}
        rows.append(f"{ms}000000 {json.dumps(event)}\n")
    path.write_text("".join(rows))
    return path


def of_captures(tmp_path, numbers, name="BTCUSDT-x.npy"):
    """The same market as it was captured, and packed."""
    capture = RecordingFeed(captured(tmp_path / "btcusdt_20231114", numbers))
    pack(capture.read(), tmp_path / name, capture.is_numbered)
    return capture, RecordingFeed(tmp_path / name)


LOST = [n for n in range(300) if not 100 <= n < 135]
"""35 s for which the connection was gone, all within one minute."""


def test_bars_in_which_a_packed_capture_lacks_trades_are_none(tmp_path):
    capture, columns = of_captures(tmp_path, LOST)
    until = (START_MS + 300_000) * 1_000_000

    bars = [list(feed.history(BTC, "1m", until, 5)) for feed in (capture, columns)]
    assert bars[0] == bars[1]
    assert [bar.volume for bar in bars[1]] == [60.0] * 3

    shown = []
    for feed in (capture, columns):
        recorder = Recorder("1m")
        replayed(feed, [recorder])
        shown.append(recorder.live)
    assert shown[0] == shown[1]
    assert [bar.trade_count for bar in shown[1]] == [60] * 3


@pytest.mark.parametrize("name", ["BTCUSDT-x.npy", "BTCUSDT-2023-11-14.npy"])
def test_a_packed_capture_is_known_from_its_first_trade_on_whatever_day_it_names(tmp_path, name):
    """It may have been told to hear the symbol at any time of that day."""
    capture, columns = of_captures(tmp_path, range(100), name)

    assert columns.whole_from(BTC) == capture.whole_from(BTC) == UNKNOWN
    assert columns.is_numbered(BTC)


def test_a_packed_pack_keeps_what_is_known_of_its_numbers(tmp_path):
    _, columns = of_captures(tmp_path, LOST)
    again = tmp_path / "BTCUSDT-again.npy"
    pack(columns.read(), again, columns.is_numbered)

    assert RecordingFeed(again).is_numbered(BTC)
    assert again.read_bytes() == (tmp_path / "BTCUSDT-x.npy").read_bytes()


def test_of_the_numbers_of_a_table_nobody_knows_packed_too(tmp_path, packed):
    table = RecordingFeed(packed)
    pack(table.read(), tmp_path / "BTCUSDT.npy", table.is_numbered)

    for feed in (table, RecordingFeed(tmp_path / "BTCUSDT.npy")):
        assert not feed.is_numbered(BTC)
        assert feed.whole_from(BTC) == tape(1)[0].ts


def test_a_day_of_a_table_beside_a_day_of_a_capture_makes_numbers_that_nobody_knows(tmp_path):
    captures = RecordingFeed(captured(tmp_path / "btcusdt_20231114", range(50)))
    pack(captures.read(), tmp_path / "BTCUSDT-1.npy", captures.is_numbered)
    later = [msgspec.structs.replace(each, ts=each.ts + 86_400 * NS_PER_S) for each in tape(50)]
    pack([later], tmp_path / "BTCUSDT-2.npy")

    both = RecordingFeed([tmp_path / "BTCUSDT-1.npy", tmp_path / "BTCUSDT-2.npy"])

    assert not both.is_numbered(BTC)
    assert len([each for chunk in both.read() for each in chunk]) == 100

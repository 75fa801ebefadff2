"""A symbol's trades that two files of different kinds both have are refused: they count twice."""

from __future__ import annotations

import gzip
import json
from itertools import chain

import pytest

from holdfast.feeds import RecordingFeed
from holdfast.feeds.columns import pack
from holdfast.model.errors import FeedError
from holdfast.model.market import Quote, Trade

T = 1_723_075_200_000
MS = 1_000_000


def told(symbol, number, at):
    return {"e": "trade", "E": T + at, "T": T + at, "s": symbol, "t": number, "p": "60000.1",
            "q": "0.002", "X": "MARKET", "m": True}  # fmt: skip


def quoted(symbol, at):
    return {"e": "bookTicker", "u": 1, "s": symbol, "b": "60000.1", "B": "1", "a": "60000.2",
            "A": "2", "T": T + at, "E": T + at}  # fmt: skip


def put(path, events):
    lines = [
        f"{T * MS + number} {json.dumps({'stream': 'x', 'data': event})}\n"
        for number, event in enumerate(events)
    ]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


def trades(symbol, times):
    return [told(symbol, number, at) for number, at in enumerate(times)]


def read(*paths):
    return list(chain.from_iterable(RecordingFeed(paths).read()))


@pytest.mark.parametrize("first", ["BTCUSDT.gz", "BTCUSDT.npy"])
def test_a_capture_and_what_was_packed_of_it_are_refused(tmp_path, first):
    capture = put(tmp_path / "BTCUSDT.gz", trades("BTCUSDT", range(0, 20_000, 100)))
    pack(RecordingFeed(capture).read(), tmp_path / "BTCUSDT.npy")
    both = sorted(tmp_path.iterdir(), key=lambda path: path.name != first)

    with pytest.raises(FeedError, match=r"the trades of BTCUSDT .* twice: both .* leave one out"):
        read(*both)


def test_captures_that_both_have_a_symbol_are_refused(tmp_path):
    times = range(0, 20_000, 100)
    one = put(tmp_path / "one.gz", [*trades("BTCUSDT", times)])
    mixed = [each for at in times for each in (told("BTCUSDT", at, at), told("ETHUSDT", at, at))]

    with pytest.raises(FeedError, match="the trades of BTCUSDT"):
        read(one, put(tmp_path / "two.gz", mixed))


def test_captures_that_take_turns_are_read(tmp_path):
    """Of some days a recorder heard two symbols, of others one."""
    both = [each for at in range(5) for each in (told("BTCUSDT", at, at), told("ETHUSDT", at, at))]
    later = [(name, day * 86_400_000) for day, name in enumerate(("one.gz", "three.gz", "five.gz"))]
    days = [
        put(tmp_path / name, trades("BTCUSDT", range(at, at + 9_000, 90))) for name, at in later
    ]
    for event in both:
        event["T"] += 43_200_000
        event["E"] += 43_200_000

    found = read(*days, put(tmp_path / "two.gz", both))

    assert sum(each.symbol == "BTCUSDT" for each in found) == 305


def test_quotes_of_a_capture_go_with_the_trades_of_a_table(tmp_path):
    times = range(0, 20_000, 100)
    quotes = put(tmp_path / "btcusdt_q.gz", [quoted("BTCUSDT", at) for at in times])
    table = tmp_path / "BTCUSDT-trades.csv"
    table.write_text("".join(f"{at},60000.1,1.5,0,{T + at},true\n" for at in times))

    found = read(quotes, table)

    assert {type(each) for each in found} == {Quote, Trade}
    assert len(found) == 400

"""python-binance's AsyncClient as released: REST, sockets, and orders by the WebSocket API."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.wire


@pytest.fixture
def seen(what_it_saw):
    return what_it_saw("python-binance", "python_binance.py")


def test_it_starts_and_reads_the_market(seen):
    market = seen["market"]

    assert seen["version"] == "1.0.37"
    assert market["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert market["book"] == ["E", "T", "asks", "bids", "lastUpdateId"]
    assert market["candles"] == 3
    assert market["takers"] == ["buySellRatio", "buyVol", "sellVol", "timestamp"]
    assert market["mark"] == "BTCUSDT"


def test_it_hears_the_market(seen):
    assert seen["market"]["trade_heard"] == ["btcusdt@aggTrade", "aggTrade"]
    assert seen["market"]["depth_heard"] == ["depthUpdate", True]
    assert seen["market"]["candle_heard"] == "continuous_kline"


def test_it_reads_its_account(seen):
    assert seen["account"] == {
        "balance": "10000.00000000",
        "can_trade": True,
        "leverage": 9,
        "positions": [],
    }


def test_it_places_amends_and_cancels(seen):
    assert seen["limit"] == {
        "placed": ["NEW", "0.010"],
        "own_prefix": True,
        "amended": ["0.020", "0.020"],
        "canceled": "CANCELED",
        "open": [],
    }
    assert seen["market_order"] == ["FILLED", "0.010"]


def test_it_sends_stops_to_the_algo_orders_by_itself(seen):
    assert seen["conditional"] == {
        "placed": ["NEW", "STOP_MARKET"],
        "open": 1,
        "found": "NEW",
        "canceled": True,
        "after": "CANCELED",
    }


def test_it_places_and_cancels_in_batches(seen):
    assert seen["batch"] == {"placed": ["NEW"] * 2, "canceled": ["CANCELED"] * 2}


def test_it_hears_what_becomes_of_its_orders(seen):
    assert seen["heard"] == {
        "limit": ["NEW", "AMENDMENT", "CANCELED"],
        "filled": ["0.01"],
        "algo": ["NEW", "CANCELED"],
        "account": True,
    }


def test_it_trades_by_socket_and_leaves_out_the_kind_of_algo(seen):
    assert seen["by_socket"] == {
        "placed": "NEW",
        "amended": "0.020",
        "canceled": "CANCELED",
        "stop": "NEW",
        "stop_canceled": True,
    }


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("no_such_order", -2011),
        ("no_money", -2019),
        ("off_the_grid", -1111),
        ("hedge", -4068),  # it holds a position by then
        ("too_many", -1003),
        ("unknown", -1000),
        ("by_socket", -2011),
    ],
)
def test_errors_are_its_own(seen, what, code):
    assert seen["errors"][what]["classes"] == ["BinanceAPIException"]
    assert seen["errors"][what]["code"] == code

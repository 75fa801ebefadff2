"""binance-futures-connector as released: REST by query strings, streams by subscription."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.wire


@pytest.fixture
def seen(what_it_saw):
    return what_it_saw("binance-futures-connector", "futures_connector.py")


def test_it_reads_the_market(seen):
    market = seen["market"]

    assert seen["version"] == "4.2.0"
    assert market["ping"] == {}
    assert market["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert market["depth"] == ["E", "T", "asks", "bids", "lastUpdateId"]
    assert market["candles"] == 3
    assert market["mark"] == "BTCUSDT"


def test_it_hears_the_market(seen):
    assert seen["market"]["heard"] == ["aggTrade", "depthUpdate", "markPriceUpdate"]


def test_it_reads_its_account(seen):
    assert seen["account"] == {
        "wallet": "10000.00000000",
        "usdt": ["10000.00000000"],
        "leverage": 8,
        "hedged": False,
        "brackets": 12,
    }


def test_it_places_amends_and_cancels(seen):
    assert seen["limit"] == {
        "placed": ["NEW", "0.010", "wire/2:b"],
        "amended": "0.020",
        "canceled": "CANCELED",
        "found": "CANCELED",
        "open": [],
    }


def test_a_market_order_makes_a_position(seen):
    assert seen["market_order"] == {
        "answer": ["FILLED", "0.010"],
        "position": ["0.010"],
        "trades": True,
    }


def test_it_places_and_cancels_in_batches(seen):
    assert seen["batch"] == {"placed": ["NEW"] * 2, "canceled": ["CANCELED"] * 2}


def test_it_hears_what_becomes_of_its_orders(seen):
    assert seen["listening"]
    assert seen["heard"] == {
        "limit": ["NEW", "AMENDMENT", "CANCELED"],
        "filled": ["0.01"],
        "account": True,
    }


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("conditional", -4120),  # it has no algo orders, and the old way is closed
        ("no_such_order", -2011),
        ("no_money", -2019),
        ("off_the_grid", -1111),
        ("hedge", -4068),
        ("too_many", -1003),
    ],
)
def test_refusals_are_its_client_errors(seen, what, code):
    assert seen["errors"][what]["classes"] == ["ClientError", "Error"]
    assert seen["errors"][what]["code"] == code


def test_an_unknown_outcome_is_its_server_error(seen):
    assert seen["errors"]["unknown"]["classes"] == ["ServerError", "Error"]
    assert '"code":-1000' in seen["errors"]["unknown"]["text"]

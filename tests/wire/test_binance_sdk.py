"""Binance's SDK for USD-M futures as released; its models refuse any field of a wrong type."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.wire


@pytest.fixture
def seen(what_it_saw):
    return what_it_saw("binance-sdk", "binance_sdk.py")


def test_it_reads_the_market(seen):
    assert seen["version"] == "18.1.0"
    assert seen["market"] == {
        "time": True,
        "symbols": ["BTCUSDT", "ETHUSDT"],
        "book": True,
        "candles": 3,
    }


def test_it_reads_its_account(seen):
    assert seen["account"] == {
        "wallet": "10000.00000000",
        "balance": ["10000.00000000"],
        "leverage": 6,
        "hedged": False,
        "positions": [],
    }


def test_it_places_amends_and_cancels(seen):
    assert seen["limit"] == {
        "placed": ["NEW", "0.010"],
        "amended": [True, "0.020"],
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


def test_it_places_and_cancels_a_conditional_order(seen):
    assert seen["conditional"] == {
        "placed": "NEW",
        "open": [True],
        "canceled": True,
        "after": "CANCELED",
    }


def test_it_places_and_cancels_in_batches(seen):
    assert seen["batch"] == {"placed": ["NEW"] * 2, "canceled": ["CANCELED"] * 2}


def test_it_hears_the_market_and_what_becomes_of_its_orders(seen):
    assert seen["heard"] == {
        "trade": "BTCUSDT",
        "limit": ["NEW", "AMENDMENT", "CANCELED"],
        "filled": ["0.01"],
        "kinds": ["AccountUpdate", "AlgoUpdate", "OrderTradeUpdate", "TradeLite"],
    }


def test_it_trades_by_socket(seen):
    assert seen["by_socket"] == {
        "placed": "NEW",
        "amended": ["0.020", "0.020"],
        "canceled": "CANCELED",
        "positions": ["BTCUSDT"],
        # By socket it raises nothing, and gives the error back.
        "no_such_order": {"error": {"code": -2011, "msg": "Unknown order sent."}},
    }


@pytest.mark.parametrize(
    ("what", "name", "code"),
    [
        ("no_such_order", "BadRequestError", -2011),
        ("no_money", "BadRequestError", -2019),
        ("off_the_grid", "BadRequestError", -1111),
        ("hedge", "BadRequestError", -4068),
        ("too_many", "TooManyRequestsError", -1003),
    ],
)
def test_refusals_are_its_own_errors(seen, what, name, code):
    error = seen["errors"][what]

    assert error["classes"][0] == name
    assert f"({code}, " in error["text"]


def test_an_unknown_outcome_is_its_server_error(seen):
    assert seen["errors"]["unknown"]["classes"][0] == "ServerError"

"""ccxt.pro's `binanceusdm` as released: streams, and orders by the WebSocket API."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.wire


@pytest.fixture
def seen(what_it_saw):
    return what_it_saw("ccxt", "ccxt_pro.py")


def test_it_hears_the_market(seen):
    assert seen["version"].startswith("4.5.")
    assert seen["market"]["book"] == [True, True, True]
    assert seen["market"]["trades"] == "BTC/USDT:USDT"
    assert seen["market"]["ticker"] > 0
    assert seen["market"]["candles"]


def test_it_places_amends_and_cancels_by_socket(seen):
    assert seen["limit"] == {
        "placed": ["open", 0.01, True],
        "amended": [True, 0.02, 0.02],
        "canceled": "canceled",
    }
    assert seen["conditional"] == [True, True]


def test_it_hears_what_becomes_of_its_orders(seen):
    heard = seen["heard"]

    assert seen["market_order"] == [True, 0.01]
    assert heard["limit"][0] == "open"
    assert heard["limit"][-1] == "canceled"
    assert heard["market"][-1] == "closed"
    assert heard["fills"] == [0.01, "buy", "USDT"]
    assert heard["balance"]


@pytest.mark.parametrize(
    ("what", "name", "code"),
    [("no_such_order", "OrderNotFound", -2011), ("no_money", "InsufficientFunds", -2019)],
)
def test_errors_by_socket_are_its_own(seen, what, name, code):
    error = seen["errors"][what]

    assert error["classes"][0] == name
    assert f'"code":{code},' in error["text"]

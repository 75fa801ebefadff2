"""ccxt's `binanceusdm` as released, by REST, in a process and an environment of its own."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.wire


@pytest.fixture
def seen(what_it_saw):
    return what_it_saw("ccxt", "ccxt_binanceusdm.py")


def test_it_loads_the_markets_with_their_grids(seen):
    assert seen["version"].startswith("4.5.")
    assert seen["symbols"] == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    assert seen["precision"]["price"] == 0.1
    assert seen["precision"]["amount"] == 0.001
    assert seen["time"] > 0


def test_it_reads_the_market(seen):
    market = seen["market"]

    assert market["last"] > 0
    assert market["book"]["bids"] > 0
    assert market["book"]["asks"] > 0
    assert market["bids_asks"] == ["BTC/USDT:USDT"]
    assert market["candles"] == 3
    assert market["funding_rate"] == "BTC/USDT:USDT"


def test_it_reads_its_account(seen):
    assert seen["account"] == {
        "free": 10_000,
        "positions": [],
        "hedged": False,
        "leverage": 10,
        "tiers": 12,
        "taker": 0.0005,
    }


def test_it_places_amends_and_cancels(seen):
    placed = seen["limit"]["placed"]

    assert [placed[0], placed[1], placed[3]] == ["open", 0.01, "wire/1:a"]
    assert seen["limit"]["amended"] == [True, 0.02, True]
    assert seen["limit"]["canceled"] == "canceled"
    assert seen["limit"]["fetched"] == "canceled"
    assert seen["limit"]["open"] == []


def test_a_market_order_makes_a_position_and_pays_a_fee(seen):
    order = seen["market_order"]

    assert [order["status"], order["filled"]] == ["closed", 0.01]
    assert order["position"][:2] == ["long", 0.01]
    assert order["trade"][0]
    assert order["fee"]["currency"] == "USDT"
    assert order["fee"]["cost"] > 0
    assert seen["closed"] == ["closed", []]
    assert seen["ledger"] == ["commission", "trade", "transfer"]


def test_a_stop_goes_to_the_algo_orders(seen):
    stop = seen["conditional"]

    assert stop["placed"] == ["market", True, True]
    assert stop["open"] == [True]
    assert stop["canceled"]
    assert stop["left"] == []


def test_it_places_and_cancels_in_batches(seen):
    assert seen["batch"] == {"placed": ["open"] * 2, "canceled": ["canceled"] * 2}


def test_it_trades_isolated(seen):
    assert seen["isolated"] == {
        "mode": "isolated",
        "collateral": True,
        "liquidation": True,
        "moves": [5],
    }


def test_it_trades_hedged(seen):
    assert seen["hedged"]["both"] == [["long", 0.01, True], ["short", 0.01, True]]
    assert seen["hedged"]["left"] == []
    assert '"code":-4061' in seen["hedged"]["no_side"]["text"]


@pytest.mark.parametrize(
    ("what", "name", "code"),
    [
        ("no_such_order", "OrderNotFound", -2011),
        ("no_money", "InsufficientFunds", -2019),
        ("off_the_grid", "BadRequest", -1111),
        ("post_only", "OrderNotFillable", -5022),
        ("same_margin", "MarginModeAlreadySet", -4046),
        ("same_assets", "OperationRejected", -4171),
        ("signature", "AuthenticationError", -1022),
        ("too_many", "DDoSProtection", -1003),
        ("unknown", "OperationFailed", -1000),
    ],
)
def test_errors_are_its_own(seen, what, name, code):
    error = seen["errors"][what]

    assert error["classes"][0] == name
    assert f'"code":{code},' in error["text"]

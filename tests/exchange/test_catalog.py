from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.exchange import guess_instrument, known_instrument
from holdfast.model.values import Symbol

BRACKETS = (
    Path(__file__).resolve().parents[2] / "../shared/design/binance/leverageBracket_8symbols.json"
)


@pytest.mark.parametrize("base", ["BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOGE", "LTC"])
def test_a_known_contract_is_whole(base):
    found = known_instrument(Symbol(f"{base}USDT"))

    assert found is not None
    assert found.base_asset == base
    assert found.min_qty == found.lot > 0
    assert found.brackets[0].notional_floor == 0
    assert found.brackets[-1].max_leverage == 1
    for lower, upper in zip(found.brackets, found.brackets[1:], strict=False):
        cap = lower.notional_cap
        assert upper.notional_floor == cap
        assert (
            cap * lower.maint_margin_ratio - lower.cum == cap * upper.maint_margin_ratio - upper.cum
        )


def test_brackets_are_the_venues():
    if not BRACKETS.exists():
        pytest.skip("the venue's brackets are not beside the project")
    for row in json.loads(BRACKETS.read_text()):
        found = known_instrument(Symbol(row["symbol"]))
        if found is None:
            continue
        theirs = [
            (
                Decimal(str(b["notionalCap"])),
                b["initialLeverage"],
                Decimal(str(b["maintMarginRatio"])),
                Decimal(str(b["cum"])),
            )
            for b in row["brackets"]
        ]

        assert [
            (b.notional_cap, b.max_leverage, b.maint_margin_ratio, b.cum) for b in found.brackets
        ] == theirs


def test_an_unknown_contract_is_none():
    assert known_instrument(Symbol("NOPEUSDT")) is None
    assert known_instrument(Symbol("BTC")) is None


def test_tick_and_lot_are_guessed_from_the_decimals_seen():
    found = guess_instrument(Symbol("WIFUSDC"), [1.5, 1.5432, 1.543], [10.0, 3.5])

    assert (found.tick, found.lot, found.min_qty) == (
        Decimal("0.0001"),
        Decimal("0.1"),
        Decimal("0.1"),
    )
    assert (found.base_asset, found.quote_asset, found.margin_asset) == ("WIF", "USDC", "USDC")
    assert found.brackets


def test_whole_numbers_give_a_tick_of_one():
    assert guess_instrument(Symbol("XUSDT"), [100.0, 250.0]).tick == 1


def test_a_known_contract_is_not_guessed():
    assert guess_instrument(Symbol("BTCUSDT"), [1.23456]) == known_instrument(Symbol("BTCUSDT"))


@pytest.mark.parametrize("symbol", ["BTCUSDC", "BTCUSDT_260327"])
def test_another_contract_of_a_known_asset_has_that_asset_s_margin_table(symbol):
    guess, known = guess_instrument(Symbol(symbol), [50_000.1]), known_instrument(Symbol("BTCUSDT"))

    assert known is not None
    assert (guess.base_asset, guess.brackets) == ("BTC", known.brackets)

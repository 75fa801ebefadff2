"""Multi-assets mode: all dollars stand for all that settles in dollars."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.exchange import Exchange
from holdfast.exchange.refusals import (
    ASSETS_HAVE_ISOLATED,
    ASSETS_HAVE_OPEN_ORDERS,
    ASSETS_LACK_MARGIN,
    ISOLATED_HAS_ASSETS,
    MARGIN,
    SAME_ASSET_MODE,
)
from holdfast.model.messages import WalletChange
from holdfast.model.values import MAIN, Symbol
from tests.exchange.desk import BTC, Desk, d, instrument

COIN = Symbol("BTCUSDC")


class Both(Desk):
    """10,000 USDT and some USDC, and a contract that settles in each, both at 50,000."""

    def __init__(self, usdc="1000", *, is_multi=True, **fields):
        coin = msgspec.structs.replace(
            instrument(), symbol=COIN, quote_asset="USDC", margin_asset="USDC"
        )
        super().__init__(instrument(), coin, **fields)
        if d(usdc):
            self.exchange.deposit(MAIN, d(usdc), self.now, "USDC")
        if is_multi:
            assert self.switch() is None
        self.trade(50_000)
        self.trade(50_000, symbol=COIN)

    def switch(self, *, is_multi_assets=True):
        found = self.exchange.set_asset_mode(MAIN, is_multi_assets=is_multi_assets)
        return None if found is None else found.code

    def wallets(self):
        return self.exchange.balances(MAIN)


def codes(reports):
    return [report.code for report in reports]


def test_one_dollar_pays_for_another_in_this_mode_alone():
    single = Both(is_multi=False)
    assert codes(single.buy("1", symbol=COIN)) == [MARGIN]

    multi = Both()
    assert multi.exchange.pool_margin(MAIN, "USDC").available == 11_000
    assert MARGIN not in codes(multi.buy("1", symbol=COIN))
    assert multi.qty(COIN) == 1


def test_a_loss_in_one_dollar_is_borne_by_the_others():
    desk = Both()
    desk.buy("1", symbol=COIN)
    desk.trade(48_000, symbol=COIN)

    assert desk.qty(COIN) == 1  # single-asset mode would have liquidated at a loss of 1,000
    assert desk.exchange.pool_margin(MAIN, "USDT").balance == d("11000") - 2000 - d("25")


def test_when_all_dollars_are_used_up_all_that_they_stood_for_is_liquidated():
    desk = Both(leverage=50)
    desk.buy("1", symbol=COIN)
    desk.buy("1")
    desk.trade(45_000)
    desk.trade(44_000, symbol=COIN)

    assert (desk.qty(), desk.qty(COIN)) == (0, 0)
    assert all(amount >= 0 for amount in desk.wallets().values())


def test_what_one_dollar_owes_the_others_pay_before_insurance():
    desk = Both()
    desk.buy("1", symbol=COIN)
    desk.trade(47_000, symbol=COIN)
    desk.sell("1", symbol=COIN)

    changes = [c for c in desk.exchange.incomes_since(MAIN) if isinstance(c, WalletChange)]
    moved = [(c.asset, c.amount) for c in changes if c.reason == "auto_exchange"]
    owed = d("3000") + d("25") + d("23.5") - 1000
    assert moved == [("USDT", -owed), ("USDC", owed)]
    assert not any(c.reason == "insurance" for c in changes)
    assert desk.wallets() == {"USDT": 10_000 - owed, "USDC": 0}


@pytest.mark.parametrize("is_multi", [True, False])
def test_the_mode_it_is_in_is_not_set(is_multi):
    assert Both(is_multi=is_multi).switch(is_multi_assets=is_multi) == SAME_ASSET_MODE


def test_orders_and_isolated_symbols_stand_in_its_way():
    desk = Both(is_multi=False)
    desk.buy("0.01", 40_000, cl_ord_id="resting")
    assert desk.switch() == ASSETS_HAVE_OPEN_ORDERS
    desk.cancel("resting")
    assert desk.isolate() is None
    assert desk.switch() == ASSETS_HAVE_ISOLATED
    assert desk.isolate(is_isolated=False) is None

    assert desk.switch() is None
    assert desk.isolate() == ISOLATED_HAS_ASSETS


def test_it_is_not_left_while_one_dollar_can_not_stand_for_its_own():
    desk = Both()
    desk.buy("1", symbol=COIN)
    assert desk.switch(is_multi_assets=False) == ASSETS_LACK_MARGIN

    desk.sell("1", symbol=COIN)
    assert desk.switch(is_multi_assets=False) is None
    assert not desk.exchange.is_multi_assets(MAIN)


def test_what_is_no_dollar_stands_for_nothing_else():
    desk = Both()
    desk.exchange.deposit(MAIN, d("100"), desk.now, "BNB")

    assert desk.exchange.pool(MAIN, "BNB") == ("BNB",)
    assert desk.exchange.pool(MAIN, "USDC") == ("USDC", "USDT")
    assert desk.exchange.pool_margin(MAIN, "USDT").wallet == Decimal(11_000)


def test_the_mode_survives_a_restart():
    desk = Both()
    desk.exchange.set_fee_burn(MAIN, is_on=True)
    again = Exchange(desk.exchange.instruments())
    again.load(desk.exchange.drain_changes(), desk.now)

    assert again.is_multi_assets(MAIN)
    assert again.burns_fees(MAIN)
    assert again.pool_margin(MAIN, BTC.removeprefix("BTC")).wallet == 11_000

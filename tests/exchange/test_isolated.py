"""An isolated position stands on its own wallet, and takes no more than that down with it."""

from __future__ import annotations

import pytest

from holdfast.exchange import AccountUpdate
from holdfast.exchange.refusals import (
    CROSS_LACKS,
    HAS_OPEN_ORDERS,
    HAS_POSITION,
    ISOLATED_LACKS,
    ISOLATED_LEVERAGE,
    MARGIN,
    NO_POSITION_FOR_MARGIN,
    ONLY_ISOLATED,
    SAME_MARGIN_TYPE,
)
from holdfast.model.margin import liquidation_price
from holdfast.model.messages import FundingPayment, IsolatedWallets, WalletChange
from holdfast.model.values import MAIN
from tests.exchange.desk import BTC, ETH, LONG, SHORT, Desk, d, instrument, story


def isolated(leverage=10, **more):
    desk = Desk(leverage=leverage, **more)
    assert desk.isolate() is None
    desk.trade(50_000)
    desk.trade(3_000, symbol=ETH)
    return desk


def wallet_of(desk, symbol=BTC):
    return desk.exchange.symbol_margin(MAIN, symbol).position.isolated_wallet


def test_opening_takes_the_initial_margin_and_the_fee_is_the_cross_wallets():
    desk = isolated()
    desk.buy("0.1")
    total = desk.exchange.margin(MAIN)

    assert wallet_of(desk) == 500
    assert (total.wallet, total.cross_wallet) == (d("9997.5"), d("9497.5"))
    assert total.available == d("9497.5")


def test_adding_adds_at_its_own_price_and_reducing_gives_a_share_back():
    desk = isolated()
    desk.buy("0.1")
    desk.trade(51_000)
    desk.buy("0.1")
    assert wallet_of(desk) == 1010
    desk.sell("0.05")
    assert wallet_of(desk) == d("757.5")
    desk.sell("0.15")
    assert wallet_of(desk) == 0
    assert desk.exchange.margin(MAIN).cross_wallet == desk.wallet


def test_a_flip_opens_with_margin_of_its_own():
    desk = isolated()
    desk.buy("0.1")
    desk.sell("0.3")

    assert wallet_of(desk) == 1000


def test_its_profit_is_no_margin_of_others():
    desk = isolated()
    desk.buy("0.1")
    before = desk.exchange.margin(MAIN).available
    desk.trade(60_000)

    assert desk.exchange.margin(MAIN).available == before
    assert desk.exchange.margin(MAIN).unrealized == 1000


def test_the_liquidation_price_is_the_formula_of_its_own_wallet():
    desk = isolated()
    desk.buy("0.1")
    desk.buy(2, symbol=ETH)
    expected = liquidation_price(d("0.1"), d(50_000), d(500), instrument().brackets)

    assert desk.exchange.liquidation_price(MAIN, BTC) == expected
    assert expected == pytest.approx(d("45180.72"), abs=d("0.01"))


def test_it_is_liquidated_at_that_price_and_alone():
    desk = isolated()
    desk.buy("0.1")
    desk.buy(2, symbol=ETH)
    desk.buy("0.1", 40_000, cl_ord_id="btc")
    desk.buy(1, 2_000, symbol=ETH, cl_ord_id="eth")
    price = desk.exchange.liquidation_price(MAIN, BTC)
    desk.mark(price + 1)
    assert desk.qty() == d("0.1")
    desk.mark(price - 1)

    assert (desk.qty(), desk.qty(ETH)) == (0, 2)
    assert desk.open_ids() == ["eth"]


def test_a_gap_costs_no_more_than_the_isolated_wallet():
    desk = isolated()
    desk.buy("0.1")
    cross = desk.exchange.margin(MAIN).cross_wallet
    told = desk.mark(30_000)
    (insurance,) = [each for each in told if isinstance(each, WalletChange)]

    assert insurance.reason == "insurance"
    assert insurance.amount > 1_500
    assert desk.exchange.margin(MAIN).cross_wallet == desk.wallet == cross


def test_a_cross_liquidation_leaves_it_its_wallet():
    desk = isolated(balance=2_000)
    desk.buy("0.1")
    desk.buy(4, symbol=ETH)
    desk.mark(2_600, symbol=ETH)

    assert (desk.qty(), desk.qty(ETH)) == (d("0.1"), 0)
    assert desk.wallet == wallet_of(desk) == 500


def test_funding_is_the_isolated_wallets():
    desk = isolated()
    desk.buy("0.1")
    cross = desk.exchange.margin(MAIN).cross_wallet
    told, payment = desk.funding(0.001)
    update = [each for each in desk.outputs if isinstance(each, AccountUpdate)][-1]

    assert told == IsolatedWallets(wallets={BTC: d(495)})
    assert isinstance(payment, FundingPayment)
    assert (payment.amount, wallet_of(desk)) == (d(-5), d(495))
    assert desk.exchange.margin(MAIN).cross_wallet == cross
    assert (update.reason, update.change) == ("FUNDING_FEE", d(-5))
    assert [each.isolated_wallet for each in update.positions] == [495]


def test_margin_goes_in_and_out_and_is_remembered():
    desk = isolated()
    desk.buy("0.1")
    before = desk.exchange.liquidation_price(MAIN, BTC)
    assert desk.move_margin(100) is None
    update = [each for each in desk.outputs if isinstance(each, AccountUpdate)][-1]

    assert wallet_of(desk) == 600
    assert desk.exchange.liquidation_price(MAIN, BTC) < before
    assert (update.reason, update.change, update.wallet) == (
        "MARGIN_TRANSFER",
        d(-100),
        desk.wallet,
    )
    assert desk.move_margin("-99.5") is None
    moves = desk.exchange.margin_moves(MAIN, BTC)
    assert [each.amount for each in moves] == [100, d("-99.5")]


def test_margin_that_the_position_needs_stays():
    desk = isolated()
    desk.buy("0.1")

    assert desk.move_margin("-0.01") == ISOLATED_LACKS
    desk.trade(51_000)
    assert desk.move_margin("-0.01") == ISOLATED_LACKS, "profit is not taken out"


def test_margin_can_be_moved_where_there_is_an_isolated_position_alone():
    desk = isolated()
    assert desk.move_margin(10) == NO_POSITION_FOR_MARGIN
    desk.buy("0.1")
    desk.buy(1, symbol=ETH)
    assert desk.move_margin(10, symbol=ETH) == ONLY_ISOLATED
    assert desk.move_margin(1_000_000) == CROSS_LACKS


def test_the_margin_type_stands_while_orders_or_positions_do():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1", 49_000, cl_ord_id="rests")
    assert desk.isolate() == HAS_OPEN_ORDERS
    desk.cancel("rests")
    desk.buy("0.1")
    assert desk.isolate() == HAS_POSITION
    desk.sell("0.1")
    assert desk.isolate() is None
    assert desk.isolate() == SAME_MARGIN_TYPE
    assert desk.isolate(is_isolated=False) is None


def test_leverage_goes_up_but_not_down_while_it_is_open():
    desk = isolated()
    desk.buy("0.1")

    assert desk.exchange.set_leverage(MAIN, BTC, 5).code == ISOLATED_LEVERAGE
    assert desk.exchange.set_leverage(MAIN, BTC, 20) is None
    assert wallet_of(desk) == 500


def test_an_order_needs_margin_that_no_isolated_position_has():
    desk = isolated(balance=1_000)
    desk.buy("0.1")

    assert desk.buy("0.1")[0].code == MARGIN
    assert desk.buy(2, symbol=ETH)[0].code == MARGIN


def test_each_side_of_a_hedge_has_its_own_wallet():
    desk = Desk(leverage=10)
    desk.hedge()
    desk.isolate()
    desk.trade(50_000)
    desk.buy("0.1", position_side=LONG)
    desk.sell("0.2", position_side=SHORT)
    margin = desk.exchange.symbol_margin
    assert [margin(MAIN, BTC, s).position.isolated_wallet for s in (LONG, SHORT)] == [500, 1000]
    desk.mark(44_000)

    assert (desk.qty(side=LONG), desk.qty(side=SHORT)) == (0, d("-0.2"))


def test_a_position_that_is_bankrupt_as_it_is_opened_is_seen_with_the_next_message():
    """A trade between the bands was passed over, though nobody had looked since the fill."""
    desk = Desk()
    desk.isolate()
    desk.mark(51_800)
    desk.trade(49_500)
    desk.trade(49_500)
    desk.sell("0.01")

    assert "autoclose-1 0.01@51800" in story(desk.trade(49_500))
    assert desk.qty() == 0

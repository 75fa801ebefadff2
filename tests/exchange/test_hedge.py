"""A hedged account holds a long and a short position of one symbol, each of its own."""

from __future__ import annotations

import pytest

from holdfast.exchange import AccountUpdate, HedgedReport, OrderUpdate
from holdfast.exchange.refusals import (
    MODE_HAS_OPEN_ORDERS,
    MODE_HAS_POSITION,
    OTHER_POSITION_SIDE,
    REDUCE_ONLY,
    REDUCE_ONLY_CONFLICT,
    SAME_POSITION_MODE,
)
from holdfast.model.values import MAIN, OrderType
from tests.exchange.desk import BOTH, BTC, ETH, LONG, SHORT, Desk, d, story


def hedged(**more):
    desk = Desk(**more)
    desk.hedge()
    desk.trade(50_000)
    return desk


def test_long_and_short_stand_side_by_side():
    desk = hedged()
    desk.buy("0.3", position_side=LONG)
    desk.sell("0.2", position_side=SHORT)

    assert (desk.qty(side=LONG), desk.qty(side=SHORT)) == (d("0.3"), d("-0.2"))
    assert desk.qty(side=BOTH) == 0


def test_each_side_realizes_its_own_profit():
    desk = hedged()
    desk.buy("0.3", position_side=LONG)
    desk.sell("0.2", position_side=SHORT)
    desk.trade(51_000)
    from_long = desk.sell("0.1", position_side=LONG)[-1]
    from_short = desk.buy("0.2", position_side=SHORT)[-1]

    assert (from_long.realized_pnl, from_short.realized_pnl) == (100, -200)
    assert isinstance(from_long, HedgedReport)
    assert from_long.position_side is LONG
    assert (desk.qty(side=LONG), desk.qty(side=SHORT)) == (d("0.2"), 0)


@pytest.mark.parametrize(
    ("is_hedged", "side"), [(False, LONG), (False, SHORT), (True, BOTH)], ids=str
)
def test_an_order_must_name_a_position_that_there_can_be(is_hedged, side):
    desk = hedged() if is_hedged else Desk()
    desk.trade(50_000)

    assert desk.buy("0.1", position_side=side)[0].code == OTHER_POSITION_SIDE


def test_closing_more_than_there_is_is_refused():
    desk = hedged()
    desk.buy("0.1", position_side=LONG)

    assert desk.sell("0.2", position_side=LONG)[0].code == REDUCE_ONLY
    assert desk.buy("0.1", position_side=SHORT)[0].code == REDUCE_ONLY


def test_a_close_is_not_amended_to_more_than_there_is():
    desk = Desk()
    desk.trade(50_000)
    desk.hedge()
    desk.buy("0.2", position_side=LONG)
    desk.sell("0.2", 51_000, position_side=LONG, cl_ord_id="close")

    (refusal,) = desk.amend("close", "0.3", 51_000)

    assert refusal.code == REDUCE_ONLY
    assert desk.amend("close", "0.1", 52_000)[0].qty == d("0.1")
    assert desk.amend("close", "0.2", 52_000)[0].qty == d("0.2")


def test_reduce_only_on_an_order_that_adds_is_a_conflict():
    desk = hedged()

    assert desk.buy("0.1", position_side=LONG, reduce_only=True)[0].code == REDUCE_ONLY_CONFLICT


def test_a_resting_close_ends_with_its_own_position_alone():
    desk = hedged()
    desk.buy("0.1", position_side=LONG)
    desk.sell("0.1", position_side=SHORT)
    desk.buy("0.1", 48_000, position_side=SHORT, cl_ord_id="close-short")
    desk.sell("0.1", 52_000, position_side=LONG, cl_ord_id="close-long")
    told = story(desk.sell("0.1", position_side=LONG))

    assert "close-long EXPIRED" in told
    assert desk.open_ids() == ["close-short"]


def test_a_stop_of_one_side_leaves_the_other_alone():
    desk = hedged()
    desk.buy("0.1", position_side=LONG)
    desk.sell("0.1", position_side=SHORT)
    desk.sell("0.5", kind=OrderType.STOP_MARKET, trigger_price=49_000, position_side=LONG)
    desk.trade(48_900)

    assert (desk.qty(side=LONG), desk.qty(side=SHORT)) == (0, d("-0.1"))


def test_a_close_shows_all_three_rows_and_an_opening_its_own():
    desk = hedged()
    desk.buy("0.1", position_side=LONG)
    opening = [each for each in desk.outputs if isinstance(each, AccountUpdate)][-1]
    desk.sell("0.1", position_side=LONG)
    closing = [each for each in desk.outputs if isinstance(each, AccountUpdate)][-1]

    assert [each.side for each in opening.positions] == [LONG]
    assert [each.side for each in closing.positions] == [BOTH, LONG, SHORT]


def test_both_sides_tie_up_margin_and_share_the_leverage():
    desk = hedged()
    desk.exchange.set_leverage(MAIN, BTC, 10)
    desk.buy("0.1", position_side=LONG)
    desk.sell("0.2", position_side=SHORT)
    desk.buy("0.1", 49_000, position_side=LONG)
    total = desk.exchange.margin(MAIN)

    assert total.position_margin == 1500
    assert total.order_margin == 490
    assert total.unrealized == 0


def test_the_mode_stands_while_orders_or_positions_do():
    desk = hedged()
    change = desk.exchange.set_position_mode

    assert change(MAIN, is_hedged=True).code == SAME_POSITION_MODE
    desk.buy("0.1", 49_000, position_side=LONG, cl_ord_id="rests")
    assert change(MAIN, is_hedged=False).code == MODE_HAS_OPEN_ORDERS
    desk.cancel("rests")
    desk.buy("0.1", position_side=LONG)
    assert change(MAIN, is_hedged=False).code == MODE_HAS_POSITION
    desk.sell("0.1", position_side=LONG)
    assert change(MAIN, is_hedged=False) is None
    assert story(desk.buy("0.1"))[-1].endswith("0.1@50000")


def test_funding_is_paid_by_one_side_and_got_by_the_other():
    desk = hedged()
    desk.buy("0.3", position_side=LONG)
    desk.sell("0.1", position_side=SHORT)
    payments = desk.funding(0.0001)

    assert [each.amount for each in payments] == [d("-1.5"), d("0.5")]
    assert len({each.payment_id for each in payments}) == 2


def test_both_sides_have_one_liquidation_price_and_go_together_at_it():
    """W = 1,000 less fees; long 0.5 and short 0.1 at 50,000: what W bears is 0.4 net."""
    desk = hedged(balance=1_000, leverage=100)
    desk.buy("0.5", position_side=LONG)
    desk.sell("0.1", position_side=SHORT)
    price = desk.exchange.liquidation_price(MAIN, BTC, LONG)

    assert price == desk.exchange.liquidation_price(MAIN, BTC, SHORT)
    wallet, mmr = desk.wallet, d("0.004")
    assert wallet + d("0.4") * (price - 50_000) == pytest.approx(price * d("0.6") * mmr)
    desk.mark(price + 1)
    assert desk.qty(side=LONG) == d("0.5")
    desk.mark(price - 1)
    assert not desk.exchange.held(MAIN)


def test_as_much_long_as_short_is_not_liquidated_by_a_fall():
    desk = hedged()
    desk.buy("0.1", position_side=LONG)
    desk.sell("0.1", position_side=SHORT)
    desk.mark(10_000)

    assert len(desk.exchange.held(MAIN)) == 2


def test_other_symbols_and_accounts_know_nothing_of_it():
    desk = hedged()
    desk.trade(3_000, symbol=ETH)
    desk.buy("0.1", position_side=LONG)
    desk.sell(1, position_side=SHORT, symbol=ETH)

    assert (desk.qty(side=LONG), desk.qty(ETH, side=SHORT)) == (d("0.1"), -1)
    assert desk.qty(ETH, side=LONG) == 0


def test_deleveraging_closes_a_part_without_a_fee_and_ends_that_sides_orders():
    desk = hedged()
    desk.buy("0.3", position_side=LONG)
    desk.sell("0.1", position_side=SHORT)
    desk.sell("0.1", 52_000, position_side=LONG, cl_ord_id="l")
    desk.buy("0.1", 48_000, position_side=SHORT, cl_ord_id="s")
    wallet = desk.wallet
    outputs = desk.exchange.force_adl(MAIN, BTC, LONG, d("0.2"), desk.now)
    fill = [each for each in outputs if isinstance(each, OrderUpdate)][-1]

    assert (fill.order.cl_ord_id, fill.report.last_qty) == ("adl_autoclose", d("0.2"))
    assert desk.wallet == wallet
    assert (desk.qty(side=LONG), desk.open_ids()) == (d("0.1"), ["s"])

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.exchange import AccountUpdate, PositionSide, messages
from holdfast.model.instrument import Instrument, as_money
from holdfast.model.market import Funding, MarkPrice
from holdfast.model.messages import ExecutionReport, FundingPayment, WalletChange
from holdfast.model.values import MAIN, OrderType
from tests.exchange.desk import BTC, ETH, OTHER, START, Desk, S, d, instrument, story


def test_a_taker_pays_the_taker_fee_and_a_maker_the_maker_fee():
    desk = Desk()
    desk.trade(50_000)
    taken = desk.buy("0.1")[-1]
    desk.buy("0.1", 49_000)
    made = desk.trade(48_990)[-1]

    assert (taken.fee, made.fee) == (d("2.5"), d("0.98"))
    assert desk.wallet == 10_000 - d("3.48")


def test_a_fee_has_eight_decimals():
    desk = Desk()
    desk.trade("91739.9")

    assert desk.buy("0.003")[-1].fee == d("0.13760985")


def test_profit_is_realized_by_average_cost():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    desk.trade(52_000)
    desk.buy("0.1")
    desk.trade(53_000)

    report = desk.sell("0.1")[-1]

    assert report.realized_pnl == 200
    assert desk.exchange.positions(MAIN)[0].entry_price == 51_000


def test_a_flip_closes_first_and_opens_the_rest_at_its_own_price():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    desk.trade(51_000)

    report = desk.sell("0.3")[-1]

    assert report.realized_pnl == 100
    position = desk.exchange.positions(MAIN)[0]
    assert position.qty == d("-0.2")
    assert position.entry_price == 51_000


def test_a_real_position_has_the_margins_that_the_venue_showed():
    """BTCUSDT, 80x, long 0.009 at 67445.9; margins and prices as Binance reported them."""
    desk = Desk()
    desk.exchange.set_leverage(MAIN, BTC, 80)
    desk.trade("67445.9")
    fee = desk.buy("0.009")[-1].fee
    desk.exchange.deposit(MAIN, d("25.72470371") - desk.wallet, desk.now)
    desk.mark("67502.68519858")

    row = desk.exchange.symbol_margin(MAIN, BTC)
    liquidation = desk.exchange.liquidation_price(MAIN, BTC)

    assert fee == as_money(d("67445.9") * d("0.009") * d("0.0005"))
    assert as_money(row.unrealized) == d("0.51106679")
    assert as_money(row.position_margin) == d("7.59405208")
    assert as_money(row.maintenance) == d("2.43009667")
    assert row.order_margin == 0
    assert abs(row.position.break_even_price - d("67479.62295")) < d("0.000001")
    assert liquidation is not None
    assert abs(liquidation - d("64846.98753790")) < d("0.0000001")


def test_the_break_even_of_a_real_short():
    """SOLUSDT-like short at 70.92841 with 4 basis points of taker fee."""
    sol = Instrument(
        symbol=BTC,
        base_asset="SOL",
        tick=d("0.00001"),
        lot=d("0.01"),
        min_qty=d("0.01"),
        taker_fee=d("0.0004"),
    )
    desk = Desk(sol)
    desk.trade("70.92841")
    desk.sell(1000)

    row = desk.exchange.symbol_margin(MAIN, BTC)

    assert as_money(row.position.break_even_price) == d("70.90003864")


def test_break_even_forgets_the_fees_of_what_was_closed():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.2")
    desk.sell("0.1")

    assert desk.exchange.symbol_margin(MAIN, BTC).position.break_even_price == 50_025
    desk.sell("0.3")
    assert desk.exchange.symbol_margin(MAIN, BTC).position.break_even_price == 49_975


def test_the_margin_balance_is_the_wallet_and_what_positions_would_bring():
    desk = Desk()
    desk.trade(50_000)
    desk.trade(3_000, symbol=ETH)
    desk.buy("0.1")
    desk.sell(1, symbol=ETH)
    desk.trade(50_500)
    desk.trade(3_010, symbol=ETH)

    margin = desk.exchange.margin(MAIN)

    assert margin.unrealized == 40
    assert margin.balance == desk.wallet + 40
    assert margin.position_margin == (5_050 + 3_010) / d(20)
    assert margin.available == margin.balance - margin.position_margin


def test_funding_moves_money_from_longs_to_shorts():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    desk.sell("0.2", account=OTHER)
    desk.mark(51_000)
    wallets = desk.wallet, desk.exchange.balances(OTHER)["USDT"]

    outputs = desk.exchange.on_market(_funding(desk, "0.0001"), desk.now)
    paid, received = [m for m in messages(outputs) if isinstance(m, FundingPayment)]

    assert (paid.amount, received.amount) == (d("-0.51"), d("1.02"))
    assert desk.wallet == wallets[0] - d("0.51")
    assert desk.exchange.balances(OTHER)["USDT"] == wallets[1] + d("1.02")
    assert [type(o) for o in outputs] == [AccountUpdate, FundingPayment] * 2


def _funding(desk, rate):
    return Funding(symbol=BTC, ts=desk.now, rate=float(rate))


def test_announced_funding_is_paid_once_at_its_time_at_the_last_rate():
    desk = Desk()
    due = START + 100 * S
    desk.mark(50_000, rate=0.0001, next_ts=due)
    desk.trade(50_000)
    desk.buy("0.1")
    desk.mark(50_000, rate=0.0002, next_ts=due)

    assert desk.tick(due - 1) == []

    (payment,) = desk.tick(due)

    assert payment.amount == -1
    assert payment.payment_id == f"funding-BTCUSDT-{due}"
    assert desk.tick(due + S) == []
    assert desk.mark(50_000, rate=0.0002, next_ts=due) == []
    assert desk.funding(0.0002) == []  # the same funding, recorded a moment later


def test_funding_that_fell_due_is_paid_before_the_next_is_announced():
    desk = Desk()
    due = START + 100 * S
    desk.mark(50_000, rate=0.0001, next_ts=due)
    desk.trade(50_000)
    desk.buy("0.1")
    desk.now = due

    (payment,) = desk.mark(60_000, rate=0.05, next_ts=due + 8 * 3600 * S)

    assert payment.amount == d("-0.5")


def test_funding_is_paid_when_the_venues_clock_is_ahead():
    """The next one was announced before our clock came to the due time, and it was forgotten."""
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    due = desk.now + 100 * S
    desk.mark(50_000, rate=0.0001, next_ts=due)
    late = MarkPrice(
        symbol=BTC, ts=due, mark_price=60_000.0, funding_rate=0.05, next_funding_ts=due + 28_800 * S
    )
    outputs = desk.exchange.on_market(late, due - 5_000_000)
    (payment,) = [each for each in messages(outputs) if isinstance(each, FundingPayment)]

    assert payment.amount == d("-0.5")
    assert desk.tick(due) == []


@pytest.mark.parametrize("late", [0, S])
def test_funding_that_is_first_announced_when_it_is_due_is_paid(late):
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    due = desk.now + S - late
    assert desk.mark(50_000, rate=0.0001, next_ts=due) == []

    (payment,) = desk.tick(desk.now + 1)

    assert payment.amount == d("-0.5")
    assert desk.mark(50_000, rate=0.0001, next_ts=due) == []
    assert desk.tick(desk.now + S) == []


def test_fundings_of_a_market_sixty_times_as_fast_are_all_paid():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    first = desk.now + 100 * S
    paid = []
    for number in range(5):
        desk.mark(50_000, rate=0.0001, next_ts=first + number * 480 * S)
        paid += desk.tick(first + number * 480 * S)

    assert len(paid) == 5


def test_a_flat_account_pays_no_funding():
    desk = Desk()
    desk.trade(50_000)

    assert desk.funding(0.01) == []


def test_liquidation_ends_orders_closes_at_the_mark_and_takes_its_fee():
    desk = Desk(balance=1_000)
    desk.trade(50_000)
    desk.buy("0.3")
    desk.buy("0.01", 45_000)
    desk.sell("0.3", kind=OrderType.STOP_MARKET, trigger_price=40_000)
    wallet = desk.wallet
    price = desk.exchange.liquidation_price(MAIN, BTC)
    assert price is not None

    assert desk.mark(float(price) + 1) == []

    reports = desk.mark(float(price) - 1)

    assert story(reports)[:2] == ["o2 EXPIRED", "o3 EXPIRED"]
    fill = reports[2]
    assert fill.cl_ord_id == "autoclose-1"
    assert fill.fee == as_money(fill.last_qty * fill.last_px * d("0.0125"))
    assert desk.qty() == 0
    assert desk.open_ids() == []
    insurance = -min(Decimal(0), wallet + fill.realized_pnl - fill.fee)
    assert desk.wallet == wallet + fill.realized_pnl - fill.fee + insurance


def test_insurance_covers_what_a_gap_left_below_zero():
    desk = Desk(balance=1_000)
    desk.trade(50_000)
    desk.buy("0.3")

    reports = desk.trade(40_000)

    (change,) = [r for r in reports if isinstance(r, WalletChange)]
    assert change.reason == "insurance"
    assert change.amount > 0
    assert desk.wallet == 0


def test_insurance_covers_what_a_stop_lost_in_a_gap():
    """Protected by a stop the account owed 2,000; without one it owed nothing."""
    desk = Desk(balance=1_000)
    desk.trade(50_000)
    desk.buy("0.3")
    desk.sell("0.3", kind=OrderType.STOP_MARKET, trigger_price=49_000, reduce_only=True)

    reports = desk.trade(40_000)

    assert story(reports) == ["o2 TRIGGERED", "o2 NEW", "o2 0.3@40000", "WalletChange"]
    assert reports[-1].reason == "insurance"
    assert desk.wallet == 0


def test_an_open_position_stands_for_a_wallet_below_zero():
    desk = Desk(balance=1_500)
    desk.trade(50_000)
    desk.trade(3_000, symbol=ETH)
    desk.buy("0.4")
    desk.buy(3, symbol=ETH)
    desk.sell("0.4", kind=OrderType.STOP_MARKET, trigger_price=49_000, reduce_only=True)
    desk.trade(4_000, symbol=ETH)
    desk.trade(46_000)

    assert desk.wallet < 0
    assert desk.qty(ETH) == 3


def test_liquidation_looks_across_positions():
    desk = Desk(balance=2_600)
    desk.trade(50_000)
    desk.trade(3_000, symbol=ETH)
    desk.buy("0.4")
    desk.sell(5, symbol=ETH)

    assert desk.trade(46_000) == []  # 1600 lost: the rest still covers the maintenance

    reports = desk.trade(3_190, symbol=ETH)

    assert [word.split()[0] for word in story(reports)] == [
        "autoclose-1",
        "autoclose-2",
        "WalletChange",
    ]
    assert desk.exchange.positions(MAIN) == []


def test_a_side_without_a_quote_is_no_half_price():
    """The rough look took half the bid for the mark, and a short there for very rich."""
    desk = Desk(balance=3_000)
    desk.quote(50_000, 50_001)
    desk.quote(3_000, 3_001, symbol=ETH)
    desk.buy("0.4")
    desk.sell(3, symbol=ETH)
    desk.quote(3_000, 0, symbol=ETH)

    assert desk.exchange.mark_price(ETH) is None
    assert story(desk.quote(42_600, 42_601))[0].startswith("autoclose-1")


def test_inside_a_bar_liquidation_comes_at_its_price_not_at_the_extreme():
    desk = Desk(balance=1_000)
    desk.bar(50_000, 50_000, 50_000, 50_000)
    desk.buy("0.3")
    price = desk.exchange.liquidation_price(MAIN, BTC)
    assert price is not None

    reports = desk.bar(50_000, 50_001, 40_000, 41_000)

    assert abs(reports[0].last_px - price) < 1


def test_the_other_account_is_left_alone():
    desk = Desk(balance=1_000)
    desk.trade(50_000)
    desk.buy("0.3")
    desk.buy("0.01", account=OTHER)
    desk.trade(46_500)

    assert desk.qty() == 0
    assert desk.qty(account=OTHER) == d("0.01")


def test_brackets_that_come_later_liquidate():
    desk = Desk(msgspec.structs.replace(instrument(), brackets=()), balance=1_000)
    desk.exchange.add_instrument(instrument())
    desk.trade(50_000)
    desk.buy("0.3")

    assert story(desk.trade(46_500)) == ["autoclose-1 0.3@46500", "WalletChange"]


def test_brackets_that_become_harsher_liquidate_at_a_price_that_was_heard_before():
    desk = Desk(msgspec.structs.replace(instrument(), brackets=()), balance=1_000)
    desk.trade(50_000)
    desk.buy("0.3")
    assert story(desk.trade(46_700)) == []
    assert story(desk.trade(46_700)) == []

    harsh = [msgspec.structs.replace(b, maint_margin_ratio=d("0.1")) for b in instrument().brackets]
    desk.exchange.add_instrument(msgspec.structs.replace(instrument(), brackets=tuple(harsh)))

    assert story(desk.trade(46_700)) == ["autoclose-1 0.3@46700", "WalletChange"]


# Reduce-only


def test_reduce_only_against_the_position_is_refused():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")

    assert story(desk.buy("0.1", reduce_only=True)) == ["o2 REJECTED -2022"]


def test_reduce_only_at_the_market_closes_no_more_than_there_is():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")

    assert story(desk.sell("0.3", reduce_only=True)) == ["o2 NEW", "o2 0.1@50000", "o2 EXPIRED"]


def test_resting_reduce_only_orders_end_with_the_position():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.1")
    desk.sell("0.1", 51_000, reduce_only=True)
    desk.sell("0.1", 52_000)

    assert story(desk.sell("0.1")) == ["o4 NEW", "o4 0.1@50000", "o2 EXPIRED"]
    assert desk.open_ids() == ["o3"]


def test_a_reduce_only_order_fills_no_more_than_the_position():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.2")
    desk.sell("0.2", 51_000, reduce_only=True)
    desk.sell("0.15")

    assert story(desk.trade(51_001)) == ["o2 0.05@51000", "o2 EXPIRED"]
    assert desk.qty() == 0


def test_a_reduce_only_order_beyond_the_position_is_refused():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.2")
    desk.sell("0.2", 51_000, reduce_only=True)

    assert story(desk.sell("0.1", 52_000, reduce_only=True)) == ["o3 REJECTED -2022"]


def test_a_better_reduce_only_order_knocks_out_a_worse_one():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.2")
    desk.sell("0.2", 51_000, reduce_only=True)

    assert story(desk.sell("0.2", 50_900, reduce_only=True)) == ["o3 NEW", "o2 EXPIRED"]


def test_a_stop_beside_a_full_take_profit_is_taken():
    desk = Desk()
    desk.trade(50_000)
    desk.buy("0.2")
    desk.sell("0.2", 51_000, reduce_only=True)

    stop = desk.sell("0.2", kind=OrderType.STOP_MARKET, trigger_price=49_000, reduce_only=True)

    assert story(stop) == ["o3 NEW"]
    assert story(desk.trade(48_900)) == [
        "o3 TRIGGERED",
        "o3 NEW",
        "o3 0.2@48900",
        "o2 EXPIRED",
    ]


@pytest.mark.parametrize("amount", [d(500), d(-500)])
def test_a_deposit_is_told_with_its_own_id(amount):
    desk = Desk()

    (change,) = messages(desk.exchange.deposit(MAIN, amount, START))

    assert isinstance(change, WalletChange)
    assert (change.amount, change.reason, change.change_id) == (amount, "deposit", "deposit-3")
    assert desk.wallet == 10_000 + amount


def burning(desk):
    desk.exchange.deposit(MAIN, d(1), desk.now, "BNB")
    desk.exchange.set_fee_burn(MAIN, is_on=True)


def test_a_fee_in_bnb_costs_the_position_nothing():
    desk = Desk()
    burning(desk)
    desk.trade(50_000)
    fill = desk.buy("0.1")[-1]

    assert (fill.fee, fill.fee_asset) == (d("0.00375"), "BNB")  # 2.5 * 0.9 / 600
    assert desk.wallet == 10_000
    assert desk.exchange.symbol_margin(MAIN, BTC).position.break_even_price == 50_000


def test_what_the_exchange_closes_itself_is_paid_for_in_the_margin_asset():
    desk = Desk()
    burning(desk)
    desk.trade(50_000)
    desk.buy("0.1")
    outputs = messages(desk.exchange.force_liquidation(MAIN, BTC, PositionSide.BOTH, desk.now))
    fees = [m.fee_asset for m in outputs if isinstance(m, ExecutionReport) and m.last_qty]

    assert fees == ["USDT"]


def test_funding_that_fell_due_in_a_halt_is_paid_by_who_held_in_it():
    desk, due = Desk(), START + 100 * S
    desk.mark(50_000, rate=0.0001, next_ts=due)
    desk.trade(50_000)
    desk.buy("0.1")
    desk.exchange.add_instrument(msgspec.structs.replace(instrument(), status="BREAK"))
    assert desk.tick(due + S) == []
    desk.exchange.add_instrument(instrument())

    [payment] = desk.tick(due + 2 * S)

    assert payment.amount == d("-0.5")
    desk.trade(50_000)
    desk.buy("0.1")
    assert desk.mark(50_000, rate=0.0001, next_ts=due + 28_800 * S) == [], "once"

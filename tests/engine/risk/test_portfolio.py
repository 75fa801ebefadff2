"""Limits that look across the accounts of a session."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.engine.risk import PORTFOLIO_RULES, assess
from holdfast.model import events as ev
from holdfast.model.market import MarkPrice
from holdfast.model.values import MAIN, NS_PER_DAY, NS_PER_S, AccountId, SessionId, Symbol
from tests.engine.risk.desk import BTC, ETH, Desk

OTHER, APART = AccountId("other"), AccountId("apart")
USDC_BTC = Symbol("BTCUSDC")


def desk_of_three(**limits):
    """Two accounts that have USDT, 10,000 each, and one whose contract another asset settles."""
    desk = Desk(**limits)
    desk.tell(
        ev.EpochStarted(
            ts=desk.now,
            epoch=2,
            session_id=SessionId("s"),
            portfolio_id="p",
            accounts=(MAIN, OTHER, APART),
            strategies=(),
            symbols=(),
            venue="paper",
            is_resumed=True,
        )
    )
    desk.define(BTC, account=OTHER)
    desk.define(ETH, account=APART, margin_asset="USDC")
    for account, asset in ((OTHER, "USDT"), (APART, "USDC")):
        desk.tell(
            ev.WalletChanged(
                ts=desk.now,
                account=account,
                asset=asset,
                amount=Decimal(10_000),
                reason="deposit",
                change_id=f"of-{account}",
            )
        )
    return desk


def check(desk, rule, order):
    verdict = PORTFOLIO_RULES[rule](order, desk.context())
    assert bool(verdict.reason) is not verdict.passed
    return verdict


def begin_day(desk, account, equity="10000", asset=""):
    today = desk.now // NS_PER_DAY
    desk.tell(
        ev.TradingDayStarted(
            ts=desk.now, account=account, day=today, equity=Decimal(equity), asset=asset
        )
    )


@pytest.mark.parametrize(("qty", "share", "passes"), [("20", "0.25", True), ("21", "0.255", False)])
def test_gross_exposure_counts_all_accounts_of_one_margin_asset(qty, share, passes):
    desk = desk_of_three(max_portfolio_exposure_pct=Decimal("0.25"))
    desk.hold(BTC, "-20", account=OTHER)
    desk.hold(ETH, "90", account=APART)
    desk.rest(desk.buy("10"))

    verdict = check(desk, "portfolio_exposure", desk.buy(qty))

    assert (verdict.passed, verdict.value) == (passes, Decimal(share))


def test_open_orders_of_another_account_count_as_if_each_filled():
    desk = desk_of_three(max_portfolio_exposure_pct=Decimal("0.25"))
    desk.rest(desk.buy("40", account=OTHER))

    assert not check(desk, "portfolio_exposure", desk.buy("11")).passed
    assert check(desk, "portfolio_exposure", desk.buy("10")).passed


def test_what_an_account_has_open_in_an_asset_that_it_does_not_trade_counts_too():
    """Somebody else's order there would be its position once it fills."""
    desk = desk_of_three(max_portfolio_exposure_pct=Decimal("0.5"))
    desk.rest(desk.buy("40", account=OTHER, symbol=USDC_BTC, price="100"))

    verdict = check(desk, "portfolio_exposure", desk.buy("20", account=APART, symbol=ETH))
    assert (verdict.passed, verdict.value) == (False, Decimal("0.6"))


@pytest.mark.parametrize(
    ("price", "loss", "passes"),
    [("105", "0.05", True), ("110", "0.1", False), ("90", "-0.1", True)],
)
def test_the_days_loss_counts_all_accounts_of_one_margin_asset(price, loss, passes):
    desk = desk_of_three(max_portfolio_daily_loss_pct=Decimal("0.1"))
    for account in (MAIN, OTHER, APART):
        begin_day(desk, account)
    desk.hold(BTC, "-100", account=MAIN)
    desk.hold(BTC, "-100", account=OTHER)
    desk.trade(BTC, float(price))

    verdict = check(desk, "portfolio_loss", desk.buy())

    assert (verdict.passed, verdict.value) == (passes, Decimal(loss))


def test_a_new_day_that_is_not_begun_yet_has_cost_the_accounts_nothing():
    desk = desk_of_three(max_portfolio_daily_loss_pct=Decimal("0.1"))
    for account in (MAIN, OTHER):
        begin_day(desk, account)
    desk.hold(BTC, "-300")
    desk.trade(BTC, 110.0)
    desk.now += NS_PER_DAY

    assert check(desk, "portfolio_loss", desk.buy()).value == 0

    begin_day(desk, OTHER, "12000")  # of one of them it is known what it began with
    assert check(desk, "portfolio_loss", desk.buy()).value == Decimal(2000) / 19000


def test_the_days_loss_is_of_the_contracts_margin_asset_alone():
    desk = desk_of_three(max_portfolio_daily_loss_pct=Decimal("0.1"))
    desk.define(USDC_BTC, margin_asset="USDC")  # main has contracts of both now
    for account, asset in ((MAIN, "USDT"), (MAIN, "USDC"), (OTHER, "USDT"), (APART, "USDC")):
        begin_day(desk, account, "10000", asset)
    desk.hold(BTC, "-200")
    desk.trade(BTC, 110.0)
    desk.trade(USDC_BTC, 110.0)

    assert check(desk, "portfolio_loss", desk.buy()).value == Decimal("0.1")
    # Of main's USDC nothing was ever there: its day began with more than it has.
    assert check(desk, "portfolio_loss", desk.buy(symbol=USDC_BTC)).value == Decimal("0.5")


def test_the_day_of_an_asset_that_an_account_trades_no_more_is_no_loss_of_the_others():
    desk = desk_of_three(max_portfolio_daily_loss_pct=Decimal("0.1"))
    desk.define(USDC_BTC, account=OTHER, margin_asset="USDC")
    for account in (OTHER, APART):
        begin_day(desk, account, "10000", "USDC")
    desk.state.symbols = (BTC, ETH)

    assert check(desk, "portfolio_loss", desk.buy(symbol=ETH, account=APART)).value == 0


def test_gross_exposure_of_an_account_with_two_margin_assets_counts_each_by_itself():
    desk = desk_of_three(max_portfolio_exposure_pct=Decimal("0.25"))
    desk.define(USDC_BTC, account=OTHER, margin_asset="USDC")
    desk.trade(USDC_BTC, 100.0)
    desk.hold(USDC_BTC, "50", account=OTHER)
    desk.hold(BTC, "20", account=OTHER)

    assert check(desk, "portfolio_exposure", desk.buy("30")).value == Decimal("0.25")
    apart = check(desk, "portfolio_exposure", desk.buy("10", symbol=ETH, account=APART))
    assert apart.value == Decimal("0.6")


def test_an_account_that_comes_to_an_asset_later_is_no_gain_of_the_others():
    desk = desk_of_three(max_portfolio_drawdown_pct=Decimal("0.1"))
    sample(desk, APART, "10000", "USDC")
    assert desk.state.portfolio_peaks == {"USDC": 10_000}
    desk.define(USDC_BTC, account=OTHER, margin_asset="USDC")
    sample(desk, APART, "9000", "USDC")
    sample(desk, OTHER, "500", "USDC")
    assert desk.state.portfolio_peaks == {"USDC": 10_500}

    sample(desk, APART, "9800", "USDC")
    sample(desk, OTHER, "400", "USDC")
    assert desk.state.portfolio_peaks == {"USDC": 10_500}


def sample(desk, account, equity, asset=""):
    desk.tell(
        ev.EquitySampled(
            ts=desk.now,
            asset=asset,
            account=account,
            equity=Decimal(equity),
            wallet=Decimal(equity),
            unrealized=Decimal(0),
            exposure=Decimal(0),
        )
    )


def test_the_fall_from_the_peak_counts_what_the_accounts_had_together():
    """Their highest were at other times: together they never had the sum of both."""
    desk = desk_of_three(max_portfolio_drawdown_pct=Decimal("0.1"))
    sample(desk, MAIN, "12000")
    assert check(desk, "portfolio_drawdown", desk.buy()).value == 0  # not each was sampled yet
    sample(desk, OTHER, "8000")
    sample(desk, MAIN, "10000")
    sample(desk, OTHER, "12000")
    sample(desk, APART, "90000")

    fallen = check(desk, "portfolio_drawdown", desk.buy(account=OTHER))
    assert desk.state.portfolio_peaks["USDT"] == 22_000
    assert (fallen.passed, fallen.value) == (True, Decimal(2000) / 22_000)
    desk.hold(BTC, "-100")
    desk.trade(BTC, 105.0)
    assert not check(desk, "portfolio_drawdown", desk.buy(account=OTHER)).passed


def test_samples_of_other_instants_are_no_sum_of_what_the_accounts_had_together():
    desk = desk_of_three(max_portfolio_drawdown_pct=Decimal("0.1"))
    sample_both(desk, "10000", "10000")
    desk.now += NS_PER_S
    sample(desk, MAIN, "13000")
    assert desk.state.portfolio_peaks["USDT"] == 20_000  # of the other it is not known yet
    sample(desk, OTHER, "7000")
    assert desk.state.portfolio_peaks["USDT"] == 20_000

    desk.now += NS_PER_S
    sample_both(desk, "13000", "7500")
    assert desk.state.portfolio_peaks["USDT"] == 20_500


def test_samples_of_two_instants_give_no_first_peak():
    desk = desk_of_three()
    sample(desk, MAIN, "10000")
    desk.now += NS_PER_S
    sample(desk, OTHER, "10000")

    assert desk.state.portfolio_peaks == {}


def test_an_account_that_has_left_an_asset_counts_with_what_it_has_there():
    """It is sampled no more: its last sample is of when it held something."""
    desk = desk_of_three()
    sample_both(desk, "10000", "14000")
    del desk.state.instruments[OTHER, BTC]
    desk.define(USDC_BTC, account=OTHER, margin_asset="USDC")

    desk.now += NS_PER_S
    sample(desk, MAIN, "15000")

    assert desk.state.portfolio_peaks["USDT"] == 25_000


def sample_both(desk, main, other):
    sample(desk, MAIN, main)
    sample(desk, OTHER, other)


def test_money_that_is_moved_out_is_no_fall():
    desk = desk_of_three(max_portfolio_drawdown_pct=Decimal("0.1"))
    for account in (MAIN, OTHER):
        sample(desk, account, "10000")
    desk.state.account(OTHER).opened_ts = 1
    desk.tell(
        ev.WalletChanged(
            ts=desk.now,
            account=OTHER,
            asset="USDT",
            amount=Decimal(-5000),
            reason="TRANSFER",
            change_id="out",
        )
    )

    assert desk.state.portfolio_peaks["USDT"] == 15_000
    assert check(desk, "portfolio_drawdown", desk.buy()).value == 0


def test_the_peak_begins_anew_with_other_accounts_and_in_another_session():
    desk = desk_of_three()
    sample(desk, MAIN, "10000")
    sample(desk, OTHER, "10000")
    began = ev.EpochStarted(
        ts=desk.now,
        epoch=3,
        session_id=SessionId("s"),
        portfolio_id="p",
        accounts=(MAIN, OTHER, APART),
        strategies=(),
        symbols=(),
        venue="paper",
        is_resumed=True,
    )
    desk.tell(began)
    assert desk.state.portfolio_peaks == {"USDT": 20_000}

    desk.tell(msgspec.structs.replace(began, accounts=(MAIN,)))
    assert desk.state.portfolio_peaks == {}


def test_without_such_limits_the_rules_are_not_asked():
    desk = desk_of_three()
    asked = {verdict.rule for verdict in desk.assess(desk.buy())}

    assert not asked & set(PORTFOLIO_RULES)


def test_with_one_limit_each_is_asked_and_can_be_disabled():
    desk = desk_of_three(max_portfolio_exposure_pct=Decimal(5))
    asked = {verdict.rule for verdict in desk.assess(desk.buy())}
    assert asked >= set(PORTFOLIO_RULES)

    limits = msgspec.structs.replace(desk.settings.limits, disabled=("portfolio_loss",))
    desk.settings = msgspec.structs.replace(desk.settings, limits=limits)
    asked = {verdict.rule for verdict in assess(desk.buy(), desk.context())}
    assert asked & set(PORTFOLIO_RULES) == {"portfolio_exposure", "portfolio_drawdown"}


@pytest.mark.parametrize("held_on", [MAIN, OTHER])
@pytest.mark.parametrize("rule", sorted(PORTFOLIO_RULES))
def test_a_mark_far_from_the_market_makes_no_account_richer_for_all(rule, held_on):
    desk = desk_of_three(
        max_portfolio_exposure_pct=Decimal(5),
        max_portfolio_daily_loss_pct=Decimal("0.5"),
        max_portfolio_drawdown_pct=Decimal("0.5"),
    )
    for account in (MAIN, OTHER):
        begin_day(desk, account, "11000")
        sample(desk, account, "11000")
    desk.hold(BTC, "-90", account=held_on)
    desk.quote(BTC, 99.9, 100.1)
    shares = [check(desk, rule, desk.buy()).value]
    desk.market.see(MarkPrice(symbol=BTC, ts=desk.now, mark_price=60.0))
    shares.append(check(desk, rule, desk.buy()).value)

    assert shares[0] == shares[1] > 0


@pytest.mark.parametrize(
    ("main", "other", "owed", "passes"),
    [
        ("100", "-150", "20050", False),  # they owed 50 together, as they do now
        ("-10000", "10000", "0", False),  # what was won or lost since is no share of nothing
        ("-100", "50", "0", True),  # they owed 50, and have 20,000: nothing of that is lost
        (None, None, "0", True),  # no day has begun
    ],
)
def test_a_day_that_began_with_nothing_together_has_no_share_to_lose(main, other, owed, passes):
    desk = desk_of_three(max_portfolio_daily_loss_pct=Decimal("0.1"))
    desk.tell(
        ev.WalletChanged(
            ts=desk.now,
            account=OTHER,
            asset="USDT",
            amount=-Decimal(owed),
            reason="liquidation",
            change_id="owed",
        )
    )
    for account, equity in ((MAIN, main), (OTHER, other)):
        if equity is not None:
            begin_day(desk, account, equity)

    assert check(desk, "portfolio_loss", desk.buy()).passed is passes

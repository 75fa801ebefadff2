"""Rules that stop opening after losses, open ones included."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import events as ev
from holdfast.model.values import NS_PER_DAY, AccountId
from tests.engine.risk.desk import ETH, Desk


def begin_day(desk, equity="10000"):
    today = desk.now // NS_PER_DAY
    desk.tell(ev.TradingDayStarted(ts=desk.now, day=today, equity=Decimal(equity)))


def sample(desk, equity):
    desk.tell(
        ev.EquitySampled(
            ts=desk.now,
            equity=Decimal(equity),
            wallet=Decimal(equity),
            unrealized=Decimal(0),
            exposure=Decimal(0),
        )
    )


def test_daily_loss_is_nothing_before_a_day_has_begun(desk):
    verdict = desk.check("daily_loss", desk.buy())
    assert (verdict.passed, verdict.value) == (True, Decimal(0))
    assert desk.check("daily_loss", desk.buy(account=AccountId("unheard of"))).passed


@pytest.mark.parametrize(
    ("price", "value", "passes"),
    [("101", "0.01", True), ("101.999", "0.01999", True), ("102", "0.02", False)],
)
def test_daily_loss_counts_open_losses_and_refuses_at_the_limit(desk, price, value, passes):
    begin_day(desk)
    desk.hold(ETH, "100", price=price)  # marked at 100
    verdict = desk.check("daily_loss", desk.buy())
    assert verdict.passed is passes
    assert (verdict.value, verdict.limit) == (Decimal(value), Decimal("0.02"))


def test_daily_loss_counts_from_the_latest_day(desk):
    begin_day(desk, "20000")
    assert not desk.check("daily_loss", desk.buy()).passed
    begin_day(desk, "10000")
    assert desk.check("daily_loss", desk.buy()).passed


def test_a_new_day_has_lost_nothing_though_it_has_not_been_begun_yet(desk):
    """The first wish behind midnight may be heard before the tick that begins the day."""
    begin_day(desk, "20000")
    desk.now += NS_PER_DAY

    verdict = desk.check("daily_loss", desk.buy())

    assert (verdict.passed, verdict.value) == (True, Decimal(0))


def test_daily_gain_is_a_negative_loss(desk):
    begin_day(desk, "8000")
    assert desk.check("daily_loss", desk.buy()).value == Decimal("-0.25")


def test_day_that_began_with_nothing_refuses(desk):
    begin_day(desk, "0")
    assert not desk.check("daily_loss", desk.buy()).passed


def test_winnings_of_the_day_that_were_taken_out_are_no_loss(desk):
    begin_day(desk, "-500")  # 1,000 less 1,500 that were taken out; 10,000 are left
    verdict = desk.check("daily_loss", desk.buy())
    assert (verdict.passed, verdict.value) == (True, Decimal(0))


def test_drawdown_is_off_by_default(desk):
    sample(desk, "1000000")
    verdict = desk.check("drawdown", desk.buy())
    assert (verdict.passed, verdict.value, verdict.limit) == (True, None, None)


@pytest.mark.parametrize(
    ("peak", "passes"), [("9000", True), ("12499", True), ("12500", False), ("13000", False)]
)
def test_drawdown_counts_from_the_peak_and_refuses_at_the_limit(peak, passes):
    desk = Desk(max_drawdown_pct=Decimal("0.2"))
    sample(desk, peak)
    sample(desk, "1")  # a later, lower point moves no peak
    assert desk.check("drawdown", desk.buy()).passed is passes


def test_drawdown_counts_open_losses():
    desk = Desk(max_drawdown_pct=Decimal("0.2"))
    sample(desk, "10000")
    desk.hold(ETH, "100", price="119.9")
    assert desk.check("drawdown", desk.buy()).passed
    desk.hold(ETH, "100", price="120")
    verdict = desk.check("drawdown", desk.buy())
    assert (verdict.passed, verdict.value) == (False, Decimal("0.2"))


def test_drawdown_without_any_sample_passes():
    desk = Desk(max_drawdown_pct=Decimal("0.2"))
    assert desk.check("drawdown", desk.buy()).value == 0

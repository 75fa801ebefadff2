"""Drawdown, Sharpe and Sortino against empyrical, and what empyrical does not know: deposits."""

import math
import warnings
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.values import MAIN, NS_PER_DAY, NS_PER_S, AccountId
from holdfast.stats import EquityCurve
from holdfast.stats.equity import DAILY_RETURNS_MIN, POINTS_MAX
from holdfast.stats.ratios import Moments

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own old imports
    import empyrical

MINUTE = 60 * NS_PER_S
OTHER = AccountId("other")
equities = st.lists(st.integers(1_000, 1_000_000), min_size=3, max_size=60)


def curve_of(equities, step=MINUTE, start=NS_PER_DAY):
    curve = EquityCurve()
    for number, equity in enumerate(equities):
        curve.sample(MAIN, start + number * step, Decimal(equity))
    return curve


def returns_of(equities):
    values = np.array(equities, dtype=float)
    return values[1:] / values[:-1] - 1


def close(ours, theirs):
    return ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@given(equities)
def test_drawdown_is_empyricals(equities):
    curve = curve_of(equities)

    assert close(curve.max_drawdown, -empyrical.max_drawdown(returns_of(equities)))
    assert max(point.drawdown for point in curve.points) == curve.max_drawdown


@given(equities.filter(lambda e: np.std(returns_of(e)) > 1e-6))
def test_ratios_are_empyricals_on_the_returns_of_the_samples(equities):
    curve, returns = curve_of(equities), returns_of(equities)
    minutes_a_year = 365 * 24 * 60

    assert close(curve.sharpe(), empyrical.sharpe_ratio(returns, annualization=minutes_a_year))
    if (returns < 0).any() and abs(returns.mean()) > 1e-12:
        theirs = empyrical.sortino_ratio(returns, annualization=minutes_a_year)
        assert close(curve.sortino(), theirs)


def test_with_enough_whole_days_ratios_go_by_days():
    rng = np.random.default_rng(7)
    days = DAILY_RETURNS_MIN + 3
    hours = 10_000 * np.cumprod(1 + rng.normal(0.0002, 0.004, days * 24))
    curve = curve_of([repr(float(value)) for value in hours], step=NS_PER_DAY // 24)

    closes = hours[23::24][:-1]  # the last day is not over before another begins
    returns = returns_of(closes)

    assert len(returns) == DAILY_RETURNS_MIN + 1
    assert close(curve.sharpe(), empyrical.sharpe_ratio(returns, annualization=365))
    assert close(curve.sortino(), empyrical.sortino_ratio(returns, annualization=365))


@given(st.sets(st.integers(0, 400), min_size=2, max_size=60), st.data())
def test_days_on_which_nothing_was_heard_are_days_without_a_return(days, data):
    """A year has 365 days, whatever the week: a session that rests on Sundays is no riskier."""
    seen = sorted(days)
    closes = {day: data.draw(st.integers(900, 1100)) for day in seen}
    curve = EquityCurve()
    for day in seen:
        curve.sample(MAIN, (day + 100) * NS_PER_DAY + MINUTE, Decimal(closes[day]))

    filled = [closes[max(d for d in seen if d <= day)] for day in range(seen[0], seen[-1])]
    returns = returns_of(filled)
    if len(returns) >= DAILY_RETURNS_MIN and np.std(returns) > 1e-9:
        assert close(curve.sharpe(), empyrical.sharpe_ratio(returns, annualization=365))


@given(equities, st.data())
def test_deposits_and_withdrawals_change_neither_returns_nor_drawdown(equities, data):
    """The same growth on other money: each sample's gain is scaled to what was there."""
    plain_curve, moved = curve_of(equities), EquityCurve()
    held = Decimal(equities[0])
    moved.sample(MAIN, NS_PER_DAY, held)
    for number, (before, after) in enumerate(pairwise(equities), start=1):
        flow = data.draw(st.integers(0, 5_000))
        moved.flow(MAIN, Decimal(flow))
        held = (held + flow) * after / before
        moved.sample(MAIN, NS_PER_DAY + number * MINUTE, held)

    assert close(moved.max_drawdown, plain_curve.max_drawdown)
    assert moved.sharpe() == pytest.approx(plain_curve.sharpe(), rel=1e-6, abs=1e-6)


def test_accounts_add_up_and_a_new_one_is_no_profit():
    curve = EquityCurve()
    curve.sample(MAIN, 1, Decimal(100))
    curve.flow(OTHER, Decimal(900))
    curve.sample(OTHER, 2, Decimal(900))
    curve.sample(MAIN, 3, Decimal(50))

    assert (curve.start, curve.end) == (Decimal(1000), Decimal(950))
    assert close(curve.max_drawdown, 0.05)


@given(equities, st.integers(2, 4), st.data())
def test_accounts_sampled_together_have_the_figures_of_their_sum(equities, count, data):
    """However it is split: what one won and another lost at the same instant is no fall."""
    whole, parts = curve_of(equities), EquityCurve()
    for number, equity in enumerate(equities):
        shares = [data.draw(st.integers(-(10**7), 10**7)) for _ in range(count - 1)]
        for account, share in enumerate([*shares, equity - sum(shares)]):
            parts.sample(AccountId(f"a{account}"), NS_PER_DAY + number * MINUTE, Decimal(share))

    assert parts.points == whole.points
    assert (parts.start, parts.end, parts.sample_count) == (
        whole.start,
        whole.end,
        whole.sample_count,
    )
    assert (parts.max_drawdown, parts.sharpe(), parts.sortino()) == (
        whole.max_drawdown,
        whole.sharpe(),
        whole.sortino(),
    )


def test_accounts_sampled_together_have_the_days_of_their_sum():
    days = DAILY_RETURNS_MIN + 2
    path = [10_000 + 37 * (number % 5) for number in range(days)]
    parts = EquityCurve()
    for number, equity in enumerate(path):
        for account in (MAIN, OTHER):
            parts.sample(account, (number + 1) * NS_PER_DAY, Decimal(equity) / 2)

    assert parts.sharpe() == curve_of(path, step=NS_PER_DAY).sharpe()


def test_money_that_came_to_one_account_is_no_return_of_both():
    curve = EquityCurve()
    for ts, flow, equities in ((1, 0, (100, 100)), (2, 50, (90, 160))):
        curve.flow(OTHER, Decimal(flow))
        for account, equity in zip((MAIN, OTHER), equities, strict=True):
            curve.sample(account, ts, Decimal(equity))

    assert (curve.start, curve.end) == (Decimal(200), Decimal(250))
    assert (curve.max_drawdown, curve.sample_count) == (0, 1)


def test_one_account_twice_at_one_instant_is_a_return():
    curve = EquityCurve()
    curve.sample(MAIN, 1, Decimal(100))
    curve.sample(MAIN, 1, Decimal(90))

    assert (curve.start, curve.end) == (Decimal(100), Decimal(90))
    assert curve.sample_count == 1
    assert close(curve.max_drawdown, 0.1)


def test_nothing_happened_is_all_zero():
    for curve in (EquityCurve(), curve_of([100]), curve_of([100, 100, 100])):
        assert (curve.max_drawdown, curve.sharpe(), curve.sortino()) == (0, 0, 0)


def test_a_steady_gain_has_no_risk_to_divide_by():
    curve = curve_of(["100", "101", "102.01", "103.0301"])

    assert curve.sharpe() == 0
    assert curve.sortino() == math.inf


def test_growth_from_nothing_is_no_return():
    assert curve_of([0, 5, 5]).sortino() == 0


def test_losing_more_than_everything_is_a_drawdown_of_all():
    curve = curve_of([100, -20, 50])

    assert curve.max_drawdown == 1
    assert math.isfinite(curve.sharpe())


def test_samples_of_one_moment_are_one_point():
    curve = EquityCurve()
    curve.sample(MAIN, 5, Decimal(1))
    curve.sample(OTHER, 5, Decimal(2))

    assert [point.equity for point in curve.points] == [3]


def test_points_are_thinned_and_figures_are_not():
    count = POINTS_MAX + POINTS_MAX // 2
    dip = POINTS_MAX // 2 + 1  # an odd place: this point is dropped
    curve = curve_of([50 if number == dip else 100 for number in range(count)])

    assert len(curve.points) <= POINTS_MAX
    assert [curve.points[0].ts, curve.points[-1].ts] == [
        NS_PER_DAY,
        NS_PER_DAY + (count - 1) * MINUTE,
    ]
    assert curve.max_drawdown == 0.5


def test_one_return_tells_nothing():
    moments = Moments()
    moments.add(0.1)

    assert (moments.sharpe(365), moments.sortino(365)) == (0, 0)

"""Rules that look at prices: how fresh, how far, how wide, how wild, how alike."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import numpy as np
import pytest

from holdfast.engine.market import QUOTE_LAG_NS_MAX, QUOTE_OLD_NS
from holdfast.engine.risk import Samples
from holdfast.model import events as ev
from holdfast.model.config import TradingConfig
from holdfast.model.errors import ConfigError
from holdfast.model.market import MarkPrice
from holdfast.model.values import NS_PER_MS, NS_PER_S, OrderStatus, OrderType, Symbol
from tests.engine.risk.desk import BTC, ETH, SOL, Desk

NEW = Symbol("NEWUSDT")
MINUTES_A_YEAR = 365 * 24 * 60


def closes(returns, start=100.0):
    """Turn log returns into prices: one more than there are returns."""
    path = [start]
    for r in returns:
        path.append(path[-1] * math.exp(r))
    return path


# Two patterns of 60 returns with mean 0, spread 1 and nothing in common.
ONE = [1.0, -1.0] * 30
OTHER = [1.0, 1.0, -1.0, -1.0] * 15


def mixed(share, size=0.001):
    """Returns whose correlation with ONE is `share`."""
    rest = math.sqrt(1 - share * share)
    return [size * (share * a + rest * b) for a, b in zip(ONE, OTHER, strict=True)]


def related(share, desk=None, *, symbol=ETH):
    desk = desk or Desk()
    desk.history(BTC, closes(0.001 * r for r in ONE))
    desk.history(symbol, closes(mixed(share)))
    return desk


# Correlation


@pytest.mark.parametrize(
    ("share", "passes"), [(0.0, True), (0.7, True), (0.70001, False), (1.0, False), (-1.0, True)]
)
def test_correlation_passes_at_the_limit_and_refuses_beyond(share, passes):
    desk = related(share)
    desk.hold(ETH, "1")
    verdict = desk.check("correlation", desk.buy())
    assert verdict.passed is passes
    assert verdict.value == pytest.approx(Decimal(str(share)), abs=Decimal("1e-8"))
    if not passes:
        assert ETH in verdict.reason
        assert "0.7" in verdict.reason


@pytest.mark.parametrize(
    ("share", "held", "side", "passes"),
    [
        (0.9, "1", "buy", False),
        (0.9, "1", "sell", True),  # a hedge
        (0.9, "-1", "buy", True),
        (0.9, "-1", "sell", False),
        (-0.9, "1", "buy", True),
        (-0.9, "1", "sell", False),  # the same bet twice
        (-0.9, "-1", "buy", False),
        (-0.9, "-1", "sell", True),
    ],
)
def test_correlation_counts_with_both_directions(share, held, side, passes):
    desk = related(share)
    desk.hold(ETH, held)
    assert desk.check("correlation", getattr(desk, side)()).passed is passes


def test_correlation_takes_the_worse_direction_of_a_symbol_that_could_go_both_ways():
    desk = related(-0.9)
    desk.rest(desk.buy("1", "99", symbol=ETH))
    assert desk.check("correlation", desk.buy()).passed
    desk.doubt(desk.sell("1", "101", symbol=ETH))
    assert not desk.check("correlation", desk.buy()).passed


def test_correlation_ignores_symbols_that_can_hold_nothing():
    desk = related(1.0)
    desk.rest(desk.sell("1", "101", symbol=ETH, reduce_only=True))
    desk.cancel(desk.rest(desk.buy("1", "99", symbol=ETH)))
    verdict = desk.check("correlation", desk.buy())
    assert (verdict.passed, verdict.value) == (True, None)


def test_correlation_ignores_the_orders_own_symbol():
    desk = related(1.0)
    desk.hold(BTC, "1")
    assert desk.check("correlation", desk.buy()).passed


def test_correlation_reports_the_highest_of_all_pairs():
    desk = related(0.2)
    related(0.5, desk, symbol=SOL)
    desk.hold(ETH, "1")
    desk.hold(SOL, "1")
    assert desk.check("correlation", desk.buy()).value == Decimal("0.5")


def test_too_few_common_returns_refuse_and_say_how_many_are_missing():
    desk = Desk()
    desk.history(BTC, closes([0.001, -0.001] * 10))  # 20 returns
    desk.history(ETH, closes([0.001, -0.001, -0.001] * 6))  # 18
    assert desk.check("correlation", desk.buy()).passed  # no other position
    desk.hold(ETH, "1")
    verdict = desk.check("correlation", desk.buy())
    assert not verdict.passed
    assert "2 of 20 common returns of BTCUSDT and ETHUSDT" in verdict.reason


def strange(desk, symbol, qty="1", price="99"):
    """Somebody else's order at the venue."""
    desk.tell(
        ev.OrderAdopted(
            ts=desk.now,
            order=desk.buy(qty, price, symbol=symbol),
            venue_order_id="1",
            status=OrderStatus.NEW,
            cum_qty=Decimal(0),
            is_ours=False,
        )
    )


def test_a_strangers_order_where_nothing_can_be_measured_stops_nobody():
    desk = related(0.0)
    desk.define(NEW)
    strange(desk, NEW)

    assert desk.check("correlation", desk.buy()).passed
    assert not desk.check("position_size", desk.buy("1", symbol=NEW, price="1000")).passed


def test_a_strangers_order_that_can_be_measured_counts_as_if_it_filled():
    desk = related(1.0)
    strange(desk, ETH)

    assert not desk.check("correlation", desk.buy()).passed


@pytest.mark.parametrize("what", ["a position", "an order of ours"])
def test_what_can_not_be_measured_for_want_of_a_price_says_so(what):
    desk = related(0.0)
    desk.define(NEW)
    strange(desk, NEW)
    desk.hold(NEW, "1") if what == "a position" else desk.rest(desk.buy("1", "99", symbol=NEW))
    verdict = desk.check("correlation", desk.buy())

    assert verdict.reason == (
        "20 of 20 common returns of BTCUSDT and NEWUSDT are missing, and NEWUSDT, where there is "
        "a position or an order, shows no price"
    )


def test_just_enough_common_returns_are_judged():
    desk = Desk()
    desk.history(BTC, closes([0.001, -0.001] * 10))
    desk.history(ETH, closes([0.001, 0.001, -0.001, -0.001] * 5))
    desk.hold(ETH, "1")
    assert desk.check("correlation", desk.buy()).passed


def test_a_price_that_stands_still_can_not_be_measured_and_refuses():
    desk = Desk()
    desk.history(BTC, closes([0.001, -0.001] * 15))
    desk.history(ETH, [100.0] * 31)
    desk.hold(ETH, "1")
    verdict = desk.check("correlation", desk.buy())
    assert not verdict.passed
    assert "stood still" in verdict.reason


def test_a_limit_of_one_switches_correlation_off():
    desk = Desk(max_correlation=Decimal(1))
    desk.hold(ETH, "1")
    assert desk.check("correlation", desk.buy()).passed


def test_the_running_minute_is_no_sample_yet():
    desk = related(0.0)
    desk.hold(ETH, "1")
    before = desk.check("correlation", desk.buy()).value
    desk.trade(BTC, 500.0)
    desk.trade(ETH, 500.0)
    assert desk.check("correlation", desk.buy()).value == before


def test_correlation_forgets_what_lies_before_its_window():
    desk = Desk()
    wild = [0.05, -0.05] * 30
    desk.history(BTC, closes([*wild, *(0.001 * r for r in ONE)]))
    desk.history(ETH, closes([*wild, *mixed(0.3)]))
    desk.hold(ETH, "1")
    assert desk.check("correlation", desk.buy()).value == pytest.approx(Decimal("0.3"))


def test_gaps_are_bridged_by_returns_over_the_periods_in_common():
    rng = random.Random(3)
    paths = [closes([rng.gauss(0, 0.001) for _ in range(60)]) for _ in range(2)]
    gaps = [{7, 8, 30}, {30, 31, 50}]
    desk = Desk()
    for symbol, path, gap in zip((BTC, ETH), paths, gaps, strict=True):
        desk.history(symbol, [None if i in gap else p for i, p in enumerate(path)])
    desk.hold(ETH, "1")
    kept = [i for i in range(61) if i not in gaps[0] | gaps[1]]
    steps = np.sqrt(np.diff(kept))
    a, b = (np.diff(np.log(np.array(path)[kept])) / steps for path in paths)
    expected = np.corrcoef(a, b)[0, 1]
    assert float(desk.check("correlation", desk.buy()).value or 0) == pytest.approx(
        expected, abs=1e-8
    )


def test_samples_kept_between_orders_follow_the_market():
    desk = related(0.9)
    samples = Samples(desk.market)

    def correlation():
        limits, now = desk.settings.limits, desk.now
        a, b = (samples.window(s, now, limits) for s in (BTC, ETH))
        fresh = [Samples(desk.market).window(s, now, limits) for s in (BTC, ETH)]
        assert [a, b] == fresh
        return samples.correlation((BTC, ETH), a, b, limits.sample_s)

    first = correlation()
    assert correlation() == first
    desk.now += 60 * NS_PER_S  # a minute later, one more close each
    desk.history(BTC, [130.0])
    desk.history(ETH, [70.0])
    assert correlation() != first
    second = correlation()
    desk.history(ETH, [71.0])  # a late word on the close of the last minute
    assert correlation() != second


# Volatility


def volatile(size, **limits):
    desk = Desk(**limits)
    desk.history(BTC, closes([size, -size] * 30))
    return desk


def annual(returns):
    return float(np.std(returns, ddof=1)) * math.sqrt(MINUTES_A_YEAR)


def test_volatility_is_the_annualised_deviation_of_minute_returns():
    rng = random.Random(5)
    returns = [rng.gauss(0, 0.001) for _ in range(60)]
    desk = Desk()
    desk.history(BTC, closes(returns))
    verdict = desk.check("volatility", desk.buy())
    assert verdict.passed
    assert float(verdict.value or 0) == pytest.approx(annual(returns), abs=1e-8)


def test_volatility_is_judged_by_as_many_returns_as_may_be_asked_for():
    most = TradingConfig(correlation_returns=998, volatility_returns_min=998).risk_limits()
    with pytest.raises(ConfigError, match="998"):
        TradingConfig(correlation_returns=999)
    rng = random.Random(5)
    desk = Desk(
        correlation_returns=most.correlation_returns,
        volatility_returns_min=most.volatility_returns_min,
        volatility_max=Decimal("0.01"),
    )
    desk.history(BTC, closes([rng.gauss(0, 0.001) for _ in range(1_100)]))
    desk.trade(BTC, 100.0)  # the running minute takes a place

    assert not desk.check("volatility", desk.buy()).passed


def test_volatility_goes_by_the_true_spacing_of_samples():
    rng = random.Random(5)
    returns = [rng.gauss(0, 0.001) for _ in range(40)]
    desk = Desk()
    desk.history(BTC, closes(returns), minutes=5)
    value = float(desk.check("volatility", desk.buy()).value or 0)
    assert value == pytest.approx(annual(returns) / math.sqrt(5), abs=1e-8)


@pytest.mark.parametrize(
    ("low", "high", "passes"),
    [("0", "0", None), ("0", "-1e-9", False), ("0", "1", True), ("1e-9", "5", False)],
)
def test_volatility_passes_on_both_ends_of_the_band(low, high, passes):
    value = volatile(0.001).check("volatility", volatile(0.001).buy()).value
    limits = {"volatility_min": value + Decimal(low), "volatility_max": value + Decimal(high)}
    desk = volatile(0.001, **limits)
    verdict = desk.check("volatility", desk.buy())
    assert verdict.passed is (passes if passes is not None else True)
    assert verdict.value == value


def test_volatility_refusal_names_the_end_that_was_crossed():
    calm = volatile(0.0, volatility_min=Decimal("0.1"))
    verdict = calm.check("volatility", calm.buy())
    assert (verdict.passed, verdict.value, verdict.limit) == (False, 0, Decimal("0.1"))
    assert "at least 10%" in verdict.reason
    wild = volatile(0.05)
    verdict = wild.check("volatility", wild.buy())
    assert (verdict.passed, verdict.limit) == (False, Decimal(5))
    assert "at most 500%" in verdict.reason


@pytest.mark.parametrize(("count", "passes"), [(9, True), (10, False)])
def test_volatility_is_not_judged_before_there_are_enough_returns(count, passes):
    desk = Desk()
    desk.history(BTC, closes([0.1, -0.1] * 5)[: count + 1])
    verdict = desk.check("volatility", desk.buy())
    assert verdict.passed is passes
    assert (verdict.value is None) is passes


def test_volatility_waits_for_history_that_is_still_to_come():
    desk = Desk()
    desk.history(BTC, closes([0.1, -0.1] * 4))
    desk.market.awaits_past = True
    assert not desk.check("volatility", desk.buy()).passed

    desk.history(BTC, closes([0.001, -0.001] * 10))
    assert desk.check("volatility", desk.buy()).passed


def test_prices_that_are_none_are_no_samples():
    desk = Desk()
    desk.history(BTC, [100.0, 0.0, math.inf, math.nan, 101.0])
    assert desk.check("volatility", desk.buy()).value is None


# Collar


@pytest.mark.parametrize(
    ("price", "passes"),
    [("95", True), ("105", True), ("94.9", False), ("105.1", False), ("1000", False)],
)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_collar_passes_at_its_edge_and_refuses_a_tick_beyond(desk, side, price, passes):
    verdict = desk.check("price_collar", getattr(desk, side)("1", price))
    assert verdict.passed is passes
    if not passes:
        assert price in verdict.reason
        assert "5%" in verdict.reason


def test_collar_holds_for_trigger_and_activation_prices(desk):
    stop = desk.buy("1", "100", order_type=OrderType.STOP, trigger_price="105.1")
    assert not desk.check("price_collar", stop).passed
    kind = OrderType.TRAILING_STOP_MARKET
    trailing = desk.buy(order_type=kind, activation_price=Decimal("94.9"))
    assert not desk.check("price_collar", trailing).passed


def test_collar_compares_with_the_middle_of_the_quote(desk):
    desk.quote(BTC, 199.0, 201.0)
    assert desk.check("price_collar", desk.buy("1", "210")).passed
    assert not desk.check("price_collar", desk.buy("1", "100")).passed


def test_collar_without_a_fresh_reference_refuses_prices_and_passes_none(desk):
    assert desk.check("price_collar", desk.buy()).passed
    assert not desk.check("price_collar", desk.buy("1", "100", symbol=NEW)).passed
    desk.now += 10 * NS_PER_S
    assert desk.check("price_collar", desk.buy("1", "100")).passed
    desk.now += 1
    verdict = desk.check("price_collar", desk.buy("1", "100"))
    assert not verdict.passed
    assert "no fresh price" in verdict.reason


# Slippage


@pytest.mark.parametrize(("ask", "passes"), [(100.2, True), (100.201, False), (99.9, True)])
def test_half_the_spread_is_at_most_the_tolerance(desk, ask, passes):
    desk.quote(BTC, 100.0 if ask < 100 else 200.0 - ask, ask)
    # the middle is 100: half of 0.4 is 0.2 %
    desk.settings = type(desk.settings)(slippage_tolerance=Decimal("0.002"))
    verdict = desk.check("slippage", desk.buy())
    assert verdict.passed is passes


def test_slippage_concerns_market_orders_with_a_quote(desk):
    assert desk.check("slippage", desk.buy()).value is None  # trades alone tell of no spread
    desk.quote(BTC, 90.0, 110.0)
    assert not desk.check("slippage", desk.buy()).passed
    assert desk.check("slippage", desk.buy("1", "100")).passed


def test_the_spread_of_a_quote_that_trades_have_outlived_is_none(desk):
    desk.quote(BTC, 90.0, 110.0)
    desk.now += QUOTE_OLD_NS
    desk.trade(BTC, 100.0)
    assert not desk.check("slippage", desk.buy()).passed

    desk.now += NS_PER_MS
    desk.trade(BTC, 100.0)
    assert desk.check("slippage", desk.buy()).value is None


# Stale data


def test_data_is_stale_past_its_limit(desk):
    desk.now += 10 * NS_PER_S
    verdict = desk.check("stale_data", desk.buy())
    assert (verdict.passed, verdict.value, verdict.limit) == (True, Decimal(10), Decimal(10))
    desk.now += NS_PER_MS
    verdict = desk.check("stale_data", desk.buy())
    assert not verdict.passed
    assert "10.001 s old" in verdict.reason


def test_a_quote_that_is_silent_while_trades_go_on_is_no_price_to_open_at(desk):
    desk.quote(BTC, 99.0, 101.0)
    desk.now += QUOTE_LAG_NS_MAX
    desk.trade(BTC, 100.0)
    assert desk.check("stale_data", desk.buy()).passed

    desk.now += NS_PER_S
    desk.trade(BTC, 100.0)
    verdict = desk.check("stale_data", desk.buy())
    assert (verdict.passed, verdict.value, verdict.limit) == (False, Decimal(61), Decimal(60))
    assert "older than its last trade" in verdict.reason

    desk.quote(BTC, 99.0, 101.0)
    assert desk.check("stale_data", desk.buy()).passed


def test_a_bar_is_fresh_until_the_next_is_late():
    desk = Desk()
    desk.history(BTC, [100.0])
    desk.now += 70 * NS_PER_S
    assert desk.check("stale_data", desk.buy()).passed
    desk.now += 1
    assert not desk.check("stale_data", desk.buy()).passed


def test_silence_refuses_and_other_symbols_do_not_help(desk):
    assert not desk.check("stale_data", desk.buy(symbol=NEW)).passed
    desk.market.see(MarkPrice(symbol=NEW, ts=desk.now, mark_price=3.0))
    assert desk.check("stale_data", desk.buy(symbol=NEW)).passed


# Cut off


def test_symbol_whose_data_is_cut_off_opens_nothing_however_young_its_prices():
    desk = Desk()
    desk.market.of(BTC).cut_off = "no public of BTCUSDT"
    verdict = desk.check("stale_data", desk.buy())

    assert not verdict.passed
    assert "no public of BTCUSDT" in verdict.reason


@pytest.mark.parametrize(("held", "mark"), [("-1", 1.0), ("1", 10_000.0)], ids=["short", "long"])
def test_a_mark_far_from_the_market_makes_nobody_richer(desk, held, mark):
    desk.hold(ETH, held)
    desk.quote(ETH, 99.9, 100.1)
    shares = [desk.check("position_size", desk.buy("9")).value]
    desk.market.see(MarkPrice(symbol=ETH, ts=desk.now, mark_price=mark))
    shares.append(desk.check("position_size", desk.buy("9")).value)

    assert shares[0] == shares[1]


def test_a_mark_near_the_market_counts_as_it_is(desk):
    desk.hold(ETH, "-1")
    desk.quote(ETH, 99.9, 100.1)
    before = desk.check("position_size", desk.buy("9")).value
    desk.market.see(MarkPrice(symbol=ETH, ts=desk.now, mark_price=98.0))

    assert desk.check("position_size", desk.buy("9")).value < before


def test_a_mark_counts_as_it_is_where_the_market_is_not_heard_any_more(desk):
    desk.hold(ETH, "-1")
    desk.quote(ETH, 99.9, 100.1)
    before = desk.check("position_size", desk.buy("9")).value
    desk.market.see(MarkPrice(symbol=ETH, ts=desk.now, mark_price=50.0))
    desk.now += 60 * NS_PER_S

    assert desk.check("position_size", desk.buy("9")).value < before

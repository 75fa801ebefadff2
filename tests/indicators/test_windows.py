"""What no other library says: windows against their definition, millions of updates, bad input."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from holdfast.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    INDICATORS,
    MACD,
    OBV,
    ROC,
    RSI,
    SMA,
    VWAP,
    WMA,
    BollingerBands,
    Donchian,
    Highest,
    Indicator,
    Keltner,
    Lowest,
    StandardDeviation,
    Stochastic,
)
from tests.indicators.series import SERIES, series

MANY = 2_000_000
MAKERS: list[tuple[Callable[[], Indicator], int]] = [
    (lambda: SMA(3), 1),
    (lambda: EMA(3), 1),
    (lambda: WMA(3), 1),
    (lambda: RSI(3), 1),
    (lambda: MACD(2, 3, 2), 1),
    (lambda: StandardDeviation(3), 1),
    (lambda: BollingerBands(3), 1),
    (lambda: Highest(3), 1),
    (lambda: Lowest(3), 1),
    (lambda: ROC(3), 1),
    (lambda: ATR(3), 3),
    (lambda: ADX(3), 3),
    (lambda: Stochastic(3), 3),
    (lambda: CCI(3), 3),
    (lambda: Keltner(3, 2.0, 3), 3),
    (lambda: Donchian(3), 2),
    (OBV, 2),
    (VWAP, 4),
]
TAKES = pytest.mark.parametrize(
    ("make", "count"), MAKERS, ids=[type(make()).__name__ for make, _ in MAKERS]
)
prices = st.floats(-1e6, 1e6).filter(lambda value: value == 0.0 or abs(value) > 1e-6)


def feed(indicator: Indicator, *row: float) -> float | None:
    update: Callable[..., float | None] = getattr(indicator, "update")  # noqa: B009 - arguments differ
    return update(*row)


def rows(count: int, length: int) -> list[tuple[float, ...]]:
    """Bars as each indicator takes them: high, low, close and volume as far as wanted."""
    draw = np.random.default_rng(7)
    found: list[tuple[float, ...]] = []
    close = 100.0
    for _ in range(length):
        close *= math.exp(draw.normal(0.0, 0.01))
        bar = {
            1: (close,),
            2: (close * 1.01, close * 0.99),
            3: (close * 1.01, close * 0.99, close),
            4: (close * 1.01, close * 0.99, close, 5.0),
        }
        found.append(bar[count])
    return found


def test_the_table_names_every_indicator():
    assert {type(make()) for make, _ in MAKERS} == set(INDICATORS.values())


@TAKES
def test_value_is_none_until_exactly_the_warm_up(make, count):
    indicator = make()
    bars = rows(count, indicator.warmup + 5)

    for number, row in enumerate(bars, start=1):
        assert not indicator.is_ready or number > indicator.warmup
        value = feed(indicator, *row)
        assert value == indicator.value
        assert (value is not None) is indicator.is_ready is (number >= indicator.warmup)


@TAKES
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e101])
def test_a_refused_input_changes_nothing(make, count, bad):
    """Whichever argument is bad, the indicator goes on as if the call had not been made."""
    troubled, calm = make(), make()
    for row in rows(count, 30):
        for place in range(count):
            broken = (*row[:place], bad, *row[place + 1 :])
            with pytest.raises(ValueError, match="finite"):
                feed(troubled, *broken)
        assert feed(troubled, *row) == feed(calm, *row)


@pytest.mark.parametrize(
    ("kind", "count"),
    [(Donchian, 2), (ATR, 3), (ADX, 3), (Stochastic, 3), (CCI, 3), (Keltner, 3), (VWAP, 4)],
)
def test_a_bar_with_its_low_over_its_high_is_refused(kind, count):
    with pytest.raises(ValueError, match="low <= high"):
        feed(kind(), *(10.0, 11.0, 10.5, 1.0)[:count])


@TAKES
def test_a_market_that_stands_still_gives_numbers(make, count):
    indicator = make()
    for _ in range(500):
        value = feed(indicator, *(0.1, 0.1, 0.1, 1.0)[:count])

    assert value is not None
    assert math.isfinite(value)


def test_neutral_values_of_a_market_that_never_moved():
    rsi, stochastic, cci = RSI(14), Stochastic(5), CCI(20)
    for _ in range(60):
        rsi.update(0.3)
        stochastic.update(0.3, 0.3, 0.3)
        cci.update(0.3, 0.3, 0.3)

    assert rsi.value == 50.0
    assert stochastic.value == stochastic.d == 50.0
    assert cci.value == 0.0


def test_a_long_standstill_leaves_no_rounding_in_the_index():
    """Wilder's averages fade for ever; at last there is nothing left but a neutral market."""
    rsi, adx = RSI(14), ADX(14)
    for bar in rows(3, 100):
        rsi.update(bar[2])
        adx.update(*bar)
    for _ in range(20_000):
        rsi.update(100.0)
        adx.update(100.0, 100.0, 100.0)

    assert rsi.value == 50.0
    assert adx.plus_di == adx.minus_di == 0.0


@pytest.mark.parametrize("period", [0, -1, 1.5, "10", True, None, 100_001])
@pytest.mark.parametrize("kind", [SMA, EMA, WMA, Highest, Lowest, StandardDeviation, RSI, ATR, ADX])
def test_an_impossible_period_is_named(kind, period):
    with pytest.raises(ValueError, match=r"period must be a whole number from .* was"):
        kind(period)


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan, math.inf, "2"])
@pytest.mark.parametrize("kind", [BollingerBands, Keltner])
def test_an_impossible_width_is_named(kind, width):
    with pytest.raises(ValueError, match=r"width must be a number above 0 .* was"):
        kind(20, width)


def test_macd_wants_the_fast_average_shorter():
    with pytest.raises(ValueError, match="fast 26, slow 26"):
        MACD(26, 26)


def test_rate_of_change_refuses_zero():
    with pytest.raises(ValueError, match="must not be 0"):
        ROC(2).update(0.0)


@settings(max_examples=60)
@given(values=st.lists(prices, min_size=1, max_size=120), period=st.integers(1, 25))
def test_windowed_indicators_are_what_their_window_says(values, period):
    sma, wma, highest, lowest = SMA(period), WMA(period), Highest(period), Lowest(period)
    window: deque[float] = deque(maxlen=period)
    for value in values:
        window.append(value)
        mean, weighted = sma.update(value), wma.update(value)
        top, bottom = highest.update(value), lowest.update(value)
        if len(window) < period:
            assert mean is weighted is top is bottom is None
            continue
        size = max(map(abs, window))
        products = math.fsum(n * v for n, v in enumerate(window, start=1))
        assert mean == pytest.approx(fmean(window), rel=1e-12, abs=1e-14 * size)
        assert weighted == pytest.approx(
            products / (period * (period + 1) / 2), rel=1e-12, abs=1e-14 * size
        )
        assert (top, bottom) == (max(window), min(window))


@settings(max_examples=60)
@given(values=st.lists(prices, min_size=2, max_size=120), period=st.integers(2, 25))
def test_deviation_is_what_its_window_says(values, period):
    indicator = StandardDeviation(period)
    window: deque[float] = deque(maxlen=period)
    for value in values:
        window.append(value)
        deviation = indicator.update(value)
        if len(window) < period:
            assert deviation is None
            continue
        expected = pstdev(window)
        assert deviation == pytest.approx(expected, rel=1e-9, abs=1e-14 * max(map(abs, window)))
        assert indicator.mean == pytest.approx(fmean(window), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("period", [5, 20, 200])
def test_deviation_keeps_nine_digits_of_two_passes(name, period):
    close = series(name).close
    indicator = StandardDeviation(period)
    ours = [indicator.update(price) for price in close.tolist()][period - 1 :]

    exact = sliding_window_view(close, period).std(axis=1)

    np.testing.assert_allclose(
        np.array(ours, dtype=float), exact, rtol=1e-9, atol=1e-15 * close.max()
    )


def test_two_million_updates_leave_no_drift():
    """A sum that is slid along would keep an error of every spike that ever passed through it."""
    draw = np.random.default_rng(3)
    values = (95_000.0 + np.cumsum(draw.normal(0.0, 1.0, MANY))).round(1)
    values[:: MANY // 50] = 1e15
    period = 50
    sma, deviation = SMA(period), StandardDeviation(period)
    for value in values.tolist():
        sma.update(value)
        deviation.update(value)

    window = values[-period:].tolist()
    assert max(window) < 1e6, "the last spike has left the window"
    assert sma.value == pytest.approx(math.fsum(window) / period, rel=1e-15)
    assert deviation.value == pytest.approx(pstdev(window), rel=1e-12)


def test_a_slid_sum_does_drift_on_the_same_values():
    """The proof that the test above can fail."""
    window: deque[float] = deque(maxlen=50)
    total = 0.0
    for value in [0.1] * 100 + [1e15] + [0.1] * 100:
        if len(window) == 50:
            total -= window[0]
        window.append(value)
        total += value

    assert total / 50 != pytest.approx(0.1, rel=1e-3)


def test_cumulative_sums_stay_exact_over_a_million_bars():
    draw = np.random.default_rng(5)
    count = 1_000_000
    closes = (1e-4 * np.exp(np.cumsum(draw.normal(0.0, 1e-4, count)))).tolist()
    volumes = (draw.exponential(1e9, count)).tolist()
    obv, vwap = OBV(), VWAP()
    for close, volume in zip(closes, volumes, strict=True):
        obv.update(close, volume)
        vwap.update(close, close, close, volume)

    signs = [1.0, *(math.copysign(b != a, b - a) for a, b in pairwise(closes))]
    terms = [sign * volume for sign, volume in zip(signs, volumes, strict=True)]
    typicals = [(close + close + close) / 3.0 for close in closes]
    turnover = math.fsum(p * v for p, v in zip(typicals, volumes, strict=True))
    assert obv.value == pytest.approx(math.fsum(terms), rel=1e-13)
    assert vwap.value == pytest.approx(turnover / math.fsum(volumes), rel=1e-15)


def test_small_volumes_are_not_lost_beside_a_great_one():
    """A plain sum swallows every 1 that is added to 10^17, and is short of them afterwards."""
    obv, vwap = OBV(), VWAP()
    obv.update(1.0, 1e17)
    vwap.update(1.0, 1.0, 1.0, 1e17)
    for number in range(1000):
        obv.update(2.0 + number, 1.0)
        vwap.update(1e17, 1e17, 1e17, 1.0)

    assert obv.update(1.0, 1e17) == 1000.0
    assert vwap.value == pytest.approx(1001.0, rel=1e-12)


@pytest.mark.parametrize("name", SERIES)
def test_vwap_is_turnover_over_volume(name):
    data = series(name)
    vwap = VWAP()
    columns = (data.high, data.low, data.close, data.volume)
    ours = [vwap.update(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]

    typical = (data.high + data.low + data.close) / 3
    exact = np.cumsum(typical * data.volume) / np.cumsum(data.volume)
    np.testing.assert_allclose(np.array(ours, dtype=float), exact, rtol=1e-12)


def test_vwap_waits_for_volume_and_begins_again_on_reset():
    vwap = VWAP()

    assert vwap.update(3.0, 1.0, 2.0, 0.0) is None
    assert vwap.update(3.0, 1.0, 2.0, 4.0) == 2.0
    vwap.reset()
    assert not vwap.is_ready
    assert vwap.update(30.0, 10.0, 20.0, 1.0) == 20.0


@pytest.mark.parametrize("volume", [-1.0, math.nan])
def test_negative_volume_is_refused(volume):
    with pytest.raises(ValueError, match="volume"):
        OBV().update(1.0, volume)
    with pytest.raises(ValueError, match="volume"):
        VWAP().update(1.0, 1.0, 1.0, volume)

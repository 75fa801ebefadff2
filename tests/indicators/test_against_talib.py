"""Every indicator that TA-Lib has too gives TA-Lib's numbers, on walks and on recorded bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import talib

from holdfast.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    MACD,
    OBV,
    ROC,
    RSI,
    SMA,
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
from tests.indicators.series import SERIES, Numbers, Series, series

EXACT = 1e-9


def run(
    indicator: Indicator, names: Sequence[str], columns: Sequence[Numbers]
) -> dict[str, Numbers]:
    """Feed all bars; return what each attribute was after each of them."""
    update: Callable[..., float | None] = getattr(indicator, "update")  # noqa: B009 - its arguments differ
    rows = []
    for row in zip(*(column.tolist() for column in columns), strict=True):
        assert update(*row) == indicator.value
        rows.append([getattr(indicator, name) for name in names])
    ours = np.array(rows, dtype=np.float64).T  # None becomes NaN
    return dict(zip(names, ours, strict=True))


def agree(ours: Numbers, theirs: Numbers, warmup: int, *, atol: float) -> None:
    assert np.isnan(ours[: warmup - 1]).all()
    assert np.isnan(theirs[: warmup - 1]).all()
    assert not np.isnan(ours[warmup - 1 :]).any()
    np.testing.assert_allclose(ours[warmup - 1 :], theirs[warmup - 1 :], rtol=EXACT, atol=atol)


@pytest.fixture(params=SERIES)
def data(request: pytest.FixtureRequest) -> Series:
    return series(request.param)


@pytest.mark.parametrize("period", [2, 20, 200])
@pytest.mark.parametrize(
    ("indicator", "oracle"),
    [
        (SMA, talib.SMA),
        (EMA, talib.EMA),
        (WMA, talib.WMA),
        (Highest, talib.MAX),
        (Lowest, talib.MIN),
    ],
)
def test_averages_and_extremes(data, indicator, oracle, period):
    ours = run(indicator(period), ["value"], [data.close])

    agree(ours["value"], oracle(data.close, period), period, atol=0.0)


@pytest.mark.parametrize("period", [1, 10, 100])
def test_rate_of_change(data, period):
    ours = run(ROC(period), ["value"], [data.close])

    agree(ours["value"], talib.ROC(data.close, period), period + 1, atol=1e-12)


@pytest.mark.parametrize("period", [2, 14, 50])
def test_rsi(data, period):
    ours = run(RSI(period), ["value"], [data.close])
    theirs = talib.RSI(data.close, period)
    # TA-Lib calls a market that never moved oversold, at 0; ours is in the middle.
    theirs = np.where((theirs == 0.0) & (ours["value"] == 50.0), 50.0, theirs)

    agree(ours["value"], theirs, period + 1, atol=1e-9)


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (3, 50, 1), (5, 6, 20)])
def test_macd(data, fast, slow, signal):
    ours = run(MACD(fast, slow, signal), ["value", "signal", "histogram"], [data.close])

    for name, theirs in zip(ours, talib.MACD(data.close, fast, slow, signal), strict=True):
        # Differences of prices: the tolerance is a part of the price.
        agree(ours[name], theirs, slow + signal - 1, atol=1e-13 * data.close.max())


@pytest.mark.parametrize("period", [1, 14, 100])
def test_atr(data, period):
    columns = (data.high, data.low, data.close)
    ours = run(ATR(period), ["value"], columns)

    agree(ours["value"], talib.ATR(*columns, period), period + 1, atol=1e-14 * data.close.max())


@pytest.mark.parametrize("period", [2, 14, 40])
def test_adx(data, period):
    columns = (data.high, data.low, data.close)
    ours = run(ADX(period), ["value", "plus_di", "minus_di"], columns)

    agree(ours["value"], talib.ADX(*columns, period), 2 * period, atol=1e-9)
    for name, oracle in (("plus_di", talib.PLUS_DI), ("minus_di", talib.MINUS_DI)):
        theirs = oracle(*columns, period)[2 * period - 1 :]
        np.testing.assert_allclose(ours[name][2 * period - 1 :], theirs, rtol=EXACT, atol=1e-9)


@pytest.mark.parametrize(("period", "smooth", "d"), [(14, 3, 3), (5, 1, 1), (20, 5, 2)])
def test_stochastic(data, period, smooth, d):
    columns = (data.high, data.low, data.close)
    spans = talib.MAX(data.high, period) - talib.MIN(data.low, period)
    assert (spans[period - 1 :] > 0).all(), "a window without span is another test's"

    ours = run(Stochastic(period, smooth, d), ["value", "d"], columns)

    theirs = talib.STOCH(*columns, fastk_period=period, slowk_period=smooth, slowd_period=d)
    for name, expected in zip(ours, theirs, strict=True):
        agree(ours[name], expected, period + smooth + d - 2, atol=1e-9)


@pytest.mark.parametrize("period", [5, 20, 100])
def test_cci(data, period):
    columns = (data.high, data.low, data.close)
    ours = run(CCI(period), ["value"], columns)

    # A quotient of differences of nearly equal prices; its usual size is 100.
    agree(ours["value"], talib.CCI(*columns, period), period, atol=1e-7)


@pytest.mark.parametrize("period", [5, 20, 200])
def test_bollinger_bands_and_deviation(data, period):
    bands = run(BollingerBands(period, 2.5), ["upper", "value", "lower"], [data.close])
    deviation = run(StandardDeviation(period), ["value"], [data.close])
    noise = 1e-13 * data.close.max()  # a deviation's error is measured by the price

    for name, theirs in zip(bands, talib.BBANDS(data.close, period, 2.5, 2.5), strict=True):
        agree(bands[name], theirs, period, atol=noise)
    agree(deviation["value"], talib.STDDEV(data.close, period), period, atol=noise)


def test_on_balance_volume(data):
    ours = run(OBV(), ["value"], [data.close, data.volume])

    agree(ours["value"], talib.OBV(data.close, data.volume), 1, atol=1e-13 * data.volume.sum())


@pytest.mark.parametrize(("period", "atr_period"), [(20, 10), (5, 30)])
def test_keltner_is_an_average_and_its_true_range(data, period, atr_period):
    columns = (data.high, data.low, data.close)
    ours = run(Keltner(period, 1.5, atr_period), ["upper", "value", "lower"], columns)

    middle, span = talib.EMA(data.close, period), talib.ATR(*columns, atr_period)
    warmup = max(period, atr_period + 1)
    for name, shift in (("upper", 1.5), ("value", 0.0), ("lower", -1.5)):
        theirs = np.where(np.isnan(span), np.nan, middle + shift * np.nan_to_num(span))
        agree(ours[name], theirs, warmup, atol=0.0)


@pytest.mark.parametrize("period", [1, 20])
def test_donchian_is_the_extremes(data, period):
    ours = run(Donchian(period), ["upper", "value", "lower"], [data.high, data.low])

    top = talib.MAX(data.high, period) if period > 1 else data.high
    bottom = talib.MIN(data.low, period) if period > 1 else data.low
    agree(ours["upper"], top, period, atol=0.0)
    agree(ours["lower"], bottom, period, atol=0.0)
    agree(ours["value"], (top + bottom) / 2, period, atol=0.0)

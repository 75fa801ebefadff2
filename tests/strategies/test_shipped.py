"""The shipped strategies wish for exactly what a vectorised computation says, bar for bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal

import numpy as np
import pytest
import talib
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from holdfast.model.errors import StrategyError
from holdfast.strategies import (
    STRATEGIES,
    BollingerReversionStrategy,
    DonchianBreakoutStrategy,
    EmaCrossStrategy,
    MacdMomentumStrategy,
    RSIStrategy,
    SmaCrossStrategy,
    Strategy,
)
from tests.indicators.series import SERIES, Numbers, Series, series
from tests.strategies.desk import BTC, ETH, Desk, bars_at, bars_of

Heard = list[tuple[int, str]]
EVERY = pytest.mark.parametrize("make", STRATEGIES.values(), ids=list(STRATEGIES))


@pytest.fixture(params=SERIES)
def data(request: pytest.FixtureRequest) -> Series:
    return series(request.param)


def crossings(difference: Numbers, price: Numbers) -> list[tuple[int, int]]:
    """Where a line changes its sign, the bars at which it is zero left out."""
    with np.errstate(invalid="ignore"):
        sides = np.where(np.abs(difference) > 1e-12 * price, np.sign(difference), 0.0)
    places = np.flatnonzero(~np.isnan(difference) & (sides != 0.0))
    kept = sides[places]
    turns = np.flatnonzero(kept[1:] != kept[:-1]) + 1
    return [(int(places[turn]), int(kept[turn])) for turn in turns]


def reversals(turns: list[tuple[int, int]]) -> Heard:
    """What follows from crossings when every wish is filled at once."""
    heard: Heard = []
    for number, (place, side) in enumerate(turns):
        if number:
            heard.append((place, "CLOSE"))
        heard.append((place, "BUY" if side > 0 else "SELL"))
    return heard


def mean(values: Numbers, period: int) -> Numbers:
    return np.concatenate(
        (np.full(period - 1, np.nan), sliding_window_view(values, period).mean(axis=1))
    )


@pytest.mark.parametrize(("fast", "slow"), [(10, 30), (1, 2), (20, 200)])
def test_sma_cross_hears_every_crossing_and_no_other(data, fast, slow):
    turns = crossings(mean(data.close, fast) - mean(data.close, slow), data.close)
    assert len(turns) > 5

    heard = Desk(SmaCrossStrategy(fast, slow)).run(bars_of(data))

    assert heard == reversals(turns)


def test_ema_cross_hears_every_crossing_and_no_other(data):
    turns = crossings(talib.EMA(data.close, 12) - talib.EMA(data.close, 26), data.close)
    assert len(turns) > 5

    heard = Desk(EmaCrossStrategy(12, 26)).run(bars_of(data))

    assert heard == reversals(turns)


def test_macd_momentum_hears_every_change_of_sign_and_no_other(data):
    turns = crossings(talib.MACD(data.close, 12, 26, 9)[2], data.close)
    assert len(turns) > 5

    heard = Desk(MacdMomentumStrategy(12, 26, 9)).run(bars_of(data))

    assert heard == reversals(turns)


def followed(entries: NDArray, exits: Callable[[int, int], bool]) -> Heard:
    """Walk over entries (1, -1, 0 a bar); between them, leave where `exits(bar, held)` says."""
    held = 0
    heard: Heard = []
    for place, entry in enumerate(entries.astype(int).tolist()):
        if entry:
            if held == -entry:
                heard.append((place, "CLOSE"))
            if held != entry:
                heard.append((place, "BUY" if entry > 0 else "SELL"))
            held = entry
        elif held and exits(place, held):
            heard.append((place, "CLOSE"))
            held = 0
    return heard


def after(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.concatenate(([False], values[:-1]))


def test_rsi_enters_on_the_way_back_and_leaves_at_the_middle(data):
    index = talib.RSI(data.close, 14)
    with np.errstate(invalid="ignore"):
        entries = 1.0 * (after(index < 30) & (index >= 30)) - (after(index > 70) & (index <= 70))
    expected = followed(entries, lambda n, held: held * (index[n] - 50.0) >= 0.0)
    assert len(expected) > 5

    heard = Desk(RSIStrategy(14)).run(bars_of(data))

    assert heard == expected


def test_bollinger_reversion_enters_outside_and_leaves_at_the_middle(data):
    middle, rounding = mean(data.close, 20), 1e-12 * data.close
    deviation = np.concatenate(
        (np.full(19, np.nan), sliding_window_view(data.close, 20).std(axis=1))
    )
    with np.errstate(invalid="ignore"):
        off = data.close - middle
        under, over = off + 2 * deviation < -rounding, off - 2 * deviation > rounding
    entries = 1.0 * (under & ~after(under)) - (over & ~after(over))
    entries[:20] = 0.0  # the first close that has bands has none before it
    expected = followed(entries, lambda n, held: held * off[n] >= -rounding[n])
    assert len(expected) > 5

    heard = Desk(BollingerReversionStrategy(20)).run(bars_of(data))

    assert heard == expected


def breakouts(data: Series, period: int) -> Numbers:
    """1 or -1 where a close leaves the range of the bars before it."""
    out = np.zeros(len(data.close))
    top = sliding_window_view(data.high, period).max(axis=1)[:-1]
    bottom = sliding_window_view(data.low, period).min(axis=1)[:-1]
    out[period:] = 1.0 * (data.close[period:] > top) - (data.close[period:] < bottom)
    return out


def test_donchian_breakout_enters_outside_and_leaves_by_the_narrow_channel(data):
    wide, narrow = breakouts(data, 20), breakouts(data, 10)
    expected = followed(wide, lambda n, held: narrow[n] == -held)
    assert len(expected) > 5

    heard = Desk(DonchianBreakoutStrategy(20, 10)).run(bars_of(data))

    assert heard == expected


@EVERY
def test_without_shorts_nothing_is_ever_sold_short(make):
    both, long_only = Desk(make()), Desk(make(allow_short=False))
    bars = bars_of(series("dear"))

    wished = [side for _, side in both.run(bars)]
    heard = [side for _, side in long_only.run(bars)]

    assert "SELL" in wished
    assert "SELL" not in heard
    assert heard[:2] == ["BUY", "CLOSE"]


def whispers(make: Callable[[], Strategy]) -> Iterator[Heard]:
    """What is heard of each of two symbols, fed one after the other and bar by bar in turn."""
    one, other = series("dear"), series("cheap")
    for symbols in ((BTC,), (ETH,)):
        yield Desk(make()).run(bars_of(one if symbols == (BTC,) else other, symbols[0]))
    desk = Desk(make(), (BTC, ETH))
    pairs = zip(bars_of(one, BTC), bars_of(other, ETH), strict=True)
    desk.run(bar for pair in pairs for bar in pair)
    for symbol in (BTC, ETH):
        yield [
            (number // 2, side)
            for (number, side), wish in zip(desk.heard, desk.signals, strict=True)
            if wish.symbol == symbol
        ]


@EVERY
def test_symbols_do_not_disturb_each_other(make):
    alone_one, alone_other, mixed_one, mixed_other = whispers(make)

    assert alone_one == mixed_one != []
    assert alone_other == mixed_other != []


@EVERY
def test_time_frames_do_not_disturb_each_other(make):
    quick, slow = bars_of(series("dear")), bars_of(series("cheap"), timeframe="1h")
    alone, mixed = make(), make()
    desk = Desk(mixed)
    desk.run(bar for pair in zip(quick, slow, strict=True) for bar in pair)

    Desk(alone).run(quick)

    lines = {key: vars_of(line) for key, line in mixed._lines.items()}
    assert set(lines) == {(BTC, "1m"), (BTC, "1h")}
    assert lines[BTC, "1m"] == vars_of(alone._lines[BTC, "1m"])


def vars_of(lines: object) -> list[object]:
    """The state of an object with slots, indicators by their value."""
    found = [getattr(lines, name) for name in type(lines).__slots__]  # type: ignore[attr-defined]
    return [getattr(item, "value", getattr(item, "_side", item)) for item in found]


@EVERY
def test_history_gives_the_state_that_running_on_would_have(make):
    """A restart replays `warmup_bars` and goes on as if it had never stopped."""
    bars = bars_of(series("dear"))
    split = 3000
    running = Desk(make())
    running.run(bars[:split])
    held = dict(running.held)
    before = len(running.signals)
    running.run(bars[split:])

    restarted = Desk(make())
    restarted.is_warming_up = True
    restarted.run(bars[split - restarted.strategy.warmup_bars : split])
    assert restarted.signals == []
    restarted.is_warming_up = False
    restarted.held.update(held)
    restarted.run(bars[split:])

    later = [(wish.ts, wish.signal_type) for wish in running.signals[before:]]
    assert [(wish.ts, wish.signal_type) for wish in restarted.signals] == later


@EVERY
def test_a_market_that_stands_still_is_left_alone(make):
    """Sums of a tenth differ in their last digit: that is rounding, not a crossing."""
    quiet = [*(0.1 + 0.001 * n for n in range(60)), *([0.1] * 3000)]
    desk = Desk(make())
    desk.run(bars_at(quiet))

    assert [place for place, _ in desk.heard if place > 60 + 350] == []


@EVERY
def test_nothing_is_wished_for_before_the_indicators_are_warm(make):
    desk = Desk(make())
    heard = desk.run(bars_at([100.0, 120.0, 80.0, 130.0, 70.0]))

    assert heard == []


def test_a_position_that_a_stop_closed_is_not_closed_again():
    """Up, up and over: the death cross finds nothing to close and only sells."""
    rise = [100.0 + n for n in range(40)]
    closes = [*reversed(rise), *rise, *reversed(rise)]
    desk = Desk(SmaCrossStrategy(3, 8))
    bars = bars_at(closes)
    desk.run(bars[:80])
    assert [side for _, side in desk.heard] == ["BUY"]

    desk.held.clear()
    desk.run(bars[80:])

    assert [side for _, side in desk.heard] == ["BUY", "SELL"]


def test_a_breakout_is_entered_once_even_when_its_stop_was_hit():
    closes = [100.0 + 0.1 * math.sin(n) for n in range(30)] + [110.0 + n for n in range(10)]
    desk = Desk(DonchianBreakoutStrategy(20, 10))
    bars = bars_at(closes)
    desk.run(bars[:31])
    assert desk.heard == [(30, "BUY")]

    desk.held.clear()
    desk.run(bars[31:])

    assert desk.heard == [(30, "BUY")]


def test_a_breakout_older_than_the_history_still_ends():
    desk = Desk(DonchianBreakoutStrategy(20, 10))
    desk.held[BTC] = Decimal(2)  # bought before the restart

    wide, narrow = [98.0, 101.0] * 8, [100.0, 101.0] * 7

    assert desk.run(bars_at([*wide, *narrow, 99.5, 90.0])) == [(30, "CLOSE"), (31, "SELL")]


def test_what_is_held_already_is_not_bought_again():
    closes = [*(140.0 - n for n in range(40)), *(100.0 + n for n in range(40))]
    desk = Desk(SmaCrossStrategy(3, 8))
    desk.held[BTC] = Decimal("0.002")

    assert desk.run(bars_at(closes)) == []


def test_reasons_name_the_numbers():
    desk = Desk(SmaCrossStrategy(3, 8))
    desk.run(bars_at([*(140.0 - n for n in range(40)), *(100.0 + n for n in range(40))]))

    assert desk.signals[0].reason.startswith("golden cross: SMA(3) 10")


@pytest.mark.parametrize("name", STRATEGIES)
def test_timeframe_is_asked_for(name):
    chosen, default = STRATEGIES[name](timeframe="5m"), STRATEGIES[name]()  # type: ignore[call-arg]  # each has it, their base has not

    assert chosen.timeframes == ("5m",)
    assert default.timeframes == ()
    assert default.warmup_bars > 0


BAD: list[tuple[type[Strategy], dict[str, object], str]] = [
    (SmaCrossStrategy, {"fast": 0}, "fast must be a whole number of bars from 1 .* was 0"),
    (SmaCrossStrategy, {"fast": 2.5}, "was 2.5"),
    (SmaCrossStrategy, {"fast": True}, "was True"),
    (SmaCrossStrategy, {"slow": 1_000_000}, "slow .* was 1000000"),
    (SmaCrossStrategy, {"fast": 30, "slow": 30}, "fast must be less than slow, was fast=30"),
    (SmaCrossStrategy, {"timeframe": "1x"}, "timeframe must be like .* was '1x'"),
    (SmaCrossStrategy, {"timeframe": 5}, "timeframe must be like .* was 5"),
    (EmaCrossStrategy, {"fast": 27}, "fast=27, slow=26"),
    (MacdMomentumStrategy, {"fast": 26}, "fast=26, slow=26"),
    (MacdMomentumStrategy, {"signal": -1}, "signal .* was -1"),
    (RSIStrategy, {"low": 60}, "low=60, middle=50.0, high=70.0"),
    (RSIStrategy, {"high": 100}, "high must be a number above 0 and below 100, was 100"),
    (RSIStrategy, {"low": math.nan}, "was nan"),
    (RSIStrategy, {"low": "30"}, "was '30'"),
    (BollingerReversionStrategy, {"width": 0}, "width .* was 0"),
    (BollingerReversionStrategy, {"period": 1}, "period .* from 2 .* was 1"),
    (DonchianBreakoutStrategy, {"leave": 21}, "leave=21, entry=20"),
]


@pytest.mark.parametrize(("make", "arguments", "text"), BAD)
def test_an_impossible_parameter_is_named_with_its_value(make, arguments, text):
    with pytest.raises(StrategyError, match=text):
        make(**arguments)

"""The path of a synthetic price: a function of seed, symbol and time alone.

It is a sum of noises of many periods, as a random walk is (Lévy's construction), so that any
moment can be computed without its past. The straight runs of the longer periods are the trends
that strategies live on; the shorter ones swell and fade with the volatility; a jump comes at
once and wears off within the hour.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..model.values import NS_PER_S
from .noise import Floats, Ints, key_of, ramp, uniform

HOUR_NS = 3600 * NS_PER_S
GRID_NS = NS_PER_S
_PERIODS_NS = np.array([[1], [10], [60], [600], [3600], [28_800], [259_200], [864_000]]) * NS_PER_S
# Like a random walk of 0.06 % a minute up to a period of 8 hours, flatter beyond: prices stay
# within some percent of where they are meant to be.
_AMPLITUDES = (0.000048, 0.00015, 0.00037, 0.00118, 0.0029, 0.0082, 0.015, 0.015)
_LIVELY = 3
"""So many of the shortest periods swell with the volatility."""

_CALM_NS = np.array([1200 * NS_PER_S])
_JUMP_MIN, _JUMP_SPAN = 0.002, 0.006
_JUMP_CHANCE = 3 / 24  # an hour: three jumps a day in the common walk, and three in each own


class Wave:
    """One random walk around zero, in fractions of the price."""

    def __init__(self, seed: int, name: str) -> None:
        self._keys = np.array([key_of(seed, name, i) for i in range(len(_AMPLITUDES))])
        self._jump_key = key_of(seed, name, "jump")

    def at(self, times: Ints, liveliness: Floats) -> Floats:
        """Return the walk at times that lie within an hour."""
        ramps = ramp(self._keys, _PERIODS_NS, times)
        total = self._jumps(times)
        for i, amplitude in enumerate(_AMPLITUDES):
            part = ramps[i] * amplitude
            total = total + (part * liveliness if i < _LIVELY else part)
        return total

    def _jumps(self, times: Ints) -> Floats:
        """Return what is left of a jump of this hour and of one of the hour before."""
        total = np.zeros(len(times))
        hour = int(times[0]) // HOUR_NS
        for cell in (hour - 1, hour):
            chance, place, size, sign = uniform(self._jump_key, np.arange(4) + 4 * cell).tolist()
            if chance >= _JUMP_CHANCE:
                continue
            age = (times - (cell * HOUR_NS + int(place * HOUR_NS))) / HOUR_NS
            height = (_JUMP_MIN + _JUMP_SPAN * size) * (1 if sign < 0.5 else -1)
            total += np.where(age >= 0.0, height * np.maximum(0.0, 1.0 - age), 0.0)
        return total


class Market:
    """What all symbols of a seed share: the common walk, and how lively the times are."""

    def __init__(self, seed: int) -> None:
        self._common = Wave(seed, "common")
        self._calm_key = key_of(seed, "calm")
        self._last: tuple[int, Shared] | None = None

    def hour(self, number: int) -> Shared:
        """Return what is shared in an hour; the last one is kept for the next symbol."""
        if self._last is None or self._last[0] != number:
            times = np.arange(HOUR_NS // GRID_NS + 1) * GRID_NS + number * HOUR_NS
            swell = 1.0 + 0.4 * ramp(self._calm_key, _CALM_NS, times)
            liveliness: Floats = np.maximum(0.4, swell)
            shared = Shared(times, liveliness, self._common.at(times, liveliness))
            self._last = (number, shared)
        return self._last[1]


class Shared(NamedTuple):
    """An hour's times, at both ends and every `GRID_NS` between, and what belongs to them.

    `liveliness` is the volatility as a multiple of its mean, 0.4 to 2.4.
    """

    times: Ints
    liveliness: Floats
    common: Floats


class PriceWalk:
    """One symbol's price: the common walk and its own, mixed by the correlation wanted.

    `volatility` is a multiple of the common walk's, `anchor` the price in the middle.
    """

    def __init__(self, own: Wave, *, anchor: float, volatility: float, correlation: float) -> None:
        self._own = own
        self._anchor = anchor
        self._shared = volatility * math.sqrt(correlation)
        self._apart = volatility * math.sqrt(1.0 - correlation)
        self._last: tuple[int, Floats] | None = None

    def hour(self, number: int, shared: Shared) -> Floats:
        """Return the prices at an hour's times; the last hour is kept."""
        if self._last is None or self._last[0] != number:
            own = self._own.at(shared.times, shared.liveliness)
            moved = shared.common * self._shared + own * self._apart
            self._last = (number, (moved + 1.0) * self._anchor)
        return self._last[1]

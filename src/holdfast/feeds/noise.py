"""Seeded noise that can be asked for at any time, in any order.

A draw is a function of a key and a counter (SplitMix64), with no generator to be wound forward.
Only integers, and sums, products and quotients of floats are used: they round alike on every
machine and in every version, which logarithms and powers do not.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(shift) for shift in (30, 27, 31, 11))
_S16, _S32, _S48, _LOW_16 = (np.uint64(number) for number in (16, 32, 48, 0xFFFF))
_MEAN = 2.0 * 65535.0
_DEVIATION = 37837.0  # of the sum of four draws of 16 bits


def key_of(*parts: object) -> Keys:
    """Return the key that some names and numbers stand for, whatever Python's hash seed."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.array([int.from_bytes(digest[:8], "big")], np.uint64)


def bits(key: Keys, counters: Ints) -> Keys:
    """Return 64 random bits for each counter."""
    z = key + counters.astype(np.uint64) * _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    mixed: Keys = z ^ (z >> _S31)
    return mixed


def uniform(key: Keys, counters: Ints) -> Floats:
    """Return a number from 0 up to 1 for each counter."""
    draws: Floats = (bits(key, counters) >> _S11).astype(np.float64) * 2.0**-53
    return draws


def bell(key: Keys, counters: Ints) -> Floats:
    """Return a number of mean 0 and deviation 1 for each counter, never past 3.5 either way."""
    z = bits(key, counters)
    total = (z & _LOW_16) + (z >> _S16 & _LOW_16) + (z >> _S32 & _LOW_16) + (z >> _S48)
    draws: Floats = (total.astype(np.float64) - _MEAN) / _DEVIATION
    return draws


def ramp(key: Keys, periods: Ints, times: Ints) -> Floats:
    """Return noise that runs straight from one multiple of its period to the next."""
    cells = times // periods
    part = (times - cells * periods).astype(np.float64) / periods
    here = bell(key, cells)
    noise: Floats = here + (bell(key, cells + 1) - here) * part
    return noise

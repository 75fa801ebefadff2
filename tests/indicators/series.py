"""Bars to feed indicators and their oracles with: seeded random walks and recorded klines."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

KLINES = Path(__file__).resolve().parents[2] / "../shared/data/klines_usdm_1m"
WALKS = {"dear": (95_000.0, 0.1), "cheap": (0.5, 0.0001), "odd": (1.0, 0.0)}  # start and tick
RECORDED = ("BTCUSDT", "XRPUSDT")
SERIES = (*WALKS, *RECORDED)

Numbers = NDArray[np.float64]


class Series(NamedTuple):
    open_ms: NDArray[np.int64]
    open: Numbers
    high: Numbers
    low: Numbers
    close: Numbers
    volume: Numbers


def series(name: str) -> Series:
    return walk(name) if name in WALKS else recorded(name)


@cache
def walk(name: str, count: int = 5000) -> Series:
    """Prices on a tick, so that equal highs, still bars and gaps happen as they do in life."""
    start, tick = WALKS[name]
    draw = np.random.default_rng(sum(map(ord, name)))
    steps = draw.normal(0.0, 0.001, count) * (draw.random(count) > 0.15)
    close = start * np.exp(np.cumsum(steps))
    open_ = np.concatenate(([start], close[:-1])) * (1 + draw.normal(0.0, 0.0002, count))
    high = np.maximum(open_, close) * (1 + np.abs(draw.normal(0.0, 0.0004, count)))
    low = np.minimum(open_, close) * (1 - np.abs(draw.normal(0.0, 0.0004, count)))
    open_, high, low, close = (
        np.round(price / tick) * tick if tick else price for price in (open_, high, low, close)
    )
    volume = np.round(draw.exponential(50.0, count), 3)
    open_ms = np.arange(count, dtype=np.int64) * 60_000
    return Series(open_ms, open_, high, low, close, volume)


@cache
def recorded(symbol: str) -> Series:
    path = KLINES / f"{symbol}-1m.csv.gz"
    if not path.is_file():
        pytest.skip(f"recorded klines are not here: {path}")
    with gzip.open(path, "rt") as file:
        rows = list(csv.reader(file))[1:]
    open_ms = np.array([int(row[0]) for row in rows], dtype=np.int64)
    table = np.array([[float(cell) for cell in row[1:6]] for row in rows])
    open_, high, low, close, volume = np.ascontiguousarray(table.T)
    return Series(open_ms, open_, high, low, close, volume)

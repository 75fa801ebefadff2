"""Indicators: incremental, float64, a constant amount of work an update."""

from __future__ import annotations

from .adx import ADX
from .averages import EMA, SMA, WMA
from .base import Indicator
from .cci import CCI
from .deviation import BollingerBands, StandardDeviation
from .extremes import Donchian, Highest, Lowest
from .macd import MACD
from .ranges import ATR, Keltner
from .roc import ROC
from .rsi import RSI
from .stochastic import Stochastic
from .volume import OBV, VWAP

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "EMA",
    "INDICATORS",
    "MACD",
    "OBV",
    "ROC",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "BollingerBands",
    "Donchian",
    "Highest",
    "Indicator",
    "Keltner",
    "Lowest",
    "StandardDeviation",
    "Stochastic",
]

INDICATORS: dict[str, type[Indicator]] = {
    "sma": SMA,
    "ema": EMA,
    "wma": WMA,
    "rsi": RSI,
    "macd": MACD,
    "atr": ATR,
    "bollinger": BollingerBands,
    "stochastic": Stochastic,
    "adx": ADX,
    "vwap": VWAP,
    "stddev": StandardDeviation,
    "highest": Highest,
    "lowest": Lowest,
    "donchian": Donchian,
    "roc": ROC,
    "obv": OBV,
    "cci": CCI,
    "keltner": Keltner,
}

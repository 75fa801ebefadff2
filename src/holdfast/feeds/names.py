"""Read a symbol and a time frame off a name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from ..model.instrument import QUOTE_ASSETS
from ..model.market import timeframe_ns
from ..model.values import NS_PER_S, Symbol

_DELIVERY = r"(?:_(?:\d{6}|PERP))?"
_QUOTED = rf"([A-Z0-9]+?(?:{'|'.join(QUOTE_ASSETS)}){_DELIVERY})(?=[-_.]|$)"
_BY_QUOTE = re.compile(_QUOTED)
_BEHIND_WORDS = re.compile(rf"(?:[A-Z0-9]+-)+?(?!(?:{'|'.join(QUOTE_ASSETS)})[-_.]){_QUOTED}")
_BY_DASH = re.compile(rf"([A-Z0-9]{{5,20}}{_DELIVERY})-")
_DAY = re.compile(r"-(20\d\d)-(\d\d)(?:-(\d\d))?(?=[-.]|$)")
_INTERVAL = re.compile(r"(?<=-)(\d+)(s|m|h|d|w|mo)(?=[-.]|$)")


def symbol_of(path: Path) -> Symbol | None:
    """Return the symbol that a file's name begins with; None where it does not.

    One that ends in a quote asset may stand behind words, as in BINANCE-BTCUSDT-1m.csv.
    """
    name = path.name.upper()
    match = _BY_QUOTE.match(name) or _BEHIND_WORDS.match(name) or _BY_DASH.match(name)
    return Symbol(match[1]) if match else None


def timeframe_of(path: Path) -> str | None:
    """Return the time frame in a file's name, as in BTCUSDT-1m-2024-08.zip; None without one.

    Raises:
        ValueError: it is a month, which has no fixed length.
    """
    match = _INTERVAL.search(path.name)
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    if unit == "mo":
        raise ValueError("bars of a month have no fixed length; use 1d")
    return timeframe_name(timeframe_ns(f"{number * 7}d" if unit == "w" else f"{number}{unit}"))


def day_of(path: Path) -> int | None:
    """Return when the day or month in a file's name begins, ns UTC; None without one.

    As in BTCUSDT-aggTrades-2024-08-08.zip: such a file has all of that day.
    """
    match = _DAY.search(path.name)
    if match is None:
        return None
    try:
        day = datetime(int(match[1]), int(match[2]), int(match[3] or 1), tzinfo=UTC)
    except ValueError:
        return None
    return int(day.timestamp()) * NS_PER_S


def timeframe_name(length_ns: int) -> str:
    """Write a length in the largest unit that divides it: 3600 s is "1h".

    Raises:
        ValueError: it is not a whole number of seconds above zero.
    """
    for unit in "dhms":
        number, rest = divmod(length_ns, timeframe_ns(f"1{unit}"))
        if number > 0 and not rest:
            return f"{number}{unit}"
    raise ValueError(f"bars must last whole seconds, these last {length_ns} ns")

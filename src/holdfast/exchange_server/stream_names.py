"""What a stream's name asks for: kind, symbol and speed, and on which route it is delivered."""

from __future__ import annotations

import re
from typing import NamedTuple

PUBLIC, MARKET, PRIVATE = "public", "market", "private"
ROUTES = (PUBLIC, MARKET, PRIVATE)

DEPTH_MS = 250
"""How often a depth stream speaks that does not say."""

DEPTH_SPEEDS_MS = (100, 250, 500)

_ON_PUBLIC = frozenset({"bookTicker", "depth", "levels", "rpiDepth", "trade"})
_INTERVAL = "1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M"
_SHAPES = (
    ("aggTrade", re.compile(r"aggTrade")),
    ("trade", re.compile(r"trade")),
    ("bookTicker", re.compile(r"bookTicker")),
    ("miniTicker", re.compile(r"miniTicker")),
    ("ticker", re.compile(r"ticker")),
    ("forceOrder", re.compile(r"forceOrder")),
    ("markPrice", re.compile(r"markPrice(?:@(?P<seconds>[13])s)?")),
    ("kline", re.compile(rf"kline_(?P<interval>{_INTERVAL})")),
    ("continuousKline", re.compile(rf"continuousKline_(?P<interval>{_INTERVAL})")),
    ("levels", re.compile(r"depth(?P<levels>5|10|20)(?:@(?P<speed>0|100|250|500)ms)?")),
    ("depth", re.compile(r"depth(?:@(?P<speed>0|100|250|500)ms)?")),
    ("rpiDepth", re.compile(r"rpiDepth@(?P<speed>500)ms")),
)
_FOR_ALL = {
    "!bookTicker": "bookTicker",
    "!miniTicker@arr": "miniTicker",
    "!ticker@arr": "ticker",
    "!forceOrder@arr": "forceOrder",
    "!markPrice@arr": "markPrice",
    "!markPrice@arr@1s": "markPrice",
    "!markPrice@arr@3s": "markPrice",
}
_CONTRACTS = {"perpetual": "PERPETUAL"}


class Channel(NamedTuple):
    """What is published; several names may mean the same. `symbol` "" means all of them."""

    kind: str
    symbol: str = ""
    speed_ms: int = 0
    levels: int = 0
    interval: str = ""

    @property
    def route(self) -> str:
        return PUBLIC if self.kind in _ON_PUBLIC else MARKET


def looks_like_stream(name: str) -> bool:
    """Tell a stream's name from the path segments that some clients add, such as "0"."""
    return "@" in name or name.startswith("!") or name == "tradingSession"


def parse(name: str) -> Channel | None:
    """Return what is asked for; None where nothing will ever come, as on the real exchange."""
    if name.startswith("!"):
        return _parse_for_all(name)
    symbol, at, rest = name.partition("@")
    if not at or not symbol or symbol != symbol.lower():
        return None
    for kind, shape in _SHAPES:
        match = shape.fullmatch(rest)
        if match is not None:
            return _channel(kind, symbol, match.groupdict())
    return None


def _parse_for_all(name: str) -> Channel | None:
    kind = _FOR_ALL.get(name)
    if kind is None:
        return None
    if kind == "markPrice":
        return Channel(kind, speed_ms=1000 if name.endswith("@1s") else 3000)
    return Channel(kind)


def _channel(kind: str, symbol: str, asked: dict[str, str | None]) -> Channel | None:
    if kind == "markPrice":
        return Channel(kind, symbol.upper(), int(asked["seconds"] or 3) * 1000)
    if kind == "continuousKline":
        pair, _, contract = symbol.rpartition("_")
        known = contract in _CONTRACTS and pair
        return Channel(kind, pair.upper(), interval=asked["interval"] or "") if known else None
    return Channel(
        kind,
        symbol.upper(),
        speed_ms=_speed_ms(asked["speed"]) if "speed" in asked else 0,
        levels=int(asked.get("levels") or 0),
        interval=asked.get("interval") or "",
    )


def _speed_ms(text: str | None) -> int:
    """Read a depth stream's speed. 0 ms, which NautilusTrader asks for, is the fastest there is."""
    return DEPTH_MS if text is None else int(text) or DEPTH_SPEEDS_MS[0]

"""What a feed is made from: one flat struct, whatever the feed."""

from __future__ import annotations

import math

import msgspec

from ..model.errors import ConfigError
from ..model.values import Symbol

MAX_SPEED = 0.0
"""The speed that means: as fast as the reader reads."""

DEFAULT_SYMBOLS = (Symbol("BTCUSDT"), Symbol("ETHUSDT"))
"""What a feed that could show any symbol shows when nobody says."""

TICK_TIMEFRAME = "5s"
"""What bars are built to from a feed that has ticks alone, where nobody says."""


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A feed takes what concerns it and ignores the rest.

    `source` is a name in `FEEDS`, or files: a path, a directory, a glob, several of them
    with commas between. `symbols` empty means all that the source has. `speed` is feed time
    over wall time, 0 as fast as possible. `start_ts` (ns UTC) is the earliest time wanted;
    `duration_s` None is without end. `rate` is trades and quotes per second and symbol, and
    `correlation` that of any two symbols, both of the synthetic feed. `books` asks a live feed for
    whole order books too; `testnet`, `rest_url` and `stream_url` say where it is: the market that
    orders go to.
    """

    source: str = "synthetic"
    symbols: tuple[Symbol, ...] = ()
    seed: int = 0
    speed: float = 1.0
    start_ts: int = 0
    duration_s: float | None = None
    rate: float = 10.0
    correlation: float = 0.6
    books: bool = False
    testnet: bool = False
    rest_url: str | None = None
    stream_url: str | None = None


def parse_speed(text: str) -> float:
    """Read a speed: a number such as 1 or 60, or "max".

    Raises:
        ConfigError: it is neither, or negative.
    """
    if text.strip().lower() == "max":
        return MAX_SPEED
    try:
        speed = float(text)
    except ValueError:
        raise ConfigError(f"speed must be a number or max, was {text!r}") from None
    return check_speed(speed)


def check_speed(speed: float) -> float:
    """Return a usable speed.

    Raises:
        ConfigError: it is negative or not finite.
    """
    if not math.isfinite(speed) or speed < 0:
        raise ConfigError(f"speed must be 0 (as fast as possible) or more, was {speed!r}")
    return speed

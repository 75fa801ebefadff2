"""Checks of strategies' parameters; each error names the parameter and its value."""

from __future__ import annotations

import numbers

from ..model.errors import StrategyError
from ..model.market import timeframe_ns

LONGEST = 10_000
"""No indicator of a shipped strategy looks back over more bars: history must be fetched."""


def bars(name: str, value: object, least: int = 1) -> int:
    """Return a number of bars.

    Raises:
        StrategyError: it is no whole number from `least` to `LONGEST`.
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    number = int(value) if is_whole else 0  # type: ignore[call-overload]  # a library's own too
    if not is_whole or not least <= number <= LONGEST:
        raise StrategyError(
            f"{name} must be a whole number of bars from {least} to {LONGEST}, was {value!r}"
        )
    return number


def shorter(name: str, value: int, longer_name: str, longer: int) -> None:
    """Refuse a period that is not below another.

    Raises:
        StrategyError: it is as long or longer.
    """
    if value >= longer:
        raise StrategyError(
            f"{name} must be less than {longer_name}, was {name}={value}, {longer_name}={longer}"
        )


def within(name: str, value: object, low: float, high: float) -> float:
    """Return a number strictly between two bounds.

    Raises:
        StrategyError: it is none.
    """
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    number = float(value) if is_real else low  # type: ignore[arg-type]  # a library's own too
    if not low < number < high:
        raise StrategyError(
            f"{name} must be a number above {low:g} and below {high:g}, was {value!r}"
        )
    return number


def timeframes(timeframe: str | None) -> tuple[str, ...]:
    """Return what bars to ask for; None takes the feed's default.

    Raises:
        StrategyError: it is no timeframe.
    """
    if timeframe is None:
        return ()
    try:
        timeframe_ns(timeframe)
    except (ValueError, TypeError):
        raise StrategyError(f"timeframe must be like 5s, 1m, 4h or 1d, was {timeframe!r}") from None
    return (timeframe,)

"""What every indicator has: a value, a warm-up, and one way to refuse bad input.

Rule 1: input is checked before anything changes, so a refused update leaves no trace.
Rule 2: nothing is kept by adding what comes and subtracting what leaves: such sums drift.
"""

from __future__ import annotations

LONGEST = 100_000
"""No window is longer than this many updates."""

STILL = 1e-200
"""Movement under this is none: what is left of it after a long standstill is rounding."""


class Indicator:
    """One or several numbers kept up to date, an update at a time.

    `value` is the main one; it and its companions are None until `warmup` updates were made.
    Inputs are finite and at most 1e100 in size: their squares and sums stay finite too.
    """

    __slots__ = ("value", "warmup")

    value: float | None
    warmup: int

    def __init__(self, warmup: int) -> None:
        self.value = None
        self.warmup = warmup

    @property
    def is_ready(self) -> bool:
        """Tell whether enough has been seen for a value."""
        return self.value is not None


def refusal(name: str, value: object) -> ValueError:
    """Make the error for an input that no arithmetic should meet."""
    return ValueError(f"{name} must be a finite number, at most 1e100 in size, was {value!r}")


def bar_refusal(high: float, low: float, close: float) -> ValueError:
    """Make the error for a bar of which one price is unusable, or whose low is over its high."""
    return ValueError(
        "a bar needs finite prices, at most 1e100 in size, and low <= high, was "
        f"high {high!r}, low {low!r}, close {close!r}"
    )


def checked_period(name: str, period: object, least: int = 1) -> int:
    """Return a window's length.

    Raises:
        ValueError: it is no whole number from `least` to `LONGEST`.
    """
    if isinstance(period, bool) or not isinstance(period, int) or not least <= period <= LONGEST:
        raise ValueError(f"{name} must be a whole number from {least} to {LONGEST}, was {period!r}")
    return period


def checked_multiple(name: str, multiple: object) -> float:
    """Return the width of a band, in deviations or ranges.

    Raises:
        ValueError: it is no number above 0 and up to 1000.
    """
    if not isinstance(multiple, int | float) or not 0.0 < multiple <= 1000.0:
        raise ValueError(f"{name} must be a number above 0 and up to 1000, was {multiple!r}")
    return float(multiple)

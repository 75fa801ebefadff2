"""The stretch of time that a question is about."""

from __future__ import annotations

from typing import NamedTuple

from ..model.values import NS_PER_DAY, NS_PER_MS, NS_PER_S
from .errors import ApiError
from .params import Params

BACKWARD = -1023
MORE_HOURS = -1127
TOO_LONG = -4165
NS_PER_HOUR = 3600 * NS_PER_S


class TimeRange(NamedTuple):
    """Nanoseconds, both ends included."""

    start: int
    end: int


def time_range(params: Params, now: int, *, days: int | None, bounded: bool = True) -> TimeRange:
    """Read `startTime` and `endTime`.

    Args:
        days: the longest stretch that may be asked for, which is also what is meant where one
            of the two is not sent; None knows no such bound.
        bounded: whether the bound holds for this question.

    Raises:
        ApiError: the end comes before the start, or the stretch is too long.
    """
    start, end = params.integer("startTime"), params.integer("endTime")
    if start is not None and end is not None and start > end:
        raise ApiError(BACKWARD, "Start time is greater than end time.")
    if days is None or not bounded:
        return TimeRange(
            (start or 0) * NS_PER_MS, _end(end) if end is not None else max(now, _end(0))
        )
    longest = days * NS_PER_DAY
    if start is not None and end is not None and (end - start) * NS_PER_MS > longest:
        raise ApiError(TOO_LONG, f"Maximum time interval is {days} days")
    if start is not None:
        begin = start * NS_PER_MS
        return TimeRange(begin, _end(end) if end is not None else begin + longest)
    until = _end(end) if end is not None else now
    return TimeRange(until - longest, until)


def check_hours(params: Params, most: int) -> None:
    """Check that `startTime` and `endTime`, where both are sent, are no further apart.

    Raises:
        ApiError: they are.
    """
    start, end = params.integer("startTime"), params.integer("endTime")
    if start is not None and end is not None and (end - start) * NS_PER_MS > most * NS_PER_HOUR:
        raise ApiError(MORE_HOURS, f"More than {most} hours between startTime and endTime.")


def _end(millisecond: int) -> int:
    """Return the last nanosecond of a millisecond."""
    return (millisecond + 1) * NS_PER_MS - 1

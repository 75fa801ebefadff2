"""Warnings that may come by the thousand: the first is written, of the others their number."""

from __future__ import annotations

import asyncio
import logging

PERIOD_S = 60.0
"""How long others like it are counted after a warning was written."""


class Complaints:
    """Warnings of one kind, from the loop's thread.

    Args:
        log: where they are written.
        period_s: after how long the number of the others is written, if there were any.
    """

    def __init__(self, log: logging.Logger, period_s: float = PERIOD_S) -> None:
        self._log = log
        self._period_s = period_s
        self._is_counting = False
        self._others = 0
        self._latest = ""

    def warn(self, text: str, fault: Exception | None = None) -> None:
        """Write a warning, or count it where one was written within the period.

        Args:
            fault: what went wrong with ourselves: it is an error, and shown with its place.
        """
        if self._is_counting:
            self._others, self._latest = self._others + 1, text
            return
        level = logging.WARNING if fault is None else logging.ERROR
        self._log.log(level, "%s", text, exc_info=fault)
        self._count()

    def _count(self) -> None:
        self._is_counting, self._others = True, 0
        asyncio.get_running_loop().call_later(self._period_s, self._sum_up)

    def _sum_up(self) -> None:
        others, self._is_counting = self._others, False
        if others:
            self._log.warning(
                "%d more like it in %g s, the last: %s", others, self._period_s, self._latest
            )
            self._count()

"""What replays let through to stderr while they run: warnings, alarms, what strategies log."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from .output import NEWLINE, visible

STRATEGIES = "holdfast.runner.said"
"""The logger that strategies write to with `ctx.log`."""

TOLD_ELSEWHERE = ("strategy_stopped:", "session_error:")
"""Alarms that are in the answer, or that the runner tells of."""


@contextmanager
def telling() -> Iterator[None]:
    """Write a line for each record that a person should see, and leave tracebacks away.

    What strategies print goes to stderr too: stdout is for the answer, which programs read.
    """
    handler = _Lines()
    top, strategies = logging.getLogger("holdfast"), logging.getLogger(STRATEGIES)
    before, propagated = strategies.level, top.propagate
    top.addHandler(handler)
    top.propagate = False
    strategies.setLevel(logging.INFO)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        strategies.setLevel(before)
        top.propagate = propagated
        top.removeHandler(handler)


@contextmanager
def hushed() -> Iterator[None]:
    """Let nothing of many replays through: a row says what became of each."""
    handler, top = logging.NullHandler(), logging.getLogger("holdfast")
    propagated = top.propagate
    top.addHandler(handler)
    top.propagate = False
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        top.propagate = propagated
        top.removeHandler(handler)


class _Lines(logging.Handler):
    """Writes records to stderr, each as one line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless it is told elsewhere."""
        if record.exc_info or sys.stderr is None:
            return  # an error's text is a part of the answer
        text = record.getMessage()
        if record.name == "holdfast.notices" and text.startswith(TOLD_ELSEWHERE):
            return
        line = visible(text.partition(NEWLINE)[0])
        print(line if record.levelno < logging.WARNING else f"holdfast: {line}", file=sys.stderr)

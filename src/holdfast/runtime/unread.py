"""Write only what need not wait for its reader: a pager, a held terminal, a hung collector."""

from __future__ import annotations

import select
from typing import TextIO

LINE_MAX = 1_000
"""Letters of a line that is written only where it can be: a pipe with room takes 4,096 bytes."""


def has_room(stream: TextIO) -> bool:
    """Tell whether a line of `LINE_MAX` can be written without waiting for who reads it."""
    try:
        return bool(select.select([], [stream.fileno()], [], 0)[1])
    except (OSError, ValueError, AttributeError):  # it is no file, or closed: writing tells
        return True

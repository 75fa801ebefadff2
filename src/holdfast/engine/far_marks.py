"""How long what a mark off its market would set, the day's beginning or a peak, waits for a better.

From the first try on, whenever that is: a day may begin at midnight, or with the session at noon.
"""

from __future__ import annotations

from ..model.values import NS_PER_S
from .core import Core

DOUBTED_NS = 10 * NS_PER_S
"""How long the day's beginning, and a sample, wait while a mark is far off its market."""


def waits(core: Core, what: tuple[str, ...], *, is_in_doubt: bool) -> bool:
    """Tell whether something that is due waits: call it at each try, until it is done."""
    if is_in_doubt and 0 <= core.now - core.doubted_since.setdefault(what, core.now) < DOUBTED_NS:
        return True
    core.doubted_since.pop(what, None)
    return False

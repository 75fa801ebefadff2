"""Say once of each hook that nobody reads what it returns: other engines take signals so."""

from __future__ import annotations

import logging
from collections.abc import Callable

TOLD_MAX = 100
"""Hooks of which it is said."""

_log = logging.getLogger("holdfast.runner")


class Returned:
    """Remembers of which hooks it was said."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, hook: Callable[..., object], returned: object) -> None:
        """Warn of a hook that returned something."""
        name = getattr(hook, "__qualname__", repr(hook))
        if name in self._told or len(self._told) >= TOLD_MAX:
            return
        self._told.add(name)
        _log.warning(
            "%s returned %.80r, which nobody reads: a hook asks for a trade with self.signal",
            name,
            returned,
        )

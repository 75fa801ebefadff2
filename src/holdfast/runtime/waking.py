"""Which parents may be woken: a part of an entry is denied before its market is heard."""

from __future__ import annotations

from ..engine.engine import Engine
from ..model.values import ENTRY, ParentId, Symbol


class Waking:
    """Knows what one life has heard of its market; what a recording shows is in step with time."""

    def __init__(self, engine: Engine, *, is_live: bool) -> None:
        self.heard: set[Symbol] = set()
        self._engine = engine
        self._is_live = is_live

    def may_wake(self, parent_id: ParentId) -> bool:
        """Tell whether a parent's time, once it has come, is not to be waited beyond."""
        parent = self._engine.state.parents.get(parent_id)
        if not self._is_live or parent is None or parent.start.order.role is not ENTRY:
            return True
        return parent.start.symbol in self.heard

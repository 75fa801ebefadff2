"""What strategies have wished for and nobody has heard yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..model.order_wish import Wish
from .attached import Attached


class Wishes:
    """Hands wishes over one by one, in the order of their saying.

    What is handed over may come back as a fill and make the next wish: the outermost call hands
    them all over, so that this never gets deep. Held at first, until `let_go`.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Attached, Wish]] = deque()
        self._is_held = True

    def add(self, wisher: Attached, wish: Wish) -> None:
        """Take a wish in. One whose strategy is off by its turn goes nowhere."""
        self._waiting.append((wisher, wish))

    def hand_over(self, emit: Callable[[Wish], None]) -> None:
        """Hand over what waits, unless a call above this one does."""
        if not self._is_held:
            self.let_go(emit)

    def let_go(self, emit: Callable[[Wish], None]) -> None:
        """Hand over what was held, and from here on what comes."""
        self._is_held = True
        try:
            while self._waiting:
                wisher, wish = self._waiting.popleft()
                if wisher.is_live:
                    emit(wish)
        finally:
            self._is_held = False

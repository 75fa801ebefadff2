"""Who acts on strategies' wishes: the session, or those who subscribe to them."""

from __future__ import annotations

import logging

from ..model.order_wish import OrderWish, Wish
from ..model.signal import SignalGenerated
from .bus import EventBus

TOPICS: dict[type[Wish], str] = {
    SignalGenerated: "signal.generated",
    OrderWish: "order.wished",
}
"""Where each kind of wish is published."""

_log = logging.getLogger("holdfast.session")


class Handover:
    """Publishes each wish, and says whether its subscribers are to act on it.

    Args:
        executes: whether the session acts itself; None leaves wishes of a kind to subscribers as
            soon as there is one to that kind, and says so once.
    """

    def __init__(self, bus: EventBus, *, executes: bool | None) -> None:
        self._bus = bus
        self._executes = executes
        self._told: set[str] = set()

    def __call__(self, wish: Wish) -> bool:
        """Tell a wish; return whether the session is to leave it alone."""
        topic = TOPICS[type(wish)]
        is_left = self._bus.is_subscribed(topic) if self._executes is None else not self._executes
        if is_left and self._executes is None and topic not in self._told:
            self._told.add(topic)
            _log.warning(
                "what strategies wish for is left to the subscribers of %s, who execute it; to "
                "subscribe and have the session execute it, start it with execute_signals=True",
                topic,
            )
        self._bus.publish(topic, wish)
        return is_left

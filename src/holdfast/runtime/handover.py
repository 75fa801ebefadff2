"""Who acts on strategies' signals: the session, or those who subscribe to them."""

from __future__ import annotations

import logging

from ..model.signal import SignalGenerated
from .bus import EventBus

TOPIC = "signal.generated"

_log = logging.getLogger("holdfast.session")


class Handover:
    """Publishes each signal, and says whether its subscribers are to act on it.

    Args:
        executes: whether the session acts itself; None leaves it to subscribers as soon as there
            is one, and says so once.
    """

    def __init__(self, bus: EventBus, *, executes: bool | None) -> None:
        self._bus = bus
        self._executes = executes
        self._has_told = False

    def __call__(self, signal: SignalGenerated) -> bool:
        """Tell a signal; return whether the session is to leave it alone."""
        is_left = self._bus.is_subscribed(TOPIC) if self._executes is None else not self._executes
        if is_left and self._executes is None and not self._has_told:
            self._has_told = True
            _log.warning(
                "signals are left to the subscribers of %s, who execute them; to subscribe and "
                "have the session execute them, start it with execute_signals=True",
                TOPIC,
            )
        self._bus.publish(TOPIC, signal)
        return is_left

"""Notices for people, on the log, and by whatever else a user has for them."""

from __future__ import annotations

import inspect
import logging

from ..model.errors import InputError
from ..ports import Notifier

NOTICES = "holdfast.notices"
"""The log of notices; alarms are there at whatever level others are kept."""

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "alarm": logging.ERROR}


class LogNotifier:
    """Writes notices to the `NOTICES` log."""

    def __init__(self) -> None:
        self._log = logging.getLogger(NOTICES)

    def notify(self, level: str, text: str) -> None:
        """Write one notice; an unknown level counts as a warning."""
        self._log.log(_LEVELS.get(level, logging.WARNING), "%s", text)


class UsersNotifier:
    """Tells a user's own notifier. What that could not tell is on the log, with the reason.

    Raises:
        InputError: its `notify` is asynchronous: nobody would await it.
    """

    def __init__(self, notifier: Notifier) -> None:
        if inspect.iscoroutinefunction(notifier.notify):
            raise InputError(
                f"notify must be a plain function, was {notifier.notify!r:.80}; an asynchronous "
                "one can subscribe to alarm.raised on the event bus"
            )
        self._notifier = notifier
        self._log = LogNotifier()

    def notify(self, level: str, text: str) -> None:
        """Tell of one notice, whatever becomes of it."""
        try:
            self._notifier.notify(level, text)
        except Exception as error:  # noqa: BLE001 - a pager that is down ends no session
            self._log.notify(level, text)
            who = type(self._notifier).__name__
            self._log.notify("alarm", f"{who} could not tell this: {error!r}")


def notifier_of(given: Notifier | None) -> Notifier:
    """Return what tells notices: a user's own, which nothing depends on, or the log."""
    return LogNotifier() if given is None else UsersNotifier(given)

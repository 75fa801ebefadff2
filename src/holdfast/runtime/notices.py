"""Notices for people, on the log."""

from __future__ import annotations

import logging

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

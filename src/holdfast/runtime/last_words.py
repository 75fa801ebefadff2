"""What is put on record of a session that does not run: its end or stop, kill switch and pause."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..model import messages as msg
from ..model.config import TradingConfig
from ..model.events import Event, KillSwitchEngaged, KillSwitchReleased, SessionChanged
from ..model.values import TradingSessionStatus
from .assembly import own_journal
from .recovery import StateRecoveryService
from .shell import check_values

Latch = msg.EngageKillSwitch | msg.ReleaseKillSwitch | msg.PauseSession | msg.ResumeSession
"""Words of an operator that outlive the process."""

_log = logging.getLogger("holdfast.session")
_ENDING = (TradingSessionStatus.STOPPING, TradingSessionStatus.ERROR)
"""Where a stop has nothing more to say, unless it is to flatten."""


def record_end(
    config: TradingConfig, message: msg.FailSession | msg.ResetSession | msg.StopSession
) -> TradingSessionStatus:
    """Put the end of a session that no longer runs into its journal; return where it stands then.

    What a stop asks of the venue is asked by the next start, which finds that it was cut off.

    Raises:
        TradingError: the journal can't be had, or not be written.
    """
    check_values(message)
    journal = own_journal(config)
    for finding in journal.findings:
        _log.warning("%s", finding)
    try:
        engine = StateRecoveryService(journal).recover(config.engine_settings()).engine
        if engine.state.status is TradingSessionStatus.STOPPED:
            return engine.state.status
        facts = []
        if isinstance(message, msg.ResetSession):
            facts += engine.handle(msg.FailSession(reason=message.reason), 0).facts
        is_stop = isinstance(message, msg.StopSession) and not message.flatten
        if not (is_stop and engine.state.status in _ENDING):
            facts += engine.handle(message, 0).facts
        if facts:
            journal.append(facts)
            journal.sync()
        return engine.state.status
    finally:
        journal.close()


def record_latch(
    config: TradingConfig, message: Latch, tell: Callable[[str], object] = _log.warning
) -> list[Event]:
    """Put kill switch or pause into the journal of a session that does not run; return the facts.

    The word alone: what follows from it (cancels, closing orders) is asked of the venue by the
    session that starts next, which the word tells to.

    Args:
        tell: hears what was found amiss with the journal.

    Raises:
        TradingError: the journal can't be had, or not be written.
        SessionStateError: there is nothing to release, to pause or to resume.
    """
    journal = own_journal(config)
    for finding in journal.findings:
        tell(finding)
    try:
        engine = StateRecoveryService(journal).recover(config.engine_settings()).engine
        outcome = engine.handle(message, 0)  # at the journal's own time
        switch = (KillSwitchEngaged, KillSwitchReleased)
        is_switch = isinstance(message, msg.EngageKillSwitch | msg.ReleaseKillSwitch)
        kept = switch if is_switch else SessionChanged
        facts: list[Event] = [fact for fact in outcome.facts if isinstance(fact, kept)]
        journal.append(facts)
        journal.sync()
        return facts
    finally:
        journal.close()

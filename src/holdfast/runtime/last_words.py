"""What is put on record of a session that does not run: its end or stop, kill switch and pause."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..engine.engine import Engine
from ..engine.session import check_move
from ..engine.state import State
from ..model import messages as msg
from ..model.config import TradingConfig
from ..model.errors import SessionStateError
from ..model.events import Event, KillSwitchEngaged, KillSwitchReleased, SessionChanged
from ..model.values import TradingSessionStatus
from .assembly import own_journal
from .recorded import as_recorded
from .recovery import StateRecoveryService

Pause = msg.PauseSession | msg.ResumeSession
"""A pause, or its end."""

Latch = msg.EngageKillSwitch | msg.ReleaseKillSwitch | Pause
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
    message = as_recorded(message)
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
    message = as_recorded(message)
    journal = own_journal(config)
    for finding in journal.findings:
        tell(finding)
    try:
        engine = StateRecoveryService(journal).recover(config.engine_settings()).engine
        facts = _facts_of(engine, message)
        journal.append(facts)
        journal.sync()
        return facts
    finally:
        journal.close()


def latch_between(config: TradingConfig, message: Latch, shown: State) -> None:
    """Put it on record while no life runs; the one that failed, which is `shown`, hears it too.

    Raises:
        SessionStateError: as `record_latch`, and where that one is in ERROR, which no pause ends.
    """
    if isinstance(message, Pause) and shown.status is TradingSessionStatus.ERROR:
        check_move(shown.status, _asked_for(message))
    for fact in record_latch(config, message):
        shown.apply(fact)


def _facts_of(engine: Engine, message: Latch) -> list[Event]:
    if isinstance(message, Pause) and engine.state.status is TradingSessionStatus.STARTING:
        return [_at_a_start(engine.state, message)]
    outcome = engine.handle(message, 0)  # at the journal's own time
    switch = (KillSwitchEngaged, KillSwitchReleased)
    kept = SessionChanged if isinstance(message, Pause) else switch
    return [fact for fact in outcome.facts if isinstance(fact, kept)]


def _at_a_start(state: State, message: Pause) -> SessionChanged:
    """Return what a life that died on its way up leaves to the next one, which goes by it.

    The engine would refuse it: in a life that still starts, the venue's books come first.
    """
    if state.was_stopping:
        raise SessionStateError("the session is to stop, which its next start carries out")
    if isinstance(message, msg.ResumeSession) and not state.was_paused:
        raise SessionStateError("the session is not paused: there is nothing to resume")
    return SessionChanged(ts=state.last_ts, status=_asked_for(message), reason=message.reason)


def _asked_for(message: Pause) -> TradingSessionStatus:
    is_pause = isinstance(message, msg.PauseSession)
    return TradingSessionStatus.PAUSED if is_pause else TradingSessionStatus.RUNNING

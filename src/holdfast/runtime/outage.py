"""What passes by itself between two lives: an exchange that is away, a journal that is lent.

A journal is lent to a program that trades with nothing, as `holdfast journal archive`: its newest
epoch is still one of this process. One that somebody else has owned since is lost.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

from ..journal.inspect import last_owner
from ..model.config import TradingConfig
from ..model.errors import (
    JournalError,
    JournalLocked,
    OutcomeUnknownError,
    SessionStateError,
    TradingError,
    VenueUnavailable,
)
from ..model.messages import StopSession
from ..model.values import TradingSessionStatus
from .last_words import record_end
from .machine import is_made

LENT_S_MAX = 60.0
"""How long a stop waits for a journal that is lent: somebody waits for its answer."""

LOOK_EVERY_S = 0.1
_STOPPED = TradingSessionStatus.STOPPED


def is_passing(error: BaseException, where: str) -> bool:
    """Tell whether a life could not be opened for what will be over without anybody's doing.

    Args:
        where: the session's journal.
    """
    if isinstance(error, JournalLocked):
        return _is_lent(where)
    return isinstance(error, VenueUnavailable)


def what_is_away(error: BaseException) -> str:
    """Say what a session waits for."""
    is_lent = isinstance(error, JournalLocked)
    return "its journal, which another program has" if is_lent else "a venue that is away"


async def leave_stop(config: TradingConfig, word: StopSession) -> TradingSessionStatus:
    """Put a stop on record that the next start carries out; return where the session stands then.

    Raises:
        TradingError: the journal can't be had, or not be written.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LENT_S_MAX
    while True:
        try:
            return record_end(config, word)
        except JournalLocked:
            if loop.time() >= deadline or not _is_lent(config.database_url):
                raise
        await asyncio.sleep(LOOK_EVERY_S)


def leave_to_the_next(config: TradingConfig, word: StopSession) -> NoReturn:
    """Put the stop of a session on record that did not come to run, and raise what came of it.

    Raises:
        OutcomeUnknownError: it is, and the next start carries it out.
        SessionStateError: nothing is left that could be stopped.
        JournalError: it can't be recorded.
    """
    try:
        found = record_end(config, word) if is_made(config.database_url) else _STOPPED
    except TradingError as error:
        raise JournalError(f"THE STOP IS NOT ON RECORD: {error}") from error
    if found is _STOPPED:
        raise SessionStateError("the session did not start, and has left nothing to stop")
    raise OutcomeUnknownError(
        "the session did not start; the stop is on record: the next start carries it out"
    )


def _is_lent(where: str) -> bool:
    try:
        owner = last_owner(where)
    except TradingError:  # it can't be read just now: nobody else is known to have it
        return True
    return owner is not None and owner.is_here

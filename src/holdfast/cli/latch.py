"""Engage or release the kill switch in a journal that no session owns."""

from __future__ import annotations

from msgspec.structs import replace

from ..model.config import TradingConfig
from ..model.messages import EngageKillSwitch, ReleaseKillSwitch
from ..runtime.control_file import NoSessionRunning
from ..runtime.last_words import record_latch
from ..runtime.left_kill import USUAL_JOURNAL, journal_of, record_left
from ..runtime.wanted import words_of
from .journaled import has_journal
from .output import warn


def engage(config: TradingConfig, message: EngageKillSwitch | ReleaseKillSwitch) -> None:
    """Record the operator's word, durably.

    No journal is made for it: a mistyped folder would look like a switch that is engaged.

    Raises:
        NoSessionRunning: there is no journal.
        JournalLocked: a session owns the journal after all.
        SessionStateError: there is nothing to release.
    """
    if not has_journal(config):
        raise NoSessionRunning(
            f"{_nobody(config)}: nothing was blocked or released, and nothing was made; is the "
            "name right?"
        )
    if isinstance(message, EngageKillSwitch):
        message = replace(message, reason=words_of(message.reason))
    else:
        message = replace(message, operator=words_of(message.operator))
    record_left(config)  # before a release, which is of that too
    record_latch(config, message, warn)


def _nobody(config: TradingConfig) -> str:
    if (journal := journal_of(config)) != USUAL_JOURNAL:  # another one's session may run there
        return f"no session has the journal {journal}, and there is none of that name"
    return f"no session runs in {config.data_dir.absolute()}, and there is no journal there"

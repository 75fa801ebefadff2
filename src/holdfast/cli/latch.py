"""Engage or release the kill switch in a journal that no session owns."""

from __future__ import annotations

from ..model.config import TradingConfig
from ..model.events import KillSwitchEngaged, KillSwitchReleased
from ..model.messages import EngageKillSwitch, ReleaseKillSwitch
from ..runtime.assembly import own_journal
from ..runtime.control_file import NoSessionRunning
from ..runtime.recovery import StateRecoveryService
from .journaled import has_journal
from .output import warn


def engage(config: TradingConfig, message: EngageKillSwitch | ReleaseKillSwitch) -> None:
    """Record the operator's word, durably.

    Only the switch itself is recorded: what follows from it (cancels, closing orders) is asked
    of the venue by the session that starts next, which the switch tells to. No journal is made for
    it: a mistyped folder would look like a switch that is engaged.

    Raises:
        NoSessionRunning: there is no journal.
        JournalLocked: a session owns the journal after all.
        SessionStateError: there is nothing to release.
    """
    if not has_journal(config):
        raise NoSessionRunning(
            f"no session runs in {config.data_dir}, and there is no journal there: nothing was "
            "blocked or released, and nothing was made; is the folder right?"
        )
    journal = own_journal(config)
    for finding in journal.findings:
        warn(finding)
    try:
        engine = StateRecoveryService(journal).recover(config.engine_settings()).engine
        outcome = engine.handle(message, 0)  # at the journal's own time
        switch = (KillSwitchEngaged, KillSwitchReleased)
        journal.append([fact for fact in outcome.facts if isinstance(fact, switch)])
        journal.sync()
    finally:
        journal.close()

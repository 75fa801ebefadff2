"""What time brings while a session starts, where one account's books may be missing for long.

Rule: before an account's own books have agreed time brings questions, words to a person and the
      cancels that the kill switch wants, and nothing else; once they have, what protects there
      does not wait for those of the others. Entries do, and so do the day and the curve, which
      are of all accounts. A stop, or an error, that comes meanwhile is no look at the books:
      `housekeeping` keeps to that then for each account that is still unseen.
"""

from __future__ import annotations

from .bans import tell_ends
from .closing import flatten_by_time
from .contracts import tell_endings
from .core import Core
from .housekeeping import ask_after_doubts, avoid_liquidation, insist_on_cancels
from .protection import guard


def on_early_tick(core: Core) -> None:
    """Do what has fallen due on the accounts that are ready."""
    state, ready = core.state, core.start_looks
    ask_after_doubts(core)
    for key in [k for k, parents in state.live_parents.items() if parents and k[0] in ready]:
        guard(core, key)
    for account in state.named_accounts:
        if account in ready:
            avoid_liquidation(core, account)
    tell_endings(core)
    tell_ends(core)
    flatten_by_time(core, ready.__contains__)
    if state.is_killed:
        insist_on_cancels(core, state.kill_reason)

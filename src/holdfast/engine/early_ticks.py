"""What time brings while a session starts, where one account's books may be missing for long.

Rule: before an account's own books have agreed time brings questions, words to a person and the
      cancels that the kill switch wants, and nothing else; once they have, what protects there
      does not wait for those of the others. Entries do, and so do the day and the curve, which
      are of all accounts.
"""

from __future__ import annotations

from .bans import tell_ends
from .closing import flatten_key
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
    _flatten(core)
    if state.is_killed:
        insist_on_cancels(core, state.kill_reason)


def _flatten(core: Core) -> None:
    """Close what the kill switch, or the policy, wants closed."""
    state, ready = core.state, core.start_looks
    if state.is_flattening:
        for key in state.open_keys():
            if key[0] in ready:
                flatten_key(core, key)
    if core.settings.mismatch_policy == "flatten":
        for key, qty in tuple(state.to_flatten.items()):
            if key[0] in ready:
                flatten_key(core, key, qty)

"""What the accounts of a session are together: those whose contracts one asset settles."""

from __future__ import annotations

from ..model.values import AccountId
from .state import State


def peers(state: State, account: AccountId) -> list[AccountId]:
    """Return the session's other accounts that have an account's margin asset."""
    asset = state.margin_asset(account)
    return [
        each
        for each in state.named_accounts
        if each != account and state.margin_asset(each) == asset
    ]

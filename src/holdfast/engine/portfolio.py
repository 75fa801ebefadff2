"""What the accounts of a session are together: those whose contracts one asset settles.

`State.sampled_equity` is each account's equity at its last sample, what was paid in or taken out
since included; `State.portfolio_peaks` the highest that they ever made together, by their asset.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.values import ZERO, AccountId

if TYPE_CHECKING:
    from .state import State


def peers(state: State, account: AccountId) -> list[AccountId]:
    """Return the session's other accounts that have an account's margin asset."""
    asset = state.margin_asset(account)
    return [
        each
        for each in state.named_accounts
        if each != account and state.margin_asset(each) == asset
    ]


def begun(state: State, accounts: tuple[AccountId, ...], *, is_new: bool) -> None:
    """Begin anew in a new session, and where other accounts are traded than before."""
    if is_new or set(accounts) != set(state.named_accounts):
        state.sampled_equity, state.portfolio_peaks = {}, {}


def sampled(state: State, fact: ev.EquitySampled) -> None:
    """Follow an account's equity; there is a peak once each account has been sampled."""
    known = state.sampled_equity
    known[fact.account] = fact.equity
    together = (fact.account, *peers(state, fact.account))
    if all(account in known for account in together):
        total = sum((known[account] for account in together), ZERO)
        asset = state.margin_asset(fact.account)
        state.portfolio_peaks[asset] = max(state.portfolio_peaks.get(asset, ZERO), total)


def moved(state: State, account: AccountId, asset: str, amount: Decimal) -> None:
    """Count falls from where money that came or was moved out leaves the accounts."""
    if account in state.sampled_equity:
        state.sampled_equity[account] += amount
    if state.portfolio_peaks.get(asset, ZERO) > ZERO:
        state.portfolio_peaks[asset] += amount

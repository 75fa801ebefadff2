"""What the accounts of a session are together, in each margin asset.

Law: as on one account, an asset stands for its own contracts alone. Accounts are looked at
together in an asset where contracts of each are settled in it; no asset is added to another.

`State.sampled_equity` is each account's equity in an asset at its last sample, what was paid in or
taken out since included; `State.portfolio_peaks` the highest that they ever made together.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.values import ZERO, AccountId

if TYPE_CHECKING:
    from .state import State


def holders(state: State, asset: str) -> list[AccountId]:
    """Return the session's accounts that have contracts which an asset settles."""
    return [each for each in state.named_accounts if asset in state.margin_assets(each)]


def sampled_in(state: State, asset: str) -> list[AccountId]:
    """Return the session's accounts whose equity in an asset is a part of its peak."""
    return [each for each in state.named_accounts if _name(each, asset) in state.sampled_equity]


def begun(state: State, accounts: tuple[AccountId, ...], *, is_new: bool) -> None:
    """Begin anew in a new session, and where other accounts are traded than before."""
    if is_new or set(accounts) != set(state.named_accounts):
        state.sampled_equity, state.portfolio_peaks = {}, {}


def sampled(state: State, fact: ev.EquitySampled) -> None:
    """Follow an account's equity; there is a peak once each account has been sampled.

    One that comes later, with its first contract of the asset, is no gain of the others.
    """
    asset = fact.asset or state.first_margin_asset(fact.account)
    known, peaks = state.sampled_equity, state.portfolio_peaks
    if asset in peaks and _name(fact.account, asset) not in known:
        peaks[asset] += fact.equity
    known[_name(fact.account, asset)] = fact.equity
    together = sampled_in(state, asset)
    if set(together).issuperset(holders(state, asset)):
        total = sum((known[_name(each, asset)] for each in together), ZERO)
        peaks[asset] = max(peaks.get(asset, ZERO), total)


def moved(state: State, account: AccountId, asset: str, amount: Decimal) -> None:
    """Count falls from where money that came or was moved out leaves the accounts."""
    name = _name(account, asset)
    if name not in state.sampled_equity:
        return
    state.sampled_equity[name] += amount
    if state.portfolio_peaks.get(asset, ZERO) > ZERO:
        state.portfolio_peaks[asset] += amount


def _name(account: AccountId, asset: str) -> str:
    return f"{account} {asset}"

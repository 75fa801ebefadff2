"""What the accounts of a session are together, in each margin asset.

Law: as on one account, an asset stands for its own contracts alone. Accounts are looked at
together in an asset where contracts of each are settled in it; no asset is added to another.

`State.sampled_equity` is each account's equity in an asset at its last sample, what was paid in or
taken out since included, and `State.equity_times` when that was; `State.portfolio_peaks` the
highest that they ever made together: samples of one instant alone are added up.
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
        state.sampled_equity, state.equity_times, state.portfolio_peaks = {}, {}, {}


def sampled(state: State, fact: ev.EquitySampled) -> None:
    """Follow an account's equity; there is a peak once each account was sampled at one instant.

    One that comes later, with its first contract of the asset, is no gain of the others.
    """
    asset = fact.asset or state.first_margin_asset(fact.account)
    name, peaks = _name(fact.account, asset), state.portfolio_peaks
    if asset in peaks and name not in state.sampled_equity:
        peaks[asset] += fact.equity
    state.sampled_equity[name], state.equity_times[name] = fact.equity, fact.ts
    total = _together(state, asset, fact.ts)
    if total is not None:
        peaks[asset] = max(peaks.get(asset, ZERO), total)


def _together(state: State, asset: str, ts: int) -> Decimal | None:
    """Return what the accounts had at an instant; None while one is not sampled that will be.

    One that trades and holds nothing of an asset any more is not: it has what is in its wallet.
    """
    total, accounts = ZERO, sampled_in(state, asset)
    if not set(accounts).issuperset(holders(state, asset)):
        return None
    for account in accounts:
        name = _name(account, asset)
        if state.equity_times[name] == ts:
            total += state.sampled_equity[name]
        elif asset in state.margin_assets(account):
            return None
        else:
            total += state.account(account).wallet(asset)
    return total


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

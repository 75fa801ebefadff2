"""The books of an account are begun with what the venue has: the past before is not ours.

Rule 1: what happened before they begin is in the balances that they begin with, and what happened
        later is not.
Rule 2: where the books are read over a network, clocks are two, and answers trail: one look can't
        tell of what happened about its time. Where anything did, or orders are open that may
        fill, two looks must show the same, and nothing new of their time. What the first has
        listed is in the balances of the second, which trails by less than lies between the two
        (see `Capabilities.read_lag_ns`); what neither has listed is later than all of that.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..model import events as ev
from ..model.messages import (
    AccountChange,
    FundingPayment,
    SettlementPayment,
    VenueSnapshot,
    WalletChange,
)
from ..model.values import ZERO
from .account import OPENING
from .comparing import adopt_position, positions_of
from .core import Core

LOOKS_MAX = 10
"""How often an account that others trade is looked at anew before its books are begun anyway."""


class FirstLook(NamedTuple):
    """What a look has shown: positions and balances, and what had happened, with its time.

    `since_ts` is the earliest time of the venue's that it may be of.
    """

    since_ts: int
    books: dict[str, Decimal]
    happened: dict[str, int]

    def agrees(self, later: FirstLook) -> bool:
        """Tell whether a later look shows the same, and nothing new that may be of their time.

        That it has moved by just what is new would be no proof: who trades equal sizes may have
        traded one more that is not listed yet.
        """
        news = (ts for name, ts in later.happened.items() if name not in self.happened)
        return self.books == later.books and all(ts < self.since_ts for ts in news)

    @property
    def ends_ts(self) -> int:
        """Return the time from which on nothing is in it."""
        return max(self.since_ts, 1 + max(self.happened.values(), default=0))


def has_begun(core: Core, snapshot: VenueSnapshot) -> bool:
    """Begin an account's books, or look again; tell whether they have begun."""
    since = _begins_at(core, snapshot)
    if since is None:
        if _looks_again(core, snapshot):
            return False
        since = snapshot.sure_ts or snapshot.asked_ts
    core.first_looks.pop(snapshot.account, None)
    _begin(core, snapshot, min(since, core.now) if not snapshot.sure_ts else since)
    return True


def _begins_at(core: Core, snapshot: VenueSnapshot) -> int | None:
    """Return the time from which on nothing is in what a look shows; None where nobody knows."""
    if _has_moved(core, snapshot):
        return None
    if not snapshot.sure_ts:  # one moment, and one clock
        return None if _is_unsure(snapshot, snapshot.asked_ts, 0) else snapshot.asked_ts
    first, look = core.first_looks.get(snapshot.account), _look(core, snapshot)
    core.first_looks[snapshot.account] = look
    if first is not None and snapshot.trades_since > first.since_ts:
        return None  # what it lists does not reach back so far
    if first is not None:
        return first.ends_ts if first.agrees(look) else None
    is_lively = bool(snapshot.orders) or _is_unsure(snapshot, snapshot.sure_ts, core.overlap_ns)
    return None if is_lively else snapshot.sure_ts


def _look(core: Core, snapshot: VenueSnapshot) -> FirstLook:
    positions = {f"position {each.symbol}": each.qty for each in snapshot.positions}
    balances = {f"balance {asset}": amount for asset, amount in snapshot.balances.items()}
    trades = {f"{t.symbol} {t.trade_id}": t.venue_ts for t in snapshot.trades}
    changes = {_name_of(each): each.venue_ts for each in snapshot.changes}
    return FirstLook(
        snapshot.sure_ts - core.overlap_ns,
        {what: amount for what, amount in (positions | balances).items() if amount},
        trades | changes,
    )


def _name_of(change: AccountChange) -> str:
    match change:
        case FundingPayment():
            return f"funding {change.payment_id}"
        case SettlementPayment():
            return f"settlement {change.settlement_id}"
        case WalletChange():
            return f"change {change.change_id}"


def _has_moved(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether anything was heard after the question: it may be in the answer or not."""
    account = snapshot.account
    moved_ts = max(core.state.account(account).moved_ts, core.heard_early.get(account, 0))
    return snapshot.is_partial or moved_ts > snapshot.asked_ts


def _is_unsure(snapshot: VenueSnapshot, since: int, apart_ns: int) -> bool:
    """Tell whether something happened of which nobody knows if it is in the balances already.

    Args:
        apart_ns: by how much clocks and answers may differ.
    """
    # A transfer of that very instant is in either way: its amount is reckoned with the balance.
    at_once = (t.venue_ts >= since - apart_ns for t in snapshot.trades)
    later = (
        c.venue_ts >= since - apart_ns if isinstance(c, FundingPayment) else c.venue_ts > since
        for c in snapshot.changes
    )
    return any(at_once) or any(later) or _may_trail(snapshot, since - apart_ns)


def _may_trail(snapshot: VenueSnapshot, begins: int) -> bool:
    """Tell whether a balance may not show a transfer yet; one that is just that shows it."""
    fresh: dict[str, Decimal] = {}
    for change in snapshot.changes:
        if isinstance(change, WalletChange) and change.venue_ts > begins:
            fresh[change.asset] = fresh.get(change.asset, ZERO) + change.amount
    return any(snapshot.balances.get(asset, ZERO) != amount for asset, amount in fresh.items())


def _looks_again(core: Core, snapshot: VenueSnapshot) -> bool:
    account = snapshot.account
    core.opening_looks[account] += 1
    if core.opening_looks[account] > LOOKS_MAX:
        return False
    core.resync(account, "the books begin once two looks agree")
    return True


def _begin(core: Core, snapshot: VenueSnapshot, since: int) -> None:
    """Begin an account's books with what the venue has.

    Money that moved behind the beginning is booked on top, as executions are. What says that they
    have begun comes last: where a power cut takes it, they are begun anew.
    """
    account = snapshot.account
    until = since if snapshot.sure_ts else snapshot.asked_ts
    for change in snapshot.changes:
        if isinstance(change, WalletChange) and change.venue_ts <= until:
            on_wallet_change(core, change)
    theirs, ours = positions_of(core, snapshot)
    for symbol in sorted({*theirs, *ours}):
        if theirs.get(symbol, ZERO) != ours.get(symbol, ZERO):
            adopt_position(core, snapshot, symbol, OPENING)
    books, main = core.state.account(account), core.state.first_margin_asset(account)
    for asset in (*sorted({*snapshot.balances, *books.assets()} - {main}), main):
        core.emit(
            ev.WalletChanged(
                ts=core.now,
                account=account,
                asset=asset,
                amount=snapshot.balances.get(asset, ZERO) - books.wallet(asset),
                reason=OPENING if asset == main else f"{OPENING} balance",
                change_id=f"opening-{asset}-{core.state.epoch}",
                asked_ts=since,
            )
        )


def on_wallet_change(core: Core, change: WalletChange) -> None:
    """Book money that came or went once."""
    if change.change_id in core.state.account(change.account).changes_seen:
        return
    core.emit(
        ev.WalletChanged(
            ts=core.now,
            account=change.account,
            asset=change.asset,
            amount=change.amount,
            reason=change.reason,
            change_id=change.change_id,
        )
    )

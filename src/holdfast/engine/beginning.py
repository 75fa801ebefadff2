"""The books of an account are begun with what the venue has: the past before is not ours.

Rule 1: what happened before they begin is in the balances that they begin with, and what happened
        later is not.
Rule 2: where the books are read over a network, clocks are two, and answers trail: one look can't
        tell of what happened about its time. Where anything did, or orders are open that may
        fill, a second look must show what the first has, moved by just what it lists besides.
        What the first has listed is in the balances of the second, which trails by less than lies
        between the two (see `Capabilities.read_lag_ns`); what neither has listed is later.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..model import events as ev
from ..model.messages import (
    AccountChange,
    ExecutionReport,
    FundingPayment,
    SettlementPayment,
    VenueSnapshot,
    WalletChange,
)
from ..model.values import ZERO
from .comparing import adopt_position, positions_of
from .core import Core
from .folds import OPENING

LOOKS_MAX = 10
"""How often an account that others trade is looked at anew before its books are begun anyway."""


class Happening(NamedTuple):
    """Something that moved the books: when, and what by how much."""

    ts: int
    moves: dict[str, Decimal]


class FirstLook(NamedTuple):
    """What a look has shown: positions and balances, and what had happened.

    `since_ts` is the earliest time of the venue's that it may be of.
    """

    since_ts: int
    books: dict[str, Decimal]
    happened: dict[str, Happening]

    def leads_to(self, later: FirstLook) -> bool:
        """Tell whether what a later look lists besides is just what its books have moved by."""
        books = self.books.copy()
        for name, each in later.happened.items():
            if name not in self.happened and each.ts >= self.since_ts:
                for what, amount in each.moves.items():
                    books[what] = books.get(what, ZERO) + amount
        return _not_nothing(books) == later.books

    @property
    def last_ts(self) -> int:
        """Return when the last of what had happened did."""
        return max((each.ts for each in self.happened.values()), default=0)


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
        return max(first.since_ts, look.last_ts + 1) if first.leads_to(look) else None
    is_lively = bool(snapshot.orders) or _is_unsure(snapshot, snapshot.sure_ts, core.overlap_ns)
    return None if is_lively else snapshot.sure_ts


def _look(core: Core, snapshot: VenueSnapshot) -> FirstLook:
    positions = {f"position {each.symbol}": each.qty for each in snapshot.positions}
    balances = {f"balance {asset}": amount for asset, amount in snapshot.balances.items()}
    trades = {f"{t.symbol} {t.trade_id}": _fill(core, t) for t in snapshot.trades}
    return FirstLook(
        snapshot.sure_ts - core.overlap_ns,
        _not_nothing(positions | balances),
        trades | {_name_of(each): _change(each) for each in snapshot.changes},
    )


def _not_nothing(books: dict[str, Decimal]) -> dict[str, Decimal]:
    return {what: amount for what, amount in books.items() if amount}


def _fill(core: Core, trade: ExecutionReport) -> Happening:
    """Return what a fill moves; of one whose profit is not told nobody knows."""
    moves = {f"position {trade.symbol}": trade.last_qty * trade.side.sign}
    profit, asset = trade.realized_pnl, core.state.settled_in((trade.account, trade.symbol))
    moves[f"balance {asset}"] = ZERO if profit is None else profit
    paid = f"balance {trade.fee_asset}"
    moves[paid] = moves.get(paid, ZERO) - trade.fee
    if profit is None:
        moves["an untold profit"] = trade.last_qty
    return Happening(trade.venue_ts, moves)


def _change(change: AccountChange) -> Happening:
    return Happening(change.venue_ts, {f"balance {change.asset}": change.amount})


def _name_of(change: AccountChange) -> str:
    match change:
        case FundingPayment():
            return f"funding {change.payment_id}"
        case SettlementPayment():
            return f"settlement {change.settlement_id}"
        case WalletChange():
            return f"change {change.change_id}"


def _has_moved(core: Core, snapshot: VenueSnapshot) -> bool:
    """Tell whether anything was booked after the question: it may be in the answer or not."""
    return core.state.account(snapshot.account).moved_ts > snapshot.asked_ts


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
    return any(at_once) or any(later)


def _looks_again(core: Core, snapshot: VenueSnapshot) -> bool:
    account = snapshot.account
    core.opening_looks[account] += 1
    if core.opening_looks[account] > LOOKS_MAX:
        return False
    core.resync(account, "the books begin once two looks add up")
    return True


def _begin(core: Core, snapshot: VenueSnapshot, since: int) -> None:
    """Begin an account's books with what the venue has.

    What says that they have begun comes last: where a power cut takes it, they are begun anew.
    """
    account = snapshot.account
    for change in snapshot.changes:
        if isinstance(change, WalletChange):
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

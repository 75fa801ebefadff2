"""Money that moved for another reason than a fill: funding, transfers, rebates, insurance.

The stream tells of it at once but without the id that the income list gives it, and with a time
that differs from the list's by some seconds (16:00:03.246 here, 16:00:00.000 there). Yet what is
told twice must count once, also across a restart: an id has to follow from each telling alone.

Funding falls on full hours, so hour, symbol, asset and amount name a payment on both roads alike.
The amount is part of it because one hour may bring two (a special one beside the usual one).
A payment at another time (a venue whose interval is none of hours) is named by the list alone, as
other changes are: two of them may be equal.

Other changes come at any time: no bucket of time is safe at its edge, and two equal deposits
within one are no rarity. They have one road: the stream's word is the occasion to read the list
(`WalletMoved`), and the list's row is what counts, under the venue's own id.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from ....model.messages import AccountChange, FundingPayment, SettlementPayment, WalletChange
from ....model.values import MAIN, NS_PER_S, AccountId, Symbol, TradeId, plain
from .lists import Others, read_rows
from .wire import checked, decode, ns, said

HOUR_NS = 3600 * NS_PER_S
SETTLEMENT = "DELIVERED_SETTELMENT"
"""The end of a contract, in the venue's spelling."""

EARLY_NS = 60 * NS_PER_S
TOLD_LATE_NS, LISTED_LATE_NS = 60 * NS_PER_S, 600 * NS_PER_S
"""How far before and behind a full hour a payment may be told, or listed, that is named by it. One
that is told farther off waits for the list; one that is not may be listed a good deal later.
"""

FUNDING_TYPES = frozenset({"FUNDING_FEE", "SPECIAL_FUNDING_FEE"})
OF_FILLS = frozenset({"REALIZED_PNL", "COMMISSION"})
"""Rows that executions carry themselves."""

SAME_MOVE_NS = 60 * NS_PER_S
"""How far the two roads' times of one change may lie apart."""

UNLISTED_MAX = 256
"""Changes waited for; the oldest is given up first, and the audit finds what it was."""


class WalletMoved(msgspec.Struct, frozen=True):
    """The stream told of a change that the income list will name: read it."""

    asset: str
    amount: Decimal
    reason: str
    venue_ts: int


class IncomeRow(msgspec.Struct, frozen=True, rename="camel"):
    """One row of the income list."""

    income_type: str
    income: Decimal
    asset: str
    time: int
    tran_id: int | str = 0
    symbol: str | None = ""
    trade_id: int | str = ""


_INCOME = msgspec.json.Decoder(IncomeRow, strict=False)


class Income(NamedTuple):
    """The income list, read. `first_ts` and `last_ts` are the times of its first row and its last,
    from where a full page goes on.

    `fills` are the rows of executions, whoever's.
    """

    changes: tuple[AccountChange, ...]
    row_count: int
    last_ts: int
    fills: tuple[SettlementPayment, ...] = ()
    first_ts: int = 0

    @property
    def traded(self) -> frozenset[Symbol]:
        """Return the symbols that have fills."""
        return frozenset(fill.symbol for fill in self.fills)


def income(
    raw: bytes | msgspec.Raw, account: AccountId = MAIN, others: Others | None = None
) -> Income:
    """Read the income list, without what belongs to fills."""
    row_count = 0

    def read(each: msgspec.Raw) -> IncomeRow:
        nonlocal row_count
        row_count += 1
        return _row(each)

    listed = read_rows(raw, read, "the income list", others)
    rows = sorted(listed, key=lambda row: row.time)
    changes = tuple(_change(row, account) for row in rows if row.income_type not in OF_FILLS)
    fills = (_of_fill(row, account) for row in rows if row.income_type in OF_FILLS and row.symbol)
    first, last = (ns(rows[0].time), ns(rows[-1].time)) if rows else (0, 0)
    return Income(changes, row_count, last, tuple(fills), first)


def _row(raw: msgspec.Raw) -> IncomeRow:
    row = decode(_INCOME, raw, "a row of income")
    checked(row.income, "income")
    ns(row.time)
    return row


def _of_fill(row: IncomeRow, account: AccountId) -> SettlementPayment:
    """Read the profit or the fee of an execution, which counts where nothing else tells of it."""
    trade_id = said(row.trade_id)
    number = trade_id or f"{row.time}-{plain(row.income)}"
    return SettlementPayment(
        account=account,
        symbol=Symbol(row.symbol or ""),
        amount=row.income,
        settlement_id=f"{row.income_type}-{row.symbol}-{number}",
        venue_ts=ns(row.time),
        asset=row.asset,
        trade_id=TradeId(trade_id),
        is_fee=row.income_type == "COMMISSION",
    )


def _settlement(row: IncomeRow, account: AccountId, number: object) -> SettlementPayment:
    return SettlementPayment(
        account=account,
        symbol=Symbol(row.symbol or ""),
        amount=row.income,
        settlement_id=f"{row.income_type}-{row.symbol}-{number}",
        venue_ts=ns(row.time),
        asset=row.asset,
    )


def _change(row: IncomeRow, account: AccountId) -> AccountChange:
    amount, ts = row.income, ns(row.time)
    # An id that is left out must not make one of several changes.
    number = row.tran_id or f"{row.time}-{row.asset}-{plain(amount)}"
    if row.income_type in FUNDING_TYPES and row.symbol:
        payment = funding_payment(account, row.symbol, row.asset, amount, ts)
        if is_of_the_hour(ts, LISTED_LATE_NS):
            return payment
        named = f"{row.income_type}-{row.symbol}-{number}"
        return msgspec.structs.replace(payment, payment_id=named)
    if row.income_type == SETTLEMENT and row.symbol:
        return _settlement(row, account, number)
    return WalletChange(
        account=account,
        asset=row.asset,
        amount=amount,
        reason=row.income_type,
        change_id=f"{row.income_type}-{number}",
        venue_ts=ts,
    )


def funding_payment(
    account: AccountId, symbol: str, asset: str, amount: Decimal, venue_ts: int
) -> FundingPayment:
    """Make the message of one payment, under the id that both roads lead to."""
    return FundingPayment(
        account=account,
        symbol=Symbol(symbol),
        amount=amount,
        payment_id=funding_id(symbol, asset, amount, venue_ts),
        venue_ts=venue_ts,
        asset=asset,
    )


def listed_since(since: int) -> int:
    """Return from when on the income list is to be read for what moved the wallet since a time.

    Funding is paid some seconds behind the full hour that the list dates it with.
    """
    late_ns = since % HOUR_NS
    return since - late_ns if late_ns <= TOLD_LATE_NS else since


def is_of_the_hour(venue_ts: int, late_ns: int) -> bool:
    """Tell whether a time is about a full hour, no later than this behind it."""
    return (venue_ts + EARLY_NS) % HOUR_NS <= EARLY_NS + late_ns


def funding_id(symbol: str, asset: str, amount: Decimal, venue_ts: int) -> str:
    """Name a payment by the nearest full hour (in seconds since 1970), symbol, asset, amount."""
    hour = (venue_ts + HOUR_NS // 2) // HOUR_NS * 3600
    return f"funding-{symbol}-{hour}-{asset}-{plain(amount)}"


class Unlisted:
    """Changes that the stream told and the income list has not shown yet.

    While there are any, the wallet is ahead of the list: a snapshot taken now would not add up.
    """

    __slots__ = ("_moves",)

    def __init__(self) -> None:
        self._moves: list[WalletMoved] = []

    def __len__(self) -> int:
        return len(self._moves)

    def hear(self, moved: WalletMoved) -> None:
        """Expect a change in the list."""
        self._moves.append(moved)
        del self._moves[:-UNLISTED_MAX]

    def strike(self, changes: tuple[AccountChange, ...]) -> None:
        """Cross out what the list shows; each row answers for one change.

        Lists overlap: a row that was seen once and is listed again may cross out a later, equal
        change within a minute of it. That costs a wait, never a booking.
        """
        for change in changes:
            for moved in self._moves:
                if (moved.asset, moved.amount) == (change.asset, change.amount) and abs(
                    moved.venue_ts - change.venue_ts
                ) <= SAME_MOVE_NS:
                    self._moves.remove(moved)
                    break

    def give_up(self, before_ts: int) -> tuple[WalletMoved, ...]:
        """Forget and return what is older than this and was never listed."""
        old = tuple(each for each in self._moves if each.venue_ts < before_ts)
        self._moves = [each for each in self._moves if each.venue_ts >= before_ts]
        return old

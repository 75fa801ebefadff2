"""What the exchange says, account by account, in the order in which Binance says it.

A fill is told as `AccountUpdate` (the position and the wallet have moved) and then as the
`OrderUpdate` of the trade; an order that takes is told as NEW first (recorded frames of 2024 to
2026). A bare `ExecutionReport` or `RequestRefused` is an answer to the asker alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from ..model.messages import AccountChange, ExecutionReport, IsolatedWallets, RequestRefused
from ..model.values import ZERO, AccountId, Symbol
from .orders import PositionSide, VenueOrder


class HedgedReport(ExecutionReport, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What is said of an order of a hedged account."""

    position_side: PositionSide


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something happened to an order; `order` is a copy of it as it stood right after."""

    report: ExecutionReport
    order: VenueOrder


class PositionShown(msgspec.Struct, frozen=True, kw_only=True):
    """One position as it stood right after."""

    side: PositionSide = PositionSide.BOTH
    qty: Decimal = ZERO
    entry_price: Decimal = ZERO
    break_even_price: Decimal = ZERO
    realized: Decimal = ZERO  # since the account was opened
    unrealized: Decimal = ZERO
    isolated_wallet: Decimal = ZERO


class AccountUpdate(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The wallet moved, and with it the `positions` of `symbol` where there are any.

    `reason` is ORDER, FUNDING_FEE, DEPOSIT, INSURANCE_CLEAR, MARGIN_TRANSFER or
    MARGIN_TYPE_CHANGE, which leaves the wallet alone; `change` is what came or went for another
    reason than profit and fees. `cross_wallet` is the wallet without what is isolated. `beside` is
    what else moved, by the asset: the wallet after it, of which a fee was paid.
    """

    account: AccountId
    venue_ts: int
    reason: str
    asset: str
    wallet: Decimal
    cross_wallet: Decimal
    change: Decimal = ZERO
    symbol: Symbol = Symbol("")
    is_isolated: bool = False
    positions: tuple[PositionShown, ...] = ()
    beside: tuple[tuple[str, Decimal], ...] = ()


VenueNews = ExecutionReport | RequestRefused | AccountChange | IsolatedWallets
Output = VenueNews | OrderUpdate | AccountUpdate


def position_side_of(report: ExecutionReport) -> PositionSide:
    """Return which position a report's order moves."""
    return report.position_side if isinstance(report, HedgedReport) else PositionSide.BOTH


def messages(outputs: Iterable[Output]) -> Iterator[VenueNews]:
    """Yield what an engine understands of it."""
    for output in outputs:
        if isinstance(output, OrderUpdate):
            yield output.report
        elif isinstance(output, AccountUpdate):
            if output.is_isolated and output.positions:
                wallet = sum((each.isolated_wallet for each in output.positions), ZERO)
                yield IsolatedWallets(account=output.account, wallets={output.symbol: wallet})
        else:
            yield output

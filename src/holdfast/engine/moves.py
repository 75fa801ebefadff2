"""By how much an execution, or money, moves what is compared with the venue's books."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.messages import AccountChange, ExecutionReport
from ..model.values import ZERO

if TYPE_CHECKING:
    from .state import State

Cause = ev.OrderFilled | ExecutionReport | AccountChange
"""What moves a position or a balance."""


def moved_by(state: State, cause: Cause, what: str) -> Decimal:
    """Return by how much it moved `what`: "position BTCUSDT" or "balance USDT"."""
    kind, _, name = what.partition(" ")
    if not isinstance(cause, ev.OrderFilled | ExecutionReport):
        return cause.amount if kind == "balance" and name == cause.asset else ZERO
    if kind == "position":
        qty = cause.qty if isinstance(cause, ev.OrderFilled) else cause.last_qty
        return qty * cause.side.sign if name == cause.symbol else ZERO
    margin_asset = state.settled_in((cause.account, cause.symbol))
    earned = (cause.realized_pnl or ZERO) if margin_asset == name else ZERO
    return earned - cause.fee if cause.fee_asset == name else earned

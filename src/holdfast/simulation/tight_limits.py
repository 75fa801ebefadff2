"""A user who is careful: limits so close that they are hit all the time, and over all accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from .adversaries import Adversary

DRAWN: dict[str, tuple[object, ...]] = {
    "max_positions": (1, 2),
    "max_open_orders": (1, 2, 3),
    "max_order_notional": (Decimal(300), Decimal(900)),
    "max_messages": (12, 30),
    "max_executions": (2, 6),
    "max_daily_loss_pct": (Decimal("0.0003"), Decimal("0.001")),
    "max_drawdown_pct": (Decimal("0.0003"), Decimal("0.001")),
    "max_gross_exposure_pct": (Decimal("0.25"), Decimal("0.4")),
    "max_net_exposure_pct": (Decimal("0.05"), Decimal("0.2")),
}
TOGETHER: dict[str, tuple[object, ...]] = {
    "max_portfolio_exposure_pct": (Decimal("0.05"), Decimal("0.15")),
    "max_portfolio_daily_loss_pct": (Decimal("0.0003"), Decimal("0.001")),
    "max_portfolio_drawdown_pct": (Decimal("0.0003"), Decimal("0.001")),
}
SET = 0.35
"""How likely each of them is."""


class TightLimits(Adversary):
    """Sets limits before the first process starts."""

    name = "tight_limits"
    share: ClassVar[float] = 0.08

    def begin(self) -> None:
        lots = self.lots
        drawn = {**DRAWN, **(TOGETHER if self.world.accounts.are_two else {})}
        changes = {name: lots.choice(each) for name, each in drawn.items() if lots.random() < SET}
        changes["equity_interval_ns"] = 1_000_000_000
        if most := changes.get("max_messages"):
            changes["message_reserve"] = int(str(most)) // 3
        self.world.setup.change(changes)
        self.strike(f"{len(changes)} settings")

"""A user who has set what hardly anybody sets, from the first start on.

Tight bounds, short and long intervals, isolated margin, no countdown at the venue. Whatever is
refused for it, nothing may be lost by it. What the judges reckon with stays within what they do.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from ..model.values import NS_PER_MS, NS_PER_S
from .adversaries import Adversary

CHANGED = 0.25
"""How likely each of the settings is another than usual."""

DRAWN: dict[str, tuple[object, ...]] = {
    "isolated": (True,),
    "dead_man_s": (0, 10, 30),
    "orders_over_ws": (False,),
    "retry_attempts": (0, 10),
    "read_lag_ns": (4 * NS_PER_S,),
    "recv_window_ns": (300 * NS_PER_MS, 1 * NS_PER_S, 3 * NS_PER_S),
    "clock_skew_ns": (2 * NS_PER_S,),
    "audit_interval_ns": (2 * NS_PER_S, 45 * NS_PER_S),
    "query_interval_ns": (100 * NS_PER_MS, 4 * NS_PER_S),
    "protection_alarm_ns": (100 * NS_PER_MS, 20 * NS_PER_S),
    "equity_interval_ns": (100 * NS_PER_MS,),
    "breaker_threshold": (1, 2),
    "breaker_recovery_ns": (1 * NS_PER_S, 5 * NS_PER_S),
    "save_state_interval": (1, 600),
    "slippage_tolerance": (Decimal("0.0003"), Decimal("0.02")),
    "use_market_orders": (False,),
    "cancel_entries_on_pause": (False,),
    "stop_loss_pct": (Decimal(0), Decimal("0.002"), Decimal("0.3")),
    "take_profit_pct": (Decimal(0), Decimal("0.002")),
    "max_positions": (1, 2),
    "max_open_orders": (1, 3),
    "max_conditional_orders": (4, 9),
    "max_order_notional": (Decimal(500),),
    "max_messages": (8, 30),  # of which a third is kept for exits
    "max_executions": (2, 10),
    "max_daily_loss_pct": (Decimal("0.002"),),
    "max_drawdown_pct": (Decimal("0.002"),),
    "max_gross_exposure_pct": (Decimal("0.2"),),
    "max_net_exposure_pct": (Decimal("0.1"),),
    "price_collar_pct": (Decimal("0.001"),),
    "duplicate_window_s": (0, 30),
    "stale_after_s": (1, 3),
    "disabled": ((), ("correlation", "duplicate", "self_match")),
}


class OddSettings(Adversary):
    """Sets things otherwise before the first process starts."""

    name = "odd_settings"
    share: ClassVar[float] = 0.03

    def begin(self) -> None:
        lots = self.lots
        changes = {
            name: lots.choice(values) for name, values in DRAWN.items() if lots.random() < CHANGED
        }
        if most := changes.get("max_messages"):
            changes["message_reserve"] = int(str(most)) // 3
        self.world.setup.change(changes)
        self.strike(f"{len(changes)} settings")

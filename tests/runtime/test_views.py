"""What is shown of an account: figures of now, and none of another day."""

from __future__ import annotations

from decimal import Decimal

from holdfast.model.values import MAIN, NS_PER_DAY, ZERO, Side
from holdfast.runtime.views import metrics_view
from tests.engine.rig import Rig


def test_the_result_of_a_day_is_none_of_the_next():
    """Nothing ticks in a session that is over, so that no new day begins."""
    rig = Rig(stop_loss_pct=ZERO, take_profit_pct=ZERO)
    rig.tick()
    entry = rig.place(Side.BUY, "1")
    rig.trade(entry, "1", fee=Decimal("0.05"))

    assert metrics_view(rig.engine, MAIN, rig.now).daily_pnl == Decimal("-0.05")
    assert metrics_view(rig.engine, MAIN, rig.now + NS_PER_DAY).daily_pnl == 0

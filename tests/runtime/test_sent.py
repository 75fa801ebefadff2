"""What a request is answered by: its own orders, and no stop that fell due beside it."""

from __future__ import annotations

from decimal import Decimal

from holdfast.model import messages as msg
from holdfast.model.values import NS_PER_S, OrderRole, Side
from holdfast.runtime.sent import sent_for
from tests.engine.rig import BTC, Rig


def test_a_stop_that_falls_due_with_a_request_is_none_of_its_orders():
    # An adjustment waited for the stop's end, and was told as unknown though it was done; a close
    # was told as refused where a stop beside it was.
    rig = Rig()
    entry = rig.place(Side.BUY, "2", stop_loss="90")
    rig.accept(entry)
    rig.trade(entry, "2")
    [stop] = rig.submitted()
    rig.reject(stop.cl_ord_id, code=-4045, reason="too many stops")
    rig.now += 2 * NS_PER_S
    facts = rig.hear(msg.AdjustRequest(symbol=BTC, target_qty=Decimal(1))).facts

    orders = {order.cl_ord_id: order.role for order in rig.submitted()}
    assert set(orders.values()) == {OrderRole.EXIT, OrderRole.STOP_LOSS}
    assert [orders[each] for each in sent_for(facts)] == [OrderRole.EXIT]

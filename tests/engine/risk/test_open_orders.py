"""The venue's caps on open orders hold with the stops and targets that are still to come."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from holdfast.model import events as ev
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import AccountId, OrderType, Side, SignalType
from tests.engine.rig import BTC, ETH, Rig, S
from tests.engine.risk.desk import Desk

CAP = "max_conditional_orders"


def rig_of(cap, **settings):
    return Rig(limits={CAP: cap, "position_size_pct": Decimal(1)}, **settings)


def denied(rig):
    return [(fact.rule, fact.reason) for fact in rig.told(ev.OrderDenied)]


@pytest.mark.parametrize(("cap", "goes"), [(6, True), (5, False)])
def test_an_entry_leaves_room_for_its_stop_and_target_to_be_replaced(cap, goes):
    rig = rig_of(cap)
    rig.hold(stop_loss="90", take_profit="110")
    placed = rig.place(symbol=ETH, stop_loss="90", take_profit="110")

    assert (placed is not None) is goes
    assert goes or denied(rig) == [
        ("open_orders", "6 conditional orders would be open or kept room for, at most 5")
    ]


def test_what_no_entry_has_filled_yet_is_reserved():
    rig = rig_of(3)
    rig.place(price="99", order_type=OrderType.LIMIT, stop_loss="90")

    assert rig.place(symbol=ETH, stop_loss="90") is None
    assert [rule for rule, _ in denied(rig)] == ["open_orders"]


def test_an_entry_that_is_over_gives_its_room_back():
    rig = rig_of(3)
    entry = rig.place(price="99", order_type=OrderType.LIMIT, stop_loss="90")
    rig.accept(entry)
    rig.cancel(entry)

    assert rig.place(symbol=ETH, stop_loss="90")


def full():
    rig = rig_of(4)
    rig.hold(stop_loss="90", take_profit="110")
    for _ in range(2):
        rig.accept(rig.place(order_type=OrderType.STOP_MARKET, trigger_price="105"))
        rig.wait(2)
    return rig


def test_an_entry_without_a_stop_needs_no_room():
    rig = full()

    assert rig.place(symbol=ETH, stop_loss="90") is None
    assert rig.place(symbol=ETH)


def test_exits_pass_a_full_cap():
    assert full().place(Side.SELL, "1", reduce_only=True)


def test_a_full_cap_neither_opens_nor_closes_again_and_again():
    rig = full()
    before = len(rig.ever(ev.OrderSubmitted))
    for _ in range(20):
        rig.signal(symbol=ETH, quantity=Decimal(1), stop_loss=Decimal(90), take_profit=Decimal(110))
        rig.wait(2)

    assert not rig.qty(ETH)
    assert len(rig.ever(ev.OrderSubmitted)) == before


def test_what_is_explained_is_what_is_done():
    rig = rig_of(5)
    rig.hold(stop_loss="90", take_profit="110")
    signal = SignalGenerated(
        symbol=ETH,
        strategy_id=S,
        signal_type=SignalType.BUY,
        quantity=Decimal(1),
        stop_loss=Decimal(90),
    )
    explained = rig.engine.explain(signal, rig.now).verdicts[0]
    rig.hear(signal)

    assert rig.told(ev.OrderDenied)[0].verdicts == explained


def test_an_order_that_a_rule_refuses_and_that_can_only_close_is_shown_to_go_out_reduce_only():
    rig = Rig(limits={"max_order_notional": Decimal(150), "position_size_pct": Decimal(1)})
    rig.hold("1")
    rig.hold("1")
    wish = SignalGenerated(
        symbol=BTC, strategy_id=S, signal_type=SignalType.SELL, stop_loss=Decimal(110)
    )
    closing = replace(wish, quantity=Decimal(2))
    explained = rig.engine.explain(closing, rig.now)
    rig.hear(closing)

    [submitted] = rig.told(ev.OrderSubmitted)
    assert explained.reduced == (submitted.order.reduce_only,) == (True,)
    assert explained.verdicts == (submitted.verdicts,)
    assert explained.refusals == ()

    explained = rig.engine.explain(replace(wish, quantity=Decimal(5)), rig.now)
    assert explained.reduced == (False,)
    assert [verdict.rule for verdict in explained.refusals] == ["order_notional"]


# One order by itself


def waiting(desk, **fields):
    return desk.buy("1", order_type=OrderType.STOP_MARKET, trigger_price="104", **fields)


def test_conditional_orders_count_over_all_symbols_until_they_trigger():
    desk = Desk(max_conditional_orders=2)
    first = desk.rest(waiting(desk))
    desk.send(waiting(desk, symbol=ETH))
    assert not desk.check("open_orders", waiting(desk, symbol=ETH)).passed

    desk.tell(ev.OrderTriggered(ts=desk.now, cl_ord_id=first.cl_ord_id))

    assert desk.check("open_orders", waiting(desk, symbol=ETH)).value == 2
    assert desk.check("open_orders", waiting(desk, account=AccountId("other"))).passed


def test_other_orders_count_in_their_symbol():
    desk = Desk(max_open_orders=2)
    desk.rest(desk.buy("1", "99"))
    resting = desk.send(desk.sell("1", "101"))
    desk.rest(waiting(desk))
    verdict = desk.check("open_orders", desk.buy("1", "98"))

    assert (verdict.value, verdict.limit) == (Decimal(3), Decimal(2))
    assert verdict.reason == "3 orders would be open in BTCUSDT, at most 2"
    assert desk.check("open_orders", desk.buy("1", "98", symbol=ETH)).passed
    desk.cancel(resting)
    assert desk.check("open_orders", desk.buy("1", "98")).passed


def test_an_amendment_takes_no_second_place():
    desk = Desk(max_open_orders=1)
    order = desk.rest(desk.buy("1", "99"))

    assert desk.check("open_orders", order).passed

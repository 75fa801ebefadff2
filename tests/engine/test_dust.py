"""Positions too small to trade are guarded and closed by orders that close whatever is held."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import OrderRole, OrderStatus, OrderType, Side, SignalType
from holdfast.model.values import TradingSessionStatus as S
from tests.engine.rig import BTC, Rig, contract
from tests.engine.rig import S as RIG_S

STOP, TARGET, EXIT = OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT, OrderRole.EXIT


@pytest.fixture
def rig():
    return Rig()


def relist(rig, **changes):
    rig.hear(msg.InstrumentListed(instrument=contract(**changes), leverage=10))


def dust(rig, **fields):
    """A position of 0.5 in a contract whose lot and least quantity have become 1."""
    parent = rig.hold("0.5", **fields)
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))
    return parent


def only(rig, role):
    (order,) = [o for o in rig.submitted() if o.role is role]
    return order


def lose_stop(rig):
    (stop,) = rig.working(STOP)
    rig.expire(stop.cl_ord_id)
    return only(rig, STOP)


def test_dust_is_guarded_by_a_stop_that_closes_the_position(rig):
    dust(rig, stop_loss="90")

    stop = lose_stop(rig)
    rig.accept(stop.cl_ord_id)
    rig.wait(30)

    assert (stop.close_position, stop.trigger_price) == (True, 90)
    assert [o.cl_ord_id for o in rig.working(STOP)] == [stop.cl_ord_id]
    assert "protection_missing" not in rig.alarms()


def test_a_position_that_has_grown_out_of_dust_has_a_stop_of_its_size(rig):
    dust(rig, stop_loss="90")
    whole = lose_stop(rig)
    rig.accept(whole.cl_ord_id)
    relist(rig)

    rig.wait(2)
    sized = only_ever(rig, STOP, Decimal("0.5"))
    rig.accept(sized)

    assert rig.canceled() == [whole.cl_ord_id]


def only_ever(rig, role, qty):
    found = [o for o in rig.working(role) if not o.request.close_position and o.qty == qty]
    (order,) = found
    return order.cl_ord_id


def test_the_part_on_the_lot_is_guarded_where_others_hold_a_part_too(rig):
    rig.hold("1.5", stop_loss="90")
    rig.hold("2", stop_loss="85")
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))
    first = next(o for o in rig.working(STOP) if o.qty == Decimal("1.5"))
    rig.expire(first.cl_ord_id)
    stop = only(rig, STOP)

    assert (stop.qty, stop.close_position) == (1, False)
    rig.accept(stop.cl_ord_id)
    rig.wait(10)
    assert rig.alarms().count("protection_missing") == 1
    assert len(rig.working(STOP)) == 2


@pytest.mark.parametrize("qty", ["0.5", "1.5"])
def test_a_stop_of_before_the_lot_grew_stays_though_others_hold_a_part_too(rig, qty):
    """It guards all of its holding; in its place none could, or one of a part."""
    rig.hold(qty, stop_loss="90")
    rig.hold("2", stop_loss="85")
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))

    rig.wait(10)

    assert [str(o.qty) for o in rig.working(STOP)] == [qty, "2"]
    assert not [c for c in rig.commands if isinstance(c, cmd.CancelOrder)]
    assert "protection_missing" not in rig.alarms()


def test_what_was_to_close_dust_is_taken_back_once_it_would_close_more(rig):
    rig.hold("0.5")
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))
    rig.hear(msg.CloseRequest(symbol=BTC))
    closing = [o.cl_ord_id for o in rig.submitted()]
    rig.accept(*closing)

    entry = rig.place(Side.BUY, "3")
    rig.accept(entry)
    rig.trade(entry, "3")
    rig.wait(1)

    assert rig.canceled() == closing


def test_a_target_that_closes_what_others_hold_goes_though_its_stop_is_passed(rig):
    dust(rig, stop_loss="90", take_profit="120")
    (target,) = rig.working(TARGET)
    rig.expire(target.cl_ord_id)
    whole = only(rig, TARGET)
    rig.accept(whole.cl_ord_id)
    (stop,) = rig.working(STOP)
    rig.expire(stop.cl_ord_id)
    rig.reject(only(rig, STOP).cl_ord_id, code=-2021)
    assert whole.close_position

    entry = rig.place(Side.BUY, "3", stop_loss="80")
    rig.accept(entry)
    rig.trade(entry, "3")
    rig.wait(1)

    ends = [c.cl_ord_id for c in rig.commands if isinstance(c, cmd.CancelOrder)]
    assert whole.cl_ord_id in ends


@pytest.mark.parametrize("side", list(Side))
def test_dust_is_closed_by_whichever_way_the_price_moves(rig, side):
    rig.hold("0.5", side)
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))
    rig.hear(msg.CloseRequest(symbol=BTC))

    found = {o.order_type: o for o in rig.submitted()}
    assert set(found) == {OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET}
    assert all(o.close_position and o.reduce_only and o.role is EXIT for o in found.values())
    assert all(o.side is side.opposite for o in found.values())
    below = OrderType.STOP_MARKET if side is Side.BUY else OrderType.TAKE_PROFIT_MARKET
    assert found.pop(below).trigger_price < 100
    assert next(iter(found.values())).trigger_price > 100


def guarded_dust(rig):
    """Dust with the guard that it has in the ordinary case; return the guard's name."""
    dust(rig, stop_loss="90")
    whole = lose_stop(rig).cl_ord_id
    rig.accept(whole)
    rig.hear(msg.CloseRequest(symbol=BTC))
    return whole


def test_the_guard_of_dust_makes_way_for_what_closes_it(rig):
    """The exchange takes no second stop of a whole position in one direction."""
    whole = guarded_dust(rig)
    assert rig.canceled() == [whole]
    found = {o.order_type: o.cl_ord_id for o in rig.submitted()}
    assert set(found) == {OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET}
    last = [c for c in rig.commands if isinstance(c, (cmd.CancelOrder, cmd.SubmitOrder))][-3:]
    assert isinstance(last[0], cmd.CancelOrder)  # it has to be first at the exchange
    rig.accept(*found.values())
    rig.cancel(whole)

    rig.wait(30)

    assert rig.working(STOP) == []
    assert "protection_missing" not in rig.alarms()
    assert rig.session() is S.RUNNING


def test_dust_whose_near_stop_is_refused_has_its_guard_again(rig):
    whole = guarded_dust(rig)
    found = {o.order_type: o.cl_ord_id for o in rig.submitted()}
    rig.accept(found[OrderType.TAKE_PROFIT_MARKET])
    rig.reject(found[OrderType.STOP_MARKET], code=-4130)
    rig.cancel(whole)

    rig.wait(2)

    assert [o.request.trigger_price for o in rig.working(STOP)] == [90]


def test_what_was_to_close_dust_is_taken_back_once_its_twin_has(rig):
    rig.hold("0.5")
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))
    rig.hear(msg.CloseRequest(symbol=BTC))
    first, second = (o.cl_ord_id for o in rig.submitted())
    rig.accept(first, second)
    rig.trigger(first)
    rig.trade(first, "0.5", "99.9")

    rig.wait(1)

    assert rig.qty() == 0
    assert rig.canceled() == [second]
    assert not [c for c in rig.commands if isinstance(c, cmd.Notify) and c.level == "warning"]


def test_dust_is_not_asked_to_be_closed_again_and_again(rig):
    rig.hold("0.5")
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))
    rig.hear(msg.StopSession(reason="enough", flatten=True))
    for _ in range(60):
        for order in rig.submitted():
            rig.reject(order.cl_ord_id, code=-2021)
        rig.wait(1)

    assert (
        2
        <= len(rig.working(EXIT))
        + sum(1 for f in rig.ever(ev.OrderSubmitted) if f.order.close_position)
        <= 6
    )
    assert rig.session() is S.STOPPING


def test_explaining_how_dust_would_be_closed_does_not_keep_it_from_being_closed(rig):
    rig.signal(quantity=Decimal("0.5"), stop_loss=Decimal(0))
    entry = rig.submitted()[0].cl_ord_id
    rig.accept(entry)
    rig.trade(entry, "0.5")
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))
    wish = SignalGenerated(signal_type=SignalType.CLOSE, symbol=BTC, strategy_id=RIG_S)

    assert len(rig.engine.explain(wish, rig.now).plans) == 2
    rig.hear(wish)
    assert len(rig.submitted()) == 2


def test_a_strategy_closes_its_dust(rig):
    rig.signal(quantity=Decimal("0.5"), stop_loss=Decimal(0))
    entry = rig.submitted()[0].cl_ord_id
    rig.accept(entry)
    rig.trade(entry, "0.5")
    relist(rig, lot=Decimal(1), min_qty=Decimal(1))

    rig.signal(SignalType.CLOSE)

    assert [o.close_position for o in rig.submitted()] == [True, True]


def test_a_guard_that_dust_can_not_have_is_told_of_once(rig):
    dust(rig, stop_loss="90")
    lose_stop(rig)
    for _ in range(600):
        for each in rig.state.all_open_orders():
            if each.status is OrderStatus.PENDING_NEW:
                rig.reject(each.cl_ord_id, code=-4130)
        rig.wait(1)

    assert rig.alarms().count("protection_closed") == 1
    assert sum(f.order.role is EXIT for f in rig.ever(ev.OrderSubmitted)) > 10  # it goes on trying


def test_an_order_that_closes_the_position_fills_what_is_held_by_then(rig):
    dust(rig, stop_loss="90")
    stop = lose_stop(rig)
    rig.accept(stop.cl_ord_id)
    rig.trade("web_1", "0.25", of="0.25", side=Side.BUY)
    rig.trigger(stop.cl_ord_id)

    rig.trade(stop.cl_ord_id, "0.75", "90", of="0.75", status=OrderStatus.FILLED)

    assert rig.qty() == 0
    assert rig.order(stop.cl_ord_id).status is OrderStatus.FILLED
    assert "order_larger" not in rig.alarms()


def test_an_order_that_closes_the_position_ends_with_less_than_was_held(rig):
    dust(rig, stop_loss="90")
    stop = lose_stop(rig)
    rig.accept(stop.cl_ord_id)
    rig.trade("web_1", "0.25", of="0.25", side=Side.SELL)
    rig.trigger(stop.cl_ord_id)

    rig.trade(stop.cl_ord_id, "0.25", "90", of="0.25", status=OrderStatus.FILLED)

    assert rig.order(stop.cl_ord_id).status is OrderStatus.FILLED
    assert rig.qty() == 0


def test_an_order_of_ours_that_closes_the_position_is_known_again_after_its_facts_went(rig):
    dust(rig, stop_loss="90")
    stop = lose_stop(rig)
    name = str(stop.cl_ord_id).replace(".1.", ".1.", 1)
    rig.report(
        name[:-1] + "x",
        ExecType.STATUS,
        OrderStatus.NEW,
        side=Side.SELL,
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(90),
        reduce_only=True,
        close_position=True,
        venue_order_id="9",
    )

    (adopted,) = rig.told(ev.OrderAdopted)
    assert adopted.order.close_position

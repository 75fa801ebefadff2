"""Stops and targets of ours whose wish a power cut took: kept for what they guard, and no longer."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import commands as cmd
from holdfast.model.ids import Owner, make_cl_ord_id
from holdfast.model.messages import ExecType
from holdfast.model.values import OrderRole, OrderStatus, OrderType, Side
from tests.engine.rig import Rig, S

ENTRY, STOP, TARGET = OrderRole.ENTRY, OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT


@pytest.fixture
def rig():
    """A session whose wishes have no stop where they name none."""
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


def lost_id(role, parent):
    return make_cl_ord_id(Owner("hf", 1, 90, parent, role, S))


def meet(rig, role=STOP, parent=7):
    """Hear of a stop that rests at the venue, of which the journal knows nothing."""
    cl_ord_id = lost_id(role, parent)
    kind = OrderType.STOP_MARKET if role is STOP else OrderType.TAKE_PROFIT_MARKET
    fields = {
        "side": Side.SELL,
        "qty": Decimal(1),
        "order_type": kind,
        "trigger_price": Decimal(90),
        "reduce_only": True,
    }
    rig.report(cl_ord_id, ExecType.NEW, OrderStatus.NEW, **fields)
    return cl_ord_id


def taken_back(rig):
    return [c.cl_ord_id for c in rig.commands if isinstance(c, cmd.CancelOrder)]


@pytest.mark.parametrize("role", [STOP, TARGET])
def test_one_that_guards_nothing_is_taken_back_once_all_is_known(rig, role):
    stop = meet(rig, role)

    rig.wait(50)
    assert taken_back(rig) == []
    rig.wait(11)
    assert taken_back(rig) == [stop]


def test_one_that_guards_what_its_lost_entry_has_filled_stays_as_long_as_that_is_held(rig):
    stop = meet(rig)
    rig.trade(lost_id(ENTRY, 7), "1", side=Side.BUY, of="1")
    rig.wait(120)
    assert rig.order(stop).status is OrderStatus.NEW

    rig.trade("manual-1", "1", side=Side.SELL)
    rig.wait(1)
    assert taken_back(rig) == [stop]


def test_one_whose_holding_is_nobodys_stays(rig):
    rig.trade("manual-1", "1", side=Side.BUY)
    stop = meet(rig)

    rig.wait(120)

    assert rig.order(stop).status is OrderStatus.NEW
    assert taken_back(rig) == []


def test_one_that_would_close_what_has_a_stop_of_its_own_is_taken_back(rig):
    stop = meet(rig)
    rig.hold("1", stop_loss="80")

    rig.wait(61)

    assert taken_back(rig) == [stop]


def test_one_that_came_with_its_lost_entry_goes_with_what_that_has_filled(rig):
    rig.trade(lost_id(ENTRY, 7), "1", side=Side.BUY, of="1")
    stop = meet(rig)
    rig.wait(120)
    assert rig.order(stop).status is OrderStatus.NEW

    rig.trade("manual-1", "1", side=Side.SELL)
    rig.hold("1", stop_loss="80")
    rig.wait(1)

    assert taken_back(rig) == [stop]

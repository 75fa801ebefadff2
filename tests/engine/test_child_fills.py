"""What a stop's child fills under a name of its own, before it is known whose child it is."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.engine.engine import Engine
from holdfast.engine.holdings import holding
from holdfast.engine.order import RequestState
from holdfast.engine.protection import WOULD_TRIGGER_AT_ONCE
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import (
    ZERO,
    OrderRole,
    OrderStatus,
    Side,
    SignalType,
    StrategyId,
    TradeId,
)
from tests.engine.rig import KEY, Rig, S, encoded

B = StrategyId("b")
TRADE = TradeId("t9")


@pytest.fixture
def rig():
    return Rig()


def wished(rig, qty, strategy_id=S, stop_loss="90", **fields):
    """Fill a strategy's entry and have its stop accepted; return the stop's id."""
    exits = {"stop_loss": Decimal(stop_loss), "take_profit": ZERO}
    rig.signal(quantity=Decimal(qty), strategy_id=strategy_id, **exits, **fields)
    entry = rig.submitted()[0]
    rig.accept(entry.cl_ord_id)
    rig.trade(entry.cl_ord_id, str(entry.qty))
    [stop] = rig.submitted()
    rig.accept(stop.cl_ord_id)
    rig.wait(61)
    return stop.cl_ord_id


def fill_child(rig, qty="1", trade_id=TRADE, **fields):
    """Hear what is a stop's, under a name that says nothing."""
    rig.trade("web_7", qty, "90", side=Side.SELL, trade_id=trade_id, **fields)


def recognize(rig, stop, qty="1", trade_id=TRADE):
    rig.trigger(stop)
    rig.trade(stop, qty, "90", trade_id=trade_id)


def held(rig):
    return {name: holding(rig.state, KEY, name) for name in (S, B)}


def taken(rig):
    return sum((p.taken_qty for p in rig.state.parents.values()), ZERO)


def test_it_is_taken_from_the_stops_own_holding_once_it_is_known(rig):
    wished(rig, "2", B, "80")
    stop = wished(rig, "1")
    fill_child(rig)
    assert held(rig) == {S: 1, B: 1}

    recognize(rig, stop)

    assert held(rig) == {S: 0, B: 2}
    assert taken(rig) == 0
    assert [o for o in rig.submitted() if o.strategy_id == S] == []
    rig.wait(2)
    rig.accept(*[o.cl_ord_id for o in rig.working(OrderRole.STOP_LOSS)])
    rig.wait(2)
    stops = [o for o in rig.working(OrderRole.STOP_LOSS) if o.cancel is RequestState.NONE]
    assert [(o.request.strategy_id, o.leaves_qty) for o in stops] == [(B, 2)]


def test_what_was_the_accounts_own_is_so_again(rig):
    rig.trade("web_1", "2")
    stop = wished(rig, "1")
    fill_child(rig)
    assert held(rig)[S] == 1

    recognize(rig, stop)

    assert (rig.qty(), held(rig)[S]) == (2, 0)
    assert rig.submitted() == []
    rig.wait(20)
    assert rig.working(OrderRole.STOP_LOSS) == []


def test_what_was_taken_of_several_is_given_back_to_each(rig):
    rig.trade("web_1", "1")
    wished(rig, "2", B, "80")
    stop = wished(rig, "4")
    for number in range(4):
        fill_child(rig, trade_id=TradeId(f"t{number}"))
    assert held(rig) == {S: 3, B: 0}

    for number in range(4):
        recognize(rig, stop, trade_id=TradeId(f"t{number}"))

    assert held(rig) == {S: 0, B: 2}
    assert (rig.qty(), taken(rig)) == (3, 0)


def test_what_its_holder_has_closed_meanwhile_stays_closed(rig):
    wished(rig, "2", B, "80")
    stop = wished(rig, "1")
    fill_child(rig)
    rig.signal(SignalType.CLOSE, strategy_id=B)
    [close] = rig.submitted()
    rig.trade(close.cl_ord_id, "1")
    assert held(rig) == {S: 1, B: 0}

    recognize(rig, stop)

    assert held(rig) == {S: 0, B: 1}
    assert rig.qty() == 1


def test_nobody_holds_more_than_there_is_where_all_was_closed_meanwhile(rig):
    wished(rig, "2", B, "80")
    stop = wished(rig, "1")
    fill_child(rig)
    rig.trade("web_8", "2", side=Side.SELL)

    recognize(rig, stop)

    assert (rig.qty(), held(rig)) == (0, {S: 0, B: 0})


def test_what_its_own_strategy_came_to_hold_later_is_no_part_of_it(rig):
    wished(rig, "1", B, "80")
    stop = wished(rig, "1")
    filled_ts = rig.now
    wished(rig, "1", S, "85")
    fill_child(rig, "1", venue_ts=filled_ts)

    recognize(rig, stop)

    assert held(rig) == {S: 1, B: 1}
    assert [p.open_qty for p in rig.state.live_parents_of(KEY)] == [1, 1]


def test_a_twap_ends_by_its_own_stop_without_a_word_of_others(rig):
    stop = wished(rig, "6", algo="twap:over=600s,slices=6")
    fill_child(rig)
    recognize(rig, stop)
    [number] = rig.state.parents
    rig.wait(40)

    rig.hear(msg.TimerFired(parent_id=number))

    assert rig.submitted() == []
    assert rig.alarms() == []


def test_a_journal_that_does_not_say_so_folds_as_it_did(rig):
    wished(rig, "2", B, "80")
    stop = wished(rig, "1")
    fill_child(rig)
    recognize(rig, stop)
    told = encoded(rig.state)

    def as_written_before(fact):
        is_it = isinstance(fact, ev.FillRecognized)
        return msgspec.structs.replace(fact, gives_back=False) if is_it else fact

    before = Engine(rig.settings, map(as_written_before, rig.facts)).state
    rig.refold()

    assert encoded(rig.state) == told
    assert [holding(before, KEY, each) for each in (S, B)] == [1, 1]


def test_a_new_stop_that_is_refused_closes_nothing_of_what_is_left(rig):
    rig.trade("web_1", "2")
    stop = wished(rig, "1", stop_loss="95")
    fill_child(rig)
    recognize(rig, stop)
    for order in rig.submitted():
        rig.reject(order.cl_ord_id, code=WOULD_TRIGGER_AT_ONCE)
        assert rig.submitted() == []

    assert (rig.qty(), rig.order(stop).status) == (2, OrderStatus.FILLED)

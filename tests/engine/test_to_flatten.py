"""What was taken over to be closed is closed, and nothing that was opened behind it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.holdings import worked_of_taken_over
from holdfast.engine.order import RequestState
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    NS_PER_S,
    OrderRole,
    OrderStatus,
    Side,
    SignalType,
    StrategyId,
    TradeId,
)
from tests.engine.rig import BTC, ETH, KEY, Rig, encoded

PLAIN = {"stop_loss_pct": Decimal("0.05"), "take_profit_pct": Decimal(0)}


def taken_over(qty):
    """A session that has taken over a position which nobody of its own opened."""
    rig = Rig(mismatch_policy="flatten", limits={"duplicate_window_s": 0}, **PLAIN)
    for _ in range(2):
        rig.now += 5 * NS_PER_S
        rig.snapshot(positions={BTC: qty})
    return rig


def closes(rig):
    return [o for o in rig.submitted(rig.commands) if o.role is OrderRole.EXIT]


def enter(rig, qty="1"):
    """Have the strategy buy, and its stop be there."""
    rig.signal(quantity=Decimal(qty))
    entry = rig.submitted()[0].cl_ord_id
    rig.accept(entry)
    rig.trade(entry, qty)
    rig.accept(*[o.cl_ord_id for o in rig.submitted()])


@pytest.mark.parametrize("is_told_first", [False, True])
def test_what_a_strategy_buys_while_the_close_is_out_is_its_own(is_told_first):
    rig = taken_over("3")
    [close] = closes(rig)
    rig.accept(close.cl_ord_id)

    enter(rig)
    if is_told_first:
        rig.wait(3)
    rig.trade(close.cl_ord_id, "3")
    rig.wait(5)

    assert (rig.qty(), closes(rig)) == (1, [close])


def test_a_close_that_is_refused_behind_an_entry_is_sent_again_for_its_own_quantity():
    rig = taken_over("3")
    [close] = closes(rig)
    enter(rig)
    rig.reject(close.cl_ord_id, code=-1008, reason="overloaded")

    rig.wait(10)

    assert [each.qty for each in closes(rig)] == [3, 3]
    rig.trade(closes(rig)[1].cl_ord_id, "3")
    rig.wait(10)
    assert (rig.qty(), len(closes(rig))) == (1, 2)


def test_a_close_of_which_a_part_has_filled_is_sent_again_for_the_rest():
    rig = taken_over("3")
    [close] = closes(rig)
    rig.accept(close.cl_ord_id)
    enter(rig)
    rig.trade(close.cl_ord_id, "2")
    rig.expire(close.cl_ord_id, cum_qty=Decimal(2))

    rig.wait(3)

    assert (rig.qty(), [each.qty for each in closes(rig)]) == (2, [3, 1])


def test_what_somebody_else_sells_of_it_is_not_closed_once_more():
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    enter(rig)
    rig.trade("theirs", "3", side=Side.SELL)

    rig.wait(20)

    assert (rig.qty(), len(closes(rig))) == (1, 1)


def test_a_stop_of_a_strategy_takes_nothing_off_what_is_to_be_closed():
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    enter(rig)
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.trigger(stop.cl_ord_id)
    rig.trade(stop.cl_ord_id, "1")

    rig.wait(10)

    assert (rig.qty(), [each.qty for each in closes(rig)]) == (3, [3, 3])


def test_dust_that_a_close_leaves_takes_no_entry_with_it():
    rig = taken_over("3.0005")
    [close] = closes(rig)
    rig.accept(close.cl_ord_id)
    rig.trade(close.cl_ord_id, "3")
    rig.tick()
    rig.accept(*[o.cl_ord_id for o in rig.submitted()])

    enter(rig)
    rig.wait(1)
    for order in rig.working(OrderRole.EXIT):  # they would close the entry too
        rig.cancel(order.cl_ord_id)
    rig.wait(120)

    assert rig.qty() == Decimal("1.0005")
    assert [each.close_position for each in closes(rig)] == [False, True, True]


def test_dust_that_is_all_there_is_is_still_closed():
    rig = taken_over("3.0005")
    [close] = closes(rig)
    rig.accept(close.cl_ord_id)
    rig.trade(close.cl_ord_id, "3")

    rig.wait(1)

    assert [each.close_position for each in closes(rig)] == [False, True, True]


def go_on(rig, policy):
    rig.settings = msgspec.structs.replace(rig.settings, mismatch_policy=policy)
    rig.restart()
    for symbol in (BTC, ETH):
        rig.price(100.0, symbol)
    rig.snapshot()


@pytest.mark.parametrize("policy", ["adopt", "halt"])
def test_what_was_kept_under_another_policy_stays_under_the_first_one(policy):
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    go_on(rig, policy)
    rig.wait(20)

    go_on(rig, "flatten")
    rig.wait(20)

    assert (rig.qty(), len(closes(rig))) == (3, 1)


def test_a_start_from_before_policies_were_on_record_keeps_what_is_to_be_closed():
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    started = next(fact for fact in rig.facts if isinstance(fact, ev.EpochStarted))
    old = msgspec.json.decode(msgspec.json.encode(started))
    assert "keeps_taken_over" not in old
    rig.facts.append(msgspec.json.decode(msgspec.json.encode(old), type=ev.Event))

    rig.refold()

    assert KEY in rig.state.to_flatten


def guarding(rig):
    """The stops that are there and are not asked back."""
    stops = rig.working(OrderRole.STOP_LOSS)
    return [o.cl_ord_id for o in stops if o.cancel is RequestState.NONE]


def by_hand(rig, qty="1", **fields):
    """Open by hand, with a stop that is there; return the entry and its stop."""
    entry = rig.place(Side.BUY, qty, stop_loss="90", **fields)
    rig.accept(entry)
    rig.trade(entry, str(rig.order(entry).qty))
    [stop] = [o.cl_ord_id for o in rig.submitted() if o.role is OrderRole.STOP_LOSS]
    rig.accept(stop)
    return entry, stop


@pytest.mark.parametrize("parts", [["3"], ["1", "2"]])
def test_a_close_leaves_what_was_opened_by_hand_its_stop(parts):
    rig = taken_over("3")
    [close] = closes(rig)
    rig.accept(close.cl_ord_id)
    _, stop = by_hand(rig)

    for part in parts:
        rig.trade(close.cl_ord_id, part)
        assert rig.canceled() == []
    rig.wait(60)

    assert (rig.qty(), closes(rig)) == (1, [close])
    assert guarding(rig) == [stop]


def test_a_close_that_is_sent_again_leaves_what_was_opened_by_hand_its_stop():
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    _, stop = by_hand(rig)
    rig.wait(10)
    again = closes(rig)[1]
    rig.trade(again.cl_ord_id, "3")

    rig.wait(60)

    assert (rig.qty(), again.qty, len(closes(rig))) == (1, 3, 2)
    assert guarding(rig) == [stop]


def test_a_close_ends_nothing_that_goes_on_in_parts_by_hand():
    rig = taken_over("3")
    [close] = closes(rig)
    rig.accept(close.cl_ord_id)
    part, _ = by_hand(rig, "2", algo="twap:over=20s,slices=2")
    rig.trade(close.cl_ord_id, "3")
    assert rig.canceled() == []

    first, parent_id = len(rig.commands), rig.order(part).request.parent_id
    rig.wait(11)
    rig.hear(msg.TimerFired(parent_id=parent_id))
    [second] = [o for o in rig.submitted(rig.commands[first:]) if o.role is OrderRole.ENTRY]
    rig.trade(second.cl_ord_id, "1")
    rig.wait(5)

    assert (rig.qty(), rig.state.parents[parent_id].open_qty) == (2, 2)
    assert (closes(rig), "algo_short" in rig.alarms()) == ([close], False)


def test_an_exit_by_hand_takes_nothing_off_what_is_to_be_closed():
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    by_hand(rig)
    out = rig.place(Side.SELL, "1", reduce_only=True)
    rig.trade(out, "1")

    rig.wait(10)

    assert (rig.qty(), [each.qty for each in closes(rig)]) == (3, [3, 1, 3])


def test_an_exit_by_hand_that_is_at_work_does_not_stand_for_a_close():
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    by_hand(rig)
    rig.accept(rig.place(Side.SELL, "1", reduce_only=True))

    rig.wait(10)

    assert [each.qty for each in closes(rig)] == [3, 1, 3]


def test_what_is_closed_by_hand_of_it_is_not_closed_once_more():
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    out = rig.place(Side.SELL, "2", reduce_only=True)
    enter(rig)
    rig.trade(out, "2")

    rig.wait(10)

    assert (rig.qty(), [each.qty for each in closes(rig)]) == (2, [3, 2, 1])


def hold_then_take_over(rig):
    """Have the strategy hold 1 under a stop, and take over 2 of nobody's with it."""
    enter(rig)
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.wait(3)
    for _ in range(2):
        rig.now += 5 * NS_PER_S
        rig.snapshot(positions={BTC: 3})
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    return stop


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_its_own_stop_closes_of_it_is_closed_in_nobodys_stead(is_restarted):
    rig = Rig(mismatch_policy="flatten", limits={"duplicate_window_s": 0}, **PLAIN)
    stop = hold_then_take_over(rig)
    if is_restarted:
        go_on(rig, "flatten")
    enter(rig)
    rig.trigger(stop.cl_ord_id)
    rig.trade(stop.cl_ord_id, "1", "95")

    rig.wait(10)
    assert [each.qty for each in closes(rig)] == [3, 2]
    rig.trade(closes(rig)[1].cl_ord_id, "2")
    rig.wait(10)

    assert (rig.qty(), len(closes(rig)), KEY in rig.state.to_flatten) == (1, 2, False)
    assert len(guarding(rig)) == 1


def test_what_was_held_with_it_and_is_closed_by_the_session_is_gone():
    rig = Rig(mismatch_policy="flatten", limits={"duplicate_window_s": 0}, **PLAIN)
    stop = hold_then_take_over(rig)
    enter(rig)
    rig.wait(10)
    rig.trade(closes(rig)[1].cl_ord_id, "3")
    rig.wait(1)

    assert (rig.qty(), len(closes(rig)), KEY in rig.state.to_flatten) == (1, 2, False)
    assert len(guarding(rig)) == 1
    assert stop.cl_ord_id not in guarding(rig)


@pytest.mark.parametrize("who", ["hand", "strategy"])
def test_an_exit_of_whoever_holds_nothing_beside_it_is_at_work_on_it(who):
    if who == "hand":
        rig = taken_over("3")
        rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
        out = rig.place(Side.SELL, "1", reduce_only=True)
    else:
        rig = Rig(mismatch_policy="flatten", limits={"duplicate_window_s": 0}, **PLAIN)
        hold_then_take_over(rig)
        rig.signal(SignalType.CLOSE)
        out = rig.submitted()[0].cl_ord_id
    rig.accept(out)
    entry = rig.place(Side.BUY, "1", strategy_id=StrategyId("t"), stop_loss="90")
    rig.trade(entry, "1")
    rig.accept(*[o.cl_ord_id for o in rig.submitted()])

    rig.wait(5)
    last = closes(rig)[-1]
    rig.trade(last.cl_ord_id, str(last.qty))
    rig.trade(out, "1")
    rig.wait(5)

    assert ([each.qty for each in closes(rig)], rig.qty()) == ([3, 1, 2], 1)


def held_then_taken_over():
    """A strategy holds 3 and the venue has 4, to be closed: that was refused once, and the strategy
    has opened 2 behind it.
    """
    rig = Rig(mismatch_policy="flatten", limits={"duplicate_window_s": 0}, **PLAIN)
    enter(rig, "3")
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.wait(3)
    for _ in range(2):
        rig.now += 5 * NS_PER_S
        rig.snapshot(positions={BTC: 4})
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    enter(rig, "2")
    [behind] = [o.cl_ord_id for o in rig.working(OrderRole.STOP_LOSS) if o is not stop]
    return rig, stop, behind


def held(rig):
    return [p.open_qty for p in rig.state.live_parents_of(KEY) if p.open_qty]


@pytest.mark.parametrize("is_first", [True, False])
def test_what_its_strategy_is_closing_of_it_is_not_closed_once_more(is_first):
    """Its oldest holding goes first by our books, which is the one that was taken over."""
    rig, _, behind = held_then_taken_over()
    rig.signal(SignalType.CLOSE, quantity=Decimal(2))
    [out] = rig.submitted()
    rig.wait(3)
    again = closes(rig)[-1]
    assert [each.qty for each in closes(rig)] == [4, 2, 2]
    for close in (out, again) if is_first else (again, out):
        rig.trade(close.cl_ord_id, "2")
    rig.wait(5)

    assert (rig.qty(), held(rig), len(closes(rig))) == (2, [2], 3)
    assert KEY not in rig.state.to_flatten
    assert behind in guarding(rig)


def test_what_a_stop_that_has_triggered_is_closing_of_it_is_not_closed_once_more():
    rig, stop, behind = held_then_taken_over()
    rig.price(95.2)
    rig.trigger(stop.cl_ord_id)
    rig.wait(3)
    assert [each.qty for each in closes(rig)] == [4, 1]
    rig.trade(stop.cl_ord_id, "3", price="95")
    rig.trade(closes(rig)[1].cl_ord_id, "1", price="95")
    rig.wait(5)

    assert (rig.qty(), held(rig), len(closes(rig))) == (2, [2], 2)
    assert KEY not in rig.state.to_flatten
    assert behind in guarding(rig)


def test_what_a_stop_that_has_triggered_leaves_of_it_is_closed():
    rig, stop, _ = held_then_taken_over()
    rig.price(95.2)
    rig.trigger(stop.cl_ord_id)
    rig.wait(3)
    rig.trade(stop.cl_ord_id, "1", price="95")
    rig.expire(stop.cl_ord_id, cum_qty=Decimal(1))
    rig.trade(closes(rig)[1].cl_ord_id, "1", price="95")
    rig.wait(3)
    rig.trade(closes(rig)[-1].cl_ord_id, str(closes(rig)[-1].qty), price="95")
    rig.wait(5)

    assert (rig.qty(), held(rig), [each.qty for each in closes(rig)]) == (2, [2], [4, 1, 2])


@given(
    before=st.lists(st.sampled_from(("s", "t", "hand")), max_size=3),
    behind=st.lists(st.sampled_from(("s", "t", "hand")), max_size=3),
    extra=st.integers(0, 3),
    exits=st.lists(
        st.tuples(st.sampled_from(("s", "t", "hand", "stop")), st.integers(1, 4)), max_size=4
    ),
)
def test_others_exits_count_for_what_their_fills_take_off_what_is_to_be_closed(
    before, behind, extra, exits
):
    rig = Rig(mismatch_policy="flatten", limits={"duplicate_window_s": 0}, **PLAIN)
    open_for_each(rig, before)
    for _ in range(2):
        rig.now += 5 * NS_PER_S
        rig.snapshot(positions={BTC: len(before) + extra})
    for close in closes(rig):
        rig.reject(close.cl_ord_id, code=-1008, reason="overloaded")
    open_for_each(rig, behind)
    first = len(rig.commands)
    for who, qty in exits:
        leave(rig, who, qty)
    out = [o for o in rig.submitted(rig.commands[first:]) if o.role is OrderRole.EXIT]
    out += [o.request for o in rig.working(OrderRole.STOP_LOSS) if o.is_closing]
    out.sort(key=lambda each: list(rig.state.orders).index(each.cl_ord_id))
    left = rig.state.to_flatten.get(KEY, 0)
    counted = worked_of_taken_over(rig.state, KEY, [rig.order(o.cl_ord_id) for o in out])

    for each in out:
        if qty := min(each.qty, rig.qty()):
            rig.trade(each.cl_ord_id, qty)

    assert rig.state.to_flatten.get(KEY, 0) == left - min(counted, left)


def open_for_each(rig, names):
    for name in names:
        if name == "hand":
            by_hand(rig)
        else:
            rig.signal(quantity=Decimal(1), strategy_id=StrategyId(name))
            entry = rig.submitted()[0].cl_ord_id
            rig.accept(entry)
            rig.trade(entry, "1")
            rig.accept(*[o.cl_ord_id for o in rig.submitted()])


def leave(rig, who, qty):
    """Send an exit, or have the oldest stop trigger."""
    if who == "hand":
        rig.place(Side.SELL, str(qty), reduce_only=True)
    elif who != "stop":
        rig.signal(SignalType.CLOSE, quantity=Decimal(qty), strategy_id=StrategyId(who))
    elif waiting := [o for o in rig.working(OrderRole.STOP_LOSS) if o.is_waiting]:
        rig.trigger(waiting[0].cl_ord_id)


def lost_close(rig):
    """Have a power cut take the session's close off the record, with all that came behind it."""
    before = len(rig.facts)
    rig.wait(2)
    close = closes(rig)[-1]
    begun = (isinstance(f, ev.ParentStarted) and f.closes_taken_over for f in rig.facts[before:])
    del rig.facts[before + list(begun).index(True) :]
    rig.restart()
    rig.price(100.0)
    return close


def refused_once():
    """A session that is to close 3, which was refused, with 2 by hand beside it; and their stop."""
    rig = taken_over("3")
    rig.reject(closes(rig)[0].cl_ord_id, code=-1008, reason="overloaded")
    return rig, by_hand(rig, "2")[1]


def listed(rig, close):
    """What the venue's list of executions says of a close."""
    return msg.ExecutionReport(
        symbol=BTC,
        cl_ord_id=close.cl_ord_id,
        exec_type=ExecType.TRADE,
        status=OrderStatus.FILLED,
        side=close.side,
        venue_ts=rig.now,
        last_qty=close.qty,
        last_px=Decimal(100),
        trade_id=TradeId("777"),
        fee=Decimal(0),
    )


def test_a_close_whose_facts_a_power_cut_took_was_the_sessions_own():
    rig, stop = refused_once()
    close = lost_close(rig)
    rig.snapshot(positions={BTC: 2}, trades=(listed(rig, close),))
    first = len(rig.commands)
    rig.wait(10)

    assert (rig.qty(), held(rig), guarding(rig)) == (2, [2], [stop])
    assert closes_since(rig, first) == []
    assert KEY not in rig.state.to_flatten
    live = encoded(rig.state)
    rig.refold()
    assert encoded(rig.state) == live


def closes_since(rig, first):
    return [o.qty for o in rig.submitted(rig.commands[first:]) if o.role is OrderRole.EXIT]


def test_a_close_that_is_taken_on_behind_a_power_cut_is_the_sessions_own():
    rig, stop = refused_once()
    close = lost_close(rig)
    row = rig.row(close.cl_ord_id, side=Side.SELL, qty=close.qty, reduce_only=True)
    rig.snapshot(orders=[rig.row(stop), row])
    first = len(rig.commands)
    rig.wait(3)
    rig.trade(close.cl_ord_id, "3")
    rig.wait(10)

    assert (rig.qty(), held(rig), guarding(rig)) == (2, [2], [stop])
    assert closes_since(rig, first) == []
    assert KEY not in rig.state.to_flatten


def test_an_exit_by_hand_whose_facts_a_power_cut_took_leaves_what_is_to_be_closed_no_larger():
    """Its id is one of the session's closes too: what the session closes then is as much as is
    held beside what was opened by hand.
    """
    rig, stop = refused_once()
    before = len(rig.facts)
    out = rig.place(Side.SELL, "1", reduce_only=True)
    exit_ = rig.order(out).request
    del rig.facts[before:]
    rig.restart()
    rig.price(100.0)
    rig.snapshot(positions={BTC: 4}, trades=(listed(rig, exit_),))
    first = len(rig.commands)
    rig.wait(3)

    assert (rig.qty(), held(rig), closes_since(rig, first)) == (4, [2], [2])
    assert guarding(rig) == [stop]

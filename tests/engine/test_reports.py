"""What the venue says of orders, in whatever order and however often it is heard."""

from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec
import pytest

from holdfast.engine import forgetting, quiet
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import Fenced, IllegalTransition
from holdfast.model.ids import Owner, make_cl_ord_id
from holdfast.model.messages import ExecType, Request
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    OPERATOR,
    OrderRole,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    SignalType,
    StrategyId,
    TradeId,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC, ETH, KEY, Rig, S, encoded

LIMIT = OrderType.LIMIT


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


@pytest.fixture
def order(rig):
    """A limit order of 3 at 99, sent and not yet answered."""
    return rig.place(Side.BUY, "3", order_type=LIMIT, price="99")


def kinds(rig):
    return [type(fact) for fact in rig.news]


# One order's life


def test_an_acknowledgement_is_one_fact_however_often_it_comes(rig, order):
    rig.accept(order)
    assert kinds(rig) == [ev.OrderAccepted]

    rig.accept(order)
    assert rig.news == []


def test_a_fill_books_order_position_and_wallet_once(rig, order):
    rig.accept(order)
    rig.trade(order, "1", "99", trade_id=TradeId("t1"), fee=Decimal("0.5"))
    rig.trade(order, "1", "99", trade_id=TradeId("t1"), fee=Decimal("0.5"), cum_qty=Decimal(1))

    assert rig.news == []
    assert rig.order(order).cum_qty == 1
    assert rig.qty() == 1
    assert rig.state.account(MAIN).wallet("USDT") == Decimal("9999.5")


def test_the_same_trade_id_on_another_symbol_is_another_trade(rig, order):
    rig.trade(order, "1", "99", trade_id=TradeId("t1"))
    rig.trade("manual", "1", symbol="ETHUSDT", side=Side.BUY, trade_id=TradeId("t1"))

    assert rig.qty("ETHUSDT") == 1


def test_profit_is_the_venues_figure_and_is_worked_out_where_it_gives_none(rig, order):
    rig.trade(order, "3", "99")
    exit_ = rig.place(Side.SELL, "3", reduce_only=True)

    rig.trade(exit_, "1", "109", fee=Decimal(0))
    assert rig.told(ev.OrderFilled)[0].realized_pnl == 10

    rig.trade(exit_, "1", "109", fee=Decimal(0), realized_pnl=Decimal("9.99"))
    assert rig.state.account(MAIN).realized["USDT"] == Decimal("19.99")


def test_a_fill_may_come_before_the_acknowledgement(rig, order):
    rig.trade(order, "1", "99")
    assert rig.order(order).status is OrderStatus.PARTIALLY_FILLED

    rig.accept(order)
    assert rig.order(order).status is OrderStatus.PARTIALLY_FILLED
    assert rig.news == []


def story(rig, order):
    """Everything the venue says of an order that is triggered, fills twice and is cancelled."""
    kind: dict = {"symbol": "BTCUSDT", "cl_ord_id": order, "side": Side.BUY, "qty": Decimal(3)}
    fields: dict = {**kind, "price": Decimal(99), "order_type": LIMIT, "venue_ts": rig.now}
    partial: dict = {"status": OrderStatus.PARTIALLY_FILLED, "last_qty": Decimal(1)}
    return [
        msg.ExecutionReport(exec_type=ExecType.NEW, status=OrderStatus.NEW, **fields),
        *(
            msg.ExecutionReport(
                exec_type=ExecType.TRADE,
                trade_id=TradeId(f"t{number}"),
                last_px=Decimal(99),
                cum_qty=Decimal(number),
                fee=Decimal("0.1"),
                **partial,
                **fields,
            )
            for number in (1, 2)
        ),
        msg.ExecutionReport(
            exec_type=ExecType.CANCELED,
            status=OrderStatus.CANCELED,
            cum_qty=Decimal(2),
            **fields,
        ),
    ]


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("is_repeated", [False, True])
def test_reports_in_any_order_and_twice_lead_to_the_same_end(arrival, is_repeated):
    rig = Rig()
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    heard = [story(rig, order)[number] for number in arrival]
    for report in [*heard, *heard] if is_repeated else heard:
        rig.hear(report)

    done = rig.order(order)
    assert (done.status, done.cum_qty, done.is_open) == (OrderStatus.CANCELED, 2, False)
    assert rig.qty() == 2
    assert rig.state.account(MAIN).wallet("USDT") == Decimal("9999.8")
    assert len(rig.ever(ev.OrderFilled)) == 2


def test_a_final_report_that_names_unknown_fills_has_them_fetched(rig, order):
    rig.accept(order)

    rig.cancel(order, cum_qty=Decimal(2))

    assert rig.order(order).is_open
    assert rig.resyncs() == 1
    assert [f.cum_qty for f in rig.told(ev.OrderReported)] == [2]


def test_a_fill_that_runs_ahead_of_its_brothers_waits_for_them_in_silence(rig, order):
    rig.trade(order, "1", "99", cum_qty=Decimal(2))

    assert rig.resyncs() == 0
    assert rig.order(order).reported_qty == 2


def test_a_rejection_ends_the_order_with_code_and_reason(rig, order):
    rig.reject(order, -2019, "margin")

    assert (rig.order(order).status, rig.order(order).code) == (OrderStatus.REJECTED, -2019)
    rig.reject(order, -2019, "margin")
    assert rig.news == []


def test_a_trigger_is_heard_once(rig):
    order = rig.place(Side.BUY, "1", order_type=OrderType.STOP_MARKET, trigger_price="105")
    rig.accept(order)

    rig.trigger(order)
    assert rig.order(order).status is OrderStatus.TRIGGERED
    rig.trigger(order)
    rig.accept(order)
    assert rig.news == []


def test_an_overfill_raises_before_order_position_or_wallet_change(rig, order):
    rig.trade(order, "2", "99")
    position, wallet = rig.qty(), rig.state.account(MAIN).wallet("USDT")
    before = encoded(rig.state.orders)

    with pytest.raises(IllegalTransition, match="makes 4, more than the order's 3"):
        rig.trade(order, "2", "99")

    assert encoded(rig.state.orders) == before
    assert (rig.qty(), rig.state.account(MAIN).wallet("USDT")) == (position, wallet)


def test_a_report_of_an_order_that_ended_and_was_forgotten_changes_nothing(rig):
    rig.report("hf.1.zz.1.E.s", ExecType.CANCELED, OrderStatus.CANCELED)

    assert rig.news == []


# Amendments


def amended(rig, order, qty="5", price="98"):
    rig.hear(msg.ModifyRequest(cl_ord_id=order, qty=Decimal(qty), price=Decimal(price)))


def replaced(rig, order, qty="5", price="98", **fields):
    fields = {"qty": Decimal(qty), "price": Decimal(price), **fields}
    rig.report(order, ExecType.REPLACED, OrderStatus.NEW, **fields)


def test_an_amendment_is_done_when_the_venue_shows_it(rig, order):
    rig.accept(order)
    amended(rig, order)
    replaced(rig, order)

    assert (rig.order(order).qty, rig.order(order).price) == (5, 98)
    assert rig.order(order).replace is RequestState.NONE
    replaced(rig, order)
    assert rig.news == []


def test_a_late_word_of_an_earlier_amendment_does_not_undo_a_later_one(rig, order):
    rig.accept(order)
    amended(rig, order)
    replaced(rig, order)
    first = rig.now
    rig.wait(2)
    amended(rig, order, "7", "97")
    replaced(rig, order, "7", "97")

    replaced(rig, order, venue_ts=first)

    assert (rig.order(order).qty, rig.order(order).price) == (7, 97)
    rig.trade(order, "7", "97")
    assert rig.order(order).status is OrderStatus.FILLED


def test_an_amendment_that_is_heard_behind_what_it_filled_is_our_own(rig, order):
    rig.accept(order)
    amended(rig, order)
    rig.trade(order, "5", "98", of="5", at="98", status=OrderStatus.FILLED)

    replaced(rig, order)

    assert (rig.order(order).qty, rig.order(order).price) == (5, 98)
    assert rig.alarms() == []


def test_the_venues_word_counts_also_for_an_amendment_nobody_here_asked_for(rig, order):
    rig.accept(order)

    replaced(rig, order, "2", "98")

    assert (rig.order(order).qty, rig.order(order).price) == (2, 98)


# An order that is larger at the venue than here: a power cut took the wish to amend it


def test_a_fill_that_exceeds_its_order_waits_until_the_venue_says_how_large_that_is(rig, order):
    rig.accept(order)
    listed = {"of": 0, "cum_qty": Decimal(0), "trade_id": TradeId("t1")}

    rig.trade(order, "5", "98", **listed)

    assert (rig.news, rig.queried(), rig.qty()) == ([], [order], 0)
    larger = {"qty": Decimal(5), "price": Decimal(98), "cum_qty": Decimal(5)}
    rig.status(order, OrderStatus.FILLED, **larger)
    assert rig.resyncs() == 1
    rig.trade(order, "5", "98", **listed)
    assert (rig.order(order).status, rig.order(order).qty, rig.qty()) == (OrderStatus.FILLED, 5, 5)


def larger(rig, order):
    """The venue's books, with a fill of 5 of an order that has 3 here."""
    fill = rig.row(order, OrderStatus.PARTIALLY_FILLED, qty=Decimal(0))
    fill = msgspec.structs.replace(
        fill,
        exec_type=ExecType.TRADE,
        last_qty=Decimal(5),
        last_px=Decimal(98),
        trade_id=TradeId("t1"),
    )
    rig.snapshot(orders=[], positions={"BTCUSDT": 5}, trades=(fill,))


def test_books_are_not_compared_while_a_fill_waits_for_its_orders_size(rig, order):
    rig.accept(order)
    rig.restart()

    for _ in range(2):
        larger(rig, order)
        assert (rig.session(), rig.ever(ev.BooksDiffered)) == (Status.STARTING, [])
        rig.now += 2 * NS_PER_S
    filled = {"qty": Decimal(5), "price": Decimal(98), "cum_qty": Decimal(5)}
    rig.status(order, OrderStatus.FILLED, **filled)
    larger(rig, order)

    assert (rig.session(), rig.qty()) == (Status.RUNNING, 5)


def test_looks_that_waited_for_a_size_are_counted_in_a_row(rig, order):
    rig.accept(order)
    for _ in range(3):
        for _ in range(3):
            rig.now += 2 * NS_PER_S
            larger(rig, order)
        rig.now += 2 * NS_PER_S
        rig.snapshot()

    assert rig.ever(ev.BooksDiffered) == []


def test_a_size_that_the_venue_never_tells_stops_the_session_in_the_end(rig, order):
    rig.accept(order)
    rig.restart()
    for _ in range(10):
        larger(rig, order)
        rig.now += 2 * NS_PER_S

    assert (rig.session(), rig.qty()) == (Status.ERROR, 0)
    assert "books differ" in rig.state.status_reason


def test_somebody_elses_size_is_no_answer_to_an_amendment_of_ours(rig, order):
    rig.accept(order)
    amended(rig, order, "5", "98")

    rig.status(order, qty=Decimal(7), price=Decimal(98))

    assert rig.order(order).replace is RequestState.PENDING
    assert rig.order(order).leaves_qty == 5


def test_a_fill_that_says_how_large_its_order_is_is_booked_at_once(rig, order):
    rig.accept(order)

    rig.trade(order, "2", "98", of=5)

    assert (rig.order(order).qty, rig.order(order).leaves_qty, rig.qty()) == (5, 3, 2)
    assert rig.alarms() == ["order_larger"]


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "filled"])
def test_an_order_that_has_filled_here_and_is_larger_at_the_venue_goes_on(rig, order, is_open):
    rig.accept(order)
    rig.trade(order, "3", "98", of=0)
    assert rig.order(order).status is OrderStatus.FILLED

    done = Decimal(3 if is_open else 5)
    status = OrderStatus.PARTIALLY_FILLED if is_open else OrderStatus.FILLED
    rig.status(order, status, qty=Decimal(5), price=Decimal(98), cum_qty=done)

    assert rig.order(order).status is OrderStatus.PARTIALLY_FILLED
    assert [each.cl_ord_id for each in rig.state.all_open_orders()] == [order]
    assert rig.order(order).leaves_qty == 2
    rig.trade(order, "2", "98", of=0)
    assert (rig.order(order).status, rig.qty()) == (OrderStatus.FILLED, 5)


def test_a_parent_is_remembered_while_an_order_of_it_is_open_again(rig, monkeypatch):
    monkeypatch.setattr(forgetting, "CLOSED_PARENTS_KEPT", 1)
    parent = rig.hold("3", order_type=LIMIT, price="99", stop_loss="90")
    [entry] = [o.cl_ord_id for o in rig.state.children(parent) if o.role is OrderRole.ENTRY]
    rig.hear(msg.CloseRequest(symbol=BTC))
    rig.trade(rig.submitted()[0].cl_ord_id, "3")
    rig.cancel(rig.canceled()[0])
    there = {"qty": Decimal(5), "price": Decimal(99), "cum_qty": Decimal(3)}
    rig.status(entry, OrderStatus.PARTIALLY_FILLED, **there)
    for _ in range(3):  # others come and go
        rig.wait(2)
        rig.cancel(rig.place(order_type=LIMIT, price="98"))

    rig.trade(entry, "2", "99")

    assert [(o.role, o.qty) for o in rig.submitted()] == [(OrderRole.STOP_LOSS, 2)]


def test_a_fill_that_comes_after_the_end_of_an_order_that_was_larger_is_booked(rig, order):
    rig.accept(order)
    rig.cancel(order)

    rig.status(order, OrderStatus.CANCELED, qty=Decimal(5), cum_qty=Decimal(4))
    rig.trade(order, "4", "98", of=0)

    assert (rig.order(order).status, rig.qty()) == (OrderStatus.CANCELED, 4)


def test_late_word_of_before_an_order_was_made_smaller_does_not_make_it_larger(rig, order):
    rig.accept(order)
    first = rig.now
    rig.wait(2)
    amended(rig, order, "2", "98")
    replaced(rig, order, "2", "98")

    rig.trade(order, "1", "99", of=3, venue_ts=first)
    rig.trade(order, "1", "98")
    rig.status(order, OrderStatus.PARTIALLY_FILLED, qty=Decimal(3), venue_ts=first)

    assert (rig.order(order).status, rig.order(order).qty) == (OrderStatus.FILLED, 2)


def test_a_refused_amendment_leaves_the_order_and_asks_how_it_stands(rig, order):
    rig.accept(order)
    amended(rig, order)

    rig.refuse(order, Request.REPLACE)

    assert rig.told(ev.ReplaceRejected)[0].code == -2011
    assert rig.queried() == [order]
    assert (rig.order(order).qty, rig.order(order).leaves_qty) == (3, 3)


def test_a_refused_cancel_leaves_the_order_and_asks_how_it_stands(rig, order):
    rig.accept(order)
    rig.hear(msg.CancelRequest(cl_ord_id=order))

    rig.refuse(order, Request.CANCEL)

    assert rig.told(ev.CancelRejected)[0].reason == "unknown"
    assert rig.queried() == [order]
    rig.refuse(order, Request.CANCEL)
    assert rig.news == []  # nothing was asked any more


def test_a_refusal_for_an_ended_or_unknown_order_is_no_news(rig, order):
    rig.cancel(order)
    rig.refuse(order, Request.CANCEL)
    assert (rig.news, rig.asked) == ([], [])

    rig.refuse("?", Request.CANCEL)
    assert (rig.news, rig.asked) == ([], [])


# Strangers


def own_id(epoch=1, seq=999, parent=7, role=OrderRole.STOP_LOSS, strategy=S):
    return make_cl_ord_id(Owner("hf", epoch, seq, parent, role, strategy))


def test_an_open_order_of_ours_that_the_journal_lost_is_taken_on_with_its_owner(rig):
    stranger = own_id()
    rig.report(
        stranger,
        ExecType.STATUS,
        OrderStatus.NEW,
        side=Side.SELL,
        qty=Decimal(2),
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(90),
        reduce_only=True,
        venue_order_id="v9",
    )

    adopted = rig.order(stranger)
    assert adopted.is_ours
    assert (adopted.role, adopted.request.strategy_id) == (OrderRole.STOP_LOSS, "s")
    assert (adopted.request.parent_id, adopted.venue_order_id) == ("", "v9")
    assert rig.alarms() == ["order_adopted"]


def test_an_adopted_order_of_a_known_parent_is_its_child_again(rig):
    parent = rig.hold("2", stop_loss="90")
    stranger = own_id(parent=int(parent.parent_id))

    rig.report(stranger, ExecType.STATUS, OrderStatus.NEW, side=Side.SELL, qty=Decimal(2))

    assert stranger in parent.children


def test_an_order_of_a_parent_that_a_power_cut_took_is_no_child_of_the_next_of_its_number(rig):
    rig.restart()
    rig.price(100)
    rig.snapshot(balance="10000")
    parent = rig.hold("2", stop_loss="90")
    lost = own_id(epoch=1, parent=int(parent.parent_id), role=OrderRole.ENTRY)

    rig.report(lost, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2))

    assert rig.order(lost).request.parent_id != parent.parent_id
    assert lost not in parent.children


def test_a_parent_that_begins_after_an_order_was_taken_on_is_not_the_orders(rig):
    lost = own_id(epoch=1, parent=1, role=OrderRole.ENTRY, strategy=OPERATOR)
    rig.report(lost, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(3))
    parent = rig.hold("2", stop_loss="90")

    rig.trade(lost, "3", cum_qty=Decimal(3), status=OrderStatus.FILLED)

    assert parent.parent_id == "1"
    assert parent.open_qty == 2


def test_an_order_of_another_symbol_is_no_child_whatever_number_it_names(rig):
    parent = rig.hold("2", stop_loss="90")
    lost = own_id(parent=int(parent.parent_id), role=OrderRole.ENTRY)

    rig.report(lost, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2), symbol="ETHUSDT")

    assert rig.order(lost).request.parent_id != parent.parent_id


def test_an_adopted_order_of_ours_without_parent_has_none(rig):
    stranger = own_id(parent=0, role=OrderRole.ENTRY, strategy=OPERATOR)

    rig.report(stranger, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2))

    assert rig.order(stranger).request.parent_id == ""


def foreign(**settings):
    rig = Rig(**settings)
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(2), price=Decimal(95))
    return rig


def test_a_foreign_order_is_counted_and_not_touched():
    rig = foreign(foreign_order_policy="adopt")

    assert not rig.order("manual-1").is_ours
    assert rig.canceled() == []
    assert rig.engine.core.exposure.reach((MAIN, "BTCUSDT")).longest == 2


def test_orders_of_another_program_are_told_of_once_in_a_while():
    rig = foreign(foreign_order_policy="adopt")
    for number in range(2, 50):  # a grid, say, beside us
        rig.wait(30, step=10)
        name = f"grid-{number}"
        rig.report(name, ExecType.NEW, OrderStatus.NEW, qty=Decimal(2), price=Decimal(95))
        rig.cancel(name)
    assert rig.alarms() == ["order_adopted"]

    rig.report("web-1", ExecType.NEW, OrderStatus.NEW, symbol=ETH, qty=Decimal(2))
    assert rig.alarms() == ["order_adopted"] * 2  # of another symbol

    rig.report(own_id(), ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2))
    assert rig.alarms() == ["order_adopted"] * 3  # one of ours is never a matter of course

    rig.wait(610, step=10)
    rig.report("web-2", ExecType.NEW, OrderStatus.NEW, qty=Decimal(2), price=Decimal(95))
    assert rig.alarms() == ["order_adopted"] * 4
    assert rig.engine.core.exposure.reach(KEY).longest == 6


def test_a_foreign_order_may_be_cancelled_by_policy():
    assert foreign(foreign_order_policy="cancel").canceled() == ["manual-1"]


def test_a_foreign_order_that_is_to_be_cancelled_is_asked_for_until_it_is_gone():
    rig = foreign(foreign_order_policy="cancel")
    for _ in range(3):
        rig.refuse("manual-1", msg.Request.CANCEL)
        rig.wait(4)
        assert rig.canceled() == []  # not in a storm
        rig.wait(2)
        assert [c.cl_ord_id for c in rig.commands if isinstance(c, cmd.CancelOrder)][-1:] == [
            "manual-1"
        ]
    asked = sum(isinstance(c, cmd.CancelOrder) for c in rig.commands)
    rig.cancel("manual-1")
    rig.wait(20)

    assert asked == 4
    assert sum(isinstance(c, cmd.CancelOrder) for c in rig.commands) == 4


def test_a_foreign_order_whose_cancel_was_lost_is_asked_for_again():
    rig = foreign(foreign_order_policy="cancel")
    rig.wait(40)
    rig.status("manual-1")
    rig.wait(6)

    assert sum(isinstance(c, cmd.CancelOrder) for c in rig.commands) == 2


def test_what_an_entrys_child_filled_under_its_own_name_has_its_stop_once_recognized(rig):
    """A stop order by hand that opens a position, as the exchange names what it becomes."""
    waits = {"order_type": OrderType.STOP_MARKET, "trigger_price": "101"}
    entry = rig.place(Side.BUY, "2", stop_loss="90", **waits)
    rig.accept(entry)
    of_child: dict = {"trade_id": TradeId("t9")}
    rig.trade("web_7", "2", "101", side=Side.BUY, **of_child)
    rig.report(entry, ExecType.STATUS, OrderStatus.FILLED, cum_qty=Decimal(2))

    rig.trade(entry, "2", "101", cum_qty=Decimal(2), **of_child)

    [stop] = rig.submitted()
    assert (stop.role, stop.qty, stop.trigger_price) == (OrderRole.STOP_LOSS, 2, 90)
    [parent] = rig.state.live_parents_of((MAIN, "BTCUSDT"))
    assert (parent.filled_qty, parent.open_qty) == (2, 2)


def test_what_somebody_has_closed_of_it_before_it_was_recognized_is_not_guarded(rig):
    waits = {"order_type": OrderType.STOP_MARKET, "trigger_price": "101"}
    entry = rig.place(Side.BUY, "2", stop_loss="90", **waits)
    rig.accept(entry)
    of_child: dict = {"trade_id": TradeId("t9")}
    rig.trade("web_7", "2", "101", side=Side.BUY, **of_child)
    rig.trade("manual-1", "1.5", "101", side=Side.SELL)
    rig.report(entry, ExecType.STATUS, OrderStatus.FILLED, cum_qty=Decimal(2))

    rig.trade(entry, "2", "101", cum_qty=Decimal(2), **of_child)

    assert [order.qty for order in rig.submitted()] == [Decimal("0.5")]


def test_a_fill_that_was_booked_under_its_childs_name_is_recognized_once(rig):
    stop = rig.hold("2", stop_loss="90").children[-1]
    rig.accept(stop)
    of_child: dict = {"trade_id": TradeId("t9"), "realized_pnl": Decimal(-20)}
    rig.trade("web_7", "2", "90", side=Side.SELL, **of_child)
    wallet = rig.state.account(MAIN).wallet("USDT")
    rig.report(stop, ExecType.STATUS, OrderStatus.FILLED, cum_qty=Decimal(2))
    assert rig.order(stop).is_open

    for _ in range(2):
        rig.trade(stop, "2", "90", cum_qty=Decimal(2), **of_child)

    assert len(rig.ever(ev.FillRecognized)) == 1
    assert rig.order(stop).status is OrderStatus.FILLED
    assert (rig.qty(), rig.state.account(MAIN).wallet("USDT")) == (0, wallet)


def test_an_entry_of_a_strategy_that_stopped_is_asked_for_until_it_is_gone(rig):
    rig.signal(quantity=Decimal(1), order_type=LIMIT, price=Decimal(95))
    entry = rig.submitted()[0].cl_ord_id
    rig.accept(entry)
    rig.hear(msg.StrategyFailed(strategy_id=S, reason="it raised"))
    for _ in range(3):
        rig.refuse(entry, msg.Request.CANCEL)
        rig.wait(6)
    rig.unknown(entry, msg.Request.CANCEL)
    rig.wait(30)
    rig.status(entry)
    rig.wait(6)

    assert sum(isinstance(c, cmd.CancelOrder) for c in rig.commands) == 5


def test_a_foreign_order_may_halt_the_session_by_policy():
    rig = foreign(foreign_order_policy="halt")

    assert rig.session() is Status.ERROR
    assert "somebody else" in rig.state.status_reason


@pytest.mark.parametrize("was", ["halt", "adopt"])
def test_no_session_trades_beside_an_order_that_halts_it(was):
    """Neither the one behind the session that it halted, nor one whose policy is new."""
    rig = foreign(foreign_order_policy=was)
    rig.settings = msgspec.structs.replace(rig.settings, foreign_order_policy="halt")
    rig.now += NS_PER_S
    rig.restart(is_resumed=was == "adopt")

    rig.snapshot()

    assert rig.session() is Status.ERROR
    assert "manual-1 of somebody else" in rig.state.status_reason
    rig.restart(is_resumed=False)
    rig.snapshot(orders=[])  # somebody has taken it back
    assert rig.session() is Status.RUNNING


def test_an_order_that_halts_is_seen_by_its_own_name_where_another_one_has_it():
    rig = foreign(foreign_order_policy="adopt")
    fields = {"qty": Decimal(2), "price": Decimal(90), "venue_order_id": "72", "symbol": ETH}
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, **fields)
    rig.cancel("manual-1")
    rig.settings = msgspec.structs.replace(rig.settings, foreign_order_policy="halt")
    rig.now += 60 * NS_PER_S
    rig.restart()

    rig.snapshot(orders=[rig.row("manual-1", **fields)])

    assert rig.session() is Status.ERROR
    assert "order-72 of somebody else" in rig.state.status_reason


def test_an_order_that_halts_and_that_no_list_shows_for_a_while_halts_when_it_is_listed():
    rig = foreign(foreign_order_policy="halt")
    rig.restart(is_resumed=False)
    rig.snapshot(orders=[])
    assert rig.session() is Status.RUNNING

    rig.snapshot()

    assert rig.session() is Status.ERROR


def test_a_stop_goes_on_beside_an_order_that_would_halt():
    rig = foreign(foreign_order_policy="adopt")
    rig.hold("2", stop_loss="90")
    rig.hear(msg.StopSession(reason="done", flatten=True))
    rig.reject(rig.submitted()[0].cl_ord_id)
    rig.settings = msgspec.structs.replace(rig.settings, foreign_order_policy="halt")
    rig.now += NS_PER_S
    rig.restart()

    rig.snapshot()

    assert rig.session() is Status.STOPPING


def test_no_policy_touches_an_order_of_ours():
    rig = Rig(foreign_order_policy="cancel")

    rig.report(own_id(), ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2))

    assert rig.canceled() == []


def test_a_fill_of_an_order_of_ours_that_the_journal_lost_is_booked_and_told_once(rig):
    lost = own_id(role=OrderRole.ENTRY)

    rig.trade(lost, "2", trade_id=TradeId("t1"))
    rig.trade(lost, "2", trade_id=TradeId("t1"))

    assert rig.alarms() == ["order_lost"]
    assert "it has no stop" in rig.ever(ev.AlarmRaised)[-1].text
    assert rig.qty() == 2


@pytest.fixture
def guarding():
    """A session whose wishes have a stop 2 % away where they name none."""
    return Rig(stop_loss_pct=Decimal("0.02"), take_profit_pct=Decimal(0))


def test_what_a_lost_entry_of_a_strategy_fills_has_the_default_stop(guarding):
    lost = own_id(role=OrderRole.ENTRY)

    guarding.trade(lost, "2", "98", side=Side.BUY, trade_id=TradeId("t1"))

    [stop] = guarding.submitted()
    assert (stop.role, stop.side, stop.qty) == (OrderRole.STOP_LOSS, Side.SELL, 2)
    assert (stop.trigger_price, stop.strategy_id) == (Decimal("96.0"), S)
    assert guarding.queried() == [lost]
    assert "its stop is at 96" in guarding.ever(ev.AlarmRaised)[-1].text
    filled = {"qty": Decimal(3), "price": None, "cum_qty": Decimal(3)}
    guarding.status(lost, OrderStatus.FILLED, **filled)
    guarding.trade(lost, "1", "98", side=Side.BUY, trade_id=TradeId("t2"))
    assert guarding.order(lost).status is OrderStatus.FILLED
    [parent] = guarding.state.live_parents_of((MAIN, "BTCUSDT"))
    assert (parent.open_qty, guarding.qty()) == (3, 3)


LONG = StrategyId("bollinger_reversion")  # more than an id has room for


@pytest.mark.parametrize("is_attached", [True, False])
def test_what_a_lost_entry_fills_is_closed_by_its_strategy_however_long_its_name(
    guarding, is_attached
):
    if is_attached:
        guarding.hear(msg.StrategyAttached(strategy_id=LONG, description="d"))
    else:  # the venue is looked at before strategies are attached
        guarding.hear(
            msg.StartSession(
                session_id=SessionId("y"), portfolio_id="p", epoch=2, strategies=(LONG, S)
            )
        )
        guarding.snapshot()
    lost = own_id(role=OrderRole.ENTRY, strategy=LONG)
    guarding.trade(lost, "2", "98", side=Side.BUY, trade_id=TradeId("t1"))

    guarding.signal(SignalType.CLOSE, strategy_id=LONG)

    assert [(o.side, o.qty, o.strategy_id) for o in guarding.submitted()] == [(Side.SELL, 2, LONG)]


def crowded():
    """Eight letters before an epoch of a real account leave fewer than twelve for a strategy."""
    rig = Rig(order_prefix="tradebot")
    rig.hear(
        msg.StartSession(
            session_id=SessionId("y"), portfolio_id="p", epoch=30_000_000, strategies=(LONG, S)
        )
    )
    rig.snapshot()
    return rig


def test_what_a_lost_entry_fills_is_its_strategys_where_its_id_had_no_room_for_the_name():
    rig = crowded()
    lost = make_cl_ord_id(Owner("tradebot", 29_000_000, 5_000, 2_000, OrderRole.ENTRY, LONG))
    rig.trade(lost, "2", side=Side.BUY, trade_id=TradeId("t1"))

    rig.signal(SignalType.CLOSE, strategy_id=LONG)

    assert lost.endswith(".bolling-t2v")
    assert [(o.side, o.qty, o.strategy_id) for o in rig.submitted()] == [(Side.SELL, 2, LONG)]


def test_what_a_lost_entry_fills_is_its_strategys_though_it_has_no_stop(rig):
    rig.trade(own_id(role=OrderRole.ENTRY), "2", side=Side.BUY, trade_id=TradeId("t1"))
    assert "it has no stop" in rig.ever(ev.AlarmRaised)[-1].text

    rig.signal(SignalType.CLOSE, strategy_id=S)

    assert [(o.side, o.qty) for o in rig.submitted()] == [(Side.SELL, 2)]


def test_a_lost_entry_at_the_market_that_is_open_has_a_stop_by_the_markets_price(guarding):
    lost = own_id(role=OrderRole.ENTRY)
    guarding.report(lost, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2))

    guarding.trade(lost, "2", "100.4")

    [stop] = guarding.submitted()
    assert (stop.role, stop.trigger_price) == (OrderRole.STOP_LOSS, 98)


OLD_LONG = StrategyId("bollinger_re")
"""How ids named it when they were cut, and no more."""


def with_two_that_begin_alike(rig):
    for name in (LONG, StrategyId(f"{LONG}-2")):
        rig.hear(msg.StrategyAttached(strategy_id=name, description="d"))


@pytest.mark.parametrize("name", [LONG, StrategyId(f"{LONG}-2")])
def test_orders_of_strategies_whose_names_begin_alike_are_told_apart(guarding, name):
    with_two_that_begin_alike(guarding)
    lost = own_id(role=OrderRole.ENTRY, strategy=name)

    guarding.trade(lost, "2", "98", side=Side.BUY, trade_id=TradeId("t1"))

    assert guarding.order(lost).request.strategy_id == name


def test_an_old_order_whose_name_two_strategies_could_have_is_neithers(guarding):
    with_two_that_begin_alike(guarding)
    lost = own_id(role=OrderRole.ENTRY, strategy=OLD_LONG)

    guarding.trade(lost, "2", "98", side=Side.BUY, trade_id=TradeId("t1"))

    assert guarding.order(lost).request.strategy_id == OLD_LONG


def test_an_old_order_is_of_the_one_strategy_whose_name_begins_like_it(guarding):
    guarding.hear(msg.StrategyAttached(strategy_id=LONG, description="d"))
    lost = own_id(role=OrderRole.ENTRY, strategy=OLD_LONG)

    guarding.trade(lost, "2", "98", side=Side.BUY, trade_id=TradeId("t1"))

    assert guarding.order(lost).request.strategy_id == LONG


def test_an_adopted_order_of_a_known_parent_is_of_its_strategy(rig):
    rig.signal(SignalType.BUY, strategy_id=LONG, quantity=Decimal(2), stop_loss=Decimal(90))
    [entry] = rig.submitted()
    lost = own_id(parent=int(entry.parent_id), role=OrderRole.ENTRY, strategy=LONG)

    rig.report(lost, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2))

    assert rig.order(lost).request.strategy_id == LONG


@pytest.mark.parametrize("size", ["2", "1"], ids=["exact", "too small"])
def test_the_stop_that_was_lost_with_its_entry_is_taken_over_or_replaced(guarding, size):
    entry, stop = own_id(seq=1, role=OrderRole.ENTRY), own_id(seq=2)
    fill = msgspec.structs.replace(
        guarding.row(entry, OrderStatus.PARTIALLY_FILLED, qty=Decimal(2), price=Decimal(98)),
        exec_type=ExecType.TRADE,
        last_qty=Decimal(2),
        last_px=Decimal(98),
        trade_id=TradeId("t1"),
    )
    there = guarding.row(
        stop,
        side=Side.SELL,
        qty=Decimal(size),
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(95),
        reduce_only=True,
    )
    guarding.now += 1

    guarding.snapshot(positions={"BTCUSDT": 2}, orders=[there], trades=(fill,))

    placed = guarding.submitted()
    assert [(o.qty, o.trigger_price) for o in placed] == ([] if size == "2" else [(2, 96)])
    guarding.accept(*(o.cl_ord_id for o in placed))
    assert guarding.canceled() == ([] if size == "2" else [stop])
    if size == "2":
        guarding.place(Side.SELL, "2", reduce_only=True)
        guarding.trade(guarding.submitted()[0].cl_ord_id, "2")
        assert stop in guarding.canceled()


def test_lost_entries_of_one_number_and_two_epochs_have_a_parent_each(guarding):
    guarding.restart()
    guarding.snapshot()
    first, second = (own_id(epoch, role=OrderRole.ENTRY) for epoch in (1, 2))

    guarding.trade(first, "2", "98", trade_id=TradeId("t1"))
    guarding.trade(second, "1", "98", trade_id=TradeId("t2"))

    parents = [guarding.order(each).request.parent_id for each in (first, second)]
    assert [guarding.state.parents[each].open_qty for each in parents] == [2, 1]


def test_late_word_of_before_a_strangers_order_was_made_smaller_does_not_make_it_larger(rig):
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(3), price=Decimal(95))
    first = rig.now
    rig.wait(2)
    replaced(rig, "manual-1", "2", "95")

    rig.status("manual-1", qty=Decimal(3), venue_ts=first)

    assert rig.order("manual-1").qty == 2


def test_a_list_of_before_a_strangers_order_was_made_larger_does_not_end_it(rig):
    """The order is known by its amendment alone; the list was read before that, and answers last."""
    first = rig.now
    rig.wait(2)
    fields = {"price": Decimal(95), "qty": Decimal(5), "cum_qty": Decimal(1)}
    rig.report("manual-1", ExecType.REPLACED, OrderStatus.PARTIALLY_FILLED, **fields)
    rig.trade("manual-1", "2", "95", cum_qty=Decimal(3), status=OrderStatus.PARTIALLY_FILLED)

    row = rig.row("manual-1", venue_ts=first, qty=Decimal(2), cum_qty=Decimal(0))
    rig.snapshot(orders=[row], asked_ts=first)

    assert (rig.order("manual-1").is_open, rig.order("manual-1").leaves_qty) == (True, 2)


def test_a_lost_entry_that_has_filled_in_part_stays_open(guarding):
    lost = own_id(role=OrderRole.ENTRY)
    guarding.trade(lost, "1", "95", of=0, cum_qty=Decimal(0), trade_id=TradeId("t1"))

    there = {"qty": Decimal(3), "price": Decimal(95), "cum_qty": Decimal(1)}
    guarding.status(lost, OrderStatus.PARTIALLY_FILLED, **there)

    assert [each.cl_ord_id for each in guarding.working(OrderRole.ENTRY)] == [lost]
    assert (guarding.order(lost).leaves_qty, guarding.order(lost).price) == (2, 95)


def test_a_lost_entry_that_is_open_has_its_default_stop_from_its_first_fill(guarding):
    lost = own_id(role=OrderRole.ENTRY)
    guarding.report(lost, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2), price=Decimal(95))
    assert guarding.submitted() == []

    guarding.trade(lost, "1", "95", trade_id=TradeId("t1"))

    [stop] = guarding.submitted()
    assert (stop.qty, stop.trigger_price) == (1, Decimal("93.1"))


def test_a_lost_entry_that_ends_without_a_fill_leaves_no_parent_at_work(guarding):
    lost = own_id(role=OrderRole.ENTRY)
    guarding.report(lost, ExecType.STATUS, OrderStatus.NEW, qty=Decimal(2), price=Decimal(95))
    assert len(guarding.state.live_parents_of((MAIN, "BTCUSDT"))) == 1

    guarding.cancel(lost)

    assert guarding.state.live_parents_of((MAIN, "BTCUSDT")) == []


@pytest.mark.parametrize("changes", [{"reduce_only": True}, {"symbol": "DOGEUSDT"}])
def test_a_lost_order_that_can_have_no_default_stop_is_told_as_such(guarding, changes):
    guarding.trade(own_id(role=OrderRole.ENTRY), "2", trade_id=TradeId("t1"), **changes)

    assert guarding.submitted() == []
    assert "it has no stop" in guarding.ever(ev.AlarmRaised)[-1].text


def test_an_order_by_hand_that_the_journal_lost_is_given_no_stop(guarding):
    lost = own_id(role=OrderRole.ENTRY, strategy=OPERATOR)

    guarding.trade(lost, "2", trade_id=TradeId("t1"))

    assert guarding.submitted() == []
    assert "it has no stop" in guarding.ever(ev.AlarmRaised)[-1].text


def test_an_exit_that_the_journal_lost_is_told_without_a_word_of_stops(rig):
    rig.hold("2")
    rig.trade(own_id(role=OrderRole.EXIT), "2", side=Side.SELL, trade_id=TradeId("t2"))

    assert rig.alarms() == ["order_lost"]
    assert "stop" not in rig.ever(ev.AlarmRaised)[-1].text


def test_a_foreign_fill_moves_the_position_and_no_order(rig):
    rig.trade("liquidation-1", "2", side=Side.SELL)
    assert rig.alarms() == []

    assert rig.qty() == -2
    assert "liquidation-1" not in rig.state.orders


def test_an_order_that_is_met_half_way_is_counted_as_the_venue_counts_it(rig):
    """Some of its fills came before it was known: adding ours up would be wrong either way."""
    fields = {"qty": Decimal(3), "price": Decimal(99), "order_type": LIMIT}
    rig.trade("manual-1", "1", "99", side=Side.BUY)
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, **fields)  # overtaken by its fill
    assert rig.order("manual-1").leaves_qty == 3

    rig.trade("manual-1", "1", "99", cum_qty=Decimal(2))
    assert (rig.order("manual-1").cum_qty, rig.qty()) == (2, 2)

    rig.status("manual-1", OrderStatus.FILLED, cum_qty=Decimal(3))
    assert not rig.order("manual-1").is_open
    rig.trade("manual-1", "1", "99", cum_qty=Decimal(3))
    assert (rig.order("manual-1").cum_qty, rig.qty()) == (3, 3)


def test_the_fees_of_an_order_are_those_of_its_fills(rig):
    entry = rig.place(qty="2")

    rig.trade(entry, "1", fee=Decimal("0.1"))
    rig.trade(entry, "1", fee=Decimal("0.3"))

    assert rig.order(entry).fees == Decimal("0.4")


def test_an_orders_fee_in_another_asset_is_no_fee_in_the_margin_asset(rig):
    entry = rig.place(qty="2")

    rig.trade(entry, "1", fee=Decimal("0.00008"), fee_asset="BNB")
    rig.trade(entry, "1", fee=Decimal("0.05"))

    assert rig.order(entry).fees == rig.state.position(KEY).fees == Decimal("0.05")
    assert rig.state.account(MAIN).wallet("BNB") == Decimal("-0.00008")


def test_a_recognized_fills_fee_in_another_asset_is_none_in_the_margin_asset(rig):
    """A stop's child goes by a name of the venue's own, and its order says so later."""
    stop = rig.hold("2", stop_loss="90").children[-1]
    of_child: dict = {"trade_id": TradeId("t9"), "fee_asset": "BNB"}
    rig.trade("web_7", "2", "90", side=Side.SELL, **of_child)
    rig.report(stop, ExecType.STATUS, OrderStatus.FILLED, cum_qty=Decimal(2))

    rig.trade(stop, "2", "90", cum_qty=Decimal(2), **of_child)

    assert len(rig.ever(ev.FillRecognized)) == 1
    assert rig.order(stop).fees == 0


@pytest.mark.parametrize("name", ["manual-1", "hf.1.1.9.E.s"])
def test_an_adopted_order_shows_what_its_fills_brought_and_cost(rig, name):
    fields = {"qty": Decimal(3), "price": Decimal(99), "order_type": LIMIT}
    rig.report(name, ExecType.NEW, OrderStatus.NEW, **fields)
    assert rig.order(name).avg_px is None

    rig.trade(name, "1", "99", fee=Decimal("0.05"))
    rig.trade(name, "1", "98", fee=Decimal("0.04"))
    known = rig.told(ev.OrderFilled)[-1].trade_id
    rig.trade(name, "1", "98", cum_qty=Decimal(2), trade_id=known)  # told again

    order = rig.order(name)
    assert (order.cum_qty, order.avg_px, order.fees) == (2, Decimal("98.5"), Decimal("0.09"))
    rig.cancel(name, cum_qty=Decimal(3))
    assert (order.cum_qty, order.avg_px) == (3, Decimal("98.5"))  # of what was heard
    rig.refold()
    assert rig.order(name) == order


def test_an_adopted_order_whose_fills_nobody_heard_has_no_average_price(rig):
    fields = {"qty": Decimal(3), "price": Decimal(99), "order_type": LIMIT}
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, **fields)

    rig.cancel("manual-1", cum_qty=Decimal(1))

    assert (rig.order("manual-1").cum_qty, rig.order("manual-1").avg_px) == (1, None)


def test_an_adopted_order_ends_at_once_with_what_the_venue_counts(rig):
    fields = {"qty": Decimal(3), "price": Decimal(99), "order_type": LIMIT}
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, **fields)

    rig.cancel("manual-1", cum_qty=Decimal(1))

    assert rig.order("manual-1").status is OrderStatus.CANCELED
    assert rig.order("manual-1").cum_qty == 1


def test_an_id_that_others_use_again_stops_nobody(rig):
    """Binance gives every deleveraging the same one."""
    for _ in range(2):
        rig.report("adl_autoclose", ExecType.NEW, OrderStatus.NEW, qty=Decimal(1))
        rig.trade("adl_autoclose", "1", side=Side.BUY, cum_qty=Decimal(1))

    assert rig.qty() == 2


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("autoclose-1768962991505050083", "liquidated"),
        ("adl_autoclose", "deleveraged"),
        ("adl_autoclose-123", "deleveraged"),
        ("settlement_autoclose-7", "settled"),
        ("delivery_autoclose-7", "settled"),
    ],
)
def test_what_the_venue_closes_of_itself_is_told_once(rig, name, why):
    rig.hold("3")
    for _ in range(2):
        rig.trade(name, "1", "80", side=Side.SELL, of="2")

    told = [fact.text for fact in rig.ever(ev.AlarmRaised) if fact.code == "closed_by_venue"]
    assert told == [f"BTCUSDT: the venue has closed 1 at 80, the position is {why}"]
    assert rig.qty() == 1
    assert rig.session().name == "RUNNING"


@pytest.mark.parametrize("policy", ["cancel", "halt"])
def test_an_order_of_the_venue_s_own_is_nobody_else_s(policy):
    rig = Rig(foreign_order_policy=policy)
    rig.hold("3")
    rig.report("autoclose-1", ExecType.NEW, OrderStatus.NEW, side=Side.SELL, qty=Decimal(2))
    rig.tick()

    assert (rig.session().name, rig.canceled()) == ("RUNNING", [])
    assert "order_adopted" not in rig.alarms()


def test_an_id_that_others_use_in_two_symbols_at_once_is_of_two_orders(rig):
    for symbol, size, number in ((BTC, "1", "71"), (ETH, "20", "72")):
        fields = {"symbol": symbol, "venue_order_id": number}
        rig.report("adl_autoclose", ExecType.NEW, OrderStatus.NEW, qty=Decimal(size), **fields)
    for symbol, size, number in ((BTC, "1", "71"), (ETH, "20", "72")):
        fields = {"symbol": symbol, "venue_order_id": number, "of": size}
        filled = {"cum_qty": Decimal(size), "status": OrderStatus.FILLED}
        rig.trade("adl_autoclose", size, side=Side.BUY, **filled, **fields)

    assert (rig.qty(), rig.state.position((MAIN, ETH)).qty) == (1, 20)
    assert list(rig.state.all_open_orders()) == []


def test_an_amendment_by_others_that_was_not_heard_of_is_caught_up_with(rig):
    fields = {"price": Decimal(99), "order_type": LIMIT}
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(3), **fields)

    rig.trade("manual-1", "5", "99", cum_qty=Decimal(5), status=OrderStatus.FILLED)
    assert rig.order("manual-1").leaves_qty == 0

    rig.status("manual-1", OrderStatus.FILLED, cum_qty=Decimal(5), qty=Decimal(5))
    assert not rig.order("manual-1").is_open


def test_profit_in_a_symbol_that_is_not_traded_here_is_none_of_the_fees_asset(rig):
    fees = {"symbol": "DOGEUSDT", "fee": Decimal("0.001"), "fee_asset": "BNB"}
    before = rig.state.account(MAIN).wallet("USDT")

    rig.trade("page-1", "2", side=Side.BUY, realized_pnl=Decimal(0), **fees)
    rig.trade("page-2", "2", side=Side.SELL, realized_pnl=Decimal(7), **fees)

    books = rig.state.account(MAIN)
    assert (books.wallet("USDT") - before, books.wallet("BNB")) == (7, Decimal("-0.002"))


def test_a_foreign_fill_closes_the_oldest_holdings_first(rig):
    first = rig.hold("2", stop_loss="90")
    second = rig.hold("1.5", stop_loss="80")

    rig.trade("liquidation-1", "3", side=Side.SELL)

    assert (first.open_qty, second.open_qty) == (0, Decimal("0.5"))


@pytest.mark.parametrize("is_ours", [False, True])
def test_what_is_nobodys_is_closed_before_a_strategys_holding(rig, is_ours):
    parent = rig.hold("3", stop_loss="90", strategy_id="a")
    rig.trade("page-1", "5")  # somebody buys at the exchange's own page
    seller = "page-2"
    if is_ours:
        seller = rig.place(Side.SELL, "6", reduce_only=True)

    rig.trade(seller, "4", side=Side.SELL)

    assert (parent.open_qty, rig.canceled()) == (3, [])
    rig.trade(seller, "2", side=Side.SELL)
    assert (parent.open_qty, rig.qty()) == (2, 2)
    assert [o.qty for o in rig.submitted()] == [2]  # its stop is made as small


def test_an_exit_that_the_journal_lost_closes_its_strategys_holding(rig):
    parent = rig.hold("3", stop_loss="90", strategy_id=LONG)
    rig.trade("page-1", "5")
    lost = own_id(role=OrderRole.EXIT, strategy=LONG)

    rig.trade(lost, "3", side=Side.SELL)

    assert (parent.open_qty, rig.qty()) == (0, 5)


def test_an_exit_that_the_journal_lost_is_its_strategys_where_its_id_had_no_room_for_the_name():
    rig = crowded()
    parent = rig.hold("3", stop_loss="90", strategy_id=LONG)
    rig.trade("page-1", "5")
    lost = make_cl_ord_id(Owner("tradebot", 29_000_000, 5_000, 2_000, OrderRole.EXIT, LONG))

    rig.trade(lost, "3", side=Side.SELL)

    assert (parent.open_qty, rig.qty()) == (0, 5)


def test_a_strangers_order_that_is_known_closes_what_is_nobodys_too(rig):
    parent = rig.hold("3", stop_loss="90")
    rig.trade("page-1", "5")
    rig.report(
        "page-2", ExecType.NEW, OrderStatus.NEW, side=Side.SELL, qty=Decimal(5), price=Decimal(99)
    )

    rig.trade("page-2", "5")

    assert (parent.open_qty, rig.qty()) == (3, 3)


def test_an_exit_closes_its_own_strategys_holding_before_anothers(rig):
    first = rig.hold("2", strategy_id="a")
    second = rig.hold("1.5", strategy_id="b")
    exit_ = rig.place(Side.SELL, "1.5", reduce_only=True, strategy_id="b")

    rig.trade(exit_, "1.5")

    assert (first.open_qty, second.open_qty) == (2, 0)


@pytest.mark.parametrize("kind", [ExecType.NEW, ExecType.TRADE, ExecType.CANCELED])
def test_an_id_of_ours_from_a_higher_epoch_stops_the_process(rig, kind):
    status = OrderStatus.CANCELED if kind is ExecType.CANCELED else OrderStatus.NEW

    with pytest.raises(Fenced, match="is of epoch 2, this process owns 1"):
        rig.report(own_id(epoch=2), kind, status)


def test_another_prefix_of_a_higher_epoch_is_somebody_else(rig):
    name = make_cl_ord_id(Owner("xx", 9, 1, 1, OrderRole.ENTRY, S))

    rig.report(name, ExecType.NEW, OrderStatus.NEW, qty=Decimal(1))

    assert not rig.order(name).is_ours


# Tombstones


def buried(rig, how):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    if how == "refused":
        rig.reject(order)
    else:
        rig.unknown(order)
        rig.wait(7)
        rig.not_found(order)
    assert not rig.order(order).is_open
    return order


@pytest.mark.parametrize("how", ["refused", "absent"])
def test_what_was_declared_absent_and_appears_is_cancelled_booked_and_alarmed(rig, how):
    order = buried(rig, how)

    rig.accept(order)

    assert rig.order(order).is_open
    assert rig.canceled() == [order]
    assert rig.alarms() == ["order_appeared"]
    assert rig.engine.core.exposure.reach((MAIN, "BTCUSDT")).longest == 3


@pytest.mark.parametrize("how", ["refused", "absent"])
def test_what_was_declared_absent_and_survived_its_cancel_is_called_back_again(rig, how):
    order = buried(rig, how)
    rig.accept(order)
    rig.refuse(order, msg.Request.CANCEL)
    assert quiet.until(rig.engine.core) == 0  # the next tick counts

    rig.wait(1)

    assert rig.canceled() == [order]
    assert rig.alarms() == ["order_appeared"]


@pytest.mark.parametrize("qty", ["1", "3"])
def test_what_was_declared_absent_and_fills_is_booked_and_alarmed(rig, qty):
    order = buried(rig, "absent")

    rig.trade(order, qty, "99")

    assert rig.qty() == Decimal(qty)
    assert rig.alarms() == ["order_appeared"]
    assert rig.canceled() == ([order] if qty == "1" else [])


def test_a_second_word_of_a_refusal_raises_no_alarm(rig):
    order = buried(rig, "refused")

    rig.expire(order)

    assert rig.alarms() == []
    assert rig.order(order).status is OrderStatus.REJECTED


# Forgetting


def test_an_order_the_venue_has_forgotten_is_over_and_alarmed(rig, order):
    rig.accept(order)
    rig.trade(order, "1", "99")

    rig.not_found(order)
    assert rig.order(order).is_open  # it may only be late

    rig.now += 7 * NS_PER_S
    rig.not_found(order)
    assert rig.order(order).status is OrderStatus.EXPIRED
    assert rig.order(order).cum_qty == 1
    assert rig.alarms() == ["order_forgotten"]


def forgotten(rig, order):
    """One that rests there and is listed no more, as lists of the venue have lost orders."""
    rig.accept(order)
    rig.trade(order, "1", "99")
    rig.wait(10)
    rig.snapshot(orders=[])
    rig.not_found(order)
    assert rig.order(order).status is OrderStatus.EXPIRED


def test_an_order_that_counts_as_over_and_is_listed_past_its_fence_is_taken_back(rig, order):
    forgotten(rig, order)
    back = rig.row(order, qty=Decimal(3), price=Decimal(99), cum_qty=Decimal(1))

    rig.wait(6)
    rig.snapshot(orders=[back])
    assert not rig.order(order).is_open  # the list may trail what ended it
    rig.wait(1)
    rig.snapshot(orders=[back])

    assert rig.alarms() == ["order_forgotten", "order_appeared"]
    assert rig.canceled() == [order]
    assert rig.engine.core.exposure.reach(KEY).longest == 3

    rig.refuse(order, msg.Request.CANCEL)
    rig.wait(1)
    assert rig.canceled() == [order]  # as often as it takes
    rig.cancel(order, cum_qty=Decimal(1))
    assert rig.order(order).status is OrderStatus.CANCELED
    assert rig.qty() == 1


def test_an_order_that_is_back_counts_with_the_size_and_price_that_the_venue_shows(rig, order):
    forgotten(rig, order)
    rig.wait(7)
    rig.snapshot(orders=[rig.row(order, qty=Decimal(5), price=Decimal(98), cum_qty=Decimal(1))])

    assert (rig.order(order).qty, rig.order(order).price) == (5, 98)
    assert rig.engine.core.exposure.reach(KEY).longest == 5


def test_an_order_that_is_back_forgets_none_of_its_fills_for_a_list_that_trails(rig, order):
    forgotten(rig, order)
    rig.wait(7)
    rig.snapshot(orders=[rig.row(order, qty=Decimal(3), price=Decimal(99), cum_qty=Decimal(0))])

    assert rig.order(order).cum_qty == 1
    assert rig.engine.core.exposure.reach(KEY).longest == 3


def test_an_order_whose_cancel_was_answered_and_that_rests_all_the_same_is_taken_back(rig, order):
    rig.accept(order)
    rig.cancel(order)
    rig.wait(9)

    rig.snapshot(orders=[rig.row(order, qty=Decimal(3), price=Decimal(99))])

    assert rig.canceled() == [order]


def test_a_stop_that_counted_as_over_and_is_listed_again_goes_and_its_successor_stays(rig):
    rig.hold("1", stop_loss="90")
    (lost,) = rig.working(OrderRole.STOP_LOSS)
    rig.wait(10)
    rig.snapshot(orders=[])
    rig.not_found(lost.cl_ord_id)
    (successor,) = rig.working(OrderRole.STOP_LOSS)
    rig.accept(successor.cl_ord_id)
    rig.wait(9)

    rig.snapshot(orders=[rig.row(lost.cl_ord_id), rig.row(successor.cl_ord_id)])

    assert rig.canceled() == [lost.cl_ord_id]
    assert encoded(Rig(facts=rig.facts, start=False).state) == encoded(rig.state)


def test_lists_that_stay_blind_get_no_stop_for_each_look(rig):
    rig.hold("1", stop_loss="90")
    for _ in range(180):  # half an hour
        rig.wait(10, step=5)
        rig.snapshot(orders=[])
        for cl_ord_id in rig.queried():
            rig.not_found(cl_ord_id)
        for order in rig.submitted():
            rig.accept(order.cl_ord_id)

    stops = [o for o in rig.state.orders.values() if o.role is OrderRole.STOP_LOSS]
    assert len(stops) <= 11
    assert rig.alarms() == ["order_forgotten"] * (len(stops) - 1)
    assert len(rig.working(OrderRole.STOP_LOSS)) == 1


def test_a_forgotten_target_makes_nobody_believe_longer_in_a_stop(rig):
    rig.hold("1", stop_loss="90", take_profit="120")
    (stop,), (target,) = (
        rig.working(role) for role in (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)
    )
    rig.wait(10)
    rig.snapshot(orders=[rig.row(stop.cl_ord_id)])
    rig.not_found(target.cl_ord_id)
    assert not rig.order(target.cl_ord_id).is_open
    rig.snapshot(orders=[])
    rig.not_found(stop.cl_ord_id)

    assert not rig.order(stop.cl_ord_id).is_open
    assert [o.cl_ord_id for o in rig.working(OrderRole.STOP_LOSS)] != [stop.cl_ord_id]


def test_an_id_that_others_use_again_is_counted_where_it_is_listed_open(rig):
    fields = {"qty": Decimal(3), "price": Decimal(99), "order_type": LIMIT}
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, **fields)
    rig.cancel("manual-1")
    rig.wait(9)

    rig.snapshot(orders=[rig.row("manual-1", **fields)])

    assert rig.engine.core.exposure.reach(KEY).longest == 3
    assert rig.canceled() == []


def test_not_found_says_nothing_of_ended_and_unknown_orders(rig, order):
    rig.cancel(order)
    rig.not_found(order)
    rig.not_found("?")

    assert rig.news == []


def test_a_late_word_of_acceptance_does_not_revive_an_order_that_was_refused_when_it_triggered(rig):
    """A stop that the venue refused when it triggered is gone; what it said before comes late."""
    order = rig.place()
    rig.report(order, ExecType.NEW, OrderStatus.NEW, venue_order_id="7")
    rig.reject(order, reason="there is no position to reduce")
    rig.report(order, ExecType.NEW, OrderStatus.NEW, venue_order_id="7")

    assert rig.order(order).status is OrderStatus.REJECTED
    assert rig.alarms() == []
    assert rig.canceled() == []


def test_an_order_whose_refusal_was_heard_before_its_acceptance_is_not_revived_by_it(rig):
    """Its first word was lost, the second says that it triggered and was refused: it was there."""
    order = rig.place()
    rig.report(order, ExecType.REJECTED, OrderStatus.REJECTED, venue_order_id="7", reason="gone")
    rig.report(order, ExecType.NEW, OrderStatus.NEW, venue_order_id="7")

    assert rig.order(order).status is OrderStatus.REJECTED
    assert rig.alarms() == []
    assert rig.canceled() == []


@pytest.mark.parametrize("is_heard_by", ["trade", "status"])
def test_an_exit_that_the_venue_cut_to_what_there_was_to_close_is_over(rig, order, is_heard_by):
    """It says FILLED, of a quantity smaller than ours; what is left of ours has nowhere to rest."""
    rig.trade(order, "3", "99")
    exit_ = rig.place(Side.SELL, "3", reduce_only=True)
    rig.trade("manual", "1", side=Side.SELL)
    cut: dict = {"side": Side.SELL, "qty": Decimal(2), "cum_qty": Decimal(2)}
    if is_heard_by == "status":
        rig.status(exit_, OrderStatus.FILLED, **cut)
        assert rig.order(exit_).is_open  # its fill is on the way
    fill = {"last_qty": Decimal(2), "last_px": Decimal(100), "trade_id": TradeId("cut")}
    rig.report(exit_, ExecType.TRADE, OrderStatus.FILLED, **cut, **fill)

    assert rig.order(exit_).status is OrderStatus.FILLED
    assert rig.order(exit_).qty == 2
    assert rig.qty() == 0


def test_a_strangers_guard_of_a_whole_position_is_over_when_it_filled(rig, order):
    """It has no quantity before it triggers."""
    rig.trade(order, "3", "99")
    guard = {"side": Side.SELL, "order_type": OrderType.STOP_MARKET, "reduce_only": True}
    rig.status("ios-1", **guard, qty=Decimal(0))
    sizes = {"qty": Decimal(3), "cum_qty": Decimal(3)}
    fill = {"last_qty": Decimal(3), "last_px": Decimal(90), "trade_id": TradeId("guard")}
    rig.report("ios-1", ExecType.TRADE, OrderStatus.FILLED, **guard, **sizes, **fill)

    assert rig.order("ios-1").status is OrderStatus.FILLED
    assert rig.qty() == 0

"""Contracts that stop trading: no new risk, no noise, and an end by the venue's own words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import quiet
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.instrument import NOT_SET_UP, UNLISTED
from holdfast.model.values import MAIN, NS_PER_S, OrderRole, OrderStatus, OrderType, Side
from holdfast.model.values import TradingSessionStatus as S
from tests.engine.rig import BTC, ETH, Rig, contract, limit

STOP = OrderRole.STOP_LOSS


@pytest.fixture
def rig():
    return Rig()


def halt(rig, status="SETTLING", symbol=BTC):
    return rig.hear(msg.InstrumentListed(instrument=contract(symbol, status=status), leverage=10))


def settled(rig, amount="0", **fields):
    return msg.SettlementPayment(
        symbol=BTC,
        amount=Decimal(amount),
        venue_ts=rig.now,
        **{"settlement_id": "DELIVERED_SETTELMENT-BTCUSDT-7", **fields},
    )


def only(rig, role):
    (order,) = [o for o in rig.submitted() if o.role is role]
    return order


@pytest.mark.parametrize("status", ["SETTLING", "BREAK", "CLOSE", "PENDING_TRADING", UNLISTED])
def test_a_halted_contract_takes_no_new_orders_and_says_why(rig, status):
    halt(rig, status)

    rig.signal(quantity=Decimal(1))
    rig.place(qty="1")

    (denied,) = rig.ever(ev.SignalDenied)
    assert denied.rule == "contract"
    assert status in denied.reason or "not listed" in denied.reason
    (refused,) = rig.ever(ev.OrderDenied)
    assert (refused.rule, BTC in refused.reason) == ("filters", True)
    assert "contract_halted" in rig.alarms()


def test_a_contract_that_is_not_set_up_is_closed_and_not_opened_in(rig):
    rig.hold("1", stop_loss="90")
    halt(rig, "BREAK")
    halt(rig, NOT_SET_UP)
    text = "its margin mode and leverage could not be set"
    assert text in rig.told(ev.AlarmRaised)[-1].text

    rig.place(qty="1")
    assert text in rig.told(ev.OrderDenied)[-1].reason
    rig.hear(msg.EngageKillSwitch(reason="out", flatten=True))
    assert OrderRole.EXIT in [o.role for o in rig.submitted()]


def test_the_other_contracts_go_on_while_one_is_halted(rig):
    halt(rig)

    assert rig.session() is S.RUNNING
    assert rig.place(qty="1", symbol=ETH)


def test_the_alarm_of_a_halted_contract_names_what_is_open(rig):
    rig.hold("1", stop_loss="90")
    halt(rig)

    text = rig.told(ev.AlarmRaised)[0].text
    assert "1 held" in text
    assert "1 orders open" in text
    halt(rig)
    assert rig.told(ev.AlarmRaised) == []


def test_entries_of_a_halted_contract_are_taken_back(rig):
    entry = limit(rig)
    halt(rig)

    rig.tick()

    assert rig.canceled() == [entry]


def test_a_position_in_a_halted_contract_keeps_asking_for_its_stop_without_a_storm(rig):
    rig.hold("1", stop_loss="90")
    halt(rig)
    (stop,) = rig.working(STOP)
    rig.expire(stop.cl_ord_id)
    sent = 0
    for _ in range(300):
        for order in rig.submitted():
            sent += 1
            assert order.role is STOP
            rig.reject(order.cl_ord_id, code=-4141)
        rig.wait(1)

    assert 3 <= sent <= 7
    assert rig.alarms().count("protection_missing") == 1
    assert "protection_closed" not in rig.alarms()


@pytest.mark.parametrize("status", ["TRADING", NOT_SET_UP, "PRE_SETTLE"])
def test_a_contract_that_trades_again_has_its_stop_at_once_and_nothing_is_closed(rig, status):
    rig.hold("1", stop_loss="90")
    halt(rig)
    (stop,) = rig.working(STOP)
    rig.expire(stop.cl_ord_id)
    for _ in range(240):
        for order in rig.submitted():
            rig.reject(order.cl_ord_id, code=-4141)
        rig.wait(1)

    halt(rig, status)
    for _ in range(15):
        rig.wait(1)
        for order in rig.submitted():
            rig.accept(order.cl_ord_id)

    assert [o.request.trigger_price for o in rig.working(STOP)] == [90]
    assert rig.working(OrderRole.EXIT) == []


def test_a_session_stops_though_a_position_is_stuck_in_a_halted_contract(rig):
    rig.hold("1", stop_loss="90")
    halt(rig)
    (stop,) = rig.working(STOP)
    rig.expire(stop.cl_ord_id)
    for order in rig.submitted():
        rig.reject(order.cl_ord_id, code=-4141)

    rig.hear(msg.StopSession(reason="enough", flatten=True))
    (closing,) = rig.submitted()
    rig.reject(closing.cl_ord_id, code=-4141)
    rig.wait(3)

    assert rig.session() is S.STOPPED
    assert rig.qty() == 1


def test_a_settled_position_goes_by_the_ledger_and_the_list_and_by_no_fill(rig):
    parent = rig.hold("1", stop_loss="90")
    halt(rig)
    fills = len(rig.ever(ev.OrderFilled))
    (stop,) = rig.working(STOP)
    rig.expire(stop.cl_ord_id)
    for order in rig.submitted():
        rig.reject(order.cl_ord_id, code=-4141)
    wallet = rig.state.account(MAIN).wallet("USDT")
    rig.now += 10 * NS_PER_S
    paid = settled(rig, "-3.5")
    rig.now += 10 * NS_PER_S
    rig.snapshot(balance=str(wallet - Decimal("3.5")), positions={}, changes=(paid,))
    rig.now += NS_PER_S
    rig.snapshot(positions={})

    assert rig.qty() == 0
    assert rig.session() is S.RUNNING
    assert rig.state.differences == {}
    assert len(rig.ever(ev.OrderFilled)) == fills
    assert rig.state.position((MAIN, BTC)).realized_pnl == Decimal("-3.5")
    assert rig.state.account(MAIN).wallet("USDT") == wallet - Decimal("3.5")
    assert "position_settled" in rig.alarms()
    assert parent.open_qty == 0


def test_a_position_that_is_gone_without_a_word_of_the_ledger_is_a_difference(rig):
    rig.hold("1")
    halt(rig)

    for _ in range(2):
        rig.now += 10 * NS_PER_S
        rig.snapshot(positions={})

    assert rig.qty() == 1
    assert rig.session() is S.ERROR


def test_the_ledgers_word_of_an_execution_counts_where_its_fill_was_never_heard(rig):
    rig.hold("1")
    halt(rig, UNLISTED)
    rig.now += 10 * NS_PER_S
    rows = (
        settled(rig, "-2", settlement_id="REALIZED_PNL-BTCUSDT-99", trade_id="99"),
        settled(rig, "-0.5", settlement_id="COMMISSION-BTCUSDT-99", trade_id="99", is_fee=True),
    )
    before = rig.state.account(MAIN).wallet("USDT")
    rig.now += 10 * NS_PER_S
    for _ in range(2):
        rig.now += NS_PER_S
        rig.snapshot(balance=str(before - Decimal("2.5")), positions={}, changes=rows)

    assert rig.qty() == 0
    assert rig.state.account(MAIN).wallet("USDT") == before - Decimal("2.5")
    assert rig.state.account(MAIN).fees["USDT"] == Decimal("0.51")
    assert rig.session() is S.RUNNING


def test_the_ledgers_word_of_a_fill_that_was_booked_counts_for_nothing(rig):
    entry = rig.place(qty="1")
    rig.accept(entry)
    rig.trade(entry, "1", trade_id="5")
    before = rig.state.account(MAIN).wallet("USDT")

    rig.hear(settled(rig, "-2", settlement_id="COMMISSION-BTCUSDT-5", trade_id="5", is_fee=True))

    assert rig.state.account(MAIN).wallet("USDT") == before


def test_a_fill_whose_money_the_ledger_told_of_is_not_booked_again(rig):
    rig.hold("1")
    halt(rig, UNLISTED)
    rig.hear(settled(rig, "-2", settlement_id="REALIZED_PNL-BTCUSDT-99", trade_id="99"))
    before = rig.state.account(MAIN).wallet("USDT")

    rig.trade("settlement_autoclose-1", "1", trade_id="99", side=Side.SELL, of="1")

    assert rig.state.account(MAIN).wallet("USDT") == before


def test_a_stops_fill_that_the_ledger_alone_told_of_ends_no_stop(rig):
    """Its money is booked and its quantity is not: the position goes with the list alone."""
    rig.hold("1", stop_loss="90")
    (stop,) = rig.working(STOP)
    halt(rig, UNLISTED)
    rig.hear(settled(rig, "-10", settlement_id="REALIZED_PNL-BTCUSDT-99", trade_id="99"))

    rig.trade(stop.cl_ord_id, "1", "90", trade_id="99")

    assert rig.ever(ev.FillRecognized) == []
    assert (rig.qty(), stop.cum_qty, stop.is_open) == (1, 0, True)


def test_an_order_of_a_contract_that_is_off_the_list_ends_once_no_list_names_it(rig):
    rig.hold("1", stop_loss="90")
    (stop,) = rig.working(STOP)
    halt(rig, UNLISTED)
    rig.snapshot(orders=[])
    assert rig.order(stop.cl_ord_id).is_open

    rig.now += 60 * NS_PER_S
    rig.snapshot(orders=[])

    assert rig.order(stop.cl_ord_id).status is OrderStatus.EXPIRED
    assert "order_forgotten" in rig.alarms()


def test_an_order_of_a_contract_that_is_listed_stays_open_until_it_was_asked_after(rig):
    rig.hold("1", stop_loss="90")
    (stop,) = rig.working(STOP)
    halt(rig, "SETTLING")
    rig.now += 60 * NS_PER_S
    rig.snapshot(orders=[])

    assert rig.order(stop.cl_ord_id).is_open
    assert rig.queried() == [stop.cl_ord_id]


@pytest.mark.parametrize("asked_by", ["list", "query"])
def test_asking_for_an_order_back_does_not_keep_it_from_being_gone(rig, asked_by):
    """Each refused cancel counted as a sign of life: it stayed open for ever."""
    entry = limit(rig)
    halt(rig, UNLISTED if asked_by == "list" else "SETTLING")
    for _ in range(60):
        rig.wait(1)
        if rig.order(entry).cancel is not RequestState.NONE:
            rig.refuse(entry, msg.Request.CANCEL)
            if asked_by == "query":
                rig.not_found(entry)
        if asked_by == "list":
            rig.snapshot(orders=[])

    assert not rig.order(entry).is_open


def test_a_halted_contract_is_told_of_again_after_a_restart(rig):
    rig.hold("1", stop_loss="90")
    halt(rig)
    before = rig.alarms().count("contract_halted")

    rig.restart()
    halt(rig)

    assert rig.alarms().count("contract_halted") == before + 1
    halt(rig)  # the list is read more than once while a session starts
    assert rig.alarms().count("contract_halted") == before + 1


def test_closing_by_hand_goes_out_in_every_status(rig):
    rig.hold("1")
    halt(rig)

    rig.hear(msg.CloseRequest(symbol=BTC))

    assert [o.order_type for o in rig.submitted()] == [OrderType.MARKET]


HOUR_NS = 3600 * NS_PER_S


def announce(rig, hours, symbol=BTC):
    """Let the venue say when it settles a contract."""
    ends = contract(symbol, delivery_ts=rig.now + int(hours * HOUR_NS))
    rig.hear(msg.InstrumentListed(instrument=ends, leverage=10))


def test_an_announced_end_is_told_when_it_is_heard_and_again_a_day_ahead(rig):
    rig.hold("1", stop_loss="90")
    announce(rig, 48)
    announce_text = rig.told(ev.AlarmRaised)[0].text
    rig.now += 23 * HOUR_NS
    rig.tick()
    before = rig.alarms().count("contract_ends")

    rig.now += 2 * HOUR_NS
    rig.tick()
    rig.tick()

    assert (before, rig.alarms().count("contract_ends")) == (1, 2)
    assert "2023-11-16 22:14 UTC" in announce_text
    assert "1 held" in announce_text


def test_a_day_ahead_of_its_end_nothing_is_opened_in_a_contract_and_all_can_be_closed(rig):
    rig.hold("1", stop_loss="90")
    entry = limit(rig)
    announce(rig, 25)
    assert rig.place(qty="1")
    rig.now += 2 * HOUR_NS
    rig.price(100.0)
    rig.price(100.0, ETH)

    rig.tick()
    assert entry in rig.canceled()
    rig.signal(quantity=Decimal(1))
    assert "settled by the venue at" in rig.told(ev.SignalDenied)[-1].reason
    rig.place(qty="1")
    assert "settled by the venue at" in rig.told(ev.OrderDenied)[-1].reason
    assert rig.place(qty="1", symbol=ETH)
    assert rig.place(qty="1", side=Side.SELL, reduce_only=True)
    assert [o.request.trigger_price for o in rig.working(STOP)] == [90]


def test_a_day_of_settlement_that_is_long_past_keeps_nothing_out(rig):
    announce(rig, -25)

    assert rig.place(qty="1")


def test_a_start_tells_of_an_end_that_is_near_and_of_no_other():
    for hours, count in ((12, 1), (24 * 90, 0)):
        rig = Rig(start=False)
        rig.begin()
        announce(rig, hours)
        rig.tick()

        assert rig.alarms().count("contract_ends") == count


def test_no_tick_is_left_out_that_would_tell_of_an_end(rig):
    announce(rig, 30)
    rig.tick()
    due = rig.now + 6 * HOUR_NS
    for _ in range(6 * 60):
        before = rig.alarms().count("contract_ends")
        rig.now += 60 * NS_PER_S
        is_due = quiet.until(rig.engine.core) <= rig.now
        rig.tick()
        if rig.alarms().count("contract_ends") > before:
            assert is_due
    assert rig.now >= due
    assert rig.alarms().count("contract_ends") == 2


def test_an_exit_that_rests_in_a_contract_that_ends_can_be_amended(rig):
    rig.hold("1", stop_loss="90")
    fields = {"side": Side.SELL, "order_type": OrderType.LIMIT, "reduce_only": True}
    resting = rig.place(qty="1", price="110", **fields)
    rig.accept(resting)
    announce(rig, 12)

    rig.hear(msg.ModifyRequest(cl_ord_id=resting, price=Decimal(105)))

    assert [command.price for command in rig.asked if isinstance(command, cmd.ReplaceOrder)] == [
        105
    ]


def test_an_order_whose_fills_nobody_lists_any_more_ends_with_its_contract(rig):
    """They were unheard, the contract is settled, and its money came by the ledger."""
    entry = limit(rig, stop_loss="90")
    rig.expire(entry, cum_qty=Decimal("0.5"))
    rig.wait(70)
    rig.not_found(entry)
    assert rig.order(entry).is_open  # they may be listed yet

    rig.hear(settled(rig, "3"))
    before = rig.state.account(MAIN).wallet("USDT")
    rig.wait(1)
    rig.not_found(entry)

    order = rig.order(entry)
    assert (order.status, order.cum_qty) == (OrderStatus.EXPIRED, Decimal("0.5"))
    for _ in range(10):
        rig.wait(1)
        assert rig.submitted() == []  # nothing is held that wants a stop
    assert (rig.qty(), rig.state.account(MAIN).wallet("USDT")) == (0, before)


def test_an_order_that_waits_for_fills_is_not_forgotten_at_each_look(rig):
    entry = limit(rig)
    rig.expire(entry, cum_qty=Decimal("0.5"))
    halt(rig, UNLISTED)
    for _ in range(12):
        rig.wait(10)
        rig.snapshot(orders=[])
    assert rig.alarms().count("order_forgotten") == 0
    assert rig.order(entry).is_open

    rig.hear(settled(rig, "3"))
    rig.wait(10)
    rig.snapshot(orders=[])

    assert rig.order(entry).status is OrderStatus.EXPIRED


def test_what_is_left_behind_the_settlement_that_was_heard_goes_too(rig):
    """A fill of before was not heard, and is listed nowhere but in the ledger."""
    rig.hold("3")
    halt(rig, UNLISTED)
    rig.now += 10 * NS_PER_S
    rows = (
        settled(rig, "5", settlement_id="REALIZED_PNL-BTCUSDT-99", trade_id="99"),
        settled(rig, "-0.5", settlement_id="COMMISSION-BTCUSDT-99", trade_id="99", is_fee=True),
    )
    rig.now += NS_PER_S
    rig.trade("settlement_autoclose-1", "2", "101", trade_id="100", side=Side.SELL, of="2")
    assert rig.qty() == 1
    before = rig.state.account(MAIN).wallet("USDT")
    for _ in range(2):
        rig.now += 10 * NS_PER_S
        rig.snapshot(balance=str(before + Decimal("4.5")), positions={}, changes=rows)

    assert (rig.qty(), rig.session()) == (0, S.RUNNING)
    assert "position_settled" in rig.alarms()

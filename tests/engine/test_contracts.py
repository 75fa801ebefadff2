"""Contracts that stop trading: no new risk, no noise, and an end by the venue's own words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.order import RequestState
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.instrument import UNLISTED
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


def test_a_contract_that_trades_again_has_its_stop_at_once_and_nothing_is_closed(rig):
    rig.hold("1", stop_loss="90")
    halt(rig)
    (stop,) = rig.working(STOP)
    rig.expire(stop.cl_ord_id)
    for _ in range(240):
        for order in rig.submitted():
            rig.reject(order.cl_ord_id, code=-4141)
        rig.wait(1)

    halt(rig, "TRADING")
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

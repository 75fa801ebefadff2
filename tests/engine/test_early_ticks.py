"""Time decides nothing for an account that nobody has looked at since a start, however it goes on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_DAY,
    OrderStatus,
    OrderType,
    TradingSessionStatus,
)
from tests.engine.rig import BTC, Rig
from tests.engine.test_accounts import OTHER, PLAIN, TwoAccounts

ENDS: dict[str, msg.Message] = {
    "stop": msg.StopSession(reason="r", flatten=False),
    "error": msg.FailSession(reason="r"),
}
STATUS = {"stop": TradingSessionStatus.STOPPING, "error": TradingSessionStatus.ERROR}


@pytest.fixture
def rig():
    return TwoAccounts(**PLAIN)


def of_time(rig, seconds=60):
    """Let time pass; return what came of it."""
    facts, commands = len(rig.facts), len(rig.commands)
    rig.wait(seconds)
    sent = [each.order for each in rig.commands[commands:] if isinstance(each, cmd.SubmitOrder)]
    return rig.facts[facts:], sent


def of_money(rig):
    """Let time pass; return on which accounts a day began, or the curve had a point."""
    kinds = ev.TradingDayStarted | ev.EquitySampled
    return {fact.account for fact in of_time(rig)[0] if isinstance(fact, kinds)}


def hold_without_a_stop(rig, account):
    """Have a stop refused that has to be placed again."""
    entry = rig.place(qty="1", stop_loss="90", account=account)
    rig.report(entry, ExecType.NEW, OrderStatus.NEW, account=account)
    rig.trade(entry, "1", account=account)
    rig.reject_on(account, rig.submitted()[-1].cl_ord_id)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("looked_at", [(), (MAIN,)])
def test_no_day_begins_on_books_that_nobody_has_looked_at(rig, end, looked_at):
    rig.fill(OTHER, "1")
    rig.now += NS_PER_DAY
    rig.restart()
    for account in looked_at:
        rig.books(account)
    rig.hear(ENDS[end])

    assert of_money(rig) == set(looked_at)
    assert rig.session() is STATUS[end]

    for account in {MAIN, OTHER} - {*looked_at}:
        rig.books(account)
    if end == "error":
        assert of_money(rig) >= {MAIN, OTHER} - {*looked_at}


@pytest.mark.parametrize("end", ENDS)
def test_no_stop_goes_out_for_an_account_that_nobody_has_looked_at(rig, end):
    hold_without_a_stop(rig, OTHER)
    hold_without_a_stop(rig, MAIN)
    rig.restart()
    rig.books(MAIN)
    rig.hear(ENDS[end])

    _, sent = of_time(rig)
    assert rig.session() is STATUS[end]
    assert [(each.account, each.trigger_price) for each in sent] == [(MAIN, Decimal(90))]

    rig.report(sent[0].cl_ord_id, ExecType.NEW, OrderStatus.NEW, account=MAIN)
    rig.books(OTHER)
    assert [each.account for each in rig.submitted() + of_time(rig)[1]] == [OTHER]


@pytest.mark.parametrize("end", ENDS)
def test_no_margin_is_guarded_of_an_account_that_nobody_has_looked_at(rig, end):
    rig.fill(OTHER, "1")
    rig.trade("manual", "499", account=OTHER, fee=Decimal(0))
    rig.restart()
    rig.price(90.1)
    rig.books(MAIN)
    rig.hear(ENDS[end])
    assert of_time(rig, 3)[1] == []

    rig.books(OTHER)
    assert {each.account for each in of_time(rig, 3)[1]} == {OTHER}


def test_a_close_that_was_refused_is_not_sent_again_before_its_account_was_looked_at(rig):
    rig.fill(OTHER, "1")
    rig.restart()
    rig.books(MAIN)
    rig.hear(msg.StopSession(reason="r", flatten=True))
    close = rig.submitted()[-1]
    rig.reject_on(OTHER, close.cl_ord_id)
    assert of_time(rig)[1] == []

    rig.books(OTHER)
    assert [each.account for each in rig.submitted() + of_time(rig, 3)[1]] == [OTHER]


@pytest.mark.parametrize("end", ENDS)
def test_entries_are_called_back_again_before_their_account_was_looked_at(rig, end):
    entry = rig.place(qty="2", order_type=OrderType.LIMIT, price="99", account=OTHER)
    rig.report(entry, ExecType.NEW, OrderStatus.NEW, account=OTHER)
    rig.restart()
    rig.hear(ENDS[end])
    refused = msg.RequestRefused(
        account=OTHER, symbol=BTC, cl_ord_id=entry, request=msg.Request.CANCEL, reason="no"
    )
    rig.hear(refused)
    before = len(rig.commands)
    rig.wait(10)

    again = [each for each in rig.commands[before:] if isinstance(each, cmd.CancelOrder)]
    assert [each.cl_ord_id for each in again] == [entry]


def test_one_account_begins_no_day_behind_a_stop_before_its_books_are_there():
    rig = Rig(**PLAIN)
    rig.now += NS_PER_DAY
    rig.restart()
    rig.hear(ENDS["stop"])

    assert of_money(rig) == set()


def test_a_close_without_an_answer_brings_no_stop_before_its_account_was_looked_at(rig):
    hold_without_a_stop(rig, OTHER)
    rig.restart()
    rig.books(MAIN)
    rig.hear(msg.StopSession(reason="r", flatten=True))
    facts, sent = of_time(rig)
    assert [fact for fact in facts if isinstance(fact, ev.OrderInDoubt)]
    assert sent == []

    rig.books(OTHER)
    assert {each.account for each in rig.submitted() + of_time(rig, 3)[1]} == {OTHER}

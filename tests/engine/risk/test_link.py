"""While an account's reports do not come, nothing new is risked on it."""

from __future__ import annotations

import pytest

from holdfast.model import messages as msg
from holdfast.model.values import NS_PER_S, Side
from tests.engine.rig import BTC, Rig


@pytest.fixture
def rig():
    return Rig()


def refusals(rig):
    rig.wait(2, ticks=False)
    rig.place(Side.BUY, "1")
    order = rig.submitted()
    if order:
        rig.reject(order[0].cl_ord_id)
        return []
    [denied] = [fact for fact in rig.news if type(fact).__name__ == "OrderDenied"]
    return [v.rule for v in denied.verdicts if not v.passed]


def test_reports_that_do_not_come_stop_new_risk_until_the_books_were_compared(rig):
    assert refusals(rig) == []
    rig.hear(msg.VenueLink(is_up=False, reason="test"))
    assert refusals(rig) == ["link"]

    rig.hear(msg.VenueLink(is_up=True))
    assert refusals(rig) == ["link"]

    rig.now += NS_PER_S
    rig.snapshot()
    assert refusals(rig) == []


def test_books_asked_for_before_reports_came_again_prove_nothing(rig):
    rig.hear(msg.VenueLink(is_up=False, reason="test"))
    asked = rig.now
    rig.now += NS_PER_S
    rig.hear(msg.VenueLink(is_up=True))

    rig.snapshot(asked_ts=asked)

    assert refusals(rig) == ["link"]


def test_closing_is_allowed_while_reports_do_not_come(rig):
    rig.hold("2")
    rig.hear(msg.VenueLink(is_up=False, reason="test"))

    rig.hear(msg.CloseRequest(symbol=BTC))

    assert [order.qty for order in rig.submitted()] == [2]

"""What the harness calls wrong, and what it must not: after a power cut less is on record."""

from __future__ import annotations

from holdfast.harness.ledger import Ledger
from holdfast.harness.oracles import Truth, wrongs
from holdfast.model import events as ev

NAME = "hf.2.1a.7.E.trader"


def truth(*names):
    rows = [
        {"clientOrderId": name, "orderId": n, "executedQty": "0"} for n, name in enumerate(names)
    ]
    parts = ("algoOrders", "trades", "openOrders", "openAlgoOrders")
    return Truth(
        {"balances": {}, "positions": {}, "orders": rows, **{part: [] for part in parts}},
    )


def test_an_order_that_was_taken_for_absent_and_appeared_is_wrong():
    ledger = Ledger("sqlite:///nowhere.db")
    ledger._take(ev.AlarmRaised(ts=1, code="order_appeared", text=f"{NAME} was taken for absent"))

    assert wrongs(ledger, truth()) == [f"absent: {NAME} was taken for absent"]


def test_an_order_without_a_fact_is_wrong_unless_a_power_cut_took_its_epochs_facts():
    [said] = wrongs(Ledger("sqlite:///nowhere.db", frozenset({1})), truth(NAME))

    assert said.startswith("facts first:")
    assert wrongs(Ledger("sqlite:///nowhere.db", frozenset({2})), truth(NAME)) == []


def test_after_a_power_cut_a_name_is_still_used_once():
    ledger = Ledger("sqlite:///nowhere.db", frozenset({2}))

    [said] = wrongs(ledger, truth(NAME, NAME))

    assert said == f"one order per id: {NAME} was accepted 2 times"

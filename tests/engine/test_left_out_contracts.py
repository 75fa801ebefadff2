"""Contracts and strategies that the journal knows, and that the settings have left out since."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import contracts
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    AccountId,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    Symbol,
)
from tests.engine.rig import BTC, ETH, Rig, contract

OTHER = AccountId("other")
PLAIN = {"stop_loss_pct": Decimal(0), "take_profit_pct": Decimal(0)}


class Journal(Rig):
    """A session of BTC and ETH, which next trades ETH on another account alone."""

    def __init__(self):
        self.accounts: tuple[AccountId, ...] = (MAIN,)
        self.traded: tuple[tuple[Symbol, ...], ...] = ((BTC, ETH),)
        self.strategies: tuple[str, ...] = ("s",)
        super().__init__(symbols=(BTC, ETH), limits={"duplicate_window_s": 0}, **PLAIN)

    def begin(self, *, is_resumed=False):
        self.epoch += 1
        self.hear(
            msg.StartSession(
                session_id=SessionId("x"),
                portfolio_id="p",
                epoch=self.epoch,
                symbols=self.symbols,
                strategies=self.strategies,
                is_resumed=is_resumed,
                accounts=self.accounts,
                traded=self.traded,
            )
        )

    def go_on(self, *, is_all=False):
        """The next life: prices of both are shown, and this account trades one, or all."""
        self.accounts, self.traded = (MAIN, OTHER), (self.symbols if is_all else (BTC,), (ETH,))
        self.restart()
        for _ in range(2):
            self.snapshot(account=OTHER, balance="5000", positions={}, orders=[])
        for symbol in self.symbols:
            self.price(100.0, symbol)
        self.snapshot(
            orders=[self.row(o.cl_ord_id, symbol=ETH) for o in self.state.all_open_orders()]
        )
        assert self.state.status.name == "RUNNING"


@pytest.fixture
def rig():
    return Journal()


def hold(rig, qty):
    order = rig.place(Side.BUY, qty, symbol=ETH)
    rig.report(order, ExecType.NEW, OrderStatus.NEW, symbol=ETH)
    rig.trade(order, qty, symbol=ETH)


def wish(rig, **fields):
    return rig.signal(symbol=ETH, **({"quantity": Decimal(1)} | fields))


def test_nothing_is_opened_in_a_contract_that_the_account_trades_no_more(rig):
    rig.go_on()
    with pytest.raises(InputError, match="ETHUSDT is not traded on main"):
        rig.place(Side.BUY, 1, symbol=ETH)
    wish(rig)

    [denied] = [fact for fact in rig.news if isinstance(fact, ev.SignalDenied)]
    assert denied.reason == "ETHUSDT is not traded on main"
    assert rig.place(Side.BUY, 1, symbol=BTC)


def test_what_is_held_in_it_can_be_closed_and_made_smaller_and_no_larger(rig):
    hold(rig, 3)
    rig.go_on()
    with pytest.raises(InputError, match="it can be closed"):
        rig.hear(msg.AdjustRequest(symbol=ETH, target_qty=Decimal(4)))
    with pytest.raises(InputError, match="it can be closed"):
        rig.hear(msg.AdjustRequest(symbol=ETH, target_qty=Decimal(-1)))
    rig.hear(msg.AdjustRequest(symbol=ETH, target_qty=Decimal(2)))
    exit_order = rig.place(Side.SELL, 1, symbol=ETH, reduce_only=True)
    rig.hear(msg.CloseRequest(symbol=ETH))

    sent = [order.qty for order in rig.state.all_open_orders()]
    assert exit_order
    assert sent == [1, 1, 1]


def test_its_terms_are_followed_and_the_leverage_stays_as_it_was(rig):
    hold(rig, 3)
    rig.go_on()
    smaller = contract(ETH, max_market_qty=Decimal(2))
    rig.hear(msg.InstrumentListed(instrument=smaller, leverage=0))
    rig.hear(msg.CloseRequest(symbol=ETH))

    assert rig.state.leverages[MAIN, ETH] == 10
    assert [order.qty for order in rig.state.all_open_orders()] == [2, 1]


def test_its_end_is_an_alarm_where_something_is_open_alone(rig):
    gone = msg.InstrumentListed(instrument=contract(ETH, status="SETTLING"), leverage=0)
    rig.go_on()
    rig.hear(gone)
    assert "contract_halted" not in rig.alarms()
    assert rig.state.instruments[MAIN, ETH].status == "SETTLING"

    rig = Journal()
    hold(rig, 3)
    rig.go_on()
    rig.hear(gone)
    assert "contract_halted" in rig.alarms()


def test_a_contract_that_the_account_never_traded_is_none_of_its(rig):
    rig.go_on()
    rig.hear(msg.InstrumentListed(account=OTHER, instrument=contract(BTC), leverage=0))

    assert (OTHER, BTC) not in rig.state.instruments


def ends_in(rig, hours):
    ends = contract(ETH, delivery_ts=rig.now + hours * 3600 * NS_PER_S)
    rig.hear(msg.InstrumentListed(instrument=ends, leverage=0))


@pytest.mark.parametrize("hours", [1, 30])
def test_the_end_of_one_in_which_nothing_is_open_is_told_to_nobody(rig, hours):
    rig.go_on()
    ends_in(rig, hours)
    for _ in range(24):
        assert contracts.ending_due(rig.engine.core) is None
        rig.now += 3600 * NS_PER_S
        rig.tick()

    assert "contract_ends" not in rig.alarms()


@pytest.mark.parametrize("is_held", [False, True])
def test_the_end_of_one_in_which_something_is_open_is_told(rig, is_held):
    hold(rig, 1) if is_held else rest(rig, rig.place(Side.BUY, 1, symbol=ETH, **LIMIT))
    rig.go_on()
    ends_in(rig, 25)
    before = rig.alarms().count("contract_ends")
    rig.now += 3600 * NS_PER_S
    assert contracts.ending_due(rig.engine.core) <= rig.now
    rig.tick()

    assert (before, rig.alarms().count("contract_ends")) == (1, 2)


@pytest.mark.parametrize("algo", ["twap:over=1m,slices=3", "iceberg:show=2"])
def test_an_order_in_parts_has_no_more_of_them_there(rig, algo):
    limit = {"order_type": OrderType.LIMIT, "price": Decimal(100)}
    wish(rig, quantity=Decimal(6), algo=algo, **limit)
    [first] = rig.state.all_open_orders()
    rig.report(first.cl_ord_id, ExecType.NEW, OrderStatus.NEW, symbol=ETH)
    rig.go_on()
    rig.trade(first.cl_ord_id, 2, symbol=ETH)
    rig.wait(120)

    assert [order.qty for order in rig.state.orders.values()] == [2]
    name = algo.partition(":")[0]
    ended = f"ETHUSDT: {name} 1 of s ended with 0 of 6 filled: ETHUSDT is not traded any more"
    assert [f.text for f in rig.facts if isinstance(f, ev.AlarmRaised)] == [ended]


LIMIT = {"order_type": OrderType.LIMIT, "price": Decimal(99)}


def rest(rig, cl_ord_id):
    rig.report(cl_ord_id, ExecType.NEW, OrderStatus.NEW, symbol=ETH)
    return cl_ord_id


def test_an_entry_that_rests_there_is_taken_back_and_an_exit_is_not(rig):
    hold(rig, 3)
    entry = rest(rig, rig.place(Side.BUY, 1, symbol=ETH, **LIMIT))
    rest(
        rig,
        rig.place(
            Side.SELL, 3, symbol=ETH, reduce_only=True, price="101", order_type=OrderType.LIMIT
        ),
    )
    rig.go_on()
    rig.tick()

    asked = [fact for fact in rig.facts if isinstance(fact, ev.CancelRequested)]
    assert [(fact.cl_ord_id, fact.reason) for fact in asked] == [
        (entry, "ETHUSDT is not traded any more")
    ]


@pytest.mark.parametrize(("strategies", "is_left"), [(("s",), False), (("t",), True), ((), True)])
def test_an_entry_of_a_strategy_that_is_not_run_any_more_is_taken_back(rig, strategies, is_left):
    by_hand = rest(rig, rig.place(Side.BUY, 1, symbol=ETH, **LIMIT))
    wish(rig, **LIMIT)
    [entry] = [rest(rig, order.cl_ord_id) for order in rig.submitted()]
    rig.strategies = strategies
    rig.go_on(is_all=True)
    rig.tick()

    asked = [fact for fact in rig.facts if isinstance(fact, ev.CancelRequested)]
    wanted = [(entry, "s is not run any more")] if is_left else []
    assert [(fact.cl_ord_id, fact.reason) for fact in asked] == wanted
    assert rig.state.orders[by_hand].is_open

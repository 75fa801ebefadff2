"""The fold: bounded, and the same whether it is encoded half way or not."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.engine import forgetting
from holdfast.engine.state import State
from holdfast.journal import MemoryJournal
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import Request
from holdfast.model.settings import EngineSettings
from holdfast.model.values import NS_PER_S, OrderType, SessionId, Side, SignalType
from holdfast.runtime.recovery import StateRecoveryService
from tests.engine.rig import BTC, ETH, Rig, S, encoded

LIMIT = OrderType.LIMIT


def busy():
    """A session that has seen about everything."""
    rig = Rig()
    rig.signal(SignalType.BUY, quantity=Decimal(2), signal_id="a")
    entry = rig.submitted()[0].cl_ord_id
    rig.accept(entry)
    rig.trade(entry, "2")
    rig.accept(*[o.cl_ord_id for o in rig.submitted()])
    rig.wait(3)
    order = rig.place(Side.BUY, "1", order_type=LIMIT, price="99", request_id="r")
    rig.accept(order)
    rig.hear(msg.ModifyRequest(cl_ord_id=order, qty=Decimal(2)))
    rig.unknown(order, Request.REPLACE)
    rig.wait(2)
    rig.unknown(rig.place(Side.SELL, "1", symbol=ETH, order_type=LIMIT, price="101"))
    rig.place(Side.BUY, "500")
    rig.hear(msg.StrategyAttached(strategy_id=S, description="d"))
    rig.hear(msg.VenueFailure(failure="venue", reason="503"))
    rig.hear(msg.FundingPayment(symbol=BTC, amount=Decimal(-1), payment_id="f", venue_ts=rig.now))
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "3"})
    rig.hear(msg.PauseSession(reason="lunch"))
    rig.hear(msg.EngageKillSwitch(reason="panic", flatten=True))
    rig.restart()
    rig.snapshot()
    rig.hear(msg.ReleaseKillSwitch(operator="ann"))
    rig.hear(msg.CloseRequest(symbol=BTC))
    rig.hear(msg.StrategyFailed(strategy_id=S, reason="x"))
    rig.wait(70)
    return rig


def test_a_state_encoded_and_decoded_at_any_prefix_goes_on_the_same():
    facts = busy().facts
    assert len({type(fact) for fact in facts}) > 20

    straight, resumed = State(), State()
    for fact in facts:
        straight.apply(fact)
        resumed = msgspec.msgpack.decode(encoded(resumed), type=State)
        resumed.apply(fact)
        assert resumed == straight
        assert encoded(resumed) == encoded(straight)


def test_a_snapshot_and_the_facts_behind_it_are_the_whole_fold():
    rig = busy()
    journal = MemoryJournal()
    half = len(rig.facts) // 2
    journal.append(rig.facts[:half])
    service = StateRecoveryService(journal)
    state, _ = service.load()
    for fact in journal.replay():
        state.apply(fact)
    service.save(state)
    journal.append(rig.facts[half:])

    recovered = StateRecoveryService(journal).recover(EngineSettings())

    assert (recovered.from_snapshot, recovered.facts_folded) == (half, len(rig.facts) - half)
    assert encoded(recovered.engine.state) == encoded(rig.state)
    assert recovered.was_running


def test_a_snapshot_of_another_version_is_left_aside():
    rig = busy()
    journal = MemoryJournal()
    journal.append(rig.facts)
    journal.save_snapshot(3, b"\x93\x01\x02\x03")

    recovered = StateRecoveryService(journal).recover(EngineSettings())

    assert recovered.from_snapshot == 0
    assert encoded(recovered.engine.state) == encoded(rig.state)


def test_facts_read_back_from_the_journal_are_the_facts_that_were_written():
    facts = busy().facts

    assert msgspec.json.decode(msgspec.json.encode(facts), type=list[ev.Event]) == facts


BOUNDS = {
    "CLOSED_ORDERS_KEPT": 3,
    "DENIED_ORDERS_KEPT": 3,
    "CLOSED_PARENTS_KEPT": 2,
    "TRADES_REMEMBERED": 4,
    "INTENTS_REMEMBERED": 3,
    "CHANGES_REMEMBERED": 3,
    "MESSAGE_TIMES_KEPT": 3,
    "EXECUTION_TIMES_KEPT": 2,
    "RECENT_ORDERS_KEPT": 3,
}


@pytest.fixture
def small(monkeypatch):
    for name, bound in BOUNDS.items():
        monkeypatch.setattr(forgetting, name, bound)
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


def test_every_memory_is_bounded(small):
    for number in range(12):
        entry = small.place(Side.BUY, "1", request_id=f"r{number}")
        small.accept(entry)
        small.trade(entry, "1")
        small.hear(
            msg.FundingPayment(
                symbol=BTC, amount=Decimal(1), payment_id=f"f{number}", venue_ts=small.now
            )
        )
        small.wait(2)
        exit_ = small.place(Side.SELL, "1", reduce_only=True)
        small.trade(exit_, "1")
        small.wait(2)

    state = small.state
    assert len(state.orders) == len(state.closed_orders) == BOUNDS["CLOSED_ORDERS_KEPT"]
    remembered = BOUNDS["CLOSED_PARENTS_KEPT"] + BOUNDS["CLOSED_ORDERS_KEPT"]
    assert len(state.parents) == len(state.closed_parents) <= remembered
    assert len(state.trades_seen) == BOUNDS["TRADES_REMEMBERED"]
    assert len(state.intents) == BOUNDS["INTENTS_REMEMBERED"]
    assert len(state.account("main").changes_seen) == BOUNDS["CHANGES_REMEMBERED"]
    assert max(map(len, state.message_times.values())) <= 2 * BOUNDS["MESSAGE_TIMES_KEPT"]
    assert all(
        len(times) <= 2 * BOUNDS["EXECUTION_TIMES_KEPT"] for times in state.execution_times.values()
    )
    assert len(state.recent_orders) == BOUNDS["RECENT_ORDERS_KEPT"]


def test_a_parent_forgets_the_children_that_the_state_forgets(small):
    """A position that is held for months has its stop replaced many times."""
    parent = small.hold("2", stop_loss="90")
    for number in range(20):
        [stop] = [o for o in small.state.all_open_orders() if o.role.value == "S"]
        small.cancel(stop.cl_ord_id)
        small.accept(*[o.cl_ord_id for o in small.submitted()])
        small.now += NS_PER_S * (number + 1)

    assert len(parent.children) <= BOUNDS["CLOSED_ORDERS_KEPT"] + 1


def test_an_open_order_is_never_forgotten(small):
    resting = small.place(Side.BUY, "1", order_type=LIMIT, price="98")
    for _ in range(8):
        small.wait(2)
        small.cancel(small.place(Side.BUY, "1", order_type=LIMIT, price="99"))

    assert small.order(resting).is_open


def test_a_closed_order_that_appears_is_no_longer_up_for_forgetting(small):
    order = small.place(Side.BUY, "1", order_type=LIMIT, price="98")
    small.reject(order)
    small.accept(order)
    for _ in range(8):
        small.wait(2)
        small.cancel(small.place(Side.BUY, "1", order_type=LIMIT, price="99"))

    assert small.order(order).is_open


def test_a_new_session_forgets_what_was_timed_and_keeps_the_books():
    rig = Rig()
    rig.hold("2")
    rig.hear(msg.StrategyAttached(strategy_id=S, description="d"))
    rig.epoch += 1
    rig.hear(
        msg.StartSession(
            session_id=SessionId("another"), portfolio_id="p", epoch=rig.epoch, symbols=()
        )
    )

    assert rig.state.strategies == {}
    assert rig.state.message_times == {}
    assert rig.state.execution_times == {}
    assert rig.qty() == 2

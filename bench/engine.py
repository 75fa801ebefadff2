"""What the engine costs: a quote, a signal with every rule, a fill; and facts folded a second.

Beside each figure stands a floor of the same run: the cost of making the structs that go in and
come out, which no engine can be below. And the same signal after pauses, in which this process
spins and nothing else runs on its core: what that costs is the machine's, whose caches others use.
"""

from __future__ import annotations

import statistics
import time
from decimal import Decimal

from bench import engine_load
from holdfast.engine.engine import Engine
from holdfast.engine.state import State
from holdfast.exchange import known_instrument
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.market import Quote
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    NS_PER_S,
    ZERO,
    OrderStatus,
    SessionId,
    SignalType,
    StrategyId,
    Symbol,
    TradeId,
)

BTC = Symbol("BTCUSDT")
ROUNDS = 3_000
PAUSES_MS = {0.0: 600, 0.5: 300, 5.0: 150, 50.0: 60}
"""How long is waited before a signal, and how often."""

SIGNAL = "signal to command, all rules"
START = 1_700_000_000 * NS_PER_S


def run() -> dict[str, object]:
    """Print the table and return its figures."""
    costs, facts = _trade()
    folds = _fold(facts)
    floor = _floor()
    print(f"{'engine, us':<34}{'p50':>9}{'p99':>9}")
    for name, values in {**costs, "floor: structs in and out": floor}.items():
        p50, p99 = _quantiles(values)
        print(f"{name:<34}{p50:>9.1f}{p99:>9.1f}")
    print(f"{'facts folded a second':<34}{folds:>9,.0f}   ({len(facts)} facts)")
    pauses = {ms: _after(ms, rounds) for ms, rounds in PAUSES_MS.items()}
    for ms, p50 in pauses.items():
        print(f"{f'a signal after {ms:g} ms of spinning':<34}{p50:>9.1f}")
    return {
        "signal_us_by_pause_ms": pauses,
        "signal_us_by_load": engine_load.run(),
        "us": {name: _quantiles(values) for name, values in costs.items()},
        "floor_us": _quantiles(floor),
        "facts_folded_per_s": folds,
    }


def make_engine() -> Engine:
    """Make an engine that runs, with money and one symbol, and no limit that ends the bench."""
    limits = RiskLimits(
        max_messages=100_000,
        max_executions=100_000,
        duplicate_window_s=0,
        position_size_pct=Decimal("0.9"),
    )
    engine = Engine(EngineSettings(limits=limits))
    instrument = known_instrument(BTC)
    assert instrument is not None
    for message in (
        msg.StartSession(session_id=SessionId("bench"), portfolio_id="bench", epoch=1),
        msg.InstrumentListed(instrument=instrument, leverage=5),
        msg.VenueSnapshot(
            asked_ts=START,
            taken_ts=START,
            orders=(),
            positions=(),
            balances={"USDT": Decimal(100_000)},
        ),
    ):
        engine.handle(message, START)
    return engine


def _after(pause_ms: float, rounds: int) -> float:
    """Return the median of a signal that comes after a pause, us."""
    costs, _ = _trade(rounds, pause_ms)
    return round(_quantiles(costs[SIGNAL][rounds // 5 :])[0], 1)  # the first ones warm up


def _spin(pause_ms: float) -> None:
    until = time.perf_counter() + pause_ms / 1000
    while pause_ms and time.perf_counter() < until:
        pass


def _trade(
    rounds: int = ROUNDS, pause_ms: float = 0.0
) -> tuple[dict[str, list[int]], list[ev.Event]]:
    engine, facts = make_engine(), list[ev.Event]()
    costs: dict[str, list[int]] = {"quote": [], SIGNAL: [], "fill": []}
    now, number = START, 0
    for i in range(rounds):
        now += NS_PER_S
        quote = Quote(symbol=BTC, ts=now, bid=50_000.0, bid_qty=1.0, ask=50_000.1, ask_qty=1.0)
        _timed(engine, quote, now, costs["quote"])
        _spin(pause_ms)
        outcome = _timed(engine, _signal(i), now, costs[SIGNAL])
        facts += outcome.facts
        for command in outcome.commands:
            if isinstance(command, cmd.SubmitOrder):
                number += 1
                fill = _fill_of(command, number, now)
                facts += _timed(engine, fill, now, costs["fill"]).facts
    return costs, facts


def _timed(engine: Engine, message: msg.Message, now: int, into: list[int]):
    began = time.perf_counter_ns()
    outcome = engine.handle(message, now)
    into.append(time.perf_counter_ns() - began)
    return outcome


def _signal(i: int) -> SignalGenerated:
    return SignalGenerated(
        symbol=BTC,
        signal_type=SignalType.BUY if i % 2 == 0 else SignalType.SELL,
        strategy_id=StrategyId("bench"),
        quantity=Decimal("0.1"),
        stop_loss=ZERO,
        take_profit=ZERO,
    )


def _fill_of(command: cmd.SubmitOrder, number: int, now: int) -> msg.ExecutionReport:
    order = command.order
    return msg.ExecutionReport(
        symbol=order.symbol,
        cl_ord_id=order.cl_ord_id,
        exec_type=msg.ExecType.TRADE,
        status=OrderStatus.FILLED,
        side=order.side,
        venue_ts=now,
        qty=order.qty,
        cum_qty=order.qty,
        last_qty=order.qty,
        last_px=Decimal("50000.1"),
        trade_id=TradeId(str(number)),
        fee=Decimal("0.1"),
    )


def _fold(facts: list[ev.Event]) -> float:
    """Return how many facts a second an empty state folds; the best of three."""
    instrument = known_instrument(BTC)
    assert instrument is not None
    rates = []
    for _ in range(3):
        state = State()
        state.apply(ev.InstrumentDefined(ts=START, instrument=instrument, leverage=5))
        began = time.perf_counter()
        for fact in facts:
            state.apply(fact)
        rates.append(len(facts) / (time.perf_counter() - began))
    return max(rates)


def _floor() -> list[int]:
    costs = []
    for i in range(ROUNDS):
        began = time.perf_counter_ns()
        _signal(i)
        Quote(symbol=BTC, ts=i, bid=50_000.0, bid_qty=1.0, ask=50_000.1, ask_qty=1.0)
        costs.append(time.perf_counter_ns() - began)
    return costs


def _quantiles(values: list[int]) -> tuple[float, float]:
    ordered = sorted(values)
    return statistics.median(ordered) / 1000, ordered[int(len(ordered) * 0.99)] / 1000

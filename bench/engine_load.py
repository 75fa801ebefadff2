"""What a signal costs the engine by how much there is around it: rules, open orders, positions.

One figure is changed at a time, the others stay as in the first row. A signal is sized, judged by
every rule and becomes a command; its order is filled before the next comes, the other way round.
"""

from __future__ import annotations

import statistics
import time
from decimal import Decimal

import msgspec

from holdfast.engine.engine import Engine
from holdfast.engine.risk import RULES
from holdfast.exchange import known_instrument
from holdfast.model import commands as cmd
from holdfast.model import messages as msg
from holdfast.model.instrument import Instrument
from holdfast.model.market import Quote, Trade
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    NS_PER_S,
    ZERO,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    SignalType,
    StrategyId,
    Symbol,
    TradeId,
)

SIGNALS = 200
SAMPLES = 70  # minutes of prices before the first signal: what correlation looks back over
START = 1_700_000_000 * NS_PER_S
ALWAYS = ("kill_switch", "session", "filters")
"""Rules that can't be switched off."""

CASES: dict[str, tuple[int, int, int]] = {
    "all rules, nothing else open": (len(RULES), 0, 0),
    "3 rules": (3, 0, 0),
    "12 rules": (12, 0, 0),
    "10 open orders": (len(RULES), 10, 0),
    "100 open orders": (len(RULES), 100, 0),
    "5 other positions": (len(RULES), 0, 5),
    "10 other positions": (len(RULES), 0, 10),
    "50 other positions": (len(RULES), 0, 50),
}
"""Name -> number of rules, open orders, other symbols with a position."""


def run() -> dict[str, float]:
    """Print the table and return the medians, us."""
    found = {name: round(_case(*case), 1) for name, case in CASES.items()}
    print(f"{'signal to command, by what is around it':<42}{'p50 us':>9}")
    for name, us in found.items():
        print(f"{name:<42}{us:>9.1f}")
    return found


class Desk:
    """An engine whose venue takes and fills everything at once."""

    def __init__(self, rules: int, symbols: int) -> None:
        kept = [*ALWAYS, *(name for name in RULES if name not in ALWAYS)][:rules]
        limits = RiskLimits(
            max_messages=100_000,
            max_executions=100_000,
            duplicate_window_s=0,
            max_positions=1_000,
            max_correlation=Decimal(1),
            max_leverage=Decimal(100),
            max_daily_loss_pct=Decimal(1),
            position_size_pct=Decimal("0.9"),
            disabled=tuple(name for name in RULES if name not in kept),
        )
        settings = EngineSettings(limits=limits, stop_loss_pct=ZERO, take_profit_pct=ZERO)
        self.engine = Engine(settings)
        self.now, self.trade_id = START, 0
        self.symbols = [Symbol(f"S{i:03}USDT") for i in range(symbols + 1)]
        self.hear(msg.StartSession(session_id=SessionId("bench"), portfolio_id="b", epoch=1))
        for symbol in self.symbols:
            self.hear(msg.InstrumentListed(instrument=_contract(symbol), leverage=5))
        self.hear(
            msg.VenueSnapshot(
                asked_ts=START,
                taken_ts=START,
                orders=(),
                positions=(),
                balances={"USDT": Decimal(10_000_000)},
            )
        )
        self._show_minutes()

    def _show_minutes(self) -> None:
        for minute in range(SAMPLES):
            self.now += 60 * NS_PER_S
            for place, symbol in enumerate(self.symbols):
                price = 50_000.0 + (minute * (place + 3)) % 17
                self.engine.handle(Trade(symbol, self.now, price, 1.0), self.now)

    def hear(self, message: msg.Message) -> list[cmd.Command]:
        return self.engine.handle(message, self.now).commands

    def take(self, commands: list[cmd.Command], *, is_filled: bool) -> None:
        """Accept what was sent, or fill it."""
        for command in commands:
            if isinstance(command, cmd.SubmitOrder):
                self.hear(self._report(command, is_filled=is_filled))

    def _report(self, command: cmd.SubmitOrder, *, is_filled: bool) -> msg.ExecutionReport:
        order = command.order
        self.trade_id += 1
        report = msg.ExecutionReport(
            symbol=order.symbol,
            cl_ord_id=order.cl_ord_id,
            exec_type=msg.ExecType.TRADE if is_filled else msg.ExecType.NEW,
            status=OrderStatus.FILLED if is_filled else OrderStatus.NEW,
            side=order.side,
            venue_ts=self.now,
            qty=order.qty,
        )
        if not is_filled:
            return report
        return msgspec.structs.replace(
            report,
            cum_qty=order.qty,
            last_qty=order.qty,
            last_px=Decimal(50_000),
            trade_id=TradeId(str(self.trade_id)),
            fee=Decimal("0.1"),
        )

    def quote(self, symbol: Symbol) -> None:
        quote = Quote(symbol=symbol, ts=self.now, bid=5e4, bid_qty=1.0, ask=50_000.1, ask_qty=1.0)
        self.engine.handle(quote, self.now)


def _case(rules: int, orders: int, positions: int) -> float:
    desk = Desk(rules, positions)
    own, others = desk.symbols[0], desk.symbols[1:]
    for symbol in others:
        desk.quote(symbol)
        desk.take(desk.hear(_signal(symbol, 0)), is_filled=True)
    desk.quote(own)
    for number in range(orders):
        request = msg.PlaceRequest(
            symbol=own,
            side=Side.BUY,
            qty=Decimal("0.01"),
            order_type=OrderType.LIMIT,
            price=Decimal(49_000 - number),
        )
        desk.take(desk.hear(request), is_filled=False)
    assert len(desk.engine.state.all_open_orders()) == orders
    assert len(desk.engine.state.open_keys()) == positions
    costs = []
    for number in range(SIGNALS):
        desk.now += NS_PER_S
        desk.quote(own)
        signal = _signal(own, number)
        began = time.perf_counter_ns()
        outcome = desk.engine.handle(signal, desk.now)
        costs.append(time.perf_counter_ns() - began)
        assert outcome.commands, outcome.facts
        desk.take(outcome.commands, is_filled=True)
    return statistics.median(costs) / 1000


def _signal(symbol: Symbol, number: int) -> SignalGenerated:
    return SignalGenerated(
        symbol=symbol,
        signal_type=SignalType.SELL if number % 2 else SignalType.BUY,
        strategy_id=StrategyId("bench"),
        quantity=Decimal("0.1"),
        stop_loss=ZERO,
        take_profit=ZERO,
    )


def _contract(symbol: Symbol) -> Instrument:
    known = known_instrument(Symbol("BTCUSDT"))
    assert known is not None
    return msgspec.structs.replace(known, symbol=symbol)

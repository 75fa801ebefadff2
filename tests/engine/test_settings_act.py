"""Every limit and every setting of the engine acts: another value, written as text, does another.

A setting that has no row here fails the first test: it would be one that nobody has seen act.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import pytest

from holdfast.engine.engine import Engine
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.config import TradingConfig
from holdfast.model.messages import ExecType
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.values import (
    MAIN,
    NS_PER_DAY,
    NS_PER_S,
    OrderRole,
    OrderStatus,
    OrderType,
    Symbol,
)
from tests.engine.rig import Rig, contract
from tests.engine.risk.desk import BTC, ETH, Desk
from tests.engine.risk.test_market import closes, mixed

STOP = OrderType.STOP_MARKET


class Row(NamedTuple):
    """What is seen with one value, and with another."""

    see: Callable[[EngineSettings], object]
    seen: dict[str, object]
    given: dict[str, str] = {}  # noqa: RUF012 - what else is set, with both


# Limits: which orders are refused


def desk_with(settings):
    limits = {name: getattr(settings.limits, name) for name in RiskLimits.__struct_fields__}
    return Desk(**limits)


def is_refused(desk, rule, order):
    verdicts = {verdict.rule: verdict.passed for verdict in desk.assess(order)}
    return not verdicts.get(rule, True)


def refuses(rule, order=lambda desk: desk.buy("10"), before=lambda desk: None):
    """Make a probe: whether a rule refuses an order; 10 BTC are a tenth of equity."""

    def see(settings):
        desk = desk_with(settings)
        before(desk)
        return is_refused(desk, rule, order(desk))

    return see


def began_richer(desk):
    today = desk.now // NS_PER_DAY
    desk.tell(ev.TradingDayStarted(ts=desk.now, account=MAIN, day=today, equity=Decimal(10_300)))


def was_richer(desk):
    for equity in ("10300", "10000"):
        desk.tell(
            ev.EquitySampled(
                ts=desk.now,
                account=MAIN,
                equity=Decimal(equity),
                wallet=Decimal(equity),
                unrealized=Decimal(0),
                exposure=Decimal(0),
            )
        )


def rests(count, **fields):
    def before(desk):
        for number in range(count):
            desk.rest(desk.buy(str(number + 1), **fields))

    return before


def sent(count, seconds_ago, *, is_filled=False):
    def before(desk):
        for number in range(count):
            order = desk.send(desk.buy(str(number + 2)))
            if is_filled:
                desk.fill(order, order.qty, "100")
        desk.now += seconds_ago * NS_PER_S
        desk.trade(BTC, 100.0)

    return before


def window_size(minutes):
    def see(settings):
        desk = desk_with(settings)
        desk.history(BTC, closes([0.001, -0.001] * (minutes // 2)))
        return desk.context().window(BTC).size

    return see


def moved(minutes):
    return lambda desk: desk.history(BTC, closes([0.001, -0.001] * (minutes // 2)))


def like(share, returns=60):
    def before(desk):
        desk.history(BTC, closes(0.001 * r for r in ([1.0, -1.0] * 30)[:returns]))
        desk.history(ETH, closes(mixed(share)[:returns]))
        desk.hold(ETH, "1")

    return before


def grew_old(desk):
    desk.now += 15 * NS_PER_S


NO, YES = False, True
LIMITS: dict[str, Row] = {
    "position_size_pct": Row(refuses("position_size"), {"0.1": NO, "0.05": YES}),
    "max_leverage": Row(refuses("leverage"), {"10": NO, "0.05": YES}),
    "min_free_margin_pct": Row(refuses("margin"), {"0.2": NO, "0.995": YES}),
    "max_daily_loss_pct": Row(
        refuses("daily_loss", before=began_richer), {"0.05": NO, "0.02": YES}
    ),
    "max_drawdown_pct": Row(refuses("drawdown", before=was_richer), {"off": NO, "0.02": YES}),
    "max_positions": Row(
        refuses("max_positions", before=lambda desk: desk.hold(ETH, "1")), {"10": NO, "1": YES}
    ),
    "max_gross_exposure_pct": Row(refuses("gross_exposure"), {"none": NO, "0.05": YES}),
    "max_net_exposure_pct": Row(refuses("net_exposure"), {"off": NO, "0.05": YES}),
    "max_portfolio_exposure_pct": Row(refuses("portfolio_exposure"), {"none": NO, "0.05": YES}),
    "max_portfolio_daily_loss_pct": Row(
        refuses("portfolio_loss", before=began_richer), {"none": NO, "0.02": YES}
    ),
    "max_portfolio_drawdown_pct": Row(
        refuses("portfolio_drawdown", before=was_richer), {"none": NO, "0.02": YES}
    ),
    "max_correlation": Row(refuses("correlation", before=like(0.8)), {"0.9": NO, "0.7": YES}),
    "correlation_returns": Row(window_size(60), {"60": 60, "30": 30}),
    "correlation_returns_min": Row(
        refuses("correlation", before=like(0.0, 30)), {"20": NO, "40": YES}
    ),
    "sample_s": Row(window_size(60), {"60": 60, "120": 30}),
    "volatility_min": Row(refuses("volatility", before=moved(60)), {"0": NO, "0.9": YES}),
    "volatility_max": Row(refuses("volatility", before=moved(60)), {"5": NO, "0.5": YES}),
    "volatility_returns_min": Row(
        refuses("volatility", before=moved(30)), {"40": NO, "10": YES}, {"volatility_max": "0.5"}
    ),
    "max_order_qty": Row(refuses("order_qty"), {"none": NO, "5": YES}),
    "max_order_notional": Row(refuses("order_notional"), {"250000": NO, "500": YES}),
    "price_collar_pct": Row(
        refuses("price_collar", lambda desk: desk.buy("1", "97")), {"0.05": NO, "0.01": YES}
    ),
    "max_open_orders": Row(
        refuses("open_orders", lambda desk: desk.buy("5", "99"), rests(2, price="99")),
        {"200": NO, "2": YES},
    ),
    "max_conditional_orders": Row(
        refuses(
            "open_orders",
            lambda desk: desk.buy("5", order_type=STOP, trigger_price="101"),
            rests(2, order_type=STOP, trigger_price="101"),
        ),
        {"200": NO, "2": YES},
    ),
    "stale_after_s": Row(refuses("stale_data", before=grew_old), {"20": NO, "10": YES}),
    "duplicate_window_s": Row(
        refuses("duplicate", lambda desk: desk.buy("2"), sent(1, 5)),
        {"0": NO, "1": NO, "10": YES},
    ),
    "max_messages": Row(
        refuses("message_throttle", before=sent(3, 0)),
        {"100": NO, "4": YES},
        {"message_reserve": "1"},
    ),
    "message_window_s": Row(
        refuses("message_throttle", before=sent(3, 5)),
        {"2": NO, "10": YES},
        {"max_messages": "4", "message_reserve": "1"},
    ),
    "message_reserve": Row(
        refuses("message_throttle", before=sent(3, 0)), {"0": NO, "7": YES}, {"max_messages": "10"}
    ),
    "max_executions": Row(
        refuses("execution_throttle", before=sent(2, 0, is_filled=True)), {"30": NO, "2": YES}
    ),
    "execution_window_s": Row(
        refuses("execution_throttle", before=sent(2, 30, is_filled=True)),
        {"10": NO, "60": YES},
        {"max_executions": "2"},
    ),
    "disabled": Row(
        refuses("price_collar", lambda desk: desk.buy("1", "80")),
        {"": YES, "price_collar": NO, "leverage, price_collar": NO},
    ),
}


# The engine: what it sends and says


def rig_with(settings):
    """A session whose history would be too short for correlations to be judged."""
    rig = Rig(start=False)
    rig.settings, rig.engine = settings, Engine(settings, [])
    rig.start()
    return rig


def entry_of_signal(settings):
    rig = rig_with(settings)
    rig.signal()
    [order] = rig.submitted()
    return order.order_type, order.price


def exit_of_signal(role):
    def see(settings):
        rig = rig_with(settings)
        rig.signal(quantity=Decimal(1))
        [entry] = rig.submitted()
        rig.accept(entry.cl_ord_id)
        rig.trade(entry.cl_ord_id, "1")
        return [order.request.trigger_price for order in rig.working(role)]

    return see


def window_on_the_wire(settings):
    rig = rig_with(settings)
    rig.place()
    return next(c.recv_window_ns for c in rig.asked if isinstance(c, cmd.SubmitOrder))


def fence(settings):
    rig = rig_with(settings)
    order, sent_ts = rig.place(), rig.now
    rig.unknown(order)
    return rig.order(order).fence_ts - sent_ts


def questions(settings):
    rig = rig_with(settings)
    rig.unknown(rig.place())
    rig.commands.clear()
    rig.wait(4)
    return sum(isinstance(each, cmd.QueryOrder) for each in rig.commands)


def samples(settings):
    rig = rig_with(settings)
    before = len(rig.ever(ev.EquitySampled))
    rig.wait(60)
    return len(rig.ever(ev.EquitySampled)) - before


def alarm_after_3_s(settings):
    rig = rig_with(settings)
    entry = rig.place(stop_loss="90")
    rig.accept(entry)
    rig.trade(entry, "1")
    rig.wait(4)
    return "protection_missing" in rig.alarms()


def stranger(settings):
    rig = rig_with(settings)
    rig.report("manual-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(2), price=Decimal(95))
    return rig.session().name, rig.canceled()


def differing_books(settings):
    rig = rig_with(settings)
    for _ in range(2):
        rig.now += NS_PER_S
        rig.snapshot(positions={Symbol("BTCUSDT"): "-2"})
    return rig.session().name, rig.qty(), [order.role for order in rig.submitted()]


def pause(settings):
    rig = rig_with(settings)
    entry = rig.place(order_type=OrderType.LIMIT, price="99")
    rig.accept(entry)
    rig.hear(msg.PauseSession(reason="lunch"))
    return rig.canceled() == [entry]


def breaker(failures, seconds=0):
    def see(settings):
        rig = rig_with(settings)
        for _ in range(failures):
            rig.hear(msg.VenueFailure(failure="venue", reason="503"))
        rig.wait(seconds)
        return rig.state.breakers["main venue"].state.value

    return see


def ending(settings):
    rig = rig_with(settings)
    ends = contract(delivery_ts=rig.now + 30 * 3600 * NS_PER_S)
    rig.hear(msg.InstrumentListed(instrument=ends, leverage=10))
    return rig.place() is not None


FREE = {"disabled": "correlation"}
OUR_FENCE = 8 * NS_PER_S
ENGINE: dict[str, Row] = {
    "order_prefix": Row(lambda s: rig_with(s).place()[:3], {"abc": "abc", "xyz": "xyz"}),
    "use_market_orders": Row(
        entry_of_signal,
        {
            "true": (OrderType.MARKET, None),
            "false": (OrderType.LIMIT, Decimal("100.1")),
        },
    ),
    "slippage_tolerance": Row(
        lambda s: entry_of_signal(s)[1],
        {"0.001": Decimal("100.1"), "0.01": Decimal(101)},
        {"use_market_orders": "false"},
    ),
    "stop_loss_pct": Row(
        exit_of_signal(OrderRole.STOP_LOSS),
        {"0.02": [Decimal(98)], "0.1": [Decimal(90)], "0": []},
    ),
    "take_profit_pct": Row(
        exit_of_signal(OrderRole.TAKE_PROFIT),
        {"0.05": [Decimal(105)], "0.1": [Decimal(110)], "0": []},
    ),
    "recv_window_ns": Row(window_on_the_wire, {"5s": 5 * NS_PER_S, "1ms": 1_000_000}),
    "clock_skew_ns": Row(fence, {"1s": 6 * NS_PER_S, "3s": OUR_FENCE}),
    "query_interval_ns": Row(questions, {"1s": 2, "10s": 0}),
    "equity_interval_ns": Row(samples, {"10s": 6, "30s": 2, "none": 1}),
    "protection_alarm_ns": Row(alarm_after_3_s, {"10s": NO, "2s": YES}),
    "foreign_order_policy": Row(
        stranger,
        {
            "adopt": ("RUNNING", []),
            "cancel": ("RUNNING", ["manual-1"]),
            "halt": ("ERROR", []),
        },
    ),
    "mismatch_policy": Row(
        differing_books,
        {
            "halt": ("ERROR", 0, []),
            "adopt": ("RUNNING", -2, []),
            "flatten": ("RUNNING", -2, [OrderRole.EXIT]),
        },
    ),
    "cancel_entries_on_pause": Row(pause, {"true": YES, "false": NO}),
    "breaker_threshold": Row(breaker(3), {"5": "CLOSED", "3": "OPEN"}),
    "breaker_recovery_ns": Row(breaker(5, 20), {"60s": "OPEN", "10s": "HALF_OPEN"}),
    "end_notice_ns": Row(ending, {"24h": YES, "48h": NO, "0s": YES}),
}
ELSEWHERE = {"audit_interval_ns": "tests/runtime/test_settings_act.py"}
TABLE = LIMITS | ENGINE
CASES = [(key, value) for key, row in TABLE.items() for value in row.seen]


def test_each_limit_and_engine_setting_has_been_seen_to_act():
    known = {*RiskLimits.__struct_fields__, *EngineSettings.__struct_fields__} - {"limits"}

    assert known == {*TABLE, *ELSEWHERE}
    assert all(len(set(map(repr, row.seen.values()))) > 1 for row in TABLE.values())


@pytest.mark.parametrize(("key", "value"), CASES, ids=[f"{k}={v}" for k, v in CASES])
def test_a_setting_does_what_its_value_says(key, value):
    row = TABLE[key]
    free = FREE if key in ENGINE else {}
    config = TradingConfig(**{**free, **row.given, key: value})

    assert row.see(config.engine_settings()) == row.seen[value]

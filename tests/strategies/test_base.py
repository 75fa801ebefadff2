"""What a strategy's own code may count on: its signals, its hooks, its window."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.errors import StrategyError
from holdfast.model.market import Bar
from holdfast.model.order_wish import OrderWish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import OrderType, SignalType, StrategyId, TimeInForce
from holdfast.strategies import HOOKS, Context, Strategy, overridden_hooks
from tests.strategies.desk import BTC, Desk, bars_at


class Silent(Strategy):
    pass


class Forgetful(Strategy):
    """Does not call `super().__init__()`, as users do."""

    def __init__(self, size: str) -> None:
        self.size = size

    def on_bar(self, bar: Bar) -> None:
        self.signal("BUY", bar.symbol, self.size)


def heard(*args: object, **kwargs: object) -> SignalGenerated:
    desk = Desk(Silent())
    desk.strategy.signal(*args, **kwargs)  # type: ignore[arg-type]  # each test gives what it means to
    return desk.signals[0]


def test_a_signal_carries_what_was_wished_for():
    desk = Desk(Silent())
    desk._time = 123

    desk.strategy.signal(
        SignalType.BUY,
        "BTCUSDT",
        0.1,
        OrderType.LIMIT,
        "45000.10",
        stop_loss=44000,
        take_profit=Decimal("46000.5"),
        strength=0.5,
        time_in_force=TimeInForce.IOC,
        algo="twap",
        reason="because",
        signal_id="one",
    )

    assert desk.signals == [
        SignalGenerated(
            symbol=BTC,
            signal_type=SignalType.BUY,
            strategy_id=StrategyId("mine"),
            quantity=Decimal("0.1"),
            order_type=OrderType.LIMIT,
            price=Decimal("45000.10"),
            time_in_force=TimeInForce.IOC,
            stop_loss=Decimal(44000),
            take_profit=Decimal("46000.5"),
            strength=0.5,
            algo="twap",
            signal_id="one",
            reason="because",
            ts=123,
        )
    ]


def test_what_is_not_said_is_left_to_the_engine():
    wish = heard("SELL", "BTCUSDT")

    assert wish == SignalGenerated(
        symbol=BTC, signal_type=SignalType.SELL, strategy_id=StrategyId("mine")
    )
    assert wish.order_type is OrderType.MARKET


def test_enumerations_may_be_given_by_name():
    wish = heard("CLOSE", "BTCUSDT", order_type="LIMIT", price=1, time_in_force="GTX")

    assert wish.signal_type is SignalType.CLOSE
    assert wish.order_type is OrderType.LIMIT
    assert wish.time_in_force is TimeInForce.GTX


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_a_float_is_the_decimal_that_it_shows(amount):
    assert heard("BUY", "BTCUSDT", amount).quantity == Decimal(repr(amount))


def test_zero_asks_for_no_stop_and_none_for_the_usual_one():
    wish = heard("BUY", "BTCUSDT", stop_loss=0, take_profit=None)

    assert wish.stop_loss == 0
    assert wish.take_profit is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"quantity": 0}, "quantity must be > 0, was 0"),
        ({"quantity": -1}, "quantity must be > 0, was -1"),
        ({"quantity": "much"}, "quantity must be a number, was 'much'"),
        ({"quantity": float("nan")}, "quantity must be finite, was nan"),
        ({"quantity": True}, "quantity must be a number, was True"),
        ({"price": "0"}, "price must be > 0, was '0'"),
        ({"price": float("inf")}, "price must be finite, was inf"),
        ({"stop_loss": -5}, "stop_loss must be >= 0, was -5"),
        ({"take_profit": -0.5}, "take_profit must be >= 0, was -0.5"),
        ({"strength": 0}, "strength must be above 0 and up to 1, was 0"),
        ({"strength": 1.01}, "strength must be above 0 and up to 1, was 1.01"),
        ({"strength": float("nan")}, "strength .* was nan"),
        ({"strength": "1"}, "strength .* was '1'"),
        ({"order_type": "LIMIT"}, "a LIMIT needs a price"),
        ({"order_type": "LIMITED"}, "order_type must be one of MARKET, LIMIT, .*, was 'LIMITED'"),
        ({"time_in_force": "DAY"}, "time_in_force must be one of GTC, .*, was 'DAY'"),
        ({"signal_type": "HOLD"}, "signal_type must be one of BUY, SELL, CLOSE, was 'HOLD'"),
        ({"reason": None}, "reason must be a text, was None"),
        ({"reason": 0.75}, "reason must be a text, was 0.75"),
        ({"reason": "\udc80"}, "reason must be text that UTF-8 can write"),
        ({"signal_id": 17}, "signal_id must be a text, was 17"),
        ({"algo": 17}, "algo must be a text, was 17"),
    ],
)
def test_an_impossible_wish_names_strategy_symbol_and_value(arguments, text):
    with pytest.raises(StrategyError, match=f"signal of mine for BTCUSDT: {text}"):
        heard(**{"signal_type": "BUY", "symbol": "BTCUSDT"} | arguments)


def test_a_symbol_that_is_no_text_is_refused():
    with pytest.raises(StrategyError, match="symbol must be a text, was 17"):
        heard("BUY", 17)


def test_a_kind_of_text_of_another_library_becomes_a_plain_one():
    class Other(str):
        """What a column of names holds."""

        __slots__ = ()

    wish = heard("BUY", Other("BTCUSDT"), reason=Other("a column"))

    assert {type(wish.symbol), type(wish.reason)} == {str}
    assert (wish.symbol, wish.reason) == ("BTCUSDT", "a column")


def test_an_unbound_strategy_says_so():
    with pytest.raises(StrategyError, match=r"Silent\.signal was used before a runner bound"):
        Silent().signal("BUY", "BTCUSDT")
    with pytest.raises(StrategyError, match=r"Silent\.ctx was used before a runner bound"):
        _ = Silent().ctx


def test_signals_are_swallowed_while_warming_up():
    desk = Desk(Forgetful("1"))
    desk.is_warming_up = True
    desk.run(bars_at([1.0, 2.0]))
    assert desk.signals == []

    desk.is_warming_up = False
    desk.run(bars_at([3.0]))

    assert [wish.quantity for wish in desk.signals] == [Decimal(1)]


def test_an_order_is_wished_back_or_amended_by_its_id():
    desk = Desk(Silent())
    desk._time = 123

    desk.strategy.cancel("hf.1", "the quote moved")
    desk.strategy.modify("hf.2", 99.5)
    desk.strategy.modify("hf.3", quantity="0.2")

    def wish(cl_ord_id: str, **given: object) -> OrderWish:
        known = {"strategy_id": "mine", "cl_ord_id": cl_ord_id, "ts": 123}
        return msgspec.convert(known | given, OrderWish, strict=False)

    assert desk.order_wishes == [
        wish("hf.1", is_cancel=True, reason="the quote moved"),
        wish("hf.2", price="99.5"),
        wish("hf.3", qty="0.2"),
    ]


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        (lambda s: s.cancel(None), "cancel of mine: order_id must be a text, was None"),
        (lambda s: s.cancel("x", 1), "cancel of mine: reason must be a text, was 1"),
        (lambda s: s.modify("x"), "modify of mine: a price or a quantity is needed, both were"),
        (lambda s: s.modify("x", 0), "modify of mine: price must be > 0, was 0"),
        (lambda s: s.modify("x", None, "-1"), "modify of mine: quantity must be > 0, was '-1'"),
        (lambda s: s.modify("x", float("nan")), "modify of mine: price must be finite"),
    ],
)
def test_an_impossible_wish_for_an_order_names_the_value(wish, text):
    desk = Desk(Silent())

    with pytest.raises(StrategyError) as caught:
        wish(desk.strategy)

    assert text in str(caught.value)
    assert desk.order_wishes == []


def test_wishes_for_orders_need_a_runner_and_are_swallowed_while_warming_up():
    for wish in (lambda s: s.cancel("x"), lambda s: s.modify("x", 1)):
        with pytest.raises(StrategyError, match="before a runner bound"):
            wish(Silent())
        desk = Desk(Silent())
        desk.is_warming_up = True
        wish(desk.strategy)
        assert desk.order_wishes == []


def test_two_strategies_of_a_class_do_not_share_a_runner():
    one, other = Desk(Forgetful("1")), Desk(Forgetful("2"))

    one.run(bars_at([1.0]))

    assert len(one.signals) == 1
    assert other.signals == []
    assert one.strategy.ctx is one


def test_a_strategy_overrides_nothing_until_it_does():
    assert overridden_hooks(Silent()) == frozenset()
    assert overridden_hooks(Forgetful("1")) == {"on_bar"}


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_seen_when_overridden(hook):
    strategy = type("One", (Strategy,), {hook: lambda self, *heard: None})()
    child = type("Child", (type(strategy),), {})()

    assert overridden_hooks(strategy) == overridden_hooks(child) == {hook}


def test_hooks_that_are_not_overridden_do_nothing():
    desk = Desk(Silent())
    context: Context = desk

    for hook in HOOKS:
        getattr(desk.strategy, hook)(*([] if hook == "on_stop" else [context]))

    assert desk.signals == []


def test_numbers_of_numpys_are_wished_for_like_any_other():
    desk = Desk(strategy := Silent())
    quantity, level = np.mean([0.004, 0.006]), np.float32(44_000.5)
    given = {"quantity": quantity, "stop_loss": level, "strength": np.float32(0.5)}
    strategy.signal("BUY", BTC, **given)  # type: ignore[arg-type]  # as numpy's users do

    [wish] = desk.signals
    assert (str(wish.quantity), str(wish.stop_loss)) == ("0.005", "44000.5")
    assert repr(wish.strength) == "0.5"

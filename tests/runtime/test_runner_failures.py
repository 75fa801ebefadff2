"""A strategy that raises or hangs is taken off; the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from holdfast.model.market import Trade
from holdfast.model.order_wish import Wish
from holdfast.strategies import Strategy
from tests.runtime.runner_session import (
    BTC,
    BUDGET_MS,
    Misbehaving,
    Recorder,
    Session,
    Tape,
    boom,
    everything,
    fill_of,
    hang,
    leave,
    order_of,
    sleep,
    synthetic,
)


@pytest.fixture(autouse=True)
def sessions() -> Iterator[list[Session]]:
    """End the sessions that a test has left open: their guards hold the process's timer."""
    Session.all = []
    yield Session.all
    for session in Session.all:
        session.runner.end("the test is over")


HOOKS = ["on_start", "warm-up", "on_bar", "on_trade", "on_quote", "on_fill", "on_order", "on_stop"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("act", [boom, hang, leave])
def test_strategy_that_fails_in_a_hook_is_taken_off_and_the_others_go_on(hook, act):
    feed = synthetic(duration_s=130.0)
    bad, good, alone = Misbehaving(hook, act), Tape("1m"), Tape("1m")
    session = Session(feed, {"bad": bad, "good": good}, budget_ms=BUDGET_MS).begin()
    order = order_of("bad")
    session.books.known[order.cl_ord_id] = order

    session.show(everything(feed))
    session.runner.on_fact(fill_of(order))
    session.runner.end("over")
    session.runner.on_fact(fill_of(order))
    Session(feed, {"alone": alone}).run()

    assert list(session.failed) == ["bad"]
    assert bad.calls[-1] == hook
    assert bad.calls.count(hook) == 1
    name = "on_bar" if hook == "warm-up" else hook
    reason = session.failed["bad"]
    assert f"in {name} at {boom.__code__.co_filename}:" in reason
    assert "\n" not in reason
    assert "hunter2" not in reason
    kind = {boom: "ZeroDivisionError: ('a count of", hang: "HookTimeout: outlasted its budget of"}
    assert reason.startswith(kind.get(act, "SystemExit: 3"))
    assert good.heard[1:] == alone.heard[1:]


def test_hook_that_sleeps_is_taken_off():
    session = Session(synthetic(), {"s": Misbehaving("on_bar", sleep)}, budget_ms=BUDGET_MS).run()

    assert session.failed["s"].startswith(f"HookTimeout: outlasted its budget of {BUDGET_MS} ms")


def test_reason_names_the_line_of_the_strategys_own_code():
    class Broken(Strategy):
        def on_trade(self, trade: Trade) -> None:
            self.count()

        def count(self) -> None:
            Decimal("no number")

    line = Broken.count.__code__.co_firstlineno + 1

    session = Session(synthetic(), {"b": Broken()}).run()

    assert session.failed["b"].endswith(f"in on_trade at {__file__}:{line}")


def test_reason_of_an_error_that_can_not_be_shown_says_so_and_is_short():
    class Nasty(Exception):
        def __str__(self) -> str:
            hang()
            return ""

    def nasty() -> None:
        raise Nasty

    def chatty() -> None:
        raise ValueError("x" * 10_000)

    feed = synthetic(duration_s=30.0)
    strategies: dict[str, Strategy] = {
        "nasty": Misbehaving("on_trade", nasty),
        "chatty": Misbehaving("on_trade", chatty),
    }
    session = Session(feed, strategies, budget_ms=BUDGET_MS).run()

    assert session.failed["nasty"].startswith("Nasty: its text can't be shown in on_trade")
    assert len(session.failed["chatty"]) < 500


def test_hook_that_fails_has_wished_for_nothing():
    class Torn(Strategy):
        def on_start(self, ctx) -> None:
            self.signal("BUY", BTC)

        def on_trade(self, trade: Trade) -> None:
            self.signal("BUY", BTC)
            self.ctx.log("about to fail")
            boom()

    session = Session(synthetic(), {"torn": Torn()}).run()

    assert len(session.wishes) == 1  # the one of on_start
    assert list(session.failed) == ["torn"]


def test_wishes_of_on_start_are_forgotten_when_the_warm_up_fails():
    class Unready(Misbehaving):
        def on_start(self, ctx) -> None:
            self.signal("BUY", BTC)

    session = Session(synthetic(), {"u": Unready("warm-up", boom)}).run()

    assert list(session.failed) == ["u"]
    assert session.wishes == []


def test_strategy_that_talks_without_end_is_taken_off():
    class Chatty(Strategy):
        def on_trade(self, trade: Trade) -> None:
            while True:
                self.signal("BUY", BTC)

    session = Session(synthetic(), {"c": Chatty()}).run()

    assert "more than 1000 things" in session.failed["c"]
    assert session.wishes == []


def test_bars_that_only_a_failed_strategy_wanted_are_not_built_any_more():
    bad = Misbehaving("on_trade", boom)
    bad.timeframes = ("1m", "5m")
    session = Session(synthetic(), {"bad": bad, "good": Recorder("1m")}).begin()
    route = session.runner._routes[BTC]

    session.show(everything(session.feed))

    assert list(session.failed) == ["bad"]
    assert route.bars.trades is not None
    assert [frame.timeframe for frame in route.bars.trades._open] == ["1m"]
    assert list(session.runner.strategies) == ["good"]


def test_interrupt_from_the_keyboard_is_not_the_strategys_failure():
    def interrupt() -> None:
        raise KeyboardInterrupt

    session = Session(synthetic(), {"m": Misbehaving("on_trade", interrupt)}).begin()

    with pytest.raises(KeyboardInterrupt):
        session.show(everything(session.feed))

    assert session.failed == {}
    session.runner.end("interrupted")


def test_failure_of_who_takes_the_wish_is_not_the_strategys():
    class Wishing(Strategy):
        def on_trade(self, trade: Trade) -> None:
            self.signal("BUY", BTC)

    session = Session(synthetic(), {"w": Wishing()})

    def react(wish: Wish) -> None:
        raise OSError("disk full")

    session.react = react
    session.begin()

    with pytest.raises(OSError, match="disk full"):
        session.show(everything(session.feed))

    assert session.failed == {}
    session.runner.end("failed")


def test_wish_is_emitted_when_its_hook_has_returned():
    """Else a budget that runs out would cut off the engine in the middle of an order."""
    inside = []

    class Wishing(Strategy):
        def on_trade(self, trade: Trade) -> None:
            inside.append(True)
            self.signal("BUY", BTC)
            inside.pop()

    session = Session(synthetic(duration_s=20.0), {"w": Wishing()})
    seen = []
    session.react = lambda wish: seen.append(list(inside))

    session.run()

    assert seen
    assert not any(seen)

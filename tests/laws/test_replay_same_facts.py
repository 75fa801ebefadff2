"""Leaving out what changes nothing leaves every fact as it is, to the last decimal and nanosecond."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.feeds import RecordingFeed
from holdfast.model.events import OrderCanceled, OrderFilled, OrderReplaced
from holdfast.model.market import Bar, Funding, MarkPrice, Quote, Trade
from holdfast.model.values import NS_PER_MS, NS_PER_S
from holdfast.runtime.live import LiveSession
from holdfast.runtime.replay import Terms
from tests.runtime.replays import BTC, START, Listed, Scripted, Streamed, both_ways, replayed
from tests.runtime.replays import settings as config_of

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CAPTURE = DATA / "ws_usdm" / "ethusdt_20240808.gz"
KLINES = DATA / "klines_usdm_1m" / "BTCUSDT-1m.csv.gz"

STEP = st.tuples(
    st.sampled_from([0.0, 0.1, -0.1, 0.5, -0.5, 3.0, -3.0, 40.0, -40.0, 900.0, -900.0]),
    st.sampled_from([0, 1, 10, 400, 999, 1000, 1001, 20_000, 61_000]),
)
"""How far the price moves, and how many milliseconds pass."""

UNBOUND = ("position_size", "leverage", "margin", "volatility", "price_collar")
"""Rules that would keep a strategy away from liquidation."""

KIND = st.sampled_from(["BUY", "SELL", "CLOSE"])
GIVEN = st.sampled_from(
    [
        {"quantity": "0.01"},
        {"quantity": "0.01", "stop_loss": "0", "take_profit": "0"},
        {"quantity": "1.5", "stop_loss": "0", "take_profit": "0"},  # near the margin's end
        lambda trade: {
            "quantity": "0.02",
            "order_type": "LIMIT",
            "price": f"{trade.price - 1:.1f}",
        },
        lambda trade: {"quantity": "0.02", "stop_loss": f"{trade.price - 2:.1f}"},
        {"quantity": "0.06", "algo": "twap:over=6s,slices=3"},
        lambda trade: {
            "quantity": "0.06",
            "order_type": "LIMIT",
            "price": f"{trade.price - 1:.1f}",
            "algo": "iceberg:show=0.02",
        },
    ]
)
ORDER_WISH = st.tuples(
    st.sampled_from(["CANCEL", "MODIFY"]),
    st.builds(
        lambda count, move: lambda trade: {"count": count, "price": f"{trade.price + move:.1f}"},
        st.integers(1, 3),
        st.sampled_from([-30, -2, -0.1, 5]),
    ),
)
SCRIPT = st.dictionaries(
    st.integers(0, 390), st.one_of(st.tuples(KIND, GIVEN), ORDER_WISH), max_size=12
)


def tape(steps, repeats):
    """Make a tape that goes through its steps again and again."""
    trades, price, ts = [], 60_000.0, START
    for number in range(repeats):
        move, wait_ms = steps[number % len(steps)]
        back = -1 if (number // len(steps)) % 2 else 1
        price, ts = max(1_000.0, round(price + back * move, 1)), ts + wait_ms * NS_PER_MS
        trades.append(Trade(symbol=BTC, ts=ts, price=price, qty=0.5, trade_id=number))
    return trades


def others(trades, places):
    """Put what is no trade in between."""
    mixed: list = []
    for number, trade in enumerate(trades):
        kind = places.get(number)
        at = {"symbol": BTC, "ts": trade.ts}
        if kind == "quote":
            sides = {"bid": trade.price - 0.1, "ask": trade.price + 0.1}
            mixed.append(Quote(**at, bid_qty=0.3, ask_qty=0.3, **sides))
        elif kind == "mark":
            mixed.append(MarkPrice(**at, mark_price=trade.price * 1.001))
        elif kind == "funding":
            mixed.append(Funding(**at, rate=0.0001))
        mixed.append(trade)
    return mixed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(STEP, min_size=1, max_size=30),
    script=SCRIPT,
    looks=st.frozensets(st.integers(0, 390), max_size=5),
    places=st.dictionaries(
        st.integers(0, 390), st.sampled_from(["quote", "mark", "funding"]), max_size=4
    ),
    chunk=st.sampled_from([40, 97, 400]),
    latency_ms=st.sampled_from([0, 0, 30, 1500]),
    strategies=st.integers(1, 2),
)
def test_quick_and_careful_replays_write_the_same_facts(  # noqa: PLR0917 - drawn by name
    steps, script, looks, places, chunk, latency_ms, strategies
):
    feed = Listed(others(tape(steps, 400), places), chunk=chunk)
    terms = Terms(latency_ns=latency_ms * NS_PER_MS)

    quick, careful = both_ways(
        feed,
        lambda: [Scripted(script, looks) for _ in range(strategies)],
        config_of(leverage=20, disabled=UNBOUND, max_order_notional="1000000"),
        terms=terms,
    )

    assert quick[1] == careful[1]
    assert [one.seen for one in quick[2]] == [one.seen for one in careful[2]]
    assert [one.count for one in quick[2]] == [one.count for one in careful[2]]
    assert quick[0].fault == careful[0].fault == ""
    assert quick[0].books == careful[0].books


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, min_size=1, max_size=30), frame=st.sampled_from(["5s", "1m"]))
def test_bars_made_of_trades_that_were_passed_over_are_the_same(steps, frame):
    feed = Listed(tape(steps, 600), chunk=150)

    quick, careful = both_ways(
        feed, lambda: [BarKeeper(frame), Scripted({5: ("BUY", {"quantity": "0.01"})})]
    )

    assert quick[2][0].bars == careful[2][0].bars
    assert quick[1] == careful[1]


def BarKeeper(frame):  # noqa: N802 - stands for a class
    from holdfast.strategies import Strategy

    class Keeper(Strategy):
        timeframes = (frame,)

        def __init__(self):
            self.bars: list[Bar] = []

        def on_bar(self, bar):
            self.bars.append(bar)
            if len(self.bars) % 7 == 0:
                self.signal("BUY" if len(self.bars) % 2 else "SELL", bar.symbol, quantity="0.01")

    return Keeper()


def _reckless():
    return config_of(
        leverage=100, disabled=UNBOUND, max_order_notional="1000000", initial_balance="5000"
    )


NAKED = {"quantity": "3", "stop_loss": "0", "take_profit": "0"}


def test_the_engine_closes_at_the_same_tick_when_margin_is_nearly_used_up():
    """The price comes to where the margin ratio is 0.85 and stays: the next tick closes."""
    steps = [(0.1, 10)] * 150 + [(-100.0, 10)] * 13 + [(-55.0, 10)] + [(0.0, 10)] * 400

    quick, careful = both_ways(
        Listed(tape(steps, 564)), lambda: [Scripted({20: ("BUY", NAKED)})], _reckless()
    )

    assert quick[1] == careful[1]
    assert "emergency_close" in {getattr(fact, "code", "") for fact in quick[1]}


NEAR_THE_END = [(-100.0, 10)] * 13 + [(-55.0, 10)]
BACK = [(-move, wait) for move, wait in NEAR_THE_END]


def test_a_quote_that_has_fallen_silent_hides_no_margin_that_is_nearly_used_up():
    """One quote comes before the position; 7 s later trades alone say what the price is."""
    steps = [(0.1, 10)] * 150 + [(0.0, 10)] * 600 + NEAR_THE_END + [(0.0, 10)] * 400
    trades = tape(steps, len(steps))

    quick, careful = both_ways(
        Listed(others(trades, {3: "quote"})), lambda: [Scripted({20: ("BUY", NAKED)})], _reckless()
    )

    assert quick[1] == careful[1]
    closed = [fact.ts for fact in careful[1] if getattr(fact, "code", "") == "emergency_close"]
    assert closed == [START + 8_010 * NS_PER_MS]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(["quote", "quote", "mark"]),
    silent_after=st.integers(0, 149),
    every=st.integers(1, 40),
    wait_ms=st.sampled_from([1, 10, 30, 100, 200]),
    stays=st.sampled_from([1, 50, 250]),
    chunk=st.sampled_from([97, 1200]),
)
def test_what_falls_silent_near_the_end_of_margin_changes_no_fact(  # noqa: PLR0917 - by name
    kind, silent_after, every, wait_ms, stays, chunk
):
    """The price comes to where positions are closed, and goes back before long."""
    rest = [(0.0, wait_ms)] * 400
    steps = [(0.1, 10)] * 150 + rest + NEAR_THE_END + [(0.0, 10)] * stays + BACK + rest
    trades = tape(steps, len(steps))
    places = dict.fromkeys(range(0, silent_after + 1, every), kind)

    quick, careful = both_ways(
        Listed(others(trades, places), chunk=chunk),
        lambda: [Scripted({20: ("BUY", NAKED)})],
        _reckless(),
    )

    assert quick[1] == careful[1]
    assert quick[0].figures == careful[0].figures


def test_a_liquidation_comes_at_the_same_trade():
    """The price falls while the engine has not even heard of its fill."""
    steps = [(0.1, 10)] * 150 + [(-30.0, 10)] * 800

    quick, careful = both_ways(
        Listed(tape(steps, 950)),
        lambda: [Scripted({20: ("BUY", NAKED)})],
        _reckless(),
        terms=Terms(latency_ns=4 * NS_PER_S),
    )

    assert quick[1] == careful[1]
    fills = [fact for fact in quick[1] if isinstance(fact, OrderFilled)]
    assert [fill.cl_ord_id.partition("-")[0] for fill in fills][-1] == "autoclose"


@pytest.mark.parametrize("latency_ms", [0, 30, 1500])
def test_a_maker_that_follows_the_price_gives_the_same_facts(latency_ms):
    """It rests, is amended at some trades, taken back at others, and filled now and then."""
    bid = {"quantity": "0.002", "order_type": "LIMIT", "stop_loss": "0", "take_profit": "0"}

    def below(distance, **given):
        return lambda trade: {**given, "price": f"{trade.price - distance:.1f}"}

    script = {}
    for number in range(0, 2_000, 200):
        script[number] = ("BUY", below(20, **bid))
        for step, at in enumerate(range(number + 20, number + 150, 37)):
            is_near = step == 3 and number % 400 == 0
            script[at] = ("MODIFY", below(1 if is_near else 15 - step, count=1))
        script[number + 170] = ("CANCEL", {"count": 3})
    steps = [(0.5, 40), (-0.1, 10), (0.1, 400), (-3.0, 10), (3.0, 999), (-0.5, 10)]

    quick, careful = both_ways(
        Listed(tape(steps, 2_000), chunk=300),
        lambda: [Scripted(script)],
        terms=Terms(latency_ns=latency_ms * NS_PER_MS),
    )

    assert quick[1] == careful[1]
    assert quick[2][0].seen == careful[2][0].seen
    kinds = Counter(type(fact) for fact in quick[1])
    assert min(kinds[kind] for kind in (OrderReplaced, OrderCanceled, OrderFilled)) > 2
    assert quick[0].books == careful[0].books


def test_trades_are_passed_over_at_all(monkeypatch):
    shown: list = []
    usual = LiveSession.on_market

    def count(session, message):
        shown.append(message)
        usual(session, message)

    monkeypatch.setattr(LiveSession, "on_market", count)
    strategy = Scripted({50: ("BUY", {})})

    replayed(Listed(tape([(0.1, 10), (-0.1, 10)], 2_000)), [strategy])

    assert strategy.count == 2_000
    assert 0 < len(shown) < 100


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"no capture at {CAPTURE}")
def test_a_real_capture_of_every_stream_gives_the_same_facts():
    feed = RecordingFeed(CAPTURE, duration_s=60)
    script = {
        number: ("BUY" if number % 400 else "SELL", {"quantity": "0.1"})
        for number in range(0, 3_000, 200)
    }

    quick, careful = both_ways(
        feed, lambda: [Scripted(script)], config_of(symbols=("ETHUSDT",), duplicate_window_s=1)
    )

    assert quick[1] == careful[1]
    assert quick[0].figures.fills > 5


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"no capture at {CAPTURE}")
def test_the_trades_of_a_real_capture_give_the_same_facts():
    feed = RecordingFeed(CAPTURE)
    trades = [each for chunk in feed.read() for each in chunk if isinstance(each, Trade)]
    listed = Listed(trades, ("ETHUSDT",))
    near = {"quantity": "0.1", "stop_loss": "0", "take_profit": "0"}
    script = {
        number: (("BUY", "CLOSE", "SELL")[number // 300 % 3], near if number % 900 else _limit)
        for number in range(0, 14_000, 300)
    }

    quick, careful = both_ways(listed, lambda: [Scripted(script)], config_of(symbols=("ETHUSDT",)))

    assert quick[1] == careful[1]
    assert quick[0].figures.fills > 15


def _limit(trade):
    return {"quantity": "0.1", "order_type": "LIMIT", "price": f"{trade.price - 0.5:.2f}"}


@pytest.mark.skipif(not KLINES.exists(), reason=f"no klines at {KLINES}")
def test_real_bars_give_the_same_facts_both_ways():
    feed = RecordingFeed(KLINES, duration_s=2 * 24 * 3600)

    quick, facts = replayed(feed, ["sma_cross"])
    _, careful = replayed(Streamed(feed), ["sma_cross"])

    assert facts == careful
    assert quick.figures.fills > 50


def test_a_run_does_not_outlast_a_second_that_matters():
    """The equity curve has its point at the tick at which it fell due."""
    trades = tape([(0.1, 100), (-0.1, 100)], 3_000)

    _, facts = replayed(Listed(trades), [Scripted({})])

    sampled = [fact.ts for fact in facts if type(fact).__name__ == "EquitySampled"]
    gaps = [later - earlier for earlier, later in pairwise(sampled)]
    assert len(sampled) > 4
    assert max(gaps[:-1]) <= 61 * NS_PER_S

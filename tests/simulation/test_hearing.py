"""The oracle of market data: what it holds against the feed, and what it lets pass."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.model.market import Bar, Quote, Trade
from holdfast.model.values import NS_PER_S, Symbol
from holdfast.simulation.batch import judge
from holdfast.simulation.churner import Listener
from holdfast.simulation.events import strike
from holdfast.simulation.hearing import Ear
from holdfast.simulation.live_feed import HeardFeed, has_live_feed
from holdfast.simulation.run import play
from holdfast.simulation.seen_bars import UNSURE_NS, SeenBars
from holdfast.simulation.spec import Spec
from holdfast.simulation.world import World

BTC = Symbol("BTCUSDT")
FIVE_S = 5 * NS_PER_S


class Tape:
    """A market that showed what a test says."""

    def __init__(self, *trades):
        self.trades = {trade.trade_id: trade for trade in trades}

    def life_of(self, trade):
        return 0 if self.trades.get(trade.trade_id) == trade else None

    def trade(self, symbol, number, life=0):
        return self.trades.get(number)

    def has_touched(self, quote):
        return quote.bid == 1.0


def trade(number, ts=7, price=10.0, qty=2.0):
    return Trade(BTC, ts, price, qty, number)


def quote(ts, bid=1.0):
    return Quote(symbol=BTC, ts=ts, bid=bid, bid_qty=1.0, ask=2.0, ask_qty=1.0)


def bar(end, prices, volume, count):
    first, high, low, last = prices
    return Bar(
        symbol=BTC, timeframe="5s", open_ts=end - FIVE_S, ts=end, open=first, high=high, low=low,
        close=last, volume=volume, trade_count=count,
    )  # fmt: skip


@pytest.fixture
def said():
    return []


def ear_of(said, *shown):
    tape: Any = Tape(*shown)
    nobody: Any = None
    return Ear(nobody, said.append, tape, lambda: 0)


def test_trades_as_shown_and_in_their_order_are_nothing_to_speak_of(said):
    ear, hook = ear_of(said, trade(4), trade(5)), Listener().on_quote

    for number in (4, 5):
        ear.call(hook, trade(number))

    assert said == []


@pytest.mark.parametrize(
    ("numbers", "word"),
    [((4, 4), "twice"), ((5, 4), "heard behind 5"), ((4, 6), "behind 4 and before 6 are missing")],
)
def test_trades_that_come_twice_or_out_of_order_or_not_at_all_are_told(said, numbers, word):
    ear, hook = ear_of(said, *map(trade, (4, 5, 6))), Listener().on_quote

    for number in numbers:
        ear.call(hook, trade(number))

    assert len(said) == 1
    assert word in said[0]


def test_trades_may_be_missing_where_it_was_told(said):
    ear, hook = ear_of(said, *map(trade, (4, 6, 8, 10))), Listener().on_quote

    ear.call(hook, trade(4))
    ear.hear_gap(BTC)
    ear.call(hook, trade(6))
    ear.hear_link(BTC, is_up=False)
    ear.call(hook, trade(8))
    ear.call(hook, trade(10))
    ear.hear_link(BTC, is_up=True)

    assert said == []


@pytest.mark.parametrize("heard", [trade(4, price=11.0), trade(4, qty=1.0), trade(4, 8), trade(9)])
def test_a_trade_that_was_not_shown_like_that_is_told(said, heard):
    ear_of(said, trade(4)).call(Listener().on_quote, heard)

    assert "was heard, shown was" in said[0]


def test_quotes_go_forward_and_are_what_the_touch_was(said):
    ear, hook = ear_of(said), Listener().on_quote

    for each in (quote(8), quote(8), quote(7), quote(9, bid=1.5)):
        ear.call(hook, each)

    assert len(said) == 2
    assert "heard behind one of 8" in said[0]
    assert "the touch was never that" in said[1]


def seen(said, *candles, since=-UNSURE_NS):
    tape: Any = Tape()
    tape.candle = lambda _symbol, open_ts, _end_ts: dict(candles).get(open_ts, ())
    return SeenBars(said.append, tape, lambda: since)


def test_a_bar_is_the_exchanges_own_though_not_all_of_it_was_heard(said):
    own = (10.0, 12.0, 9.0, 9.0, 6.0, 3)
    bars = seen(said, (FIVE_S, own), (2 * FIVE_S, (8.0, 8.0, 8.0, 8.0, 2.0, 1)))

    bars.trade(trade(2, ts=FIVE_S + 1))
    bars.bar(bar(2 * FIVE_S, (10.0, 12.0, 9.0, 9.0), 6.0, 3))
    bars.trade(trade(4, ts=2 * FIVE_S, price=8.0))
    bars.bar(bar(3 * FIVE_S, (8.0, 8.0, 8.0, 8.0), 2.0, 1))

    assert said == []


ONE = (10.0, 10.0, 10.0, 10.0)


@pytest.mark.parametrize(
    ("bars", "word"),
    [
        ([bar(FIVE_S, ONE, 4.0, 2)], "the exchange's is"),
        ([bar(2 * FIVE_S, ONE, 2.0, 1)], "the exchange's is []"),
        ([bar(FIVE_S, ONE, 2.0, 1)] * 2, "behind one to"),
        ([], "its next one has begun"),
    ],
    ids=["other trades", "nothing in it", "twice", "missing"],
)
def test_bars_that_are_wrong_or_missing_are_told(said, bars, word):
    heard = seen(said, (0, (*ONE, 2.0, 1)))
    heard.trade(trade(1))

    for each in bars:
        heard.bar(each)
    heard.trade(trade(2, ts=FIVE_S))

    assert len(said) == 1
    assert word in said[0]


def test_a_bar_may_end_with_the_last_trade_heard_if_no_other_comes_behind_it(said):
    """The exchange has swallowed its last one: the next one's number will tell."""
    tape: Any = Tape()
    whole, heard_of = (10.0, 11.0, 10.0, 11.0, 4.0, 2), (*ONE, 2.0, 1)
    tape.candle = lambda _symbol, _open, end_ts: whole if end_ts == FIVE_S else heard_of
    bars = SeenBars(said.append, tape, lambda: -UNSURE_NS)

    bars.trade(trade(1, ts=1))
    bars.bar(bar(FIVE_S, ONE, 2.0, 1))
    assert said == []
    bars.trade(trade(2, ts=2, price=11.0))

    assert len(said) == 1
    assert "came behind its bar" in said[0]


def test_no_bar_is_missed_behind_a_break(said):
    heard = seen(said, since=0)
    heard.trade(trade(1))
    heard.trade(trade(2, ts=FIVE_S))

    assert said == []


def test_no_bar_is_missed_of_which_the_first_trade_may_have_been_another(said):
    heard = seen(said, since=0)
    late = 3 * UNSURE_NS - 3 * UNSURE_NS % FIVE_S + 1
    heard.trade(trade(1, ts=late))
    heard.trade(trade(2, ts=late + FIVE_S))
    assert said == []

    heard.trade(trade(3, ts=late + 2 * FIVE_S))

    assert len(said) == 1
    assert "its next one has begun" in said[0]


def test_market_data_that_stays_away_in_the_calm_is_told(monkeypatch):
    seed = next(n for n in range(100) if has_live_feed(str(n)))
    monkeypatch.setattr(HeardFeed, "_hear_one", lambda _self, _message: None)

    verdict = judge(Spec(seed=seed, storm_s=5, kinds=frozenset()))

    assert any("s into the calm" in each for each in verdict.violations)


def test_the_market_is_heard_by_strategies_of_any_kind():
    seed = next(n for n in range(100) if has_live_feed(str(n)))

    verdict = play(Spec(seed=seed, storm_s=10, kinds=frozenset(), strategy="sma_cross"))

    assert verdict.violations == ()


def test_other_seeds_have_no_ear():
    assert World(Spec(seed=3), strike).hearing is None


def test_what_a_venue_that_counts_anew_shows_once_it_is_back_must_be_heard(said):
    ear, hook = ear_of(said, *map(trade, (4, 6, 7))), Listener().on_quote

    ear.call(hook, trade(4))
    ear.hear_link(BTC, is_up=False)
    ear.hear_link(BTC, is_up=True)  # at 0, and trade 6 was at 7
    ear.call(hook, trade(7))
    assert ear.doubts == {BTC: trade(6)}
    ear.hear_link(BTC, is_up=False)  # it was a deaf connection, as is known now

    assert (said, ear.doubts) == ([], {})


def test_what_is_missed_while_a_symbol_is_cut_off_is_doubted_by_nobody(said):
    ear, hook = ear_of(said, *map(trade, (4, 6, 7))), Listener().on_quote

    ear.call(hook, trade(4))
    for is_up in (False, True, False):
        ear.hear_link(BTC, is_up=is_up)
    ear.call(hook, trade(7))

    assert (said, ear.doubts) == ([], {})


def test_the_count_of_trades_begins_anew_with_the_exchanges_process():
    hearing = World(Spec(seed=7), strike).hearing
    assert hearing is not None
    shown = hearing._shown
    tape = shown._venue.tapes[BTC]
    for ts in (10**9, 2 * 10**9):
        tape.on_trade(trade(1, ts=ts))
        shown._on_market(trade(1, ts=ts))
        shown.restarted()
        shown._venue.tapes[BTC] = tape = type(tape)(tape.instrument)

    assert [shown.life_of(trade(1, ts=ts)) for ts in (10**9, 2 * 10**9, 3 * 10**9)] == [0, 1, None]

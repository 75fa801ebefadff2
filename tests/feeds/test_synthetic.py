"""The made-up market is the same everywhere, and looks like one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from itertools import chain, islice, pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

import holdfast
from holdfast.feeds import FeedSettings, SyntheticFeed
from holdfast.feeds.synthetic import SLICE_BLOCKS
from holdfast.feeds.walk import Market, PriceWalk, Wave
from holdfast.model.bars import BarBuilder
from holdfast.model.errors import ConfigError
from holdfast.model.market import Funding, MarkPrice, Quote, Trade
from holdfast.model.values import NS_PER_S, Symbol, to_decimal

BTC = Symbol("BTCUSDT")

START = 1_754_006_400 * NS_PER_S  # 2025-08-01 00:00 UTC
HOUR_S = 3600.0
NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT")


def feed(symbols=("BTCUSDT", "ETHUSDT"), **more):
    options = {"start_ts": START, "seed": 7, "speed": 0.0, "duration_s": 300.0, **more}
    return SyntheticFeed(FeedSettings(symbols=tuple(symbols), **options))


def read(made, after_ts=0):
    return list(chain.from_iterable(made.read(after_ts)))


def digest(messages):
    return hashlib.sha256(msgspec.json.encode(messages)).hexdigest()


@pytest.fixture(scope="module")
def hour():
    return read(feed(NAMES, duration_s=HOUR_S))


def test_one_seed_makes_the_same_market_on_every_machine():
    assert (
        digest(read(feed())) == "b606ae66345c575dc49febe433a01d613291e8bc214545d1086c2c7df643d85e"
    )


def test_the_market_does_not_hang_on_pythons_hash_seed():
    code = (
        "import tests.feeds.test_synthetic as t; print(t.digest(t.read(t.feed(duration_s=60.0))))"
    )
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(Path(holdfast.__file__).parents[1]), str(root)])

    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "4242")
    }

    assert digests == {digest(read(feed(duration_s=60.0)))}


def test_another_seed_makes_another_market():
    assert digest(read(feed(seed=8))) != digest(read(feed(seed=7)))


def test_another_symbol_changes_nothing_for_the_first():
    alone = read(feed(["BTCUSDT"]))
    together = read(feed(NAMES))

    assert [m for m in together if m.symbol == "BTCUSDT"] == alone


def test_the_order_of_symbols_changes_only_ties():
    one, other = read(feed(NAMES)), read(feed(NAMES[::-1]))

    assert sorted(map(repr, one)) == sorted(map(repr, other))


@pytest.mark.parametrize("seconds", [0.0, 29.9, 30.0, 61.5, 299.0])
def test_going_on_after_a_time_goes_on_along_the_same_path(seconds):
    after_ts = START + round(seconds * NS_PER_S)

    assert read(feed(), after_ts) == [m for m in read(feed()) if m.ts > after_ts]


def test_a_later_start_is_the_same_path():
    late = read(feed(start_ts=START + 60 * NS_PER_S, duration_s=240.0))

    assert late == [m for m in read(feed()) if m.ts >= START + 60 * NS_PER_S]


def test_a_start_years_on_is_not_worked_up_to():
    late = feed(start_ts=START + 20 * 365 * 86_400 * NS_PER_S, duration_s=None)

    assert len(list(islice(chain.from_iterable(late.read()), 100))) == 100


def test_time_never_goes_back_and_stays_within_bounds(hour):
    assert all(a.ts <= b.ts for a, b in pairwise(hour))
    assert hour[0].ts == START
    assert START + 3599 * NS_PER_S < hour[-1].ts < START + 3600 * NS_PER_S


def test_prices_and_quantities_lie_on_tick_and_lot(hour):
    contracts = {contract.symbol: contract for contract in feed(NAMES).instruments()}
    for message in hour[::7]:
        contract = contracts[message.symbol]
        if isinstance(message, Trade):
            assert contract.is_on_tick(to_decimal(message.price))
            assert contract.is_on_lot(to_decimal(message.qty))
        elif isinstance(message, Quote):
            assert contract.is_on_tick(to_decimal(message.bid))
            assert contract.is_on_tick(to_decimal(message.ask))
            assert contract.is_on_lot(to_decimal(message.bid_qty))


def test_each_trade_is_at_the_side_of_the_last_quote_that_was_hit(hour):
    quotes = {}
    for message in hour:
        if isinstance(message, Quote):
            assert 0.0 < message.bid < message.ask
            quotes[message.symbol] = message
        elif isinstance(message, Trade):
            quote = quotes[message.symbol]
            assert message.price == (quote.bid if message.is_buyer_maker else quote.ask)


def test_trade_ids_rise(hour):
    for name in NAMES:
        ids = [m.trade_id for m in hour if isinstance(m, Trade) and m.symbol == name]
        assert all(a < b for a, b in pairwise(ids))


def test_prices_begin_near_where_people_expect_them(hour):
    first = {m.symbol: m.price for m in reversed(hour) if isinstance(m, Trade)}
    expected = {"BTCUSDT": 60000, "ETHUSDT": 2600, "SOLUSDT": 150, "BNBUSDT": 550, "XRPUSDT": 0.55}

    assert first == pytest.approx(expected, rel=0.3)


@pytest.mark.parametrize("rate", [5.0, 20.0])
def test_the_rate_is_what_was_asked_for(rate):
    messages = read(feed(["BTCUSDT"], rate=rate, duration_s=4 * HOUR_S))
    tape = sum(isinstance(m, (Trade, Quote)) for m in messages)

    assert tape / (4 * HOUR_S) == pytest.approx(rate, rel=0.35)


def test_marks_come_every_three_seconds_and_stay_by_the_trades(hour):
    marks = [m for m in hour if isinstance(m, MarkPrice) and m.symbol == "BTCUSDT"]
    trades = [m for m in hour if isinstance(m, Trade) and m.symbol == "BTCUSDT"]

    assert len(marks) > 1100
    assert all((m.ts - START) % (3 * NS_PER_S) == 0 for m in marks)
    assert max(m.mark_price for m in marks) == pytest.approx(max(t.price for t in trades), rel=1e-3)
    assert all(m.next_funding_ts == START + 8 * 3600 * NS_PER_S for m in marks)


def test_funding_is_due_every_eight_hours_at_the_rate_that_was_forecast():
    messages = read(feed(["BTCUSDT"], duration_s=17 * HOUR_S, rate=0.05))
    fundings = [m for m in messages if isinstance(m, Funding)]
    forecasts = {m.next_funding_ts: m.funding_rate for m in messages if isinstance(m, MarkPrice)}

    assert [(f.ts - START) / NS_PER_S / HOUR_S for f in fundings] == [0.0, 8.0, 16.0]
    assert fundings[1].rate == forecasts[fundings[1].ts]
    assert all(abs(f.rate) < 0.001 for f in fundings)


def test_the_market_falls_silent_now_and_then(hour):
    gaps = [b.ts - a.ts for a, b in pairwise(hour)]

    assert 2 * NS_PER_S < max(gaps) < 10 * NS_PER_S


def test_prices_go_on_from_hour_to_hour_without_a_step():
    market = Market(7)
    walk = PriceWalk(Wave(7, "x"), anchor=100.0, volatility=1.0, correlation=0.5)
    first = START // (3600 * NS_PER_S)
    hours = [walk.hour(n, market.hour(n)) for n in range(first, first + 100)]

    for hour, following in pairwise(hours):
        assert hour[-1] == pytest.approx(following[0], rel=1e-12)


def closes(name, correlation, hours=16):
    made = feed([name], correlation=correlation, rate=2.0, seed=3)
    bars = made.history(name, "5m", START, hours * 12)
    return np.array([bar.close for bar in bars])


def returns(prices):
    return np.diff(prices) / prices[:-1]


def test_symbols_move_together_as_much_as_was_asked_for():
    def correlation(wanted):
        pair = [returns(closes(name, wanted)) for name in ("BTCUSDT", "SOLUSDT")]
        return np.corrcoef(pair)[0, 1]

    assert correlation(0.9) == pytest.approx(0.9, abs=0.1)
    assert correlation(0.0) == pytest.approx(0.0, abs=0.25)


def test_returns_are_those_of_a_market_and_not_of_a_bell_curve():
    moves = returns(closes("BTCUSDT", 0.6, hours=36))

    assert 0.0005 < moves.std() < 0.003, "of five minutes"
    assert (moves**4).mean() / moves.var() ** 2 > 3.5, "fat tails"


def test_trends_last_long_enough_for_averages_to_cross():
    prices = closes("BTCUSDT", 0.6)
    fast = np.convolve(prices, np.ones(5) / 5, "valid")[15:]
    slow = np.convolve(prices, np.ones(20) / 20, "valid")
    crossings = np.count_nonzero(np.diff(np.sign(fast - slow)))

    assert 4 < crossings < 50


def test_history_ends_where_the_feed_begins_and_is_the_same_path():
    made = feed(["BTCUSDT"])
    bars = made.history(BTC, "1m", START + 300 * NS_PER_S, 5)
    builder = BarBuilder(BTC, ["1m"])
    trades = [m for m in read(made) if isinstance(m, Trade)]
    shown = [bar for t in trades for bar in builder.on_trade(t)]
    shown += builder.on_time(START + 300 * NS_PER_S)

    assert bars == shown
    earlier = made.history(BTC, "1m", START, 20)
    assert earlier[-1].ts == START
    assert len(earlier) == 20
    assert earlier[-1].close == pytest.approx(bars[0].open, rel=0.005)


def test_history_is_aligned_and_bounded():
    made = feed(["BTCUSDT"], rate=0.1)
    (bar,) = made.history(BTC, "1h", START + 90 * 60 * NS_PER_S, 1)

    assert bar.ts == START + 3600 * NS_PER_S
    assert made.history(BTC, "1h", START, 0) == []
    with pytest.raises(ConfigError, match="no DOGEUSDT here"):
        made.history("DOGEUSDT", "1m", START, 5)


def test_a_long_history_leaves_the_loop_to_others_while_it_is_made():
    """A session was deaf for as long: it answered neither `status` nor Ctrl-C."""
    made = feed(["BTCUSDT"], rate=0.1)
    wanted = (BTC, "1h", 20)
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def warm_up():
        beside = asyncio.ensure_future(others())
        await made.fetch_history([wanted, wanted], START)
        beside.cancel()

    asyncio.run(warm_up())
    blocks = 20 * 3600 // 30
    assert turns >= blocks // SLICE_BLOCKS
    anew = feed(["BTCUSDT"], rate=0.1).history(*wanted[:2], START, wanted[2])
    assert len(anew) == 20
    for _ in range(3):  # the third is made anew
        assert made.history(*wanted[:2], START, wanted[2]) == anew


def test_any_name_has_a_market():
    made = feed(["DOGEUSDT", "NOSUCHUSDC"])

    assert {m.symbol for m in read(made)} == {"DOGEUSDT", "NOSUCHUSDC"}
    assert [c.quote_asset for c in made.instruments()] == ["USDT", "USDC"]


async def test_messages_are_what_is_read():
    made = feed(duration_s=20.0)
    batches = [batch async for batch in made.messages(START + NS_PER_S)]

    assert all(batches)
    assert list(chain.from_iterable(batches)) == read(made, START + NS_PER_S)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("start_ts", 0),
        ("duration_s", 0.0),
        ("duration_s", float("nan")),
        ("rate", 0.0),
        ("rate", 1e9),
        ("correlation", 1.5),
        ("correlation", float("nan")),
        ("speed", -1.0),
    ],
)
def test_a_setting_out_of_range_is_refused(option, value):
    with pytest.raises(ConfigError, match=option):
        feed(**{option: value})


def test_a_symbol_given_twice_is_refused():
    with pytest.raises(ConfigError, match="each once"):
        feed(["BTCUSDT", "BTCUSDT"])

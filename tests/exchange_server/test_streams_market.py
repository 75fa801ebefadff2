"""The market streams: the shape, the order and the rhythm of what they say; the law of the book."""

from __future__ import annotations

import itertools
import time
from decimal import Decimal

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.exchange import Liquidity, OrderKey
from holdfast.exchange_server import ServerSettings, create_server, levels
from holdfast.feeds import FeedSettings
from holdfast.model.market import Bar
from holdfast.model.values import ClOrdId
from tests.exchange_server.stream_desk import ALICE, BTC, ETH, MS, START, S, open_desk

START_MS = START // MS


async def listening(desk, *names, path="/ws"):
    client = await desk.connect(path)
    await client.subscribe(*names)
    return client


async def test_a_trade_is_told_at_once_as_recorded():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@trade")
        desk.trade(64_042.1, 0.038, sells=True)

        assert await client.heard() == [
            {
                "e": "trade", "E": START_MS, "T": START_MS, "s": "BTCUSDT", "t": 1,
                "p": "64042.1", "q": "0.038", "X": "MARKET", "m": True, "st": 1,
            }
        ]  # fmt: skip


async def test_trades_of_one_side_at_one_price_within_100_ms_are_one():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@aggTrade")
        for after, price, qty, sells in [
            (0, 100.0, 1, False),
            (60, 100.0, 2, False),
            (60, 100.0, 4, False),  # 120 ms after the first: a new one
            (10, 100.0, 8, True),  # the other side
            (10, 100.1, 16, True),  # another price
        ]:
            desk.now += after * MS
            desk.trade(price, qty, sells=sells)
        desk.advance(200)

        frames = await client.heard()
        told = [(f["a"], f["f"], f["l"], f["p"], f["q"], f["m"], f["T"] - START_MS) for f in frames]
        assert told == [
            (1, 1, 2, "100.0", "3.000", False, 0),
            (2, 3, 3, "100.0", "4.000", False, 120),
            (3, 4, 4, "100.0", "8.000", True, 130),
            (4, 5, 5, "100.1", "16.000", True, 140),
        ]
        assert " ".join(frames[0]) == "e E s a p q nq f l T m st"


async def test_rest_tells_the_same_groups_as_the_stream_whoever_listened():
    async with open_desk() as desk:
        desk.trade(100.0, 1)
        desk.trade(100.0, 2)
        desk.now += 150 * MS
        client = await listening(desk, "btcusdt@aggTrade")
        for price in (100.0, 100.0, 100.1, 100.1):
            desk.trade(price, 1)
        early = await desk.get("/fapi/v1/aggTrades", symbol="BTCUSDT")
        desk.trade(100.1, 1)
        desk.advance(200)
        told = await client.heard()
        whole = await desk.get("/fapi/v1/aggTrades", symbol="BTCUSDT")

        shown = [{name: each[name] for name in whole[0]} for each in told]
        assert [(each["a"], each["q"]) for each in early] == [(1, "3.000"), (2, "2.000")]
        assert shown == whole[1:]
        assert [(each["a"], each["f"], each["l"]) for each in whole] == [
            (1, 1, 2), (2, 3, 4), (3, 5, 7),
        ]  # fmt: skip


async def test_book_ticker_tells_each_change_of_the_touch_and_nothing_else():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@bookTicker")
        desk.quote(100.0, 100.1, 1, 2)
        desk.quote(100.0, 100.1, 1, 2)
        desk.quote(100.0, 100.2, 1, 2)

        frames = await client.heard()
        assert [(f["b"], f["B"], f["a"], f["A"]) for f in frames] == [
            ("100.0", "1.000", "100.1", "2.000"),
            ("100.0", "1.000", "100.2", "2.000"),
        ]
        assert frames[0]["u"] < frames[1]["u"]
        assert " ".join(frames[0]) == "e u E T s ps b B a A st"


async def test_a_customers_order_is_part_of_the_touch():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@bookTicker")
        desk.quote(50_000, 50_010, 1, 2)
        desk.buy("0.01", 50_005)
        desk.venue.cancel(OrderKey(ALICE, BTC, ClOrdId("o1")), is_conditional=False)

        assert [(f["b"], f["B"]) for f in await client.heard()] == [
            ("50000.0", "1.000"),
            ("50005.0", "0.010"),
            ("50000.0", "1.000"),
        ]


@pytest.mark.parametrize(
    ("name", "period_ms"),
    [("btcusdt@markPrice@1s", 1000), ("btcusdt@markPrice", 3000), ("!markPrice@arr@1s", 1000)],
)
async def test_the_mark_comes_every_second_or_every_third(name, period_ms):
    async with open_desk() as desk:
        client = await listening(desk, name)
        due = (START_MS // 8 + 1) * 28_800_000
        desk.mark(50_000, index_price=50_001.5, funding_rate=0.0001, next_funding_ts=due * MS)
        for _ in range(120):
            desk.advance(50)

        frames = await client.heard()
        assert len(frames) == 6000 // period_ms
        frame = frames[0][0] if "arr" in name else frames[0]
        assert frame == {
            "e": "markPriceUpdate", "E": START_MS + period_ms, "s": "BTCUSDT",
            "p": "50000.00000000", "ap": "50000.00000000", "i": "50001.50000000",
            "P": "50000.00000000", "r": "0.00010000", "T": due, "st": 1,
        }  # fmt: skip


async def test_where_a_feed_tells_no_mark_the_one_that_margin_goes_by_is_shown():
    """A capture without mark prices is traded by programs that block stale symbols."""
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@markPrice@1s")
        for _ in range(20):
            desk.advance(50)
        assert await client.heard() == []
        desk.trade(50_000.5, 1)
        for _ in range(40):
            desk.advance(50)

        told = [(f["p"], f["ap"], f["i"]) for f in await client.heard()]
        assert told == [("50000.50000000",) * 3] * 2


async def test_a_kline_grows_every_250_ms_and_closes_once():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@kline_1m")
        desk.trade(100.0, 1)
        desk.advance(250)
        desk.trade(101.0, 2, sells=True)
        desk.advance(100)
        desk.trade(99.0, 4)
        desk.advance(150)
        desk.advance(250)
        desk.advance(60_000)
        desk.advance(250)

        frames = await client.heard()
        assert [(f["k"]["n"], f["k"]["x"]) for f in frames] == [(1, False), (3, False), (3, True)]
        last = frames[-1]["k"]
        assert (last["o"], last["h"], last["l"], last["c"]) == ("100.0", "101.0", "99.0", "99.0")
        assert (last["v"], last["q"], last["V"], last["Q"]) == (
            "7.000", "698.0000", "5.000", "496.0000",
        )  # fmt: skip
        assert (last["t"], last["T"]) == (START_MS, START_MS + 59_999)
        assert (last["f"], last["L"]) == (1, 3)
        assert list(frames[0]) == ["e", "E", "s", "k"]
        assert " ".join(last) == "t T s i f L o c h l v n x q V Q B"


async def test_a_kline_that_ended_between_two_looks_is_closed_before_the_next_begins():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@kline_1m")
        desk.trade(100.0)
        desk.advance(250)
        desk.now += 59_740 * MS
        desk.trade(105.0)
        desk.now += 20 * MS
        desk.trade(110.0)
        desk.advance(250)

        told = [(f["k"]["t"] - START_MS, f["k"]["c"], f["k"]["x"]) for f in await client.heard()]
        assert told == [
            (0, "100.0", False),
            (0, "105.0", True),
            (60_000, "110.0", False),
        ]


async def test_a_continuous_kline_belongs_to_a_pair():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt_perpetual@continuousKline_5m")
        desk.trade(100.0)
        desk.advance(250)

        frame = (await client.heard())[0]
        assert list(frame) == ["e", "E", "ps", "ct", "k"]
        assert (frame["ps"], frame["ct"], frame["k"]["i"]) == ("BTCUSDT", "PERPETUAL", "5m")
        assert "s" not in frame["k"]


async def test_bars_of_a_feed_without_trades_are_shown_as_trades():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@kline_1m")
        bar = Bar(
            symbol=BTC, timeframe="1m", open_ts=START - 60 * S, ts=START,
            open=100, high=105, low=99, close=104, volume=8,
        )  # fmt: skip
        desk.show(bar)
        desk.advance(250)

        kline = (await client.heard())[-1]["k"]
        assert (kline["o"], kline["h"], kline["l"], kline["c"], kline["v"]) == (
            "100.0", "105.0", "99.0", "104.0", "8.000",
        )  # fmt: skip


async def test_tickers_come_every_two_seconds_if_something_traded():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@miniTicker", "btcusdt@ticker")
        desk.trade(100.0, 1)
        desk.trade(110.0, 3)
        for _ in range(100):
            desk.advance(50)

        mini, full = await client.heard()
        assert (mini["o"], mini["h"], mini["l"], mini["c"]) == ("100.0", "110.0", "100.0", "110.0")
        assert (mini["v"], mini["q"]) == ("4.000", "430.00")
        assert " ".join(mini) == "e E s ps c o h l v q st"
        assert (full["p"], full["P"], full["w"], full["Q"]) == ("10.0", "10.000", "107.5", "3.000")
        assert (full["F"], full["L"], full["n"]) == (1, 2, 2)
        assert " ".join(full) == "e E s ps p P w c Q o h l v q O C F L n st"


async def test_streams_of_all_symbols_come_as_arrays_of_what_changed():
    async with open_desk() as desk:
        client = await listening(desk, "!miniTicker@arr")
        desk.trade(100.0)
        desk.trade(10.0, symbol=ETH)
        desk.advance(1000)
        desk.trade(11.0, symbol=ETH)
        desk.advance(1000)

        told = [[row["s"] for row in frame] for frame in await client.heard()]
        assert told == [["BTCUSDT", "ETHUSDT"], ["ETHUSDT"]]


async def test_all_book_tickers_come_every_five_seconds_one_by_one():
    async with open_desk() as desk:
        client = await listening(desk, "!bookTicker")
        desk.quote(100.0, 100.1)
        desk.quote(10.0, 10.1, symbol=ETH)
        for _ in range(10):
            desk.advance(1000)

        assert [frame["s"] for frame in await client.heard()] == ["BTCUSDT", "ETHUSDT"] * 2


async def test_the_largest_liquidation_of_a_second_is_told():
    async with open_desk(balance=300, leverage=100) as desk:
        client = await listening(desk, "btcusdt@forceOrder", "!forceOrder@arr")
        desk.quote(49_999.9, 50_000.1, 10, 10)
        desk.mark(50_000)
        desk.buy("0.4")
        desk.buy("0.3", account="bob")
        desk.mark(48_500)
        desk.advance(1000)
        desk.advance(1000)

        frames = await client.heard()
        assert len(frames) == 2
        order = frames[0]["o"]
        assert frames[0] == frames[1]
        assert (order["s"], order["S"], order["q"], order["X"]) == (
            "BTCUSDT", "SELL", "0.400", "FILLED",
        )  # fmt: skip
        assert (order["o"], order["f"], order["l"]) == ("LIMIT", "IOC", "0.400")


# Depth


async def test_depth_levels_show_the_top_of_the_book():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@depth5@100ms")
        bids = [(100.0 - n, 1.0 + n) for n in range(9)]
        desk.book(bids, [(100.5, 2.0)])
        desk.advance(100)
        desk.advance(100)

        frames = await client.heard()
        assert len(frames) == 1
        assert frames[0]["b"] == [[f"{p:.1f}", f"{q:.3f}"] for p, q in bids[:5]]
        assert frames[0]["a"] == [["100.5", "2.000"]]
        assert " ".join(frames[0]) == "e E T s ps U u pu b a st"


async def test_depth_diffs_are_chained_and_their_ids_jump():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@depth@100ms")
        desk.book([(100.0, 1.0)], [(101.0, 1.0)])
        for number in range(5):
            desk.delta(number + 1, bids=[(100.0, 2.0 + number)])
            desk.advance(100)

        frames = await client.heard()
        assert len(frames) == 5
        for before, frame in itertools.pairwise(frames):
            assert frame["pu"] == before["u"]
            assert frame["pu"] + 1 < frame["U"] <= frame["u"]


async def test_a_level_that_is_gone_comes_as_zero():
    async with open_desk() as desk:
        client = await listening(desk, "btcusdt@depth@100ms")
        desk.quote(100.0, 101.0)
        desk.advance(100)
        desk.quote(100.5, 101.0)
        desk.advance(100)

        assert (await client.heard())[-1]["b"] == [["100.0", "0.000"], ["100.5", "1.000"]]


async def test_each_speed_has_a_chain_of_its_own():
    async with open_desk() as desk:
        names = ["btcusdt@depth@100ms", "btcusdt@depth", "btcusdt@depth@500ms", "btcusdt@depth@0ms"]
        client = await listening(desk, *names, path="/stream")
        for number in range(20):
            desk.quote(100.0 + number, 200.0)
            desk.advance(50)

        chains: dict[str, list[dict]] = {name: [] for name in names}
        for frame in await client.heard():
            chains[frame["stream"]].append(frame["data"])
        assert [len(chains[name]) for name in names] == [10, 4, 2, 10]
        for chain in chains.values():
            assert all(b["pu"] == a["u"] for a, b in itertools.pairwise(chain))


class Mirror:
    """A client's book, kept as the venue asks: buffer, snapshot, drop, apply, check the chain."""

    def __init__(self):
        self.buffer = []
        self.sides: tuple[dict[Decimal, Decimal], ...] = ()
        self.last_id = 0
        self.is_chained = False

    def hear(self, frames):
        self.buffer += frames
        if not self.sides:
            return
        for frame in self.buffer:
            if frame["u"] < self.last_id and not self.is_chained:
                continue
            if self.is_chained:
                assert frame["pu"] == self.last_id, "a diff is missing"
            else:
                assert frame["U"] <= self.last_id <= frame["u"], "the snapshot is not reached over"
            self._apply(frame)
        self.buffer = []

    def _apply(self, frame):
        self.is_chained = True
        self.last_id = frame["u"]
        for side, letter in zip(self.sides, "ba", strict=True):
            for price, qty in frame[letter]:
                if Decimal(qty):
                    side[Decimal(price)] = Decimal(qty)
                else:
                    side.pop(Decimal(price), None)

    def start(self, snapshot):
        self.last_id = snapshot["lastUpdateId"]
        self.sides = tuple(
            {Decimal(p): Decimal(q) for p, q in snapshot[side]} for side in ("bids", "asks")
        )


_moves = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), st.integers(-9, 9), st.integers(1, 9)),
        st.tuples(st.just("book"), st.integers(-9, 9), st.integers(1, 9)),
        st.tuples(st.just("delta"), st.integers(-9, 9), st.integers(0, 9)),
        st.tuples(st.just("buy"), st.integers(-9, 9), st.integers(1, 9)),
        st.tuples(st.just("sell"), st.integers(-9, 9), st.integers(1, 9)),
        st.tuples(st.just("take"), st.just(0), st.integers(1, 9)),
        st.tuples(st.just("cancel"), st.just(0), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.integers(1, 3)),
        st.tuples(st.just("trade"), st.integers(-9, 9), st.integers(1, 9)),
    ),
    max_size=30,
)


def _move(desk, number, what, away, size):
    price, qty = 50_000.0 + away, size / 100
    if what == "quote":
        desk.quote(price - 0.5, price + 0.5, qty, qty)
    elif what == "book":
        levels = range(1, 6)
        desk.book([(price - n, qty) for n in levels], [(price + n, qty) for n in levels])
    elif what == "delta":
        desk.delta(number, **{"bids" if away < 0 else "asks": [(price, qty)]})
    elif what in ("buy", "sell"):
        getattr(desk, what)(f"0.0{size}", price)
    elif what == "take":
        desk.buy(f"0.0{size}")
    elif what == "cancel":
        desk.venue.cancel_all(ALICE, BTC, is_conditional=False)
    elif what == "trade":
        desk.trade(price, qty)
    else:
        desk.advance(50 * size)


@pytest.mark.parametrize("beyond", [None, Decimal("0.0005")])
@settings(max_examples=25)
@given(_moves, _moves, st.sampled_from(["@100ms", "", "@500ms"]))
async def test_diffs_on_a_snapshot_make_the_exchanges_book(beyond, before, after, speed):
    """What a client rebuilds is what the exchange has, wherever its snapshot falls."""
    async with open_desk(liquidity=Liquidity(beyond_touch=beyond)) as desk:
        client = await listening(desk, f"btcusdt@depth{speed}")
        mirror = Mirror()
        desk.quote(49_999.5, 50_000.5, 1, 1)
        for number, move in enumerate(before):
            _move(desk, number + 1, *move)
        mirror.hear(await client.heard())
        mirror.start(await desk.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000))
        for number, move in enumerate(after):
            _move(desk, number + 100, *move)
        desk.advance(500)
        mirror.hear(await client.heard())

        exchange, tape = desk.venue.exchange, desk.venue.tape(BTC)
        assert mirror.is_chained
        assert mirror.sides == tuple(
            {Decimal(p): Decimal(q) for p, q in side(exchange, tape, 10_000)}
            for side in (levels.bids, levels.asks)
        )


async def test_a_whole_server_streams_its_feed_in_the_walls_time():
    feed = FeedSettings(source="synthetic", rate=200.0, seed=3)
    server = create_server(ServerSettings(feed=feed, symbols=(BTC,)))
    await server.start()
    try:
        url = f"{server.urls['streams']}/stream?streams=btcusdt@trade/btcusdt@depth@100ms"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            frames = [await socket.receive_json(timeout=10) for _ in range(40)]
    finally:
        await server.stop()

    assert {frame["stream"] for frame in frames} == {"btcusdt@trade", "btcusdt@depth@100ms"}
    times = [f["data"]["E"] for f in frames if f["data"]["e"] == "trade"]
    assert times == sorted(times)
    assert abs(times[-1] - time.time_ns() // MS) < 30_000


async def test_a_group_that_is_open_when_somebody_subscribes_is_told_when_it_is_over():
    async with open_desk() as desk:
        desk.trade(50_000, 0.01)
        client = await desk.connect("/market/ws/btcusdt@aggTrade")
        assert await client.heard() == []
        desk.now += 20 * MS
        desk.trade(50_000, 0.02)
        desk.advance(200)

        frames = await client.heard()
        assert [(each["e"], each["q"], each["f"], each["l"]) for each in frames] == [
            ("aggTrade", "0.030", 1, 2)
        ]

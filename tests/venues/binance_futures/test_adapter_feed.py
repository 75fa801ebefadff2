"""The live feed, against the exchange on a port and against answers that a test wrote."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import aclosing
from decimal import Decimal

import pytest

from holdfast.exchange import known_instrument
from holdfast.exchange.book import Book
from holdfast.feeds import FEEDS, FeedSettings, binance_futures
from holdfast.feeds.binance_futures import BinanceFuturesFeed
from holdfast.model.errors import ConfigError, NetworkError
from holdfast.model.market import BookDelta, BookSnapshot, MarkPrice, Quote, Trade
from holdfast.model.values import NS_PER_MS, NS_PER_S, Symbol
from holdfast.runtime.runner import LiveStrategyRunner
from holdfast.runtime.tally import FillTally
from holdfast.venues.binance_futures import streams
from holdfast.venues.binance_futures.depth_sync import DepthBooks
from holdfast.venues.binance_futures.market_watch import MarketWatch
from tests.runtime.runner_session import Recorder
from tests.venues.binance_futures.adapter_desk import BTC, PATIENCE_S, no_jitter, scripted
from tests.venues.binance_futures.adapter_street import street

MINUTE_NS = 60 * NS_PER_S
START_MS = 1_700_000_040_000  # a full minute, and two full fives of them before


QUOTE = json.dumps(
    {
        "e": "bookTicker", "u": 1, "E": 5, "T": 5, "s": "BTCUSDT", "ps": "BTCUSDT",
        "b": "1", "B": "2", "a": "3", "A": "4", "st": 1,
    }
)  # fmt: skip


def feed_of(url, *, books=False, **more):
    return BinanceFuturesFeed(FeedSettings(symbols=(BTC,), books=books), rest_url=url, **more)


def begun(url):
    """A feed that hears what a test hands it."""
    feed = feed_of(url)
    feed._watch = MarketWatch((BTC,), feed._tell_link, lambda: 0.0)
    return feed


def takes_all(feed):
    taken: list[object] = []

    def take(message):
        taken.append(message)
        return True

    feed.take = take
    return taken


async def first_of_each(feed, kinds):
    found: dict[type, object] = {}
    async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
        async for batch in batches:
            assert batch
            assert [m.ts for m in batch] == sorted(m.ts for m in batch)
            found |= {type(message): message for message in batch}
            if kinds <= set(found):
                return found
    raise AssertionError(f"only {found}")


def klines(count, minutes=1, start_ms=START_MS):
    length = minutes * 60_000
    return [
        [
            start_ms + n * length, "100", "110", "90", str(100 + n), "2",
            start_ms + (n + 1) * length - 1, "0", 3, "0", "0", "0",
        ]
        for n in range(count)
    ]  # fmt: skip


async def test_quotes_trades_and_marks_come_over_the_routed_paths():
    with street() as market:
        found = await first_of_each(feed_of(market.url), {Quote, Trade, MarkPrice})

    assert found[Quote].bid == pytest.approx(49_999.9)
    assert found[Trade].price == 50_000.0
    assert found[MarkPrice].mark_price == 50_000.0


async def test_feed_goes_on_after_a_lost_connection():
    with street() as market:
        feed = feed_of(market.url)
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            await anext(batches)
            market.goes_wrong("disconnect", "*", count=2)
            async for batch in batches:
                if market.fired() == 2 and any(isinstance(each, Trade) for each in batch):
                    break


async def test_feed_is_renewed_before_its_end_and_loses_nothing(monkeypatch):
    """Aggregates are counted one by one."""
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    monkeypatch.setattr(streams, "OVERLAP_S", 0.1)
    links = []
    with street() as market:
        feed = feed_of(market.url, lifetime_s=0.3)
        feed.on_link = lambda *link: links.append(link)
        trades: list[Trade] = []
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            async for batch in batches:
                trades += [each for each in batch if isinstance(each, Trade)]
                if len(trades) > 40:
                    break

    for earlier, later in itertools.pairwise(trades):
        assert later.trade_id == earlier.trade_id + 1
    assert links == []


async def test_lost_path_cuts_the_symbol_off_until_it_is_heard_again():
    links = []
    with street() as market:
        feed = feed_of(market.url)
        feed.on_link = lambda symbol, is_up, _: links.append((symbol, is_up))
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            await anext(batches)
            market.goes_wrong("disconnect", "*", count=1)
            async for _ in batches:
                if len(links) == 2:
                    break

    assert links == [(BTC, False), (BTC, True)]


async def test_silent_path_is_replaced_though_the_other_one_speaks(monkeypatch):
    """What is asked for on the wrong path is met with silence, not with an error."""
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    monkeypatch.setattr(binance_futures, "FIRST_S", 0.3)
    monkeypatch.setattr(binance_futures, "PUBLIC_KINDS", ("aggTrade",))
    links = []
    with street() as market:
        feed = feed_of(market.url)
        feed.on_link = lambda *link: links.append(link)
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            async for batch in batches:
                assert not any(isinstance(each, Quote) for each in batch)
                if links:
                    break

    assert links == [(BTC, False, "no public of BTCUSDT")]


async def test_books_are_whole_and_follow_without_a_gap():
    with street() as market:
        feed = feed_of(market.url, books=True)
        book: Book | None = None
        count = 0
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            async for batch in batches:
                for each in batch:
                    if isinstance(each, BookSnapshot):
                        book = Book(each)
                    elif isinstance(each, BookDelta):
                        assert book is not None
                        assert book.apply(each)
                        count += 1
                market.price(50_000.0 + count)
                if count > 3:
                    break

    assert book is not None
    assert next(book.bids.levels())[0] < next(book.asks.levels())[0]


def agg_trade(number, ms=5):
    told = {"e": "aggTrade", "E": ms, "s": "BTCUSDT", "a": number, "p": "1.5", "q": "2"}
    return json.dumps(
        {"stream": "btcusdt@aggTrade", "data": {**told, "f": 1, "l": 1, "T": ms, "m": True}}
    )


def mark(ms):
    told = {"e": "markPriceUpdate", "E": ms, "s": "BTCUSDT", "p": "1.5", "i": "1.5", "P": "1.5"}
    return json.dumps({**told, "r": "0.0001", "T": 0})


def quote(ms):
    return json.dumps({**json.loads(QUOTE), "E": ms, "T": ms})


async def test_trade_that_is_told_twice_is_shown_once():
    feed = begun("http://127.0.0.1:1")

    feed._hear(agg_trade(7))
    feed._hear(agg_trade(7))

    assert [trade.trade_id for trade in feed._batch] == [7]


async def test_a_venue_that_counts_its_trades_anew_after_a_restart_is_heard_at_once():
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    for number in (900, 901, 3):
        feed._hear(agg_trade(number))
    assert len(taken) == 2  # while nothing was lost, a lower number is a repeated one

    feed._lost(binance_futures.MARKET, (BTC,))
    feed._hear(agg_trade(3, ms=6))
    feed._hear(agg_trade(3, ms=7))

    assert [trade.trade_id for trade in taken] == [900, 901, 3]


async def test_trades_that_never_came_are_told_once_and_then_counted(caplog):
    feed = begun("http://127.0.0.1:9")
    for number in (7, 8, 11, 14):
        feed._hear(agg_trade(number))

    assert caplog.messages == ["market data of BTCUSDT: trades 9 to 10 never came"]


async def test_trades_missed_while_a_path_was_lost_are_no_gap_of_their_own(caplog):
    feed = begun("http://127.0.0.1:9")
    feed._hear(agg_trade(7))

    feed._lost(binance_futures.MARKET, (BTC,))
    feed._hear(agg_trade(11))

    assert not any("never came" in text for text in caplog.messages)


async def test_a_gap_is_told_though_the_connection_of_other_symbols_was_lost(caplog):
    feed = begun("http://127.0.0.1:9")
    feed._hear(agg_trade(7))

    feed._lost(binance_futures.MARKET, ())
    feed._hear(agg_trade(11))

    assert caplog.messages == ["market data of BTCUSDT: trades 8 to 10 never came"]


async def test_what_a_new_connection_tells_again_is_shown_once():
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    first = [agg_trade(8, ms=7), agg_trade(9, ms=8), quote(7), quote(8), mark(7), mark(8)]
    for frame in first:
        feed._hear(frame)
    shown = list(taken)

    feed._lost(binance_futures.MARKET, (BTC,))
    feed._lost(binance_futures.PUBLIC, (BTC,))
    for frame in first:
        feed._hear(frame)
    assert taken == shown
    for frame in (agg_trade(10, ms=9), quote(9), mark(9)):
        feed._hear(frame)

    assert [each.ts for each in taken[len(shown) :]] == [9 * 10**6] * 3


async def test_the_next_trade_of_the_same_millisecond_is_shown_behind_a_lost_connection():
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    feed._hear(agg_trade(7, ms=8))
    feed._lost(binance_futures.MARKET, (BTC,))

    feed._hear(agg_trade(8, ms=8))

    assert [each.trade_id for each in taken] == [7, 8]


async def test_what_was_told_before_a_venue_counted_anew_goes_on_nowhere():
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    for frame in (agg_trade(2, ms=7), agg_trade(3, ms=8)):
        feed._hear(frame)
    feed._lost(binance_futures.MARKET, (BTC,))
    for frame in (agg_trade(1, ms=20), agg_trade(2, ms=21)):  # it has lost its memory
        feed._hear(frame)

    feed._lost(binance_futures.MARKET, (BTC,))
    for frame in (agg_trade(3, ms=8), agg_trade(3, ms=22)):
        feed._hear(frame)

    assert [each.ts for each in taken] == [each * 10**6 for each in (7, 8, 20, 21, 22)]


async def test_a_venue_that_counts_anew_is_believed_though_a_dead_connection_spoke_once_more():
    """What it repeats had ended the loss; then all of the new count was taken for the old."""
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    for number in (8, 9):
        feed._hear(agg_trade(number, ms=number))
    feed._lost(binance_futures.MARKET, (BTC,))
    feed._hear(agg_trade(10, ms=10))  # the old one, before it broke off
    for number, ms in ((1, 9_600), (2, 12_000)):
        feed._hear(agg_trade(number, ms=ms))

    assert [each.ts // 10**6 for each in taken] == [8, 9, 10, 9_600, 12_000]


async def test_what_was_told_before_a_path_was_lost_does_not_bring_a_symbol_back():
    feed = begun("http://127.0.0.1:9")
    takes_all(feed)
    links = []
    feed.on_link = lambda _, is_up, _reason: links.append(is_up)
    for frame in (agg_trade(9), mark(5)):
        feed._hear(frame)

    feed._lost(binance_futures.MARKET, (BTC,))
    for frame in (agg_trade(9), mark(5)):
        feed._hear(frame)
    assert links == [False]
    feed._hear(mark(6))

    assert links == [False, True]


def change(first, final):
    told = {"e": "depthUpdate", "E": 8, "T": 8, "s": "BTCUSDT", "U": first, "u": final}
    return json.dumps({**told, "pu": first - 1, "b": [["0.5", "1"]], "a": []})


def book_at(number):
    sides = {"bids": ((1.0, 2.0),), "asks": ((3.0, 4.0),)}
    return BookSnapshot(symbol=BTC, ts=9 * 10**6, last_update_id=number, **sides)


def lost_book():
    """A feed with a book whose connection is lost, and what it tells of that."""
    feed, links = begun("http://127.0.0.1:9"), []
    feed._books = DepthBooks((BTC,), feed._asker(None), feed._show_book, no_jitter)
    feed.on_link = lambda _, is_up, _reason: links.append(is_up)
    for frame in (quote(5), change(12, 14)):
        feed._hear(frame)
    feed._lost(binance_futures.PUBLIC, (BTC,))
    return feed, links


async def test_a_change_deep_in_the_book_does_not_bring_a_lost_symbol_back():
    """The best bid and ask may be others than before, and nobody has said which."""
    feed, links = lost_book()
    feed._hear(change(15, 20))
    assert links == [False]
    feed._hear(quote(9))

    assert links == [False, True]


async def test_a_book_that_lacks_the_first_change_does_not_bring_a_lost_symbol_back():
    """That change may be of before the connection: the quote that went with it was not heard."""
    feed, links = lost_book()
    feed._hear(change(15, 20))
    feed._show_book(book_at(19))
    assert links == [False]
    feed._show_book(book_at(20))

    assert links == [False, True]


@pytest.mark.parametrize("frames", [[quote(100_000), quote(5)], [mark(100_000), mark(5)]])
async def test_a_venue_whose_clock_was_put_right_is_heard_after_a_lost_connection(frames):
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    feed._hear(frames[0])

    feed._lost(binance_futures.MARKET, (BTC,))
    feed._lost(binance_futures.PUBLIC, (BTC,))
    feed._hear(frames[1])

    assert [each.ts for each in taken] == [100_000 * 10**6, 5 * 10**6]


LATER_MS = 120_000


@pytest.mark.parametrize(
    "frames",
    [
        [quote(LATER_MS), quote(5)],
        [mark(LATER_MS), mark(5)],
        [agg_trade(2**60, ms=5), agg_trade(7, ms=LATER_MS)],
    ],
    ids=["quote", "mark", "trade"],
)
async def test_one_wrong_time_or_number_does_not_silence_a_symbol_for_good(frames):
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    for frame in frames:
        feed._hear(frame)

    assert len(taken) == 2


async def test_time_that_can_not_be_is_not_shown():
    feed = begun("http://127.0.0.1:9")
    taken = takes_all(feed)
    for frame in (quote(10**16), mark(-1), agg_trade(7, ms=10**16)):
        feed._hear(frame)

    assert not taken


async def test_frame_that_can_not_be_read_stops_nothing():
    feed = begun("http://127.0.0.1:1")

    feed._hear('{"e":"trade"')
    feed._hear('{"result":null,"id":1}')

    assert feed._batch == []


async def test_symbol_that_nobody_asked_for_is_not_shown_and_leaves_nothing_behind():
    feed = begun("http://127.0.0.1:1")
    taken = takes_all(feed)

    for number in range(100):
        feed._hear(QUOTE.replace("BTCUSDT", f"X{number}USDT"))
    feed._hear(QUOTE)

    assert [each.symbol for each in taken] == [BTC]
    assert len(feed._repeats._last) == 1


async def test_thousands_of_unreadable_frames_are_one_warning_and_then_a_number(caplog):
    feed = begun("http://127.0.0.1:1")

    for _ in range(5000):
        feed._hear('{"e":"trade"')

    assert len(caplog.records) == 1
    assert "a stream's frame can't be read" in caplog.text


async def test_message_is_taken_in_the_call_in_which_it_was_received():
    feed = begun("http://127.0.0.1:1")
    taken = takes_all(feed)

    feed._hear(QUOTE)

    assert [type(each) for each in taken] == [Quote]
    assert feed._batch == []


async def test_message_waits_behind_those_that_were_not_taken():
    feed = begun("http://127.0.0.1:1")
    feed._hear(QUOTE)
    taken = takes_all(feed)
    feed._hear(QUOTE)

    assert taken == []
    assert len(feed._batch) == 2


async def test_reader_that_does_not_keep_up_is_told(monkeypatch):
    monkeypatch.setattr(binance_futures, "WAITING_MAX", 0)
    with street() as market:
        async with asyncio.timeout(PATIENCE_S), aclosing(feed_of(market.url).messages()) as batches:
            with pytest.raises(NetworkError, match="does not keep up"):
                await anext(batches)


async def test_feed_that_is_read_again_cuts_symbols_off_until_they_are_heard_again():
    links = []
    with street() as market:
        feed = feed_of(market.url, books=True)
        feed.on_link = lambda symbol, is_up, _: links.append((symbol, is_up))
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            await anext(batches)
        assert links == []

        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            async for _ in batches:
                if len(links) == 2:
                    break

    assert links == [(BTC, False), (BTC, True)]


async def test_venue_that_is_not_there_is_a_network_error(monkeypatch):
    monkeypatch.setattr(binance_futures, "OPEN_PATIENCE_S", 0.2)
    feed = feed_of("http://127.0.0.1:1")
    with pytest.raises(NetworkError):
        await anext(feed.messages())
    with pytest.raises(NetworkError):
        await feed.fetch_history([(BTC, "1m", 5)], 10**18)
    with pytest.raises(NetworkError):
        await asyncio.to_thread(feed.history, BTC, "1m", 10**18, 5)


async def test_streams_that_do_not_open_say_why(monkeypatch):
    monkeypatch.setattr(binance_futures, "OPEN_PATIENCE_S", 0.2)
    async with scripted() as server:
        with pytest.raises(NetworkError, match=r"did not open in 0.2 s: HTTP \d\d\d"):
            await anext(feed_of(server.url).messages())


async def test_contracts_are_told_anew_without_a_key_their_margin_tables_and_fees_as_they_were():
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.50"},
        {"filterType": "LOT_SIZE", "minQty": "0.002", "maxQty": "10", "stepSize": "0.002"},
    ]
    row = {"symbol": BTC, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
    script = {"GET__/fapi/v1/exchangeInfo": [(200, {"symbols": [{**row, "filters": filters}]})]}
    known = known_instrument(BTC)
    assert known is not None
    async with scripted(**script) as server:
        [made] = await feed_of(server.url).fetch_listed([known])

    assert (made.tick, made.lot, made.max_qty) == (Decimal("0.5"), Decimal("0.002"), 10)
    assert (made.brackets, made.taker_fee) == (known.brackets, known.taker_fee)
    assert len(server.requests) == 1


async def test_history_is_the_venues_closed_bars_under_the_name_that_was_asked_for():
    async with scripted(**{"GET__/fapi/v1/klines": [(200, klines(3))]}) as server:
        before = (START_MS + 3 * 60_000 + 5) * 10**6
        bars = await asyncio.to_thread(feed_of(server.url).history, BTC, "60s", before, 3)

    assert [(bar.timeframe, bar.close) for bar in bars] == [("60s", c) for c in (100, 101, 102)]
    assert all(bar.ts - bar.open_ts == MINUTE_NS for bar in bars)
    assert server.requests[0][2]["interval"] == "1m"


async def test_time_frame_that_the_venue_lacks_is_built_of_smaller_bars():
    rows = klines(10, start_ms=START_MS - 240_000)
    async with scripted(**{"GET__/fapi/v1/klines": [(200, rows)]}) as server:
        until = (START_MS + 360_000) * 10**6
        bars = await asyncio.to_thread(feed_of(server.url).history, BTC, "2m", until, 5)

    assert server.requests[0][2]["limit"] == "10"
    assert [bar.close for bar in bars] == [101, 103, 105, 107, 109]
    assert {bar.volume for bar in bars} == {4.0}


async def test_history_leaves_out_the_minutes_without_trades():
    rows = klines(5, start_ms=START_MS - START_MS % 120_000)
    for row in (rows[0], *rows[2:4]):
        row[5], row[8] = "0", 0
        row[2] = row[3] = row[4] = row[1]
    async with scripted(**{"GET__/fapi/v1/klines": [(200, rows), (200, rows)]}) as server:
        until, feed = (rows[-1][6] + 1) * 10**6, feed_of(server.url)
        minutes = await asyncio.to_thread(feed.history, BTC, "1m", until, 5)
        pairs = await asyncio.to_thread(feed.history, BTC, "2m", until - 60 * NS_PER_S, 2)

        assert [bar.open_ts // NS_PER_MS for bar in minutes] == [rows[1][0], rows[4][0]]
        assert [bar.open_ts // NS_PER_MS for bar in pairs] == [rows[0][0]]  # all of it was told


async def test_fetched_history_is_handed_out_once_without_another_question():
    before = (START_MS + 3 * 60_000) * 10**6
    async with scripted(**{"GET__/fapi/v1/klines": [(200, klines(3))]}) as server:
        feed = feed_of(server.url)
        await feed.fetch_history([(BTC, "1m", 3)], before)
        bars = feed.history(BTC, "1m", before, 3)

        assert [bar.close for bar in bars] == [100, 101, 102]
        assert len(server.requests) == 1
        await asyncio.to_thread(feed.history, BTC, "1m", before, 3)
        assert len(server.requests) == 2


async def test_what_two_strategies_are_warmed_up_with_is_asked_for_once_and_before_they_begin():
    """A question in `begin` would keep the loop, and with it a session that trades, waiting."""
    async with scripted(**{"GET__/fapi/v1/klines": [(200, klines(3))]}) as server:
        feed, runner = feed_of(server.url), LiveStrategyRunner()
        recorders = [Recorder("1m", warmup=3) for _ in range(3)]
        for number, recorder in enumerate(recorders):
            runner.add_strategy(f"r{number}", recorder)
        before = (START_MS + 3 * 60_000) * 10**6
        await runner.fetch_history(feed, (BTC,), before)
        asked = len(server.requests)
        await asyncio.to_thread(runner.begin, (BTC,), feed, before, print, FillTally())
        runner.end("over")

    assert [[bar.close for bar in each.history] for each in recorders] == [[100, 101, 102]] * 3
    assert len(server.requests) == asked == 1


async def test_a_question_for_other_bars_leaves_what_was_fetched_up_to_the_same_time():
    before = (START_MS + 3 * 60_000) * 10**6
    async with scripted(**{"GET__/fapi/v1/klines": [(200, klines(3))]}) as server:
        feed = feed_of(server.url)
        await feed.fetch_history([(BTC, "1m", 3)], before)
        await asyncio.to_thread(feed.history, BTC, "1m", before, 2)

        assert len(feed.history(BTC, "1m", before, 3)) == 3
        assert len(server.requests) == 2
        await feed.fetch_history([(BTC, "1m", 2)], before + 1)
        assert {until for _, until in feed._fetched} == {before + 1}


async def test_history_waits_as_long_as_a_limited_venue_says():
    limited = (429, {"code": -1003, "msg": "Too many requests."}, {"Retry-After": "1"})
    script = {"GET__/fapi/v1/klines": [limited, (200, klines(3))]}
    async with scripted(**script) as server:
        feed = feed_of(server.url)
        began = asyncio.get_running_loop().time()
        await feed.fetch_history([(BTC, "1m", 3)], (START_MS + 180_000) * 10**6)

        assert asyncio.get_running_loop().time() - began >= 1.0
        assert len(server.requests) == 2


async def test_there_is_no_history_below_a_minute():
    assert feed_of("http://127.0.0.1:1").history(BTC, "5s", 10**18, 100) == []


async def test_contracts_are_asked_for():
    with street() as market:
        (instrument,) = await asyncio.to_thread(feed_of(market.url).instruments)

    assert instrument.symbol == BTC
    assert instrument.tick > 0


def test_feeds_are_listed_by_name():
    feed = FEEDS["binance_futures"](FeedSettings(symbols=(BTC,)))

    assert (feed.name, feed.is_live) == ("binance_futures", True)
    assert "binance_futures_testnet" in FEEDS


def test_too_many_symbols_are_refused():
    many = tuple(Symbol(f"S{n}USDT") for n in range(501))
    with pytest.raises(ConfigError, match="500"):
        BinanceFuturesFeed(FeedSettings(symbols=many))

"""More symbols than one connection's address can name."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from holdfast.exchange_server import ServerSettings, create_server
from holdfast.feeds import FeedSettings, binance_futures
from holdfast.feeds.binance_futures import SYMBOLS_MAX, BinanceFuturesFeed
from holdfast.model.market import MarkPrice, Quote
from holdfast.model.values import Symbol
from holdfast.venues.binance_futures.net import NetWire
from tests.venues.binance_futures.adapter_desk import PATIENCE_S
from tests.venues.binance_futures.adapter_exchange import Town

ADDRESS_MAX = 8_000
"""Bytes of a request's first line that servers and proxies of the field still take."""

LONG_NAMES = tuple(Symbol(f"1000000LONG{n:03d}USDT") for n in range(SYMBOLS_MAX))


async def test_no_address_is_longer_than_servers_take(monkeypatch):
    made: list[str] = []
    monkeypatch.setattr(binance_futures, "_Address", made.append)
    wire = NetWire()
    feed = BinanceFuturesFeed(FeedSettings(symbols=LONG_NAMES, books=True))
    for group in binance_futures._groups(LONG_NAMES):
        for path in (binance_futures.PUBLIC, binance_futures.MARKET):
            feed._stream(wire, path, group, 1.0)
    await wire.close()

    assert max(map(len, made)) < ADDRESS_MAX
    named = [name for address in made for name in address.partition("=")[2].split("/")]
    assert len(named) == len(set(named)) == 4 * SYMBOLS_MAX


def feed_of(symbols, url):
    return BinanceFuturesFeed(FeedSettings(symbols=symbols), rest_url=url)


async def test_every_one_of_many_symbols_is_heard():
    symbols = LONG_NAMES[: 2 * binance_futures.GROUP + 10]
    server = create_server(
        ServerSettings(feed=FeedSettings(source="none"), symbols=symbols, strict_routing=True)
    )
    await server.start()
    town = Town(server)
    feed = feed_of(symbols, server.urls["rest"])
    quoted, marked = set(), set()

    async def show():
        while True:
            for symbol in symbols:
                town.price(1.0, symbol=symbol)
            await asyncio.sleep(0.5)

    showing = asyncio.create_task(show())
    try:
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.messages()) as batches:
            async for batch in batches:
                quoted |= {each.symbol for each in batch if isinstance(each, Quote)}
                marked |= {each.symbol for each in batch if isinstance(each, MarkPrice)}
                if quoted == marked == set(symbols):
                    break
    finally:
        showing.cancel()
        await server.stop()


@pytest.mark.parametrize("count", [1, 2, 100, 101, 201, 399, 500])
def test_no_symbol_is_left_with_a_connection_that_is_silent_when_it_is(count):
    """A quiet one alone would be taken for lost every minute; others keep its connection alive."""
    groups = binance_futures._groups(LONG_NAMES[:count])

    assert [symbol for group in groups for symbol in group] == list(LONG_NAMES[:count])
    sizes = [len(group) for group in groups]
    assert max(sizes) <= binance_futures.GROUP
    assert max(sizes) - min(sizes) < len(groups)
    assert len(groups) == (count + binance_futures.GROUP - 1) // binance_futures.GROUP

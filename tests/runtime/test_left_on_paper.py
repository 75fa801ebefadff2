"""A contract that the settings leave out, with something open in it on a simulated account."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from holdfast.exchange import known_instrument
from holdfast.model.commands import SubmitOrder
from holdfast.model.errors import ConfigError
from holdfast.model.instrument import TRADING, UNLISTED
from holdfast.model.market import Trade
from holdfast.model.values import ClOrdId, NewOrder, OrderType, Side, Symbol
from holdfast.runtime.accounts import close_all
from holdfast.runtime.assembly import assemble
from holdfast.venues import PaperVenue, paper_path
from holdfast.venues.binance_futures import market_history
from tests.runtime.session_desk import BTC, ETH, START, ScriptedFeed, config_in

SOL, XRP = Symbol("SOLUSDT"), Symbol("XRPUSDT")
FLAT, ORDER = Decimal(0), Decimal("0.2")


async def leave(folder, qty=ORDER, *, rests=False, symbol=ETH):
    """Leave a position, or an order, in a contract in an account's books."""
    venue = PaperVenue(path=paper_path(folder))
    await venue.connect([BTC, symbol], lambda _: None)
    venue.on_market(Trade(symbol=symbol, ts=START, price=2_500.0, qty=100.0))
    for number, (side, size) in enumerate([(Side.BUY, ORDER), (Side.SELL, ORDER - qty)]):
        order = NewOrder(
            cl_ord_id=ClOrdId(f"o{number}"),
            symbol=symbol,
            side=side,
            qty=size,
            price=Decimal(2_000) if rests else None,
            order_type=OrderType.LIMIT if rests else OrderType.MARKET,
        )
        if size and not (rests and side is Side.SELL):
            venue.submit(SubmitOrder(order=order, ts=venue.time, recv_window_ns=10**10))
    await venue.close()


async def assembled(folder, feed=None, *, symbols=(BTC,), source=None):
    live = {} if source is None else {"feed": source, "speed": 1, "dry_run": True}
    parts = await assemble(config_in(folder, **live), symbols, feed=feed)
    venue = parts.venues[0]
    assert isinstance(venue, PaperVenue)
    shown = [each.symbol for each in parts.feed.instruments()]
    listed = [each.symbol for each, _ in await venue.connect(list(parts.symbols), lambda _: None)]
    relisted = [each.symbol for each in venue.contracts()]
    traded = parts.symbols, *parts.symbols_of.values()
    await close_all(parts.venues)
    parts.journal.close()
    return shown, listed, relisted, traded


@pytest.mark.parametrize("rests", [False, True])
async def test_it_is_shown_and_listed_and_not_traded(tmp_path, rests):
    await leave(tmp_path, rests=rests)

    shown, listed, relisted, traded = await assembled(tmp_path)

    assert shown == listed == [BTC, ETH]
    assert sorted(relisted) == [BTC, ETH]
    assert traded == ((BTC,), (BTC,))


async def test_what_is_closed_is_neither_shown_nor_listed(tmp_path):
    await leave(tmp_path, FLAT)

    shown, listed, *_ = await assembled(tmp_path)

    assert shown == listed == [BTC]


async def test_where_it_cannot_be_shown_the_session_does_not_begin(tmp_path):
    await leave(tmp_path)

    with pytest.raises(ConfigError, match="ETHUSDT"):
        await assembled(tmp_path, ScriptedFeed([BTC]))

    assert (await assembled(tmp_path, ScriptedFeed([BTC, ETH])))[0] == [BTC, ETH]


class Listing(ScriptedFeed):
    """A market that is asked for its list anew, and has a contract in another way than was known."""

    status = UNLISTED

    async def fetch_listed(self, known):
        return [msgspec.structs.replace(each, status=self.status) for each in known]


async def test_a_contract_that_the_market_has_no_more_is_settled_by_its_list(tmp_path):
    await leave(tmp_path)

    shown, listed, *_ = await assembled(tmp_path, Listing([BTC], is_live=True))

    assert (shown, listed) == ([BTC], [BTC, ETH])


@pytest.mark.parametrize("status", [TRADING, "BREAK"])
async def test_a_contract_that_a_live_market_has_and_does_not_show_is_not_left_alone(
    tmp_path, status
):
    """Nobody subscribed to it: its stop would wait for ever, and no list would settle it."""
    await leave(tmp_path)
    feed = Listing([BTC], is_live=True)
    feed.status = status

    with pytest.raises(ConfigError, match="ETHUSDT"):
        await assembled(tmp_path, feed)


async def test_without_symbols_it_is_shown_beside_what_the_synthetic_market_shows(tmp_path):
    await leave(tmp_path, symbol=XRP)

    shown, listed, _, traded = await assembled(tmp_path, symbols=())

    assert shown == [BTC, ETH, SOL, XRP]
    assert XRP in listed
    assert traded == ((BTC, ETH, SOL), (BTC, ETH, SOL))


async def test_without_symbols_it_is_shown_beside_what_the_live_market_shows(tmp_path, monkeypatch):
    async def listed_there(asker, symbols):
        return [known_instrument(symbol) for symbol in symbols]

    monkeypatch.setattr(market_history, "instruments", listed_there)
    await leave(tmp_path, symbol=SOL)

    shown, listed, _, traded = await assembled(tmp_path, symbols=(), source="binance_futures")

    assert shown == [BTC, ETH, SOL]
    assert SOL in listed
    assert traded == ((BTC, ETH), (BTC, ETH))


async def test_a_halted_contract_that_is_subscribed_to_is_no_reason_not_to_begin(
    tmp_path, monkeypatch
):
    async def listed_there(asker, symbols):
        return [known_instrument(symbol) for symbol in symbols if symbol != SOL]

    monkeypatch.setattr(market_history, "instruments", listed_there)
    await leave(tmp_path, symbol=SOL)

    shown, listed, *_ = await assembled(tmp_path, symbols=(), source="binance_futures")

    assert shown == [BTC, ETH]
    assert SOL in listed


def test_books_that_nobody_can_read_are_told_by_who_opens_them(tmp_path):
    paper_path(tmp_path).write_text("no books")

    with pytest.raises(ConfigError, match="paper books"):
        asyncio.run(assemble(config_in(tmp_path), [BTC]))

"""A contract that the settings leave out, with something open in it on a simulated account."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from holdfast.model.commands import SubmitOrder
from holdfast.model.errors import ConfigError
from holdfast.model.market import Trade
from holdfast.model.values import ClOrdId, NewOrder, OrderType, Side
from holdfast.runtime.accounts import close_all
from holdfast.runtime.assembly import assemble
from holdfast.venues import PaperVenue, paper_path
from tests.runtime.session_desk import BTC, ETH, START, ScriptedFeed, config_in

FLAT, ORDER = Decimal(0), Decimal("0.2")


async def leave(folder, qty=ORDER, *, rests=False):
    """Leave a position, or an order, in ETHUSDT in an account's books."""
    venue = PaperVenue(path=paper_path(folder))
    await venue.connect([BTC, ETH], lambda _: None)
    venue.on_market(Trade(symbol=ETH, ts=START, price=2_500.0, qty=100.0))
    for number, (side, size) in enumerate([(Side.BUY, ORDER), (Side.SELL, ORDER - qty)]):
        order = NewOrder(
            cl_ord_id=ClOrdId(f"o{number}"),
            symbol=ETH,
            side=side,
            qty=size,
            price=Decimal(2_000) if rests else None,
            order_type=OrderType.LIMIT if rests else OrderType.MARKET,
        )
        if size and not (rests and side is Side.SELL):
            venue.submit(SubmitOrder(order=order, ts=venue.time, recv_window_ns=10**10))
    await venue.close()


async def assembled(folder, feed=None):
    parts = await assemble(config_in(folder), [BTC], feed=feed)
    venue = parts.venues[0]
    assert isinstance(venue, PaperVenue)
    shown = [each.symbol for each in parts.feed.instruments()]
    listed = [each.symbol for each, _ in await venue.connect([BTC], lambda _: None)]
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
    """A market that is asked for its list anew, and has a contract no more."""

    async def fetch_listed(self, known):
        return [each for each in known if each.symbol in self.symbols]


async def test_a_contract_that_the_market_has_no_more_is_settled_by_its_list(tmp_path):
    await leave(tmp_path)

    shown, listed, *_ = await assembled(tmp_path, Listing([BTC], is_live=True))

    assert (shown, listed) == ([BTC], [BTC, ETH])


def test_books_that_nobody_can_read_are_told_by_who_opens_them(tmp_path):
    paper_path(tmp_path).write_text("no books")

    with pytest.raises(ConfigError, match="paper books"):
        asyncio.run(assemble(config_in(tmp_path), [BTC]))

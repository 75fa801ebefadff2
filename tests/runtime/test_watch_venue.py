"""The venue's books as a watcher reads them, over real sockets."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from aiohttp import web

from holdfast.model.config import TradingConfig
from holdfast.model.errors import VenueError
from holdfast.model.values import Symbol
from holdfast.runtime.watch_venue import BinanceFuturesView
from holdfast.venues.binance_futures import asking
from tests.venues.binance_futures.adapter_desk import listening

BTC, GONE = Symbol("BTCUSDT"), Symbol("GONEUSDT")
HELD = {"symbol": "BTCUSDT", "positionAmt": "0.5", "entryPrice": "1", "positionSide": "BOTH"}
ORDER = {"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "a", "status": "NEW", "side": "BUY"}


class Venue:
    """A venue that has what a test says."""

    def __init__(self):
        self.lists = {"positionRisk": [HELD], "openOrders": [ORDER], "openAlgoOrders": []}

    async def answer(self, request):
        what = request.path.rsplit("/", 1)[-1]
        if request.query.get("symbol") == GONE:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        made = {
            "time": {"serverTime": time.time_ns() // 10**6},
            "accountConfig": {"dualSidePosition": False},
            "account": {"assets": [{"asset": "USDT", "walletBalance": "7"}]},
        }
        return web.json_response(made.get(what) or self.lists[what])


@pytest.fixture
async def seen(monkeypatch):
    """Return a venue, and what looks at it."""
    monkeypatch.setattr(asking, "SECOND_LOOK_S", 0.01)
    venue, views = Venue(), []

    async def look(*symbols):
        async with listening(venue.answer) as port:
            view = BinanceFuturesView(
                TradingConfig(
                    venue="binance_futures",
                    watch_api_key="w1234567",
                    watch_api_secret="own",
                    rest_url=f"http://127.0.0.1:{port}",
                )
            )
            views.append(view)
            await view.open()
            return await view.look(symbols)

    yield venue, look
    for view in views:
        await view.close()


async def test_a_contract_that_the_venue_lists_no_more_blinds_nobody(seen):
    _, look = seen

    found = await look(BTC, GONE)

    assert (found.positions, found.balances) == ({BTC: Decimal("0.5")}, {"USDT": Decimal(7)})
    assert [order.cl_ord_id for order in found.orders] == ["a"]


async def test_an_odd_row_of_a_contract_that_is_not_ours_blinds_nobody(seen):
    venue, look = seen
    venue.lists["positionRisk"] = [HELD, {**HELD, "symbol": "ODDUSDT", "positionAmt": "-"}]

    assert (await look(BTC)).positions == {BTC: Decimal("0.5")}
    venue.lists["positionRisk"] = [{**HELD, "positionAmt": "-"}]
    with pytest.raises(VenueError, match="can't be read"):
        await look(BTC)

"""What a lot that grows under a position leaves of it, at the other venue."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.messages import CloseRequest
from holdfast.model.values import MAIN, Symbol
from holdfast.venues.binance_futures import contract_list
from tests.other_venue.street import BTC
from tests.other_venue.test_depth import deep, is_protected


@pytest.mark.parametrize("way", ["stopped", "closed above", "closed below"])
async def test_what_is_too_small_to_trade_is_guarded_and_closed_whichever_way_the_price_goes(
    tmp_path, monkeypatch, way
):
    monkeypatch.setattr(contract_list, "EVERY_S", 0.2)
    monkeypatch.setattr(contract_list, "OFF_EVERY_S", 0.2)
    async with deep(tmp_path, "other_child_names", "backwards") as (market, one):
        books = market.venue.books
        await one.service.place_order(BTC, "BUY", "0.015", stop_loss="49000")
        await one.until(lambda: is_protected(market))
        await one.agree()
        market.call(lambda: books.contracts[BTC].update(lot=Decimal("0.01")))
        instruments = one.service.live.engine.core.state.instruments
        await one.until(lambda: instruments[MAIN, BTC].lot == Decimal("0.01"))
        await one.service.close_position(BTC)
        assert market.books()[1] == {BTC: Decimal("0.005")}
        await one.until(lambda: [each.qty for each in books.open_algos()] == [0])
        await one.agree()
        if way != "stopped":
            one.service.live.shell.ask(CloseRequest(symbol=Symbol(BTC)))
            await one.until(lambda: len(books.open_algos()) == 2)
            await one.agree()
        market.price({"stopped": 48_900, "closed above": 50_100, "closed below": 49_900}[way])
        await one.until(lambda: market.books()[1:] == ({}, []))

"""A contract that did not trade when a session started, and then does."""

from __future__ import annotations

from contextlib import asynccontextmanager

import msgspec
import pytest

from holdfast.model.instrument import NOT_SET_UP
from holdfast.model.values import Symbol
from holdfast.venues.binance_futures import codec, joining
from holdfast.venues.binance_futures.contract_list import ContractList
from holdfast.venues.binance_futures.settings import BinanceSettings
from tests.venues.binance_futures.adapter_desk import BTC, desk, scripted
from tests.venues.binance_futures.test_contracts import info, symbol

LATE = Symbol("LATEUSDT")


def row(symbol_, leverage, margin="CROSSED"):
    return {"symbol": symbol_, "leverage": leverage, "marginType": margin}


@asynccontextmanager
async def late_contract(monkeypatch, *answers, first="PENDING_TRADING", then=("TRADING",)):
    monkeypatch.setattr(joining, "SECOND_LOOK_S", 0.01)
    looks = [
        {"rateLimits": [], "symbols": [symbol(), symbol(symbol=LATE, status=each)]} for each in then
    ]
    script = {
        "GET__/fapi/v1/exchangeInfo": [(200, each) for each in looks],
        "GET__/fapi/v1/leverageBracket": [(200, [])],
        "GET__/fapi/v1/symbolConfig": [(200, [row(BTC, 5), row(LATE, 20, "ISOLATED")])],
        "GET__/fapi/v3/positionRisk": [(200, [])],
        "POST__/fapi/v1/marginType": [(200, {"code": 200, "msg": "success"})],
        "POST__/fapi/v1/leverage": list(answers),
    }
    told: list[tuple[str, str, int]] = []
    now = info(symbol(), symbol(symbol=LATE))
    btc, late = (codec.instrument(codec.contract(now, each)) for each in (BTC, LATE))
    known = {BTC: (btc, 5), LATE: (msgspec.structs.replace(late, status=first), 5)}
    async with scripted(**script) as server, desk(server.url) as one:
        contracts = ContractList(
            one.asker,
            lambda made, leverage: told.append((made.symbol, made.status, leverage)),
            BinanceSettings(leverage=5),
        )
        contracts._known = known
        yield contracts, told, lambda: [path for verb, path, _ in server.requests if verb == "POST"]


SET_TO_5 = (200, {"leverage": 5, "symbol": LATE})
POSTS = ["/fapi/v1/marginType", "/fapi/v1/leverage"]


async def test_a_contract_that_begins_to_trade_is_set_up_before_it_is_listed(monkeypatch):
    async with late_contract(monkeypatch, SET_TO_5) as (contracts, told, posts):
        await contracts.refresh()
        await contracts.refresh()

    assert told == [(BTC, "TRADING", 5), (LATE, "TRADING", 5)] * 2
    assert posts() == POSTS


@pytest.mark.parametrize("first", ["PENDING_TRADING", "BREAK"])
@pytest.mark.parametrize("answer", ["declined", "hang"])
async def test_a_contract_that_can_not_be_set_up_yet_can_be_closed(
    monkeypatch, caplog, answer, first
):
    """What is open there must have its stop; nothing more is opened."""
    monkeypatch.setattr(joining, "SET_UP_S", 1.0)
    why = {"declined": "max leverage limit is 3x", "hang": "no answer within 1 s"}[answer]
    refused = (400, {"code": -4209, "msg": why}) if answer == "declined" else "hang"
    late = late_contract(monkeypatch, refused, SET_TO_5, first=first)
    async with late as (contracts, told, _):
        await contracts.refresh()
        assert told == [(BTC, "TRADING", 5), (LATE, NOT_SET_UP, 5)]
        made, _ = contracts._known[LATE]
        assert (made.can_be_closed, made.is_trading) == (True, False)
        await contracts.refresh()

    assert told[2:] == [(BTC, "TRADING", 5), (LATE, "TRADING", 5)]
    assert why in caplog.text


async def test_a_contract_that_traded_at_the_start_is_not_set_up_once_more(monkeypatch):
    """What somebody has set since is told of, and left."""
    then = ("BREAK", "BREAK", "TRADING")
    late = late_contract(monkeypatch, SET_TO_5, first="TRADING", then=then)
    async with late as (contracts, told, posts):
        await contracts.refresh()
        await contracts.refresh()

    assert told[1::2] == [(LATE, "BREAK", 5), (LATE, "TRADING", 5)]
    assert posts() == []

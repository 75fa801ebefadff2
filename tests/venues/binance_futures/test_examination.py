"""The doors that are knocked at before a session: what is said of them."""

from __future__ import annotations

import time

import pytest

from holdfast.model.config import TradingConfig
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures.examination import _Doors
from holdfast.venues.binance_futures.net import NetWire
from holdfast.venues.binance_futures.sign import Credentials
from holdfast.venues.findings import Health
from holdfast.venues.wiring import Wiring
from tests.venues.binance_futures.adapter_desk import BTC, KEY, SECRET, scripted
from tests.venues.binance_futures.test_contracts import symbol

LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"listenKey": [LISTEN_KEY]}, "can't be read"),
        ({"listenKey": ""}, "names no listen key"),
        ({}, "names no listen key"),
    ],
)
async def test_private_stream_without_a_key_is_told_and_shows_none(told, why):
    """Without one it opens too, answers pings, and is silent for ever."""
    wire = NetWire()
    async with scripted(**{"POST__/fapi/v1/listenKey": [(200, told)]}) as server:
        config = TradingConfig(rest_url=server.url)
        wiring = Wiring(config=config, clock=WallClock(), symbols=(BTC,), instruments=lambda: ())
        doors = _Doors(wiring, wire)
        doors._credentials = Credentials(KEY, SECRET)
        doors._asker = doors._ask_with(doors._credentials)
        found = await doors._private_stream()
    await wire.close()

    assert found.health is Health.FAILED
    assert why in found.told
    assert LISTEN_KEY not in f"{found}"


@pytest.mark.parametrize(("hours", "health"), [(12, Health.WARNING), (48, Health.OK)])
async def test_a_contract_that_ends_soon_is_warned_of(hours, health):
    ends = symbol(deliveryDate=int((time.time() + hours * 3600) * 1000))
    wire = NetWire()
    async with scripted(**{"GET__/fapi/v1/exchangeInfo": [(200, {"symbols": [ends]})]}) as server:
        config = TradingConfig(rest_url=server.url)
        wiring = Wiring(config=config, clock=WallClock(), symbols=(BTC,), instruments=lambda: ())
        (found,) = [each async for each in _Doors(wiring, wire).contracts()]
    await wire.close()

    assert found.health is health


@pytest.mark.parametrize(("used", "health"), [(2900, Health.OK), (3000, Health.WARNING)])
async def test_what_is_used_is_told_of_what_the_venue_allows(used, health):
    """The testnet allows more than twice of what others do, and says so before a key is used."""
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
    ]
    contracts = {"symbols": [symbol()], "rateLimits": limits}
    may_trade = {"canTrade": True, "dualSidePosition": False, "multiAssetsMargin": False}
    counted = {"x-mbx-used-weight-1m": str(used)}
    answers = {
        "GET__/fapi/v1/exchangeInfo": [(200, contracts)],
        "GET__/fapi/v1/accountConfig": [(200, may_trade, counted)],
        "GET__/fapi/v3/account": [(200, {"assets": []}, counted)],
    }
    wire = NetWire()
    async with scripted(**answers) as server:
        config = TradingConfig(rest_url=server.url)
        wiring = Wiring(config=config, clock=WallClock(), symbols=(BTC,), instruments=lambda: ())
        doors = _Doors(wiring, wire)
        async for _ in doors.contracts():
            pass
        found = [each async for each in doors.account(Credentials(KEY, SECRET))]
        told = doors.limits()
    await wire.close()

    assert found[-1].health is Health.OK, found
    used += 10  # two more questions were asked since that was told first
    assert told.told.startswith(f"{used} of 6000 weight of a minute, 0 of 300 orders of 10 s")
    assert told.health is health

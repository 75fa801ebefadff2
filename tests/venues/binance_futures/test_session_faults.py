"""Every fault that the exchange knows, one session each: afterwards the books are equal.

While the fault strikes, a session trades over real sockets: entries with stops, resting orders,
amendments, cancels and closes. Then the fault is lifted, and within a bounded time both sides
hold the same balances, positions and open orders, to the last decimal.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from holdfast.exchange_server.faults import Kind
from holdfast.model.errors import TradingError
from holdfast.model.values import TradingSessionStatus
from tests.venues.binance_futures.adapter_desk import BTC
from tests.venues.binance_futures.adapter_street import street
from tests.venues.binance_futures.test_adapter_session import QUICK_FENCES, broker_at, session

ORDERS, EVENTS, POSITION = "* /fapi/v1/*rder*", "ORDER_TRADE_UPDATE", "* BTCUSDT *"
STORM_S = 3.0
STORMS_MAX = 4
"""A draw may miss for a while, and a position may be flat whenever the exchange looks."""

# Where each strikes, how often of a hundred, and what else its rule says.
STRIKES: dict[Kind, tuple[str, int, dict]] = {
    Kind.UNKNOWN_EXECUTED: (ORDERS, 40, {}),
    Kind.UNKNOWN_NOT_EXECUTED: (ORDERS, 40, {}),
    Kind.STATUS_UNKNOWN_EXECUTED: (ORDERS, 40, {}),
    Kind.STATUS_UNKNOWN_NOT_EXECUTED: (ORDERS, 40, {}),
    Kind.TIMEOUT_BEFORE: (ORDERS, 30, {}),
    Kind.TIMEOUT_AFTER: (ORDERS, 30, {}),
    Kind.RESET_BEFORE: (ORDERS, 30, {}),
    Kind.RESET_AFTER: (ORDERS, 30, {}),
    Kind.BAD_TIMESTAMP: (ORDERS, 30, {}),
    Kind.READ_LAG: ("*", 100, {"delay_ms": 800}),
    Kind.TOO_MANY_REQUESTS: (ORDERS, 20, {}),
    Kind.BANNED: (ORDERS, 5, {"delay_ms": 500}),
    Kind.OVERLOADED: (ORDERS, 40, {}),
    Kind.SERVICE_UNAVAILABLE: (ORDERS, 40, {}),
    Kind.INTERNAL_ERROR: (ORDERS, 40, {}),
    Kind.DELAY: (ORDERS, 40, {"delay_ms": 300}),
    Kind.DELAY_ANSWER: (ORDERS, 40, {"delay_ms": 300}),
    Kind.CLOCK_SKEW: ("*", 100, {"delay_ms": 400}),
    Kind.PARTIAL_FILL: ("POST /fapi/v1/order", 60, {}),
    Kind.SELF_TRADE: ("POST /fapi/v1/order", 30, {}),
    Kind.FILL_BEFORE_CANCEL: ("DELETE /fapi/v1/order", 60, {}),
    Kind.LIQUIDATION: (POSITION, 50, {"count": 1}),
    Kind.ADL: (POSITION, 50, {}),
    Kind.FUNDING: ("BTCUSDT", 60, {"rate": 0.0007}),
    Kind.LIFETIME_OVER: ("*", 50, {"count": 2}),
    Kind.REFUSE_CONNECTIONS: ("*", 50, {"count": 1, "delay_ms": 700}),
    Kind.DROP_FRAME: (EVENTS, 40, {}),
    Kind.DUPLICATE_FRAME: (EVENTS, 60, {}),
    Kind.REORDER_FRAME: (EVENTS, 50, {"delay_ms": 200}),
    Kind.DELAY_FRAME: (EVENTS, 50, {"delay_ms": 700}),
    Kind.SILENT_STREAM: (EVENTS, 20, {"count": 1}),
    Kind.LISTEN_KEY_EXPIRED: (EVENTS, 20, {"count": 2}),
    Kind.DISCONNECT: (EVENTS, 15, {}),
    Kind.TRADE_LITE_FIRST: ("TRADE_LITE", 60, {"delay_ms": 200}),
    Kind.EVENTS_BEFORE_REPLY: (ORDERS, 60, {"delay_ms": 200}),
}
ELSEWHERE = {Kind.DEPTH_GAP}  # no session reads depth: see the feed's tests


def test_every_kind_of_fault_has_its_session():
    assert set(STRIKES) | ELSEWHERE == set(Kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STRIKES, ids=lambda kind: kind.value)
async def test_books_are_equal_once_the_fault_is_lifted(tmp_path, kind):
    on, percent, fields = STRIKES[kind]
    lots = random.Random(kind.value)
    with street() as market:
        broker = broker_at(market, read_lag_s=1.0 if kind is Kind.READ_LAG else 0.05)
        async with session(tmp_path, market, broker=broker, **QUICK_FENCES) as one:
            await one.service.place_order(BTC, "BUY", "0.005", stop_loss=47_000)
            await one.until(lambda: len(one.books()[2]) == 1)
            rule = {"count": None, "probability": percent / 100, **fields}
            market.goes_wrong(kind, on, **rule)
            struck = 0
            for _ in range(STORMS_MAX):
                await trade(one.service, lots)
                struck = market.fired()
                if struck:
                    break
            market.call(market.town.core.faults.clear)

            await one.agree()
            await one.until(lambda: is_protected(one))
            assert struck
            assert one.state.status is TradingSessionStatus.RUNNING
            await one.until(lambda: not one.state.differences)  # at the next look, if it must


async def trade(service, lots):
    """Wish for this and that for a while; be refused now and then."""
    loop = asyncio.get_running_loop()
    until = loop.time() + STORM_S
    hopes = []
    while loop.time() < until:
        hopes.append(asyncio.ensure_future(wish(service, lots.random(), lots.uniform(-60, 60))))
        await asyncio.sleep(0.12)
    await asyncio.wait(hopes, timeout=10)
    for hope in hopes:
        hope.cancel()
    await asyncio.gather(*hopes, return_exceptions=True)


async def wish(service, lot, off):
    try:
        if lot < 0.35:
            side, stop = ("BUY", 48_000) if off > 0 else ("SELL", 52_000)
            await service.place_order(BTC, side, "0.003", stop_loss=stop)
        elif lot < 0.85:
            price = str(round(49_900 + off, 1))
            placed = await service.place_order(BTC, "BUY", "0.003", "LIMIT", price)
            if lot < 0.6:
                await service.modify_order(placed.id, new_price=str(round(49_800 + off, 1)))
            await service.cancel_order(placed.id)
        else:
            await service.close_position(BTC)
    except TradingError:
        return


def is_protected(one):
    """Tell whether what asked for a stop has it at the exchange."""
    return all(not parent.is_alarmed for parent in one.state.parents.values())

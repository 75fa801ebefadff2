"""What the exchange remembers has an end: more trading leaves no more behind."""

from __future__ import annotations

import gc
import types
from collections import deque

from holdfast.exchange import books, market
from holdfast.exchange_server import archive, lagging, samples, tape
from holdfast.model.market import Funding
from tests.exchange_server.rest_desk import BTC, Clock, rest_desk

BOUNDS = [
    (archive, "ORDERS_KEPT"),
    (archive, "RECORDS_KEPT"),
    (books, "CLOSED_ORDERS_KEPT"),
    (books, "TRADES_KEPT"),
    (books, "MARGIN_MOVES_KEPT"),
    (lagging, "PAST_KEPT"),
    (samples, "CANDLES_KEPT"),
    (tape, "CANDLES_KEPT"),
    (market, "FUNDINGS_KEPT"),
    (tape, "MINUTES_KEPT"),
    (tape, "TRADES_KEPT"),
]
KEPT = 10
FULL, MORE = 80, 120  # until samples of every kind are full; what is under way varies by some 20
DAY_NS = 86_400 * 10**9
NOT_STATE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)


def held(root):
    """Count the elements of all containers that are reachable from an object."""
    seen, waiting, count = {id(root)}, [root], 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list | set | deque):
            count += len(one)
        for each in gc.get_referents(one):
            if id(each) not in seen and not isinstance(each, NOT_STATE):
                seen.add(id(each))
                waiting.append(each)
    return count


async def trade(desk, name):
    """Do one of everything that leaves a trace."""
    desk.clock.pass_s(86_400)
    desk.trade("50000")
    desk.quote()
    desk.venue.on_market(Funding(symbol=BTC, ts=desk.clock(), rate=0.0001))
    limit = {"side": "BUY", "quantity": "0.02", "price": "48000"}
    done = [
        await desk.order("BUY", "0.02", newClientOrderId=f"{name}b"),
        await desk.order("SELL", newClientOrderId=f"{name}s"),
        await desk.order("BUY", price="49000", newClientOrderId=f"{name}l"),
        await desk.call(
            "PUT", "/fapi/v1/order", symbol=BTC, origClientOrderId=f"{name}l", modifyId=1, **limit
        ),
        await desk.call("DELETE", "/fapi/v1/order", symbol=BTC, origClientOrderId=f"{name}l"),
        await desk.stop(
            type="TRAILING_STOP_MARKET",
            triggerPrice=None,
            callbackRate="5",
            clientAlgoId=f"{name}t",
        ),
        await desk.call("DELETE", "/fapi/v1/algoOrder", clientAlgoId=f"{name}t"),
        await desk.raw("POST", "/fapi/v1/listenKey"),
        await desk.stop(trigger="49990", clientAlgoId=f"{name}c"),
    ]
    desk.quote("49980", "49981")
    desk.trade("49985")  # the stop becomes an order
    assert {each.status for each in done} == {200}, [each.body for each in done]


async def test_more_trading_leaves_no_more_behind(monkeypatch):
    for module, name in BOUNDS:
        monkeypatch.setattr(module, name, KEPT)
    clock = Clock()
    clock.ahead = DAY_NS - clock() % DAY_NS  # every sample is of every period
    async with rest_desk(clock=clock) as desk:
        sizes = []
        for rounds in (FULL, MORE):
            for number in range(rounds):
                await trade(desk, f"{rounds}-{number}-")
            desk.venue.tick()
            gc.collect()
            sizes.append(held(desk.venue))

    assert sizes[0] > 200, "the count sees the books"
    assert sizes[1] - sizes[0] < MORE / 2, "not one more for each round"

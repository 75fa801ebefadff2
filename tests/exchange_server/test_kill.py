"""The process is killed in the midst of traffic, begun again, and its books are consistent."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import random
import sys
import time
from decimal import Decimal
from urllib.parse import urlencode

import aiohttp
import pytest

KEY, SECRET = "kill", "hush"
ROUNDS = 3
READY_S = 30.0
SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Client:
    def __init__(self, session, rest):
        self.session, self.rest = session, rest

    async def call(self, method, path, **params):
        payload = urlencode({**params, "timestamp": time.time_ns() // 10**6})
        signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        url = f"{self.rest}{path}?{payload}&signature={signature}"
        async with self.session.request(method, url, headers={"X-MBX-APIKEY": KEY}) as found:
            return await found.json()

    async def truth(self):
        async with self.session.get(f"{self.rest}/admin/truth") as found:
            return (await found.json())["accounts"][KEY]


@contextlib.asynccontextmanager
async def running(folder):
    """Run the exchange; it is killed at the end, if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "holdfast", "exchange", "--unlimited", "--seed", "3"),
        *("--symbols", ",".join(SYMBOLS), "--account", f"{KEY}:{SECRET}"),
        *("--data-dir", str(folder), "--fault", "funding:0.5"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
        async with aiohttp.ClientSession() as session:
            client = Client(session, json.loads(line)["rest"])
            end = time.monotonic() + READY_S
            while not await has_price(client):
                assert time.monotonic() < end
            yield client, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def has_price(client):
    """Wait until the market has prices."""
    return await client.call("GET", "/fapi/v1/ticker/price", symbol="BTCUSDT")


async def prepare(client):
    await client.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    await client.call("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")


async def one_order(client, lots, acked):
    side = lots.choice(["BUY", "SELL"])
    of = lots.choice(["LONG", "SHORT"])
    symbol = lots.choice(SYMBOLS)
    common = {"symbol": symbol, "side": side, "positionSide": of, "quantity": "0.02"}
    what = lots.random()
    if what < 0.6:
        found = await client.call("POST", "/fapi/v1/order", type="MARKET", **common)
    elif what < 0.8:
        price = (await client.call("GET", "/fapi/v1/ticker/price", symbol=symbol))["price"]
        away = Decimal("0.99") if side == "BUY" else Decimal("1.01")
        price = (Decimal(price) * away).quantize(Decimal("0.1"))
        more = {"type": "LIMIT", "timeInForce": "GTC", "price": price}
        found = await client.call("POST", "/fapi/v1/order", **common, **more)
    elif what < 0.9:
        price = (await client.call("GET", "/fapi/v1/ticker/price", symbol=symbol))["price"]
        rises = side == "BUY"
        trigger = (Decimal(price) * (Decimal("1.2") if rises else Decimal("0.8"))).quantize(1)
        more = {"type": "STOP_MARKET", "algoType": "CONDITIONAL", "triggerPrice": trigger}
        found = await client.call("POST", "/fapi/v1/algoOrder", **common, **more)
        if "algoId" in found:
            acked["algo"].add(found["algoId"])
        return
    else:
        more = {"amount": "1", "type": 1, "positionSide": of}
        await client.call("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", **more)
        return
    if "orderId" in found:
        acked["order"].add(found["orderId"])


async def traffic(client, seed, acked):
    lots = random.Random(seed)
    with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
        while True:
            await one_order(client, lots, acked)


async def taken(acked, count):
    """Wait until so many orders have been taken: fewer than what the exchange remembers."""
    end = time.monotonic() + READY_S
    while len(acked["order"]) < count:
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def check(truth, acked):
    """Compare the books with themselves, and with what was acknowledged before the kill."""
    orders = {each["orderId"]: each for each in truth["orders"]}
    assert acked["order"] <= set(orders)
    assert acked["algo"] <= {each["algoId"] for each in truth["algoOrders"]}
    held: dict[str, Decimal] = {}
    executed: dict[int, Decimal] = {}
    for trade in truth["trades"]:
        name = f"{trade['symbol']} {trade['positionSide']}"
        signed = Decimal(trade["qty"]) * (1 if trade["buyer"] else -1)
        held[name] = held.get(name, Decimal(0)) + signed
        executed[trade["orderId"]] = executed.get(trade["orderId"], Decimal(0)) + abs(signed)
    open_positions = {name: Decimal(each["qty"]) for name, each in truth["positions"].items()}
    assert {name: qty for name, qty in held.items() if qty} == open_positions
    assert executed == {
        number: Decimal(each["executedQty"])
        for number, each in orders.items()
        if Decimal(each["executedQty"])
    }
    told = sum((Decimal(each["income"]) for each in truth["income"]), Decimal(0))
    assert told == Decimal(truth["balances"]["USDT"])


@pytest.mark.e2e
async def test_books_are_consistent_after_kills_in_the_midst_of_traffic(tmp_path):
    acked: dict[str, set] = {"order": set(), "algo": set()}
    lots = random.Random(11)
    for number in range(ROUNDS):
        async with running(tmp_path) as (client, process):
            if not number:
                await prepare(client)
            check(await client.truth(), acked)
            working = [
                asyncio.create_task(traffic(client, f"{number}/{each}", acked)) for each in range(4)
            ]
            await taken(acked, len(acked["order"]) + lots.randint(60, 400))
            process.kill()
            await asyncio.gather(*working)
    async with running(tmp_path) as (client, _):
        truth = await client.truth()
        check(truth, acked)
        mode = await client.call("GET", "/fapi/v1/positionSide/dual")
        config = await client.call("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT")

    assert len(acked["order"]) > 50
    assert truth["trades"]
    assert mode["dualSidePosition"] is True
    assert config[0]["marginType"] == "ISOLATED"

"""The drop copy beside a real session at a real exchange: over sockets, through kills and freezes."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import signal
import time
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
import pytest

from holdfast.harness import scene
from holdfast.harness.spec import Spec
from holdfast.harness.stage import Stage
from holdfast.model.values import OrderRole, OrderStatus

WORDS = ("watch", "--once", "--json", "--interval", "0.3", "--patience", "1.5")
KEYS = {"HOLDFAST_WATCH_API_KEY": scene.KEY, "HOLDFAST_WATCH_API_SECRET": scene.SECRET}
PATIENCE_S = 60.0

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@asynccontextmanager
async def session_with_a_position(folder):
    """A quiet session that holds 0.02 BTC with a stop, and an exchange that does nothing wrong."""
    stage = Stage(Spec(seed=1, folder=str(folder)), folder)
    try:
        await stage.open()
        await stage.lift_faults()
        config = folder / "holdfast.toml"
        config.write_text(config.read_text().replace(":seed=1,", ":share=0,"))
        await stage.start_session()
        await until(stage.is_running)
        body = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02", "stop_loss": "30000"}
        placed = await stage.ask_session("POST", "orders", **body)
        assert "order" in placed, placed
        await until_rests(stage)
        yield stage
    finally:
        await stage.close()


async def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def until_rests(stage):
    """Wait until the stop rests at the exchange, and the journal has heard so."""
    async with asyncio.timeout(PATIENCE_S):
        while len((await stage.truth()).open) != 1:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
        while await stage.read_journal() or not knows_a_stop(stage):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


def knows_a_stop(stage):
    working = [o.role for o in stage.ledger.state.all_open_orders() if o.status is OrderStatus.NEW]
    return working == [OrderRole.STOP_LOSS]


async def watched(stage, *words, keys=KEYS):
    """Run `holdfast watch`; return its exit code, its last look, and its stderr."""
    folder = stage.folder
    process = await stage.launcher.start("watch", words or WORDS, folder, keys)
    await process.ended.wait()
    lines = process.out.read_text().splitlines()
    return process.code, json.loads(lines[-1]) if lines else {}, process.last_words()


async def at_venue(stage, verb, path, **params):
    """Ask the exchange as another program of the same account would."""
    given = urlencode({**params, "timestamp": time.time_ns() // 10**6, "recvWindow": 60_000})
    signed = hmac.new(scene.SECRET.encode(), given.encode(), hashlib.sha256).hexdigest()
    url = f"http://127.0.0.1:{stage._port}/fapi/v1/{path}?{given}&signature={signed}"
    async with (
        aiohttp.ClientSession(headers={"X-MBX-APIKEY": scene.KEY}) as http,
        http.request(verb, url) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json()


def kinds(look):
    return {sight["kind"] for sight in look["alarms"]}


async def test_all_is_well_until_the_session_is_killed(tmp_path):
    async with session_with_a_position(tmp_path) as stage:
        code, look, said = await watched(stage)
        assert (code, look["is_ok"], look["sights"]) == (0, True, []), said
        assert (look["positions"], look["open_orders"], look["status"]) == (1, 1, "RUNNING")
        assert f"process {stage.session.pid} on" in look["owner"]

        await stage.session.kill()
        code, look, said = await watched(stage)

        assert code == 8
        assert kinds(look) == {"nobody"}
        assert "ERROR    holdfast.notices: watch: nobody: the session of epoch " in said
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert any(path.parent.name == "watch" for path in files)
        assert not [path for path in files if scene.SECRET.encode() in path.read_bytes()]


async def test_a_hung_session_is_noticed_when_the_venue_moves_without_it(tmp_path):
    async with session_with_a_position(tmp_path) as stage:
        stage.session.signal(signal.SIGSTOP)
        order = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"}
        process = await stage.launcher.start("watch", WORDS, tmp_path, KEYS)
        await until(lambda: process.out.exists() or not process.is_alive)
        await at_venue(stage, "POST", "order", **order)
        await process.ended.wait()
        code, look, _ = await watched(stage)

        assert code == 8
        assert {"position_differs", "balance_differs"} <= kinds(look)
        told = {sight["kind"]: sight["told"] for sight in look["alarms"]}
        assert "the journal has 0.02, the venue 0.01" in told["position_differs"]
        stage.session.signal(signal.SIGCONT)


async def test_orders_on_one_side_alone_and_a_missing_stop_are_named(tmp_path):
    async with session_with_a_position(tmp_path) as stage:
        await stage.session.kill()
        [stop] = (await stage.truth()).open.values()
        await at_venue(stage, "DELETE", "algoOrder", algoId=stop["algoId"])
        order = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        more = {"quantity": "0.1", "price": "2500", "newClientOrderId": "by-hand"}
        await at_venue(stage, "POST", "order", **order, **more)

        code, look, _ = await watched(stage)

        assert code == 8
        assert kinds(look) == {"nobody", "stop_missing", "missing_order", "unknown_order"}
        whats = {sight["kind"]: sight["what"] for sight in look["alarms"]}
        assert whats["unknown_order"] == "by-hand"
        assert whats["missing_order"] == stop["clientAlgoId"]


async def test_an_exchange_that_is_not_there_and_a_key_that_is_the_sessions_are_told(tmp_path):
    async with session_with_a_position(tmp_path) as stage:
        code, look, said = await watched(stage, keys={})
        assert (code, look["kind"]) == (2, "ConfigError")
        assert "a key of its own" in said
        code, _, said = await watched(stage, keys={**KEYS, **scene.ENVIRONMENT})
        assert code == 2
        assert "the key that the session trades with" in said

        await stage.exchange.kill()
        code, _, said = await watched(stage)

        assert code == 4
        assert "blind" in said


async def test_nothing_is_said_of_a_session_that_trades_all_the_time(tmp_path):
    stage = Stage(Spec(seed=3, folder=str(tmp_path)), tmp_path)
    try:
        await stage.open()
        await stage.lift_faults()
        await stage.start_session()
        await until(stage.is_running)
        seen: list[int] = []
        async with asyncio.timeout(30):
            while len(seen) < 3 or seen[-1] == seen[0]:
                code, look, said = await watched(stage)
                assert (code, kinds(look)) == (0, set()), said
                seen.append(look["sequence"])
    finally:
        await stage.close()

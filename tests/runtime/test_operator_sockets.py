"""Requests over real sockets, many at once, from programs that may not wait for the answer."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from decimal import Decimal
from random import Random
from urllib.parse import urlsplit

import pytest

from holdfast.model.values import MAIN, OrderRole
from tests.runtime.control_desk import BTC, running

QTY = Decimal("0.002")


async def ask(desk, path, *, patience_s, **body):
    """Ask over a connection of one's own; None where one is gone before the answer."""
    place, token = urlsplit(desk.server.url), desk.server.token
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(head.encode() + text)
        await writer.drain()
        async with asyncio.timeout(patience_s):
            answer = await reader.read()
    except TimeoutError:
        return None
    finally:
        writer.transport.abort()
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("seed", range(3))
async def test_requests_that_are_repeated_by_many_and_not_waited_for_are_carried_out_once(
    tmp_path, seed
):
    lots = Random(seed)
    loose = {"duplicate_window_s": 0, "position_size_pct": "1", "max_executions": 1000}
    async with running(tmp_path, **loose) as desk:
        ids = [f"r{number % 8}" for number in range(32)]
        lots.shuffle(ids)
        order = {"symbol": BTC, "side": "BUY", "quantity": str(QTY), "stop_loss": "49000"}
        waits = [lots.choice((0.0, 0.001, 0.01, 20.0)) for _ in ids]
        asked = [
            ask(desk, "/v1/orders", patience_s=wait, request_id=name, **order)
            for name, wait in zip(ids, waits, strict=True)
        ]
        answers = await asyncio.gather(*asked)
        for name in sorted(set(ids)):  # whoever got no answer asks once more
            answers.append(await ask(desk, "/v1/orders", patience_s=20, request_id=name, **order))
            ids.append(name)
        state = desk.service.live.engine.state
        entries = [each for each in state.orders.values() if each.role is OrderRole.ENTRY]

        assert len(entries) == 8
        assert state.position((MAIN, BTC)).qty == 8 * QTY
        told = {
            (name, each["order"]["id"]) for name, each in zip(ids, answers, strict=True) if each
        }
        assert Counter(name for name, _ in told) == dict.fromkeys(sorted(set(ids)), 1)
        closed = await desk.post(f"/v1/positions/{BTC}/close")
        assert closed["position"]["quantity"] == "0"


async def test_what_was_asked_by_somebody_who_is_gone_holds(tmp_path):
    async with running(tmp_path) as desk:
        await ask(desk, "/v1/kill", patience_s=0.0, reason="panic")
        async with asyncio.timeout(10):
            while not desk.service.live.engine.state.is_killed:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        status = await desk.get("/v1/status")

        assert status["is_killed"]

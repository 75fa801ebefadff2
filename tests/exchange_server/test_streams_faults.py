"""What goes wrong on order on the streams, and that each time is counted."""

from __future__ import annotations

import pytest
from aiohttp import WSMsgType

from tests.exchange_server.stream_desk import ALICE, BOB, open_desk

TRADE = "btcusdt@trade"


async def trades_heard(desk, client, count):
    for number in range(count):
        desk.trade(50_000 + number)
    return [frame["t"] for frame in await client.heard()]


def fired(desk):
    return [row["fired"] for row in desk.venue.faults.account_for()]


async def watching(desk, name=TRADE):
    client = await desk.connect(f"/ws/{name}")
    await client.heard()
    return client


async def test_frames_are_dropped_on_order_and_counted():
    async with open_desk() as desk:
        client = await watching(desk)
        desk.fault("drop_frame", skip=1, count=2)

        assert await trades_heard(desk, client, 5) == [1, 4, 5]
        assert fired(desk) == [2]


async def test_frames_come_twice_on_order():
    async with open_desk() as desk:
        client = await watching(desk)
        desk.fault("duplicate_frame", count=1)

        assert await trades_heard(desk, client, 2) == [1, 1, 2]
        assert fired(desk) == [1]


async def test_a_frame_lets_the_next_one_pass():
    async with open_desk() as desk:
        client = await watching(desk)
        desk.fault("reorder_frame", count=1)

        assert await trades_heard(desk, client, 3) == [2, 1, 3]
        assert fired(desk) == [1]


async def test_a_frame_that_no_other_passes_comes_late_all_the_same():
    async with open_desk() as desk:
        client = await watching(desk)
        desk.fault("reorder_frame", count=1, delay_ms=20)
        desk.trade(50_000)

        assert await client.heard() == []
        assert (await client.next())["t"] == 1


async def test_a_frame_comes_late_and_the_others_do_not_wait():
    async with open_desk() as desk:
        client = await watching(desk)
        desk.fault("delay_frame", count=1, delay_ms=30)

        assert await trades_heard(desk, client, 3) == [2, 3]
        assert (await client.next())["t"] == 1
        assert fired(desk) == [1]


async def test_a_silent_stream_answers_requests_and_pings_and_nothing_else():
    async with open_desk() as desk:
        client, other = await watching(desk), await watching(desk)
        desk.fault("silent_stream", skip=2, count=1)  # the second frame to the first client
        for number in range(3):
            desk.trade(50_000 + number)

        assert [frame["t"] for frame in await client.heard()] == [1]
        assert [frame["t"] for frame in await other.heard()] == [1, 2, 3]
        assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == [TRADE]
        assert fired(desk) == [1]


async def test_a_connection_breaks_in_the_middle():
    async with open_desk() as desk:
        client, other = await watching(desk), await watching(desk)
        desk.fault("disconnect", skip=2, count=1)
        desk.trade(50_000)
        desk.trade(50_001)

        heard = [await client.socket.receive(timeout=5) for _ in range(2)]
        assert heard[-1].type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)
        assert [frame["t"] for frame in await other.heard()] == [1, 2]
        assert fired(desk) == [1]


async def test_a_gap_in_the_depth_breaks_the_chain_for_everyone():
    async with open_desk() as desk:
        client = await watching(desk, "btcusdt@depth@100ms")
        desk.fault("depth_gap", skip=1, count=1, on="btcusdt@depth*")
        for number in range(4):
            desk.quote(100.0 + number, 200.0)
            desk.advance(100)

        frames = await client.heard()
        assert len(frames) == 3
        assert frames[1]["pu"] != frames[0]["u"]
        assert frames[2]["pu"] == frames[1]["u"]
        assert fired(desk) == [1]


@pytest.mark.parametrize("on", ["btcusdt@bookTicker", "ORDER_TRADE_UPDATE"])
async def test_a_fault_is_aimed_at_a_stream_or_at_a_kind_of_user_event(on):
    async with open_desk() as desk:
        market = await desk.connect("/ws/btcusdt@bookTicker/btcusdt@trade")
        user = await desk.user()
        await market.heard()
        await user.heard()
        desk.fault("drop_frame", on=on)
        desk.quote(49_999, 50_001)
        desk.trade(50_000)
        desk.buy("0.01")

        kinds = {f["e"] for f in [*await market.heard(), *await user.heard()]}
        assert kinds == {
            "bookTicker", "trade", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE",
        } - {on.removeprefix("btcusdt@")}  # fmt: skip


async def test_trade_lite_hurries_ahead_of_all_else_of_the_account_alone():
    async with open_desk() as desk:
        desk.quote(49_999, 50_001)
        alice, bob = await desk.user(), await desk.user(BOB)
        await alice.heard()
        await bob.heard()
        desk.fault("trade_lite_first", count=1, delay_ms=40)
        desk.buy("0.01")
        desk.buy("0.01", 49_000)
        desk.buy("0.01", account=BOB)

        assert [frame["e"] for frame in await alice.heard()] == ["TRADE_LITE"]
        assert len(await bob.heard()) == 4
        late = [await alice.next() for _ in range(4)]
        assert [f.get("o", {}).get("x") for f in late] == ["NEW", None, "TRADE", "NEW"]
        assert fired(desk) == [1]


async def test_a_listen_key_expires_in_the_place_of_an_event():
    async with open_desk() as desk:
        desk.quote(49_999, 50_001)
        client = await desk.user()
        await client.heard()
        desk.fault("listen_key_expired", on="ACCOUNT_UPDATE", count=1)
        desk.buy("0.01")

        kinds = [frame["e"] for frame in await client.heard()]
        assert kinds == ["TRADE_LITE", "ORDER_TRADE_UPDATE", "listenKeyExpired"]
        assert fired(desk) == [1]


async def test_the_same_seed_drops_the_same_frames():
    runs = []
    for _ in range(2):
        async with open_desk(fault_seed=7) as desk:
            client = await watching(desk)
            desk.fault("drop_frame", probability=0.4)
            desk.fault("duplicate_frame", probability=0.2)
            runs.append(await trades_heard(desk, client, 60))

    assert runs[0] == runs[1]
    assert len(set(runs[0])) < 60


async def test_the_word_that_a_listen_key_expired_can_get_lost_too():
    async with open_desk() as desk:
        client = await desk.user()
        desk.fault("drop_frame", on="listenKeyExpired")
        assert desk.broadcast.expire_listen_key(ALICE)

        assert await client.heard() == []

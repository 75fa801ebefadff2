"""One stream against a server that breaks it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from holdfast.model.errors import VenueUnavailable
from holdfast.venues.binance_futures import orders_ws, streams, wire
from holdfast.venues.binance_futures.codec import requests
from holdfast.venues.binance_futures.handshakes import Banned
from holdfast.venues.binance_futures.net import NetWire
from holdfast.venues.binance_futures.orders_ws import OrdersSocket
from holdfast.venues.binance_futures.outcomes import NO_ANSWER
from holdfast.venues.binance_futures.sign import Credentials
from holdfast.venues.binance_futures.streams import Ears, Stream, Watch
from tests.venues.binance_futures.adapter_desk import (
    KEY,
    PATIENCE_S,
    SECRET,
    ack,
    listening,
    market_order,
    no_jitter,
    submit,
)


class Heard:
    """What a stream told, to be waited for."""

    def __init__(self):
        self.told = []
        self._news = asyncio.Event()

    def add(self, what):
        self.told.append(what)
        self._news.set()

    def ears(self):
        return Ears(
            lambda frame: self.add(frame.decode()),
            lambda: self.add("up"),
            lambda: self.add("renewed"),
            lambda reason: self.add(f"down: {reason}"),
        )

    async def has(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self.told):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def stream_to(handler, watch=None, heard=None, address=None):
    heard = heard or Heard()
    net = NetWire()

    async def plain():
        return f"ws://127.0.0.1:{port}/ws"

    async with listening(handler) as port:
        stream = Stream(net, "test", address or plain, heard.ears(), no_jitter, watch)
        task = asyncio.ensure_future(stream.run())
        try:
            yield stream, heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await net.close()


def serve(*lives):
    """Handle the first connection with the first function, and so on; the last one stays."""
    left = list(lives)

    async def handler(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        life = left.pop(0) if len(left) > 1 else left[0]
        await life(socket)
        return socket

    return handler


async def talk(socket):
    await socket.send_str("hello")
    async for _ in socket:
        pass


async def leave(socket):
    await socket.send_str("bye")
    await socket.close()


async def stay_silent(socket):
    async for _ in socket:
        pass


async def test_lost_stream_is_told_and_told_again_when_it_is_back():
    async with stream_to(serve(leave, talk)) as (_, heard):
        await heard.has(lambda told: "hello" in told)

        assert heard.told[:2] == ["up", "bye"]
        assert heard.told[2].startswith("down")
        assert heard.told[3:] == ["up", "hello"]


async def test_stream_that_never_says_anything_is_replaced(monkeypatch):
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    async with stream_to(serve(stay_silent, talk), Watch(first_s=0.05)) as (_, heard):
        await heard.has(lambda told: "hello" in told)

        assert heard.told[1] == "down: nothing came for 0.05 s"


async def test_stream_that_falls_silent_is_replaced(monkeypatch):
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    async with stream_to(serve(talk), Watch(silence_s=0.05)) as (_, heard):
        await heard.has(lambda told: told.count("hello") == 2)

        assert heard.told[2] == "down: nothing came for 0.05 s"


async def test_what_is_expected_and_does_not_come_ends_the_connection(monkeypatch):
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    async with stream_to(serve(stay_silent, talk)) as (stream, heard):
        await heard.has(lambda told: "up" in told)
        stream.expect(0.05, asyncio.get_running_loop().time())
        await heard.has(lambda told: "hello" in told)

        assert heard.told[1] == "down: what had to come did not"


async def test_what_came_before_it_was_expected_counts(monkeypatch):
    """The stream often tells of an order before the order's answer is here."""
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    async with stream_to(serve(talk)) as (stream, heard):
        sent = asyncio.get_running_loop().time()
        await heard.has(lambda told: "hello" in told)
        stream.expect(0.01, sent)
        await asyncio.sleep(0.1)

        assert heard.told == ["up", "hello"]


async def test_stream_is_renewed_before_its_end_without_ever_being_down(monkeypatch):
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    monkeypatch.setattr(streams, "OVERLAP_S", 0.05)
    open_now, most = 0, 0

    async def count(socket):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await talk(socket)
        open_now -= 1

    async with stream_to(serve(count), Watch(lifetime_s=0.2)) as (_, heard):
        await heard.has(lambda told: told.count("hello") >= 3)

        assert heard.told.count("up") == 1
        assert not [each for each in heard.told if each.startswith("down")]
        assert most == 2


async def test_connection_that_ends_before_its_successor_is_there_was_lost(monkeypatch):
    """What came in between was told to nobody."""
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    asked, over = 0, asyncio.Event()
    live: list[Stream] = []

    async def until_over(socket):
        await socket.send_str("hello")
        await over.wait()
        await socket.close()

    async def address():
        nonlocal asked
        asked += 1
        if asked == 2:
            over.set()
            while live[0].is_up:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.01)
        return f"ws://127.0.0.1:{port}/ws"

    async with listening(serve(until_over, talk)) as port:
        watch = Watch(lifetime_s=0.2)
        async with stream_to(stay_silent, watch, address=address) as (stream, heard):
            live.append(stream)
            await heard.has(lambda told: told.count("hello") == 2)

    assert len(heard.told) == 5
    assert heard.told[:2] == ["up", "hello"]
    assert heard.told[2].startswith("down: the venue closed")
    assert heard.told[3:] == ["up", "hello"]


async def test_connection_that_ends_while_nobody_answers_for_its_successor_is_told_at_once(
    monkeypatch,
):
    # It was told once the address had come, or not: entries went out on a deaf account.
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    asked, over, heard = 0, asyncio.Event(), Heard()

    async def until_over(socket):
        await over.wait()
        await socket.close()

    async def address():
        nonlocal asked
        asked += 1
        if asked == 2:
            over.set()
            await heard.has(lambda told: told[-1].startswith("down"))
        return f"ws://127.0.0.1:{port}/ws"

    async with listening(serve(until_over, talk)) as port:
        watch = Watch(lifetime_s=0.2)
        async with stream_to(stay_silent, watch, heard, address):
            await heard.has(lambda told: "hello" in told)

    assert [told.partition(":")[0] for told in heard.told] == ["up", "down", "up", "hello"]


async def test_connection_that_was_given_up_while_it_was_renewed_is_let_go_of(monkeypatch):
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    asked, gone = 0, asyncio.Event()
    live: list[Stream] = []

    async def until_gone(socket):
        await talk(socket)
        gone.set()

    async def address():
        nonlocal asked
        asked += 1
        if asked == 2:
            live[0].give_up("the listen key is over")
        return f"ws://127.0.0.1:{port}/ws"

    async with listening(serve(until_gone, talk)) as port:
        watch = Watch(lifetime_s=0.2)
        async with stream_to(stay_silent, watch, address=address) as (stream, heard):
            live.append(stream)
            await heard.has(lambda told: told.count("hello") == 2)
            async with asyncio.timeout(PATIENCE_S):
                await gone.wait()


async def test_stream_that_ends_while_it_is_renewed_lets_go_of_both_connections(monkeypatch):
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    left: set[int] = set()
    gone = asyncio.Event()

    def until_gone(number):
        async def life(socket):
            await talk(socket)
            left.add(number)
            if len(left) == 2:
                gone.set()

        return life

    handler = serve(until_gone(1), until_gone(2))
    async with listening(handler) as port:

        async def address():
            return f"ws://127.0.0.1:{port}/ws"

        async with stream_to(stay_silent, Watch(lifetime_s=0.2), address=address) as (_, heard):
            await heard.has(lambda told: "renewed" in told)
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()


@pytest.mark.parametrize("is_shared", [True, False])
async def test_connection_that_hears_nothing_while_its_successor_does_was_deaf(
    monkeypatch, is_shared
):
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    monkeypatch.setattr(streams, "OVERLAP_S", 0.1)
    watch = Watch(lifetime_s=0.2, is_shared=is_shared)
    async with stream_to(serve(stay_silent, talk, stay_silent), watch) as (_, heard):
        await heard.has(lambda told: told.count("renewed") == 2)

    down = "down: it heard nothing while its successor did"
    expected = [down, "up"] if is_shared else []
    assert [each for each in heard.told if each in {down, "up"}] == ["up", *expected]


async def test_stream_without_an_address_keeps_trying():
    tries, tried = 0, asyncio.Event()

    async def address():
        nonlocal tries
        tries += 1
        if tries == 3:
            tried.set()
        raise VenueUnavailable("no key")

    async with stream_to(serve(talk), address=address) as (stream, _):
        async with asyncio.timeout(PATIENCE_S):
            await tried.wait()

        assert not stream.is_up


# Pings, over a road in memory


class Road:
    """A wire whose sockets a test speaks for."""

    def __init__(self, *, answers_pings):
        self.answers_pings = answers_pings
        self.opened: list[wire.Ears] = []
        self.pings = 0
        self.closed = 0

    async def open_socket(self, url, ears):
        self.opened.append(ears)
        return _End(self, ears)

    async def request(self, verb, url, headers, timeout_s):
        raise VenueUnavailable("sockets alone")

    async def close(self):
        pass


class _End:
    def __init__(self, road, ears):
        self.road, self.ears = road, ears

    def send(self, frame):
        return True

    def ping(self):
        self.road.pings += 1
        if self.road.answers_pings:
            self.ears.on_pong()

    def close(self):
        self.road.closed += 1


@asynccontextmanager
async def stream_over(road, watch=None):
    async def address():
        return getattr(road, "address", "ws://here")

    heard = Heard()
    stream = Stream(road, "test", address, heard.ears(), no_jitter, watch)
    task = asyncio.ensure_future(stream.run())
    try:
        yield stream, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("is_alive", [True, False])
async def test_a_dead_connection_that_is_replaced_in_a_silent_market_is_told(monkeypatch, is_alive):
    """What it missed was never told: its successor had heard nothing either."""
    monkeypatch.setattr(streams, "WATCH_S", 0.01)
    monkeypatch.setattr(streams, "OVERLAP_S", 0.05)
    road = Road(answers_pings=is_alive)
    async with stream_over(road, Watch(lifetime_s=0.1, is_shared=True)) as (_, heard):
        await heard.has(lambda told: told.count("renewed") == 2)

    was_down = any(each.startswith("down") for each in heard.told)
    assert was_down is not is_alive


@pytest.fixture
def _quick_pings(monkeypatch):
    monkeypatch.setattr(streams, "WATCH_S", 0.01)
    monkeypatch.setattr(streams, "PING_S", 0.05)
    monkeypatch.setattr(streams, "PONG_S", 0.05)


@pytest.mark.usefixtures("_quick_pings")
async def test_ping_that_nobody_answers_ends_the_connection():
    road = Road(answers_pings=False)
    async with stream_over(road) as (_, heard):
        await heard.has(lambda told: told.count("up") == 2)

        assert heard.told[1] == "down: a ping was not answered"
        assert road.closed == 1


@pytest.mark.usefixtures("_quick_pings")
async def test_answered_pings_keep_a_silent_connection_and_come_seldom():
    road = Road(answers_pings=True)
    async with stream_over(road) as (stream, heard):
        await asyncio.sleep(0.5)

        assert stream.is_up
        assert heard.told == ["up"]
        assert 3 <= road.pings <= 10


@pytest.mark.usefixtures("_quick_pings")
async def test_frames_spare_the_pings():
    road = Road(answers_pings=False)
    async with stream_over(road) as (stream, heard):
        await heard.has(lambda told: "up" in told)
        for _ in range(20):
            road.opened[0].on_frame(b"x")
            await asyncio.sleep(0.01)

        assert stream.is_up
        assert not road.pings


async def test_frames_that_come_with_the_handshake_are_heard_after_up():
    class Hasty(Road):
        async def open_socket(self, url, ears):
            ears.on_frame(b"first")
            return await super().open_socket(url, ears)

    async with stream_over(Hasty(answers_pings=True)) as (_, heard):
        await heard.has(lambda told: len(told) == 2)

        assert heard.told == ["up", "first"]


async def test_lost_connection_sends_nothing_from_that_moment_on():
    road = Road(answers_pings=True)
    async with stream_over(road) as (stream, heard):
        await heard.has(lambda told: "up" in told)
        road.opened[0].on_closed("gone")

        assert not stream.is_up
        assert not stream.send("too late")


async def test_an_address_that_is_banned_does_not_knock_before_the_ban_is_over(monkeypatch):
    pauses = []
    slept = asyncio.Event()

    async def sleep(seconds):
        pauses.append(seconds)
        slept.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(streams, "asyncio", _Sleeping(sleep))
    road = Banning("ws://banned:1/a")
    async with stream_over(road) as (stream, _):
        await asyncio.wait_for(slept.wait(), PATIENCE_S)
        assert (pauses, stream.problem) == ([700.0], "HTTP 418: banned")
    slept.clear()
    async with stream_over(road) as (stream, _):  # of the session that begins anew
        await asyncio.wait_for(slept.wait(), PATIENCE_S)
        assert 690 < pauses[1] <= 700
        assert stream.problem == "banned:1 has banned this address, as was heard before"

    assert road.knocks == 1


async def test_a_ban_that_is_over_lets_the_stream_in():
    road = Banning("ws://banned:2/a", lasts_s=0.2, times=1)
    async with stream_over(road) as (_, heard):
        await heard.has(lambda told: "up" in told)

    assert road.knocks == 2


class Banning(Road):
    """A wire to a venue that has banned us."""

    def __init__(self, address, *, lasts_s=700.0, times=1000):
        super().__init__(answers_pings=True)
        self.address, self.knocks = address, 0
        self._lasts_s, self._times = lasts_s, times

    async def open_socket(self, url, ears):
        self.knocks += 1
        if self.knocks <= self._times:
            raise Banned("HTTP 418: banned", retry_after=self._lasts_s)
        return await super().open_socket(url, ears)


class _Sleeping:
    """Asyncio, with a sleep of one's own."""

    def __init__(self, sleep):
        self.sleep = sleep

    def __getattr__(self, name):
        return getattr(asyncio, name)


# The WebSocket API


@asynccontextmanager
async def orders_to(*lives):
    net = NetWire()
    async with listening(serve(*lives)) as port:
        orders = OrdersSocket(
            net,
            f"ws://127.0.0.1:{port}/ws-fapi/v1",
            Credentials(KEY, SECRET),
            no_jitter,
        )
        task = asyncio.ensure_future(orders.stream.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await orders.stream.went_up.wait()
            yield orders
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await net.close()


def place():
    return requests.submit(submit(market_order()))


async def test_renewed_connection_is_logged_on_anew_and_signs_until_then(monkeypatch):
    """A session's logon ends with its connection: what is unsigned on the next one is refused."""
    monkeypatch.setattr(streams, "WATCH_S", 0.01)
    monkeypatch.setattr(streams, "OVERLAP_S", 0.02)
    road, logons, both = Road(answers_pings=True), 0, asyncio.Event()
    orders = OrdersSocket(
        road,
        "ws://here",
        Credentials(KEY, SECRET),
        no_jitter,
        Watch(lifetime_s=0.1),
    )

    def log_on():
        nonlocal logons
        logons += 1
        assert not orders._is_logged_on
        orders._is_logged_on = True
        if logons == 2:
            both.set()

    orders.log_on = log_on
    task = asyncio.ensure_future(orders.stream.run())
    async with asyncio.timeout(PATIENCE_S):
        await both.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(road.opened) == 2


async def test_answers_find_their_requests_in_any_order():
    async def answer_backwards(socket):
        first = json.loads((await socket.receive()).data)
        second = json.loads((await socket.receive()).data)
        for request in (second, first):
            name = request["params"]["newClientOrderId"]
            await socket.send_json({"id": request["id"], "status": 200, "result": ack(name)})
        await stay_silent(socket)

    async with orders_to(answer_backwards) as orders:
        calls = [requests.submit(submit(market_order(f"hf.1.{n}.0.E.x"))) for n in (1, 2)]
        replies = await asyncio.gather(*(orders.send(call) for call in calls))

    names = [json.loads(bytes(reply.body))["clientOrderId"] for reply in replies]
    assert names == ["hf.1.1.0.E.x", "hf.1.2.0.E.x"]


async def test_refusal_keeps_its_code_and_counts_reach_the_budget():
    limits = [
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": 300,
            "count": 7,
        }
    ]

    async def refuse(socket):
        request = json.loads((await socket.receive()).data)
        error = {"code": -2019, "msg": "Margin is insufficient."}
        await socket.send_json(
            {"id": request["id"], "status": 400, "error": error, "rateLimits": limits}
        )
        await stay_silent(socket)

    async with orders_to(refuse) as orders:
        reply = await orders.send(place())

    assert (reply.status, reply.code) == (400, -2019)
    assert reply.counts == (-1, 7, -1)


@pytest.mark.parametrize(
    ("status", "code"), [(401, -2015), (400, -1102), (400, -1022), (401, -1000)]
)
async def test_a_session_that_is_logged_off_unheard_has_sent_nothing_and_signs_again(status, code):
    """A server may forget who logged on, and says so to the next request alone."""
    asked = []

    async def forget(socket):
        for told in ({"status": status, "error": {"code": code, "msg": "Who?"}}, {"status": 200}):
            request = json.loads((await socket.receive()).data)
            asked.append("signature" in request["params"])
            await socket.send_json({"id": request["id"], "result": {}, **told})
        await stay_silent(socket)

    async with orders_to(forget) as orders:
        orders._is_logged_on = True
        refused, done = await orders.send(place()), await orders.send(place())

    assert (refused.was_sent, done.is_ok) == (False, True)
    assert asked == [False, True]


async def test_unanswered_request_on_a_lost_connection_may_have_been_carried_out():
    async def vanish(socket):
        await socket.receive()
        await socket.close()

    async with orders_to(vanish, stay_silent) as orders:
        reply = await orders.send(place())

    assert reply.status == NO_ANSWER
    assert reply.was_sent


async def test_request_that_nobody_answers_may_have_been_carried_out(monkeypatch):
    monkeypatch.setattr(orders_ws, "ANSWER_S", 0.1)
    async with orders_to(stay_silent) as orders:
        reply = await orders.send(place())

    assert reply.status == NO_ANSWER
    assert reply.was_sent


async def test_nothing_is_sent_where_there_is_no_connection():
    net = NetWire()
    orders = OrdersSocket(net, "ws://127.0.0.1:1/", Credentials(KEY, SECRET), no_jitter)
    reply = await orders.send(place())
    await net.close()

    assert not reply.was_sent
    assert SECRET not in repr(orders) + repr(reply)

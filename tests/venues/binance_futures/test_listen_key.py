"""Which key the account's stream is opened with, and when it is left for another."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from holdfast.model.errors import VenueUnavailable
from holdfast.model.values import MAIN
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures import listen_key, streams
from holdfast.venues.binance_futures.asking import Asker
from holdfast.venues.binance_futures.codec import OrderNames, UserStream
from holdfast.venues.binance_futures.listen_key import UserChannel
from holdfast.venues.binance_futures.rest import Reply
from holdfast.venues.binance_futures.streams import Watch
from tests.venues.binance_futures.adapter_desk import no_jitter, until


class Venue:
    """Gives out one key, as a road; and opens sockets, as a wire, unless it is shut."""

    def __init__(self):
        self.key, self.is_shut = "K1", False
        self.asked: list[str] = []
        self.opened: list[str] = []
        self.ears = []
        self.held: asyncio.Event | None = None  # what answers to PUT wait for
        self.body: bytes | None = None  # what PUT is answered, in place of the key

    def begin(self, call):
        return None

    async def send(self, call):
        self.asked.append(call.route.verb)
        body = json.dumps({"listenKey": self.key}).encode()
        if call.route.verb == "PUT":
            body = body if self.body is None else self.body
            if self.held is not None:
                await self.held.wait()
        return Reply(200, body)

    async def open_socket(self, url, ears):
        if self.is_shut:
            raise VenueUnavailable("shut")
        self.opened.append(url.partition("listenKey=")[2])
        self.ears.append(ears)
        return Socket()

    async def request(self, *what, **how):
        raise AssertionError("all is asked by road")

    async def close(self):
        pass

    def expire(self, key, ears):
        ears.on_frame(json.dumps({"e": "listenKeyExpired", "E": 1, "listenKey": key}).encode())


class Socket:
    def send(self, frame):
        return True

    def ping(self):
        pass

    def close(self):
        pass


@asynccontextmanager
async def listening(watch=None):
    """Yield a venue, and what is told of the link to it."""
    venue, told = Venue(), list[str]()
    channel = UserChannel(
        venue,
        "ws://venue",
        Asker(venue, WallClock(), no_jitter),
        UserStream(OrderNames(), MAIN),
        on_events=lambda _: None,
        on_link=lambda is_up, reason: told.append("up" if is_up else reason),
        on_gap=told.append,
        random=no_jitter,
        watch=watch,
    )
    tasks = [asyncio.create_task(channel.stream.run()), asyncio.create_task(channel.keep_alive())]
    try:
        await until(lambda: told == ["up"])
        yield venue, told
    finally:
        for task in tasks:
            task.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(listen_key, "KEEP_ALIVE_S", 0.02)
    monkeypatch.setattr(streams, "WATCH_S", 0.02)
    monkeypatch.setattr(streams, "OVERLAP_S", 0.1)
    monkeypatch.setattr(streams, "ROTATION_RETRY_S", 0.1)


async def test_a_key_that_another_program_has_replaced_is_left_for_the_new_one():
    """Nothing says so but the answer to what keeps the key alive: the old one is silent."""
    async with listening() as (venue, told):
        venue.key = "K2"
        await until(lambda: told.count("up") == 2)

    assert venue.opened == ["K1", "K2"]
    assert told == ["up", "the listen key is another", "up"]


@pytest.mark.parametrize("body", [b'{"listenKey":"K1"}', b"{}", b'{"listenKey":""}', b"[]", b"{"])
async def test_an_answer_that_names_no_other_key_leaves_the_stream_as_it_is(body):
    async with listening() as (venue, told):
        venue.body = body
        await until(lambda: venue.asked.count("PUT") > 3)

    assert told == ["up"]


async def test_an_answer_of_before_the_stream_was_opened_anew_names_a_key_of_before():
    async with listening() as (venue, told):
        venue.held, venue.body = asyncio.Event(), b'{"listenKey":"K1"}'
        await until(lambda: "PUT" in venue.asked)
        venue.key = "K2"
        venue.expire("K1", venue.ears[0])
        await until(lambda: told.count("up") == 2)
        venue.held.set()
        venue.body, asked = b"{}", venue.asked.count("PUT")
        await until(lambda: venue.asked.count("PUT") > asked + 1)

    assert told == ["up", "the listen key has expired", "up"]


async def test_the_end_of_the_key_in_use_is_heard_though_its_successor_could_not_be_opened():
    async with listening(Watch(lifetime_s=0.1)) as (venue, told):
        venue.body, venue.is_shut, venue.key = b"{}", True, "K2"
        await until(lambda: venue.asked.count("POST") > 1)
        venue.expire("K1", venue.ears[0])
        await until(lambda: told[1:] == ["the listen key has expired"])
        venue.is_shut = False
        await until(lambda: told.count("up") == 2)

        assert venue.opened[:2] == ["K1", "K2"]


async def test_the_end_of_a_key_that_was_replaced_is_no_end_of_its_successor():
    async with listening(Watch(lifetime_s=0.1)) as (venue, told):
        venue.body, venue.key = b"{}", "K2"
        await until(lambda: len(venue.opened) > 1)
        venue.expire("K1", venue.ears[0])
        await until(lambda: len(venue.opened) > 2)

        assert told == ["up"]

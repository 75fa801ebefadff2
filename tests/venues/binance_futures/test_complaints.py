"""Warnings by the thousand do not fill the log, and none is forgotten."""

from __future__ import annotations

import asyncio
import logging

from holdfast.model.values import MAIN
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures import listen_key
from holdfast.venues.binance_futures.asking import Asker
from holdfast.venues.binance_futures.codec import OrderNames, UserStream
from holdfast.venues.binance_futures.complaints import Complaints
from holdfast.venues.binance_futures.listen_key import UserChannel
from holdfast.venues.binance_futures.net import NetWire
from holdfast.venues.binance_futures.rest import RestClient
from tests.venues.binance_futures.adapter_desk import PATIENCE_S, no_jitter

LOG = logging.getLogger("holdfast.venue")


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.005)


async def test_first_warning_is_written_and_the_others_are_counted(caplog):
    complaints = Complaints(LOG, period_s=0.02)

    for number in range(1000):
        complaints.warn(f"frame {number}")
    assert caplog.messages == ["frame 0"]

    await until(lambda: len(caplog.messages) > 1)
    assert caplog.messages[1:] == ["999 more like it in 0.02 s, the last: frame 999"]


async def test_warning_after_a_quiet_period_is_written_at_once(caplog):
    complaints = Complaints(LOG, period_s=0.01)
    complaints.warn("one")
    await until(lambda: not complaints._is_counting)

    complaints.warn("two")

    assert caplog.messages == ["one", "two"]


async def test_fault_of_ours_is_an_error_with_its_place(caplog):
    Complaints(LOG).warn("an event was not understood", ValueError("odd"))

    assert caplog.records[0].levelno == logging.ERROR
    assert "ValueError: odd" in caplog.text


async def test_flood_of_unreadable_events_asks_for_the_books_twice_at_most(caplog, monkeypatch):
    """The books are read after the first, and once more when the last is over: not each time."""
    monkeypatch.setattr(listen_key, "GAPS_S", 0.05)
    wire, gaps = NetWire(), list[str]()
    asker = Asker(RestClient(wire, "http://127.0.0.1:1"), WallClock(), no_jitter)
    channel = UserChannel(
        wire,
        "ws://127.0.0.1:1",
        asker,
        UserStream(OrderNames(), MAIN),
        on_events=lambda _: None,
        on_link=lambda *_: None,
        on_gap=gaps.append,
        random=no_jitter,
    )

    for _ in range(3000):
        channel._on_frame(b'{"e":"ORDER_TRADE_UPDATE","o":')

    assert len(gaps) == 1
    assert len(caplog.messages) == 1
    await until(lambda: len(gaps) == 2)
    await until(lambda: channel._gap_timer is None)
    assert len(gaps) == 2
    await wire.close()

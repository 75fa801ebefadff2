"""One session from its start to its end, with signals in between."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial

import pytest

from holdfast import LiveTradingService, TradingSessionStatus
from holdfast.cli.driving import drive
from holdfast.cli.happenings import Happenings, Silent
from holdfast.runtime.control import ControlServer
from tests.runtime.session_desk import BTC, ScriptedFeed, config_in


@pytest.fixture(autouse=True)
def _signals():
    """Give back what a session takes for good."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_a_signal_before_the_first_price_stops_a_session_that_runs(tmp_path, monkeypatch):
    service = LiveTradingService(config=config_in(tmp_path))
    silent = partial(service.start_session, symbols=[BTC], feed=ScriptedFeed(is_live=True))
    monkeypatch.setattr(service, "start_session", silent)
    control = ControlServer(service, tmp_path)
    driving = asyncio.create_task(
        drive(service, control, Silent(), Happenings(), strategies=(), seconds=None)
    )
    async with asyncio.timeout(10):
        while not service.is_running():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    ending = await asyncio.wait_for(driving, 30)

    assert (ending.reason, ending.is_error) == ("terminated", False)
    assert service.session().status is TradingSessionStatus.STOPPED

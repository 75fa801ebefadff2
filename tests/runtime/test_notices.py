"""Notifiers of a user's own: whatever becomes of them, the session and its alarms go on."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from holdfast import LiveTradingService
from holdfast.model.errors import InputError
from holdfast.model.messages import VenueLink
from holdfast.runtime import notices
from holdfast.runtime.notices import UsersNotifier, notifier_of
from tests.runtime.control_desk import BTC, SteadyFeed
from tests.runtime.session_desk import config_in, running


class Webhook:
    """Tells somebody over a network that is down."""

    def notify(self, level, text):
        raise ConnectionError("no route to the pager")


async def test_a_notifier_that_fails_fails_no_session_and_loses_no_alarm(tmp_path, caplog):
    service = LiveTradingService(config=config_in(tmp_path), notifier=Webhook())
    await service.start_session(symbols=[BTC], strategies=(), feed=SteadyFeed())
    service.live.shell.hear(VenueLink(is_up=False, reason="a ping was not answered"))

    assert not service.live.has_failed
    await service.stop()
    told = [r.getMessage() for r in caplog.records if r.name == "holdfast.notices"]
    assert any("a ping was not answered" in text for text in told)
    assert any("no route to the pager" in text for text in told)
    failures = [r for r in caplog.records if "could not tell this" in r.getMessage()]
    assert all(r.levelno >= logging.ERROR for r in failures)
    assert service.restarts == 0


class Slow:
    """Stands while it tells, as one does whose network swallows what is sent."""

    def __init__(self):
        self.may_go, self.is_telling = threading.Event(), threading.Event()
        self.lines = []

    def notify(self, level, text):
        self.is_telling.set()
        assert self.may_go.wait(10)
        self.lines.append(text)


@pytest.fixture
def slow():
    notifier = Slow()
    yield notifier
    notifier.may_go.set()


async def test_a_notifier_that_takes_its_time_holds_nothing_up(tmp_path, slow):
    service = LiveTradingService(config=config_in(tmp_path), notifier=slow)
    async with running(tmp_path, service=service) as desk:
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        service.live.shell.hear(VenueLink(is_up=False, reason="a ping was not answered"))
        assert await asyncio.to_thread(slow.is_telling.wait, 5)
        await service.close_position(BTC)

        assert desk.state.all_open_orders() == []
        assert slow.lines == []
        slow.may_go.set()
    assert any("a ping was not answered" in text for text in slow.lines)


async def test_notices_are_told_in_their_order_by_the_end_of_the_wait(slow):
    notifier = UsersNotifier(slow)
    for number in range(100):
        notifier.notify("warning", str(number))
    slow.may_go.set()
    await notifier.drain()

    assert slow.lines == [str(number) for number in range(100)]


async def test_what_a_notifier_has_no_room_for_is_on_the_log_and_counted(slow, monkeypatch, caplog):
    monkeypatch.setattr(notices, "WAITING_MAX", 2)
    notifier = UsersNotifier(slow)
    notifier.notify("alarm", "first")
    assert await asyncio.to_thread(slow.is_telling.wait, 5)
    for text in ("second", "third", "fourth", "fifth"):
        notifier.notify("alarm", text)
    slow.may_go.set()
    await notifier.drain()

    assert slow.lines == ["first", "second", "third"]
    logged = [r.getMessage() for r in caplog.records if r.name == notices.NOTICES]
    assert logged[0::2] == ["fourth", "fifth"]
    assert "2 were not told so far" in logged[-1]


async def test_a_notifier_that_never_blocks_is_told_at_once():
    told = []

    class Quick:
        never_blocks = True

        def notify(self, level, text):
            told.append(threading.get_ident())

    notifier_of(Quick()).notify("alarm", "now")

    assert told == [threading.get_ident()]


def test_a_notifier_that_nobody_would_await_is_refused(tmp_path):
    class Later:
        async def notify(self, level, text):
            pass

    later: Any = Later()
    with pytest.raises(InputError, match="notify must be a plain function"):
        LiveTradingService(config=config_in(tmp_path), notifier=later)

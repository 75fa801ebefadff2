"""Notifiers of a user's own: whatever becomes of them, the session and its alarms go on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from holdfast import LiveTradingService
from holdfast.model.errors import InputError
from holdfast.model.messages import VenueLink
from tests.runtime.control_desk import BTC, SteadyFeed
from tests.runtime.session_desk import config_in


class Webhook:
    """Tells somebody over a network that is down."""

    def notify(self, level, text):
        raise ConnectionError("no route to the pager")


async def test_a_notifier_that_fails_fails_no_session_and_loses_no_alarm(tmp_path, caplog):
    service = LiveTradingService(config=config_in(tmp_path), notifier=Webhook())
    await service.start_session(symbols=[BTC], strategies=(), feed=SteadyFeed())
    service.live.shell.hear(VenueLink(is_up=False, reason="a ping was not answered"))

    assert not service.live.has_failed
    told = [r.getMessage() for r in caplog.records if r.name == "holdfast.notices"]
    assert any("a ping was not answered" in text for text in told)
    assert any("no route to the pager" in text for text in told)
    assert caplog.records[-1].levelno >= logging.ERROR
    await service.stop()
    assert service.restarts == 0


def test_a_notifier_that_nobody_would_await_is_refused(tmp_path):
    class Later:
        async def notify(self, level, text):
            pass

    later: Any = Later()
    with pytest.raises(InputError, match="notify must be a plain function"):
        LiveTradingService(config=config_in(tmp_path), notifier=later)

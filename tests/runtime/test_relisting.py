"""What a contract is like changes while a paper session runs, and the session goes by that."""

from __future__ import annotations

import time
from decimal import Decimal

import msgspec

from holdfast.model.errors import NetworkError
from holdfast.model.instrument import UNLISTED
from holdfast.model.values import MAIN, SignalType
from holdfast.runtime import relisting
from tests.runtime.session_desk import BTC, ScriptedFeed, books_agree, running


class ListingFeed(ScriptedFeed):
    """A live feed whose market lists contracts as a test says."""

    def __init__(self):
        super().__init__(is_live=True, start_ts=time.time_ns())
        self.changes: dict[str, object] = {}
        self.looks = 0

    async def fetch_listed(self, known):
        self.looks += 1
        if self.looks == 1:
            raise NetworkError("nobody answers")
        return [msgspec.structs.replace(each, **self.changes) for each in known]


async def test_filters_that_change_are_gone_by_within_a_paper_session(tmp_path, monkeypatch):
    monkeypatch.setattr(relisting, "EVERY_S", 0.01)
    feed = ListingFeed()
    async with running(tmp_path, feed=feed) as desk:
        feed.changes = {"tick": Decimal("0.5")}
        await desk.until(lambda: desk.state.instruments[MAIN, BTC].tick == Decimal("0.5"))
        [listed] = desk.service.live.venue.contracts()

        assert listed.tick == Decimal("0.5")
        assert feed.looks > 1  # the first had no answer


async def test_a_contract_that_ends_is_settled_on_paper_too(tmp_path, monkeypatch):
    monkeypatch.setattr(relisting, "EVERY_S", 0.01)
    feed = ListingFeed()
    async with running(tmp_path, feed=feed) as desk:
        await desk.wish(SignalType.BUY, BTC, stop_loss=Decimal(20_000))
        await desk.until(lambda: desk.state.position((MAIN, BTC)).qty)
        feed.changes = {"status": UNLISTED}
        await desk.until(lambda: desk.state.instruments[MAIN, BTC].status == UNLISTED)

        assert not desk.state.position((MAIN, BTC)).qty
        assert desk.open_roles() == []

    assert books_agree(desk.service)


async def test_a_contract_that_trades_again_does_so_soon_after_a_restart(tmp_path, monkeypatch):
    """The books remember that it was halted, and the market is asked at once."""
    monkeypatch.setattr(relisting, "EVERY_S", 0.01)
    feed = ListingFeed()
    async with running(tmp_path, feed=feed) as desk:
        feed.changes = {"status": "BREAK"}
        await desk.until(lambda: desk.state.instruments[MAIN, BTC].status == "BREAK")
    monkeypatch.setattr(relisting, "EVERY_S", 3600.0)
    again = ListingFeed()
    again.looks, again.changes = 1, {"status": "TRADING"}
    async with running(tmp_path, feed=again) as desk:
        await desk.until(lambda: desk.state.instruments[MAIN, BTC].is_trading)

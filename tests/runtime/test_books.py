"""Our books beside the venue's at the end of a session."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from holdfast import LiveTradingService, TradingSessionStatus
from holdfast.engine.engine import Engine
from holdfast.model.messages import VenuePosition, VenueSnapshot
from holdfast.model.settings import EngineSettings
from holdfast.model.values import MAIN, AccountId
from holdfast.runtime.books import BooksReport, compare_books
from tests.runtime.session_desk import BTC, ETH, books_agree, config_in, running

RECORDING = Path(__file__).resolve().parents[2] / "../shared/data/ws_usdm/ethusdt_20240808.gz"


def snapshot(qty, balance):
    return VenueSnapshot(
        asked_ts=1,
        taken_ts=1,
        orders=(),
        positions=(VenuePosition(symbol=BTC, qty=Decimal(qty), entry_price=Decimal(1)),),
        balances={"USDT": Decimal(balance)},
    )


def test_differences_are_summed_whatever_their_sign():
    engine = Engine(EngineSettings())
    report = compare_books(engine, snapshot("-0.5", "12.5"), MAIN)

    assert report == BooksReport(
        Decimal("0.5"),
        Decimal("12.5"),
        (
            "position BTCUSDT is 0 here and -0.5 at the venue",
            "balance USDT is 0 here and 12.5 at the venue",
        ),
    )
    assert compare_books(engine, None, MAIN) is None


def test_what_differs_on_another_account_is_told_with_its_name():
    report = compare_books(Engine(EngineSettings()), snapshot("1", "0"), AccountId("second"))

    assert report is not None
    assert report.differences == (
        "position BTCUSDT of account second is 0 here and 1 at the venue",
    )


async def test_books_are_compared_at_the_end_and_agree_with_a_position_left(tmp_path):
    async with running(tmp_path) as desk:
        assert desk.service.books is None
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await desk.service.place_order(BTC, "SELL", "0.004")
        await desk.service.stop()

        assert books_agree(desk.service)


async def test_books_that_differ_are_told_in_figures(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        tell = desk.service.live.shell.hear

        def doctored(message):
            if isinstance(message, VenueSnapshot):
                message = snapshot("0.03", message.balances["USDT"] + 7)
            tell(message)

        desk.service.live.venue._hear = doctored
        await desk.service.stop()

        assert desk.service.books.positions_diff == Decimal("0.02")
        assert desk.service.books.balance_diff == 7


async def run_to_the_end(service, **start):
    await service.start_session(**start)
    await service.wait()
    return service.session(), await service.get_session_stats()


async def test_an_hour_of_a_made_up_market_ends_with_agreeing_books(tmp_path):
    from holdfast import FeedSettings, SyntheticFeed
    from tests.runtime.session_desk import START

    feed = SyntheticFeed(
        FeedSettings(symbols=(BTC, ETH), start_ts=START, duration_s=3600, speed=0, rate=2, seed=5)
    )
    service = LiveTradingService(config=config_in(tmp_path))
    session, stats = await run_to_the_end(
        service, strategies=["sma_cross:fast=3,slow=8,timeframe=10s"], feed=feed
    )

    assert session.status is TradingSessionStatus.STOPPED
    assert stats.fills > 50
    assert books_agree(service)
    assert stats.equity_end == Decimal(10_000) + stats.total_pnl + stats.unrealized_pnl


@pytest.mark.skipif(not RECORDING.exists(), reason="the shared recordings are not here")
async def test_a_real_recording_ends_with_agreeing_books(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path, feed=str(RECORDING)))
    session, stats = await run_to_the_end(
        service, strategies=["sma_cross:timeframe=1s"], symbols=["ETHUSDT"]
    )

    assert session.status is TradingSessionStatus.STOPPED
    assert stats.fills > 10
    assert books_agree(service)
